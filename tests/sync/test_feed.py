"""Bytes, digests and manifests of reference data on their way down."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import SyncError
from kiosk.model.invoice import Invoice
from kiosk.sync.feed import (
    digest_of,
    document_body,
    document_digest,
    document_rows,
    manifest,
    pack_body,
    read_row,
    row_bytes,
    service_of,
    total_of,
    weight,
)
from kiosk.sync.messages import DataCursor, Mark
from kiosk.sync.replica import to_row

ROW = to_row(Invoice(service="water_bill", number="7001", currency="USD", amount_minor=4500, issued=dt.date(2026, 3, 2),
                     plate_hash="00" * 12))  # fmt: skip
DATA = DataCursor("invoices:water_bill", 3, 9, "ab" * 32)


def test_a_row_comes_back_as_it_went_and_has_the_same_bytes_again() -> None:
    assert read_row(row_bytes(ROW)) == ROW
    assert row_bytes(read_row(row_bytes(ROW))) == row_bytes(ROW)


@pytest.mark.parametrize(
    "change",
    [
        {0: ""}, {0: "7" * 65}, {1: "DOLLAR"}, {2: 10**14}, {2: 1.5}, {3: None}, {4: 7}, {4: -1}, {5: 0},
        {5: 9_999_999}, {7: "c" * 17}, {8: -1}, {10: b"x" * 33}, {11: 2**64 - 1}, {13: "an owner's name"},
    ],
)  # fmt: skip
def test_a_row_that_no_invoice_can_have_is_refused(change: dict[int, object]) -> None:
    cells: list[object] = [*ROW]
    for place, value in change.items():
        cells[place : place + 1] = [value]
    with pytest.raises(SyncError):
        read_row(row_bytes(tuple(cells)))  # type: ignore[arg-type]


@given(st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        assert len(read_row(data)) == 13
    except SyncError as fault:
        assert len(fault.message) < 400


@given(st.lists(st.binary(max_size=8), unique=True, max_size=8), st.randoms())
def test_a_digest_is_the_same_in_any_order_and_after_any_detour(rows: list[bytes], chance: object) -> None:
    once = digest_of(sum(weight(row) for row in rows))
    chance.shuffle(rows)  # type: ignore[attr-defined]
    total = 0
    for row in rows:
        total = total_of(digest_of(total + weight(row) + weight(b"a detour"))) - weight(b"a detour")
    assert digest_of(total) == once


def test_a_digest_shows_what_was_lost_doubled_or_damaged() -> None:
    whole = digest_of(weight(b"a") + weight(b"b"))
    assert len({whole, digest_of(weight(b"a")), digest_of(2 * weight(b"a") + weight(b"b")),
                digest_of(weight(b"a") + weight(b"c")), digest_of(0)}) == 5  # fmt: skip


def test_a_text_that_is_no_digest_is_refused() -> None:
    with pytest.raises(SyncError, match="digest"):
        total_of("not one")


@given(st.binary(max_size=200_000))
def test_a_document_comes_together_again(body: bytes) -> None:
    assert document_body(document_rows(body)) == body


def test_a_document_with_a_piece_missing_doubled_or_changed_is_refused_or_shows() -> None:
    body = bytes(range(256)) * 1024
    rows = document_rows(body)
    assert len(rows) == 4
    for wrong in (rows[:2] + rows[3:], (rows[0], *rows), (rows[1], rows[0], *rows[2:]), (b"\xc1", *rows[1:])):
        with pytest.raises(SyncError):
            document_body(wrong)
    assert document_digest(body) != document_digest(body[:-1] + b"x")


def test_a_manifest_differs_in_everything_that_counts() -> None:
    told = [
        manifest("a", DATA, 1, 2), manifest("b", DATA, 1, 2),
        manifest("a", DataCursor("people", 3, 9, "ab" * 32), 1, 2),
        manifest("a", DataCursor(DATA.name, 4, 9, DATA.digest), 1, 2), manifest("a", DATA, 2, 2),
        manifest("a", DataCursor(DATA.name, 3, 8, DATA.digest), 1, 2), manifest("a", DATA, 1, 3),
        manifest("a", DataCursor(DATA.name, 3, 9, "cd" * 32), 1, 2), manifest("a", DATA, 1, 2, kiosk="K01"),
        manifest("a", DATA, 1, 2, counted=Mark(1, 0)), manifest("a", DATA, 1, 2, counted=Mark(0, 1)),
    ]  # fmt: skip
    assert len(set(told)) == len(told)


def test_only_invoices_of_a_service_have_a_service() -> None:
    assert service_of("invoices:water_bill") == "water_bill"
    assert [service_of(name) for name in ("people", "invoices:", "invoices:x; DROP TABLE y", "water_bill")] == [""] * 4


def test_a_pack_has_the_same_bytes_however_it_was_read() -> None:
    assert pack_body({"b": "2", "a": "1"}) == pack_body({"a": "1", "b": "2"})
