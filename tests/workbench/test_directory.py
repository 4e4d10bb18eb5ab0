"""The demonstration's data: the same amounts on whatever day it is, imported as a city would."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat
import tomllib
from pathlib import Path

import pytest

from kiosk import app
from kiosk.workbench.directory import LONGEST_RUNTIME, DemoDirectory
from kiosk.workbench.samples import samples


def owed_on(place: Path, day: dt.date) -> dict[str, str]:
    """Import the examples for a day and return what is owed by label."""
    directory = DemoDirectory(place, place / "run", keep=True)
    place.mkdir()
    directory.write(screen_port=1, bench="http://127.0.0.1:2")
    library = directory.import_examples(day)
    return {each.label: str(each.owed) for each in samples(library, directory.state / "sync.db", day) if each.owed}


@pytest.mark.parametrize("day", [dt.date(2026, 11, 21), dt.date(2028, 2, 29), dt.date(2031, 7, 4)])
def test_the_amounts_are_the_same_on_any_day(day: dt.date, tmp_path: Path) -> None:
    assert owed_on(tmp_path / "then", day) == owed_on(tmp_path / "now", dt.date(2026, 11, 22))


def test_what_a_hub_sent_in_an_earlier_demonstration_stays_the_hubs(tmp_path: Path) -> None:
    day = dt.date(2026, 11, 22)
    directory = DemoDirectory(tmp_path, tmp_path / "run", keep=True)
    directory.write(screen_port=1, bench="http://127.0.0.1:2")
    directory.import_examples(day)
    with sqlite3.connect(directory.state / "sync.db") as database:
        database.execute("UPDATE data_sets SET source = 'city-hall' WHERE name LIKE '%water_bill'")
    told: list[str] = []
    directory.import_examples(day, lambda report: told.append(report.service))
    assert told == ["parking_citation", "property_tax"]


def test_the_configuration_is_an_ordinary_one_and_the_key_is_private(tmp_path: Path) -> None:
    place = tmp_path / "demo with spaces \" and 'quotes'"
    place.mkdir()
    directory = DemoDirectory(place, tmp_path / "run", keep=True)
    directory.write(screen_port=8641, bench="http://127.0.0.1:8640", quick=True)
    setup = app.load(directory.config)
    assert setup.config.kiosk.realm == "demo"
    assert setup.journal_path == directory.journal
    assert stat.S_IMODE((directory.state / "journal-demo.key").stat().st_mode) == 0o600
    assert tomllib.loads(directory.config.read_text("utf-8"))["screen"]["framed_by"] == ["http://127.0.0.1:8640"]


def test_a_long_directory_for_temporary_files_leaves_room_for_the_control_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    long = tmp_path / ("x" * LONGEST_RUNTIME)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    directory = DemoDirectory.choose(None)
    try:
        assert len(str(directory.runtime / "core.sock")) < 100
        assert list(long.iterdir()) == []
    finally:
        directory.remove()
