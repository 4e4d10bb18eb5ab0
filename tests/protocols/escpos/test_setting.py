"""A slip becomes bytes: no letter lost, no command smuggled in, nothing wider than the paper."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import DriverError
from kiosk.model.slip import BarCode, Cut, Feed, Pair, QrCode, Rule, Slip, Words
from kiosk.protocols.escpos import commands as esc
from kiosk.protocols.escpos import letters
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.setting import set_slip

SAMPLE = "Ayuntamiento de Cádiz · Žluťoučký · Łódź · €12,34"


class Pen:
    """Stands for the core's drawing: keeps what it was asked to draw."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, bool, int]] = []

    def line(self, text: str, width: int, bold: bool, size: int) -> tuple[int, bytes]:
        self.lines.append((text, width, bold, size))
        return 30 * size, bytes((width + 7) // 8 * 30 * size)

    def qr(self, data: str, module: int) -> tuple[int, int, bytes]:
        return 17, 132, bytes(17 * 132)


def bytes_of(*lines: object, profile: Profile | None = None, language: str = "es", pen: Pen | None = None) -> bytes:
    """The bytes of a slip."""
    slip = Slip(lines, language)  # type: ignore[arg-type]
    draw = (pen.line, pen.qr) if pen else (None, None)
    return b"".join(set_slip(slip, profile or Profile(), draw_line=draw[0], draw_qr=draw[1]).commands)


def test_every_job_begins_with_initialise_and_its_code_page() -> None:
    assert bytes_of(Words("x")) == bytes.fromhex("1B 40 1B 74 13") + b"x\n"
    assert bytes_of(Words("Łódź"), language="pl").startswith(bytes.fromhex("1B 40 1B 74 12"))
    assert bytes_of(Words("x"), language="cs-CZ").startswith(bytes.fromhex("1B 40 1B 74 12"))


def test_letters_of_the_page_are_text_and_the_euro_is_right() -> None:
    assert bytes_of(Words("Façade Übung €5")).endswith("Façade Übung €5\n".encode("cp858"))


def test_a_letter_outside_the_page_turns_the_whole_text_into_a_drawing_and_never_into_a_question_mark() -> None:
    pen = Pen()
    made = bytes_of(Words("before"), Words(SAMPLE, align="centre", bold=True), Words("after"), pen=pen)
    assert b"?" not in made
    assert made.count(b"\x1d\x76\x30\x00\x48\x00") == 2
    assert "".join(line.strip() for line, *_ in pen.lines).replace(" ", "") == SAMPLE.replace(" ", "")
    assert {drawn[1:] for drawn in pen.lines} == {(576, True, 1)}
    assert made.index(b"before\n") < made.index(b"\x1d\x76") < made.index(b"after\n")


def test_without_a_pen_such_a_slip_is_refused_rather_than_misprinted() -> None:
    with pytest.raises(DriverError, match="draw"):
        bytes_of(Words(SAMPLE))


@given(st.text(max_size=200), st.sampled_from(["left", "centre", "right"]), st.booleans(), st.sampled_from([1, 2]))
def test_no_letter_is_lost_and_no_control_character_reaches_the_printer(
    text: str, align: str, bold: bool, size: int
) -> None:
    pen = Pen()
    made = bytes_of(Words(text, align, bold, size), pen=pen)
    wanted = letters.tidy(text).replace(" ", "")
    if pen.lines:
        shown = "".join(line for line, *_ in pen.lines)
        assert all(letters.cells(line) <= 48 // size for line, *_ in pen.lines)
    else:
        body = made[5:]
        for command in (esc.emphasise(True), esc.emphasise(False), esc.character_size(2), esc.character_size(1)):
            body = body.replace(command, b"")
        assert not any(byte < 0x20 and byte != 0x0A for byte in body)
        shown = body.decode("cp858").replace("\n", "")
        assert all(len(line) <= 48 // size for line in body.decode("cp858").split("\n"))
    # A line from right to left begins with a mark that says so and takes no paper.
    assert shown.replace(" ", "").replace("\u200f", "") == wanted.replace("\u200f", "")
    assert not any(unicodedata.category(letter) == "Cc" for letter in shown)


@given(st.text(max_size=120), st.text(max_size=60))
def test_a_pair_keeps_both_sides_whole_and_ends_at_the_right_edge(left: str, right: str) -> None:
    left, right = letters.tidy(left), letters.tidy(right)
    lines = letters.pair(left, right, 48)
    assert all(letters.cells(line) <= 48 for line in lines)
    assert "".join(lines).replace(" ", "") == (left + right).replace(" ", "")
    if letters.cells(right) <= 20:
        assert lines[-1].endswith(right)
        assert letters.cells(lines[-1]) == 48


def test_a_pair_is_padded_to_the_columns() -> None:
    assert bytes_of(Pair("Citation 4711", "$45.00"))[5:] == b"Citation 4711" + b" " * 29 + b"$45.00\n"


def test_a_hostile_text_prints_as_text() -> None:
    made = bytes_of(Words("\x1b@\x10\x05\x02\x1d(k<script>\x00"))
    assert made[5:].strip() == b"@    (k<script>"


def test_large_letters_have_half_the_columns() -> None:
    made = bytes_of(Words("PAID", align="centre", size=2))
    assert made[5:] == b"\x1d\x21\x11" + b" " * 10 + b"PAID\n" + b"\x1d\x21\x00"


def test_rule_feed_and_cut_are_what_they_say() -> None:
    assert bytes_of(Rule(), Feed(2), Cut())[5:] == b"-" * 48 + b"\n" + b"\x1b\x64\x02" + b"\x1d\x56\x42\x03"
    assert bytes_of(Cut(partial=False), profile=Profile(cutter="full")).endswith(b"\x1d\x56\x41\x03")
    assert bytes_of(Cut(partial=False), profile=Profile(cutter="partial")).endswith(b"\x1d\x56\x42\x03")
    assert bytes_of(Cut(), profile=Profile(cutter="none", cut_feed=4)).endswith(b"\x1b\x64\x04")
    shown = bytes_of(Cut(), profile=Profile(presenter="custom", presenter_steps=96))
    assert shown.endswith(b"\x1d\x56\x42\x03\x1d\x65\x03\x60")


def test_a_bar_code_that_does_not_fit_the_paper_becomes_a_qr_code_with_its_text() -> None:
    receipt = "K07-1-000412-9f3c"
    wide = bytes_of(BarCode(receipt))
    narrow = bytes_of(BarCode(receipt), profile=Profile(columns=32, dots=384))
    assert b"\x1d\x6b\x49" in wide
    assert b"\x1d\x6b\x49" not in narrow
    assert b"\x31\x50\x30" + receipt.encode() in narrow
    assert narrow.endswith(receipt.encode() + b"\n")


def test_a_printer_without_codes_of_its_own_gets_a_bitmap() -> None:
    made = bytes_of(QrCode("K07"), profile=Profile(native_codes=False), pen=Pen())
    assert b"\x1d\x76\x30\x00\x11\x00\x84\x00" in made
    with pytest.raises(DriverError):
        bytes_of(QrCode("K07"), profile=Profile(native_codes=False))


def test_a_qr_code_is_shrunk_until_it_fits_the_paper() -> None:
    made = bytes_of(QrCode("x" * 600, size=16), profile=Profile(columns=32, dots=384))
    module = made[made.index(b"\x31\x43") + 2]
    assert 1 <= module <= 384 // (17 + 4 * 19)


def test_the_length_of_the_paper_is_told_in_whole_millimetres() -> None:
    stream = set_slip(Slip((Words("x"),) * 40), Profile())
    assert stream.length_mm == 40 * 30 // 8
    assert stream.total == sum(map(len, stream.commands))


@pytest.mark.parametrize(
    "slip",
    [
        Slip((Words("x", size=3),)),
        Slip((Feed(10_000),)),
        Slip((Words("x"),) * 700),
        Slip((QrCode("x" * 3000),)),
    ],
)
def test_a_slip_that_no_printer_can_set_is_refused(slip: Slip) -> None:
    with pytest.raises(DriverError):
        set_slip(slip, Profile())


def test_a_right_to_left_pair_has_its_label_at_the_right_edge_and_its_amount_at_the_left() -> None:
    from kiosk.core.drawing import visual_order

    pen = Pen()
    bytes_of(Pair("المجموع", "-US$20.00"), language="ar", pen=pen)
    seen = [visual_order(drawn[0]) for drawn in pen.lines]
    assert [len(line) for line in seen] == [48]
    assert seen[0].startswith("-US$20.00 ")
    assert seen[0].endswith("\ufe8d")  # the alef that is read first


def test_a_right_to_left_line_is_drawn_even_where_the_page_holds_its_letters() -> None:
    pen = Pen()
    profile = Profile(code_pages={"cp1256": 33}, default_page="cp1256")
    made = bytes_of(Words("شكرا"), Words("Thanks"), profile=profile, language="ar", pen=pen)
    assert len(pen.lines) == 1
    assert made.endswith(b"Thanks\n")


def test_a_line_of_digits_follows_the_side_of_the_line_above_it() -> None:
    from kiosk.core.drawing import visual_order

    pen = Pen()
    made = bytes_of(Words("رقم"), Words("555-0100"), Words("Legal"), Words("555-0101"), language="ar", pen=pen)
    assert visual_order(pen.lines[1][0]) == " " * 40 + "555-0100"
    assert made.endswith(b"Legal\n555-0101\n")


def test_a_foreign_piece_that_goes_over_two_lines_does_not_turn_the_second_one_round() -> None:
    from kiosk.core.drawing import visual_order

    pen = Pen()
    bytes_of(Words("تعال إلى \u20681 Example"), Words("Plaza\u2069 غدا"), Words("شكرا"), language="ar", pen=pen)
    second = visual_order(pen.lines[1][0])
    assert second.endswith("Plaza")
    assert second.startswith(" ")
    assert visual_order(pen.lines[2][0]).startswith(" " * 40)


@given(left=st.text("ابجد لا\u0644\u0627 12", min_size=1, max_size=90), right=st.text("0123456789.-US$", max_size=12))
def test_no_letter_of_a_right_to_left_pair_is_lost_and_no_line_is_wider_than_the_paper(left: str, right: str) -> None:
    from kiosk.core.drawing import visual_order

    pen = Pen()
    bytes_of(Words("رقم"), Pair(left, right), language="ar", pen=pen)
    assert all(letters.cells(drawn[0]) <= 48 for drawn in pen.lines)
    assert all(len(visual_order(drawn[0])) <= 48 for drawn in pen.lines)
    kept = "".join(letter for drawn in pen.lines[1:] for letter in drawn[0] if unicodedata.category(letter) != "Cf")
    assert kept.replace(" ", "") == (left + right).replace(" ", "")
