"""Strict configuration: what is wrong is named by file, line and key, with the nearest key there is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kiosk import config
from kiosk.checkout.settings import CheckoutSettings
from kiosk.errors import ConfigError, PolicyError


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    port: str
    baud: int = 9600


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    line: Line


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    checkout: CheckoutSettings = CheckoutSettings()
    device: tuple[Device, ...] = ()


def fault(source: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        config.decode(source, "kiosk.toml", Whole)
    return caught.value


@pytest.mark.parametrize(
    ("source", "place", "key", "hint"),
    [
        ("[checkout]\ncart_limt = 3\n", "line 2", "cart_limt", "cart_limit"),
        ("[checkout.periods]\nreviewing = 9\nquestoin = 30\n", "line 3", "questoin", "question"),
        ("[chekout]\ncart_limit = 3\n", "line 1", "chekout", "checkout"),
        ('[[device]]\nname = "a"\n[device.line]\nport = "x"\nbuad = 1\n', "line 5", "buad", "baud"),
        ("\n\n[checkout]\n# note\nxyzzy = 1\n", "line 5", "xyzzy", "remove the key"),
    ],
)
def test_an_unknown_key_names_file_line_and_key_and_suggests_the_nearest(
    source: str, place: str, key: str, hint: str
) -> None:
    error = fault(source)
    assert "kiosk.toml" in error.message
    assert place in error.message
    assert key in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("source", "place", "key"),
    [
        ('[checkout]\ncart_limit = "three"\n', "line 2", "cart_limit"),
        ("[checkout]\ncart_limit = 3.5\n", "line 2", "cart_limit"),
        ("[checkout.periods]\nentering = true\n", "line 2", "entering"),
        ('[[device]]\nname = 7\nline = {port="x"}\n', "line 2", "name"),
    ],
)
def test_a_wrong_type_names_file_line_and_key(source: str, place: str, key: str) -> None:
    error = fault(source)
    assert "kiosk.toml" in error.message
    assert place in error.message
    assert key in error.message


def test_a_value_that_a_section_refuses_says_why() -> None:
    assert "WCAG" in fault("[checkout.periods]\nquestion = 5\n").message
    assert "cart_limit" in fault("[checkout]\ncart_limit = 0\n").message


def test_a_missing_key_is_named() -> None:
    assert "line" in fault('[[device]]\nname = "a"\n').message


def test_what_is_not_toml_is_named_with_its_line() -> None:
    assert "line 2" in fault("[checkout]\ncart_limit = \n").message


def test_a_room_may_name_its_own_error() -> None:
    with pytest.raises(PolicyError, match="policy"):
        config.decode("x = 1", "policy.toml", Whole, PolicyError)


def test_files_that_are_missing_too_large_or_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(tmp_path / "none.toml", Whole)
    path = tmp_path / "kiosk.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.read(path, Whole)
    path.write_bytes(b"#" * (config.LARGEST + 1))
    with pytest.raises(ConfigError, match="larger"):
        config.read(path, Whole)
    path.write_text("[checkout]\ncart_limit = 4\n", encoding="utf-8")
    assert config.read(path, Whole).checkout.cart_limit == 4


def test_the_sample_configuration_is_found() -> None:
    assert (config.sample_dir() / "chart.toml").is_file()
