"""`verify` finds whatever was changed, left out or never should have been written."""

from __future__ import annotations

import datetime as dt
import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import LedgerError
from kiosk.journal.books import Books
from kiosk.journal.chain import ChainWalk
from kiosk.journal.encoding import ROOT_HASH, Row
from kiosk.journal.files import signed_row
from kiosk.journal.findings import CODES, Finding
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import Witness, commit_books, examine, verify
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import AnyBody, ClockJumped, EpochStarted, Fact, Genesis, SessionClosed, Stamp
from tests.journal.conftest import stamp_at
from tests.journal.examples import (
    STARTED,
    credited,
    disputed,
    intended,
    moved,
    payment,
    receipt,
    returned,
    reversal,
    settled,
    suspended,
)

KEY = SigningKey.from_seed(bytes(range(32)))


def rows_of(bodies: Sequence[AnyBody], stamps: Sequence[Stamp] | None = None, **envelope: object) -> list[Row]:
    """Chain and sign bodies after a genesis, without any of the journal's own checks."""
    rows: list[Row] = []
    head = ROOT_HASH
    for seq, body in enumerate([Genesis(KEY.public_hex), *bodies], 1):
        at = stamps[seq - 1] if stamps else stamp_at(seq)
        fact = Fact(version=1, kiosk="K07", epoch=1, seq=seq, realm="demo", stamp=at, body=body)
        if seq == len(bodies) + 1:
            fact = msgspec.structs.replace(fact, **envelope)
        rows.append(signed_row(fact, head, KEY))
        head = rows[-1].hash
    return rows


def walk(rows: Sequence[Row], published: Sequence[str] | None = None) -> list[Finding]:
    """Verify rows as `examine` does, from memory."""
    found: list[Finding] = []
    chain, books, commits = ChainWalk(found.append, published), Books(found.append, None), commit_books(found.append)
    for row in rows:
        fact = chain.step(row)
        if fact is not None:
            books.step(fact)
        commits.step(row, fact)
    chain.end()
    books.end()
    commits.end()
    assert all(finding.code in CODES for finding in found)
    return found


def codes(bodies: Sequence[AnyBody]) -> list[str]:
    return [finding.code for finding in walk(rows_of(bodies))]


SOUND = rows_of([*payment(2), *payment(8, serial=3, number=2), suspended(5, 500), receipt(3, 14, 0, 0, "suspense")])


def test_a_sound_journal_gives_no_finding() -> None:
    assert walk(SOUND) == []


# --- evidence ------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(data=st.data())
def test_one_flipped_bit_in_any_row_or_hash_or_signature_is_found(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SOUND) - 1))
    field = data.draw(st.sampled_from(["row", "hash", "signature"]))
    old = getattr(SOUND[at], field)
    byte, bit = data.draw(st.integers(0, len(old) - 1)), data.draw(st.integers(0, 7))
    new = old[:byte] + bytes([old[byte] ^ 1 << bit]) + old[byte + 1 :]
    changed = [*SOUND[:at], SOUND[at]._replace(**{field: new}), *SOUND[at + 1 :]]
    assert any(finding.severity == "error" and finding.seq in (at + 1, at + 2) for finding in walk(changed))


@settings(max_examples=60)
@given(at=st.integers(0, len(SOUND) - 2))
def test_a_row_left_out_is_found(at: int) -> None:
    assert {finding.code for finding in walk([*SOUND[:at], *SOUND[at + 1 :]])} >= {"gap", "chain_broken"}


def test_rows_in_another_order_are_found() -> None:
    assert "gap" in {finding.code for finding in walk([*SOUND[:4], SOUND[5], SOUND[4], *SOUND[6:]])}


def test_a_rewritten_chain_with_another_key_is_found_by_the_published_keys() -> None:
    assert walk(SOUND, [KEY.public_hex.upper()]) == []
    assert [one.code for one in walk(SOUND, [SigningKey.generate().public_hex])] == ["key_unpublished"]


def test_a_signature_by_another_key_is_found() -> None:
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=15, realm="demo", stamp=stamp_at(99), body=STARTED)
    assert len(SOUND) == 15
    forged = signed_row(msgspec.structs.replace(fact, seq=16), SOUND[-1].hash, SigningKey.generate())
    assert [one.code for one in walk([*SOUND, forged])] == ["signature_bad"]


