"""Identifiers on paper, and what a moment says."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.model.ids import ReceiptId, is_kiosk_id
from kiosk.model.instant import NS, Instant, business_date
from kiosk.model.texts import text


@given(st.from_regex(r"[A-Z][A-Z0-9]{1,11}", fullmatch=True), st.integers(0, 999_999), st.integers(0, 10**9 - 1),
       st.from_regex(r"[0-9a-f]{4}", fullmatch=True))  # fmt: skip
def test_a_receipt_number_is_read_as_it_is_printed(kiosk: str, epoch: int, number: int, check: str) -> None:
    told = ReceiptId(kiosk, epoch, number, check)
    assert ReceiptId.parse(str(told)) == told
    assert is_kiosk_id(kiosk)


@pytest.mark.parametrize("line", ["", "K07-1-412-9f3c", "k07-1-000412-9f3c", "K07-1-000412-9F3C", "K07-1-000412", "x"])
def test_what_is_no_receipt_number_is_none(line: str) -> None:
    assert ReceiptId.parse(line) is None


@given(st.text(max_size=40))
def test_any_text_is_a_number_or_none(line: str) -> None:
    told = ReceiptId.parse(line)
    assert told is None or str(told) == line.strip()


@pytest.mark.parametrize(
    ("at", "cut_off", "want"),
    [
        ("16:59", "17:00", 9),
        ("17:00", "17:00", 10),
        ("23:59", "00:00", 9),
        ("00:00", "00:00", 9),
        ("02:59", "03:00", 8),
        ("03:00", "03:00", 9),
        ("12:00", "03:00", 9),
        ("12:00", "17:00", 9),
        ("23:59", "03:00", 9),
        ("11:59", "12:00", 9),
        ("12:00", "12:00", 10),
    ],
)
def test_a_business_date_ends_at_the_cut_off(at: str, cut_off: str, want: int) -> None:
    local = dt.datetime.combine(dt.date(2026, 3, 9), dt.time.fromisoformat(at))
    assert business_date(local, dt.time.fromisoformat(cut_off)) == dt.date(2026, 3, want)


def test_an_instant_tells_local_time_with_its_offset() -> None:
    told = Instant(1_795_364_100 * NS + 999_999, -21_600, 5, "boot")
    assert told.iso() == "2026-11-22T10:15:00-06:00"
    assert told.local().microsecond == 999


def test_equal_texts_are_equal_whatever_the_order_of_their_parameters() -> None:
    assert text("x", a=1, b=2) == text("x", b=2, a=1)
