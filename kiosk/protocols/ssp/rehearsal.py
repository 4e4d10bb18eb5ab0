"""What an SSP driver is examined with: worked frames of the sheet, and the simulated acceptor."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

_DEVICE = (
    "7F 80 01 F0 23 80",
    "7F 80 03 F0 F1 E8 BF 8C",
    "7F 80 03 F0 EF 03 C5 CA",
    "7F 80 03 F0 EE 04 D7 CC",
    "7F 80 02 F0 CC 97 A2",
)
_HOST = (
    "7F 80 01 11 65 82",
    "7F 80 01 07 12 02",
    "7F 00 02 06 06 1B 94",
    "7F 80 01 05 1D 82",
)


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.ssp.device import SspDevice

    if device_class != "BillAcceptor":
        return None
    return Rehearsal(
        tuple(map(bytes.fromhex, _DEVICE)), tuple(map(bytes.fromhex, _HOST)), device=SspDevice, currency="USD"
    )
