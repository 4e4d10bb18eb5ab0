"""A city's pack: read strictly, held to the contrast of its colours, one digest over all, and shown by the screen."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import struct
import zlib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk import app
from kiosk.app.logo import LARGEST, read_logo
from kiosk.app.pack import changed_parts, load_pack
from kiosk.core.city import LEAST_CONTRAST, CityFile, Colours, comes_twice, contrast
from kiosk.errors import ConfigError, KioskError
from kiosk.model import facts
from kiosk.workbench.directory import ZONE
from tests.app.live_kiosk import live_kiosk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the pack that ships with the software."""
    found = tmp_path / "pack"
    shutil.copytree(ROOT / "config", found)
    return found


def put(pack: Path, old: str, new: str, name: str = "city.toml") -> None:
    file = pack / name
    text = file.read_text("utf-8")
    assert re.search(old, text), old
    file.write_text(re.sub(old, lambda _: new, text, count=1), "utf-8")


def test_the_pack_that_ships_is_good_and_names_itself(pack: Path) -> None:
    found = load_pack(pack)
    assert found.name == "example-city 2026.1"
    assert found.city.zone == ZONE
    assert found.city.example
    assert found.logo.startswith(b"\x89PNG")
    assert {"city.toml", "chart.toml", "logo.png", "services/water_bill.toml", "policies/cash.toml", "texts/es.po",
            "printers/generic-80mm.toml", "imports/water_bill.toml"} <= set(found.parts())  # fmt: skip


@pytest.mark.parametrize(
    "name", ["city.toml", "chart.toml", "policies/cash.toml", "texts/es.po", "imports/water_bill.toml", "logo.png"]
)
def test_every_file_of_a_pack_is_in_its_digest_and_named_when_it_changed(pack: Path, name: str) -> None:
    before = load_pack(pack)
    if name.endswith(".png"):
        shutil.copy(write_png(pack / "other.png"), pack / name)
    else:
        with (pack / name).open("a", encoding="utf-8") as file:
            file.write("\n# another line\n")
    after = load_pack(pack)
    assert before.digest != after.digest
    assert changed_parts(before.parts(), after.parts()) == (name,)


#: Name -> (what stands in city.toml, what stands there instead, words of the problem).
WRONG = {
    "unknown key": ('office = "', 'offise = "', "offise"),
    "unknown section": (r"\[receipt\]", "[reciept]", "reciept"),
    "unknown colour": ("# accent = ", "acent = ", "acent"),
    "zone": ('"America/Chicago"', '"../../etc/passwd"', "time zone"),
    "zone of nowhere": ('"America/Chicago"', '"America/Chicgo"', "time zone"),
    "cut-off where clocks change": ("# cut_off = 00:00:00", "cut_off = 02:30:00", "clocks change"),
    "id": ('"example-city"', '"Example City"', "cannot name a pack"),
    "version": ('"2026.1"', '"20 26"', "not a version"),
    "no version": ('version = "2026.1"', "", "version"),
    "name": ('name = "Example City"', 'name = " "', "name is empty"),
    "logo elsewhere": ('"logo.png"', '"../logo.png"', "not a PNG file of the pack"),
    "vector logo": ('"logo.png"', '"logo.svg"', "not a PNG file of the pack"),
    "colour": ('# ink = "#12233d"', 'ink = "navy"', "not a colour"),
    "grey on grey": ('# ink = "#12233d"', 'ink = "#8a8f99"', "ink on paper"),
    "pale buttons": ('# accent = "#0b4a8a"', 'accent = "#e07b00"', "accent on paper"),
    "header": ("# header = \\[\\]", 'header = ["' + "x" * 65 + '"]', "cannot be printed"),
    "footer": ('# footer = ""', 'footer = "slip.no_such"', "there is no text 'slip.no_such'"),
    "layout": ("# layout = 1", "layout = 99", "receipt.layout 99"),
    "language": ('# official_language = "en"', 'official_language = "xx"', "no texts in 'xx'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_citys_file_is_told_with_file_and_line(pack: Path, name: str) -> None:
    old, new, problem = WRONG[name]
    put(pack, old, new)
    with pytest.raises(ConfigError) as told:
        load_pack(pack)
    assert problem in told.value.message
    assert str(pack / "city.toml") in told.value.message
    assert told.value.hint
    line = re.search(r", line (\d+)", told.value.message)
    if new and name != "unknown section":
        assert line, told.value.message
        assert new in (pack / "city.toml").read_text("utf-8").splitlines()[int(line[1]) - 1]


def test_a_contrast_that_is_too_low_names_the_pair_and_its_ratio() -> None:
    with pytest.raises(ConfigError, match=r"ink on paper: #777777 on #ffffff has a contrast of 4\.47:1"):
        Colours(ink="#777777", paper="#ffffff")


@given(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF))
def test_whatever_colours_are_taken_every_pair_can_be_read(ink: int, ground: int) -> None:
    try:
        found = Colours(ink=f"#{ink:06x}", paper=f"#{ground:06x}")
    except ConfigError:
        return
    assert all(contrast(first, second) >= LEAST_CONTRAST for _, first, second in found.pairs())


def test_the_colours_of_the_style_sheet_are_the_defaults() -> None:
    sheet = (ROOT / "kiosk" / "screen" / "static" / "kiosk.css").read_text("utf-8")
    names = {"accent": "blue", "dark": "deep"}
    for name, colour in Colours().told():
        found = re.search(rf"--{names.get(name, name)}: (#[0-9a-f]+);", sheet)
        assert found, name
        assert {"#fff": "#ffffff"}.get(found[1], found[1]) == colour


# --- the logo -------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 8, height: int = 8) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * ((width + 1) * min(height, 64))))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def write_png(path: Path, data: bytes | None = None) -> Path:
    path.write_bytes(png() if data is None else data)
    return path


NO_LOGOS = {
    "text": (b"<svg onload='alert(1)'/>", "not a PNG"),
    "cut off": (png()[:-9], "damaged"),
    "something behind": (png() + b"<script>", "damaged"),
    "a changed byte": (png().replace(b"IHDR\0\0\0\x08", b"IHDR\0\0\0\x09"), "damaged"),
    "no pixels": (png()[:33] + chunk(b"IEND", b""), "damaged"),
    "too wide": (png(2000, 8), "2000 x 8"),
    "no side": (png(0, 8), "0 x 8"),
    "too large": (b"\x89PNG\r\n\x1a\n" + b"x" * LARGEST, "larger than"),
    "empty": (b"", "not a PNG"),
}


@pytest.mark.parametrize("name", NO_LOGOS)
def test_what_is_no_small_whole_png_is_no_logo(tmp_path: Path, name: str) -> None:
    data, problem = NO_LOGOS[name]
    with pytest.raises(ConfigError, match=problem):
        read_logo(write_png(tmp_path / "logo.png", data))


@given(st.binary(max_size=200), st.integers(0, len(png())))
def test_any_bytes_are_a_logo_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.png"
    path.write_bytes(png()[:at] + junk)
    try:
        assert read_logo(path).startswith(b"\x89PNG")
    except ConfigError as error:
        assert error.hint


# --- kiosk.toml beside it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[kiosk]\nid = "K07"\nzone = "UTC"\n', "line 3: kiosk.zone moved to city.toml"),
        ('[kiosk]\nid = "K07"\ncut_off = 00:00:00\n', "line 3: kiosk.cut_off moved to city.toml"),
        ('[kiosk]\nid = "K07"\n[city]\nname = "X"\n', "line 3: \\[city\\] moved to city.toml"),
    ],
)
def test_a_key_of_an_earlier_version_says_where_it_went(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=told):
        app.load(file)


