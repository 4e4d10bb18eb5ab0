"""The session: what it sends in which state, and that everything arrives once and in order whatever the line does."""

from __future__ import annotations

import random
from collections import deque
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.sync.messages import (
    Ack,
    Ahead,
    Clock,
    Command,
    Hello,
    Journal,
    Mark,
    Message,
    Nack,
    Ping,
    Pong,
    Seen,
    Welcome,
)
from kiosk.sync.pace import LEAST_WAIT_NS, MOST_PATIENCE_NS, MOST_WAIT_NS, Pace, backoff_ns
from kiosk.sync.session import HALTED_S, REFUSED_S, Session
from kiosk.sync.traffic import SECOND, Acked, Batch, Habits, Output, Reopen, Room, Send, State, Told, order
from kiosk.sync.wire import Head
from tests.sync.model_hub import ROOT, ModelHub

NOBODY = Clock(0, 0, "", False)
HELLO = Hello(1, 1, "K07", "live", 1, Mark(), Mark(), Mark(), NOBODY, (), 1, "test", 0)


def draw(count: int) -> int:
    """Chance that never surprises: the middle."""
    return count // 2


class Rows:
    """A journal in memory: commits of some rows, each signed at its end; epochs may begin."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, bytes, bytes, bytes]] = []
        self.epoch, self.seq, self.hash = 1, 0, ROOT

    def commit(self, count: int = 1, size: int = 30) -> None:
        """Add rows; the last one is signed."""
        for at in range(count):
            self.seq += 1
            row = f"{self.epoch}/{self.seq}".encode().ljust(size, b".")
            self.hash = sha256(self.hash + row).digest()
            signature = self.hash * 2 if at == count - 1 else b""
            self.rows.append((self.epoch, self.seq, row, self.hash, signature))

    def begin_epoch(self) -> None:
        """Begin an epoch that chains on the last row."""
        self.epoch, self.seq = self.epoch + 1, 0
        self.commit()

    @property
    def head(self) -> Mark:
        """The newest row."""
        return Mark(self.epoch, self.seq, self.hash) if self.rows else Mark()

    def hash_at(self, mark: Mark) -> bytes | None:
        """The hash at a place."""
        return next((row[3] for row in self.rows if row[:2] == (mark.epoch, mark.seq)), None)

    def after(self, mark: Mark) -> list[tuple[int, int, bytes, bytes, bytes]]:
        """All rows after a place."""
        return [row for row in self.rows if row[:2] > (mark.epoch, mark.seq)]

    def cut(self, room: Room) -> Batch | None:
        """Whole commits of one epoch that fit."""
        rows = self.after(room.after)
        rows = [row for row in rows if row[0] == rows[0][0]][: room.most_rows]
        end = size = total = 0
        for at, row in enumerate(rows, 1):
            total += len(row[2])
            if total > room.most_bytes or (end and total > room.good_bytes):
                break
            if row[4]:
                end, size = at, total
        if not end:
            return None
        place = self.rows.index(rows[0])
        previous = self.rows[place - 1][3] if place else ROOT
        last = rows[end - 1]
        return Batch(previous, tuple(row[2] for row in rows[:end]), last[4], Mark(*last[:2], last[3]), size)


class Wire:
    """A session, a model hub, and a line between them on which anything can happen."""

    def __init__(self, rows: Rows, hub: ModelHub, **habits: int) -> None:
        self.rows, self.hub, self.now = rows, hub, 1_000 * SECOND
        self.session = Session("city-hall", Habits(**habits), Mark(), draw)
        self.up: deque[tuple[int, Message]] = deque()
        self.down: deque[tuple[int, Message]] = deque()
        self.told: list[str] = []
        self.reopen_ns: int | None = self.now
        self.acked = Mark()
        #: What was sent on this connection and not acknowledged to the session: last row, bytes.
        self.open: list[tuple[Mark, int]] = []

    def apply(self, outputs: list[Output]) -> None:
        """Do what the session decided."""
        for output in outputs:
            if isinstance(output, Send):
                self.up.append((self.session.session, output.message))
            elif isinstance(output, Reopen):
                self.up.clear()
                self.down.clear()
                self.open.clear()
                self.told.append(output.code)
                self.reopen_ns = self.now + output.after_ns
            elif isinstance(output, Acked):
                self.acked = output.mark
            else:
                self.told.append(output.code)

    def pump(self) -> None:
        """Send what there is room for, and hold it against the credit."""
        self.apply(self.session.grew(self.rows.head, self.now))
        while (room := self.session.room(self.now, len(self.rows.after(self.session.place)))) is not None:
            batch = self.rows.cut(room)
            if batch is None:
                break
            assert batch.signature
            message = self.session.sent(batch, self.now, ahead=room.ahead)
            self.up.append((self.session.session, message))
            if isinstance(message, Journal):
                self.open.append((batch.last, batch.size))
                assert len(self.open) <= self.hub.batches
                assert sum(size for _, size in self.open) <= self.hub.size

    def connect(self) -> None:
        """A new socket is connected."""
        self.reopen_ns = None
        self.apply(self.session.opened(self.now, msgspec.structs.replace(HELLO, acked=self.session.acked)))

    def deliver_up(self) -> None:
        """The hub gets the next message and answers."""
        if self.up:
            session, message = self.up.popleft()
            answer = self.hub.receive(session, message)
            if answer is not None:
                self.down.append((self.hub.session, answer))

    def deliver_down(self) -> None:
        """The kiosk gets the next message."""
        if not self.down:
            return
        session, message = self.down.popleft()
        mark = message.durable if isinstance(message, Welcome | Ack) else getattr(message, "mark", Mark())
        self.count(message)
        self.apply(self.session.received(Head(1, 0, session, 1), message, self.now, 0, self.rows.hash_at(mark)))

    def count(self, message: Message) -> None:
        """Keep the books of the credit: an ACK frees what it covers, a refusal all that was sent behind it."""
        if isinstance(message, Ack):
            self.open = [each for each in self.open if order(each[0]) > order(message.durable)]
        elif isinstance(message, Nack):
            self.open.clear()

    def pass_time(self, ns: int) -> None:
        """Let time pass."""
        self.now += ns
        self.apply(self.session.tick(self.now, 0))
        if self.reopen_ns is not None and self.now >= self.reopen_ns:
            self.connect()

    def settle(self) -> None:
        """Let a good line do its work until nothing is left to do, or it clearly never ends."""
        for _ in range(3000):
            self.pump()
            if self.up:
                self.deliver_up()
            elif self.down:
                self.deliver_down()
            elif self.session.head == self.session.acked and self.session.state is State.STREAMING:
                return
            else:
                self.pass_time(SECOND // 2)
        raise AssertionError(f"it never settles: {self.session.state}, {self.session.acked}, {self.told[-5:]}")


def joined(commits: int = 10, *, batches: int = 4, size: int = 1 << 20, **habits: int) -> Wire:
    """A wire whose session was welcomed."""
    rows = Rows()
    for _ in range(commits):
        rows.commit()
    wire = Wire(rows, ModelHub(batches=batches, size=size), **habits)
    wire.connect()
    wire.session.grew(rows.head, wire.now)
    wire.deliver_up()
    wire.deliver_down()
    assert wire.session.state is State.STREAMING
    return wire


def say(wire: Wire, message: Message, held: bytes | None = None) -> list[Output]:
    """Let the hub say something out of turn."""
    wire.count(message)
    outputs = wire.session.received(Head(1, 0, wire.session.session, 1), message, wire.now, 0, held)
    wire.apply(outputs)
    return outputs


ACTIONS = ["commit", "big", "epoch", "pump", "up", "up", "up", "down", "down", "down", "lose up", "lose down",
           "twice up", "twice down", "swap up", "swap down", "cut", "restore", "time", "wait"]  # fmt: skip


def do(wire: Wire, action: str, chance: random.Random) -> None:
    """Let one thing happen."""
    rows, lane = wire.rows, wire.up if action.endswith("up") else wire.down
    match action.split()[0]:
        case "commit":
            rows.commit(chance.randint(1, 3))
        case "big":
            for _ in range(chance.randint(1, 30)):
                rows.commit(chance.randint(1, 4), 400)
        case "epoch":
            rows.begin_epoch()
        case "pump":
            wire.pump()
        case "up":
            wire.deliver_up()
        case "down":
            wire.deliver_down()
        case "lose" if lane:
            lane.popleft()
        case "twice" if lane:
            lane.append(lane[0])
        case "swap" if len(lane) > 1:
            lane.rotate(1)
        case "cut":
            wire.apply(wire.session.lost(wire.now, "cut"))
        case "restore":
            wire.hub.restore(chance.randint(0, len(wire.hub.rows)))
        case "time":
            wire.pass_time(SECOND // 10)
        case "wait":
            wire.pass_time(3 * SECOND)


@settings(max_examples=150)
@given(actions=st.lists(st.sampled_from(ACTIONS), max_size=80), seed=st.integers(0, 2**32), batches=st.integers(1, 5))
def test_every_row_arrives_once_and_in_order_whatever_the_line_does(
    actions: list[str], seed: int, batches: int
) -> None:
    rows, chance = Rows(), random.Random(seed)
    for _ in range(5):
        rows.commit(chance.randint(1, 3))
    wire = Wire(rows, ModelHub(batches=batches, size=4000), ahead_from=20)
    wire.connect()
    for action in actions:
        do(wire, action, chance)
    wire.settle()
    assert [row[:3] for row in wire.hub.rows] == [row[:3] for row in rows.rows]
    assert all(wire.hub.signatures)
    assert wire.hub.apart == []
    assert wire.session.trouble == ""
    assert wire.acked == rows.head


def test_a_kiosk_and_a_hub_that_agree_say_nothing_more() -> None:
    wire = joined()
    wire.settle()
    wire.pump()
    assert not wire.up
    assert wire.session.under_way == (0, 0)


def test_no_more_than_the_credit_is_under_way() -> None:
    wire = joined(2000, batches=3, size=3000)
    wire.session.pace.size = 1000
    wire.pump()
    batches, size = wire.session.under_way
    assert batches == 3
    assert size <= 3000


def test_a_commit_that_does_not_fit_the_credit_waits_for_it() -> None:
    wire = joined(0, batches=4, size=100)
    wire.rows.commit(2, 40)
    wire.rows.commit(2, 40)
    wire.pump()
    assert wire.session.under_way == (1, 80)


def test_an_acknowledgement_of_something_else_than_was_sent_stops_the_stream() -> None:
    wire = joined()
    wire.pump()
    told = say(wire, Ack(Mark(1, 5, b"x" * 32), Mark(), 4, 9999), held=wire.rows.hash_at(Mark(1, 5)))
    assert [each.code for each in told if isinstance(each, Told)] == ["parted"]
    assert wire.session.state is State.HALTED
    assert wire.acked == Mark()


def test_an_acknowledgement_moves_over_everything_before_it() -> None:
    wire = joined(batches=4)
    wire.session.pace.size = 60
    wire.pump()
    assert wire.session.under_way[0] == 4
    held = wire.rows.hash_at(Mark(1, 6))
    assert held is not None
    assert say(wire, Ack(Mark(1, 6, held), Mark(), 4, 9999), held) == [Acked(Mark(1, 6, held))]
    assert wire.session.under_way[0] == 1


def test_an_older_acknowledgement_moves_nothing_back() -> None:
    wire = joined()
    wire.settle()
    held = wire.rows.hash_at(Mark(1, 3))
    assert held is not None
    assert say(wire, Ack(Mark(1, 3, held), Mark(), 4, 9999), held) == []
    assert wire.session.acked == wire.rows.head


def test_a_gap_is_filled_once_though_every_batch_behind_it_is_refused() -> None:
    wire = joined(batches=4)
    wire.session.pace.size = 60
    wire.pump()
    wire.up.clear()
    for _ in range(3):
        say(wire, Nack("gap", Mark()), None)
        wire.pump()
    assert [message.first for _, message in wire.up if isinstance(message, Journal)] == [1, 3, 5, 7]


def test_a_restored_hub_gets_again_what_it_lost() -> None:
    wire = joined()
    wire.settle()
    wire.hub.restore(4)
    wire.apply(wire.session.lost(wire.now, "cut"))
    wire.connect()
    wire.deliver_up()
    wire.deliver_down()
    assert wire.acked == wire.session.acked == wire.hub.durable
    wire.settle()
    assert "hub_restored" in wire.told
    assert [row[1] for row in wire.hub.rows] == list(range(1, 11))


def test_a_fork_stops_the_rows_and_nothing_else() -> None:
    wire = joined()
    wire.pump()
    told = say(wire, Nack("fork", Mark(1, 3, b"y" * 32)))
    assert [each.code for each in told if isinstance(each, Told)] == ["fork"]
    wire.up.clear()
    wire.pump()
    assert not wire.up
    assert wire.session.connected
    assert wire.session.trouble == "fork"


def test_a_fork_is_tried_again_after_long_and_told_once() -> None:
    wire = joined()
    wire.pump()
    say(wire, Nack("fork", Mark(1, 3, b"y" * 32)))
    wire.session.heard(wire.now + HALTED_S["fork"] * SECOND)
    wire.pass_time(HALTED_S["fork"] * SECOND)
    assert wire.session.state is State.STREAMING
    assert say(wire, Nack("fork", Mark(1, 3, b"y" * 32))) == []
    assert wire.session.trouble == "fork"


def test_a_hub_that_holds_facts_that_this_journal_does_not_is_shown_the_journals_end() -> None:
    rows = Rows()
    rows.commit(5)
    wire = Wire(rows, ModelHub())
    wire.hub.rows = [(1, seq, b"other", bytes([seq]) * 32) for seq in range(1, 9)]
    wire.connect()
    wire.pump()
    wire.deliver_up()
    wire.deliver_down()
    assert (wire.session.state, wire.session.trouble) == (State.HALTED, "parted")
    assert wire.session.probe()
    assert not wire.session.probe()


def test_a_journal_that_was_restored_goes_on_with_its_new_epoch() -> None:
    rows = Rows()
    rows.commit(5)
    wire = Wire(rows, ModelHub())
    wire.connect()
    wire.settle()
    more = wire.hub.rows[-1]
    wire.hub.rows += [(1, seq, b"lost", bytes([seq]) * 32) for seq in range(6, 9)]
    assert more[1] == 5
    rows.begin_epoch()
    wire.apply(wire.session.lost(wire.now, "cut"))
    wire.settle()
    assert wire.hub.rows[-1][:2] == (2, 1)
    assert wire.session.trouble == ""


@pytest.mark.parametrize("code", sorted(REFUSED_S))
def test_who_is_turned_away_waits_long_before_the_next_attempt(code: str) -> None:
    wire = joined()
    outputs = wire.session.received(Head(1, 0, wire.session.session, 1), Nack(code), wire.now, 0, None)
    (reopen,) = outputs
    assert isinstance(reopen, Reopen)
    assert reopen.after_ns >= REFUSED_S[code] * SECOND
    assert (wire.session.state, wire.session.trouble) == (State.CLOSED, code)


def test_the_wrong_hub_is_not_given_a_single_row() -> None:
    wire = Wire(Rows(), ModelHub(hub="another"))
    wire.rows.commit()
    wire.connect()
    wire.deliver_up()
    wire.deliver_down()
    wire.pump()
    assert wire.told == ["wrong_hub"]
    assert not wire.up


def test_a_busy_hub_is_left_alone_for_as_long_as_it_asks() -> None:
    wire = joined()
    wire.pump()
    wire.up.clear()
    say(wire, Nack("busy", after_ms=700))
    wire.pump()
    assert not wire.up
    wire.pass_time(SECOND * 7 // 10)
    wire.pump()
    assert [type(message) for _, message in wire.up] == [Journal]


def test_a_busy_greeting_is_repeated_on_the_same_line() -> None:
    wire = Wire(Rows(), ModelHub())
    wire.connect()
    wire.up.clear()
    wire.apply(wire.session.received(Head(1, 0, 0, 1), Nack("busy", after_ms=300), wire.now, 0, None))
    wire.pass_time(SECOND // 3)
    assert [type(message) for _, message in wire.up] == [Hello]
    assert wire.session.state is State.GREETING


def test_no_acknowledgement_in_time_leads_to_a_new_socket_and_back_to_the_mark() -> None:
    wire = joined()
    wire.pump()
    wire.up.clear()
    assert wire.session.tick(wire.now + SECOND - 1, 0) == []
    (reopen,) = wire.session.tick(wire.now + SECOND, 0)
    assert isinstance(reopen, Reopen)
    assert (reopen.code, wire.session.place) == ("silent", wire.session.acked)


def test_a_quiet_line_is_asked_and_a_dead_one_given_up() -> None:
    wire = joined(0, heartbeat_ns=10 * SECOND)
    wire.deliver_up()
    wire.deliver_down()
    wire.pass_time(10 * SECOND)
    assert [type(message) for _, message in wire.up] == [Ping]
    wire.pass_time(SECOND)
    assert wire.told == ["silent"]


def test_any_traffic_is_a_sign_of_life() -> None:
    wire = joined(0, heartbeat_ns=10 * SECOND)
    wire.deliver_up()
    wire.deliver_down()
    wire.now += 9 * SECOND
    wire.session.heard(wire.now)
    wire.pass_time(9 * SECOND)
    assert not wire.up


def test_round_trip_and_offset_come_from_four_times() -> None:
    wire = joined(0)
    (_, ping), wire.now = wire.up.popleft(), wire.now + 50
    assert isinstance(ping, Ping)
    wire.session.received(Head(1, 0, wire.session.session, 1), Pong(ping.sent_ns, 1020, 1030), wire.now, 50, None)
    assert wire.session.pace.round_trip_ns == 40
    assert wire.session.offset_ns == 1000


def test_fresh_rows_overtake_a_long_backlog() -> None:
    wire = joined(200, ahead_from=100)
    wire.session.pace.size, wire.session.pace.window = 60, 2
    wire.pump()
    wire.up.clear()
    wire.rows.commit(2)
    say(wire, Ack(Mark(1, 2, wire.rows.rows[1][3]), Mark(), 4, 9999), wire.rows.rows[1][3])
    wire.pump()
    first = wire.up[0][1]
    assert isinstance(first, Ahead)
    assert first.first == 201
    say(wire, Seen(1, 202))
    assert wire.session.beside.seen.seq == 202


def test_a_short_backlog_has_no_need_of_overtaking() -> None:
    wire = joined(50, ahead_from=100)
    wire.session.pace.size, wire.session.pace.window = 60, 2
    wire.pump()
    wire.rows.commit(2)
    wire.pump()
    assert not [message for _, message in wire.up if isinstance(message, Ahead)]


def test_rows_beyond_damage_go_beside_the_stream() -> None:
    wire = joined(10)
    told = wire.session.unreadable("fact 1/4 is not what was written", Mark(1, 5, wire.rows.rows[4][3]))
    assert [type(each) for each in told] == [Told]
    room = wire.session.room(wire.now, 10)
    assert room is not None
    assert (room.ahead, room.after.seq) == (True, 5)
    batch = wire.rows.cut(room)
    assert batch is not None
    wire.session.sent(batch, wire.now, ahead=True)
    assert wire.session.room(wire.now, 10) is None
    assert wire.session.trouble == "journal_damaged"


def test_a_journal_that_cannot_be_read_keeps_the_line_and_sends_no_rows() -> None:
    wire = joined()
    wire.session.unread(wire.now)
    assert (wire.session.state, wire.session.connected) == (State.HALTED, True)
    assert wire.session.room(wire.now, 10) is None
    (reopen,) = wire.session.grew(wire.rows.head, wire.now)
    assert isinstance(reopen, Reopen)
    assert reopen.code == "journal_back"


def test_a_journal_that_cannot_be_read_for_a_moment_is_not_taken_for_one_that_parted() -> None:
    wire = joined()
    wire.pump()
    wire.session.unread(wire.now)
    assert say(wire, Ack(Mark(1, 5, b"h" * 32), Mark(), 4, 9999), held=None) == []
    assert wire.session.trouble == "journal_away"
    assert wire.acked == Mark()


def test_rows_that_a_hub_asks_for_again_are_sent_again() -> None:
    wire = joined()
    wire.settle()
    wire.session.resend(Mark(1, 3, wire.rows.rows[2][3]))
    wire.pump()
    ((_, again),) = wire.up
    assert isinstance(again, Journal)
    assert again.first == 4
    wire.settle()
    assert wire.session.under_way == (0, 0)


def test_what_has_no_row_in_the_table_is_dropped_and_told() -> None:
    wire = joined()
    assert say(wire, wire.hub.receive(0, HELLO) or HELLO) == [Told("unexpected", "WELCOME")]
    assert say(wire, Command("1", "shutter")) == [Told("unexpected", "COMMAND")]
    stale = wire.session.received(Head(1, 0, 77, 1), Nack("fenced"), wire.now, 0, None)
    assert stale == [Told("stale", "NACK")]
    assert wire.session.state is State.STREAMING


def test_connections_are_tried_again_with_growing_waits_by_chance() -> None:
    highest = [backoff_ns(attempt, lambda count: count - 1) for attempt in range(9)]
    assert highest == [seconds * SECOND for seconds in (1, 2, 4, 8, 16, 32, 60, 60, 60)]
    assert {backoff_ns(attempt, lambda _: 0) for attempt in range(9)} == {LEAST_WAIT_NS}
    assert MOST_WAIT_NS == 60 * SECOND


def test_the_slowest_line_still_gets_one_commit_across() -> None:
    pace = Pace()
    for _ in range(10):
        pace.missed()
    assert (pace.window, pace.patience_ns) == (1, MOST_PATIENCE_NS)
    assert pace.size == 2048
    pace.acknowledged(30 * SECOND)
    assert pace.size == 2048
    assert pace.patience_ns == MOST_PATIENCE_NS


def test_a_long_line_is_no_slow_one() -> None:
    pace = Pace()
    pace.missed()
    pace.pinged(SECOND * 6 // 10)
    for _ in range(8):
        pace.acknowledged(SECOND * 7 // 10)
    assert (pace.size, pace.window) == (512 << 10, 64)


def test_batches_grow_on_a_quick_line_and_shrink_on_a_slow_one() -> None:
    pace = Pace()
    for _ in range(5):
        pace.acknowledged(SECOND // 100)
    assert pace.size == 512 << 10
    pace.acknowledged(SECOND)
    assert pace.size == 256 << 10
