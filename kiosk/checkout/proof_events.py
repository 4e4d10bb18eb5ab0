"""Everything that can happen to the checkout, as `proof` tries it, cut into five scopes that each fit into memory.

A scope is searched whole.  What one scope leaves out is looked at in another: rules read either money or paper or
staff together with a payment, never all three; a test holds that every row of the table is taken in some scope.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec

from kiosk.checkout import intents as i
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
from kiosk.checkout.model import Flight
from kiosk.checkout.proof_world import (
    ACCEPTOR,
    ALL_ROLES,
    BOXES,
    BROKEN,
    COIN,
    COINS,
    ENDED,
    FRESH,
    HOPPERS,
    ITEMS,
    OLD_COIN,
    OVER,
    STRANGE,
    VALUES,
    WITNESS,
    WITNESS_VALUE,
    World,
)  # fmt: skip
from kiosk.checkout.states import State
from kiosk.model import device_events as d
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.model.texts import text

#: Who makes an event happen: a citizen, time, the end of a note's motion, staff, or anything else.
CITIZEN, TIME, NOTE_ENDS, STAFF, WORLD = "citizen", "time", "note", "staff", "world"


class Scope(msgspec.Struct, frozen=True):
    """One part of the world that is searched whole."""

    name: str
    #: What it tries, in words.
    told: str
    items: tuple[str, ...]
    values: tuple[Money, ...]
    #: Follow one note beyond its end, and have devices lie about it.
    witness: bool = False
    paper: bool = False
    staff: bool = False
    #: The kiosk goes out of service and comes back.
    service: bool = False
    #: Coins fall, and hoppers pay, are silent or lie.
    coins: bool = False


SCOPES = (
    Scope("money", "all carts and notes; a note ends in every way", tuple(ITEMS)[:5], VALUES, service=True),
    Scope(
        "lies", "a cart of 10; devices say anything about a note of 5 at any time, long after its end, too",
        ("10 whole",), (VALUES[0], VALUES[2]), witness=True,
    ),
    Scope(
        "paper", "a cart of 10, notes of 5; slips and copies print, wait, fail and are dismissed",
        ("10 whole",), VALUES[:1], paper=True,
    ),
    Scope(
        "staff", "a cart of 10, notes of 5 and 20; people who work here, the cash box, tests, and who pays meanwhile",
        ("10 whole",), (VALUES[0], VALUES[2]), staff=True, service=True,
    ),
    Scope(
        "change", "a cart of 10 that gives change, notes of 20, coins of 5; two hoppers say anything at any time",
        ("10 with change",), VALUES[2:], coins=True,
    ),
)  # fmt: skip


class Happening(msgspec.Struct, frozen=True):
    """One event with who makes it happen and what else is so at that moment."""

    name: str
    actor: str
    event: Any
    ready: bool = True
    #: A price has risen since it was shown.
    risen: bool = False
    #: So many notes were refused already in a row.
    refused_notes: int = 0
    #: Who tells it.
    device: str = ACCEPTOR


_INTENTS: tuple[i.Intent, ...] = (
    i.Begin(), i.EnterNumber("1"), i.EnterPlate("ABC123"), i.AddAnother(), i.RemoveInvoice(0), i.RemoveInvoice(1),
    i.RemoveInvoice(9), i.Pay(), i.AcceptConditions(), i.AgreeExcess(), i.DeclineExcess(), i.Finish(), i.Cancel(),
    i.KeepPaying(), i.MoreTime(), i.Back(), i.Dismiss(),
)  # fmt: skip
_STAFF: tuple[i.Intent, ...] = (
    i.CallOperator(), i.EnterPin("p01", "1"), i.SignOut(), i.ReportX(), i.CloseDay(), i.BeginExchange(),
    i.ExchangeNumbers(**BOXES), i.ExchangeNumbers("?", "", ""), i.ExchangeNumbers("BOX-9", "BOX-2", "SEAL-1"),
    i.ExchangeNumbers("BOX-1", "BOX-1", "SEAL-1"), i.ConfirmExchange(), i.AbandonExchange(), i.TestPrint(),
    i.TestScan(), i.TestNote(), i.Release(VALUES[0].currency), i.Shutter(True), i.Shutter(False),
    i.ChangeRealm("training"), i.ChangeRealm("moon"), i.AcknowledgeAlarms(), i.AcknowledgeSlip(4),
    i.AcknowledgeSlip(7), i.ReprintSlip(4), i.ReprintSlip(7), i.FillHopper("tens", 1), i.FillHopper("tens", 0),
    i.FillHopper("moon", 1), i.CountHopper("fives", 0), i.CountHopper("fives", 9), i.CountHopper("fives", -1),
)  # fmt: skip


@cache
def always(scope: Scope) -> tuple[Happening, ...]:
    """Return what may happen in every world of a scope."""
    found = [Happening(type(each).__name__, CITIZEN, each) for each in _INTENTS]
    found += [Happening("ChooseLanguage", CITIZEN, i.ChooseLanguage(tag)) for tag in ("es", "xx")]
    found += [
        Happening("AcceptConditions", CITIZEN, i.AcceptConditions(), risen=True),
        Happening("AcceptConditions", CITIZEN, i.AcceptConditions(), ready=False),
    ]
    found += [Happening(type(each).__name__, WORLD, each) for each in (
        d.Scanned("x"), d.ScanRefused("long", 600), AcceptorChanged(),
        d.NoteAccepting(), d.NoteRejected("recognition"), d.NoteStacked(7, None, None), d.NoteReturned(None, "x"),
        d.NoteReturned(None, "power_up", token=7), d.CommandRefused("enable_notes", "no"),
    )]  # fmt: skip
    if scope.service:
        found += [Happening(type(each).__name__, WORLD, each) for each in (ServiceLost(BROKEN), ServiceRestored())]
    found += [
        Happening("AcceptorChanged", WORLD, AcceptorChanged(), ready=False),
        Happening("NoteRejected", WORLD, d.NoteRejected("recognition"), refused_notes=19),
        Happening("NoteRejected", WORLD, d.NoteRejected("recognition"), refused_notes=20),
    ]
    found += [Happening("LookedUp", WORLD, LookedUp(ITEMS[name])) for name in scope.items]
    plate = msgspec.structs.replace(ITEMS[scope.items[0]], by_plate=True)
    more = tuple(msgspec.structs.replace(ITEMS[name], by_plate=True) for name in scope.items[1:2])
    found += [Happening("LookedUp", WORLD, each) for each in (
        LookedUp(None), LookedUp(None, text("notice.not_found")), LookedUp(plate, None, more),
    )]  # fmt: skip
    found += [Happening("NoteEscrowed", WORLD, d.NoteEscrowed(FRESH, value, 0)) for value in scope.values]
    if scope.witness:
        found += _about_witness(scope)
    if scope.staff or scope.coins:
        found += _strange()
    if scope.staff:
        found += _unknown_job()
    if scope.coins:
        found += _coins()
    if scope.paper:
        found.append(Happening("ReprintAsked", STAFF, ReprintAsked(9, 1)))
    if scope.staff:
        found += _staff()
    return tuple(found)


def _about_witness(scope: Scope) -> list[Happening]:
    """A driver that says of one note whatever it likes, and whenever."""
    dollar, maple = scope.values[-1], Money(1000, "CAD")
    events = [
        d.NoteEscrowed(WITNESS, WITNESS_VALUE, 0), d.NoteEscrowed(WITNESS, dollar, 0),
        *(d.NoteStacked(7, WITNESS, value) for value in (WITNESS_VALUE, dollar, maple, None)),
        d.NoteStacked(7, WITNESS, WITNESS_VALUE, recovered=True), d.NoteStacked(7, None, dollar),
    ]  # fmt: skip
    return [Happening(type(each).__name__, WORLD, each) for each in (*events, *_ends(WITNESS, WITNESS_VALUE))]


def _ends(note: NoteId, value: Money) -> tuple[Any, ...]:
    """Return what can be told of a note besides escrow and stacking."""
    return (
        d.NoteReturned(note, "x"), d.NoteReturned(note, "x", token=7), d.NoteDisputed(7, note, value, "silence"),
        d.CommandRefused("stack_note", "departed", note), d.CommandRefused("return_note", "departed", note),
        d.CommandRefused("hold_note", "no", note), d.NoteGone(note), d.NoteStacking(note), d.NoteHeld(note),
    )  # fmt: skip


def _strange() -> list[Happening]:
    """Coins and payouts that nobody waits for."""
    found = [
        Happening(type(each).__name__, WORLD, each, device=COINS)
        for each in (d.CoinAccepted(7, OLD_COIN, VALUES[0]), d.CoinRejected("fraud"))
    ]
    for payout in (STRANGE, OVER):
        found += [
            Happening(type(each).__name__, WORLD, each, device="fives")
            for each in (
                d.PayoutReady(7, payout, "m"), d.PayoutProgress(payout, 1, 1), d.PayoutEnded(7, payout, 1, 0, "done"),
                d.PayoutDisputed(7, payout, 0, 1, "counters"),
            )
        ]  # fmt: skip
    return found


def _coins() -> list[Happening]:
    """Coins that fall."""
    fallen = (
        d.CoinAccepted(7, COIN, VALUES[0]), d.CoinAccepted(7, COIN, None), d.CoinAccepted(7, COIN, Money(500, "CAD")),
        d.CoinAccepted(7, COIN, VALUES[0], recovered=True),
    )  # fmt: skip
    return [Happening(type(each).__name__, WORLD, each, device=COINS) for each in fallen]


@cache
def of_hopper(device: str) -> tuple[Happening, ...]:
    """Return whatever a hopper may say of its payout, whenever it likes."""
    events = (
        d.PayoutReady(7, device, "m"), d.PayoutProgress(device, 1, 2),
        d.CommandRefused("dispense", "no", payout=device), d.CommandRefused("drop_payout", "no", payout=device),
        *(d.PayoutEnded(7, device, *figures, "x") for figures in ((1, 0), (0, 1), (1, 1), (0, 2), (9, -7))),
        *(d.PayoutDisputed(7, device, *figures, "x") for figures in ((0, 1), (1, 1), (1, 2), (2, 9))),
    )  # fmt: skip
    other = "fives" if device == "tens" else "tens"
    wrong = Happening("PayoutEnded", WORLD, d.PayoutEnded(7, device, 1, 0, "x"), device=other)
    return (*(Happening(type(each).__name__, WORLD, each, device=device) for each in events), wrong)


def _unknown_job() -> list[Happening]:
    job = "slip-77-0"
    return [Happening(type(each).__name__, WORLD, each) for each in (
        d.PrintReady(9, job), d.PrintHeld(job, "paper_out"), d.PrintProgress(job, 1, 2), d.Printed(job),
        d.PrintUnknown(job, "cut"), d.CommandRefused("print", "none", job=job), ReprintAsked(9, 1),
        d.SlipPresented(job, "retracted"),
    )]  # fmt: skip


def _staff() -> list[Happening]:
    found = [Happening(type(each).__name__, STAFF, each) for each in _STAFF]
    found += [
        Happening(type(each).__name__, STAFF, each, ready=False)
        for each in (i.TestNote(), i.AcknowledgeAlarms(), i.ReprintSlip(4))
    ]
    for purpose, person, roles, problem in (
        ("menu", "p01", ALL_ROLES, ""), ("menu", "p01", ("count",), ""), ("menu", "p03", ("audit",), ""),
        ("menu", "p01", (), "pin"), ("menu", "", (), "unknown"), ("menu", "p01", (), "locked"),
        ("second", "p02", ("collect",), ""), ("second", "p01", ALL_ROLES, ""), ("second", "p02", ("operate",), ""),
        ("second", "p02", (), "pin"),
    ):  # fmt: skip
        found.append(Happening("PinChecked", WORLD, PinChecked(person, roles, purpose, problem)))
    box = (d.CashboxRemoved(), d.CashboxInserted())
    return [*found, *(Happening(type(each).__name__, WORLD, each) for each in box)]


def happenings(scope: Scope, world: World) -> Iterator[Happening]:
    """Return everything that may happen next; nothing is left out because a good driver would not say it."""
    model = world.model
    # What people do and notes become with the box out, or out of service, is tried elsewhere; here coins alone.
    shut = scope.coins and (not world.box_present or bool(model.out_of_service))
    if not shut:
        yield from always(scope)
    if model.state is State.SETTLING:
        yield Happening("Settle", TIME, Settle("recovery"))
    if model.state is State.DISPENSING:
        # What else may happen is tried in every other state elsewhere; here it may happen while coins fall.
        rare = (ChangeResumed(),) if shut else (ChangeResumed(), d.CashboxRemoved(), ServiceLost(BROKEN))
        yield from (Happening(type(each).__name__, WORLD, each) for each in rare)
        yield from () if shut else _unknown_job()
    if scope.coins and model.state in (State.DISPENSING, State.IDLE, State.OUT_OF_SERVICE):
        yield Happening("CashboxInserted", WORLD, d.CashboxInserted())
        yield Happening("ServiceRestored", WORLD, ServiceRestored())
    for device in HOPPERS if scope.coins else ():
        # Of a payout that is over and of a stranger's the rules know nothing more than of `STRANGE`.
        asked = model.dispensing is not None and any(each.device == device for each in model.dispensing.payouts)
        if asked or device in dict(world.payouts):
            yield from of_hopper(device)
    if model.deadline_ns is not None:
        yield Happening("DeadlinePassed", TIME, DeadlinePassed())
    if model.flight is not None:
        yield from of_flight(model.flight)
    for job in model.jobs if scope.paper else ():
        if job.state in ENDED:
            yield Happening("SlipPresented", WORLD, d.SlipPresented(job.job, "retracted"))
            continue
        for event in (
            d.PrintReady(9, job.job), d.PrintHeld(job.job, "paper_out"), d.PrintProgress(job.job, 1, 2),
            d.Printed(job.job), d.PrintUnknown(job.job, "cut"), d.CommandRefused("print", "none", job=job.job),
        ):  # fmt: skip
            yield Happening(type(event).__name__, WORLD, event)


@cache
def of_flight(flight: Flight) -> tuple[Happening, ...]:
    """Return what can become of the note in motion: its honest ends are marked."""
    note, value = flight.note, flight.value
    found = [Happening("NoteEscrowed", WORLD, d.NoteEscrowed(note, value, 0))]
    for event in (d.NoteStacked(7, note, value), *_ends(note, value)):
        refused = isinstance(event, d.CommandRefused) and event.command != "hold_note"
        ends = refused or isinstance(event, d.NoteStacked | d.NoteReturned | d.NoteDisputed)
        found.append(Happening(type(event).__name__, NOTE_ENDS if ends else WORLD, event))
    return tuple(found)
