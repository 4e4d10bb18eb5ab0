"""A host's hand on a simulated CCNET unit: one frame at a time, virtual time, no driver."""

from __future__ import annotations

import msgspec

from kiosk.protocols.ccnet.codes import DeviceState as S
from kiosk.protocols.ccnet.codes import HostCommand as C
from kiosk.protocols.ccnet.device import CcnetDevice
from kiosk.protocols.ccnet.frames import Decoder, Frame, encode
from kiosk.protocols.ccnet.payloads import type_mask
from kiosk.protocols.ccnet.units import USD_UNIT, Unit

MS = 1_000_000
ALL = tuple(range(24))
ILLEGAL = bytes((S.ILLEGAL_COMMAND,))
ACKED = bytes((S.ACK,))
NAKED = bytes((S.NAK,))
#: Bill type of 20 dollars in the simulated unit.
TWENTY = 5


class Desk:
    """One unit and a clock; a reply is the data of one frame, None for silence."""

    def __init__(self, unit: Unit = USD_UNIT, **habits: object) -> None:
        self.device = CcnetDevice(msgspec.structs.replace(unit, **habits))
        self.now = 0
        self._decoder = Decoder()

    def wait(self, ms: int) -> None:
        end = self.now + ms * MS
        while (due := self.device.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.device.tick(self.now)
        self.now = end
        self.device.tick(self.now)

    def write(self, raw: bytes) -> bytes | None:
        self.device.received(raw, self.now)
        found = [item for out in self.device.take_outbound() for item in self._decoder.feed(out)]
        assert len(found) <= 1
        assert all(isinstance(item, Frame) for item in found), found
        return found[0].data if found and isinstance(found[0], Frame) else None

    def send(self, command: C, data: bytes = b"") -> bytes | None:
        return self.write(encode(bytes((command,)) + data, self.device.unit.address))

    def poll(self, *, ack: bool = True) -> bytes | None:
        """Ask for the state, and confirm the reply as a good host does."""
        reply = self.send(C.POLL)
        if ack and reply is not None:
            assert self.send(C.ACK) is None
        return reply

    def enable(self, *types: int, escrow: tuple[int, ...] | None = None) -> None:
        types = types or ALL
        masks = type_mask(types) + type_mask(types if escrow is None else escrow)
        assert self.send(C.ENABLE_BILL_TYPES, masks) == ACKED

    def start(self, *types: int) -> None:
        """Bring the unit from its power-up state to idling."""
        assert self.send(C.RESET) == ACKED
        self.wait(2_000)
        self.enable(*types)

    def escrow(self, minor: int = 2000) -> bytes:
        """Feed a note and return what the unit shows of it in escrow."""
        assert self.device.insert(minor)
        self.wait(700)
        reply = self.poll()
        assert reply is not None
        assert reply[0] == S.ESCROW_POSITION, reply
        return reply

    def stacked(self, minor: int = 2000) -> None:
        """Bring a note to where BILL STACKED is due."""
        self.escrow(minor)
        assert self.send(C.STACK) == ACKED
        self.wait(1_000)


def ready(*types: int, unit: Unit = USD_UNIT, **habits: object) -> Desk:
    """A desk with a unit that takes all its notes, or `types`."""
    desk = Desk(unit, **habits)
    desk.start(*types)
    return desk
