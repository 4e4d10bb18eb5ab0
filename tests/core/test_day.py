"""The business day: Z closings without gaps, dates that stay closed, periods that lie whole in one box."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.checkout import intents
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import DAY_NS, NS, Rig
from tests.core.test_exchange import paid


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    # A clock that a person turned back over a closing is named, as a warning.
    assert [each for each in whole.findings() if each.code != "clock_before_closing"] == []


SUNDAY = dt.date(2026, 11, 22)
ONE = dt.timedelta(days=1)
#: From 10:15 to a second after midnight.
TO_MIDNIGHT_S = 13 * 3600 + 45 * 60 + 1


def closings(rig: Rig) -> list[facts.DayClosed]:
    found: list[facts.DayClosed] = rig.bodies(facts.DayClosed)
    return found


def close_day(rig: Rig) -> None:
    rig.sign_in("p01")
    rig.tap(intents.CloseDay())
    rig.tap(intents.SignOut())


def test_the_cut_off_closes_the_date_by_itself(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sleep(TO_MIDNIGHT_S)
    (z,) = closings(rig)
    assert (z.number, z.cause, z.closes_through, z.period.taken_minor) == (1, "cut_off", SUNDAY, 5000)
    assert z.grand_total_minor == 5000
    paid(rig, 1000)
    last = rig.committed[-1].fact.stamp
    assert (last.business_date, last.late) == (SUNDAY + ONE, None)


def test_days_without_power_are_closed_by_one_closing_at_the_next_start(rig: Rig) -> None:
    paid(rig, 5000)
    rig.journal.close()
    rig.time.offset += 3 * DAY_NS
    rig.time.boot = "after the weekend"
    rig.start()
    (z,) = closings(rig)
    assert (z.closes_through, z.period.taken_minor) == (SUNDAY + 2 * ONE, 5000)
    rig.wait(10)
    assert len(closings(rig)) == 1


def test_a_price_confirmed_before_midnight_is_paid_after_it_and_the_closing_stands_between(rig: Rig) -> None:
    rig.wait(TO_MIDNIGHT_S - 60)
    rig.pay()
    rig.feed(5000)
    due = rig.model.due_minor
    rig.wait(70)
    assert [z.closes_through for z in closings(rig)] == [SUNDAY]
    assert rig.model.due_minor == due
    rig.feed(1000)
    kinds = [(type(c.fact.body).__name__, c.fact.stamp.business_date) for c in rig.committed]
    credits = [date for kind, date in kinds if kind == "NoteCredited"]
    assert credits == [SUNDAY, SUNDAY + ONE]


def test_a_date_closed_by_a_person_takes_no_more_entries(rig: Rig) -> None:
    paid(rig, 5000)
    close_day(rig)
    paid(rig, 1000)
    (z,) = closings(rig)
    assert (z.cause, z.closes_through) == ("operator", SUNDAY)
    late = [c.fact.stamp for c in rig.committed if isinstance(c.fact.body, facts.NoteCredited)][-1]
    assert (late.business_date, late.late) == (SUNDAY, facts.Late(SUNDAY + ONE, 1))
    rig.sleep(TO_MIDNIGHT_S)
    assert len(closings(rig)) == 1  # the date is closed already
    rig.sleep(24 * 3600)
    assert (closings(rig)[-1].closes_through, closings(rig)[-1].period.taken_minor) == (SUNDAY + ONE, 1000)


def test_a_date_is_closed_once(rig: Rig) -> None:
    close_day(rig)
    rig.sign_in("p01")
    rig.tap(intents.CloseDay())
    assert rig.model.messages[0].id == "operator.closed_already"
    assert len(closings(rig)) == 1


def test_a_clock_turned_back_over_the_cut_off_opens_no_closed_date(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sleep(TO_MIDNIGHT_S)
    rig.time.offset -= 2 * 3600 * NS  # 22:00 of the day before, says the clock
    rig.wait(2)
    paid(rig, 1000)
    stamp = rig.committed[-1].fact.stamp
    assert stamp.business_date == SUNDAY + ONE  # judged by trusted time
    rig.kernel.believe_clock("admin:0")  # a person insists
    paid(rig, 1000)
    stamp = rig.committed[-1].fact.stamp
    assert (stamp.business_date, stamp.late) == (SUNDAY, facts.Late(SUNDAY + ONE, 1))
    assert [z.number for z in closings(rig)] == [1]


def test_a_clock_that_leaps_ahead_closes_nothing(rig: Rig) -> None:
    paid(rig, 5000)
    rig.time.offset += 400 * DAY_NS
    rig.news("notes", d.DeviceState("idling", "ok"))
    rig.pay()
    assert closings(rig) == []
    assert rig.committed[-1].fact.stamp.business_date == SUNDAY


def test_a_start_far_ahead_of_the_last_fact_closes_no_date_before_somebody_vouches_for_the_clock(rig: Rig) -> None:
    paid(rig, 5000)
    rig.journal.close()
    rig.time.offset += 100 * DAY_NS
    rig.time.boot = "with a wrong clock"
    rig.start()
    rig.wait(5)
    assert closings(rig) == []
    assert rig.kernel.parts.clock.unsure
    rig.time.offset -= 100 * DAY_NS  # the clock is put right
    rig.wait(5)
    paid(rig, 1000)
    assert rig.committed[-1].fact.stamp.late is None


def test_a_long_absence_is_closed_when_the_clock_is_believed(rig: Rig) -> None:
    paid(rig, 5000)
    rig.journal.close()
    rig.time.offset += 30 * DAY_NS
    rig.time.boot = "after the season"
    rig.start()
    rig.wait(5)
    rig.kernel.believe_clock("admin:0")
    rig.wait(5)
    assert [z.closes_through for z in closings(rig)] == [SUNDAY + 29 * ONE]


def test_an_idle_day_is_closed_too(rig: Rig) -> None:
    for _ in range(2):
        rig.sleep(24 * 3600)
    assert [(z.number, z.closes_through, z.period.taken_minor) for z in closings(rig)] == [
        (1, SUNDAY, 0), (2, SUNDAY + ONE, 0),
    ]  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["pay", "night", "exchange", "removal", "close", "restart"]), max_size=7))
def test_whatever_happens_each_period_lies_whole_in_one_box_and_the_grand_total_is_their_sum(
    tmp_path_factory: object, acts: list[str]
) -> None:
    """Invariants 5, 22 and 23 of the domain sheet, as far as they concern the kiosk."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as where:
        rig = Rig(Path(where))
        boxes = 1
        for act in acts:
            if act == "pay":
                paid(rig, 1000)
            elif act == "night":
                rig.sleep(24 * 3600)
            elif act == "exchange":
                known = rig.kernel.books.box_number
                boxes += 1
                rig.exchange(known or "B-0", f"B-{boxes}")
            elif act == "removal":
                rig.news("notes", d.CashboxRemoved())
                rig.news("notes", d.CashboxInserted())
            elif act == "close":
                close_day(rig)
            else:
                rig.restart()
        books = rig.kernel.books
        found = closings(rig)
        assert [z.number for z in found] == list(range(1, len(found) + 1))
        total = 0
        for z in found:
            total += z.period.taken_minor
            assert z.grand_total_minor == total
        per_box: dict[int, int] = {}
        for z in found:
            per_box[z.box_session] = per_box.get(z.box_session, 0) + z.period.taken_minor
        for page in books.boxes.values():
            assert per_box.get(page.session, 0) == page.content_minor("USD")
            assert page.closings == tuple(z.number for z in found if z.box_session == page.session)
        through = [z.closes_through for z in found if z.closes_through is not None]
        assert through == sorted(set(through))
        paid_minor = 1000 * acts.count("pay")
        assert total + books.period.taken_minor("USD") == paid_minor
        rig.close()
