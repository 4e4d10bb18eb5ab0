"""Bitmaps for paper: the right size, on the printer's grid, every letter visible, and nothing imported too early."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kiosk.core.drawing import CELL_DOTS, LINE_DOTS, draw_line, draw_qr, visual_order

SAMPLE = "Ayuntamiento de Cádiz · Žluťoučký · Łódź · €12"


def columns_of(text: str, width: int = 576, size: int = 1) -> list[bytes]:
    """What stands in each column's cell."""
    height, rows = draw_line(text, width, False, size)
    step = width // 8
    bits = [f"{int.from_bytes(rows[at : at + step], 'big'):0{width}b}" for at in range(0, len(rows), step)]
    assert len(bits) == height
    cell = CELL_DOTS * size
    return ["".join(row[at : at + cell] for row in bits).encode() for at in range(0, width - cell + 1, cell)]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("width", [384, 576, 580])
def test_a_drawn_line_has_the_size_it_claims(width: int, size: int) -> None:
    height, rows = draw_line(SAMPLE, width, True, size)
    assert height == LINE_DOTS * size
    assert len(rows) == (width + 7) // 8 * height


def test_every_letter_of_the_sample_is_seen_in_its_own_column() -> None:
    shown = columns_of(SAMPLE)
    missing = columns_of("\ufffe")[0]
    for letter, cell in zip(SAMPLE, shown, strict=False):
        if letter != " ":
            assert b"1" in cell, letter
            assert cell != missing, letter
    assert columns_of("Ž")[0] != columns_of("Z")[0]
    assert columns_of("Ł")[0] != columns_of("L")[0]


def test_a_letter_looks_the_same_in_every_column() -> None:
    shown = columns_of("  ž  ž" + " " * 20 + "ž")
    assert shown[2] == shown[5] == shown[26]


def test_bold_adds_dots_and_takes_none_away() -> None:
    plain = int.from_bytes(draw_line("Łódź", 576, False, 1)[1], "big")
    bold = int.from_bytes(draw_line("Łódź", 576, True, 1)[1], "big")
    assert bold & plain == plain
    assert bold != plain


def test_a_mark_stands_on_its_letter_and_takes_no_column() -> None:
    with_mark = columns_of("x\u030cy")
    assert with_mark[1] == columns_of("xy")[1]
    assert with_mark[0] != columns_of("x")[0]


def test_right_to_left_runs_are_put_into_the_order_in_which_they_are_seen() -> None:
    assert visual_order("abc 123") == "abc 123"
    assert visual_order("ab אבג cd") == "ab גבא cd"
    assert visual_order("אב גד") == "דג בא"


def test_arabic_letters_are_joined_and_numbers_keep_their_order() -> None:
    """Presentation forms of Unicode: initial, medial, final; what was read first stands at the right."""
    assert visual_order("مجموع") == "\ufec9\ufeee\ufee4\ufea0\ufee3"
    assert visual_order("سلام") == "\ufee1\ufefc\ufeb3"
    assert visual_order("رقم \u20682600-04\u2069") == "2600-04 \ufee2\ufed7\ufead"


def test_an_isolated_amount_keeps_its_sign_in_front() -> None:
    assert visual_order("خصم \u2068-US$20.00\u2069").startswith("-US$20.00 ")


def test_brackets_enclose_what_they_enclosed_before() -> None:
    assert visual_order("\u0627(1)") == "(1)\ufe8d"
    assert visual_order("\u0627 (\u20681\u2069) \u0627") == "\ufe8d (1) \ufe8d"
    assert visual_order("abc (x) \u0627") == "abc (x) \ufe8d"
    assert visual_order("\u0627 \u2068K (a)\u2069") == "K (a) \ufe8d"


def test_every_arabic_letter_of_the_font_is_seen_and_joins_its_neighbour() -> None:
    missing = columns_of("\ufffe")[0]
    text = "أبتثجحخدذرزسشصضطظعغفقكلمنهويءآإةىؤئ"
    shown = columns_of(text)[: len(text)]
    assert all(b"1" in cell and cell != missing for cell in shown)
    # Both sides of the seam between two joined letters are black in one row.
    first, second = columns_of("بت")[:2]
    rows = zip(*[iter(first)] * CELL_DOTS, strict=True), zip(*[iter(second)] * CELL_DOTS, strict=True)
    assert any(left[-1] == right[0] == ord("1") for left, right in zip(*rows, strict=True))


def test_a_drawn_qr_code_reads_back() -> None:
    zxingcpp = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    width_bytes, height, rows = draw_qr("K07-1-000412-9f3c", 4)
    assert len(rows) == width_bytes * height
    picture = image.frombytes("1", (width_bytes * 8, height), bytes(byte ^ 0xFF for byte in rows)).convert("L")
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == ["K07-1-000412-9f3c"]


def test_nothing_is_loaded_until_something_is_drawn() -> None:
    code = "import sys, kiosk.core.drawing; print([m for m in ('PIL', 'segno', 'bidi') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
