"""ccTalk frames: every worked frame of the sheet in its form, every split, every kind of rubbish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import FrameError
from kiosk.protocols.cctalk.bnv import BnvKey
from kiosk.protocols.cctalk.frames import MAX_FAULT_BYTES, Decoder, Frame, FrameFault, Framing, Passed
from kiosk.protocols.framing import crc16_xmodem

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "cctalk" / "vectors.json").read_text("utf-8")
)["frames"]
GOOD = [row for row in VECTORS if row["good"]]
BAD = [row for row in VECTORS if not row["good"]]
FORMS = [Framing(), Framing("crc"), Framing(key="123456"), Framing(key="124027")]

frames = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=40))


def framing(row: dict[str, Any]) -> Framing:
    return Framing(row["checksum"], row.get("key"))


def test_the_vector_file_holds_the_whole_table_of_the_sheet() -> None:
    assert (len(GOOD), len(BAD)) == (73, 1)


@pytest.mark.parametrize("row", GOOD, ids=lambda row: row["hex"][:30])
def test_a_worked_frame_is_read_and_written_byte_for_byte(row: dict[str, Any]) -> None:
    raw, data = bytes.fromhex(row["hex"]), bytes.fromhex(row["data"])
    assert Decoder(framing(row)).feed(raw) == [Frame(row["destination"], row["source"], row["header"], data, raw)]
    source = 1 if row["source"] is None else row["source"]
    assert framing(row).encode(row["destination"], row["header"], data, source=source) == raw


@pytest.mark.parametrize("row", BAD, ids=lambda row: row["hex"])
def test_a_published_frame_with_a_wrong_checksum_is_a_fault(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["hex"])
    assert Decoder(framing(row)).feed(raw) == [FrameFault("checksum", raw.hex(), len(raw))]


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        ("49d5f2", 0xA6B3), ("2fbd9d", 0x90B2), ("d953d1", 0x7BB5), ("70b8d96404 15", 0xFB00),
        ("7261b94ed078", 0x93E3), ("63fad19fe619", 0x5BB3), ("280001", 0x3F46), ("010000", 0x3730),
    ],
)  # fmt: skip
def test_the_worked_checksums_of_the_sheet_come_out(data: str, crc: int) -> None:
    assert crc16_xmodem(bytes.fromhex(data)) == crc


def test_captured_blocks_open_to_what_the_sheet_says_and_close_again() -> None:
    key = BnvKey("123456")
    for sealed, clear in (
        ("65f6962b17384f7fb16be6231738", "d700010000000000000000000067"),
        ("5272d62f17284f67b16be6231738", "9300030100010100000000000057"),
    ):
        assert key.unseal(bytes.fromhex(sealed)).hex() == clear
        assert key.seal(bytes.fromhex(clear)).hex() == sealed


@given(st.from_regex(r"[0-9]{6}", fullmatch=True), st.binary(max_size=40))
@settings(max_examples=40)
def test_what_a_key_scrambles_the_same_key_opens(digits: str, block: bytes) -> None:
    assert BnvKey(digits).unseal(BnvKey(digits).seal(block)) == block


@pytest.mark.parametrize("digits", ["", "12345", "1234567", "12345a", "１２３４５６"])
def test_a_key_is_six_digits(digits: str) -> None:
    with pytest.raises(FrameError):
        BnvKey(digits)


def test_a_key_is_never_shown() -> None:
    assert "123456" not in repr(BnvKey("123456"))


def test_another_key_reads_no_frame() -> None:
    raw = Framing(key="123456").encode(40, 159)
    assert isinstance(Framing(key="123457").decode(raw), FrameFault)


def test_an_encrypted_broadcast_can_be_a_good_plain_frame() -> None:
    raw = bytes.fromhex("00008991e6")
    assert isinstance(sealed := Framing(key="124027").decode(raw), Frame)
    assert isinstance(plain := Framing().decode(raw), Frame)
    assert (sealed.header, plain.header) == (254, 145)


def test_a_zero_byte_before_a_frame_makes_a_good_reset_with_data() -> None:
    frame = Framing().decode(bytes.fromhex("00020101e40117"))
    assert isinstance(frame, Frame)
    assert (frame.destination, frame.header, frame.data.hex()) == (0, 1, "e401")


@pytest.mark.parametrize("form", FORMS)
def test_a_frame_split_at_any_byte_is_read_once(form: Framing) -> None:
    raw = form.encode(2, 231, b"\xff\x00\x01")
    for cut in range(1, len(raw)):
        decoder = Decoder(form)
        assert decoder.feed(raw[:cut]) == []
        assert decoder.pending
        assert [item.header for item in decoder.feed(raw[cut:]) if isinstance(item, Frame)] == [231]
        assert not decoder.pending


@given(st.sampled_from(FORMS), st.lists(frames, max_size=5), st.data())
@settings(max_examples=40)
def test_frames_in_a_row_are_read_in_order_however_they_are_cut(
    form: Framing, sent: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(form.encode(*frame) for frame in sent)
    decoder, out = Decoder(form), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [(item.destination, item.header, item.data) for item in out if isinstance(item, Frame)] == sent


def test_frames_for_others_are_counted_through_unchecked() -> None:
    form = Framing()
    other, ours = form.encode(3, 166), form.encode(1, 0, source=2)
    spoiled = other[:-1] + bytes((other[-1] ^ 1,))
    found = Decoder(form, (1,)).feed(spoiled + ours)
    assert found[0] == Passed(3, spoiled)
    assert isinstance(found[1], Frame)


def test_a_gap_ends_a_frame_that_was_begun_and_the_next_one_is_read() -> None:
    form = Framing()
    decoder = Decoder(form)
    decoder.feed(form.encode(2, 229)[:3])
    assert [fault.kind for fault in decoder.gap()] == ["partial"]
    assert decoder.gap() == []
    assert len(decoder.feed(form.encode(2, 229))) == 1


@given(st.sampled_from(FORMS), st.binary(max_size=700))
@settings(max_examples=60)
def test_rubbish_never_raises_and_never_grows_the_buffer(form: Framing, rubbish: bytes) -> None:
    decoder = Decoder(form, (1,))
    for item in [*decoder.feed(rubbish), *decoder.abandon()]:
        if isinstance(item, FrameFault):
            assert len(item.raw) <= 2 * MAX_FAULT_BYTES
    assert not decoder.pending


@pytest.mark.parametrize("fields", [(256, 1, b""), (2, 256, b""), (2, 1, bytes(256)), (-1, 1, b"")])
def test_what_no_frame_can_hold_is_refused(fields: tuple[int, int, bytes]) -> None:
    with pytest.raises(FrameError):
        Framing().encode(*fields)
