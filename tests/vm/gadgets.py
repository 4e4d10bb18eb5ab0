"""In the guest: USB devices made of the kernel's own gadget functions, on controllers that loop back to this machine.

What lies below /sys/kernel/config/usb_gadget is the device's side: descriptors and functions.  The host's side of
the same kernel sees it as if it hung on a cable; writing an empty line to ``UDC`` pulls that cable.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

ROOT = Path("/sys/kernel/config/usb_gadget")
ENGLISH = "strings/0x409"


class Gadget:
    """Owns one device and its cable."""

    def __init__(self, name: str, socket: int, vendor: int, product: int, serial: str = "") -> None:
        """Describe a device for the socket with that number; it is not plugged in yet."""
        self.folder = ROOT / name
        self._controller = f"dummy_udc.{socket}"
        self.folder.mkdir()
        (self.folder / ENGLISH).mkdir(parents=True)
        (self.folder / "configs/c.1").mkdir(parents=True)
        values = {
            "idVendor": f"{vendor:#06x}",
            "idProduct": f"{product:#06x}",
            f"{ENGLISH}/product": f"Example {product:04x}",
        }
        if serial:
            values[f"{ENGLISH}/serialnumber"] = serial
        for path, value in values.items():
            (self.folder / path).write_text(value)

    def function(self, name: str, **settings: int | bytes | str) -> Path:
        """Give the device a function, such as ``acm.0``."""
        folder = self.folder / "functions" / name
        folder.mkdir()
        for setting, value in settings.items():
            data = value if isinstance(value, bytes) else str(value).encode()
            (folder / setting).write_bytes(data)
        (self.folder / "configs/c.1" / name).symlink_to(folder)
        return folder

    def plug(self) -> None:
        """Put the cable in."""
        (self.folder / "UDC").write_text(self._controller)

    def plug_and_settle(self) -> None:
        """Put the cable in and wait until the host's side has made everything of it."""
        self.plug()
        state = Path("/sys/class/udc") / self._controller / "state"
        end = time.monotonic() + 30
        while state.read_text().strip() != "configured" and time.monotonic() < end:
            time.sleep(0.02)
        subprocess.run(["udevadm", "settle"], check=True)

    def unplug(self) -> None:
        """Pull the cable."""
        (self.folder / "UDC").write_text("\n")
