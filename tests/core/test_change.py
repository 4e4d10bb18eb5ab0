"""Change in coins: the debt first, then the coins, then the slip; and each coin booked once, however it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.independent_verifier import examine
from kiosk.checkout import intents
from kiosk.errors import JournalFull
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.money import Money
from tests.core.kernel_rig import PARKING, WATER, Rig, usd
from tests.core.test_kernel_properties import hold as sound
from tests.tariff.example_city import chart

ROLES = chart().roles


def hold(rig: Rig) -> None:
    """Every rule that must be true whatever happened, and the second opinion on it."""
    sound(rig)
    assert examine(rig.path)["findings"] == []
    assert rig.kernel.books.balances["USD"].get(ROLES.hopper_float, 0) == sum(
        page.coins * page.value.minor for page in rig.kernel.books.hoppers.values()
    )


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path, change=True)
    rig.fill("quarters", 100)
    rig.fill("dollars", 50)
    return rig


def overpay(rig: Rig, number: str = WATER) -> None:
    """Pay 83.17 with 85.00: 1.83 too much, of which coins can pay 1.75."""
    rig.pay(number)
    for minor in (5000, 2000, 1000):
        rig.feed(minor)
    note = rig.escrow(500)
    assert rig.state == "note_held"
    rig.tap(intents.AgreeExcess())
    rig.stacked(note, 500)


def totals(rig: Rig) -> dict[str, int]:
    return {total.name: total.minor for total in rig.bodies(facts.ReceiptIssued)[-1].totals}


def balance(rig: Rig, account: str) -> int:
    return rig.kernel.books.balances["USD"].get(account, 0)


def test_change_is_paid_hopper_after_hopper_the_largest_coins_first_and_the_slip_comes_with_the_last(rig: Rig) -> None:
    overpay(rig)
    assert rig.state == "dispensing"
    assert rig.bodies(facts.ReceiptIssued) == []
    assert [(body.device, body.coins) for body in rig.bodies(facts.PayoutIntended)] == [("dollars", 1), ("quarters", 3)]
    assert len(rig.sent(c.Dispense)) == 1
    rig.pay_out()
    assert len(rig.sent(c.Dispense)) == 2
    assert rig.bodies(facts.ReceiptIssued) == []
    token = rig.pay_out()
    assert rig.confirmed(token)
    assert rig.state == "receipting"
    told = totals(rig)
    assert (told["overpayment"], told["change"], told["owed"]) == (183, 175, 8)
    assert (rig.float("dollars"), rig.float("quarters")) == (49, 97)
    assert balance(rig, ROLES.overpayment) == -8
    assert balance(rig, ROLES.hopper_float) == 100 * 25 + 50 * 100 - 175
    hold(rig)


def test_the_question_about_an_excess_says_what_comes_back_in_coins_and_what_is_owed(rig: Rig) -> None:
    rig.pay()
    for minor in (5000, 2000, 1000):
        rig.feed(minor)
    rig.escrow(500)
    (message,) = rig.model.messages
    assert message.id == "message.excess_change_part"
    assert dict(message.params) == {"excess": usd(183), "coins": usd(175), "credit": usd(8)}


def test_a_hopper_is_let_go_only_after_its_start_is_on_disk(rig: Rig) -> None:
    overpay(rig)
    rig.journal.error = JournalFull("full")
    token = rig.let_go()
    assert not rig.confirmed(token)
    assert rig.bodies(facts.PayoutStarted) == []
    rig.journal.error = None
    rig.wait(3)
    assert rig.confirmed(token)
    assert len(rig.bodies(facts.PayoutStarted)) == 1


def test_an_end_told_twice_is_booked_once_and_confirmed_each_time(rig: Rig) -> None:
    overpay(rig)
    asked = rig.asked()
    assert asked is not None
    rig.pay_out()
    again = rig.payout_ended(*asked, 1)
    assert rig.confirmed(again)
    assert len(rig.bodies(facts.PayoutEnded)) == 1
    assert rig.float("dollars") == 49
    hold(rig)


def test_what_could_not_be_paid_stays_owed_and_the_next_hopper_is_asked_all_the_same(rig: Rig) -> None:
    overpay(rig)
    rig.pay_out(0, "jammed")
    rig.pay_out(2, "empty")
    told = totals(rig)
    assert (told["change"], told["owed"]) == (50, 133)
    assert rig.model.messages[0].id == "message.change_short"
    assert rig.float("quarters") == 98
    hold(rig)


def test_a_refused_order_and_a_hopper_nobody_serves_leave_the_money_owed(rig: Rig) -> None:
    overpay(rig)
    asked = rig.asked()
    assert asked is not None
    rig.news(asked[0], d.CommandRefused("dispense", "disabled", payout=asked[1].payout))
    rig.devices.there = False
    assert rig.asked() != asked
    order = rig.asked()
    assert order is not None
    rig.news(order[0], d.CommandRefused("dispense", "gone", payout=order[1].payout))
    assert rig.state == "receipting"
    assert totals(rig)["owed"] == 183
    assert rig.float("dollars") == 50


def test_doubtful_coins_are_neither_paid_nor_owed_until_the_hopper_is_counted(rig: Rig) -> None:
    overpay(rig)
    rig.pay_out()
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    rig.token += 1
    rig.news(asked[0], d.PayoutDisputed(rig.token, asked[1].payout, 1, 3, "counters"))
    assert rig.confirmed(rig.token)
    told = totals(rig)
    assert (told["change"], told["change_disputed"], told["owed"]) == (125, 50, 8)
    assert balance(rig, ROLES.overpayment) == -8
    assert balance(rig, ROLES.disputed_claims) == -50
    assert rig.float("quarters") == 99
    assert rig.kernel.books.alarms == ("payout_disputed",), "somebody has to count"
    rig.printed()
    rig.wait(30)
    rig.sign_in("p01")
    rig.tap(intents.CountHopper("quarters", 98))  # of the two coins in doubt one is missing
    (resolved,) = rig.bodies(facts.PayoutResolved)
    assert (resolved.paid, resolved.unpaid, resolved.by) == (1, 1, "p01")
    (emptied,) = rig.bodies(facts.HopperEmptied)
    assert (emptied.expected, emptied.counted) == (98, 98)
    assert balance(rig, ROLES.disputed_claims) == 0
    assert balance(rig, ROLES.overpayment) == -33
    assert balance(rig, ROLES.over_short) == 0
    assert rig.float("quarters") == 0
    hold(rig)


def test_a_count_books_what_is_missing_without_a_dispute_as_over_and_short(rig: Rig) -> None:
    rig.sign_in("p02")
    rig.tap(intents.CountHopper("dollars", 47))
    assert balance(rig, ROLES.over_short) == 300
    assert balance(rig, ROLES.hopper_float) == 2500
    assert rig.bodies(facts.HopperEmptied)[-1].by == "p02"
    hold(rig)


def test_only_somebody_who_may_collect_fills_or_counts_a_hopper(rig: Rig) -> None:
    rig.sign_in("p03")
    rig.tap(intents.FillHopper("quarters", 5))
    rig.tap(intents.CountHopper("quarters", 5))
    assert len(rig.bodies(facts.HopperFilled)) == 2
    assert rig.bodies(facts.HopperEmptied) == []
    assert rig.model.messages[0].id == "operator.no_role"


def test_figures_that_cannot_be_are_a_dispute_and_never_a_booking(rig: Rig) -> None:
    overpay(rig)
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    rig.token += 1
    rig.news(asked[0], d.PayoutEnded(rig.token, asked[1].payout, 7, 0, "done"))
    (disputed,) = rig.bodies(facts.PayoutDisputed)
    assert (disputed.at_least, disputed.at_most) == (0, 1)
    assert disputed.reason == "implausible:7+0"
    assert rig.float("dollars") == 50


def test_a_payout_that_nobody_intended_is_recorded_and_moves_nothing(rig: Rig) -> None:
    rig.news("dollars", d.PayoutEnded(91, "9-9-9", 5, 0, "done"))
    assert rig.confirmed(91)
    assert rig.bodies(facts.EventRefused)[-1].event == "PayoutEnded"
    assert rig.float("dollars") == 50
    overpay(rig)
    asked = rig.asked()
    assert asked is not None
    rig.news("quarters", d.PayoutEnded(92, asked[1].payout, 1, 0, "done"))  # another hopper's
    assert rig.bodies(facts.PayoutEnded) == []


def test_a_hopper_that_never_gets_ready_is_dropped_and_lets_nobody_wait_for_ever(rig: Rig) -> None:
    overpay(rig)
    asked = rig.asked()
    assert asked is not None
    rig.wait(61)
    assert rig.state == "receipting"
    assert rig.sent(c.DropPayout) == [c.DropPayout(asked[1].payout)]
    assert [(body.paid, body.reason) for body in rig.bodies(facts.PayoutEnded)] == [(0, "overdue"), (0, "overdue")]
    assert totals(rig)["owed"] == 183
    late = rig.token + 50
    rig.news(asked[0], d.PayoutReady(late, asked[1].payout, "m"))
    assert not rig.confirmed(late), "its citizen may have left, and the money is owed by now"
    hold(rig)


def test_a_payout_that_was_let_go_and_does_not_end_is_on_its_way_on_the_slip_and_booked_later(rig: Rig) -> None:
    overpay(rig)
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    rig.wait(61)
    told = totals(rig)
    assert (told["change"], told["change_pending"], told["owed"]) == (0, 100, 83)
    rig.printed()
    rig.wait(30)
    assert rig.state == "idle"
    rig.payout_ended(*asked, 1, recovered=True)
    assert rig.float("dollars") == 49
    assert balance(rig, ROLES.overpayment) == -83
    assert rig.state == "idle"
    hold(rig)


def test_a_further_order_of_a_payout_whose_slip_is_out_is_dropped_and_not_left_to_wait_for_ever(rig: Rig) -> None:
    overpay(rig)
    rig.pay_out()
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    rig.wait(61)
    dropped = len(rig.sent(c.DropPayout))
    further = rig.token + 50
    rig.news(asked[0], d.PayoutReady(further, asked[1].payout, "the next order"))
    assert not rig.confirmed(further)
    assert [drop.payout for drop in rig.sent(c.DropPayout)[dropped:]] == [asked[1].payout]
    rig.payout_ended(*asked, 1)
    assert rig.float("quarters") == 99
    hold(rig)


def test_each_coin_that_leaves_gives_the_others_their_time_anew(rig: Rig) -> None:
    overpay(rig)
    rig.pay_out()
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    for paid in (1, 2):
        rig.wait(50)
        rig.news(asked[0], d.PayoutProgress(asked[1].payout, paid, 3))
        assert rig.state == "dispensing"
    rig.wait(61)
    assert rig.state == "receipting"


def test_a_restart_before_the_start_pays_nothing_and_the_slip_follows(rig: Rig) -> None:
    overpay(rig)
    rig.restart()
    rig.wait(1)
    assert [(body.paid, body.reason, body.recovered) for body in rig.bodies(facts.PayoutEnded)] == [
        (0, "not_started", True), (0, "not_started", True),
    ]  # fmt: skip
    assert rig.state == "receipting"
    assert totals(rig)["owed"] == 183
    assert rig.sent(c.Dispense) == []
    hold(rig)


def test_a_restart_after_the_start_hands_the_payout_to_its_driver_and_the_slip_waits_for_it(rig: Rig) -> None:
    overpay(rig)
    rig.let_go()
    asked = rig.asked()
    assert asked is not None
    mark = rig.bodies(facts.PayoutStarted)[0].device_mark
    rig.restart()
    marks, open_note, _ = rig.kernel.memory("dollars")
    assert open_note is None
    assert {name: marks[name] for name in marks if name.startswith("payout")} == {
        "payout": asked[1].payout, "payout_coins": "1", "payout_phase": "started", "payout_mark": mark,
    }  # fmt: skip
    assert "payout" not in rig.kernel.memory("quarters")[0]
    rig.wait(1)
    assert rig.state == "dispensing"
    rig.payout_ended(*asked, 1, recovered=True)
    assert rig.state == "receipting"
    told = totals(rig)
    assert (told["change"], told["owed"]) == (100, 83)
    hold(rig)
    rig.restart()
    hold(rig)


def test_the_slip_after_a_long_night_is_a_fact_and_not_paper_in_the_wrong_hand(rig: Rig) -> None:
    overpay(rig)
    rig.time.mono += 3600 * 1_000_000_000
    rig.restart()
    rig.wait(1)
    assert rig.state == "idle"
    assert totals(rig)["owed"] == 183
    assert rig.kernel.books.slips_open() == [rig.bodies(facts.ReceiptIssued)[-1].number]
    hold(rig)


def test_a_driver_that_dies_before_it_was_let_go_leaves_its_payout_unpaid(rig: Rig) -> None:
    overpay(rig)
    marks, _, _ = rig.kernel.memory("dollars")
    assert "payout" not in marks
    rig.wait(1)
    assert rig.bodies(facts.PayoutEnded)[0].reason == "refused:driver_restarted"
    asked = rig.asked()
    assert asked is not None
    assert asked[0] == "quarters"


def test_no_change_is_planned_with_a_hopper_that_is_broken_empty_unclear_or_holds_another_coin(rig: Rig) -> None:
    rig.news("dollars", d.HopperLevel("empty"))
    rig.news("quarters", d.DeviceState("jammed", "fault"))
    overpay(rig)
    assert rig.state == "receipting"
    assert totals(rig)["overpayment"] == 183
    assert "change" not in totals(rig)
    rig.news("dollars", d.HopperLevel("ok"))
    rig.news("dollars", d.HopperKnown(usd(50)))
    rig.news("quarters", d.HopperKnown(Money(25, "CAD")))
    rig.news("quarters", d.DeviceState("idle", "ok"))
    context = rig.kernel.context()
    assert [hopper.ready for hopper in context.hoppers] == [False, False]


def test_silence_and_a_start_pay_no_change_to_whoever_comes_by(rig: Rig) -> None:
    rig.pay()
    for minor in (5000, 2000, 1000):
        rig.feed(minor)
    note = rig.escrow(500)
    rig.tap(intents.AgreeExcess())
    rig.restart()
    rig.stacked(note, 500, recovered=True)
    assert rig.bodies(facts.Settled)[-1].by == "citizen"
    assert rig.state == "dispensing", "the person saw the note through and is there"
    rig.wait(61)
    rig.printed()
    rig.wait(30)
    rig.pay(PARKING)
    rig.feed(2000)
    rig.journal.error = JournalFull("full")
    note = rig.escrow(2000)
    assert rig.state != "dispensing"


def test_coins_are_tender_without_an_intent_and_only_up_to_what_is_due(rig: Rig) -> None:
    rig.pay(PARKING)
    assert rig.sent(c.EnableCoins)[-1].values == tuple(usd(minor) for minor in (5, 10, 25, 100))
    rig.feed(2000)
    rig.feed(500)
    for _ in range(4):
        assert rig.confirmed(rig.coin(100))
    assert rig.model.remaining_minor == 100
    rig.coin(25)
    assert rig.sent(c.EnableCoins)[-1].values == tuple(usd(minor) for minor in (5, 10, 25))
    rig.coin(25)
    rig.coin(25)
    rig.coin(25)
    assert rig.state == "receipting"
    assert isinstance(rig.devices.orders[-1][1], c.Confirm | c.Print | c.InhibitCoins)
    coins = [body for body in rig.bodies(facts.NoteCredited) if body.means == "coin"]
    assert [body.value.minor for body in coins] == [100] * 4 + [25] * 4
    assert rig.kernel.books.box["USD"] == {2000: 1, 500: 1, 100: 4, 25: 4}
    hold(rig)


def test_a_coin_told_twice_is_credited_once(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.coin(25, serial=7, device_mark="12345678:3")
    again = rig.coin(25, serial=7)
    assert rig.confirmed(again)
    assert rig.model.credited_minor == 25
    assert rig.kernel.memory("coins")[0] == {"note_serial": "7", "device_mark": "12345678:3"}
    assert rig.kernel.memory("coins")[1] is None


def test_a_coin_outside_a_session_or_of_unknown_value_is_kept_apart_with_a_slip(rig: Rig) -> None:
    token = rig.coin(25)
    assert rig.confirmed(token)
    (kept,) = rig.bodies(facts.NoteSuspended)
    assert (kept.device, kept.value, kept.reason) == ("coins", usd(25), "outside_session")
    assert rig.bodies(facts.ReceiptIssued)[-1].slip == "suspense"
    rig.printed()
    rig.wait(30)
    rig.pay(PARKING)
    rig.coin(None)
    assert rig.bodies(facts.NoteSuspended)[-1].value is None
    assert rig.model.credited_minor == 0
    assert rig.kernel.books.box_unknown == 1
    hold(rig)


def test_a_coin_that_falls_while_a_note_is_held_asks_anew_or_gives_the_note_back(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    rig.feed(500)
    rig.escrow(1000)
    assert dict(rig.model.messages[0].params)["excess"] == usd(500)
    before = rig.model.step
    rig.coin(100)
    assert rig.state == "note_held"
    assert rig.model.step > before, "an answer to the old question is stale"
    assert dict(rig.model.messages[0].params)["excess"] == usd(600)
    for _ in range(4):
        rig.coin(100)
    assert rig.state == "returning"
    hold(rig)


def test_a_coin_found_by_its_counter_after_a_restart_belongs_to_the_payment_that_is_resumed(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    rig.restart()
    assert rig.state == "resuming"
    rig.coin(100, recovered=True)
    assert rig.model.credited_minor == 2100
    hold(rig)


def test_an_orderly_end_waits_for_the_change(rig: Rig) -> None:
    overpay(rig)
    assert not rig.kernel.leave()
    rig.pay_out()
    rig.pay_out()
    assert rig.kernel.leave()


def test_a_person_does_not_change_the_realm_while_coins_may_be_moving(rig: Rig) -> None:
    overpay(rig)
    rig.let_go()
    rig.wait(61)
    rig.printed()
    rig.wait(30)
    rig.kernel.parts.realms = ("training",)
    rig.sign_in("p01")
    rig.tap(intents.ChangeRealm("training"))
    assert rig.realms == []
    rig.tap(intents.FillHopper("dollars", 5))
    assert rig.model.messages[0].id == "hopper.paying"


def test_coins_and_notes_of_a_payment_are_told_apart_on_the_slip_after_a_restart_too(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    rig.feed(500)
    rig.coin(100)
    rig.restart()
    rig.tap(intents.KeepPaying())
    for _ in range(4):
        rig.coin(100)
    told = totals(rig)
    assert (told["note:2000"], told["note:500"], told["coin:100"]) == (1, 1, 5)
    assert "note:100" not in told
    hold(rig)
