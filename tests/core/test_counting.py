"""The blind count: nothing is told too early, every attempt stays, and the books agree with what lies in boxes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.core.counting import (
    MOST_ATTEMPTS,
    Found,
    attempt,
    close,
    final_of,
    receive,
    reveal,
    second_needed,
    separation,
    state_of,
)
from kiosk.core.pages import BoxPage
from kiosk.core.people import OperatorSettings
from kiosk.errors import CountError
from kiosk.ledger.entries import check, note_credited
from kiosk.model.custody_facts import CountClosed, NoteCount
from kiosk.model.money import Money
from tests.tariff.example_city import chart

CHART = chart()
SETTINGS = OperatorSettings()
#: 73 notes, USD 1,337.00: numbers that come from nowhere else.
CONTENT = {"USD": {100: 7, 500: 20, 1000: 21, 2000: 21, 10000: 6}}
EXPECTED = 133700
CONTENTS = st.dictionaries(st.sampled_from([100, 200, 500, 1000, 2000, 5000, 10000]), st.integers(0, 300), max_size=7)


def box(content: dict[str, dict[int, int]] | None = None, **more: object) -> BoxPage:
    """A box that left with session 7, taken out by p01 and p02."""
    page = BoxPage(7, "B-0042", "p01", "p02", "exchange", content if content is not None else CONTENT, 0, (3, 4))
    return msgspec.structs.replace(page, attempts=[], **more)


def received(content: dict[str, dict[int, int]] | None = None, **more: object) -> BoxPage:
    page = box(content, **more)
    page.received = receive(page, by="p03", box="B-0042", seal="S-1", seal_whole=True)
    return page


def notes(counts: dict[int, int], currency: str = "USD") -> list[NoteCount]:
    return [NoteCount(currency, value, count) for value, count in counts.items()]


def counted(page: BoxPage, counts: dict[int, int], *, by: str = "p03", final: bool = True) -> BoxPage:
    page.attempts.append(attempt(page, notes(counts), by=by, currency="USD", final=final))
    return page


def done(page: BoxPage, *, reason: str = "miscount", second: str = "", by: str = "p03") -> CountClosed:
    return close(page, CHART, SETTINGS, by=by, currency="USD", reason=reason, second=second)


# --- blind ----------------------------------------------------------------------------------------------------


def test_a_count_goes_from_receiving_to_the_close() -> None:
    page = box()
    states = [state_of(page)]
    page.received = receive(page, by="p03", box="B-0042", seal="S-1", seal_whole=True)
    states.append(state_of(page))
    counted(page, {100: 1}, final=False)
    states.append(state_of(page))
    counted(page, CONTENT["USD"])
    states.append(state_of(page))
    page.closed = done(page, reason="")
    states.append(state_of(page))
    assert states == ["to_receive", "to_count", "to_count", "to_close", "closed"]
    assert page.closed.over_short_minor == 0


@given(CONTENTS, CONTENTS, st.booleans())
def test_before_the_final_attempt_nothing_depends_on_what_is_expected(
    content: dict[int, int], tried: dict[int, int], good: bool
) -> None:
    """Invariant 18: what a counter gets to see is the same whatever the box should hold, errors included."""
    seen = []
    for each in (content, {}, {100: 1}):
        page = received({"USD": each})
        told: list[object] = [state_of(page), attempt(page, notes(tried), by="p03", currency="USD", final=False)]
        for faulty in (notes({-5: 1}), [*notes({100: 1}), *notes({100: 1})]) if not good else ():
            with pytest.raises(CountError) as error:
                attempt(page, faulty, by="p03", currency="USD", final=False)
            told.append(str(error.value))
        with pytest.raises(CountError) as sealed:
            reveal(page, "USD")
        with pytest.raises(CountError) as early:
            done(page)
        seen.append([*told, str(sealed.value), str(early.value)])
    assert seen[0] == seen[1] == seen[2]


def test_nothing_is_counted_before_it_was_received_and_nothing_received_twice() -> None:
    with pytest.raises(CountError, match="was not received"):
        attempt(box(), [], by="p03", currency="USD", final=False)
    with pytest.raises(CountError, match="received before"):
        receive(received(), by="p03", box="B-0042", seal="S-1", seal_whole=True)


def test_after_the_final_attempt_there_is_no_other_one() -> None:
    page = counted(received(), {100: 7})
    for final in (True, False):
        with pytest.raises(CountError, match="final"):
            counted(page, CONTENT["USD"], final=final)
    assert [each.attempt for each in page.attempts] == [1]


def test_every_attempt_is_kept_and_the_last_possible_one_is_final() -> None:
    page = received()
    for _ in range(MOST_ATTEMPTS - 1):
        counted(page, {100: 1}, final=False)
    with pytest.raises(CountError, match="counted 19 times"):
        counted(page, {100: 1}, final=False)
    counted(page, {100: 2})
    assert [each.attempt for each in page.attempts] == list(range(1, MOST_ATTEMPTS + 1))
    final = final_of(page)
    assert final is not None
    assert final.total_minor == 200


def test_a_closed_count_stays_closed() -> None:
    page = counted(received(), CONTENT["USD"])
    page.closed = done(page)
    with pytest.raises(CountError, match="is closed"):
        done(page)


def test_a_box_removed_without_authority_is_counted_too() -> None:
    page = received({"USD": {2000: 3}}, box="", first="", second="", ended_by="removal")
    closed = done(counted(page, {2000: 3}))
    assert (closed.expected_minor, closed.over_short_minor, closed.separation) == (6000, 0, ())


def test_another_number_and_a_broken_seal_are_kept_as_evidence() -> None:
    kept = receive(box(), by="p03", box=" B-0099 ", seal="", seal_whole=False)
    assert (kept.box, kept.seal, kept.seal_whole, kept.by) == ("B-0099", "", False, "p03")
    for odd in ("", "x" * 25, "B\x1b[2J"):
        with pytest.raises(CountError, match="box's number"):
            receive(box(), by="p03", box=odd, seal="S", seal_whole=True)


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (notes({0: 1}), "not the value of a note"),
        (notes({-100: 1}), "not the value of a note"),
        (notes({10**9: 1}), "not the value of a note"),
        (notes({100: -1}), "cannot be in a box"),
        (notes({100: 10**6}), "cannot be in a box"),
        (notes({100: 1}, "XXX"), "not known"),
        (notes(dict.fromkeys(range(1, 50), 1)), "too many"),
        ([*notes({100: 1}), *notes({100: 2})], "twice"),
    ],
)
def test_notes_that_cannot_be_are_refused_and_nothing_is_lost(listed: list[NoteCount], why: str) -> None:
    page = received()
    with pytest.raises(CountError, match=why):
        attempt(page, listed, by="p03", currency="USD", final=True)
    assert state_of(page) == "to_count"


# --- difference, reason, signatures ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "over_short", "needed"),
    [
        (151200, 0, False), (151200, 500, False), (151200, -500, False), (151200, 501, True), (151200, -501, True),
        (40000, 200, False), (40000, -200, False), (40000, 201, True), (40000, -201, True),
        (100000, 500, False), (100001, 501, True), (99999, 500, True), (0, 0, False), (0, 1, True), (199, 1, True),
        (200, 1, False),
    ],
)  # fmt: skip
def test_a_second_person_signs_above_five_dollars_or_half_a_percent_whichever_is_less(
    expected: int, over_short: int, needed: bool
) -> None:
    """Invariant 19: expected 1,512.00, limit 5.00; expected 400.00, limit 2.00."""
    assert second_needed([Found("USD", expected, expected + over_short)], SETTINGS) is needed


def test_a_difference_needs_a_reason_that_can_be_read() -> None:
    page = counted(received(), {**CONTENT["USD"], 100: 8})
    for reason in ("", "  ", "no", "x" * 201, "bad\nline", "bell\x07"):
        with pytest.raises(CountError, match="the reason"):
            done(page, reason=reason)
    closed = done(page, reason="one note stuck in the fold")
    assert (closed.over_short_minor, closed.second) == (100, "")


def test_a_large_difference_needs_another_persons_signature() -> None:
    page = counted(received(), {**CONTENT["USD"], 2000: 20})
    with pytest.raises(CountError, match="needs a second signature"):
        done(page)
    with pytest.raises(CountError, match="cannot be the second"):
        done(page, second="p03")
    closed = done(page, second="p04")
    assert (closed.over_short_minor, closed.by, closed.second) == (-2000, "p03", "p04")


def test_whoever_closes_for_the_counter_cannot_be_signed_for_by_the_counter() -> None:
    page = counted(received(), {}, by="p05")
    with pytest.raises(CountError, match="p05 counted"):
        done(page, by="p03", second="p05")


def test_a_signature_that_was_not_needed_is_not_kept() -> None:
    assert done(counted(received(), CONTENT["USD"]), second="p04").second == ""


def test_a_collector_who_counts_is_an_exception_that_stays_in_the_journal() -> None:
    """Invariant 20."""
    page = counted(received(), CONTENT["USD"], by="p02")
    assert done(page, by="p02").separation == ("collector_counted",)
    again = counted(counted(received(), {}, by="p01", final=False), CONTENT["USD"])
    assert done(again).separation == ("collector_counted",)  # an attempt is a count
    prefixed = counted(received(first="operator:p03"), CONTENT["USD"])
    assert done(prefixed).separation == ("collector_counted",)


def test_a_second_signer_with_another_duty_is_an_exception() -> None:
    page = counted(counted(received(), {}, by="p05", final=False), {100: 1})
    assert separation(page, "p03", "p05") == ("counter_signed",)
    assert separation(page, "p03", "p01") == ("collector_signed",)
    assert separation(page, "p03", "p04") == ()


# --- the books ------------------------------------------------------------------------------------------------


def test_the_difference_goes_to_its_own_account_and_never_to_revenue() -> None:
    short = done(counted(received({"USD": {2000: 10}}), {2000: 9}), second="p04")
    assert short.entry is not None
    told = {posting.account: posting.minor for posting in short.entry.postings}
    roles = CHART.roles
    assert told == {roles.cash_counted: 18000, roles.over_short: 2000, roles.cash_in_box: -20000}


def test_an_empty_box_posts_nothing_and_a_good_one_no_difference() -> None:
    assert done(counted(received({}), {})).entry is None
    good = done(counted(received(), CONTENT["USD"])).entry
    assert good is not None
    assert {posting.account for posting in good.postings} == {CHART.roles.cash_counted, CHART.roles.cash_in_box}


def test_notes_of_another_currency_are_compared_apart_and_need_a_reason() -> None:
    page = received()
    both = [*notes(CONTENT["USD"]), *notes({2000: 1}, "CAD")]
    page.attempts.append(attempt(page, both, by="p03", currency="USD", final=True))
    assert page.attempts[0].total_minor == EXPECTED
    assert reveal(page, "USD") == (Found("USD", EXPECTED, EXPECTED), Found("CAD", 0, 2000))
    with pytest.raises(CountError, match="the reason"):
        done(page, reason="", second="p04")
    closed = done(page, reason="a Canadian note", second="p04")
    assert (closed.currency, closed.over_short_minor, closed.second) == ("USD", 0, "p04")


@given(st.lists(st.tuples(CONTENTS, CONTENTS, st.booleans()), max_size=5))
def test_afterwards_the_boxes_account_holds_what_is_not_yet_counted(
    boxes: list[tuple[dict[int, int], dict[int, int], bool]],
) -> None:
    """Invariants 1 and 5: each entry balances; cash in boxes = contents of the boxes that were not counted."""
    account: dict[str, int] = {}
    waiting = counted_minor = 0
    for content, found, closes in boxes:
        entries = [note_credited(CHART, Money(value, "USD")) for value, count in content.items() for _ in range(count)]
        page = counted(received({"USD": content}), found)
        if closes:
            closed = done(page, second="p04")
            entries += [closed.entry] if closed.entry is not None else []
            counted_minor += closed.counted_minor
            assert closed.counted_minor - closed.expected_minor == closed.over_short_minor
        else:
            waiting += page.content_minor("USD")
        for entry in entries:
            check(entry, CHART)
            for posting in entry.postings:
                account[posting.account] = account.get(posting.account, 0) + posting.minor
    assert sum(account.values()) == 0
    assert account.get(CHART.roles.cash_in_box, 0) == waiting
    assert account.get(CHART.roles.cash_counted, 0) == counted_minor
