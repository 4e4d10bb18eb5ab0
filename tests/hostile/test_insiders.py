"""Ten ways in which somebody who works here would cheat: each is prevented, or named by `journal verify`.

Three kinds of insider appear: one with a PIN, one with a hand in the machine's files, and one who has stolen the
journal's key as well and can make every hash and signature fit again.  Against the third only what was kept
elsewhere helps: a receipt, a Z slip, a signed head.
"""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.checkout import intents
from kiosk.core import view
from kiosk.core.people import Person, hash_of
from kiosk.errors import ConfigError, JournalError
from kiosk.journal.encoding import chain, decode, encode, head_message
from kiosk.journal.findings import Finding
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.receipt_seal import PublishedKey, check, seal
from kiosk.journal.store import Journal
from kiosk.journal.verify import Witness, verify
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.slip import Words
from tests.core.kernel_rig import KEY, NS, Rig
from tests.core.test_exchange import paid

SUNDAY = dt.date(2026, 11, 22)
TO_MIDNIGHT_S = 13 * 3600 + 45 * 60 + 1


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()


def found(path: Path, *witnesses: str, keys: tuple[str, ...] | None = (KEY.public_hex,)) -> set[str]:
    """Return the codes of all that verify finds; the city's published key is known."""
    outside = [witness for told in witnesses if (witness := Witness.parse(told)) is not None]
    assert len(outside) == len(witnesses)
    with Reader(path) as reader:
        told: list[Finding] = verify(reader, published_keys=keys, witnesses=outside)
    return {each.code for each in told}


def head(rig: Rig) -> str:
    """The head of the journal, as the last line of a slip tells it."""
    return f"{rig.kernel.books.epoch}/{rig.kernel.books.seq}:{rig.kernel.books.head[:16]}"


def tamper(path: Path, statement: str, *values: Any) -> None:
    """Change the file as somebody does who owns the machine: without its guards."""
    link = sqlite3.connect(path)
    guards = link.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        link.execute(f"DROP TRIGGER {name}")
    link.execute(statement, values)
    for _, text in guards:
        link.execute(text)
    link.commit()
    link.close()


def forge(path: Path, change: Callable[[facts.Fact], facts.Fact | None], key: SigningKey) -> None:
    """Write the journal anew with changed facts, every hash and signature made to fit under `key`."""
    link = sqlite3.connect(path)
    guards = link.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in guards:
        link.execute(f"DROP TRIGGER {name}")
    columns = [row[1] for row in link.execute("PRAGMA table_info(facts)")]
    rows = [dict(zip(columns, row, strict=True)) for row in link.execute("SELECT * FROM facts ORDER BY place")]
    link.execute("DELETE FROM facts")
    link.execute("DELETE FROM checkpoint")
    last, seq = bytes(32), 0
    for row in rows:
        fact = change(decode(row["row"]))
        if fact is None:
            continue
        seq += 1
        fact = msgspec.structs.replace(fact, seq=seq)
        row["row"] = encode(fact)
        last = row["hash"] = chain(last, row["row"])
        row["seq"], row["place"] = seq, row["place"] - (row["seq"] - seq)
        if row["signature"] is not None:
            row["signature"] = key.sign(head_message(fact.kiosk, fact.epoch, seq, last))
        link.execute(
            f"INSERT INTO facts ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [row[name] for name in columns],
        )
    for _, text in guards:
        link.execute(text)
    link.commit()
    link.close()


# --- 1. count, knowing the expected sum --------------------------------------------------------------------------


def test_nobody_can_both_count_and_see_what_is_expected(rig: Rig) -> None:
    with pytest.raises(ConfigError, match="count and audit"):
        Person("p09", ("count", "audit"), hash_of("2580"))
    paid(rig, 5000, 2000)
    rig.exchange()
    rig.sign_in("p04")
    seen = msgspec.json.encode(view.snapshot(rig.kernel, version=1, boot="b"))
    seen += msgspec.json.encode(view.health(rig.kernel, lines=[], plugins=(), started=""))
    for committed in rig.committed:
        if isinstance(committed.fact.body, facts.ReceiptIssued) and committed.fact.body.slip in ("z", "box_exchange"):
            laid = rig.kernel.parts.slips.lay_out(committed, seal(committed, KEY))
            seen += " ".join(line.text for line in laid.lines if isinstance(line, Words)).encode()
    for told in (b"7000", b"70.00", b'"5000":', b"50.00"):
        assert told not in seen


