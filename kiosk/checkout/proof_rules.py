# ruff: noqa: SIM102  a condition of the rule inside a condition of the case reads better in two lines
"""The rules that `proof` holds each step, each commit and each state against.  Each function yields what is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kiosk.checkout.effects import AnyEffect, Order, PrintReceipt, Record
from kiosk.checkout.events import ReprintAsked
from kiosk.checkout.model import Checkout
from kiosk.checkout.proof_world import (
    COUNTERS,
    FIRST_SEQ,
    FIRST_SLIP,
    HOPPERS,
    LAST_OF_KIND,
    OLD_COIN,
    WITNESS,
    World,
    pages_of,
)
from kiosk.checkout.states import OPERATING, WITHOUT_DEADLINE, State
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.commands import Confirm, Dispense, ReturnNote, StackNote
from kiosk.model.ids import NoteId

FINAL = ("credited", "suspended", "returned", "disputed")
NO_ERROR = "a step never fails"
BACK = "no path credits a note after it was returned"
TWICE = "no path credits a note twice"
BOX_TWICE = "no note is counted into the box twice"
OWN = "a note is credited to the session it was fed in, or to nobody"
CREDIT = "credit comes from recorded credits alone, each with its entry"
AGAIN = "a note with a recorded end is neither stacked again nor disputed"
INTENT = "the intent is committed before the stack command"
CONFIRM = "the credit is committed before its confirmation"
CONFIRMED = "every event that moves money is confirmed"
DECIDED = "every note in escrow gets a decision, and none on its way to the box is called back"
SLIP = "no settlement without a slip in the same commit, or the draft of one that waits for its change"
LEAVES = "credit leaves the table through a settlement with a slip only, or with one that waits for its change"
SUMS = "used + tender = applied + overpayment + held, and what is settled is what was credited"
ENDS = "a payment always ends in the journal, and nobody steps into an open one"
PRICE = "a frozen price never changes, and a scan during payment changes nothing"
CLOSED = "nothing begins out of service"
STAFF = "nobody works on a kiosk with somebody's payment open"
WAITS = "no state waits without a deadline"
STRANGER = "no state waits for a stranger's note"
SETTLING = "settling is left within the step"
GAPS = "slips are numbered without a gap, all together and each kind by itself"
ABOUT = "a slip tells of a fact of its own commit, and is a fact before it is printed"
HAND = "a slip never comes out in the next person's hand"
BOX = "a box session ends with a Z closing in the same commit"
ASKED = "a hopper is asked for what was committed with its settlement, and one after the other"
LET_GO = "a hopper is let go after its start is committed, once for each order, and only while its citizen is in front"
PAID = "a payout ends once, within the coins that were intended, and with coins only after its start"
THERE = "change is paid only to somebody who is there"
DRAFT = "a slip that waits for its change comes once, with the last coin or when the time is over"
TELLS = "change, what is on its way or in doubt, and what is owed are together the overpayment"
BY_CHANGE = "from every state with change on its way time alone reaches the slip"
BY_CITIZEN = "from every state with credit the citizen's own acts reach a settlement with a slip"
BY_TIME = "from every state with credit time alone reaches a settlement with a slip"
MOTION = "a payment with a note in motion ends by time alone, with a slip"
REST = "from every state time alone leads back to rest"
RULES = (
    NO_ERROR, BACK, TWICE, BOX_TWICE, OWN, CREDIT, AGAIN, INTENT, CONFIRM, CONFIRMED, DECIDED, SLIP, LEAVES, SUMS, ENDS,
    PRICE, CLOSED, STAFF, WAITS, STRANGER, SETTLING, GAPS, ABOUT, HAND, BOX, ASKED, LET_GO, PAID, THERE, DRAFT, TELLS,
    BY_CHANGE, BY_CITIZEN, BY_TIME, MOTION, REST,
)  # fmt: skip


def of_step(before: World, after: Checkout, event: Any, effects: Sequence[AnyEffect]) -> Iterator[str]:
    """Judge one step: the order of its effects, and what it may not touch."""
    was = before.model
    recorded: set[Any] = set()
    for at, effect in enumerate(effects):
        match effect:
            case Record():
                recorded |= {(type(body), getattr(body, "note", None)) for body in effect.bodies}
            case Order(command=StackNote() as command):
                if (facts.StackIntended, command.note) not in recorded:
                    yield INTENT
                if command.note == WITNESS and before.witness in FINAL:
                    yield AGAIN
            case Order(command=ReturnNote() as command):
                if command.note == _stacking(was):
                    yield DECIDED
            case Order(command=Confirm()):
                if not _committed_before(before, event, {kind for kind, _ in recorded}):
                    yield CONFIRM
                if isinstance(event, d.PayoutReady) and not _may_go(before, event):
                    yield LET_GO
            case Order(command=Dispense() as command):
                if not _may_be_asked(before, after, command, effects[:at]):
                    yield ASKED
            case PrintReceipt() if not isinstance(event, ReprintAsked):
                if facts.ReceiptIssued not in {kind for kind, _ in recorded}:
                    yield ABOUT
                if isinstance(event, d.NoteStacked | d.NoteDisputed) and event.note == WITNESS:
                    if was.session and before.witness and before.owner != "now":
                        yield HAND
            case _:
                pass
    told = d.NoteStacked | d.NoteDisputed | d.CoinAccepted | d.PayoutEnded | d.PayoutDisputed
    money = isinstance(event, told) or (isinstance(event, d.NoteReturned) and event.token)
    if money and not any(isinstance(each, Order) and isinstance(each.command, Confirm) for each in effects):
        yield CONFIRMED
    if isinstance(event, d.NoteEscrowed) and was.flight != after.flight:
        if not any(isinstance(each, Order) for each in effects):
            yield DECIDED
    if was.frozen and isinstance(event, d.Scanned | d.ScanRefused) and (effects or after != was):
        yield PRICE
    if was.frozen and after.frozen and (after.cart, after.due_minor) != (was.cart, was.due_minor):
        yield PRICE


def _stacking(model: Checkout) -> NoteId | None:
    flight = model.flight
    return flight.note if flight is not None and flight.phase == "stacking" else None


def _committed_before(before: World, event: Any, kinds: set[type]) -> bool:
    """Tell whether what a confirmation confirms stands in the journal."""
    if isinstance(event, d.PayoutReady):
        return facts.PayoutStarted in kinds
    if isinstance(event, d.PayoutEnded | d.PayoutDisputed):
        waits = dict(before.payouts).get(event.payout) in ("intended", "started")
        return bool(kinds & {facts.PayoutEnded, facts.PayoutDisputed, facts.EventRefused}) or not waits
    if isinstance(event, d.CoinAccepted) and event.coin == OLD_COIN:
        return True
    if kinds & {facts.NoteCredited, facts.NoteSuspended, facts.NoteDisputed, facts.PrintStarted}:
        return True
    known = getattr(event, "note", None) == WITNESS and before.witness in FINAL
    return known or isinstance(event, d.NoteReturned)


def _may_go(before: World, event: d.PayoutReady) -> bool:
    """Tell whether a hopper may be let go: asked for this payout, of the person in front; again for a further order."""
    phases, dispensing = dict(before.payouts), before.model.dispensing
    mine = [each for each in dispensing.payouts if each.payout == event.payout] if dispensing is not None else []
    if not mine or not before.model.session:
        return False
    told = (mine[0].phase, phases.get(event.payout))
    return told == ("ordered", "intended") or (told == ("started", "started") and mine[0].coins > 1)


def _may_be_asked(before: World, after: Checkout, command: Dispense, effects: Sequence[AnyEffect]) -> bool:
    """Tell whether this order was intended before, and no other hopper is at work for the same person."""
    bodies = [body for effect in effects if isinstance(effect, Record) for body in effect.bodies]
    fresh = any(isinstance(body, facts.PayoutIntended) and body.payout == command.payout for body in bodies)
    known = dict(before.payouts).get(command.payout) == "intended"
    busy = [each.payout for each in after.dispensing.payouts if each.phase in ("ordered", "started")
            ] if after.dispensing is not None else []  # fmt: skip
    return (fresh or known) and busy == [command.payout]


def of_commit(before: World, after: Checkout, record: Record) -> Iterator[str]:
    """Judge one commit: money and numbers."""
    bodies = record.bodies
    kinds = [type(body) for body in bodies]
    yield from _numbers(bodies)
    if facts.Settled in kinds and not {facts.ReceiptIssued, facts.ReceiptDeferred} & set(kinds):
        yield SLIP
    if (facts.ReceiptDeferred in kinds) != (facts.PayoutIntended in kinds):
        yield DRAFT
    yield from _payouts(before, bodies)
    gone = (body for body in bodies if isinstance(body, facts.CashboxChanged) and body.removed)
    if facts.BoxExchanged in kinds or any(body.authority == "none" for body in gone):
        if kinds[0] is not facts.DayClosed:
            yield BOX
    credited = 0
    for body in bodies:
        match body:
            case facts.NoteCredited():
                credited += body.value.minor
                yield from _credit(before, record, body)
            case facts.NoteSuspended(note=note) if note == WITNESS and before.witness in ("credited", "suspended"):
                yield BOX_TWICE
            case facts.NoteDisputed(note=note) if note == WITNESS and before.witness in FINAL:
                yield AGAIN
            case facts.Settled():
                used, held = (sum(part.minor for part in parts) for parts in (body.used, body.held))
                applied = sum(part.minor for part in body.allocations)
                if used + body.tender_minor != applied + body.overpayment_minor + held:
                    yield SUMS
                if body.tender_minor != before.model.credited_minor:
                    yield SUMS
            case _:
                pass
    if before.model.frozen and after.frozen and after.credited_minor - before.model.credited_minor != credited:
        yield CREDIT


def _numbers(bodies: tuple[facts.AnyBody, ...]) -> Iterator[str]:
    slips = [body for body in bodies if isinstance(body, facts.ReceiptIssued)]
    if [slip.number for slip in slips] != list(range(FIRST_SLIP, FIRST_SLIP + len(slips))):
        yield GAPS
    last = dict(LAST_OF_KIND)
    for slip in slips:
        last[slip.slip] = last.get(slip.slip, 0) + 1
        if slip.of_kind != last[slip.slip]:
            yield GAPS
        if not FIRST_SEQ <= slip.about_seq < FIRST_SEQ + len(bodies):
            yield ABOUT


def _credit(before: World, record: Record, body: facts.NoteCredited) -> Iterator[str]:
    flight = before.model.own_flight
    mine = body.means == "coin" or (flight is not None and flight.note == body.note)
    if not before.model.frozen or not mine or not record.session:
        yield OWN
    if body.note == OLD_COIN:
        yield TWICE
    if body.entry != COUNTERS[False].credit_entry(body.value):
        yield CREDIT
    if body.note != WITNESS:
        return
    if before.went_back:
        yield BACK
    if before.credited or before.witness == "suspended":
        yield TWICE
    if before.owner != "now":
        yield OWN


def _payouts(before: World, bodies: tuple[facts.AnyBody, ...]) -> Iterator[str]:
    """Judge what a commit says of coins that hoppers paid."""
    phases, pages = dict(before.payouts), pages_of(before)
    settled = next((body for body in bodies if isinstance(body, facts.Settled)), None)
    planned = 0
    for body in bodies:
        match body:
            case facts.PayoutIntended():
                planned += body.coins * body.value.minor
                if settled is None or settled.by != "citizen" or not before.model.session:
                    yield THERE
                if phases.get(body.device, "ended") != "ended" or body.coins > HOPPERS[body.device][1]:
                    yield ASKED
            case facts.PayoutEnded(paid=paid, unpaid=unpaid) | facts.PayoutDisputed(at_least=paid, at_most=unpaid):
                page = pages.get(body.device)
                if page is None or page.payout != body.payout or page.phase not in ("intended", "started"):
                    yield PAID
                    continue
                ends = isinstance(body, facts.PayoutEnded)
                fits = paid + unpaid == page.coins if ends else paid <= unpaid <= page.coins
                if not fits or min(paid, unpaid) < 0 or (page.phase == "intended" and paid):
                    yield PAID
                moved = sum(each.minor for each in body.entry.postings if each.minor > 0) if body.entry else 0
                if moved != (paid if ends else unpaid) * page.value.minor:
                    yield PAID
            case facts.ReceiptIssued():
                told = {total.name: total.minor for total in body.totals}
                parts = ("change", "change_pending", "change_disputed", "owed")
                if "change" in told and sum(told.get(name, 0) for name in parts) != told.get("overpayment", 0):
                    yield TELLS
            case _:
                pass
    if settled is not None and planned > settled.overpayment_minor:
        yield TELLS


def of_item(first: World, after: World, bodies: Sequence[facts.AnyBody]) -> Iterator[str]:
    """Judge the state after an event, and what became of the payment."""
    was, model = first.model, after.model
    kinds = {type(body) for body in bodies}
    ended = bool(kinds & {facts.Settled, facts.SessionClosed})
    if model.state is State.SETTLING:
        if was.state is not State.SETTLING:
            yield SETTLING
    elif model.deadline_ns is None:
        if model.state not in WITHOUT_DEADLINE or model.frozen or model.credited or model.session:
            yield WAITS
    if model.state in (State.STACKING, State.RETURNING, State.NOTE_HELD):
        if model.own_flight is None:
            yield STRANGER
    if was.settles and not model.frozen:
        if facts.Settled not in kinds or not kinds & {facts.ReceiptIssued, facts.ReceiptDeferred}:
            yield LEAVES
    if (model.state is State.DISPENSING) != (model.dispensing is not None):
        yield DRAFT
    if was.dispensing is not None and model.dispensing is None and facts.ReceiptIssued not in kinds:
        yield DRAFT
    if was.dispensing is not None and model.session not in ("", was.session):
        yield DRAFT
    if was.frozen and (not model.frozen or model.session != was.session) and not ended:
        yield ENDS
    if was.frozen and model.session not in ("", was.session):
        yield ENDS
    if model.frozen and not model.session:
        yield ENDS
    if was.out_of_service and ((model.frozen and not was.frozen) or (model.session and not was.session)):
        yield CLOSED
    if model.state in OPERATING and (model.frozen or model.session):
        yield STAFF