def test_a_commit_without_its_signed_end_is_found() -> None:
    assert [one.code for one in walk([*SOUND[:-1], SOUND[-1]._replace(signature=None)])] == ["tail_unsigned"]


def test_columns_that_differ_from_the_hashed_bytes_are_found() -> None:
    changed = [SOUND[0], SOUND[1]._replace(kind="note_credited"), *SOUND[2:]]
    assert [one.code for one in walk(changed)] == ["row_misplaced"]


def test_a_fact_of_another_kiosk_or_realm_is_found() -> None:
    assert [one.code for one in walk(rows_of([STARTED], kiosk="K08"))] == ["identity_changed"]
    assert [one.code for one in walk(rows_of([STARTED], realm="live"))] == ["realm_changed"]


def test_a_new_key_counts_only_at_the_start_of_an_epoch_that_names_the_end_of_the_old_one() -> None:
    other = SigningKey.generate()
    assert codes([Genesis(other.public_hex)]) == ["genesis_misplaced"]
    last = SOUND[-1]

    def epoch_two(previous_hash: str) -> list[str]:
        body = EpochStarted(1, last.seq, previous_hash, other.public_hex, "restore")
        fact = Fact(version=1, kiosk="K07", epoch=2, seq=1, realm="demo", stamp=stamp_at(99), body=body)
        return [one.code for one in walk([*SOUND, signed_row(fact, last.hash, other)])]

    assert epoch_two(last.hash.hex()) == []
    assert epoch_two("00" * 32) == ["epoch_unlinked"]


def test_falling_clocks_are_found_within_a_boot_only() -> None:
    def fell(second: int, boot: str, body: AnyBody = STARTED) -> list[str]:
        return [
            one.code for one in walk(rows_of([STARTED, body], [stamp_at(5), stamp_at(6), stamp_at(second, boot=boot)]))
        ]

    assert fell(4, "boot-1") == ["clock_fell", "wall_clock_fell"]
    assert fell(4, "boot-2") == []
    assert fell(7, "boot-1") == []
    assert fell(4, "boot-1", ClockJumped(-2000)) == ["clock_fell"]
    assert fell(5, "boot-1") == ["clock_fell"], "a second is what a time service may take back"


def test_a_business_date_never_falls() -> None:
    dates = [stamp_at(1), stamp_at(2), stamp_at(3, date=dt.date(2026, 3, 8))]
    assert [str(one.severity) for one in walk(rows_of([STARTED, STARTED], dates))] == ["error"]
    back = [stamp_at(1), stamp_at(900), stamp_at(2, date=dt.date(2026, 3, 8), boot="boot-2")]
    found = walk(rows_of([STARTED, STARTED], back))
    assert [(one.code, one.severity) for one in found] == [("business_date_fell", "warning")]


# --- money ---------------------------------------------------------------------------------------------------


def test_a_note_is_credited_once() -> None:
    twice = [intended(1, 2000), credited(1, 2000), credited(1, 2000)]
    assert codes(twice) == ["note_credited_twice"]
    assert codes([intended(1, 2000), credited(1, 2000), disputed(1, 2000)]) == ["note_credited_twice"]
    assert codes([suspended(1, 2000), credited(1, 2000, recovered=True)]) == ["note_credited_twice"]


def test_a_reversed_dispute_may_be_followed_by_the_credit() -> None:
    entry = moved("cash_in_dispute", "disputed", 2000)
    bodies = [intended(1, 2000), disputed(1, 2000), reversal(1, 3, entry), credited(1, 2000)]
    assert codes(bodies) == []


def test_a_returned_note_is_never_credited() -> None:
    assert codes([intended(1, 2000), returned(1), credited(1, 2000)]) == ["note_credited_after_return"]
    assert codes([intended(1, 2000), credited(1, 2000), returned(1)]) == ["note_credited_after_return"]
    assert codes([intended(1, 2000), returned(1), suspended(1, 2000)]) == []


