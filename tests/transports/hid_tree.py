"""A piece of /sys as the kernel makes it for HID devices on USB: hidraw nodes below interfaces below a device."""

from __future__ import annotations

from pathlib import Path


class HidTree:
    """Owns a directory that stands in for /sys; nodes are added as they would be plugged in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidraw = root / "class" / "hidraw"
        self.hidraw.mkdir(parents=True)

    def plug(
        self, number: int, descriptor: bytes, *, socket: str = "1-1", interface: int = 0, ids: str = "0C2E:0B61",
        serial: str = "B0001", unique: bool = True,
    ) -> None:  # fmt: skip
        """Add hidrawN; `unique`: the kernel copied the serial number into the HID device."""
        vendor, product = ids.split(":")
        usb = self.root / "devices" / "usb1" / socket
        hid = usb / f"{socket}:1.{interface}" / f"0003:{ids}.{number:04X}"
        (hid / "hidraw" / f"hidraw{number}").mkdir(parents=True)
        (usb / "idVendor").write_text(vendor.lower() + "\n")
        (usb / "idProduct").write_text(product.lower() + "\n")
        (usb / "serial").write_text(serial + "\n")
        (hid / "uevent").write_text(
            f"DRIVER=hid-generic\nHID_ID=0003:0000{vendor}:0000{product}\nHID_NAME=Example Scanner\n"
            f"HID_PHYS=usb-0000:00:14.0-1/input{interface}\nHID_UNIQ={serial if unique else ''}\n"
        )
        (hid / "report_descriptor").write_bytes(descriptor)
        node = hid / "hidraw" / f"hidraw{number}"
        (node / "device").symlink_to("../..")
        (self.hidraw / f"hidraw{number}").symlink_to(node)

    def unplug(self, number: int) -> None:
        """Take the node away."""
        (self.hidraw / f"hidraw{number}").unlink()
