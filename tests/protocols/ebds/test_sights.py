"""What EBDS replies show of a note."""

from __future__ import annotations

import pytest

from kiosk.model.money import Money
from kiosk.protocols.ebds.codes import Condition, State
from kiosk.protocols.ebds.edges import Edges
from kiosk.protocols.ebds.frames import encode, frame_of
from kiosk.protocols.ebds.payloads import NoteRecord
from kiosk.protocols.ebds.sights import Folder, Reading, read
from kiosk.protocols.ebds.status_words import words
from kiosk.protocols.note_life import Seen

TWENTY = NoteRecord(0, "USD", 2, 1)


def reading(hex_status: str, record: bytes | None = None) -> Reading:
    status = bytes.fromhex(hex_status)
    raw = encode(2, 0, status) if record is None else encode(7, 0, b"\x02" + status + record)
    found = read(frame_of(raw))
    assert found is not None
    return found


def fold(*readings: Reading, row: int = 0, values: dict[int, Money] | None = None) -> list[str]:
    folder = Folder("USD", held=True)
    out = [folder.fold(item, row, values or {}, hopeless=False) for item in readings][-1]
    return [f"{sight.name}{' in doubt' if sight.doubt else ''}" for sight in out]


@pytest.mark.parametrize(
    ("shown", "sights"),
    [
        ("01 10 00 00 54 10", ["idling"]),
        ("02 10 00 00 54 10", ["accepting"]),
        ("08 10 00 00 54 10", ["stacking"]),
        ("20 10 00 00 54 10", ["returning"]),
        ("11 10 20 00 54 10", ["stacked"]),
        ("41 10 00 00 54 10", ["returned"]),
        ("00 10 01 00 54 10", ["power up"]),
        ("01 10 01 00 54 10", ["power up", "idling"]),
        ("00 14 00 00 54 10", ["fault in doubt"]),
        ("01 14 00 00 54 10", ["fault in doubt"]),
        ("01 10 04 00 54 10", ["fault in doubt"]),
        ("01 10 00 01 54 10", ["fault in doubt"]),
        ("01 00 00 00 54 10", ["cassette removed in doubt"]),
        ("04 00 20 00 54 10", ["escrowed"]),
        ("00 10 00 00 54 10", ["out of service in doubt"]),
        ("0C 10 00 00 54 10", ["contradiction in doubt"]),
        ("50 10 00 00 54 10", ["contradiction in doubt"]),
    ],
)
def test_each_status_has_its_sights_in_order(shown: str, sights: list[str]) -> None:
    assert fold(reading(shown)) == sights


def test_rejected_and_cheated_count_by_their_edges() -> None:
    plain, both = reading("01 10 00 00 54 10"), reading("01 13 00 00 54 10")
    assert fold(plain, both) == ["rejected in doubt", "cheated in doubt", "idling"]
    assert fold(plain, reading("01 12 00 00 54 10")) == ["rejected", "idling"]
    assert fold(plain, reading("00 16 00 00 54 10")) == ["rejected in doubt", "fault in doubt"]
    assert fold(plain, both, both) == ["idling"]
    assert fold(both) == ["idling"]  # the first status has no edge


def test_a_credit_point_is_blank_only_where_nothing_names_a_note() -> None:
    folder = Folder("USD", held=True)

    def credit(item: Reading, values: dict[int, Money]) -> tuple[Money | None, bool]:
        (sight,) = folder.fold(item, 0, values, hopeless=False)
        assert sight.seen is Seen.CREDIT_POINT
        return sight.value, sight.blank

    ten = {4: Money(1000, "USD")}
    assert credit(reading("11 10 00 00 54 10", TWENTY.data), {}) == (Money(2000, "USD"), False)
    assert credit(reading("11 10 00 00 54 10", bytes(18)), {}) == (None, True)
    assert credit(reading("11 10 00 00 54 10"), ten) == (None, True)
    assert credit(reading("11 10 20 00 54 10"), ten) == (Money(1000, "USD"), False)
    assert credit(reading("11 10 20 00 54 10"), {}) == (None, False)  # a note whose value nobody knows
    assert credit(reading("11 10 00 00 54 10", b"\x00XXX" + bytes(14)), {}) == (None, False)
    assert credit(reading("11 10 00 00 54 10", NoteRecord(0, "CAD", 2, 1).data), {}) == (None, False)


def test_a_row_of_the_table_is_no_note_in_escrow() -> None:
    row = reading("04 10 00 00 54 10", NoteRecord(5, "USD", 2, 1).data)
    assert fold(row, row=5) == ["escrowed unnamed"]
    assert fold(row) == ["escrowed"]


def test_a_reply_without_a_status_is_none() -> None:
    assert read(frame_of(encode(6, 0, b"SN123"))) is None
    assert read(frame_of(encode(2, 0, b"\x01\x10"))) is None
    assert read(frame_of(encode(7, 0, b"\x02\x01"))) is None
    assert read(frame_of(encode(7, 0, b""))) is None


def test_an_unexplained_note_retrieved_message_is_a_finding() -> None:
    for last, told in ((0x7F, 0), (0x01, 0), (0x7E, 1)):
        raw = encode(7, 0, bytes.fromhex("0B 01 10 00 00 54 10") + bytes((last,)))
        found = read(frame_of(raw))
        assert found is not None
        assert len(Edges().take(found)) == told


def test_trouble_is_told_before_what_the_unit_does() -> None:
    status = reading("04 0C 00 00 54 10").status
    assert status.condition == Condition.JAMMED | Condition.STACKER_FULL
    assert words(status, enabled=True)[0] == "acceptor_jammed"
    assert State.ESCROWED in status.state