# --- 2. void a payment by the same person ------------------------------------------------------------------------


def test_no_person_at_the_kiosk_can_void_a_payment(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sign_in("p01")
    offered = set(view.snapshot(rig.kernel, version=1, boot="b").allowed)
    assert not {"void", "reverse", "refund"} & offered
    assert not any("void" in intent.__name__.lower() for intent in intents.Intent.__subclasses__())


def test_a_reversal_of_a_payment_that_somebody_with_the_key_writes_is_named(rig: Rig) -> None:
    paid(rig, 5000)
    (place,) = [c.fact for c in rig.committed if isinstance(c.fact.body, facts.Settled)]
    entry = place.body.entry
    undone = Entry(entry.currency, tuple(Posting(each.account, -each.minor) for each in entry.postings), "reversal")
    stamp = msgspec.structs.replace(rig.committed[-1].fact.stamp, actor="operator:p01")
    rig.journal.append((facts.Reversed(1, place.seq, "void", undone),), stamp)
    assert "reversal_of_payment" in found(rig.path)


# --- 3. training receipts as live --------------------------------------------------------------------------------


def test_a_receipt_of_another_realm_is_never_valid_as_live(rig: Rig) -> None:
    paid(rig, 5000)
    (receipt,) = [c for c in rig.committed if isinstance(c.fact.body, facts.ReceiptIssued)]
    line = seal(receipt, KEY)
    listed = PublishedKey("K07", 1, KEY.public_hex)
    published = {listed.place: listed}
    verdict = check(line, published)
    assert not (verdict.good and verdict.receipt is not None and verdict.receipt.realm == "live")
    as_live = check(line.replace("|demo|", "|live|"), published)
    assert not as_live.good


def test_facts_of_training_in_a_live_journal_are_named(rig: Rig) -> None:
    paid(rig, 5000)
    rig.journal.close()
    forge(rig.path, lambda fact: msgspec.structs.replace(fact, realm="training") if fact.seq > 3 else fact, KEY)
    assert found(rig.path) & {"realm_changed", "identity_changed"}
    rig.start()


# --- 4. a removed box put back -----------------------------------------------------------------------------------


def test_a_box_that_was_taken_out_and_put_back_is_an_alarm_and_has_to_be_counted(rig: Rig) -> None:
    paid(rig, 5000)
    rig.news("notes", d.CashboxRemoved())
    rig.news("notes", d.CashboxInserted())
    assert rig.kernel.books.alarms == ("cashbox_removed",)
    assert [page.session for page in rig.kernel.books.uncounted()] == [1]
    assert rig.kernel.books.box == {}
    rig.journal.close()
    forge(rig.path, lambda fact: None if isinstance(fact.body, facts.AlarmRaised) else fact, KEY)
    assert "removal_unalarmed" in found(rig.path)
    rig.start()


# --- 5. the clock turned back over the cut-off -------------------------------------------------------------------


def test_a_clock_turned_back_over_the_cut_off_reopens_no_date_and_is_named(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sleep(TO_MIDNIGHT_S)
    rig.time.offset -= 3 * 3600 * NS
    rig.wait(2)
    rig.kernel.believe_clock("admin:0")
    paid(rig, 1000)
    (late,) = {c.fact.stamp.late for c in rig.committed if c.fact.stamp.late is not None}
    assert late == facts.Late(SUNDAY + dt.timedelta(days=1), 1)
    assert "clock_before_closing" in found(rig.path)


# --- 6. a deleted tail -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", ["a later receipt", "the head on a Z slip", "a signed head kept elsewhere"])
def test_a_deleted_tail_is_found_by_what_was_kept_elsewhere(rig: Rig, kept: str) -> None:
    paid(rig, 5000)
    cut = rig.kernel.books.seq
    paid(rig, 1000)
    if kept == "a later receipt":
        receipt = [c for c in rig.committed if isinstance(c.fact.body, facts.ReceiptIssued)][-1]
        witness = f"1/{receipt.fact.seq}:{receipt.hash.hex()[:16]}"
    elif kept == "the head on a Z slip":
        rig.exchange()
        slip = [c.fact.body for c in rig.committed if isinstance(c.fact.body, facts.ReceiptIssued)][-1]
        (printed,) = [each.value for each in slip.particulars if each.name == "head"]
        witness = ":".join(printed.split())
    else:
        witness = head(rig)
    rig.journal.close()
    tamper(rig.path, "DELETE FROM facts WHERE seq > ?", cut)
    assert found(rig.path) == set()  # a shorter chain is a whole chain …
    assert found(rig.path, witness) == {"witness_differs"}  # … but not the one that was
    rig.start()


# --- 7. an edited fact -------------------------------------------------------------------------------------------


def test_an_edited_fact_breaks_the_chain_and_a_forged_chain_its_signatures_and_witnesses(rig: Rig) -> None:
    paid(rig, 5000)
    witness = head(rig)
    rig.journal.close()
    honest = rig.path.read_bytes()

    def less(fact: facts.Fact) -> facts.Fact:
        body = fact.body
        if isinstance(body, facts.StackIntended | facts.NoteCredited) and body.value.minor == 5000:
            return msgspec.structs.replace(
                fact, body=msgspec.structs.replace(body, value=body.value.__class__(2000, "USD"))
            )
        return fact

    link = sqlite3.connect(rig.path)
    (seq, row), *_ = link.execute("SELECT seq, row FROM facts WHERE kind = 'note_credited'").fetchall()
    link.close()
    tamper(rig.path, "UPDATE facts SET row = ? WHERE seq = ?", encode(less(decode(row))), seq)
    assert "chain_broken" in found(rig.path)

    rig.path.write_bytes(honest)
    forge(rig.path, less, SigningKey.generate())
    assert "signature_bad" in found(rig.path)

    rig.path.write_bytes(honest)
    forge(rig.path, less, KEY)
    assert "witness_differs" in found(rig.path, witness)
    rig.path.write_bytes(honest)
    rig.start()


# --- 8. a copied journal -----------------------------------------------------------------------------------------


def test_a_copied_journal_cannot_be_written_without_its_key_and_its_fork_is_named(rig: Rig, tmp_path: Path) -> None:
    paid(rig, 5000)
    rig.journal.close()
    copy = tmp_path / "copy" / "journal.db"
    copy.parent.mkdir()
    shutil.copy(rig.path, copy)
    with pytest.raises(JournalError):
        Journal.open(copy, key=SigningKey.generate(), ballast_bytes=8192)
    rig.start()
    paid(rig, 1000)
    witness = head(rig)
    rig.journal.close()
    twin = rig.path
    rig.path = copy  # the copy goes on, too, with the key that was copied along
    rig.start()
    for _ in range(3):
        paid(rig, 500)
    rig.journal.close()
    assert found(copy) == set()
    assert found(copy, witness) == {"witness_differs"}
    rig.path = twin
    rig.start()


# --- 9. reprints as originals ------------------------------------------------------------------------------------


def test_a_reprint_says_copy_and_is_counted_by_the_closing(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sign_in("p01")
    rig.tap(intents.ReprintSlip(1))
    rig.tap(intents.ReprintSlip(1))
    rig.printed()
    (receipt,) = [c for c in rig.committed if isinstance(c.fact.body, facts.ReceiptIssued)]
    words = [
        line.text
        for line in rig.kernel.parts.slips.lay_out(receipt, seal(receipt, KEY), copy=2).lines
        if isinstance(line, Words)
    ]
    assert any("COPY 2" in told for told in words)
    rig.tap(intents.CloseDay())
    (z,) = [c.fact.body for c in rig.committed if isinstance(c.fact.body, facts.DayClosed)]
    assert z.period.reprints == rig.kernel.books.period.reprints + len(
        [c for c in rig.committed if isinstance(c.fact.body, facts.PrintStarted) and c.fact.body.copy]
    )


# --- 10. a payment re-dated --------------------------------------------------------------------------------------


def test_a_payment_dated_back_into_a_closed_date_is_named_even_where_every_hash_fits(rig: Rig) -> None:
    paid(rig, 5000)
    rig.sleep(TO_MIDNIGHT_S)
    paid(rig, 1000)
    rig.journal.close()

    def dated_back(fact: facts.Fact) -> facts.Fact:
        if isinstance(fact.body, facts.Settled) and fact.stamp.business_date > SUNDAY:
            return msgspec.structs.replace(fact, stamp=msgspec.structs.replace(fact.stamp, business_date=SUNDAY))
        return fact

    forge(rig.path, dated_back, KEY)
    assert found(rig.path) & {"date_closed", "business_date_fell"}
    rig.start()
