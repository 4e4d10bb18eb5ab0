"""What an ID003 driver is examined with: worked frames of the sheet, and the simulated acceptor."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

_DEVICE = (
    "FC 06 13 62 2B C9",
    "FC 05 11 27 56",
    "FC 05 15 03 10",
    "FC 05 1A F4 E8",
    "FC 06 17 77 67 E9",
    "FC 05 40 2B 15",
    "FC 05 50 AA 05",
)
_HOST = (
    "FC 05 11 27 56",
    "FC 05 40 2B 15",
    "FC 06 C3 00 04 D6",
    "FC 07 C0 00 00 2D B5",
    "FC 05 42 39 36",
)


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.id003.device import Id003Device

    if device_class != "BillAcceptor":
        return None
    return Rehearsal(
        tuple(map(bytes.fromhex, _DEVICE)), tuple(map(bytes.fromhex, _HOST)), device=Id003Device, currency="USD"
    )
