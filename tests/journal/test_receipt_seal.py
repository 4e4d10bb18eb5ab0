"""The sealed line of a receipt: the city's published keys prove it, and nothing else does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ReceiptError
from kiosk.journal.keys import SigningKey
from kiosk.journal.receipt_seal import (
    LONGEST,
    Place,
    PublishedKey,
    check,
    describe,
    load_keys,
    read,
    receipt_id,
    seal,
)
from kiosk.model.facts import Committed, Fact, ReceiptIssued, ReceiptTotal
from tests.journal.conftest import stamp_at

KEY, FORGER = SigningKey.from_seed(b"k" * 32), SigningKey.from_seed(b"f" * 32)
TOTALS = (
    ReceiptTotal("due", 8317), ReceiptTotal("tender", 8500), ReceiptTotal("applied", 8317),
    ReceiptTotal("overpayment", 183),
)  # fmt: skip


def slip(*, realm: str = "live", kind: str = "receipt", totals: tuple[ReceiptTotal, ...] = TOTALS) -> Committed:
    body = ReceiptIssued(412, kind, 1, "en", (), totals, "USD", 98230)
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=98231, realm=realm, stamp=stamp_at(10), body=body)
    return Committed(fact, bytes(range(32)))


def published(key: SigningKey = KEY, **more: Any) -> dict[Place, PublishedKey]:
    found = PublishedKey("K07", 1, key.public_hex, **more)
    return {found.place: found}


def test_a_sealed_line_verifies_against_the_published_key() -> None:
    verdict = check(seal(slip(), KEY), published())
    assert (verdict.good, verdict.reason, verdict.specimen) == (True, "good", False)
    assert verdict.receipt is not None
    assert str(verdict.receipt.receipt_id) == str(receipt_id(slip())) == "K07-1-000412-0001"
    assert (verdict.receipt.tender_minor, verdict.receipt.applied_minor) == (8500, 8317)


def test_the_same_slip_always_gives_the_same_line() -> None:
    assert seal(slip(), KEY) == seal(slip(), KEY)


def test_a_forger_with_a_key_of_his_own_proves_nothing() -> None:
    assert check(seal(slip(), FORGER), published()).reason == "bad_signature"


def test_a_key_cannot_travel_in_the_receipt() -> None:
    line = seal(slip(), FORGER)
    assert KEY.public_hex not in line
    assert check(f"{line}|{FORGER.public_hex}", published()).reason == "unreadable"


def test_an_unknown_kiosk_or_epoch_is_told_apart_from_a_forgery() -> None:
    assert check(seal(slip(), KEY), {}).reason == "unknown_kiosk"
    later = PublishedKey("K07", 2, KEY.public_hex)
    assert check(seal(slip(), KEY), {later.place: later}).reason == "unknown_key"


def test_the_key_of_another_kiosk_proves_nothing_of_this_one() -> None:
    other = PublishedKey("K08", 1, FORGER.public_hex)
    assert check(seal(slip(), FORGER), {**published(), other.place: other}).reason == "bad_signature"
    assert check(seal(slip(), FORGER), {other.place: other}).reason == "unknown_kiosk"


def test_a_revoked_key_is_never_good() -> None:
    """Not even for a date before it was revoked: who holds the key can write any date."""
    verdict = check(seal(slip(), KEY), published(revoked=True))
    assert (verdict.good, verdict.reason) == (False, "revoked")


ISSUED = stamp_at(10).at.local().date()
DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("start", "end", "good"),
    [
        (None, None, True), (ISSUED, ISSUED, True), (ISSUED - DAY, None, True), (None, ISSUED, True),
        (ISSUED + DAY, None, False), (None, ISSUED - DAY, False), (ISSUED + DAY, ISSUED + 9 * DAY, False),
    ],
)  # fmt: skip
def test_a_key_is_good_on_the_days_for_which_the_city_lists_it(
    start: dt.date | None, end: dt.date | None, good: bool
) -> None:
    verdict = check(seal(slip(), KEY), published(valid_from=start, valid_until=end))
    assert (verdict.good, verdict.reason) == (good, "good" if good else "out_of_date")


@pytest.mark.parametrize("realm", ["training", "demo"])
def test_a_genuine_specimen_is_told_as_one_and_is_never_good(realm: str) -> None:
    verdict = check(seal(slip(realm=realm), KEY), published(realm=realm))
    assert (verdict.good, verdict.reason, verdict.specimen) == (False, "specimen", True)


def test_a_training_receipt_presented_as_live_is_refused() -> None:
    """Its realm changed on paper, or signed as live by training's own key: the live key alone proves a live receipt."""
    training = PublishedKey("K07", 1, FORGER.public_hex, realm="training")
    both = {**published(), training.place: training}
    honest = seal(slip(realm="training"), FORGER)
    assert check(honest, both).reason == "specimen"
    assert check(honest.replace("|training|", "|live|"), both).reason == "bad_signature"
    assert check(seal(slip(), FORGER), both).reason == "bad_signature"
    assert check(seal(slip(), FORGER), {training.place: training}).reason == "unknown_key"


