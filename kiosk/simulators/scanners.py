"""The simulated scanners; their device roles live beside the codecs, as every device's."""

from __future__ import annotations

from kiosk.protocols.hid_pos_device import HidPosDevice
from kiosk.protocols.scanner_device import (
    EV_KEY,
    EV_SYN,
    KEY_ENTER,
    KEY_TAB,
    SYN_DROPPED,
    LineScannerDevice,
    WedgeScannerDevice,
)

__all__ = [
    "EV_KEY",
    "EV_SYN",
    "KEY_ENTER",
    "KEY_TAB",
    "SYN_DROPPED",
    "HidPosDevice",
    "LineScannerDevice",
    "WedgeScannerDevice",
]
