"""The commented configuration: every key there is, with its true default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk import app
from kiosk.checkout.settings import CheckoutSettings, Periods
from kiosk.cli import places
from kiosk.core.city import CityFile, Colours, ReceiptOptions
from kiosk.core.people import OperatorSettings
from kiosk.core.supervisor_setup import DeviceConfig, PreparedDevice, prepare
from kiosk.errors import ConfigError
from kiosk.sync.settings import HubAddress, SyncSettings

FILE = Path(__file__).resolve().parents[2] / "config" / "kiosk.toml"
TEXT = FILE.read_text("utf-8")
CITY_TEXT = FILE.with_name("city.toml").read_text("utf-8")
SECTIONS: dict[str, type[Any]] = {
    "kiosk": app.Identity, "paths": app.Places, "screen": app.ScreenSection, "checkout": CheckoutSettings,
    "checkout.periods": Periods, "operator": OperatorSettings, "plugins": app.PluginSection,
    "sync": SyncSettings, "device": DeviceConfig,
}  # fmt: skip
#: Fields that are sections of their own.
INNER = {"checkout": {"periods"}, "sync": {"hub"}}


#: Sections of city.toml; "" for the keys before the first heading.
CITY: dict[str, type[Any]] = {"": CityFile, "colours": Colours, "receipt": ReceiptOptions}


def keys_of(section: str, *, commented: bool, text: str = TEXT) -> dict[str, str]:
    """Return the keys that stand (or stand commented) below a section's first heading, with the text of their value."""
    part = re.split(rf"^\[+{re.escape(section)}\]+.*$", text, flags=re.M)[1] if section else text
    body = re.split(r"^\[", part, flags=re.M)[0]
    mark = r"# " if commented else r""
    key = re.compile(rf"""^{mark}([a-z_0-9]+) = ("[^"\n]*"|[^#\n]+?)[ \t]*(?:#.*)?$""", flags=re.M)
    return {hit[1]: hit[2] for hit in key.finditer(body)}


def test_the_commented_configuration_is_good() -> None:
    setup = app.load(FILE)
    assert len(prepare(setup.devices, setup.plugins.drivers)) == 3


def commented_devices() -> list[str]:
    """Return the sections of devices that stand in comments; a comment on a line of its own keeps a second ``#``."""
    blocks = re.findall(r"^# (\[\[device\]\].*\n)((?:# .+\n)+)", TEXT, flags=re.M)
    return [head + re.sub(r"^# ", "", body, flags=re.M) for head, body in blocks]


def test_every_commented_device_is_good_and_every_driver_has_one(tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    head, used = TEXT.partition("\n[[device]]\n")[0], set()

    def devices_of(*blocks: str) -> list[PreparedDevice]:
        file.write_text("\n".join([head, *blocks]), "utf-8")
        setup = app.load(file)
        return prepare(setup.devices, setup.plugins.drivers)

    for block in commented_devices():
        (device,) = devices_of(block)
        used.add(device.spec.name)
    bus = devices_of(*(block for block in commented_devices() if "cctalk_" in block))
    assert len(bus) == 3
    assert {device.shared for device in bus} == {"/dev/kiosk/cctalk0"}
    shown = app.load(FILE)
    assert used | {device.driver for device in shown.devices} == set(shown.plugins.drivers)


def test_an_option_that_takes_certain_words_names_them() -> None:
    hopper = DeviceConfig(name="quarters", driver="cctalk_hopper", line={"port": "/dev/x"}, options={"security": "key"})
    with pytest.raises(ConfigError) as caught:
        prepare([hopper], app.load(FILE).plugins.drivers)
    assert "'serial', 'none'" in caught.value.hint


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_is_in_the_commented_configuration(section: str) -> None:
    there = {*keys_of(section, commented=True), *keys_of(section, commented=False)}
    declared = {field.encode_name for field in msgspec.structs.fields(SECTIONS[section])}
    assert declared - INNER.get(section, set()) == there


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "device"])
def test_a_commented_key_shows_its_default(section: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(SECTIONS[section])}
    for name, value in keys_of(section, commented=True).items():
        if (section, name) == ("plugins", "allow"):  # its default is "absent", which TOML cannot write
            continue
        told = msgspec.convert(tomllib.loads(f"x = {value}")["x"], fields[name].type)
        assert told == fields[name].default, f"{section}.{name}"


def test_the_commented_hub_is_one_once_its_fingerprint_is_whole() -> None:
    _, _, block = TEXT.partition("# [[sync.hub]]")
    lines = [line.removeprefix("# ") for line in block.splitlines() if line.startswith("# ")]
    hub = tomllib.loads("\n".join(lines).replace("5f3a…", "5f3a" * 16))
    assert msgspec.convert(hub, HubAddress).enrol.endswith(":7701")


@pytest.mark.parametrize("section", CITY)
def test_every_key_of_a_citys_file_is_in_the_commented_one_with_its_default(section: str) -> None:
    fields = {field.encode_name: field for field in msgspec.structs.fields(CITY[section])}
    commented = keys_of(section, commented=True, text=CITY_TEXT)
    assert set(fields) - {"colours", "receipt"} == {*commented, *keys_of(section, commented=False, text=CITY_TEXT)}
    for name, value in commented.items():
        told = msgspec.convert(tomllib.loads(f"x = {value}")["x"], fields[name].type)
        assert told == fields[name].default, f"{section}.{name}"


def test_the_quick_way_to_the_paths_knows_the_same_defaults() -> None:
    assert app.Places().state == places.STATE
    assert app.Places().runtime == places.RUNTIME
    assert app.Identity(id="K07").realm == places.REALM
