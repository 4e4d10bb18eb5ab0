"""One byte that changes anywhere in the hub is named, and nothing else is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from bench.posted_fleet import City, Machine, store
from kiosk.hub.posting.codes import CODES
from kiosk.hub.posting.rules import Rules
from kiosk.hub.posting.verifying import Verification
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.journal.encoding import ROOT_HASH, Row, chain, decode, head_message, kind_of
from kiosk.journal.findings import CODES as JOURNAL_CODES
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from tests.hub.posting.conftest import DIGEST, post, register, register_key, rows
from tests.journal.story import KEY, rows_of, story

Change = Callable[[sa.Connection], None]


def _verify(stores: Stores, rules: Rules) -> list[tuple[str, str, int, int]]:
    found = Verification(stores, rules, digest=DIGEST).run().findings
    assert all(each.code in CODES or each.code in JOURNAL_CODES for each in found)
    return [(each.code, each.kiosk, each.epoch, each.seq) for each in found]


def _fill(stores: Stores, rules: Rules, city: City) -> list[Machine]:
    machines = [Machine("K01", city), Machine("K02", city)]
    register(stores, *machines)
    for each in machines:
        each.commit(facts.Started(False), facts.Commissioned("admin:0", "example-city 2026.1", "B1"), actor="admin:0")
        each.pay("100000001", 5000, 5000)
        each.pay(f"20000000{each.name[-1]}", 3000, 2000, 1000)
        store(stores, each)
        each.pay(f"30000000{each.name[-1]}", 3000, 2000, 2000)
    store(stores, *machines)
    post(stores, rules)
    return machines


@pytest.fixture
def filled(stores: Stores, rules: Rules, city: City) -> Stores:
    _fill(stores, rules, city)
    return stores


def test_a_sound_hub_has_no_finding(both_stores: Stores, rules: Rules, city: City) -> None:
    filled = both_stores
    _fill(filled, rules, city)
    verified = Verification(filled, rules, digest=DIGEST).run()
    assert verified.findings == []
    assert verified.sound
    assert (verified.kiosks, verified.segments, verified.places) == (2, 4, 4)
    assert verified.facts == len(rows(filled, tables.fact))


def _body(change: Callable[[bytes], bytes], worker: int = 0, number: int = 1) -> Change:
    def apply(connection: sa.Connection) -> None:
        where = (tables.segment.c.worker == worker) & (tables.segment.c.number == number)
        body = connection.execute(sa.select(tables.segment.c.body).where(where)).scalar_one()
        changed = change(body)
        assert changed != body
        connection.execute(tables.segment.update().where(where).values(body=changed))

    return apply


def _sql(statement: str) -> Change:
    def apply(connection: sa.Connection) -> None:
        assert connection.exec_driver_sql(statement).rowcount == 1

    return apply


UNCOMPARED = ("books_uncompared", "", 0, 0)
BROKEN: dict[str, tuple[str, Change, list[tuple[str, str, int, int]]]] = {
    "a byte of a segment": (
        "segments", _body(lambda body: body.replace(b'"minor":5000', b'"minor":5001', 1)),
        [("segment_altered", "K01", 1, 1), UNCOMPARED],
    ),
    "a segment that is cut": (
        "segments", _body(lambda body: body[:-1]), [("segment_altered", "K01", 1, 1), UNCOMPARED],
    ),
    "the last segment's byte": (
        "segments", _body(lambda body: body.replace(b"printed", b"unknown", 1), 0, 4),
        [("segment_altered", "K02", 1, 20), UNCOMPARED],
    ),
    "a signature": (
        "segments", _sql("UPDATE segment SET signature = (SELECT s.signature FROM segment s WHERE s.number = 3) "
                         "WHERE number = 4"),
        [("signature_bad", "K02", 1, 28)],
    ),
    "a segment in the middle is gone": (
        "segments", _sql("DELETE FROM segment WHERE number = 1"),
        [("facts_missing", "K01", 1, 20), ("segment_missing", "", 0, 0), UNCOMPARED],
    ),
    "the last segment is gone": (
        "segments", _sql("DELETE FROM segment WHERE number = 4"), [("mark_differs", "K02", 1, 28)],
    ),
    "a mark is moved": (
        "segments", _sql("UPDATE mark SET seq = seq + 1 WHERE kiosk = 'K01'"), [("mark_differs", "K01", 1, 29)],
    ),
    "a key is not registered": (
        "office", _sql("DELETE FROM kiosk_key WHERE kiosk = 'K02'"), [("key_unregistered", "K02", 1, 1)],
    ),
    "the order has a hole": ("office", _sql("DELETE FROM \"merge\" WHERE place = 2"), [("merge_hole", "", 0, 0)] * 2),
    "an amount of the ledger": (
        "books", _sql("UPDATE posting SET minor = minor + 1 WHERE kiosk = 'K01' AND seq = 6 AND line = 0"),
        [("book_differs", "K01", 1, 6)],
    ),
    "a balance": (
        "books", _sql("UPDATE balance SET minor = minor + 1 WHERE kiosk = 'K01' AND account = 'A200'"),
        [("book_differs", "K01", 0, 0)],
    ),
    "a receipt that nobody issued": (
        "books", _sql("INSERT INTO receipt SELECT 'K01-1-000009-beef', kiosk, epoch, seq, slip, number, session, "
                      "business_date, at_ns, language, position FROM receipt WHERE kiosk = 'K01' AND number = 1"),
        [("book_differs", "K01", 1, 8)],
    ),
    "a case that was removed": (
        "books", _sql("DELETE FROM money_case WHERE kind = 'overpayment'"), [("book_differs", "K02", 1, 7)],
    ),
    "an invoice that counts as unpaid": (
        "books", _sql("UPDATE invoice_balance SET paid_minor = 0 WHERE number = '200000001'"),
        [("book_differs", "", 0, 0)],
    ),
    "a business date": (
        "books", _sql("UPDATE fact SET business_date = '2026-03-10' WHERE kiosk = 'K02' AND seq = 1"),
        [("book_differs", "K02", 1, 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_changed_is_named_and_nothing_else(stores: Stores, rules: Rules, city: City, name: str) -> None:
    group, change, expected = BROKEN[name]
    _fill(stores, rules, city)
    with stores.engine(group).begin() as connection:
        change(connection)
    found = _verify(stores, rules)
    if name == "the last segment is gone":  # the merge order names it, and the books hold its facts
        found = [each for each in found if each[0] != "book_differs"]
    if name == "the order has a hole":
        found = [each for each in found if each != UNCOMPARED]
        assert found[:1] == expected[:1]
        return
    assert found == expected


def test_a_changed_row_of_the_books_is_told_with_what_it_should_be(filled: Stores, rules: Rules) -> None:
    with filled.books.begin() as connection:
        connection.exec_driver_sql("UPDATE box_note SET count = 7 WHERE kiosk = 'K02' AND value_minor = 1000")
    (finding,) = Verification(filled, rules, digest=DIGEST).run().findings
    assert finding.detail == "box_note K02/1/USD/1000: count is 7 and should be 1"


def test_books_that_are_being_rebuilt_are_not_held_against_clean_ones(filled: Stores, rules: Rules) -> None:
    assert [code for code, *_ in _verify(filled, Rules(rules.chart, rules.services, rules.pack, "demo"))] == [
        "books_uncompared"
    ]


def test_a_journal_with_everything_in_it_is_as_sound_here_as_at_the_kiosk(tmp_path: Path, rules: Rules) -> None:
    """Commits are told apart by their stamps, because a batch is signed at its end alone."""
    told = rows_of(story())
    stores = open_stores(tmp_path / "hub")
    prepare(stores)
    register_key(stores, "K07", KEY.public_hex)
    _store(stores, told)
    post(stores, rules)
    assert _verify(stores, rules) == []
    stores.close()


def test_what_the_kiosk_itself_did_wrong_is_found_here_too(tmp_path: Path, rules: Rules) -> None:
    told = [decode(row.row) for row in rows_of(story())]
    stores = open_stores(tmp_path / "hub")
    prepare(stores)
    register_key(stores, "K07", KEY.public_hex)
    head, changed = ROOT_HASH, []
    for fact in told:
        if isinstance(fact.body, facts.DayClosed) and fact.body.number == 2:
            fact = msgspec.structs.replace(fact, body=msgspec.structs.replace(fact.body, grand_total_minor=1))
        row = msgspec.json.encode(fact, order="deterministic")
        head = chain(head, row)
        changed.append(Row(1, fact.seq, kind_of(fact), row, head, None))
    _store(stores, changed)
    post(stores, rules)
    codes = {code for code, *_ in _verify(stores, rules)}
    assert "grand_total_differs" in codes
    stores.close()


def _store(stores: Stores, told: list[Row]) -> None:
    """Put a journal into segments of a dozen rows: several commits each, cut at the ends of commits."""
    cuts, start = [], 0
    for at in range(1, len(told) + 1):
        ends = at == len(told) or decode(told[at - 1].row).stamp != decode(told[at].row).stamp
        if ends and (at - start >= 12 or at == len(told)):
            cuts.append(told[start:at])
            start = at
    previous = ROOT_HASH
    with stores.segments.begin() as connection:
        for number, part in enumerate(cuts, 1):
            signature = KEY.sign(head_message("K07", 1, part[-1].seq, part[-1].hash))
            connection.execute(tables.segment.insert().values(
                worker=0, number=number, kiosk="K07", epoch=1, first=part[0].seq, last=part[-1].seq, previous=previous,
                hash=part[-1].hash, signature=signature, received_ns=number, codec=0,
                body=msgspec.msgpack.encode([row.row for row in part]),
            ))  # fmt: skip
            previous = part[-1].hash


def test_a_kiosk_restored_from_an_older_backup_is_told_and_its_money_is_looked_at_from_there_on(
    stores: Stores, rules: Rules, city: City
) -> None:
    """Facts behind the backup stay and are posted; the walkers go on as the kiosk's own do, from where it goes on."""
    machine = Machine("K01", city)
    register(stores, machine)
    machine.commit(facts.Started(False), facts.Commissioned("admin:0", "example-city 2026.1", "B1"), actor="admin:0")
    machine.pay("100000001", 5000, 5000)
    backed_up = copy.copy(machine)  # within what becomes one segment
    backed_up.waiting = []
    machine.pay("100000002", 3000, 2000, 1000)
    store(stores, machine)

    def begin_epoch(number: int, seq: int) -> None:
        backed_up._first, backed_up._previous = 1, backed_up.head
        before, backed_up.epoch, backed_up.seq = backed_up.epoch, number, 0
        backed_up.number = 0
        backed_up.commit(facts.EpochStarted(before, seq, backed_up.head.hex(), machine.key.public_hex, "restored"),
                         actor="admin:0")  # fmt: skip
        backed_up.pay("100000003", 3000, 3000)
        store(stores, backed_up)

    end = backed_up.seq
    begin_epoch(2, end)
    backed_up.pay("100000004", 3000, 3000)
    store(stores, backed_up)
    post(stores, rules)
    assert _verify(stores, rules) == [("epoch_cuts_facts", "K01", 2, 1)]
    # What the kiosk's own walkers would find after the restore is still found.
    value, note = Money(500, "USD"), NoteId("notes", 999)
    wrong = Entry("USD", (Posting("A200", 700), Posting("A690", -700)), "note")
    backed_up.commit(facts.StackIntended(note, value))
    backed_up.commit(facts.NoteCredited(note, value, wrong))
    store(stores, backed_up)
    post(stores, rules)
    codes = {code for code, *_ in _verify(stores, rules)}
    assert "epoch_cuts_facts" in codes
    assert codes & JOURNAL_CODES.keys(), codes