def test_a_credit_needs_its_intent_unless_it_was_recovered() -> None:
    assert codes([credited(1, 2000)]) == ["note_without_intent"]
    assert codes([credited(1, 2000, recovered=True)]) == []
    assert codes([intended(1, 2000), credited(1, 5000)]) == ["note_value_changed"]


def test_an_entry_balances_and_moves_what_its_fact_tells() -> None:
    crooked = Entry("USD", (Posting("cash_box", 2000), Posting("unapplied", -1999)), "note")
    assert codes([intended(1, 2000), msgspec.structs.replace(credited(1, 2000), entry=crooked)]) == ["entry_unbalanced"]
    small = moved("cash_box", "unapplied", 1000)
    assert codes([intended(1, 2000), msgspec.structs.replace(credited(1, 2000), entry=small)]) == ["entry_differs"]
    assert codes([suspended(None, None)]) == []


def test_a_settlement_is_what_was_credited_in_its_session() -> None:
    notes = [intended(1, 2000), credited(1, 2000)]
    good = settled(2000, 1500)
    assert codes([*notes, good, receipt(1, 4, 2000, 1500)]) == []
    assert codes([*notes, settled(3000, 3000), receipt(1, 4, 3000, 3000)]) == ["settlement_differs"]
    short = msgspec.structs.replace(good, overpayment_minor=400)
    assert "settlement_differs" in codes([*notes, short, receipt(1, 4, 2000, 1500)])
    assert codes([*notes, settled(2000, 2500), receipt(1, 4, 2000, 2500)]) == ["settlement_differs"], "over-applied"
    assert codes([*notes, SessionClosed("timeout")]) == ["settlement_missing"]


def test_a_slip_for_a_pending_note_is_about_the_end_of_its_session() -> None:
    assert codes([intended(1, 2000), SessionClosed("fault"), receipt(1, 3, 0, 0, "pending")]) == []
    assert codes([intended(1, 2000), SessionClosed("fault"), receipt(1, 2, 0, 0, "pending")]) == ["receipt_differs"]


def test_every_settlement_with_money_has_a_receipt_that_says_the_same() -> None:
    notes = [intended(1, 2000), credited(1, 2000), settled(2000, 1500)]
    assert codes(notes) == ["receipt_missing"]
    assert set(codes([*notes, receipt(1, 4, 2000, 2000)])) == {"receipt_differs"}
    assert codes([*notes, receipt(1, 3, 2000, 1500)]) == ["receipt_differs", "receipt_missing"]


def test_receipt_numbers_run_without_gap_or_repeat() -> None:
    first = payment(2)
    assert codes([*first, *payment(8, serial=3, number=3)]) == ["receipt_number_gap"]
    assert codes([*first, *payment(8, serial=3, number=1)]) == ["receipt_number_twice"]


def test_a_reversal_undoes_one_earlier_entry_exactly_and_once() -> None:
    entry = moved("cash_box", "suspense", 500)
    undo = reversal(1, 2, entry)
    assert codes([suspended(1, 500), undo]) == []
    assert codes([suspended(1, 500), undo, undo]) == ["reversed_twice"]
    assert codes([suspended(1, 500), reversal(1, 1, entry)]) == ["reversal_unknown"]
    assert codes([suspended(1, 500), reversal(1, 2, moved("cash_box", "suspense", 400))]) == ["reversal_differs"]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from([500, 1000, 2000, 5000]), st.integers(0, 5000)), min_size=1, max_size=8))
def test_balances_are_rebuilt_from_the_entries(payments: list[tuple[int, int]]) -> None:
    found: list[Finding] = []
    books, seq = Books(found.append, None), 1
    for number, (note, due) in enumerate(payments, 1):
        applied = min(note, due) or note
        facts = [intended(number, note), credited(number, note), settled(note, applied)]
        for body in [*facts, receipt(number, seq + 2, note, applied)]:
            books.step(Fact(version=1, kiosk="K07", epoch=1, seq=seq, realm="demo", stamp=stamp_at(seq), body=body))
            seq += 1
    books.end()
    assert found == []
    applied_sum = sum(min(note, due) or note for note, due in payments)
    assert books.balances["cash_box", "USD"] == sum(note for note, _ in payments)
    assert books.balances["unapplied", "USD"] == 0
    assert books.balances["fines", "USD"] == -applied_sum
    assert sum(books.balances.values()) == 0