def test_a_directory_that_is_no_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(KioskError, match="holds no chart.toml"):
        load_pack(tmp_path)
    (tmp_path / "chart.toml").touch()
    with pytest.raises(KioskError, match="holds no city.toml"):
        load_pack(tmp_path)


def test_a_running_kiosk_shows_its_city_and_names_the_pack_in_every_fact_and_what_changed_after_a_restart() -> None:
    with live_kiosk() as kiosk:
        shot = kiosk.wait("idle")
        assert (shot["city"], shot["support_phone"], shot["kiosk"]) == ("Example City", "555-0142", "K07")
        assert kiosk.ask("/logo.png")[0] == 200
        assert f"--blue: {Colours().accent}" in kiosk.ask("/look.css")[1]
        assert {each.fact.stamp.digests.pack for each in kiosk.facts()} == {"example-city 2026.1"}
        kiosk.stop()
        pack = kiosk.root / "pack"
        shutil.copytree(ROOT / "config", pack)
        put(pack, '"2026.1"', '"2026.2"')
        config = kiosk.directory.config
        config.write_text(config.read_text("utf-8").replace("[paths]", '[paths]\ncity_data = "pack"'), "utf-8")
        kiosk.start()
        (changed,) = kiosk.bodies(facts.ConfigurationChanged)
        assert changed.changed == ("city.toml", "kiosk.toml")
        assert kiosk.facts()[-1].fact.stamp.digests.pack == "example-city 2026.2"


@pytest.mark.parametrize(
    ("zone", "cut_off", "twice"),
    [
        ("Europe/Helsinki", "03:30", True), ("Europe/Helsinki", "03:00", False), ("America/Chicago", "03:30", False),
        ("Europe/Berlin", "03:00", False), ("Africa/Cairo", "23:30", True), ("Africa/Cairo", "00:00", False),
    ],
)  # fmt: skip
def test_no_business_date_may_begin_twice_in_the_night_in_which_clocks_go_back(
    zone: str, cut_off: str, twice: bool
) -> None:
    at = dt.time.fromisoformat(cut_off)
    assert comes_twice(at, ZoneInfo(zone)) is twice
    if twice:
        with pytest.raises(ConfigError, match="where clocks change"):
            CityFile(id="x", version="1", name="X", support_phone="1", zone=zone, cut_off=at)
