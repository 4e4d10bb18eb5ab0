"""The host's end of an SSP line: flags, repeats, giving up, and what a session believes (SSP sheet §3, §13)."""

from __future__ import annotations

import pytest

from kiosk.protocols.ssp.crypto import Randomness, seal
from kiosk.protocols.ssp.frames import Decoder, Frame, encode
from kiosk.protocols.ssp.host import Answer, HostLine, Repeated, Unasked
from kiosk.protocols.ssp.options import MS, SspOptions

KEY = bytes(range(16))
POLL, SYNC = b"\x07", b"\x11"


def line(*, key: bytes | None = None, **options: int) -> HostLine:
    host = HostLine(SspOptions(**options), Randomness(b"test"))  # type: ignore[arg-type]
    host.ask(SYNC, 0)
    host.take_writes()
    assert host.received(encode(0, 1, b"\xf0")) == [Answer(0x11, b"\xf0")]
    if key:
        host.open_session(key)
    return host


def asked(host: HostLine, data: bytes = POLL, now: int = 0) -> Frame:
    host.ask(data, now)
    (raw,) = host.take_writes()
    (frame,) = Decoder().feed(raw)
    assert isinstance(frame, Frame)
    return frame


def reply(frame: Frame, data: bytes, count: int | None = None) -> bytes:
    return encode(0, frame.flag, data if count is None else seal(KEY, count, data, bytes))


def test_each_new_command_toggles_the_flag_and_a_repeat_keeps_it() -> None:
    host = line()
    first = asked(host)
    assert host.expire(1_000 * MS) == [Repeated(7, 1)]
    assert host.take_writes() == [first.raw]
    host.received(reply(first, b"\xf0"))
    assert [first.flag, asked(host).flag] == [0, 1]


def test_a_sealed_packet_is_repeated_byte_for_byte() -> None:
    """A new seal would carry a counter that the unit does not expect, and its reply would be lost for good."""
    host = line(key=KEY)
    frame = asked(host)
    host.expire(1_000 * MS)
    assert host.take_writes() == [frame.raw]


def test_a_line_gives_up_once_after_its_repeats() -> None:
    host = line(repeats=2)
    asked(host)
    heard = [item for at in range(1, 5) for item in host.expire(at * 1_000 * MS)]
    assert heard == [Repeated(7, 1), Repeated(7, 2), Answer(7, None, "silence")]
    assert not host.busy


@pytest.mark.parametrize("count", [0, 2, 2**32 - 1])
def test_a_reply_with_another_counter_than_the_next_one_is_not_believed(count: int) -> None:
    host = line(key=KEY)
    frame = asked(host)
    assert host.received(reply(frame, b"\xf0\xee\x03", count)) == [Answer(7, None, "counter")]


def test_counters_go_on_together() -> None:
    host = line(key=KEY)
    for count in range(1, 4):
        frame = asked(host)
        assert host.received(reply(frame, b"\xf0", count)) == [Answer(7, b"\xf0")]


def test_a_reply_under_another_key_ends_the_session() -> None:
    host = line(key=KEY)
    frame = asked(host)
    other = encode(0, frame.flag, seal(bytes(16), 1, b"\xf0", bytes))
    assert host.received(other) == [Answer(7, None, "block")]


def test_only_a_missing_key_is_believed_in_clear() -> None:
    host = line(key=KEY)
    frame = asked(host)
    (heard,) = host.received(reply(frame, b"\xf0\xee\x03"))
    assert isinstance(heard, Unasked)
    assert host.received(reply(frame, b"\xfa")) == [Answer(7, b"\xfa")]


def test_replies_of_others_and_of_the_past_answer_nothing() -> None:
    host = line()
    frame = asked(host)
    late, foreign = encode(0, 1 - frame.flag, b"\xf0\xee\x03"), encode(16, frame.flag, b"\xf0\xee\x03")
    assert all(isinstance(item, Unasked) for item in host.received(late + foreign))
    assert host.busy
    assert host.received(reply(frame, b"\xf0")) == [Answer(7, b"\xf0")]
    assert all(isinstance(item, Unasked) for item in host.received(reply(frame, b"\xf0\xee\x03")))


def test_an_echo_is_told_once_and_answers_nothing() -> None:
    host = line()
    first = asked(host)
    assert [type(item) for item in host.received(first.raw + reply(first, b"\xf0"))] == [Unasked, Answer]
    second = asked(host)
    assert [type(item) for item in host.received(second.raw + reply(second, b"\xf0"))] == [Answer]
