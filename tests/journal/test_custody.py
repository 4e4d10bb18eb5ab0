"""Boxes and counts: every note in one box session, every change explained, every count blind and signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kiosk.cli.places import limits_of
from kiosk.journal.counts import CountLimits
from kiosk.journal.files import build
from kiosk.journal.reader import Reader
from kiosk.journal.verify import examine
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from tests.journal.story import (
    ELEVENTH,
    TENTH,
    Step,
    Story,
    change,
    codes,
    counted,
    findings,
    inserted,
    paid,
    rows_of,
    signed_in,
    slip,
    story,
    up_to,
    without,
    z,
)

# --- box sessions --------------------------------------------------------------------------------------------


def test_every_fact_is_stamped_with_the_present_box_session() -> None:
    assert codes(change(story(), "collected", box_session=1)) == {"box_session_differs"}
    assert codes(change(story(), "third", box_session=1)) >= {"box_session_differs", "z_in_two_boxes"}


def test_a_session_ends_with_a_closing_in_the_same_commit() -> None:
    assert "box_not_closed" in codes(up_to(without(story(), "exchanged", facts.DayClosed), "collected"))
    assert "box_not_closed" in codes(up_to(without(story(), "taken", facts.DayClosed), "taken"))
    wrong = change(story(), "taken", facts.DayClosed, cause="exchange")
    assert codes(wrong) == {"box_not_closed"}


def test_the_number_of_a_box_session_follows_from_what_happened() -> None:
    assert codes(up_to(change(story(), "exchanged", facts.BoxExchanged, box_session=3), "exchanged")) == {
        "box_session_unexplained"
    }
    assert codes(up_to(change(story(), "taken", facts.CashboxChanged, box_session=2), "taken")) == {
        "box_session_unexplained"
    }
    assert codes(up_to(change(story(), "removed", facts.CashboxChanged, box_session=2), "removed")) == {
        "box_session_unexplained"
    }
    assert codes(change(story(), "back", facts.CashboxChanged, box_session=4)) == {"box_session_unexplained"}


def test_an_exchange_needs_two_different_people() -> None:
    told = change(story(), "authorised", facts.ExchangeAuthorised, second="p01")
    told = change(told, "exchanged", facts.BoxExchanged, second="p01")
    assert "same_person" in codes(told)


def test_an_exchange_needs_its_authorisation_and_keeps_to_it() -> None:
    told = without(story(), "authorised", facts.ExchangeAuthorised)
    assert [one.code for one in findings(told)].count("exchange_unauthorised") == 3, "out, in and confirmed"
    for fields in ({"new_box": "B9"}, {"old_box": "B9"}, {"seal": "S-18"}, {"second": "p05"}):
        assert "exchange_differs" in codes(
            up_to(change(story(), "exchanged", facts.BoxExchanged, **fields), "exchanged")
        )
    twice = inserted(story(), "removed", "again", change(story(), "authorised", date=TENTH)["authorised"])
    assert codes(twice) == {"exchange_unauthorised"}


def test_an_exchange_has_its_slip_and_its_closing_has_one() -> None:
    told = up_to(story(), "exchanged")
    z_slip = told["exchanged"].bodies[3]
    assert codes(change(told, "exchanged", bodies=told["exchanged"].bodies[:3])) == {"receipt_missing"}
    only_z = facts.ReceiptIssued(5, "z", 1, "en", (), (), "USD", -2, 2)
    assert z_slip != only_z
    assert codes(change(told, "exchanged", bodies=(*told["exchanged"].bodies[:2], only_z))) == {"receipt_missing"}


def test_a_removal_that_nobody_was_authorised_for_has_its_alarm() -> None:
    """Domain sheet §9, invariant 27."""
    assert codes(without(story(), "taken", facts.AlarmRaised)) == {"removal_unalarmed"}


def test_no_note_is_credited_while_the_box_stands_open() -> None:
    told = inserted(up_to(story(), "inserted"), "removed", "note", Step(paid(9, 5, 3), TENTH, "citizen"))
    assert codes(told) == {"note_during_exchange"}


def test_no_note_stands_between_a_closing_and_the_end_of_its_session() -> None:
    told = up_to(story(), "collector")
    period = z(2, "removal", 1, 4000, taken=2000, slips=(("receipt", 2, 2), ("z", 1, 1)))
    moved = (facts.CashboxChanged("acceptor", True, 2, "none"), facts.AlarmRaised("cashbox_removed", "acceptor", 2))
    told["taken"] = Step((period, *moved), TENTH)
    assert codes(told) == set()
    told["taken"] = Step((period, *paid(9, 5, 3), *moved), TENTH)
    assert codes(told) == {"z_in_two_boxes"}


def abandoned(was_removed: bool, *, alarm: bool = True) -> Story:
    """The story up to an exchange that was given up, before or after the box had been out."""
    told = up_to(story(), "authorised")
    bodies: tuple[Any, ...] = (facts.ExchangeAbandoned(2 if was_removed else 1, was_removed, "person"),)
    if was_removed:
        told = up_to(story(), "inserted")
        closing = z(2, "removal", 1, 4000, taken=2000, slips=(("receipt", 2, 2), ("z", 1, 1)))
        raised = (facts.AlarmRaised("exchange_abandoned", "acceptor", 2),) if alarm else ()
        bodies = (closing, *bodies, *raised)
    told["abandoned"] = Step(bodies, TENTH, "operator:p01")
    told["after"] = Step(paid(9, 5, 3), TENTH, "citizen", 2 if was_removed else 1)
    return told


def test_an_exchange_that_was_given_up_ends_the_session_only_where_the_box_had_been_out() -> None:
    assert codes(abandoned(False)) == set()
    assert codes(abandoned(True)) == set()
    assert codes(abandoned(True, alarm=False)) == {"removal_unalarmed"}
    unclosed = without(abandoned(True), "abandoned", facts.DayClosed)
    assert codes(unclosed) == {"box_not_closed"}
    nothing_open = abandoned(False)
    del nothing_open["authorised"]
    assert codes(nothing_open) == {"exchange_unauthorised"}


def test_a_removal_of_a_time_before_authorities_is_followed_by_the_next_session() -> None:
    told = up_to(story(), "first")
    told["out"] = Step((facts.CashboxChanged("acceptor", True, 1),))
    told["in"] = Step((facts.CashboxChanged("acceptor", False, 2),))
    told["after"] = Step(paid(2, 2, 2), box_session=2)
    assert codes(told) == set()
    told["in"] = Step((facts.CashboxChanged("acceptor", False, 3),))
    assert codes(told) == {"box_session_unexplained", "box_session_differs"}


# --- counts --------------------------------------------------------------------------------------------------


def test_attempts_at_a_count_are_all_kept() -> None:
    """Domain sheet §9, invariant 18."""
    assert codes(change(story(), "counted", bodies=(counted(1, 2), counted(3, 1)))) == {"count_attempt_gap"}
    assert codes(change(story(), "counted", bodies=(counted(2, 1),))) == {"count_attempt_gap"}
    assert codes(change(story(), "compared", facts.CountClosed, attempt=1)) == {"count_attempt_gap"}
    assert codes(change(story(), "counted", bodies=(counted(1, 2), counted(2, 1)))) == {"count_attempt_gap"}
    early = (counted(1, 2, final=True), counted(2, 1, final=True))
    assert codes(change(story(), "counted", bodies=early)) == {"count_misplaced"}


def test_a_box_is_counted_after_it_left_and_arrived_and_before_its_count_is_closed() -> None:
    assert codes(without(story(), "counter", facts.BoxReceived)) == {"count_misplaced"}
    told = story()
    told["again"] = Step((signed_in("p03", ("count",), "count"), counted(3, 2)), ELEVENTH, "operator:p03", 3)
    assert codes(told) == {"count_misplaced"}
    present = facts.BoxReceived(3, "B3", "S-18", True, "p03")
    told["again"] = Step((signed_in("p03", ("count",), "count"), present), ELEVENTH, "operator:p03", 3)
    assert codes(told) == {"count_misplaced"}


@pytest.mark.parametrize(("expected", "counted_minor", "over_short"), [(2000, 2000, 0), (4000, 3000, -1000)])
def test_a_count_compares_what_was_counted_with_what_the_box_must_hold(
    expected: int, counted_minor: int, over_short: int
) -> None:
    """Domain sheet §9, invariant 5: content = stacked notes since the last exchange."""
    postings = [Posting("cash_box", -expected), Posting("cash_counted", counted_minor)]
    postings += [Posting("over_short", -over_short)] if over_short else []
    told = change(
        story(), "compared", facts.CountClosed, expected_minor=expected, counted_minor=counted_minor,
        over_short_minor=over_short, entry=Entry("USD", tuple(postings), "count"),
    )  # fmt: skip
    assert codes(up_to(told, "compared")) == {"count_differs"}


def test_a_difference_is_counted_less_expected() -> None:
    told = change(story(), "compared", facts.CountClosed, over_short_minor=2000)
    assert "count_differs" in codes(told)


def test_an_attempt_sums_its_own_notes() -> None:
    told = change(story(), "counted", facts.BoxCounted, total_minor=4100)
    assert codes(told) == {"count_differs"}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        Entry("USD", (Posting("cash_box", -2000), Posting("cash_counted", 2000)), "count"),
        Entry("USD", (Posting("cash_box", -4000), Posting("cash_counted", 4000)), "count"),
        Entry("CAD", (Posting("cash_box", -4000), Posting("cash_counted", 2000), Posting("over_short", 2000)), "count"),
    ],
)
def test_a_count_books_the_box_empty_and_the_difference_to_its_own_account(entry: Entry | None) -> None:
    """Domain sheet §9, invariant 19: over/short is never plugged into revenue."""
    assert "entry_differs" in codes(change(story(), "compared", facts.CountClosed, entry=entry))


def test_a_difference_above_the_limit_has_a_second_signature() -> None:
    assert codes(change(story(), "compared", facts.CountClosed, second="")) == {"count_unsigned"}
    assert codes(change(story(), "compared", facts.CountClosed, second="p03")) == {"same_person"}


def test_the_limit_is_five_dollars_or_half_a_percent_whichever_is_less() -> None:
    limits = CountLimits()
    assert not limits.above(-500, 151_200)
    assert limits.above(-501, 151_200)
    assert not limits.above(200, 40_000)
    assert limits.above(201, 40_000)
    assert limits.above(1, 0)
    assert not limits.above(0, 0)


def test_a_collector_who_counts_is_recorded_as_an_exception() -> None:
    """Domain sheet §9, invariant 20."""
    told = change(story(), "counter", facts.OperatorSignedIn, person="p02")
    told = change(change(told, "counter", facts.BoxReceived, by="p02"), "counter", actor="operator:p02")
    told = change(told, "counted", actor="operator:p02")
    told = change(change(told, "counted", facts.BoxCounted, by="p02"), "compared", facts.CountClosed, by="p02")
    bodies = told["counted"].bodies
    second = facts.BoxCounted(1, 2, bodies[1].notes, 2000, "USD", "p02", True)  # type: ignore[union-attr]
    told = change(change(told, "counted", bodies=(bodies[0], second)), "compared", actor="operator:p02")
    assert codes(told) == {"duties_untold"}
    assert codes(change(told, "compared", facts.CountClosed, separation=("collector_counted",))) == set()


def test_a_box_that_arrives_with_another_number_or_a_broken_seal_is_named() -> None:
    for fields in ({"box": "B7"}, {"seal_whole": False}):
        found = findings(change(story(), "counter", facts.BoxReceived, **fields))
        assert [(one.code, one.severity) for one in found] == [("seal_differs", "warning")]


# --- slips ---------------------------------------------------------------------------------------------------


def test_each_kind_of_slip_runs_without_a_gap() -> None:
    told = up_to(story(), "second")
    assert codes(change(told, "second", facts.ReceiptIssued, of_kind=3)) == {"slip_kind_gap"}
    assert codes(change(told, "second", facts.ReceiptIssued, of_kind=0)) == {"slip_kind_gap"}
    assert codes({"start": told["start"], "first": Step(paid(1, 1, 0))}) == set(), "older slips had no such number"


def test_an_original_is_printed_once_and_its_copies_are_numbered() -> None:
    """Domain sheet §9, invariant 28: a reprint is marked as a copy and counted."""

    def printed(*copies: int) -> set[str]:
        told = up_to(story(), "first")
        told["printed"] = Step(tuple(facts.PrintStarted(1, "job", copy, "printer") for copy in copies))
        return codes(told)

    for sound in ((0,), (0, 1, 2), (1,), (1, 2)):
        assert printed(*sound) == set()
    for broken in ((0, 0), (0, 2), (2,), (0, 1, 1), (1, 0)):
        assert printed(*broken) == {"copy_differs"}, broken


def test_a_slip_leaves_a_presenters_mouth_once_and_only_after_it_was_printed() -> None:
    def shown(*copies: int) -> set[str]:
        told = up_to(story(), "first")
        printed = tuple(facts.PrintStarted(1, "job", copy, "printer") for copy in (0, 1))
        mouth = tuple(facts.SlipPresented(1, "job", copy, "retracted") for copy in copies)
        told["printed"] = Step((*printed, *mouth))
        return codes(told)

    for sound in ((), (0,), (0, 1), (1,)):
        assert shown(*sound) == set()
    for broken in ((0, 0), (2,), (1, 0), (-1,)):
        assert shown(*broken) == {"presented_differs"}, broken


def test_slips_for_people_who_may_count_tell_no_sum() -> None:
    """Domain sheet §9, invariant 18."""
    for name in ("x", "midnight", "exchanged"):
        totals = (facts.ReceiptTotal("tender", 4000),)
        assert codes(change(story(), name, facts.ReceiptIssued, totals=totals)) == {"slip_tells_sums"}


def test_a_slip_of_an_exchange_a_closing_or_a_report_is_about_that_fact() -> None:
    for name, about in (("x", -2), ("midnight", -2), ("exchanged", -2)):
        assert codes(change(story(), name, facts.ReceiptIssued, about_seq=about)) == {"receipt_differs"}
    told = up_to(story(), "in")
    told["test"] = Step((facts.OperatorActed("p01", "test_print"), slip("test", 2, 1, -1)), actor="operator:p01")
    assert codes(told) == set()
    told["test"] = Step((facts.OperatorActed("p01", "test_scan"), slip("test", 2, 1, -1)), actor="operator:p01")
    assert codes(told) == {"receipt_differs"}


def test_the_limits_of_a_count_are_the_citys_own(tmp_path: Path) -> None:
    """A city that lets a difference of one note go without a second signature has a sound journal with it."""
    path = tmp_path / "journal-live.db"
    build(path, rows_of(change(story(), "compared", facts.CountClosed, second="")))
    with Reader(path) as reader:
        assert [one.code for one in examine(reader).findings] == ["count_unsigned"]
        assert examine(reader, limits=CountLimits(2_000, 500)).findings == []
    file = tmp_path / "kiosk.toml"
    file.write_text("[operator]\nsignature_above_minor = 2000\nsignature_above_permille = 500\n", "utf-8")
    assert limits_of(file) == CountLimits(2_000, 500)
