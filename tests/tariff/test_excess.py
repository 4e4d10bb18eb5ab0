"""What becomes of money above the amount due: data of each service; change only where all of a cart give it."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.errors import PolicyError
from kiosk.tariff.cash import strictest_excess
from kiosk.tariff.services import load_service
from tests.tariff.example_city import library, texts

TAX = texts()["services/property_tax.toml"]


@pytest.mark.parametrize("over", ["change", "credit", "refund", "refuse"])
def test_a_service_says_what_becomes_of_an_excess(over: str) -> None:
    assert load_service(TAX.replace('over = "refund"', f'over = "{over}"'), "property_tax.toml").over == over


def test_a_word_that_nobody_knows_is_refused() -> None:
    with pytest.raises(PolicyError, match="over"):
        load_service(TAX.replace('over = "refund"', 'over = "keep"'), "property_tax.toml")


@pytest.mark.parametrize(
    ("overs", "expected"),
    [
        ((), "credit"),
        (("credit", "credit"), "credit"),
        (("credit", "refund"), "refund"),
        (("refund", "refuse", "credit"), "refuse"),
        (("change", "change"), "change"),
        (("change", "credit"), "credit"),
    ],
)
def test_the_strictest_service_of_a_cart_decides(overs: tuple[str, ...], expected: str) -> None:
    service = library().service("water_bill")
    assert strictest_excess(msgspec.structs.replace(service, over=over) for over in overs) == expected
