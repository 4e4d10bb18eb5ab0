"""The profiles that come with the kiosk load strictly and can print."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kiosk.core.drawing import draw_line, draw_qr
from kiosk.drivers.escpos_printer import Options
from kiosk.model.slip import BarCode, Cut, Pair, QrCode, Slip, Words
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.setting import set_slip

PROFILES = sorted((Path(__file__).resolve().parents[3] / "config" / "printers").glob("*.toml"))


def load(path: Path) -> Profile:
    """Read one profile as the composition root does."""
    return msgspec.toml.decode(path.read_bytes(), type=Profile)


def test_profiles_come_with_the_kiosk() -> None:
    assert {"epson-tm-t20iii", "generic-80mm", "generic-58mm"} <= {path.stem for path in PROFILES}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_loads_and_sets_a_slip_with_every_kind_of_line(path: Path) -> None:
    profile = load(path)
    assert profile.default_page in profile.code_pages
    assert set(profile.languages.values()) <= set(profile.code_pages)
    assert profile.columns * 12 <= profile.dots, "a drawn letter is 12 dots wide"
    lines = (Words("Łódź €5"), Pair("a", "b"), QrCode("K07"), BarCode("K07-1-000412-9f3c"), Cut())
    stream = set_slip(Slip(lines, "es"), profile, draw_line=draw_line, draw_qr=draw_qr)
    assert stream.length_mm > 20


def test_the_commented_profile_is_the_default_and_names_every_key() -> None:
    path = next(path for path in PROFILES if path.stem == "epson-tm-t20iii")
    assert load(path) == Profile()
    assert set(msgspec.toml.decode(path.read_bytes())) == {field.name for field in msgspec.structs.fields(Profile)}


def test_an_unknown_key_and_a_value_out_of_range_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="colums"):
        msgspec.convert({"colums": 48}, Profile)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"profile": {"columns": 0}}, Options)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"code_pages": {"cp437": 0}}, "default_page 'cp858' has no number"),
        ({"code_pages": {"cp9999": 0}, "default_page": "cp9999"}, "'cp9999' in .code_pages. is no code page"),
        ({"code_pages": {"utf-8": 0}, "default_page": "utf-8"}, "'utf-8' in .code_pages. is no code page"),
        ({"languages": {"eo": "cp853"}}, "page 'cp853' of language 'eo' has no number"),
        ({"columns": 64}, "64 columns of 12 dots are wider than 576 dots"),
        ({"presenter": "custom", "cutter": "none"}, "a presenter needs a cutter"),
        ({"barrier": "yes"}, "barrier"),
        ({"untaken": "burn"}, "untaken"),
        ({"full_status_mask": -1}, "full_status_mask"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused_with_the_reason(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(wrong, Profile)


def test_several_families_come_with_the_kiosk_and_renumber_their_pages() -> None:
    pages = {path.stem: load(path).code_pages for path in PROFILES}
    assert pages["epson-tm-t88"]["cp852"] == 18
    assert pages["wincor-th230"]["cp852"] == 2
    assert {"bixolon-srp-350", "citizen-ct-s310", "custom-kpm150-80mm", "generic-80mm-one-way"} <= set(pages)


def test_a_language_falls_back_to_its_root_and_then_to_the_default_page() -> None:
    profile = Profile()
    assert [profile.page_for(tag) for tag in ("pl", "pl-PL", "pl_PL", "es-MX", "xx", "")] == [
        "cp852", "cp852", "cp852", "cp858", "cp858", "cp858",
    ]  # fmt: skip
    assert Profile(code_pages={"cp858": 19}).page_for("pl") == "cp858"
