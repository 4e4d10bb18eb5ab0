"""The sums of a slip name what they are: nothing is called owed twice, and no coin a note."""

from __future__ import annotations

import pytest

from kiosk.core.slip_layouts import sum_word
from kiosk.texts import Catalogue

PLAIN = ("due", "tender", "note:2000", "applied", "overpayment")


@pytest.mark.parametrize(
    ("name", "names", "word"),
    [
        ("overpayment", PLAIN, "overpayment"),
        ("overpayment", (*PLAIN, "change"), "above"),
        ("overpayment", (*PLAIN, "change_pending", "owed"), "above"),
        ("owed", (*PLAIN, "change", "owed"), "owed"),
        ("tender", PLAIN, "tender"),
        ("tender", (*PLAIN, "coin:25"), "inserted"),
    ],
)
def test_a_sum_is_named_beside_the_others(name: str, names: tuple[str, ...], word: str) -> None:
    assert sum_word(name, names) == f"slip.total.{word}"


def test_every_name_of_a_sum_has_a_word_of_its_own_in_each_language() -> None:
    catalogue = Catalogue.load()
    for language in ("en", "es", "ar", "qps"):
        words = [catalogue.word(f"slip.total.{name}", language) for name in ("tender", "inserted", "above", "owed")]
        assert len(set(words)) == 4, language
        assert not any("slip.total" in word for word in words), language
