"""The devices that the hardware page writes down are taken as they stand."""

from __future__ import annotations

import re
import tomllib

import msgspec

from kiosk.core.supervisor_setup import DeviceConfig, prepare
from kiosk.plugins.manager import load_plugins
from tests.docs.pages import PAGES


def test_every_device_on_the_page_is_accepted() -> None:
    pieces = re.findall(r"^```toml\n(.*?)^```$", PAGES["docs/hardware.md"], re.MULTILINE | re.DOTALL)
    found = [section for piece in pieces for section in tomllib.loads(piece)["device"]]
    ready = prepare(msgspec.convert(found, list[DeviceConfig], strict=True), load_plugins().drivers)
    assert {each.spec.name for each in ready} >= {"hid_pos_scanner", "line_scanner", "wedge_scanner"}
