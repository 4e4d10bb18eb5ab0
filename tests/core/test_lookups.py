"""From a label to a price or to words: hostile scans included."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.checkout.counter import CityCounter
from kiosk.checkout.effects import LookUp
from kiosk.core.books import Books
from kiosk.core.lookups import InvoiceSource, look_up
from kiosk.core.pages import Applied
from kiosk.errors import ReplicaError
from kiosk.model.invoice import Invoice, PostedThrough
from tests.core.kernel_rig import PARKING, WATER, Invoices
from tests.tariff.example_city import chart, library

TODAY = dt.date(2026, 11, 22)
COUNTER = CityCounter(library(), chart(), "USD")


def ask(text: str, source: InvoiceSource | None, books: Books | None = None) -> tuple[str, int | None, str]:
    """Message id ("" for an item), due, and the fault for the health page."""
    found, fault = look_up(LookUp(text, typed=True), COUNTER, source, books or Books(), TODAY)
    if found.item is None:
        assert found.problem is not None
        return found.problem.id, None, fault
    return "", found.item.quote.due_minor, fault


def test_a_known_number_is_priced() -> None:
    assert ask(WATER, Invoices()) == ("", 8317, "")
    assert ask(PARKING, Invoices())[1] != 0


@pytest.mark.parametrize("text", ["", "\0" * 9, "<script>alert(1)</script>", "9" * 4096, "@\n\x1e\rANSI 636000", "٤٥٦"])
def test_a_hostile_scan_gets_words_and_nothing_else(text: str) -> None:
    for typed in (True, False):
        found, fault = look_up(LookUp(text, typed=typed), COUNTER, Invoices(), Books(), TODAY)
        assert found.item is None
        assert found.problem is not None
        assert found.problem.id.startswith("notice.")
        assert text == "" or text not in str(found.problem)
        assert fault == ""


@given(st.text(max_size=80), st.booleans())
def test_any_text_gets_an_answer(text: str, typed: bool) -> None:
    found, _ = look_up(LookUp(text, typed=typed), COUNTER, Invoices(), Books(), TODAY)
    assert (found.item is None) != (found.problem is None)


def test_a_wrong_check_digit_is_told_as_such() -> None:
    assert ask("260004208", Invoices())[0] == "notice.wrong_check_digit"


def test_an_unknown_number_is_not_found() -> None:
    source = Invoices()
    source.rows.clear()
    assert ask(PARKING, source)[0] == "notice.not_found"


def test_without_reference_data_the_person_is_told() -> None:
    assert ask(WATER, None)[0] == "notice.data_missing"

    class Broken(Invoices):
        def find(self, service: str, number: str) -> Invoice | None:
            raise ReplicaError("the replica is damaged")

    assert ask(WATER, Broken()) == ("notice.data_missing", None, "the replica is damaged")


def test_own_payments_that_the_hub_has_not_counted_lower_the_balance() -> None:
    books = Books(applied={f"water_bill/{WATER}": [Applied(1, 10, 3000), Applied(1, 20, 1000)]})
    source = Invoices()
    assert ask(WATER, source, books)[1] == 4317
    row = source.rows["water_bill", WATER]
    counted = msgspec.structs.replace(row, posted_through=PostedThrough(1, 10), paid_minor=3000)
    source.rows["water_bill", WATER] = counted
    assert ask(WATER, source, books)[1] == 4317
    both = msgspec.structs.replace(row, posted_through=PostedThrough(1, 20), paid_minor=4000)
    source.rows["water_bill", WATER] = both
    assert ask(WATER, source, books)[1] == 4317
