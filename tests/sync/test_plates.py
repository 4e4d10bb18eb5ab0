"""Plates: one form, one key, and nothing that could be guessed back."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ReplicaError
from kiosk.sync.plates import key_beside, normal_form, plate_hash, read_key, read_or_make_key

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
PLATES = st.text(alphabet=LETTERS, min_size=1, max_size=10)


@st.composite
def spelt(draw: st.DrawFn) -> tuple[str, str]:
    """A plate, and another way to write it."""
    plate = draw(PLATES)
    between = draw(st.lists(st.text(alphabet=" -.\t", max_size=2), min_size=len(plate), max_size=len(plate)))
    cases = draw(st.lists(st.booleans(), min_size=len(plate), max_size=len(plate)))
    told = (gap + (letter.lower() if low else letter) for letter, gap, low in zip(plate, between, cases, strict=True))
    return plate, "".join(told)


@given(spelt(), st.binary(min_size=1, max_size=32))
def test_spaces_dashes_and_case_make_no_other_plate(pair: tuple[str, str], key: bytes) -> None:
    plate, otherwise = pair
    assert plate_hash(plate, key) == plate_hash(otherwise, key)


@given(PLATES, PLATES, st.binary(min_size=32, max_size=32))
def test_two_plates_have_two_hashes(one: str, two: str, key: bytes) -> None:
    assert (plate_hash(one, key) == plate_hash(two, key)) is (one == two)


@given(PLATES, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_another_key_makes_another_hash(plate: str, one: bytes, two: bytes) -> None:
    assert (plate_hash(plate, one) == plate_hash(plate, two)) is (one == two)


def test_a_state_makes_another_plate_and_cannot_be_mistaken_for_letters_of_it() -> None:
    key = b"k" * 32
    hashes = [plate_hash("EXM101", key), plate_hash("EXM101", key, "NY"), plate_hash("NYEXM101", key)]
    assert len(set(hashes)) == 3
    assert plate_hash("exm 101", key, "n.y.") == hashes[1]


@given(st.text(max_size=30))
def test_only_plain_letters_and_digits_count(written: str) -> None:
    assert set(normal_form(written)) <= set(LETTERS)
    assert normal_form(normal_form(written)) == normal_form(written)


def test_a_key_is_made_once_for_the_kiosks_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = key_beside(tmp_path / "state" / "sync.db")
    before = os.umask(0)
    try:
        made = read_or_make_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made) == 32
    assert read_or_make_key(path) == read_key(path) == made
    assert read_or_make_key(tmp_path / "other.key") != made


@pytest.mark.parametrize("content", ["", "0" * 63, "g" * 64, "0" * 66, "ö" * 64])
def test_a_key_that_is_none_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plate.key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    for take in (read_key, read_or_make_key):
        with pytest.raises(ReplicaError, match="64 hexadecimal") as told:
            take(path)
        assert content == "" or content not in str(told.value)
    assert path.read_text(encoding="utf-8") == content


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plate.key"
    read_or_make_key(path)
    path.chmod(0o640)
    with pytest.raises(ReplicaError, match="open to others"):
        read_key(path)


def test_a_missing_key_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ReplicaError, match="does not exist") as told:
        read_key(tmp_path / "plate.key")
    assert "import" in told.value.hint
