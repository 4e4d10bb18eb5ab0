"""What a CCNET driver is examined with: worked frames of the sheet, and the simulated acceptor."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

_DEVICE = (
    "02 03 06 14 67 D4",
    "02 03 06 17 FC E6",
    "02 03 07 80 07 33 47",
    "02 03 06 30 41 B3",
)
_HOST = (
    "02 03 06 33 DA 81",
    "02 03 06 31 C8 A2",
    "02 03 06 37 FE C7",
    "02 03 0C 34 00 00 7C 00 00 00 66 C1",
)


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.ccnet.device import CcnetDevice

    if device_class != "BillAcceptor":
        return None
    return Rehearsal(
        tuple(map(bytes.fromhex, _DEVICE)), tuple(map(bytes.fromhex, _HOST)), device=CcnetDevice, currency="USD"
    )
