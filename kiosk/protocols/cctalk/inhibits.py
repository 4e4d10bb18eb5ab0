"""Which coins or notes a unit may take: a mask and a master inhibit, told in that order (ccTalk sheet §4, §7, §8)."""

from __future__ import annotations

from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.host import Answer
from kiosk.protocols.cctalk.request import ACK, Request


class Inhibits:
    """Owns what the unit acknowledged; many units forget it by a reset, so whoever notices one calls `forget`."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What the unit was told may be lost: tell it again."""
        self._masked: bytes | None = None
        self._applied: bytes | None = None

    @property
    def enabled(self) -> bool:
        """True where the unit acknowledged that it may take something."""
        return any(self._applied or b"")

    def next(self, bits: bytes) -> Request | None:
        """Return what is still to be told so that exactly the positions of this mask are taken; None where all is."""
        if self._applied == bits:
            return None
        if self._masked != bits:
            return Request(Header.MODIFY_INHIBIT, bits, sizes=ACK)
        return Request(Header.MODIFY_MASTER_INHIBIT, b"\x01" if any(bits) else b"\x00", sizes=ACK)

    def answered(self, answer: Answer) -> None:
        """Take the ACK of a request of `next`; anything else changes nothing."""
        if not answer.acked:
            self._masked = None
        elif answer.header == Header.MODIFY_INHIBIT:
            self._masked, self._applied = answer.asked, None
        else:
            self._applied = self._masked