# --- whole files ---------------------------------------------------------------------------------------------


def test_a_written_journal_is_examined_whole(journal: Journal, path: Path, stamp: Stamp) -> None:
    journal.append(payment(2), stamp)
    with Reader(path) as reader:
        found = examine(reader, published_keys=[KEY.public_hex], check_entry=lambda entry: None)
    assert found.sound
    assert found.findings == []
    assert (found.facts, found.receipts, found.epoch, found.seq, found.head) == (7, 1, 1, 7, journal.head.hex())
    assert ("cash_box", "USD", 5000) in found.balances


def test_ledger_rules_and_claimed_balances_are_held_against_the_facts(
    journal: Journal, path: Path, stamp: Stamp
) -> None:
    journal.append([suspended(1, 500)], stamp)

    def refuse(entry: Entry) -> None:
        raise LedgerError("no such account")

    with Reader(path) as reader:
        assert [one.code for one in verify(reader, check_entry=refuse)] == ["entry_refused"]
        right = {("cash_box", "USD"): 500, ("suspense", "USD"): -500}
        assert verify(reader, claimed_balances=right) == []
        assert {one.code for one in verify(reader, claimed_balances={("cash_box", "USD"): 400})} == {"balance_differs"}


def test_a_cut_off_tail_is_found_by_a_witness_and_by_nothing_else(
    path: Path, key: SigningKey, journal: Journal
) -> None:
    journal.append([STARTED], stamp_at(1))
    head = journal.append([STARTED], stamp_at(2))[-1]
    journal.close()
    stranger = sqlite3.connect(path)
    stranger.executescript("DROP TRIGGER facts_are_not_removed; DELETE FROM facts WHERE place = (1 << 32) + 3;")
    with Reader(path) as reader:
        assert [one.code for one in verify(reader)] == ["guard_missing"]
    stranger.execute(
        "CREATE TRIGGER facts_are_not_removed BEFORE DELETE ON facts\n"
        "BEGIN SELECT RAISE(ABORT, 'facts are append-only: nothing is removed'); END"
    )
    stranger.close()
    with Reader(path) as reader:
        assert verify(reader) == []
        witness = Witness(3, head.hash.hex())
        assert [one.code for one in verify(reader, witnesses=[witness])] == ["witness_differs"]
        assert verify(reader, witnesses=[Witness(1, next(reader.rows()).hash.hex()[:4])]) == []
        assert [one.code for one in verify(reader, witnesses=[Witness(2, "00000000")])] == ["witness_differs"]


def test_an_emptied_journal_is_found(path: Path, journal: Journal) -> None:
    journal.close()
    stranger = sqlite3.connect(path)
    stranger.executescript("DROP TRIGGER facts_are_not_removed; DELETE FROM facts;")
    stranger.close()
    with Reader(path) as reader:
        assert [one.code for one in verify(reader)] == ["guard_missing", "empty"]


def test_a_damaged_page_becomes_a_finding_and_never_an_exception(path: Path, journal: Journal) -> None:
    for second in range(40):
        journal.append([STARTED] * 10, stamp_at(second))
    written = list(journal.rows())
    journal.close()
    whole, chance, seen = path.read_bytes(), random.Random(7), 0
    for _ in range(25):
        torn = bytearray(whole)
        page = chance.randrange(1, len(torn) // 4096) * 4096
        start = page + chance.randrange(3000)
        torn[start : start + 900] = chance.randbytes(900)
        path.write_bytes(torn)
        with Reader(path) as reader:
            found = verify(reader)
            # Bytes between the cells of a page belong to nothing: then every row is still as it was written.
            assert any(one.severity == "error" for one in found) or list(reader.rows()) == written
        seen += bool(found)
    assert seen > 15


def test_a_witness_is_read_as_people_write_it() -> None:
    assert Witness.parse("412:9f3c") == Witness(412, "9f3c", 1)
    assert Witness.parse(" 2/412:9F3C ") == Witness(412, "9f3c", 2)
    for text in ("", "412", "412:", "412:xyz1", "a:9f3c", "/4:9f3c", "4:" + "0" * 65):
        assert Witness.parse(text) is None
