"""When an alert begins and ends: once for each event, over a restart at any moment, and never from not knowing."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.hub.alerts.watching import HOLD_NS, WORDS, Condition, Contact, View, Watch, look
from kiosk.hub.settings import Alerts
from kiosk.model.instant import NS

SETTINGS = Alerts(silence_s=45, backlog_minutes=15)
NOW = 1_790_000_000 * NS
EVENTS = ("paper_out:K07", "silence:K08", "finding:0123456789ab")
WELL = Contact("K07", NOW - 2 * NS, "plenty", 300, 0, 0, ())


def seen(contact: Contact, *, started_s: int = 3600, now_ns: int = NOW) -> View:
    return look([contact], [], SETTINGS, now_ns, now_ns - started_s * NS)


@pytest.mark.parametrize(
    ("told", "event", "detail"),
    [
        ({"paper": "out"}, "paper_out:K07", ""),
        ({"stacker_permille": 1000}, "stacker_full:K07", ""),
        ({"alarms": ("cashbox_removed", "door")}, "box_removed:K07", "cashbox removed"),
        ({"unsynced": 9, "oldest_unsynced_ns": NOW - 901 * NS}, "backlog:K07", "9 facts"),
        ({"seen_ns": NOW - 46 * NS}, "silence:K07", ""),
    ],
)
def test_each_thing_that_alarms_is_one_event_and_a_healthy_kiosk_is_none(
    told: dict[str, object], event: str, detail: str
) -> None:
    assert seen(WELL).standing == {}
    found = seen(msgspec.structs.replace(WELL, **told)).standing
    assert {name: one.detail for name, one in found.items()} == {event: detail}


@pytest.mark.parametrize(
    "told",
    [
        {"paper": "low"}, {"stacker_permille": 999}, {"alarms": ("door",)}, {"seen_ns": NOW - 45 * NS},
        {"unsynced": 9, "oldest_unsynced_ns": NOW - 899 * NS}, {"unsynced": 9, "oldest_unsynced_ns": 0},
    ],
)  # fmt: skip
def test_what_is_not_over_its_limit_does_not_alarm(told: dict[str, object]) -> None:
    assert seen(msgspec.structs.replace(WELL, **told)).standing == {}


def test_of_a_silent_kiosk_nothing_is_known_but_its_silence() -> None:
    view = seen(msgspec.structs.replace(WELL, seen_ns=NOW - 60 * NS, paper="out", alarms=("cashbox_removed",)))
    assert set(view.standing) == {"silence:K07"}
    assert view.standing["silence:K07"].since_ns == NOW - 60 * NS
    assert view.unknown == {"paper_out:K07", "stacker_full:K07", "box_removed:K07", "backlog:K07"}


def test_a_hub_that_was_away_itself_finds_nobody_silent_before_they_had_time_to_come_back() -> None:
    long_ago = msgspec.structs.replace(WELL, seen_ns=NOW - 9000 * NS)
    early, later = seen(long_ago, started_s=30), seen(long_ago, started_s=46)
    assert early.standing == {}
    assert "silence:K07" in early.unknown, "an alert that stands stays"
    assert "silence:K07" in later.standing


def test_a_journal_with_two_truths_alarms_under_the_findings_id() -> None:
    row = SimpleNamespace(id="0123456789ab", code="fork", kiosk="K11", detail="two rows", first_ns=5)
    found = look([], [row], SETTINGS, NOW, 0).standing
    assert found["finding:0123456789ab"].kind == "journal_fork"
    assert {one.kind for one in found.values()} <= set(WORDS)


STEP = st.tuples(
    st.fixed_dictionaries({event: st.sampled_from(["stands", "over", "unknown"]) for event in EVENTS}),
    st.integers(min_value=1, max_value=HOLD_NS // NS + 5),
    st.booleans(),
)


@given(st.lists(STEP, max_size=40))
def test_no_event_is_told_twice_none_is_lost_and_a_restart_changes_nothing(
    steps: list[tuple[dict[str, str], int, bool]],
) -> None:
    watch, now = Watch(), NOW
    stands: dict[str, int] = {}
    away: dict[str, int | None] = dict.fromkeys(EVENTS)
    for states, seconds, restart in steps:
        now += seconds * NS
        if restart:
            watch, away = Watch(), dict.fromkeys(EVENTS)
        view = View(
            {event: Condition(event, "k", "K07", "", now) for event, state in states.items() if state == "stands"},
            frozenset(event for event, state in states.items() if state == "unknown"),
        )
        begins, over = watch.step(stands, view, now)
        began = [one.event for one in begins]
        assert len(set(began)) == len(began)
        for event, state in states.items():
            if state == "over" and event in stands:
                since = away[event] = now if away[event] is None else away[event]
                assert (event in over) == (now - (since or 0) >= HOLD_NS), "over only when away for long enough"
            else:
                away[event] = None
                assert event not in over
            assert (event in began) == (state == "stands" and event not in stands), "begins when nobody was told"
        for event in over:
            del stands[event]
            away[event] = None
        for event in began:
            stands[event] = now
