"""Money held for a bill that takes no part payment: from the slip to the next scan, over restarts and refusals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.checkout import intents
from kiosk.core.view import snapshot
from kiosk.errors import JournalFull
from kiosk.journal.receipt_seal import seal
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.instant import NS
from kiosk.model.money import Money
from kiosk.model.slip import Pair, Words
from tests.core.kernel_rig import KEY, PARKING, TAX, WATER, Rig, usd
from tests.tariff.example_city import chart, library

NAME = f"property_tax/{TAX}"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with_journal = Rig(tmp_path)
    yield with_journal
    with_journal.close()


def held(rig: Rig) -> dict[str, int]:
    return rig.kernel.books.held


def stop(rig: Rig) -> None:
    """Stop here, take the slip, go away."""
    rig.tap(intents.Cancel())
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(60)
    assert rig.state == "idle"


def put_by(rig: Rig, *notes: int) -> None:
    """Feed some notes for the tax bill and stop short of it."""
    rig.pay(TAX)
    for note in notes:
        rig.feed(note)
    stop(rig)


def paper(rig: Rig, number: int) -> str:
    """What stands on a slip, line by line."""
    slip = rig.kernel.parts.slips.lay_out(rig.kernel.slip(number), "sealed")
    lines = [
        line.text if isinstance(line, Words) else f"{line.left} {line.right}"
        for line in slip.lines
        if isinstance(line, Words | Pair)
    ]
    return "\n".join(lines)


def test_stopping_short_of_a_bill_without_part_payment_holds_the_money_for_it(rig: Rig) -> None:
    put_by(rig, 5000, 1000)
    (settled,) = rig.bodies(facts.Settled)
    assert (settled.tender_minor, settled.allocations, settled.overpayment_minor) == (6000, (), 0)
    assert settled.held == (facts.Held("property_tax", TAX, 6000),)
    assert held(rig) == {NAME: 6000}
    balances = rig.kernel.books.balances["USD"]
    assert balances[chart().roles.held_tender] == -6000
    assert balances.get(chart().roles.overpayment, 0) == 0
    assert rig.findings() == []


def test_the_slip_says_for_which_bill_how_to_go_on_and_how_to_claim(rig: Rig) -> None:
    put_by(rig, 5000, 1000)
    (slip,) = rig.bodies(facts.ReceiptIssued)
    totals = {total.name: total.minor for total in slip.totals}
    assert (slip.slip, totals["held"], totals[f"held:{NAME}"], totals["remaining"]) == ("credit", 6000, 6000, 12000)
    told = " ".join(paper(rig, 1).split())
    assert "Held for you $60.00" in told
    assert f"For Property tax bill {TAX} $60.00" in told
    assert "Scan the bill here again to go on" in told
    assert "555-0100" in told
    assert "November 22, 2027" in told, "until when"
    assert "is owed to you" not in told, "nothing is owed: it waits for its bill"


def test_scanning_the_bill_again_goes_on_with_what_is_held(rig: Rig) -> None:
    put_by(rig, 5000, 1000)
    rig.tap(intents.EnterNumber(TAX))
    shown = snapshot(rig.kernel, version=1, boot="b")
    assert (shown.held, shown.due, shown.remaining, shown.inserted) == (usd(6000), usd(12000), usd(6000), usd(0))
    rig.tap(intents.Pay())
    rig.tap(intents.AcceptConditions())
    assert rig.bodies(facts.TenderFrozen)[-1].held == (facts.Held("property_tax", TAX, 6000),)
    rig.feed(5000)
    assert snapshot(rig.kernel, version=1, boot="b").inserted == usd(5000), "what was fed now, and nothing else"
    rig.feed(1000)
    settled = rig.bodies(facts.Settled)[-1]
    assert (settled.outcome, settled.tender_minor, settled.overpayment_minor) == ("paid", 6000, 0)
    assert settled.used == (facts.Held("property_tax", TAX, 6000),)
    totals = {total.name: total.minor for total in rig.bodies(facts.ReceiptIssued)[-1].totals}
    assert (totals["used"], totals["tender"], totals["applied"]) == (6000, 6000, 12000)
    assert "Held from before $60.00" in " ".join(paper(rig, 2).split())
    assert held(rig) == {}
    assert rig.kernel.books.balances["USD"][chart().roles.held_tender] == 0
    assert rig.findings() == []


def test_two_visits_end_in_the_balances_of_one(tmp_path: Path) -> None:
    ends = []
    for visits in (((5000, 5000, 2000),), ((5000,), (5000, 2000)), ((5000,), (5000,), (2000,))):
        place = tmp_path / str(len(visits))
        place.mkdir()
        rig = Rig(place)
        for notes in visits[:-1]:
            put_by(rig, *notes)
        rig.pay(TAX)
        for note in visits[-1]:
            rig.feed(note)
        ends.append({account: minor for account, minor in rig.kernel.books.balances["USD"].items() if minor})
        assert rig.findings() == []
        rig.close()
    assert ends[0] == ends[1] == ends[2]


def test_a_visit_without_a_note_leaves_the_held_money_as_it_was(rig: Rig) -> None:
    put_by(rig, 5000)
    before = (dict(rig.kernel.books.balances["USD"]), len(rig.bodies(facts.Settled)))
    for end in ("cancel", "timeout", "power cut"):
        rig.pay(TAX)
        assert rig.model.remaining_minor == 7000
        if end == "cancel":
            rig.tap(intents.Cancel())
        elif end == "timeout":
            rig.wait(300)
        else:
            rig.restart()
        assert rig.state == "idle"
        assert held(rig) == {NAME: 5000}
        assert isinstance(rig.bodies(facts.SessionClosed)[-1], facts.SessionClosed)
    assert (dict(rig.kernel.books.balances["USD"]), len(rig.bodies(facts.Settled))) == before
    assert rig.findings() == []


def test_a_bill_that_held_money_covers_is_settled_after_the_conditions_without_a_note(rig: Rig) -> None:
    put_by(rig, 5000, 5000)
    adjust(rig, 9000)
    rig.tap(intents.EnterNumber(TAX))
    rig.tap(intents.Pay())
    rig.tap(intents.AcceptConditions())
    settled = rig.bodies(facts.Settled)[-1]
    assert (settled.tender_minor, settled.outcome, settled.overpayment_minor) == (0, "paid", 1000)
    assert (settled.used, settled.held, settled.excess) == ((facts.Held("property_tax", TAX, 10000),), (), "refund")
    assert rig.bodies(facts.ReceiptIssued)[-1].slip == "receipt"
    assert rig.state == "receipting"
    assert "refunded by mail" in paper(rig, 2).replace("\n", " ")
    assert held(rig) == {}
    assert rig.findings() == []


def adjust(rig: Rig, minor: int) -> None:
    """The city lowers the bill."""
    rows = rig.invoices.rows
    rows["property_tax", TAX] = msgspec.structs.replace(rows["property_tax", TAX], amount_minor=minor)


def test_a_bill_that_cannot_be_paid_any_more_says_that_money_is_held_for_it(rig: Rig) -> None:
    """It was paid at the counter, say: the money is not lost sight of."""
    put_by(rig, 5000)
    rows = rig.invoices.rows
    rows["property_tax", TAX] = msgspec.structs.replace(rows["property_tax", TAX], state="paid", paid_minor=12000)
    rig.tap(intents.EnterNumber(TAX))
    assert rig.state == "notice"
    assert [message.id for message in rig.model.messages] == ["notice.already_paid", "notice.held_here"]
    assert held(rig) == {NAME: 5000}


def test_a_power_cut_in_a_resumed_payment_keeps_the_held_money_in_it(rig: Rig) -> None:
    put_by(rig, 5000, 1000)
    rig.pay(TAX)
    rig.feed(5000)
    rig.restart()
    assert (rig.state, rig.model.remaining_minor, rig.model.held_minor) == ("resuming", 1000, 6000)
    rig.tap(intents.KeepPaying())
    rig.feed(1000)
    assert rig.bodies(facts.Settled)[-1].outcome == "paid"
    assert held(rig) == {}
    assert rig.findings() == []


def test_nobody_coming_back_to_a_resumed_payment_holds_all_of_it(rig: Rig) -> None:
    put_by(rig, 5000, 1000)
    rig.pay(TAX)
    rig.feed(5000)
    rig.restart()
    rig.wait(400)
    settled = rig.bodies(facts.Settled)[-1]
    assert (settled.by, settled.tender_minor, settled.overpayment_minor) == ("recovery", 5000, 0)
    assert held(rig) == {NAME: 11000}
    assert rig.findings() == []


def test_a_power_cut_between_conditions_and_settlement_settles_what_held_money_covers(rig: Rig) -> None:
    put_by(rig, 5000, 5000)
    adjust(rig, 10000)
    rig.tap(intents.EnterNumber(TAX))
    rig.tap(intents.Pay())
    rig.journal.error, rig.journal.good_for = JournalFull("full"), 1  # type: ignore[attr-defined]
    rig.tap(intents.AcceptConditions())
    assert len(rig.bodies(facts.Settled)) == 1
    rig.restart()
    rig.wait(1)
    assert rig.bodies(facts.Settled)[-1].used == (facts.Held("property_tax", TAX, 10000),)
    assert held(rig) == {}
    assert rig.findings() == []


def test_money_held_for_one_bill_pays_no_other_one(rig: Rig) -> None:
    put_by(rig, 5000)
    rig.pay(PARKING)
    assert (rig.model.held_minor, rig.model.remaining_minor) == (0, 3000)
    rig.tap(intents.Cancel())
    assert held(rig) == {NAME: 5000}


def test_in_a_cart_the_other_bills_are_filled_before_anything_is_held(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(TAX))
    rig.tap(intents.AddAnother())
    rig.pay(PARKING)
    rig.feed(5000)
    stop(rig)
    settled = rig.bodies(facts.Settled)[-1]
    assert [(part.number, part.minor) for part in settled.allocations] == [(PARKING, 3000)]
    assert held(rig) == {NAME: 2000}
    slip = rig.bodies(facts.ReceiptIssued)[-1]
    assert slip.slip == "receipt"
    assert "Scan the bill here again" in paper(rig, slip.number).replace("\n", " ")


def test_held_money_counts_against_the_note_that_would_be_too_much(rig: Rig) -> None:
    """60.00 held of 120.00: a 50 is no excess, and after it a 20 is."""
    put_by(rig, 5000, 1000)
    rig.pay(TAX)
    rig.feed(5000)
    rig.escrow(2000)
    assert rig.state == "note_held"
    assert [message.id for message in rig.model.messages] == ["message.excess_refund"]
    assert dict(rig.model.messages[0].params) == {"excess": usd(1000)}


def test_an_agreement_to_an_excess_is_for_one_note_alone(rig: Rig) -> None:
    """Invariant: a note above what remains due goes back unless the citizen agreed on the screen to that very note."""
    rig.pay(PARKING)
    rig.feed(2000)
    note = rig.escrow(2000)
    rig.tap(intents.AgreeExcess())
    rig.news("notes", d.NoteReturned(note, "jam"))
    assert rig.state == "accepting"
    second = rig.escrow(2000)
    assert rig.state == "note_held", "the next note of the same value is asked about anew"
    rig.tap(intents.DeclineExcess())
    rig.news("notes", d.NoteReturned(second, "commanded"))
    assert rig.model.credited_minor == 2000
    assert len(rig.bodies(facts.ExcessAgreed)) == 1


def test_every_stacked_note_above_what_remains_due_has_an_agreement_in_its_own_commit(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    rig.escrow(2000)
    rig.tap(intents.AgreeExcess())
    bodies = rig.bodies()
    place = max(i for i, body in enumerate(bodies) if isinstance(body, facts.StackIntended))
    assert bodies[place - 1] == facts.ExcessAgreed(1000, "USD")


def test_a_payment_confirmed_before_midnight_keeps_its_price_after_it(rig: Rig) -> None:
    """The water bill is due on 20 December: confirmed at 23:59 and paid at 00:01 it costs no late fee."""
    rows = rig.invoices.rows
    rows["water_bill", WATER] = msgspec.structs.replace(rows["water_bill", WATER], due=dt.date(2026, 11, 22))
    to_midnight = (24 * 3600 - (10 * 3600 + 15 * 60)) * NS
    rig.time.mono += to_midnight - 60 * NS
    rig.tap(intents.EnterNumber(WATER))
    rig.tap(intents.Pay())
    rig.tap(intents.AcceptConditions())
    assert (rig.model.due_minor, rig.kernel.context().today) == (8317, dt.date(2026, 11, 22))
    for note in (5000, 2000, 1000):
        rig.feed(note)
    rig.time.mono += 65 * NS
    assert rig.kernel.context().today == dt.date(2026, 11, 23)
    rig.feed(100)
    rig.feed(100)
    rig.feed(100)
    rig.escrow(100)
    rig.tap(intents.AgreeExcess())
    rig.stacked(rig.model.flight.note)
    (settled,) = rig.bodies(facts.Settled)
    assert [part.minor for part in settled.allocations] == [8317]
    assert settled.outcome == "paid"
    assert rig.bodies(facts.TenderFrozen)[0].quotes[0].priced_on == dt.date(2026, 11, 22)
    rig.tap(intents.Dismiss())
    rig.printed()
    rig.wait(60)
    rows["water_bill", WATER] = msgspec.structs.replace(rows["water_bill", WATER], paid_minor=0)
    fresh = rig.kernel.parts.counter.price(rows["water_bill", WATER], dt.date(2026, 11, 23))
    assert fresh.due_minor == 9149, "whoever begins after midnight pays the late fee"


def test_a_receipt_by_held_money_alone_verifies(rig: Rig) -> None:
    put_by(rig, 5000, 5000)
    adjust(rig, 10000)
    rig.tap(intents.EnterNumber(TAX))
    rig.tap(intents.Pay())
    rig.tap(intents.AcceptConditions())
    assert seal(rig.kernel.slip(2), KEY)
    assert snapshot(rig.kernel, version=1, boot="b").slips[0].totals
    assert Money(0, "USD") == snapshot(rig.kernel, version=1, boot="b").inserted


def test_held_money_of_a_service_that_is_described_no_longer_stays_held_and_stops_no_start(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_by(rig, 5000, 5000)
    adjust(rig, 10000)
    rig.tap(intents.EnterNumber(TAX))
    rig.tap(intents.Pay())
    rig.journal.error, rig.journal.good_for = JournalFull("full"), 1  # type: ignore[attr-defined]
    rig.tap(intents.AcceptConditions())
    monkeypatch.delitem(library().services, "property_tax")
    rig.restart()
    rig.wait(1)
    assert rig.state == "idle"
    assert (held(rig), len(rig.bodies(facts.Settled))) == ({NAME: 10000}, 1)
    assert rig.findings() == []
