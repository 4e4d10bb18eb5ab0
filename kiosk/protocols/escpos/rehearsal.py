"""What an ESC/POS driver is examined with: answers of the devices sheet (§1.3), and the simulated printer."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

#: All well; paper out; cover open; near end; an automatic status; a queued one; an identification.
_DEVICE = ("12 12 12 12", "1A 32 12 7E", "1A 16 12 12", "12 12 12 1E", "10 00 03 00", "00", "5F 45 50 53 4F 4E 00")
_HOST = ("10 04 01", "10 04 04", "1B 40", "1D 72 01", "1B 74 13 41 42 0A")


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.escpos.device import EscposPrinter

    if device_class != "POSPrinter":
        return None
    return Rehearsal(tuple(map(bytes.fromhex, _DEVICE)), tuple(map(bytes.fromhex, _HOST)), device=EscposPrinter)
