"""What ccTalk drivers are examined with: worked frames of the sheet, and the simulated unit of each class."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

#: Class -> (frames of the unit, frames of the host), each address that of the class (ccTalk sheet §6, §8, §10).
_FRAMES = {
    "CoinAcceptor": (
        ("01 03 02 00 4E 61 BC 8F", "01 06 02 00 47 42 31 30 30 41 9C",
         "01 0B 02 00 00 00 00 00 00 00 00 00 00 00 00 F2", "01 0B 02 00 02 01 05 01 05 00 00 00 00 00 00 E4"),
        ("02 00 01 F2 0B", "02 00 01 E5 18", "02 01 01 B8 01 43", "02 01 01 E4 01 17"),
    ),
    "CoinDispenser": (
        ("01 01 03 00 01 FA", "01 06 03 00 50 61 79 6F 75 74 74", "01 03 03 00 4E 46 05 60",
         "01 08 03 00 61 A2 39 42 70 E6 4C 0B C9"),
        ("03 00 01 F4 08", "03 00 01 F2 0A", "03 00 01 A0 5C", "03 00 01 EC 10"),
    ),
    "BillAcceptor": (
        ("01 07 28 00 45 55 30 30 32 30 41 33", "01 0B 28 00 00 00 00 00 00 00 00 00 00 00 00 CC",
         "01 0B 28 00 01 03 01 00 00 00 00 00 00 00 00 C7", "01 0B 28 00 02 00 01 00 02 00 00 00 00 00 00 C7"),
        ("28 00 01 F5 E2", "28 00 01 9F 38", "28 01 01 9D 03 36", "28 01 01 9A 01 3B"),
    ),
}  # fmt: skip


def rehearsal(device_class: str) -> Rehearsal | None:
    """Return the material for a driver of this class; None where the protocol has no such device."""
    from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
    from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
    from kiosk.protocols.cctalk.device_hopper import CctalkHopper

    units = {"BillAcceptor": CctalkBillValidator, "CoinAcceptor": CctalkCoinAcceptor, "CoinDispenser": CctalkHopper}
    if device_class not in units:
        return None
    device, host = _FRAMES[device_class]
    return Rehearsal(
        tuple(map(bytes.fromhex, device)), tuple(map(bytes.fromhex, host)), device=units[device_class],
        options={"security": "serial"} if device_class == "CoinDispenser" else {},
        acknowledges=False,  # events are read, and reading consumes nothing (sheet §6)
    )  # fmt: skip
