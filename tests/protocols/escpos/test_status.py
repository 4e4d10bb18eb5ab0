"""Telling the answers on one line apart: every byte, every split, strays in between (PR6)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kiosk.protocols.escpos.status import (
    MAX_TEXT,
    Answer,
    Automatic,
    Block,
    Flow,
    Full,
    Queued,
    Raw,
    RealTime,
    StatusReader,
    Stray,
)


def encode(answer: Answer) -> bytes:
    """The bytes of one answer."""
    match answer:
        case RealTime(byte=byte) | Queued(byte=byte) | Raw(byte=byte):
            return bytes([byte])
        case Automatic(data=data) | Stray(data=data):
            return data
        case Flow(go=go):
            return b"\x11" if go else b"\x13"
        case Block(head=head, body=body):
            return bytes([head]) + body + b"\x00"


REAL_TIME = st.sampled_from([RealTime(byte) for byte in range(256) if byte & 0x93 == 0x12])
QUEUED = st.sampled_from([Queued(byte) for byte in range(256) if byte & 0x90 == 0])
GROUPS = st.builds(
    lambda first, rest: Automatic(bytes([first, *rest])),
    st.sampled_from([byte for byte in range(256) if byte & 0x93 == 0x10]),
    st.lists(st.sampled_from([byte for byte in range(256) if byte & 0x90 == 0]), min_size=3, max_size=3),
)
BLOCKS = st.builds(
    Block,
    st.sampled_from([0x37, 0x5F]),
    st.text("".join(map(chr, range(0x20, 0x7F))), max_size=20).map(lambda text: text.encode("ascii")),
)
FLOWS = st.sampled_from([Flow(True), Flow(False)])
STRAYS = st.sampled_from([Stray(bytes([byte])) for byte in range(256) if byte & 0x80])


def kind_of(byte: int) -> str:
    """The kind a first byte announces, written independently of the reader."""
    if byte in (0x11, 0x13):
        return "Flow"
    if byte in (0x37, 0x5F):
        return "open"
    if byte & 0x93 == 0x12:
        return "RealTime"
    if byte & 0x93 == 0x10:
        return "open"
    return "Queued" if byte & 0x90 == 0 else "Stray"


def test_every_first_byte_has_exactly_one_kind() -> None:
    for byte in range(256):
        found = StatusReader().feed(bytes([byte]))
        expected = kind_of(byte)
        assert [type(answer).__name__ for answer in found] == ([] if expected == "open" else [expected]), hex(byte)


@given(st.lists(st.one_of(REAL_TIME, QUEUED, GROUPS, BLOCKS, FLOWS, STRAYS), max_size=20), st.data())
def test_answers_come_out_whole_however_the_line_splits_them(answers: list[Answer], data: st.DataObject) -> None:
    line = b"".join(map(encode, answers))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=6)))
    reader = StatusReader()
    found = [
        answer
        for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True)
        for answer in reader.feed(line[start:end])
    ]
    assert found == answers


@given(st.binary(max_size=300))
def test_no_byte_is_lost_and_nothing_grows_on_noise(noise: bytes) -> None:
    reader = StatusReader()
    found = reader.feed(noise)
    left = reader.reset()
    assert len(left) <= MAX_TEXT
    flows = sum(isinstance(answer, Flow) for answer in found)
    assert sum(len(encode(answer)) for answer in found) + len(left) == len(noise)
    assert flows == sum(byte in (0x11, 0x13) for byte in noise)


def test_flow_control_may_stand_inside_a_group_and_a_text() -> None:
    found = StatusReader().feed(bytes.fromhex("10 13 00 11 00 00 5F 41 13 42 00"))
    assert found == [
        Flow(False), Flow(True), Automatic(bytes.fromhex("10 00 00 00")), Flow(False), Block(0x5F, b"AB"),
    ]  # fmt: skip


def test_an_answer_provoked_by_image_data_does_not_shift_what_follows() -> None:
    """PR6: a raster block held ``10 04 01``, so one real-time answer comes that nobody asked for."""
    found = StatusReader().feed(b"\x12" + b"\x37\x22J001\x00" + b"\x00")
    assert found == [RealTime(0x12), Block(0x37, b"\x22J001"), Queued(0)]


def test_a_broken_group_does_not_eat_the_answer_after_it() -> None:
    assert StatusReader().feed(b"\x10\x00\x12") == [Stray(b"\x10\x00"), RealTime(0x12)]


def test_a_text_without_end_is_given_up() -> None:
    found = StatusReader().feed(b"\x5f" + b"A" * 200)
    assert isinstance(found[0], Stray)
    assert len(found[0].data) == MAX_TEXT


def test_a_byte_asked_for_as_it_is_is_taken_once() -> None:
    reader = StatusReader()
    reader.expect_raw()
    assert reader.feed(b"\x80\x12") == [Raw(0x80), RealTime(0x12)]


def test_a_full_status_that_was_asked_for_is_taken_as_it_is_and_once() -> None:
    """Its head looks like automatic status, and its bytes may look like flow control."""
    told = bytes.fromhex("12 12 10 0F 11 13 10 37 12")
    for cut in range(len(told)):
        reader = StatusReader()
        reader.expect_full()
        assert [*reader.feed(told[:cut]), *reader.feed(told[cut:])] == [
            RealTime(0x12), RealTime(0x12), Full(bytes.fromhex("11131037")), RealTime(0x12),
        ]  # fmt: skip
    reader = StatusReader()
    reader.expect_full()
    assert reader.feed(bytes.fromhex("10 00 03 00")) == [Automatic(bytes.fromhex("10000300"))]
