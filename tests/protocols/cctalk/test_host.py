"""The host's end of a ccTalk line: one exchange at a time, in turns, with or without its own echo."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.cctalk.frames import FrameFault, Framing
from kiosk.protocols.cctalk.host import (
    LATE_NS,
    TURN_LIMIT_NS,
    TURN_RETRY_NS,
    Answer,
    Heard,
    HostLine,
    Outcome,
    Stray,
    Turn,
)

MS = 1_000_000
FORM = Framing()
REQUEST = FORM.encode(2, 254)
ACK = FORM.encode(1, 0, source=2)
TIMEOUT = 200 * MS


def line(echo: str = "auto", rest_ms: int = 0) -> HostLine:
    return HostLine(2, FORM, echo=echo, rest_ns=rest_ms * MS)  # type: ignore[arg-type]


def ask(
    host: HostLine, now: int = 0, *, tries: int = 1, sizes: tuple[int, ...] | None = None, alone: bool = True
) -> None:
    host.ask(254, b"", now, TIMEOUT, tries=tries, sizes=sizes)
    if alone:
        grant(host, now, shared=False)


def grant(host: HostLine, now: int, *, shared: bool = True) -> None:
    turn = next(step for step in host.take_steps() if isinstance(step, Turn) and step.kind == "turn")
    host.turn_answered(turn.id, shared, b"", now)


def answers(heard: list[Heard]) -> list[Answer]:
    return [item for item in heard if isinstance(item, Answer)]


def kinds(host: HostLine) -> list[str]:
    return [step.kind if isinstance(step, Turn) else step.hex() for step in host.take_steps()]


def test_nothing_is_written_before_the_turn_is_granted() -> None:
    host = line()
    ask(host, alone=False)
    turn, *rest = host.take_steps()
    assert isinstance(turn, Turn)
    assert not rest
    host.turn_answered(turn.id, True, b"", 0)
    assert host.take_steps() == [REQUEST]


def test_a_busy_line_is_asked_for_again_after_some_milliseconds() -> None:
    host = line()
    ask(host, alone=False)
    turn = host.take_steps()[0]
    assert isinstance(turn, Turn)
    host.turn_answered(turn.id, False, b"busy", 0)
    assert host.take_steps() == []
    assert host.deadline() == TURN_RETRY_NS
    host.tick(TURN_RETRY_NS)
    assert kinds(host) == ["turn"]


def test_the_turn_is_given_back_after_the_reply() -> None:
    host = line()
    ask(host, alone=False)
    grant(host, 0)
    host.take_steps()
    assert answers(host.received(ACK, MS)) == [Answer(254, b"", Outcome.REPLY)]
    assert kinds(host) == ["turn_over"]


def test_the_turn_is_given_back_between_tries_and_silence_is_said() -> None:
    host = line()
    ask(host, tries=2, alone=False)
    grant(host, 0)
    host.take_steps()
    host.tick(TIMEOUT)
    over = host.take_steps()[0]
    assert isinstance(over, Turn)
    assert (over.kind, over.data) == ("turn_over", b"unanswered")
    host.tick(TIMEOUT + LATE_NS - 1)
    assert kinds(host) == []  # a late reply to the first try must not pass for the answer to the next
    host.tick(TIMEOUT + LATE_NS)
    assert kinds(host) == ["turn"]


def test_an_unshared_line_gives_no_turn_back() -> None:
    host = line()
    ask(host)
    host.take_steps()
    host.received(ACK, MS)
    assert host.take_steps() == []


def test_a_request_for_the_turn_that_nobody_answers_is_told_and_made_again() -> None:
    host = line()
    ask(host, alone=False)
    first = host.take_steps()[0]
    assert isinstance(first, Turn)
    assert [item.kind for item in host.tick(TURN_LIMIT_NS) if isinstance(item, Stray)] == ["turn"]
    host.turn_answered(first.id, True, b"", TURN_LIMIT_NS)  # too late: it was asked for anew
    assert REQUEST not in host.take_steps()


@pytest.mark.parametrize("tries", [1, 3])
def test_a_request_is_written_as_often_as_it_may_and_no_more(tries: int) -> None:
    host, written = line(), 0
    ask(host, tries=tries)
    for _ in range(20):
        written += host.take_steps().count(REQUEST)
        found = answers(host.tick(host.deadline() or 0))
        if found:
            assert found[0].outcome is Outcome.SILENCE
            break
        again = host.deadline() or 0
        host.tick(again)
        grant(host, again, shared=False)
    assert written == tries
    assert not host.busy


@pytest.mark.parametrize("echo", ["auto", "on"])
def test_the_echo_is_counted_off_wherever_it_is_cut(echo: str) -> None:
    stream = REQUEST + ACK
    for cut in range(len(stream) + 1):
        host = line(echo)
        ask(host)
        found = host.received(stream[:cut], MS) + host.received(stream[cut:], MS)
        assert found == [Answer(254, b"", Outcome.REPLY)]


@pytest.mark.parametrize("echo", ["auto", "off"])
def test_a_line_without_echo_needs_none(echo: str) -> None:
    host = line(echo)
    ask(host)
    assert host.received(ACK, MS) == [Answer(254, b"", Outcome.REPLY)]


@pytest.mark.parametrize("echo", ["auto", "on"])
def test_an_echo_that_differs_spoils_the_exchange(echo: str) -> None:
    host = line(echo)
    ask(host)
    spoiled = REQUEST[:3] + b"\x00" + REQUEST[4:]
    found = host.received(spoiled + ACK, MS)
    assert [item.kind for item in found if isinstance(item, Stray)] == ["echo"]
    assert not answers(found)
    assert answers(host.tick(TIMEOUT))[0].outcome is Outcome.SILENCE


def test_a_missing_echo_spoils_the_exchange_where_one_is_demanded() -> None:
    host = line("on")
    ask(host)
    assert not answers(host.received(ACK, MS))


def test_frames_for_others_are_skipped_and_one_from_another_unit_is_no_answer() -> None:
    host = line()
    ask(host)
    found = host.received(FORM.encode(3, 166) + FORM.encode(1, 0, source=3) + ACK, MS)
    assert len(answers(found)) == 1
    assert [item.kind for item in found if isinstance(item, Stray)] == ["unexpected"]


def test_a_late_answer_of_another_size_does_not_pass_for_this_one() -> None:
    host = line()
    ask(host, sizes=(0,))
    assert not answers(host.received(FORM.encode(1, 0, bytes(11), source=2), MS))
    assert answers(host.received(ACK, 2 * MS))[0].acked


@pytest.mark.parametrize(("header", "outcome"), [(5, Outcome.NAK), (6, Outcome.BUSY)])
def test_refusals_are_told_as_what_they_are(header: int, outcome: Outcome) -> None:
    host = line()
    ask(host)
    assert answers(host.received(FORM.encode(1, header, source=2), MS))[0].outcome is outcome


def test_a_busy_unit_is_asked_again() -> None:
    host = line()
    ask(host, tries=2)
    host.take_steps()
    assert not answers(host.received(FORM.encode(1, 6, source=2), MS))
    assert host.take_steps() == []
    host.tick(200 * MS)
    grant(host, 200 * MS, shared=False)
    assert host.take_steps() == [REQUEST]


def test_a_reply_that_has_begun_is_waited_for_and_a_babbler_is_not() -> None:
    host = line()
    ask(host)
    long = FORM.encode(1, 0, bytes(200), source=2)
    assert host.received(long[:100], TIMEOUT - MS) == []
    assert not host.tick(TIMEOUT)
    assert answers(host.received(long[100:], TIMEOUT + 20 * MS))
    now = 2 * TIMEOUT
    ask(host, now)
    while host.busy:
        now += 10 * MS
        host.received(b"\x09\xff" + bytes(8), now)
        host.tick(now)
        assert now < 10 * TIMEOUT


def test_bytes_nobody_asked_for_are_a_finding_on_a_line_of_our_own() -> None:
    host = line()
    assert [item.kind for item in host.received(ACK, 0) if isinstance(item, Stray)] == ["unexpected"]
    ask(host, alone=False)
    grant(host, 0)
    host.received(ACK, 0)
    assert host.received(ACK, 0) == []


def test_the_line_rests_after_a_reply() -> None:
    host = line(rest_ms=10)
    ask(host)
    host.take_steps()
    host.received(ACK, 5 * MS)
    host.ask(254, b"", 5 * MS, TIMEOUT)
    assert host.take_steps() == []
    assert host.deadline() == 15 * MS


def test_a_wrong_checksum_is_told_and_is_no_answer() -> None:
    host = line()
    ask(host)
    found = host.received(ACK[:-1] + b"\x00", MS)
    assert [item.kind for item in found if isinstance(item, FrameFault)] == ["checksum"]
    assert host.busy


@given(st.lists(st.binary(max_size=80), max_size=6))
@settings(max_examples=40)
def test_any_bytes_leave_a_line_that_ends_its_exchange(pieces: list[bytes]) -> None:
    host, now = line(), 0
    ask(host)
    for piece in pieces:
        now += MS
        host.received(piece, now)
    for _ in range(50):
        now += TIMEOUT
        host.tick(now)
    assert not host.busy
