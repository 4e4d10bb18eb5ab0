"""New events by their counter: modulo 255, once each, in order, against a model that simply counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.cctalk.event_buffer import (
    DEPTH,
    EventBuffer,
    EventLog,
    encode_events,
    next_counter,
    parse_events,
    steps,
)

SERIAL = 77


class NaiveUnit:
    """Remembers every event that ever happened."""

    def __init__(self) -> None:
        self.all: list[tuple[int, int]] = []

    @property
    def counter(self) -> int:
        counter = 0
        for _ in self.all:
            counter = 1 if counter == 255 else counter + 1
        return counter

    def read(self) -> EventBuffer:
        newest = self.all[::-1][:DEPTH]
        return parse_events(encode_events(self.counter, newest))


def log_at(counter: int) -> EventLog:
    log = EventLog()
    log.remember(f"{SERIAL}:{counter}")
    assert log.identified(SERIAL)
    return log


@pytest.mark.parametrize(
    ("counter", "last", "found"), [(23, 23, 0), (104, 102, 2), (1, 255, 1), (3, 253, 5), (54, 48, 6)]
)
def test_the_worked_differences_of_the_sheet_come_out(counter: int, last: int, found: int) -> None:
    assert steps(counter, last) == found


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(0, 600))
@settings(max_examples=40)
def test_every_event_is_told_once_in_order_or_counted_as_lost(gaps: list[int], before: int) -> None:
    unit = NaiveUnit()
    unit.all = [(at % 16 + 1, 0) for at in range(before)]
    log = log_at(unit.counter)
    for gap in gaps:
        start = len(unit.all)
        unit.all += [((start + at) % 255 + 1, at) for at in range(gap)]
        news = log.read(unit.read())
        new = unit.all[start:]
        if not unit.all:
            continue
        assert [(event.kind, event.code) for event in news.events] == new[-DEPTH:] if new else news.events == ()
        assert news.lost == max(gap - DEPTH, 0)
        if news.events:
            assert news.events[-1].mark == f"{SERIAL}:{unit.counter}"


def test_marks_name_the_counter_after_each_event_over_the_wrap() -> None:
    news = log_at(253).read(EventBuffer(2, ((4, 0), (3, 0), (2, 0), (1, 0), (9, 9))))
    assert [event.mark for event in news.events] == ["77:254", "77:255", "77:1", "77:2"]
    assert [event.kind for event in news.events] == [1, 2, 3, 4]


def test_a_counter_of_zero_is_a_reset_only_where_it_was_not_zero() -> None:
    zero = EventBuffer(0, ((0, 0),) * DEPTH)
    log = log_at(67)
    assert log.read(zero).restarted
    assert not log.read(zero).restarted
    assert [event.mark for event in log.read(EventBuffer(1, ((3, 0),) * DEPTH)).events] == ["77:1"]


def test_without_a_mark_of_this_unit_the_counter_is_taken_over_and_nothing_told() -> None:
    log = EventLog()
    log.remember("78:10")
    assert not log.identified(SERIAL)
    news = log.read(EventBuffer(12, ((1, 0),) * DEPTH))
    assert news.adopted
    assert news.events == ()
    assert len(log.read(EventBuffer(13, ((1, 0),) * DEPTH)).events) == 1


def test_a_unit_without_a_serial_is_the_same_only_as_long_as_the_line_stays_open() -> None:
    log = EventLog()
    log.opened()
    assert not log.identified(None)
    log.read(EventBuffer(3, ((1, 0),) * DEPTH))
    assert log.identified(None)
    log.opened()
    assert not log.identified(None)


def test_what_happened_before_the_first_reading_of_a_line_is_recovered() -> None:
    log = log_at(3)
    log.opened()
    assert log.read(EventBuffer(4, ((1, 0),) * DEPTH)).events[0].recovered
    assert not log.read(EventBuffer(5, ((1, 0),) * DEPTH)).events[0].recovered


@pytest.mark.parametrize("mark", ["", "x:1", "1:256", "1", "1:2:3", "-1:4", "1:٣"])
def test_a_mark_that_is_none_is_as_good_as_none(mark: str) -> None:
    log = EventLog()
    log.remember(mark)
    assert not log.identified(1)


@pytest.mark.parametrize("size", [0, 10, 12])
def test_a_buffer_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(FrameError):
        parse_events(bytes(size))


def test_the_counter_never_returns_to_zero_by_counting() -> None:
    counter, seen = 0, set()
    for _ in range(600):
        counter = next_counter(counter)
        seen.add(counter)
    assert seen == set(range(1, 256))
