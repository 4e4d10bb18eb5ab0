"""Change at the hub: coins come off what a settlement owes, doubt is a case of its own, and floats are told."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from bench.posted_fleet import Machine, store
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.ledger import entries
from kiosk.model import facts
from kiosk.model.money import Money
from tests.hub.posting.conftest import books_of, post, rows

Make = Callable[[str], Machine]
QUARTER = Money(25, "USD")


def filled(kiosk: Machine, coins: int = 40) -> None:
    entry = entries.hopper_filled(kiosk.city.chart, QUARTER, coins)
    kiosk.commit(facts.HopperFilled("quarters", QUARTER, coins, "p02", entry), session="")


def owing(kiosk: Machine, *notes: int, coins: int = 4) -> str:
    """A payment of 45.00 whose excess a hopper is asked to pay; return the payout's id."""
    settled_seq = 0
    kiosk.pay("100000001", 4500, *notes)
    settled_seq = kiosk.seq - 3  # the settlement, its receipt, and the two facts of the print
    payout = f"1-{settled_seq}-1"
    kiosk.commit(facts.PayoutIntended(payout, "quarters", QUARTER, coins, settled_seq))
    return payout


def ended(kiosk: Machine, payout: str, paid: int, unpaid: int) -> None:
    entry = entries.change_paid(kiosk.city.chart, QUARTER, paid)
    kiosk.commit(facts.PayoutEnded(payout, "quarters", paid, unpaid, "done", entry))


def cases(stores: Stores) -> dict[str, tuple[int, str]]:
    with stores.books.connect() as connection:
        asked = sa.select(tables.case.c.kind, tables.case.c.minor, tables.case.c.state)
        return {kind: (minor, state) for kind, minor, state in connection.execute(asked)}


def codes(stores: Stores) -> list[str]:
    return sorted(code for (code,) in rows(stores, tables.finding, "code"))


def books(stores: Stores, rules: Rules, kiosk: Machine) -> None:
    store(stores, kiosk)
    post(stores, rules)


def test_coins_that_were_paid_come_off_what_the_settlement_owes(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    filled(kiosk)
    payout = owing(kiosk, 2000, 2000, 1000)
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    ended(kiosk, payout, 3, 1)
    books(stores, rules, kiosk)
    assert cases(stores) == {"excess": (425, "open")}
    assert rows(stores, tables.hopper) == [("K07", "quarters", "USD", 25, 37)]
    assert rows(stores, tables.payout, "state", "paid", "disputed") == [("ended", 3, 0)]
    assert codes(stores) == []
    before = books_of(stores)
    post(stores, rules, digest="another")
    assert books_of(stores) == before


def test_an_excess_that_was_paid_back_whole_is_no_case_any_more(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    filled(kiosk)
    payout = owing(kiosk, 2000, 2000, 1000, coins=20)
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    ended(kiosk, payout, 20, 0)
    books(stores, rules, kiosk)
    assert cases(stores) == {"excess": (0, "closed")}


def test_coins_in_doubt_are_a_case_until_the_hopper_was_counted(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    filled(kiosk)
    payout = owing(kiosk, 2000, 2000, 1000)
    chart = kiosk.city.chart
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    doubt = entries.change_disputed(chart, QUARTER, 1, 2)
    kiosk.commit(facts.PayoutDisputed(payout, "quarters", 1, 3, "counters", doubt))
    books(stores, rules, kiosk)
    assert cases(stores) == {"excess": (425, "open"), "change": (50, "open")}
    kiosk.commit(
        facts.PayoutResolved(payout, "quarters", 1, 1, "p02", entries.change_resolved(chart, QUARTER, 1, 1)),
        facts.HopperEmptied("quarters", QUARTER, 38, 37, "p02", entries.hopper_emptied(chart, QUARTER, 38, 37)),
    )
    books(stores, rules, kiosk)
    assert cases(stores) == {"excess": (450, "open"), "change": (50, "closed")}
    assert rows(stores, tables.hopper, "coins") == [(0,)]
    assert codes(stores) == []


def test_a_payout_twice_unknown_or_beyond_its_coins_is_found(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    filled(kiosk)
    payout = owing(kiosk, 2000, 2000, 1000)
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    ended(kiosk, payout, 3, 7)
    ended(kiosk, payout, 3, 1)
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    ended(kiosk, payout, 3, 1)
    ended(kiosk, "9-9-9", 1, 0)
    books(stores, rules, kiosk)
    assert codes(stores) == ["payout_differs", "payout_twice", "payout_twice", "payout_unintended"]


def test_more_change_than_is_owed_or_in_the_hopper_is_found(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    filled(kiosk, 10)
    owing(kiosk, 2000, 2000, 1000, coins=21)
    ended(kiosk, "1-1-1", 1, 0)
    kiosk.commit(facts.HopperEmptied("quarters", QUARTER, 9, 9, "p02",
                                     entries.hopper_emptied(kiosk.city.chart, QUARTER, 9, 9)))  # fmt: skip
    books(stores, rules, kiosk)
    assert codes(stores) == ["hopper_differs", "hopper_overdrawn", "payout_differs", "payout_unintended"]


def test_an_entry_that_moves_other_coins_than_its_fact_tells_is_found(
    stores: Stores, rules: Rules, machine: Make
) -> None:
    kiosk = machine("K07")
    filled(kiosk)
    payout = owing(kiosk, 2000, 2000, 1000)
    kiosk.commit(facts.PayoutStarted(payout, "quarters", "mark"))
    entry = entries.change_paid(kiosk.city.chart, QUARTER, 4)
    kiosk.commit(facts.PayoutEnded(payout, "quarters", 3, 1, "done", entry))
    books(stores, rules, kiosk)
    assert codes(stores) == ["entry_differs"]


def test_nonsense_about_hoppers_is_set_apart(stores: Stores, rules: Rules, machine: Make) -> None:
    kiosk = machine("K07")
    entry = entries.hopper_filled(kiosk.city.chart, QUARTER, 1)
    kiosk.commit(facts.HopperFilled("quarters", Money(0, "USD"), 1, "p02", entry))
    kiosk.commit(facts.HopperFilled("quarters", QUARTER, 10**18, "p02", entry))
    kiosk.commit(facts.PayoutIntended("p" * 200, "quarters", QUARTER, 1, 1))
    kiosk.commit(facts.PayoutEnded("1-1-1", "quarters", 10**18, 0, "done", None))
    books(stores, rules, kiosk)
    assert rows(stores, tables.hopper) == []
    assert set(codes(stores)) == {"value_out_of_range"}
    assert len(rows(stores, tables.quarantine)) == 4
