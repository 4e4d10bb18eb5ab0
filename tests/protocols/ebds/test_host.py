"""The host's end of the line: every event of a unit is heard once, in order, whatever the line does to the replies."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.ebds.frames import Frame, encode, frame_of
from kiosk.protocols.ebds.host import HostLine, Reply

MS = 1_000_000
POLL = b"\x7f\x1c\x14"


class CountingUnit:
    """Tells one more number in each fresh reply, and the last reply again for a repeated toggle."""

    def __init__(self) -> None:
        self.told = 0
        self.last: tuple[int, bytes] | None = None

    def hear(self, raw: bytes) -> bytes:
        toggle = frame_of(raw).toggle
        if self.last is None or self.last[0] != toggle:
            self.told += 1
            self.last = (toggle, encode(2, toggle, bytes((self.told & 0x7F, 0, 0, 0, 0, 0))))
        return self.last[1]


def sorts(found: list[Reply | object]) -> list[str]:
    return [item.sort for item in found if isinstance(item, Reply)]


@given(
    st.lists(st.sampled_from(["good", "good", "lost", "garbled", "late", "doubled"]), max_size=60), st.integers(0, 1)
)
@settings(max_examples=60, deadline=None)
def test_no_number_is_missed_or_heard_twice(fates: list[str], toggle: int) -> None:
    line, unit, heard, now = HostLine(toggle, flip_at_start=True), CountingUnit(), [], 0
    late: list[tuple[int, bytes]] = []

    def take(data: bytes) -> None:
        heard.extend(
            item.frame.data[0] for item in line.received(data, now) if isinstance(item, Reply) and item.sort == "fresh"
        )

    line.ask(1, POLL, now, 300 * MS)
    for fate in [*fates, *["good"] * 10]:
        now += 10 * MS
        for due, raw in [item for item in late if item[0] <= now]:
            late.remove((due, raw))
            take(raw)
        if not line.busy and now >= line.quiet_until:
            (line.again if line.unanswered else lambda at, wait: line.ask(1, POLL, at, wait))(now, 300 * MS)
        for raw in line.take_writes():
            reply = unit.hear(raw)
            if fate == "garbled":
                take(reply[:4] + bytes((reply[4] ^ 0x10,)) + reply[5:])
            elif fate == "late":
                now = max(now, line.reply_by)
                assert line.expire(now) is not None
                late.append((now + 45 * MS, reply))
            elif fate != "lost":
                take(reply * (2 if fate == "doubled" else 1))
        if line.busy and fate in ("lost", "garbled"):
            now = max(now, line.reply_by)
            line.expire(now)
    assert heard == list(range(1, len(heard) + 1))
    assert len(heard) >= unit.told - 1


def test_the_content_of_an_unanswered_exchange_can_change_its_toggle_cannot() -> None:
    line = HostLine(0, flip_at_start=True)
    line.ask(1, b"\x7f\x3c\x14", 0, 300 * MS)
    assert line.expire(299 * MS) is None
    assert line.expire(300 * MS) == []
    assert line.unanswered
    line.ask(1, POLL, 300 * MS, 300 * MS)
    stack, poll = (frame_of(raw) for raw in line.take_writes())
    assert (stack.toggle, poll.toggle) == (0, 0)
    assert (stack.data, poll.data) == (b"\x7f\x3c\x14", POLL)


def test_a_reply_of_a_type_that_no_unit_sends_ends_nothing() -> None:
    line = HostLine(0, flip_at_start=True)
    line.ask(1, POLL, 0, 300 * MS)
    assert sorts(line.received(encode(4, 0, b"\x00"), 0)) == ["unknown"]
    assert sorts(line.received(encode(1, 0, POLL) + encode(1, 1, b"\x00\x00\x00"), 0)) == []
    assert line.busy
    assert line.echoes == 2


def test_a_reply_half_read_when_time_is_over_is_still_found_inside() -> None:
    line = HostLine(0, flip_at_start=True)
    line.ask(1, POLL, 0, 300 * MS)
    reply = encode(2, 0, bytes(6))
    assert sorts(line.received(b"\x02\x20" + reply, 0)) == []  # noise that promises 32 bytes swallows it
    found = line.expire(300 * MS)
    assert found is not None
    assert sorts(found) == ["fresh"]
    assert isinstance(found[-1], Reply)
    assert isinstance(found[-1].frame, Frame)
    assert line.answered
