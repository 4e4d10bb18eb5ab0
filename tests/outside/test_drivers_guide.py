"""The drivers guide: its code is the example plugin's code, and its test runs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = Path(__file__).parent / "kiosk_ring_scanner"


def blocks(language: str) -> list[str]:
    """The fenced pieces of one language, in order."""
    guide = (ROOT / "docs" / "drivers.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)


def test_every_piece_of_code_is_taken_from_the_example() -> None:
    source = (EXAMPLE / "kiosk_ring_scanner.py").read_text(encoding="utf-8")
    pieces = blocks("python")
    assert len(pieces) == 8
    assert [piece for piece in pieces[:-1] if piece not in source] == []


def test_the_test_in_the_guide_runs_and_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    names: dict[str, object] = {}
    exec(compile(blocks("python")[-1], "docs/drivers.md", "exec"), names)
    test = names["test_the_driver_keeps_the_contract"]
    assert callable(test)
    test()


def test_the_entry_point_in_the_guide_is_the_examples_own() -> None:
    own = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))
    assert tomllib.loads(blocks("toml")[0])["project"]["entry-points"] == own["project"]["entry-points"]


def test_the_device_section_in_the_guide_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import kiosk_ring_scanner as plugin  # type: ignore[import-not-found]

    from kiosk.core.supervisor_setup import DeviceConfig, prepare

    section = tomllib.loads(blocks("toml")[1])["device"]
    devices = msgspec.convert(section, list[DeviceConfig], strict=True)
    ready = prepare(devices, {"ring_scanner": plugin.SPEC})[0]
    assert ready.options.ask_every_ms == 2000
    assert ready.line["baud"] == 9600
