"""What each fact does to the hub's books; that both engines come to the same is held in test_rebuild."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from bench.posted_fleet import DAY, Machine, store
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.journal.encoding import chain, decode, encode
from kiosk.ledger import entries
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import Held, Late
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from tests.hub.posting.conftest import books_of, post, rows

Make = Callable[[str], Machine]


def _cases(stores: Stores, state: str = "open") -> list[tuple[str, str, int]]:
    asked = sa.select(tables.case.c.kind, tables.case.c.number, tables.case.c.minor)
    with stores.books.connect() as connection:
        found = connection.execute(asked.where(tables.case.c.state == state).order_by(tables.case.c.position))
        return [tuple(row) for row in found]


def books_of_a_rebuild(stores: Stores, rules: Rules) -> dict[str, list[dict[str, Any]]]:
    """Return the books as a rebuild makes them of what lies in the segments."""
    post(stores, rules, digest="another")
    return books_of(stores)


def _codes(stores: Stores) -> list[tuple[str, str, int, int]]:
    return sorted(rows(stores, tables.finding, "code", "kiosk", "epoch", "seq"))


def test_a_payment_becomes_facts_entries_balances_and_a_receipt(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    settled = kiosk.pay("100000001", 4500, 2000, 3000)
    head = kiosk.head
    store(stores, kiosk)
    post(stores, rules)
    assert len(rows(stores, tables.fact)) == kiosk.seq == 10
    assert [row[0] for row in rows(stores, tables.fact, "position")] == list(range(1, 11))
    balances = {account: minor for _, _, account, minor in rows(stores, tables.balance)}
    assert balances == {"A200": 5000, "A698": 0, "A2610": -4500, "A690": -500}
    assert sum(row[0] for row in rows(stores, tables.posting, "minor")) == 0
    (paid,) = rows(stores, tables.payment, "service", "number", "minor", "remaining_minor", "excess_minor")
    assert paid == ("parking_citation", "100000001", 4500, 0, 0)
    (owed,) = rows(stores, tables.invoice_balance, "number", "paid_minor", "owed_minor", "changed")
    assert owed == ("100000001", 4500, 4500, 7)
    assert _cases(stores) == [("excess", "", settled.overpayment_minor)]
    assert rows(stores, tables.posted_through) == [("K07", 1, 10)]
    (receipt,) = rows(stores, tables.receipt, "id")
    assert receipt[0].startswith("K07-1-000001-")
    assert kiosk.head == head
    assert _codes(stores) == []


def test_a_receipt_is_named_as_it_was_printed(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    kiosk.pay("100000001", 5000, 5000)
    place = next(at for at, row in enumerate(kiosk.waiting) if b"receipt_issued" in row)
    head = bytes(32)

    for row in kiosk.waiting[: place + 1]:
        head = chain(head, row)
    store(stores, kiosk)
    post(stores, rules)
    assert rows(stores, tables.receipt, "id") == [(f"K07-1-000001-{head.hex()[:4]}",)]


def test_sums_of_the_day_go_by_service_and_by_the_date_an_entry_posts_on(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K07")
    quote = kiosk.freeze("100000001", 2000)
    kiosk.feed(2000)
    kiosk.settle(quote, 2000, late=Late(DAY + dt.timedelta(days=1), 3))
    store(stores, kiosk)
    post(stores, rules)
    sums = rows(stores, tables.day_sum, "posts_on", "service", "account", "minor", "entries")
    assert sums == [
        ("2026-03-09", "", "A200", 2000, 1), ("2026-03-09", "", "A698", -2000, 1),
        ("2026-03-10", "", "A698", 2000, 1), ("2026-03-10", "parking_citation", "A2610", -2000, 1),
    ]  # fmt: skip
    dates = rows(stores, tables.posting, "reason", "posts_on", "business_date")
    assert ("settlement", "2026-03-10", "2026-03-09") in dates


def test_one_invoice_paid_at_two_offline_kiosks_makes_the_second_a_case(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    first, second = machine("K07"), machine("K08")
    first.pay("100000001", 5000, 5000)
    second.pay("100000001", 6000, 5000, 1000)  # weeks later, with a late fee in its price
    store(stores, second, first)  # but it came in before
    post(stores, rules)
    assert rows(stores, tables.payment, "kiosk", "minor", "excess_minor") == [
        ("K07", 5000, 5000),
        ("K08", 6000, 0),
    ]
    assert rows(stores, tables.invoice_balance, "paid_minor", "owed_minor") == [(6000, 6000)]
    assert _cases(stores) == [("overpayment", "100000001", 5000)]
    assert [code for code, *_ in _codes(stores)] == ["paid_twice"]
    # Both tenders stand: the ledger has both.
    assert ("A200", 11000) in [(account, sum_) for account, sum_ in _by_account(stores).items()]


WINTER, SPRING = dt.date(2026, 1, 5), dt.date(2026, 4, 5)


def test_the_bills_of_one_account_are_paid_each_by_itself(both_stores: Stores, rules: Rules, machine: Make) -> None:
    """Under one number: a bill, the next one in two parts, the next one at a second kiosk too, and the old one late."""
    stores, first, second = both_stores, machine("K07"), machine("K08")
    bill = {"service": "water_bill"}
    first.pay("0212345678", 5000, 5000, issued=WINTER, **bill)
    first.pay("0212345678", 6000, 2000, issued=SPRING, **bill)
    first.pay("0212345678", 6000, 2000, 2000, knew=2000, issued=SPRING, **bill)
    store(stores, first)
    post(stores, rules)
    assert _cases(stores) == []
    assert rows(stores, tables.invoice_balance, "paid_minor", "owed_minor", "bill") == [(6000, 6000, "2026-04-05")]
    second.pay("0212345678", 6000, 6000, issued=SPRING, **bill)  # offline: it did not know
    second.pay("0212345678", 5000, 5000, issued=WINTER, **bill)  # offline for longer, with the bill of the winter
    store(stores, second)
    post(stores, rules)
    assert sorted(_cases(stores)) == [("overpayment", "0212345678", 5000), ("overpayment", "0212345678", 6000)]
    assert rows(stores, tables.invoice_balance, "paid_minor", "owed_minor", "bill") == [(6000, 6000, "2026-04-05")]
    paid = rows(stores, tables.payment, "bill", "minor", "excess_minor")
    assert sum(minor for _, minor, _ in paid) == 5000 + 2000 + 4000 + 6000 + 5000
    assert sum(minor - excess for _, minor, excess in paid) == 5000 + 6000


def _by_account(stores: Stores) -> Counter[str]:
    sums: Counter[str] = Counter()
    for account, minor in rows(stores, tables.posting, "account", "minor"):
        sums[account] += minor
    return sums


def test_notes_outside_a_session_and_disputed_ones_are_cases_until_a_reversal(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K07")
    chart, value = kiosk.city.chart, Money(2000, "USD")
    kiosk.commit(
        facts.NoteSuspended("notes", NoteId("notes", 1), value, "power-up", entries.note_suspended(chart, value))
    )
    kiosk.commit(facts.NoteSuspended("notes", None, None, "unannounced", None))
    dispute = entries.note_disputed(chart, value)
    (seq,) = kiosk.commit(facts.NoteDisputed(NoteId("notes", 2), value, "silence", dispute))
    store(stores, kiosk)
    post(stores, rules)
    assert _cases(stores) == [("suspense", "", 2000), ("suspense", "", 0), ("disputed", "", 2000)]
    kiosk.commit(facts.Reversed(1, seq, "the note was returned", entries.reversal(dispute)))
    store(stores, kiosk)
    post(stores, rules)
    assert _cases(stores, "closed") == [("disputed", "", 2000)]
    assert _codes(stores) == []
    assert rows(stores, tables.box, "unknown_notes") == [(1,)]


def test_held_tender_is_a_case_until_it_is_used(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    service = next(name for name, each in kiosk.city.services.items() if each.partial == "refused")
    quote = kiosk.freeze("W-1", 5000, service=service)
    kiosk.feed(2000)
    kiosk.settle(quote, 2000)
    store(stores, kiosk)
    post(stores, rules)
    assert _cases(stores) == [("held", "W-1", 2000)]
    assert rows(stores, tables.invoice_balance, "paid_minor", "held_minor", "owed_minor") == [(0, 2000, None)]
    held = (Held(service, "W-1", 2000),)
    quote = kiosk.freeze("W-1", 5000, service=service, held=held)
    kiosk.feed(3000)
    kiosk.settle(quote, 3000, held=held)
    store(stores, kiosk)
    post(stores, rules)
    assert _cases(stores) == []
    assert rows(stores, tables.invoice_balance, "paid_minor", "held_minor", "owed_minor") == [(5000, 0, 5000)]
    assert _codes(stores) == []


def test_money_that_a_kiosk_never_held_pays_nothing_unnoticed(stores: Stores, rules: Rules, machine: Make) -> None:
    honest, stolen = machine("K07"), machine("K66")
    service = next(name for name, each in rules.services.items() if each.partial == "refused")
    quote = honest.freeze("W-1", 5000, service=service)
    honest.feed(2000)
    honest.settle(quote, 2000)
    held = (Held(service, "W-1", 5000),)
    quote = stolen.freeze("W-1", 5000, service=service, held=held)
    told = stolen.seq + 1
    stolen.settle(quote, 0, held=held)
    store(stores, honest, stolen)
    post(stores, rules)
    assert _codes(stores) == [("held_overdrawn", "K66", 1, told)]
    assert _cases(stores) == [("held", "W-1", 2000), ("held", "W-1", -5000)]


def test_a_box_is_followed_to_its_count_and_tells_nothing_before(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    kiosk.commit(facts.Commissioned("admin:0", "example-city 2026.1", "B1"), actor="admin:0")
    kiosk.pay("100000001", 4000, 2000, 2000)
    kiosk.commit(
        facts.DayClosed(1, "exchange", None, 1, 1, kiosk.seq, "", "USD", facts.Period(taken_minor=4000), 4000),
        facts.BoxExchanged("notes", 1, 2, "B1", "B2", "S-17", "p01", "p02"),
    )
    kiosk.box_session = 2
    kiosk.commit(facts.BoxReceived(1, "B1", "S-16", True, "p03"))
    store(stores, kiosk)
    post(stores, rules)
    columns = ("box_session", "state", "box", "expected_minor", "collector")
    assert rows(stores, tables.box, *columns) == [
        (1, "received", "B1", None, "p01"),
        (2, "in_kiosk", "B2", None, ""),
    ]
    assert rows(stores, tables.box_note) == [("K07", 1, "USD", 2000, 2)]
    assert rows(stores, tables.closing, "number", "cause", "taken_minor") == [(1, "exchange", 4000)]
    entry = entries.count_closed(kiosk.city.chart, Money(4000, "USD"), Money(2000, "USD"))
    kiosk.commit(facts.CountClosed(1, 1, 4000, 2000, -2000, "USD", "a note is missing", "p03", "p04", (), entry))
    store(stores, kiosk)
    post(stores, rules)
    counted = rows(stores, tables.box, "state", "expected_minor", "counted_minor", "over_short_minor", "counter")[0]
    assert counted == ("counted", 4000, 2000, -2000, "p03")
    assert _by_account(stores)["A2771"] == 2000
    assert _codes(stores) == []


def test_an_entry_that_the_rules_would_not_post_stands_and_is_told(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    wrong = Entry("USD", (Posting("A200", 3000), Posting("A698", -3000)), "note")
    (told,) = kiosk.commit(facts.NoteCredited(NoteId("notes", 1), Money(2000, "USD"), wrong))
    # Another pack may have had other rules: its entries are checked, not recomputed.
    kiosk.commit(facts.NoteCredited(NoteId("notes", 2), Money(2000, "USD"), wrong), pack="example-city 2019.1")
    (refused,) = kiosk.commit(
        facts.NoteCredited(NoteId("notes", 3), Money(2000, "USD"),
                           Entry("USD", (Posting("A999", 2000), Posting("A698", -2000)), "note")),
        pack="example-city 2019.1",
    )  # fmt: skip
    store(stores, kiosk)
    post(stores, rules)
    assert _codes(stores) == [("entry_differs", "K07", 1, told), ("entry_refused", "K07", 1, refused)]
    assert _by_account(stores)["A200"] == 6000


def _altered(kiosk: Machine, change: Callable[[facts.Fact], facts.Fact]) -> bytes:
    """A fact of this kiosk with one thing wrong."""

    fact = decode(kiosk.waiting[-1])
    return encode(change(msgspec.structs.replace(fact, seq=kiosk.seq + 1)))


def _strangers(kiosk: Machine) -> dict[str, bytes]:
    """Rows that cannot be posted, by the code that says why."""

    replace = msgspec.structs.replace
    value = Money(2000, "USD")

    def body(new: facts.AnyBody) -> bytes:
        return _altered(kiosk, lambda fact: replace(fact, body=new))

    huge = Entry("USD", (Posting("A200", 10**30), Posting("A698", -(10**30))), "note")
    off = Entry("USD", (Posting("A200", 2000), Posting("A698", -1999)), "note")
    none = Entry("USD", (), "note")
    good = _altered(kiosk, lambda fact: fact)
    many = Entry("USD", tuple(Posting(each, sign * 10**12) for each, sign in (("A200", 1), ("A698", -1)) * 2), "note")
    foreign = Entry("QQQ", (Posting("A200", 2000), Posting("A698", -2000)), "note")
    small = Entry("USD", (Posting("A698", 100), Posting("A2610", -100)), "settlement")
    parts = (facts.Allocation("parking_citation", "100000001", 10**12, 0, "full"),) * 20
    return {
        "row_unreadable": b'{"version":1}',
        "row_unreadable 2": b"\xff\x00no json",
        "row_unreadable 3": b'{"later":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "fact_too_new": good.replace(b'{"version":1', b'{"version":7'),
        "kind_unknown": good.replace(b'"kind":"started"', b'"kind":"teleported"'),
        "foreign_kiosk": _altered(kiosk, lambda fact: replace(fact, kiosk="K99")),
        "other_realm": _altered(kiosk, lambda fact: replace(fact, realm="training")),
        "row_misplaced": _altered(kiosk, lambda fact: replace(fact, seq=99_999)),
        "entry_unbalanced": body(facts.NoteCredited(NoteId("notes", 9), value, off)),
        "entry_unbalanced 2": body(facts.NoteCredited(NoteId("notes", 9), value, none)),
        "entry_unbalanced 3": body(facts.NoteCredited(NoteId("notes", 9), value, huge)),
        "value_out_of_range": body(facts.NoteSuspended("notes", None, Money(10**30, "USD"), "x", None)),
        "value_out_of_range 2": body(facts.ReceiptIssued(10**30, "receipt", 1, "en", (), (), "USD", 1)),
        "value_out_of_range 3": body(facts.ReceiptIssued(1, "a\0b", 1, "en", (), (), "USD", 1)),
        "value_out_of_range 6": good[:-1] + b',"later":["\\u0000",' + b"[" * 900 + b"]" * 900 + b"]}",
        "value_out_of_range 4": _altered(
            kiosk, lambda fact: replace(fact, stamp=replace(fact.stamp, session="s" * 5000))
        ),
        "value_out_of_range 5": _altered(
            kiosk, lambda f: replace(f, stamp=replace(f.stamp, at=replace(f.stamp.at, wall_ns=2**70)))
        ),
        "value_out_of_range 7": body(facts.NoteCredited(NoteId("notes", 9), value, many)),
        "value_out_of_range 8": body(facts.NoteCredited(NoteId("notes", 9), Money(2000, "QQQ"), foreign)),
        "value_out_of_range 9": body(facts.Settled(100, "USD", parts, 0, small, "paid", "citizen", (), (), "")),
    }


@pytest.mark.parametrize("name", list(range(20)))
def test_what_cannot_be_posted_is_set_apart_and_all_else_goes_on(
    stores: Stores, rules: Rules, machine: Make, name: int
) -> None:
    kiosk, other = machine("K07"), machine("K08")
    kiosk.commit(facts.Started(False))
    code, row = list(_strangers(kiosk).items())[name]
    kiosk.stranger(row)
    kiosk.pay("100000001", 2000, 2000)
    other.pay("100000002", 2000, 2000)
    store(stores, kiosk, other)
    post(stores, rules)
    assert rows(stores, tables.quarantine) == [("K07", 1, 3, 0, 1, 2, code.split()[0])]
    assert _codes(stores) == [(code.split()[0], "K07", 1, 0)]
    assert len(rows(stores, tables.payment)) == 2
    assert rows(stores, tables.posted_through) == [("K07", 1, kiosk.seq), ("K08", 1, other.seq)]


def test_both_engines_set_the_same_rows_apart(postgresql: str, stores: Stores, rules: Rules, machine: Make) -> None:

    server = open_stores(Path("/nowhere"), postgresql)
    prepare(server)
    found = []
    for each in (stores, server):
        kiosk = machine("K07")
        kiosk.commit(facts.Started(False))
        for row in _strangers(kiosk).values():
            kiosk.stranger(row)
        kiosk.pay("100000001", 2000, 2000)
        store(each, kiosk)
        post(each, rules)
        found.append(books_of(each))
    server.close()
    assert found[0] == found[1]
    assert found[0]["payment"]


def test_a_segment_whose_bytes_were_changed_is_never_posted(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    kiosk.pay("100000001", 2000, 2000)
    store(stores, kiosk)
    kiosk.pay("100000002", 2000, 2000)
    store(stores, kiosk)
    with stores.segments.begin() as connection:
        body = connection.execute(sa.select(tables.segment.c.body).where(tables.segment.c.number == 1)).scalar_one()
        changed = body.replace(b'"minor":2000', b'"minor":9000', 1)
        connection.execute(tables.segment.update().where(tables.segment.c.number == 1).values(body=changed))
    post(stores, rules)
    assert {row[-1] for row in rows(stores, tables.quarantine)} == {"segment_altered"}
    assert [row[0] for row in rows(stores, tables.payment, "number")] == ["100000002"]
    assert _codes(stores) == [("segment_altered", "K07", 1, 0)]


def test_the_same_facts_in_two_segments_count_once(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    kiosk.pay("100000001", 2000, 2000)
    store(stores, kiosk)
    with stores.segments.begin() as connection:
        columns = [column for column in tables.segment.columns if column.name != "number"]
        copied = sa.select(sa.literal(2).label("number"), *columns)
        names = ["number", *(column.name for column in columns)]
        connection.execute(tables.segment.insert().from_select(names, copied))
    post(stores, rules)
    assert len(rows(stores, tables.fact)) == kiosk.seq
    assert _by_account(stores)["A200"] == 2000
    assert _codes(stores) == [("facts_repeated", "K07", 1, 1)]


def test_a_number_that_is_given_twice_is_told_and_the_first_stands(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    closed = facts.DayClosed(1, "operator", None, 1, 1, 1, "", "USD", facts.Period(), 0)
    kiosk.commit(closed)
    kiosk.commit(closed)
    store(stores, kiosk)
    post(stores, rules)
    assert rows(stores, tables.closing, "number", "seq") == [(1, 2)]
    assert _codes(stores) == [("closing_twice", "K07", 1, 3)]


def test_a_finding_tells_when_its_own_segment_came_wherever_a_transaction_ends(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K07")
    for _ in range(2):
        kiosk.commit(facts.DayClosed(1, "operator", None, 1, 1, 1, "", "USD", facts.Period(), 0))
        store(stores, kiosk)
        post(stores, rules)
    kiosk.pay("100000001", 5000, 5000)
    store(stores, kiosk)
    post(stores, rules)
    running = books_of(stores)
    assert running == books_of_a_rebuild(stores, rules)


def test_a_payment_in_a_strange_currency_neither_counts_nor_keeps_the_next_from_counting(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    stolen, honest = machine("K66"), machine("K07")
    entry = Entry("EUR", (Posting("A698", 1), Posting("A2610", -1)), "settlement")
    part = facts.Allocation("parking_citation", "100000001", 1, 0, "full")
    (told,) = stolen.commit(facts.Settled(1, "EUR", (part,), 0, entry, "paid", "citizen", (), (), ""), pack="other")
    store(stores, stolen)
    honest.pay("100000001", 5000, 5000)
    store(stores, honest)
    post(stores, rules)
    balance = rows(stores, tables.invoice_balance, "currency", "paid_minor", "owed_minor")
    assert balance == [("USD", 5000, 5000)]
    assert _codes(stores) == [("currency_differs", "K66", 1, told)]


def test_a_counted_box_that_takes_a_note_is_not_counted_any_more(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    kiosk.pay("100000001", 4000, 2000, 2000)
    entry = entries.count_closed(kiosk.city.chart, Money(4000, "USD"), Money(4000, "USD"))
    kiosk.commit(facts.CountClosed(1, 1, 4000, 4000, 0, "USD", "", "p03", "p04", (), entry))
    store(stores, kiosk)
    post(stores, rules)
    assert rows(stores, tables.box, "state") == [("counted",)]
    # As after a restore from an older backup: the new epoch gives the number of the box once more.
    kiosk.pay("100000002", 3000, 3000)
    store(stores, kiosk)
    post(stores, rules)
    assert rows(stores, tables.box, "state") == [("in_kiosk",)]
    assert books_of(stores) == books_of_a_rebuild(stores, rules)


def test_a_price_that_was_frozen_in_one_turn_is_known_when_it_is_settled_in_another(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K07")
    quote = kiosk.freeze("100000001", 5000, knew=1000)
    kiosk.feed(2000)
    store(stores, kiosk)
    post(stores, rules)
    assert [row[0] for row in rows(stores, tables.frozen, "kiosk")] == ["K07"]
    kiosk.feed(2000)
    kiosk.settle(quote, 4000)
    store(stores, kiosk)
    post(stores, rules)
    assert rows(stores, tables.frozen) == []
    assert rows(stores, tables.invoice_balance, "paid_minor", "owed_minor", "base_minor") == [(4000, 4000, 1000)]
    running = books_of(stores)
    post(stores, rules, "other rules")
    assert books_of(stores) == running


def test_people_and_packs_that_a_kiosk_contradicts_or_refuses_are_findings(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K01")
    kiosk.commit(facts.PeopleAdopted(3, "0" * 16, ("p01",)), actor="hub:city-hall")
    (conflict,) = kiosk.commit(facts.PeopleAdopted(4, "0" * 16, ("p01",), ("p01", "p09")), actor="hub:city-hall")
    (refused,) = kiosk.commit(facts.PeopleAdopted(5, "0" * 16, (), (), "p01 has no PIN"), actor="hub:city-hall")
    kiosk.commit(facts.PackAdopted(1, "example-city 2026.2", "0" * 16), actor="hub:city-hall")
    (pack,) = kiosk.commit(facts.PackAdopted(2, "", "", "chart.toml is missing"), actor="hub:city-hall")
    store(stores, kiosk)
    post(stores, rules)
    with stores.books.connect() as connection:
        found = connection.execute(sa.select(tables.finding.c.code, tables.finding.c.seq, tables.finding.c.severity,
                                             tables.finding.c.detail)).all()  # fmt: skip
    assert sorted(tuple(row) for row in found) == [
        ("pack_refused", pack, "error", "version 2: chart.toml is missing"),
        ("people_conflict", conflict, "warning", "version 4 stands; other at the kiosk: p01, p09"),
        ("people_refused", refused, "error", "version 5: p01 has no PIN"),
    ]
