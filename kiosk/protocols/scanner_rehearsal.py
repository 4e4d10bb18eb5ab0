"""What the three scanner drivers are examined with: labels as they come over each wire, and the scanner itself."""

from __future__ import annotations

from kiosk.protocols.rehearsal import Rehearsal

_LABELS = ("4711", "]C0CIT-0815", "ABC-123/x")


def serial_line() -> Rehearsal:
    """A scanner that sends lines of text."""
    from kiosk.protocols.scanner_device import LineScannerDevice

    return Rehearsal(
        tuple(label.encode() + end for label, end in zip(_LABELS, (b"\r", b"\r\n", b"\n"), strict=True)),
        device=LineScannerDevice,
    )


def keyboard() -> Rehearsal:
    """A scanner that types."""
    from kiosk.protocols.scanner_device import WedgeScannerDevice

    return Rehearsal(tuple(_typed(label) for label in ("471", "a-B", "00\x1d")), device=WedgeScannerDevice)


def hid_pos() -> Rehearsal:
    """A scanner of the point-of-sale class."""
    from kiosk.protocols.hid_pos_device import HidPosDevice

    device = HidPosDevice()
    for label in (*_LABELS, "x" * 60):
        device.scan(label)
    facts = {"report_descriptor": device.descriptor.hex()}
    return Rehearsal(tuple(device.take_outbound()), device=HidPosDevice, facts=facts, whole_messages=True)


def _typed(label: str) -> bytes:
    from kiosk.protocols.scanner_device import WedgeScannerDevice

    device = WedgeScannerDevice(key_ms=0)
    device.scan(label)
    device.tick(1)
    return b"".join(device.take_outbound())
