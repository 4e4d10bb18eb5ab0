"""Closings are rebuilt and a closed date stays closed: what breaks it is found, each by its own name."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from kiosk.journal.files import signed_row
from kiosk.journal.keys import SigningKey
from kiosk.model import facts
from kiosk.model.instant import Instant
from tests.journal.conftest import stamp_at
from tests.journal.examples import STARTED
from tests.journal.story import (
    ELEVENTH,
    NINTH,
    TENTH,
    Step,
    change,
    codes,
    findings,
    inserted,
    paid,
    rows_of,
    story,
    up_to,
)
from tests.journal.test_verify import rows_of as plain_rows
from tests.journal.test_verify import walk

Z = facts.DayClosed


def test_a_sound_story_of_days_boxes_and_people_gives_no_finding() -> None:
    assert findings(story()) == []


def test_z_numbers_run_from_one_without_a_gap() -> None:
    """Domain sheet §9, invariant 23."""
    assert codes(up_to(change(story(), "midnight", Z, number=2), "second")) == {"z_number_gap"}
    assert "z_number_gap" in codes(change(story(), "exchanged", Z, number=1))


@pytest.mark.parametrize("field", ["through_seq", "through_epoch", "through_hash"])
def test_a_closing_names_the_fact_right_before_it(field: str) -> None:
    real = {"through_epoch": 1, "through_seq": 12, "through_hash": "00" * 32}
    wrong: dict[str, Any] = {"through_epoch": 2, "through_seq": 10}
    fields = {**real, **({field: wrong[field]} if field in wrong else {})}
    assert codes(up_to(change(story(), "midnight", Z, **fields), "midnight")) == {"z_misplaced"}


@pytest.mark.parametrize(
    "fields",
    [
        {"notes": (facts.NoteCount("USD", 2000, 2),)},
        {"notes": (facts.NoteCount("USD", 2000, 1), facts.NoteCount("USD", 2000, 1))},
        {"unknown_notes": 1},
        {"payments": 2},
        {"accounts": (facts.AccountSum("USD", "cash_box", 2000), facts.AccountSum("USD", "fines", -1999))},
        {"slips": (facts.SlipRange("receipt", 1, 1), facts.SlipRange("x", 1, 2))},
        {"reprints": 1},
    ],
)
def test_a_closing_sums_up_the_facts_of_its_period(fields: dict[str, Any]) -> None:
    told = story()
    period = msgspec.structs.replace(told["midnight"].bodies[0].period, **fields)  # type: ignore[union-attr]
    assert codes(change(told, "midnight", Z, period=period)) == {"z_differs"}


def test_the_grand_total_is_the_one_before_plus_what_was_taken() -> None:
    """Domain sheet §9, invariant 23: GT(n) = GT(n-1) + Z(n); it cannot be reset."""
    assert codes(up_to(change(story(), "exchanged", Z, grand_total_minor=2000), "collected")) == {"grand_total_differs"}


def test_a_closing_that_leaves_a_note_out_everywhere_is_found() -> None:
    told = story()
    empty = facts.Period(slips=told["midnight"].bodies[0].period.slips)  # type: ignore[union-attr]
    assert codes(up_to(change(told, "midnight", Z, period=empty, grand_total_minor=0), "midnight")) == {"z_differs"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("closed", {"closes_through": NINTH}),
        ("midnight", {"closes_through": None}),
        ("midnight", {"closes_through": TENTH}),
        ("midnight", {"cause": "somebody"}),
        ("exchanged", {"closes_through": TENTH}),
        ("closed", {"closes_through": ELEVENTH}),
    ],
)
def test_closed_dates_go_on_and_fit_their_cause(name: str, fields: dict[str, Any]) -> None:
    assert "z_dates_differ" in codes(up_to(change(story(), name, Z, **fields), name))


def test_a_closed_date_takes_no_entry_that_is_not_marked_as_late() -> None:
    """Domain sheet §9, invariant 4."""
    assert codes(change(story(), "late", late=None)) == {"date_closed"}
    early = inserted(story(), "second", "redated", Step(paid(9, 4, 2), NINTH, "citizen"))
    assert "date_closed" in codes(early), "a payment that was dated back"


@pytest.mark.parametrize("late", [facts.Late(TENTH, 3), facts.Late(ELEVENTH, 1), facts.Late(dt.date(2026, 3, 12), 3)])
def test_a_late_fact_names_the_first_open_date_and_the_closing_of_its_own(late: facts.Late) -> None:
    assert codes(change(story(), "late", late=late)) == {"late_differs"}


def test_a_fact_of_an_open_date_is_not_late() -> None:
    assert codes(change(story(), "third", late=facts.Late(ELEVENTH, 1))) == {"late_differs"}


def test_business_dates_never_decrease_but_for_late_facts() -> None:
    told = change(story(), "fourth", date=dt.date(2026, 3, 12))
    told["after"] = Step((STARTED,), ELEVENTH, box_session=3)
    assert codes(told) == {"business_date_fell"}
    assert codes(story()) == set(), "the late payment lies before its neighbours"


def test_notes_of_one_closing_lie_in_its_own_box_session() -> None:
    assert "z_in_two_boxes" in codes(change(story(), "closed", Z, box_session=1))


def test_a_clock_that_was_turned_back_over_a_closing_is_named() -> None:
    closing = Z(1, "cut_off", NINTH, 1, 0, 0, "", "USD", facts.Period(), 0)
    stamps = [stamp_at(0), stamp_at(10, date=TENTH), stamp_at(11, date=TENTH), stamp_at(12, date=TENTH)]
    back = Instant(stamps[1].at.wall_ns - 60 * 10**9, -18_000, stamps[2].at.mono_ns, "boot-1")
    turned = msgspec.structs.replace(stamps[2], at=back)
    rows = plain_rows([closing, facts.ClockJumped(-61_000), STARTED], [*stamps[:2], turned, stamps[3]])
    told = [(one.code, one.severity) for one in walk(rows) if one.code != "z_misplaced"]
    assert told == [("clock_before_closing", "warning")]


def test_an_epoch_is_stamped_by_whoever_restored() -> None:
    told = up_to(story(), "closed")
    rows = rows_of(told)
    other = SigningKey.generate()
    body = facts.EpochStarted(1, rows[-1].seq, rows[-1].hash.hex(), other.public_hex, "restore")
    stamp = msgspec.structs.replace(stamp_at(900, date=TENTH), actor="admin:0", box_session=1)
    fact = facts.Fact(version=1, kiosk="K07", epoch=2, seq=1, realm="live", stamp=stamp, body=body)
    assert walk([*rows, signed_row(fact, rows[-1].hash, other)]) == []
