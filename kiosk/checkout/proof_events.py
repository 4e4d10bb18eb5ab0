"""Everything that can happen to the checkout, as `proof` tries it, cut into four scopes that each fit into memory.

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
    ALL_ROLES,
    BOXES,
    BROKEN,
    ENDED,
    FRESH,
    ITEMS,
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


SCOPES = (
    Scope("money", "all carts and notes; a note ends in every way", tuple(ITEMS), VALUES, service=True),
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
    i.AcknowledgeSlip(7), i.ReprintSlip(4), i.ReprintSlip(7),
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
    if scope.staff:
        found += _unknown_job()
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


def _unknown_job() -> list[Happening]:
    job = "slip-77-0"
    return [Happening(type(each).__name__, WORLD, each) for each in (
        d.PrintReady(9, job), d.PrintHeld(job, "paper_out"), d.PrintProgress(job, 1, 2), d.Printed(job),
        d.PrintUnknown(job, "cut"), d.CommandRefused("print", "none", job=job), ReprintAsked(9, 1),
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
    yield from always(scope)
    if model.state is State.SETTLING:
        yield Happening("Settle", TIME, Settle("recovery"))
    if model.deadline_ns is not None:
        yield Happening("DeadlinePassed", TIME, DeadlinePassed())
    if model.flight is not None:
        yield from of_flight(model.flight)
    for job in model.jobs if scope.paper else ():
        if job.state in ENDED:
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
