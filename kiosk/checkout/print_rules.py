"""Rules for slips in print.  Money never waits for paper: a slip is a fact before its first byte leaves.

A slip that is not proven to be on paper stays on the screen until its owner dismisses it, which is a fact, or until
`periods.unprinted` is over; then it is *open*, and staff hand it over or print a copy.  A job of which no byte has
left may still print while its owner is in front; one whose end is unknown never prints again by itself.
"""

from __future__ import annotations

import msgspec

from kiosk.checkout.effects import AnyEffect, DropPrint, Order, PrintReceipt, Record
from kiosk.checkout.events import DeadlinePassed, ReprintAsked
from kiosk.checkout.model import Checkout, Context, Job
from kiosk.checkout.states import State
from kiosk.checkout.steps import NS, Outcome, change, drop_waiting, ended_jobs_dropped, job_name, to
from kiosk.model import facts
from kiosk.model.commands import Confirm
from kiosk.model.device_events import (
    CommandRefused,
    Printed,
    PrintHeld,
    PrintProgress,
    PrintReady,
    PrintUnknown,
    SlipPresented,
)
from kiosk.model.texts import text

#: Job states that nothing follows.
ENDED = ("printed", "unknown", "dropped")
#: Letters of a driver's raw word that are kept.
LONGEST_RAW = 200
#: Ends of a slip in a presenter's mouth; another word of a driver is as good as not knowing.
PRESENTED = ("taken", "retracted", "ejected", "jammed", "unknown")


def find(model: Checkout, name: str) -> Job | None:
    """Return the job of this name."""
    return next((job for job in model.jobs if job.job == name), None)


def put(model: Checkout, job: Job) -> Checkout:
    """Replace a job by its newer self."""
    return change(model, jobs=tuple(job if j.job == job.job else j for j in model.jobs))


def ready(model: Checkout, event: PrintReady, ctx: Context) -> Outcome:
    """Preflight passed: commit that printing starts, then let the first byte go."""
    job = find(model, event.job)
    if job is None or job.state in ENDED:
        # Nobody wants it any more; without this the driver would wait for ever and hold up every later job.
        return model, [DropPrint(event.job)]
    if job.state == "printing":
        return model, []
    started = facts.PrintStarted(job.number, job.job, job.copy, ctx.device)
    model = put(model, msgspec.structs.replace(job, state="printing"))
    return model, [Record((started,), model.session, "device"), Order(ctx.device, Confirm(event.token))]


def held(model: Checkout, event: PrintHeld, ctx: Context) -> Outcome:
    """Preflight failed: nothing has left, the job waits."""
    job = find(model, event.job)
    if job is None or job.state not in ("queued", "held"):
        return model, []
    return put(model, msgspec.structs.replace(job, state="held")), []


def progress(model: Checkout, event: PrintProgress, ctx: Context) -> Outcome:
    """Bytes left."""
    job = find(model, event.job)
    if job is None or job.state != "printing":
        return model, []
    return put(model, msgspec.structs.replace(job, sent=event.sent, total=event.total)), []


def printed(model: Checkout, event: Printed, ctx: Context) -> Outcome:
    """The barrier was passed."""
    return _end(model, event.job, "printed", "", ctx)


def unknown(model: Checkout, event: PrintUnknown, ctx: Context) -> Outcome:
    """Bytes left and nothing proves that they were printed."""
    return _end(model, event.job, "unknown", event.reason, ctx)


def presented(model: Checkout, event: SlipPresented, ctx: Context) -> Outcome:
    """A slip left the presenter's mouth: into a hand, or not.  Each piece of paper is told of once."""
    found = ctx.awaited_in_mouth(event.job)
    if found is None:
        return model, []
    outcome = event.outcome if event.outcome in PRESENTED else "unknown"
    body = facts.SlipPresented(found[0], event.job, found[1], outcome, event.raw[:LONGEST_RAW])
    return model, [Record((body,), "", "device")]


def job_refused(model: Checkout, event: CommandRefused, ctx: Context) -> Outcome:
    """The printer's driver cannot take the job; no byte has left."""
    return _end(model, event.job, "dropped", event.reason, ctx) if event.job else (model, [])


def _end(model: Checkout, name: str, outcome: str, detail: str, ctx: Context) -> Outcome:
    job = find(model, name)
    if job is None or job.state in ENDED or (job.state != "printing" and outcome != "dropped"):
        return model, []
    model = put(model, msgspec.structs.replace(job, state=outcome))
    body = facts.PrintEnded(job.number, job.job, job.copy, outcome, detail)
    effects: list[AnyEffect] = [Record((body,), model.session, "device")]
    if model.state is State.RECEIPTING and not any(j.state not in ENDED for j in model.jobs):
        model = all_printed(model, ctx)
    return model, effects


def all_printed(model: Checkout, ctx: Context) -> Checkout:
    """Every job has ended: say goodbye, or show the slip that is not proven to be on paper."""
    mine = [j for j in model.jobs if j.number in model.slips or not model.slips]
    if all(j.state == "printed" for j in mine):
        return to(model, State.THANKING, ctx, messages=model.messages)
    return unprinted(model, ctx)


def unprinted(model: Checkout, ctx: Context) -> Checkout:
    """Keep the slip on the screen, to be photographed."""
    model = to(model, State.RECEIPTING, ctx, messages=(text("message.not_printed"), *model.messages))
    return change(model, deadline_ns=ctx.now_ns + ctx.settings.periods.unprinted * NS)


def print_overdue(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """The printer did not finish in time: first show the slip as not printed, then leave.

    A job of which no byte has left is dropped, so that it never comes out in the next person's hand.
    """
    shown = text("message.not_printed") in model.messages
    if not shown:
        return unprinted(model, ctx), []
    model, effects = drop_waiting(model)
    return to(model, State.THANKING, ctx), effects


def seen(model: Checkout, event: object, ctx: Context) -> Outcome:
    """The person has seen the result: what has not left is dropped, a slip that is not on paper is acknowledged."""
    model, effects = drop_waiting(model)
    bodies = tuple(body for effect in effects if isinstance(effect, Record) for body in effect.bodies)
    bodies += tuple(
        facts.SlipAcknowledged(number, "citizen") for number in reversed(model.slips) if missed(model, number)
    )
    others = [effect for effect in effects if not isinstance(effect, Record)]
    told: list[AnyEffect] = [Record(bodies, model.session)] if bodies else []
    return to(model, State.THANKING, ctx), [*told, *others]


def missed(model: Checkout, number: int) -> bool:
    """Tell whether every job of a slip has ended and none of them is proven to be on paper."""
    states = [job.state for job in model.jobs if job.number == number]
    return bool(states) and all(state in ("unknown", "dropped") for state in states)


def reprint(model: Checkout, event: ReprintAsked, ctx: Context) -> Outcome:
    """Queue a further copy of a slip; the fact `PrintStarted` counts it."""
    name = job_name(event.number, event.copy)
    before = find(model, name)
    if before is not None and before.state not in ENDED:
        return model, []
    # A copy of which no byte left before it was dropped keeps its number: it is asked for anew.
    others = tuple(job for job in ended_jobs_dropped(model.jobs) if job.job != name)
    job = Job(event.number, event.copy, name, "queued")
    return change(model, jobs=(*others, job)), [PrintReceipt(event.number, event.copy)]
