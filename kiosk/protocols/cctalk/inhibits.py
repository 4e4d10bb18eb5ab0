"""Which coins or notes a unit may take: a mask and a master inhibit, told in that order (ccTalk sheet §4, §7, §8).

Many units forget both by a reset.  A reset shows as an event counter of 0, but a unit that counts on at once can stand
where it stood before; so its master inhibit (227) is asked from time to time, where it can be asked at all.
"""

from __future__ import annotations

from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.request import ACK, Request

#: Headers whose answers are for `Inhibits.answered`.
SETTINGS = (Header.MODIFY_INHIBIT, Header.MODIFY_MASTER_INHIBIT, Header.REQUEST_MASTER_INHIBIT)


class Inhibits:
    """Owns what the unit acknowledged; whoever notices that it forgot calls `forget`."""

    def __init__(self, check_ns: int) -> None:
        """Compare with the unit every `check_ns`."""
        self._check = check_ns
        self._check_at = 0
        #: The unit answers header 227.
        self._tells = True
        self.forget()

    def forget(self) -> None:
        """What the unit was told may be lost: tell it again."""
        self._masked: bytes | None = None
        self._applied: bytes | None = None

    @property
    def enabled(self) -> bool:
        """True where the unit acknowledged that it may take something."""
        return any(self._applied or b"")

    def next(self, bits: bytes, now: int) -> Request | None:
        """Return what is still to be told so that exactly the positions of this mask are taken; None where all is."""
        if self._applied == bits:
            if not self._tells or now < self._check_at:
                return None
            self._check_at = now + self._check
            return Request(Header.REQUEST_MASTER_INHIBIT, sizes=(1,), tries=1)
        self._check_at = now + self._check
        if self._masked != bits:
            return Request(Header.MODIFY_INHIBIT, bits, sizes=ACK)
        return Request(Header.MODIFY_MASTER_INHIBIT, b"\x01" if any(bits) else b"\x00", sizes=ACK)

    def answered(self, answer: Answer) -> bool:
        """Take the answer to a request of `next`; return True where the unit has forgotten what it was told."""
        if answer.header == Header.REQUEST_MASTER_INHIBIT:
            self._tells = answer.outcome is Outcome.REPLY
            if not self._tells or bool(answer.data[0] & 1) is self.enabled:
                return False
            self.forget()
            return True
        if not answer.acked:
            self._masked = None
        elif answer.header == Header.MODIFY_INHIBIT:
            self._masked, self._applied = answer.asked, None
        else:
            self._applied = self._masked
        return False
