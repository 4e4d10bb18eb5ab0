"""What an EBDS driver is examined with: worked frames of the sheet, and the simulated acceptor."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

_DEVICE = (
    "02 0B 20 01 10 00 00 01 02 03 39",
    "02 0B 21 04 10 18 00 01 02 03 25",
    "02 0B 21 11 10 10 00 01 02 03 38",
    "02 0B 21 00 18 00 00 01 02 03 31",
    "02 0B 21 41 10 00 00 01 02 03 78",
)
_HOST = (
    "02 08 10 00 10 00 03 08",
    "02 08 10 7F 1C 10 03 6B",
    "02 08 11 7F 00 00 03 66",
    "02 08 60 00 00 08 03 60",
)


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.ebds.device import EbdsDevice

    if device_class != "BillAcceptor":
        return None
    return Rehearsal(
        tuple(map(bytes.fromhex, _DEVICE)), tuple(map(bytes.fromhex, _HOST)), device=EbdsDevice, currency="USD"
    )
