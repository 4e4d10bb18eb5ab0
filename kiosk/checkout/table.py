"""The transition table: (state, event) -> rule.  It is the only place where devices and money meet.

An event without a row is refused and recorded; a rule that leads to a state its row does not name is a fault
and stops the step.  The diagram in the docs is drawn from this table.  Rows are explicit: groups of states are
expanded here, at import, and never matched by a wildcard at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kiosk.checkout import attended_rules as attended
from kiosk.checkout import change_rules as change
from kiosk.checkout import coin_rules as coins
from kiosk.checkout import exchange_rules as exchange
from kiosk.checkout import hopper_rules as hoppers
from kiosk.checkout import intents as i
from kiosk.checkout import money_rules as money
from kiosk.checkout import print_rules as slips
from kiosk.checkout import screen_rules as screen
from kiosk.checkout import service_rules as service
from kiosk.checkout import settlement_rules as settlement
from kiosk.checkout.effects import AnyEffect, Record
from kiosk.checkout.events import (
    AcceptorChanged,
    ChangeResumed,
    DeadlinePassed,
    LookedUp,
    PinChecked,
    ReprintAsked,
    ServiceLost,
    ServiceRestored,
    Settle,
)  # fmt: skip
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.states import BEFORE_MONEY, OPERATING, State
from kiosk.errors import CheckoutError
from kiosk.model import device_events as d

S = State


class Row(msgspec.Struct, frozen=True):
    """One row: the rule and every state it may lead to.  The state itself is always among them."""

    call: Callable[[Checkout, Any, Context], tuple[Checkout, list[AnyEffect]]]
    to: frozenset[State]


TRANSITIONS: dict[tuple[State, type], Row] = {}


def _rows(states: Iterable[State], event: type, call: Callable[..., Any], *to: State) -> None:
    for state in states:
        key = (state, event)
        if key in TRANSITIONS:
            raise CheckoutError(f"two rows for {state} and {event.__name__}", hint="one rule for each pair")
        TRANSITIONS[key] = Row(call, frozenset((state, *to)))


ALL = tuple(State)
PAYING = (S.ACCEPTING, S.TIMED_OUT)
SCANNING = (S.IDLE, S.ENTERING, S.NOTICE, S.REVIEWING, S.THANKING)
KEEP_ON = (S.ACCEPTING, S.STACKING, S.RETURNING, S.SETTLING)
ENDS = (S.SETTLING, S.RECEIPTING, S.IDLE, S.OUT_OF_SERVICE)
#: Where a slip leads that waited for its change.
PAID_OUT = (S.RECEIPTING, S.IDLE, S.OUT_OF_SERVICE)

# People before any money.
_rows((S.IDLE, S.THANKING), i.Begin, screen.begin, S.ENTERING, S.OUT_OF_SERVICE)
_rows((S.IDLE,), i.ChooseLanguage, screen.choose_language, S.ENTERING)
_rows([s for s in ALL if s not in (S.IDLE, S.SETTLING)], i.ChooseLanguage, screen.choose_language)
_rows((S.ENTERING, S.NOTICE, S.REVIEWING, S.IDLE), i.EnterNumber, screen.look_up_typed, S.LOOKING_UP)
_rows((S.ENTERING, S.NOTICE, S.REVIEWING, S.IDLE), i.EnterPlate, screen.look_up_plate, S.LOOKING_UP)
_rows(SCANNING, d.Scanned, screen.look_up_scan, S.LOOKING_UP, S.OUT_OF_SERVICE)
_rows(SCANNING, d.ScanRefused, screen.scan_refused, S.NOTICE, S.OUT_OF_SERVICE)
_rows((S.LOOKING_UP,), LookedUp, screen.looked_up, S.REVIEWING, S.NOTICE)
_rows((S.ENTERING, S.NOTICE, S.CONSENTING), i.Back, screen.back, S.REVIEWING, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.NOTICE,), i.Dismiss, screen.back, S.REVIEWING, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.NOTICE,), DeadlinePassed, screen.back, S.REVIEWING, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.REVIEWING, S.NOTICE), i.AddAnother, screen.add_another, S.ENTERING)
_rows((S.REVIEWING,), i.RemoveInvoice, screen.remove_invoice, S.ENTERING)
_rows((S.REVIEWING,), i.Pay, screen.pay, S.CONSENTING)
_rows((S.CONSENTING,), i.AcceptConditions, screen.accept_conditions, S.REVIEWING, S.ACCEPTING, *ENDS)
_rows(BEFORE_MONEY, i.Cancel, screen.cancel_before_money, S.IDLE, S.OUT_OF_SERVICE)
_rows([s for s in ALL if s not in (*SCANNING, S.TESTING)], d.Scanned, screen.ignore)
_rows([s for s in ALL if s not in (*SCANNING, S.TESTING)], d.ScanRefused, screen.ignore)

# Questions and time.
_rows((S.ENTERING, S.REVIEWING, S.CONSENTING, S.ACCEPTING), DeadlinePassed, screen.ask_more_time, S.TIMED_OUT)
_rows((S.LOOKING_UP,), DeadlinePassed, screen.leave, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.TIMED_OUT,), DeadlinePassed, screen.time_out, S.RETURNING, S.STACKING, *ENDS)
_rows((S.TIMED_OUT,), i.MoreTime, screen.keep_paying, *KEEP_ON, S.OUT_OF_SERVICE, *BEFORE_MONEY)
_rows((S.TIMED_OUT,), i.KeepPaying, screen.keep_paying, *KEEP_ON, S.OUT_OF_SERVICE, *BEFORE_MONEY)
_rows((S.TIMED_OUT, S.ACCEPTING), i.Cancel, screen.cancel_paying, S.STOPPING, S.STACKING, S.RETURNING, *ENDS)
_rows((S.TIMED_OUT, S.ACCEPTING, S.STOPPING), i.Finish, screen.finish, S.RETURNING, S.STACKING, *ENDS)
_rows((S.STOPPING,), i.Cancel, screen.finish, S.RETURNING, S.STACKING, *ENDS)
_rows((S.STOPPING,), DeadlinePassed, screen.time_out, S.RETURNING, S.STACKING, *ENDS)
_rows((S.STOPPING,), i.KeepPaying, screen.keep_paying, *KEEP_ON)
_rows((S.STOPPING,), i.MoreTime, screen.keep_paying, *KEEP_ON)

# Notes.
_rows(PAYING, d.NoteEscrowed, money.escrowed_while_paying, S.STACKING, S.NOTE_HELD, S.RETURNING)
_rows([s for s in ALL if s not in PAYING], d.NoteEscrowed, money.escrowed_unwanted)
_rows((S.NOTE_HELD,), i.AgreeExcess, money.agree_excess, S.STACKING)
_rows((S.NOTE_HELD,), i.DeclineExcess, money.decline_excess, S.RETURNING)
_rows((S.NOTE_HELD,), DeadlinePassed, money.decline_excess, S.RETURNING)
_rows((S.NOTE_HELD,), i.Cancel, money.cancel_held, S.RETURNING)
_rows((S.NOTE_HELD,), i.Finish, money.cancel_held, S.RETURNING)
_rows((S.STACKING, S.RETURNING), i.Cancel, screen.cancel_paying)
_rows((S.STACKING, S.RETURNING), i.Finish, screen.finish)
_rows((S.STACKING, S.RETURNING), DeadlinePassed, money.note_stuck, S.RECEIPTING)
_rows(ALL, d.NoteStacked, money.stacked, S.ACCEPTING, *ENDS)
_rows([s for s in ALL if s is not S.TESTING], d.NoteReturned, money.returned, S.ACCEPTING, *ENDS)
_rows(ALL, d.NoteDisputed, money.disputed, S.ACCEPTING, *ENDS)
_rows(ALL, d.NoteGone, money.gone)
_rows((S.STACKING,), d.NoteStacking, money.stacking)
_rows([s for s in ALL if s is not S.STACKING], d.NoteStacking, screen.ignore)
_rows((S.ACCEPTING,), d.NoteAccepting, money.accepting_note)
_rows((S.NOTE_HELD,), d.NoteHeld, screen.ignore)
_rows([s for s in ALL if s is not S.ACCEPTING], d.NoteAccepting, screen.ignore)
_rows([s for s in ALL if s is not S.NOTE_HELD], d.NoteHeld, screen.ignore)
_rows(PAYING, d.NoteRejected, money.rejected)
_rows([s for s in ALL if s not in (*PAYING, S.TESTING)], d.NoteRejected, money.rejected_elsewhere)
_rows(ALL, d.CommandRefused, service.command_refused, S.ACCEPTING, S.DISPENSING, S.THANKING, *ENDS)
_rows(PAYING, AcceptorChanged, money.acceptor_changed)
_rows([s for s in ALL if s not in (*PAYING, S.TESTING)], AcceptorChanged, money.acceptor_elsewhere)
_rows((S.SETTLING,), Settle, settlement.settle, S.DISPENSING, S.RECEIPTING, S.IDLE, S.OUT_OF_SERVICE)

# Coins.
_rows(ALL, d.CoinAccepted, coins.accepted, S.ACCEPTING, S.RETURNING, *ENDS)
_rows(PAYING, d.CoinRejected, coins.rejected)
_rows([s for s in ALL if s not in PAYING], d.CoinRejected, coins.elsewhere)

# Change.
_rows(ALL, d.PayoutReady, change.ready)
_rows(ALL, d.PayoutProgress, change.progress)
_rows(ALL, d.PayoutEnded, change.ended, *PAID_OUT)
_rows(ALL, d.PayoutDisputed, change.disputed, *PAID_OUT)
_rows((S.DISPENSING,), DeadlinePassed, change.overdue, *PAID_OUT)
_rows((S.DISPENSING,), ChangeResumed, change.resumed, *PAID_OUT)

# After an interruption.
_rows((S.RESUMING,), i.KeepPaying, screen.keep_paying, S.ACCEPTING, S.SETTLING)
_rows((S.RESUMING,), i.Finish, money.finish_resuming, *ENDS)
_rows((S.RESUMING,), i.Cancel, money.finish_resuming, *ENDS)
_rows((S.RESUMING,), DeadlinePassed, money.resume_over, *ENDS)

# Slips.
_rows(ALL, d.PrintReady, slips.ready)
_rows(ALL, d.PrintHeld, slips.held)
_rows(ALL, d.PrintProgress, slips.progress)
_rows(ALL, d.Printed, slips.printed, S.THANKING)
_rows(ALL, d.PrintUnknown, slips.unknown, S.THANKING)
_rows(ALL, d.SlipPresented, slips.presented)
_rows((S.RECEIPTING,), DeadlinePassed, slips.print_overdue, S.THANKING)
_rows((S.RECEIPTING,), i.Dismiss, slips.seen, S.THANKING)
_rows((S.THANKING,), i.Dismiss, screen.leave, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.THANKING,), DeadlinePassed, screen.leave, S.IDLE, S.OUT_OF_SERVICE)
_rows(ALL, ReprintAsked, slips.reprint)

# People who work here.
_rows((S.IDLE, S.OUT_OF_SERVICE), i.CallOperator, attended.call, S.SIGNING_IN)
_rows((S.SIGNING_IN,), i.EnterPin, attended.enter_pin)
_rows((S.SIGNING_IN,), PinChecked, attended.pin_checked, S.ATTENDED)
_rows((S.SIGNING_IN,), i.Cancel, attended.give_up, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.SIGNING_IN,), DeadlinePassed, attended.give_up, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.ATTENDED,), i.SignOut, attended.sign_out, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.ATTENDED, S.TESTING), DeadlinePassed, attended.time_out, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.ATTENDED,), i.ReportX, attended.report_x)
_rows((S.ATTENDED,), i.CloseDay, attended.close_day)
_rows((S.ATTENDED,), i.TestPrint, attended.test_print)
_rows((S.ATTENDED,), i.TestScan, attended.begin_test, S.TESTING)
_rows((S.ATTENDED,), i.TestNote, attended.begin_test, S.TESTING)
_rows((S.ATTENDED,), i.Release, attended.release)
_rows((S.ATTENDED,), i.Shutter, attended.shutter)
_rows((S.ATTENDED,), i.ChangeRealm, attended.change_realm, S.IDLE, S.OUT_OF_SERVICE)
_rows((S.ATTENDED,), i.AcknowledgeAlarms, attended.acknowledge_alarms)
_rows((S.ATTENDED,), i.AcknowledgeSlip, attended.acknowledge_slip)
_rows((S.ATTENDED,), i.ReprintSlip, attended.reprint)
_rows((S.ATTENDED,), i.FillHopper, hoppers.fill)
_rows((S.ATTENDED,), i.CountHopper, hoppers.count)
_rows((S.TESTING,), d.Scanned, attended.test_scanned)
_rows((S.TESTING,), d.ScanRefused, attended.test_scanned)
_rows((S.TESTING,), d.NoteReturned, attended.test_note_back)
_rows((S.TESTING,), d.NoteRejected, attended.test_note_rejected)
_rows((S.TESTING,), AcceptorChanged, attended.test_acceptor)
_rows((S.TESTING,), i.Back, attended.end_test, S.ATTENDED)
_rows((S.TESTING,), i.Cancel, attended.end_test, S.ATTENDED)

# The cash box.
_rows((S.ATTENDED,), i.BeginExchange, exchange.begin, S.EXCHANGING)
_rows((S.EXCHANGING,), i.ExchangeNumbers, exchange.numbers)
_rows((S.EXCHANGING,), i.EnterPin, exchange.second_pin)
_rows((S.EXCHANGING,), PinChecked, exchange.second_checked)
_rows((S.EXCHANGING,), i.ConfirmExchange, exchange.confirm, S.ATTENDED)
_rows((S.EXCHANGING,), i.AbandonExchange, exchange.abandon, S.ATTENDED)
_rows((S.EXCHANGING,), i.Back, exchange.back, S.ATTENDED)
_rows((S.EXCHANGING,), i.Cancel, exchange.back, S.ATTENDED)
_rows((S.EXCHANGING,), DeadlinePassed, exchange.overdue, S.IDLE, S.OUT_OF_SERVICE)
_rows(ALL, d.CashboxRemoved, exchange.removed)
_rows(ALL, d.CashboxInserted, exchange.inserted)

# Service.
_rows((S.IDLE, S.OUT_OF_SERVICE), ServiceLost, service.lost_idle, S.OUT_OF_SERVICE)
_rows(BEFORE_MONEY, ServiceLost, service.lost_before_money, S.OUT_OF_SERVICE)
_rows((S.TIMED_OUT,), ServiceLost, service.lost_at_question, S.OUT_OF_SERVICE)
_rows(
    [s for s in ALL if s not in (S.IDLE, S.OUT_OF_SERVICE, S.TIMED_OUT, *BEFORE_MONEY)],
    ServiceLost, service.lost_in_session,
)  # fmt: skip
_rows((S.OUT_OF_SERVICE,), ServiceRestored, service.restored_idle, S.IDLE)
_rows([s for s in ALL if s is not S.OUT_OF_SERVICE], ServiceRestored, service.restored)


def step(model: Checkout, event: Any, ctx: Context) -> tuple[Checkout, list[AnyEffect]] | None:
    """Take one step; None where the table has no row (the caller records the refusal).

    Raises:
        CheckoutError: a rule led to a state that its row does not name.
    """
    row = TRANSITIONS.get((model.state, type(event)))
    if row is None:
        return None
    after, effects = row.call(model, event, ctx)
    if after.state not in row.to:
        raise CheckoutError(
            f"{type(event).__name__} led from {model.state} to {after.state}, which its row does not name",
            hint="name the state in kiosk/checkout/table.py or mend the rule",
        )
    acted = model.state in OPERATING and isinstance(event, i.Intent)
    if acted or any(getattr(after, name) != getattr(model, name) for name in _SEEN):
        after = msgspec.structs.replace(after, step=model.step + 1)
    return after, one_commit(effects)


#: What a person's tap refers to: when one of these changes, taps made before it are stale.  An act of somebody who
#: works here is a fact of its own: after each of them every earlier tap is stale, so that a double tap acts once.
_SEEN = (
    "state", "session", "cart", "frozen", "flight", "credited", "due_minor", "asked_from", "wrap_up", "attendant",
    "exchange", "dispensing",
)  # fmt: skip


def one_commit(effects: list[AnyEffect]) -> list[AnyEffect]:
    """Merge all facts of a step into its first commit: a step is on disk whole or not at all.

    Raises:
        CheckoutError: one step recorded facts of two sessions.
    """
    records = [effect for effect in effects if isinstance(effect, Record)]
    if len(records) < 2:
        return effects
    if len({record.session for record in records}) > 1:
        raise CheckoutError("one step recorded facts of two sessions", hint="mend the rule")
    whole = msgspec.structs.replace(records[0], bodies=tuple(body for record in records for body in record.bodies))
    merged: list[AnyEffect] = []
    for effect in effects:
        if effect is records[0]:
            merged.append(whole)
        elif not isinstance(effect, Record):
            merged.append(effect)
    return merged


def allowed(model: Checkout) -> tuple[str, ...]:
    """Return the tags of the intents that have a row in this state and that the person may ask for, in order."""
    tags = []
    for state, event in TRANSITIONS:
        if state is not model.state or not issubclass(event, i.Intent):
            continue
        role = attended.ROLE_OF.get(event)
        if (role is None or attended.holds(model, role)) and exchange.fits_stage(model, event):
            tags.append(event.__struct_config__.tag)
    return tuple(sorted(str(tag) for tag in tags))
