"""Every vector of the domain sheet §7, its blind spots included."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.tariff.check_digits import CODE39, damm, luhn, mod10, mod43

CREDITRON = "00345678901" + "110296" + "0000" + "0000001000" + "0000001000"
BODIES = st.text("0123456789", min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("body", "digit"), [("7992739871", "3"), ("26000417", "1"), ("10000123", "9"), ("2609017", "5"), ("2690017", "5")]
)
def test_luhn_gives_the_digit_of_the_sheet(body: str, digit: str) -> None:
    assert luhn(body) == digit


@pytest.mark.parametrize(
    ("body", "digit"), [("572", "4"), ("26000417", "5"), ("10000123", "5"), ("2609017", "2"), ("2690017", "3")]
)
def test_damm_gives_the_digit_of_the_sheet(body: str, digit: str) -> None:
    assert damm(body) == digit


@pytest.mark.parametrize("wrong", ["5742", "7524", "260004715"])
def test_damm_refuses_what_the_sheet_says_fails(wrong: str) -> None:
    assert damm(wrong[:-1]) != wrong[-1]


@pytest.mark.parametrize("blind", ["57240", "005724"])
def test_damm_alone_is_blind_to_zeros_at_either_end_so_lengths_are_fixed(blind: str) -> None:
    assert damm(blind[:-1]) == blind[-1]


def test_luhn_refuses_a_wrong_digit() -> None:
    assert luhn("7992739871") != "0"


@pytest.mark.parametrize(
    ("body", "letter"),
    [("12345ABCDE/", "T"), ("26000417", "K"), ("EX-26000417", "H"), ("26000418", "L"), ("26000471", "K")],
)
def test_code_39_modulo_43_gives_the_letter_of_the_sheet(body: str, letter: str) -> None:
    assert mod43(body) == letter


def test_a_creditron_line_of_42_digits_is_weighted_from_the_left() -> None:
    assert len(CREDITRON) == 41
    assert mod10(CREDITRON, (2, 1)) == "8"


def test_the_creditron_line_that_circulates_as_a_sample_fails() -> None:
    sample = CREDITRON.replace("110296", "110196")
    assert mod10(sample, (2, 1)) == "0"


def test_a_naviga_body_gives_the_digit_of_the_sheet() -> None:
    assert mod10("76543210", (2, 1)) == "4"
    assert mod10("76543210", (2, 1)) != "5"


def test_a_body_with_foreign_letters_has_no_check_digit() -> None:
    assert [damm("12a"), luhn("١٢"), mod10("", (2, 1)), mod43("é"), mod43("")] == [None] * 5


@given(BODIES, st.integers(0, 19))
def test_damm_finds_every_swap_of_neighbours(body: str, place: int) -> None:
    whole = body + str(damm(body))
    place %= max(1, len(whole) - 1)
    swapped = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
    assert swapped == whole or damm(swapped[:-1]) != swapped[-1]


@given(BODIES, st.integers(0, 20), st.sampled_from("0123456789"))
def test_damm_and_luhn_find_every_single_wrong_digit(body: str, place: int, digit: str) -> None:
    for algorithm in (damm, luhn):
        whole = body + str(algorithm(body))
        at = place % len(whole)
        wrong = whole[:at] + digit + whole[at + 1 :]
        assert wrong == whole or algorithm(wrong[:-1]) != wrong[-1]


@given(BODIES)
def test_luhn_is_modulus_10_with_weights_2_and_1_from_the_right(body: str) -> None:
    assert luhn(body) == mod10(body, (2, 1), from_right=True)


@given(st.text(CODE39, min_size=1, max_size=30))
def test_code_39_modulo_43_always_answers_with_one_of_its_letters(body: str) -> None:
    assert str(mod43(body)) in CODE39