def test_a_specimen_of_an_unlisted_realm_is_not_even_a_specimen() -> None:
    verdict = check(seal(slip(realm="training"), KEY), published())
    assert (verdict.good, verdict.reason, verdict.specimen) == (False, "unknown_key", True)


@pytest.mark.parametrize("place", range(15))
def test_every_altered_field_fails(place: int) -> None:
    parts = seal(slip(), KEY).split("|")
    old = parts[place]
    parts[place] = str(int(old) + 1) if old.isdigit() else ("B" if old[0] == "A" else "A") + old[1:]
    assert parts[place] != old
    verdict = check("|".join(parts), published())
    assert not verdict.good
    assert verdict.reason in ("bad_signature", "unreadable", "unknown_kiosk", "unknown_key")


@given(st.data())
def test_no_changed_character_leaves_the_line_good(data: st.DataObject) -> None:
    line = seal(slip(), KEY)
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda each: each != line[place]))
    changed = line[:place] + other + line[place + 1 :]
    verdict = check(changed, published())
    if changed.strip() != line:
        assert not verdict.good


def test_a_signature_has_one_spelling() -> None:
    # The last base64url character carries four bits more than the signature has, and decoders take "+/" for "-_".
    line = next(line for line in (seal(slip(kind=f"k{n}"), KEY) for n in range(99)) if "_" in line.split("|")[-1])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [line[:-1] + other for other in alphabet if other != line[-1]]
    head, _, signature = line.rpartition("|")
    others += [f"{head}|{signature.replace('_', '/')}", f"{line}==", f"{line}="]
    assert check(line, published()).good
    assert [other for other in others if check(other, published()).good] == []


@given(st.one_of(st.text(max_size=600), st.binary(max_size=300).map(lambda raw: "KR1|" + raw.hex())))
def test_any_text_gets_a_verdict_and_no_exception(line: str) -> None:
    assert not check(line, published()).good


@pytest.mark.parametrize("line", ["", "KR1", "|" * 14, "KR1|" + "x" * LONGEST, "KR1|K07|١|" + "1|" * 12])
def test_what_is_no_sealed_line_is_unreadable(line: str) -> None:
    with pytest.raises(ReceiptError, match="not the code of a receipt"):
        read(line)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["receipt", "credit", "disputed", "suspense"]))
def test_what_is_sealed_is_read_back_whole(tender: int, over: int, kind: str) -> None:
    committed = slip(kind=kind, totals=(ReceiptTotal("tender", tender), ReceiptTotal("overpayment", over)))
    told, signature = read(seal(committed, KEY))
    assert told == describe(committed)
    assert len(signature) == 64


def test_a_note_slip_seals_the_notes_value() -> None:
    assert describe(slip(kind="suspense", totals=(ReceiptTotal("note", 2000),))).tender_minor == 2000


def test_the_published_list_is_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    row = {"kiosk": "K07", "epoch": 1, "public_key": KEY.public_hex}
    path.write_text(json.dumps({"city": "Example City", "keys": [row]}), encoding="utf-8")
    assert check(seal(slip(), KEY), load_keys(path)).good
    path.write_text(json.dumps({"city": "Example City", "keys": [{**row, "note": 1}]}), encoding="utf-8")
    with pytest.raises(ReceiptError, match="not a list of published keys"):
        load_keys(path)
    with pytest.raises(ReceiptError, match="cannot be read"):
        load_keys(tmp_path / "missing.json")


def test_a_published_key_that_is_no_key_makes_nothing_good() -> None:
    broken = PublishedKey("K07", 1, "zz")
    assert not check(seal(slip(), KEY), {broken.place: broken}).good


LISTED = {"kiosk": "K07", "epoch": 1, "public_key": KEY.public_hex}
CONTRADICTIONS = {
    "one place twice": ([LISTED, {**LISTED, "revoked": True}], "twice"),
    "one key for two realms": ([LISTED, {**LISTED, "realm": "training"}], "another kiosk or realm"),
    "one key for two kiosks": ([LISTED, {**LISTED, "kiosk": "K08"}], "another kiosk or realm"),
    "no key": ([{**LISTED, "public_key": "zz"}], "is no key"),
    "capitals": ([{**LISTED, "public_key": KEY.public_hex.upper()}], "is no key"),
    "no realm": ([{**LISTED, "realm": "moon"}], "is no key"),
    "no date": ([{**LISTED, "valid_from": "soon"}], "not a list"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_list_that_contradicts_itself_is_refused_whole(tmp_path: Path, name: str) -> None:
    rows, problem = CONTRADICTIONS[name]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"city": "Example City", "keys": rows}), encoding="utf-8")
    with pytest.raises(ReceiptError, match=problem):
        load_keys(path)


def test_one_key_may_serve_several_epochs_of_its_journal(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"city": "Example City", "keys": [LISTED, {**LISTED, "epoch": 2}]}), encoding="utf-8")
    assert check(seal(slip(), KEY), load_keys(path)).good
