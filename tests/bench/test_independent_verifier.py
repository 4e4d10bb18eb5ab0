"""The independent verifier is independent, finds nothing in sound journals and names the invariant that is broken."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.independent_verifier import examine
from kiosk.journal.files import build, signed_row
from kiosk.journal.keys import SigningKey
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.texts import text
from tests.databases import make_v1
from tests.journal.conftest import stamp_at
from tests.journal.examples import STARTED, credited, moved, returned, reversal
from tests.journal.story import (
    ELEVENTH,
    NINTH,
    TENTH,
    Step,
    Story,
    change,
    counted,
    inserted,
    paid,
    rows_of,
    story,
    without,
)

BENCH = Path(__file__).parents[2] / "bench"
FILES = sorted(BENCH.glob("independent_*.py"))


def test_it_imports_the_standard_library_and_its_own_files_only() -> None:
    parts = ("change", "custody", "facts", "money", "verifier")
    assert [path.stem for path in FILES] == [f"independent_{part}" for part in parts]
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith("bench.independent_")
                optional = name.startswith("cryptography.") and path.stem == "independent_verifier"
                assert own or optional or name.partition(".")[0] in sys.stdlib_module_names, f"{path.name}: {name}"


def test_it_runs_as_a_file_with_python_alone(tmp_path: Path) -> None:
    """Without site packages: no kiosk, no cryptography."""
    path = tmp_path / "journal.db"
    build(path, rows_of(story()))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(BENCH / "independent_verifier.py"), str(path)],
        capture_output=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["findings"] == []
    assert "kiosk journal verify" in told["signatures"]


def test_what_is_no_journal_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database")
    for name in ("none.db", "text.db"):
        done = subprocess.run(
            [sys.executable, BENCH / "independent_verifier.py", tmp_path / name],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "is it a journal" in done.stderr
        assert "Traceback" not in done.stderr


def invariants(told: Story, path: Path, realm: str = "live") -> set[int]:
    """Return the numbers of the invariants that a story breaks."""
    path.unlink(missing_ok=True)
    build(path, rows_of(told, realm))
    return {finding["invariant"] for finding in examine(path)["findings"]}


def test_a_sound_story_is_rebuilt_to_the_note(tmp_path: Path) -> None:
    path = tmp_path / "story.db"
    assert invariants(story(), path) == set()
    told = examine(path)
    assert told["boxes"] == {1: [["USD", 2000, 2]], 2: [["USD", 2000, 2]], 3: [["USD", 2000, 1]]}
    assert [(each["number"], each["box_session"]) for each in told["closings"]] == [(1, 1), (2, 1), (3, 2), (4, 2)]
    assert told["grand_total_minor"] == 8000
    assert (told["payments"], told["boxes_ended"]) == (5, [1, 2])
    assert told["signatures"]["bad"] == []


def test_the_frozen_journal_of_the_first_version_is_sound(tmp_path: Path) -> None:
    path = Path(shutil.copy(Path(make_v1.__file__).with_name("v1.db"), tmp_path / "v1.db"))
    assert examine(path)["findings"] == []


UNBALANCED = Entry("USD", (Posting("cash_box", 2000), Posting("unapplied", -1999)), "note")
SMALL = moved("cash_box", "unapplied", 1000)
UNTOLD = Entry("USD", (Posting("cash_box", -4000), Posting("cash_counted", 2000), Posting("fines", 1000),
                       Posting("over_short", 1000)), "count")  # fmt: skip
SUMS = (facts.ReceiptTotal("tender", 1), facts.ReceiptTotal("applied", 2000))
X = (facts.OperatorActed("p01", "report_x"), *paid(9, 2, 2), facts.ReceiptIssued(3, "x", 1, "en", (), (), "USD", -6, 1))
OPEN_STILL = facts.Allocation("parking_citation", "PC1", 2000, 100, "full")
LINE = facts.ReceiptLine("parking_citation", "PC1", "fine", 1500, text("fee.base", code="EXP"))
QUOTES = paid(8, 1, 1)[0].quotes  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("broken", "number"),
    [
        (change(story(), "first", facts.NoteCredited, entry=UNBALANCED), 1),
        (change(story(), "second", facts.ReceiptIssued, number=5), 2),
        (change(story(), "second", facts.ReceiptIssued, of_kind=5), 2),
        (inserted(story(), "third", "undone", Step((reversal(1, 2, SMALL),), TENTH, box_session=2)), 3),
        (change(story(), "late", late=None), 4),
        (change(story(), "late", late=facts.Late(TENTH, 3)), 4),
        (change(story(), "closed", facts.DayClosed, closes_through=NINTH), 4),
        (change(story(), "fourth", date=TENTH), 4),
        (change(story(), "third", box_session=1), 5),
        (change(story(), "taken", facts.CashboxChanged, box_session=4), 5),
        (change(story(), "compared", facts.CountClosed, expected_minor=6000), 5),
        (change(story(), "second", facts.NoteCredited, note=credited(1, 2000).note), 6),
        (inserted(story(), "third", "went back", Step((returned(1),), TENTH, box_session=2)), 6),
        (change(story(), "first", facts.NoteCredited, entry=SMALL), 6),
        (change(story(), "first", facts.StackIntended, value=credited(1, 1000).value), 6),
        (change(story(), "first", facts.Settled, tender_minor=3000), 7),
        (change(story(), "first", facts.Settled, overpayment_minor=1), 7),
        (change(story(), "first", facts.Settled, held=(facts.Held("parking_citation", "PC1", 500),)), 7),
        (change(story(), "first", facts.ReceiptIssued, totals=SUMS), 7),
        (without(story(), "fourth", facts.ReceiptIssued), 7),
        (change(story(), "first", facts.Settled, used=(facts.Held("parking_citation", "PC1", 500),)), 8),
        (change(story(), "first", facts.TenderFrozen, held=(facts.Held("parking_citation", "PC1", 5),)), 8),
        (change(story(), "first", facts.TenderFrozen, quotes=QUOTES), 9),
        (change(story(), "first", facts.Settled, allocations=(OPEN_STILL,)), 9),
        (inserted(story(), "fourth", "again", Step(paid(5, 10, 5, 1000), ELEVENTH, box_session=3)), 12),
        (change(story(), "first", facts.ReceiptIssued, lines=(LINE,)), 13),
        (inserted(story(), "out", "void", Step((reversal(1, 6, credited(1, 2000).entry),))), 14),
        (change(story(), "authorised", facts.ExchangeAuthorised, second="p01"), 17),
        (change(story(), "x", facts.ReceiptIssued, totals=SUMS), 18),
        (change(story(), "counted", bodies=(counted(2, 1, final=True),)), 18),
        (without(story(), "counter", facts.BoxReceived), 18),
        (change(story(), "compared", facts.CountClosed, second=""), 19),
        (change(story(), "compared", facts.CountClosed, entry=UNTOLD), 19),
        (change(story(), "compared", facts.CountClosed, second="p03"), 20),
        (change(story(), "in", facts.OperatorSignedIn, roles=("collect",)), 20),
        (change(story(), "closer", facts.OperatorSignedIn, roles=("operate",)), 20),
        (change(story(), "authorised", bodies=story()["authorised"].bodies[1:]), 20),
        (without(story(), "taken", facts.DayClosed), 22),
        (change(story(), "closed", facts.DayClosed, box_session=1), 22),
        (change(story(), "midnight", facts.DayClosed, number=2), 23),
        (change(story(), "midnight", facts.DayClosed, grand_total_minor=0), 23),
        (change(story(), "midnight", facts.DayClosed, period=facts.Period()), 23),
        (change(story(), "midnight", facts.DayClosed, through_hash="00" * 32), 23),
        (change(story(), "x", bodies=X), 24),
        (without(story(), "taken", facts.AlarmRaised), 27),
        (without(story(), "authorised", facts.ExchangeAuthorised), 27),
        (change(story(), "exchanged", facts.BoxExchanged, seal="S-1"), 27),
        (inserted(story(), "midnight", "copy", Step((facts.PrintStarted(1, "job", 1, "printer"),))), 28),
        (inserted(story(), "midnight", "copy", Step((facts.PrintStarted(1, "job", 2, "printer"),))), 28),
        (inserted(story(), "midnight", "twice", Step((facts.PrintStarted(1, "a", 0, "p"),) * 2)), 28),
        (inserted(story(), "midnight", "mouth", Step((facts.SlipPresented(1, "a", 9, "taken"),))), 28),
        (change(story(), "start", bodies=(STARTED,)), 30),
        (change(story(), "third", actor="root"), 35),
    ],
)  # fmt: skip
def test_what_breaks_an_invariant_is_named_by_its_number(broken: Story, number: int, tmp_path: Path) -> None:
    assert number in invariants(broken, tmp_path / "journal.db")


def test_an_edited_byte_breaks_the_chain(tmp_path: Path) -> None:
    """Invariant 3, in each row."""
    rows = rows_of(story())
    for at in range(0, len(rows), 7):
        path = tmp_path / f"{at}.db"
        changed = rows[at]._replace(row=rows[at].row.replace(b'"K07"', b'"K08"'))
        build(path, [*rows[:at], changed, *rows[at + 1 :]])
        assert {3, 30} <= {finding["invariant"] for finding in examine(path)["findings"]} or at == 0
        left_out = tmp_path / f"{at}-out.db"
        build(left_out, [*rows[:at], *rows[at + 1 :]])
        assert 3 in {finding["invariant"] for finding in examine(left_out)["findings"]}


def test_training_among_what_is_live_breaks_the_realm(tmp_path: Path) -> None:
    """Invariant 30: a journal that changes its realm on the way."""
    live, training = rows_of(story()), rows_of(story(), "training")
    path = tmp_path / "mixed.db"
    build(path, [*live[:20], *training[20:]])
    assert {3, 30} <= {finding["invariant"] for finding in examine(path)["findings"]}
    assert invariants(change(story(), "start", bodies=(STARTED,)), tmp_path / "t.db", "training") == set()


def test_changed_digests_need_their_fact(tmp_path: Path) -> None:
    """Invariant 35."""
    rows = rows_of(story())
    path = tmp_path / "changed.db"
    build(path, [*rows[:30], *(row._replace(row=row.row.replace(b'"1123', b'"9123')) for row in rows[30:])])
    assert 35 in {finding["invariant"] for finding in examine(path)["findings"]}


def test_a_clock_that_falls_without_a_word_is_named(tmp_path: Path) -> None:
    """Invariant 29."""
    assert 29 in invariants(change(story(), "third", after_s=-30), tmp_path / "journal.db")


@pytest.mark.parametrize(("told", "broken"), [("", set()), ("00" * 32, {36})])
def test_a_restored_journal_names_the_end_of_the_old_one(told: str, broken: set[int], tmp_path: Path) -> None:
    """Invariant 36."""
    rows = rows_of(story())
    other = SigningKey.generate()
    body = facts.EpochStarted(1, rows[-1].seq, told or rows[-1].hash.hex(), other.public_hex, "restore")
    stamp = msgspec.structs.replace(stamp_at(900, date=ELEVENTH), actor="admin:0")
    fact = facts.Fact(version=1, kiosk="K07", epoch=2, seq=1, realm="live", stamp=stamp, body=body)
    path = tmp_path / "restored.db"
    build(path, [*rows, signed_row(fact, rows[-1].hash, other)])
    assert {finding["invariant"] for finding in examine(path)["findings"]} == broken
