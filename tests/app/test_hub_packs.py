"""A pack from a hub: whole or not at all, from the next start on, and never in the middle of a payment."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kiosk.app.hub_packs import MOST_FILES, files_of, lay_pack, pack_of_start, payment_open, started_with
from kiosk.app.pack import Pack, load_pack
from kiosk.config import sample_dir
from kiosk.errors import ConfigError, KioskError
from kiosk.journal.files import build
from tests.journal.story import Step, paid, rows_of, story

SAMPLE = load_pack(sample_dir())


def document(**changes: str) -> bytes:
    return msgspec.msgpack.encode({**SAMPLE.texts, **changes})


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def lay(state: Path, version: int, body: bytes, fits: object = None) -> tuple[str, str]:
    def fitting(pack: Pack) -> None:
        if fits is not None:
            raise ConfigError("does not fit this kiosk")

    return lay_pack(state / "hub-packs", version, body, configured=sample_dir(), fits=fitting)


def test_a_pack_stands_from_the_next_start_on(state: Path) -> None:
    journal = state / "journal-demo.db"
    assert pack_of_start(state, journal) is None
    assert lay(state, 3, document())[0] == SAMPLE.name
    assert pack_of_start(state, journal) == state / "hub-packs" / "3"
    assert load_pack(state / "hub-packs" / "3").digest == SAMPLE.digest


def test_a_payment_goes_on_with_the_pack_it_began_with(state: Path) -> None:
    journal = state / "journal-demo.db"
    begun = Step(paid(1, 1, 1)[:3], actor="citizen")
    build(journal, rows_of({"start": story()["start"], "first": begun}, "demo"))
    assert payment_open(journal)
    lay(state, 3, document())
    assert pack_of_start(state, journal) is None
    started_with(state, sample_dir())
    assert pack_of_start(state, journal) is None
    journal.unlink()
    build(journal, rows_of({"start": story()["start"], "first": Step(paid(1, 1, 1), actor="citizen")}, "demo"))
    assert not payment_open(journal)
    assert pack_of_start(state, journal) == state / "hub-packs" / "3"
    started_with(state, state / "hub-packs" / "3")
    lay(state, 4, document())
    journal.unlink()
    build(journal, rows_of({"start": story()["start"], "first": begun}, "demo"))
    assert pack_of_start(state, journal) == state / "hub-packs" / "3"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xc1", b"\x81\xa1\xff\xa1a", msgspec.msgpack.encode({"../city.toml": ""}),
        msgspec.msgpack.encode({"/etc/passwd": ""}),
        msgspec.msgpack.encode({"services/../../x.toml": ""}), msgspec.msgpack.encode({"a//b": ""}),
        msgspec.msgpack.encode({"a\\b": ""}), msgspec.msgpack.encode({"\u00e4": ""}),
        msgspec.msgpack.encode({f"texts/{n}": "" for n in range(MOST_FILES + 1)}), msgspec.msgpack.encode({"a": 1}),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_or_is_no_pack_is_refused_and_leaves_nothing(state: Path, body: bytes) -> None:
    with pytest.raises(KioskError):
        files_of(body)
    with pytest.raises(KioskError):
        lay(state, 3, body)
    assert [path for path in state.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("wrong", [{"city.toml": "name = 3"}, {"chart.toml": "nonsense ["}])
def test_a_pack_that_does_not_load_leaves_the_one_before(state: Path, wrong: dict[str, str]) -> None:
    lay(state, 3, document())
    with pytest.raises(KioskError):
        lay(state, 4, document(**wrong))
    assert pack_of_start(state, state / "none.db") == state / "hub-packs" / "3"
    assert sorted(path.name for path in (state / "hub-packs").iterdir()) == ["3", "next"]


def test_a_pack_that_does_not_fit_this_kiosk_is_refused(state: Path) -> None:
    with pytest.raises(KioskError):
        lay(state, 3, document(), fits="not")
    assert pack_of_start(state, state / "none.db") is None


def test_old_packs_go_and_the_one_in_force_stays(state: Path) -> None:
    lay(state, 3, document())
    started_with(state, state / "hub-packs" / "3")
    for version in (4, 5, 6):
        lay(state, version, document())
    kept = {path.name for path in (state / "hub-packs").iterdir() if path.name.isdecimal()}
    assert kept == {"3", "5", "6"}
