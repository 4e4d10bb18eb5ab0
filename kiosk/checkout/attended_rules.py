"""Rules for the people who work here: signing in, the menu and its acts.

Every act is a fact with its actor, and none of them changes or removes one.  A PIN goes to its check and nowhere
else.  What a person may ask for follows from the roles of the sign-in; the screen offers nothing else, and an intent
that comes all the same is answered with words and no fact.
"""

from __future__ import annotations

from kiosk.checkout import intents
from kiosk.checkout.closing import closing, closing_particulars, report_particulars
from kiosk.checkout.effects import AcceptNotes, AnyEffect, CheckPin, CloseShutter, PrintReceipt, Raise, Record, Restart
from kiosk.checkout.effects import Release as ReleaseEffect
from kiosk.checkout.events import AcceptorChanged, DeadlinePassed, PinChecked, ReprintAsked
from kiosk.checkout.model import Attendant, Checkout, Context, Job
from kiosk.checkout.money_rules import returned
from kiosk.checkout.states import State
from kiosk.checkout.steps import Outcome, change, ended_jobs_dropped, issued, job_name, rest, to
from kiosk.model import facts
from kiosk.model.device_events import NoteRejected, NoteReturned, Scanned, ScanRefused
from kiosk.model.texts import Text, text

#: The role that each intent of a signed-in person needs.
ROLE_OF: dict[type[intents.Intent], str] = {
    intents.ReportX: "operate", intents.CloseDay: "close", intents.BeginExchange: "collect",
    intents.ExchangeNumbers: "collect", intents.ConfirmExchange: "collect", intents.AbandonExchange: "collect",
    intents.TestPrint: "operate", intents.TestScan: "operate", intents.TestNote: "operate",
    intents.Release: "operate", intents.Shutter: "operate", intents.ChangeRealm: "admin",
    intents.AcknowledgeAlarms: "operate", intents.AcknowledgeSlip: "operate", intents.ReprintSlip: "operate",
    intents.FillHopper: "collect", intents.CountHopper: "collect",
}  # fmt: skip
#: Roles that have something to do in the menu.
MENU_ROLES = frozenset({"operate", "collect", "close", "count", "admin"})


def holds(model: Checkout, role: str) -> bool:
    """Tell whether the signed-in person holds a role."""
    return model.attendant is not None and role in model.attendant.roles


def actor(model: Checkout) -> str:
    """Return the signed-in person as facts name them."""
    return f"operator:{model.attendant.person}" if model.attendant is not None else "kiosk"


def menu(model: Checkout, ctx: Context, *messages: Text) -> Checkout:
    """Show the menu, with its period anew."""
    return to(model, State.ATTENDED, ctx, messages=messages, exchange=None, testing="")


# --- signing in and out ---------------------------------------------------------------------------------------


def call(model: Checkout, event: intents.CallOperator, ctx: Context) -> Outcome:
    """Somebody knows the gesture: ask who it is."""
    return to(model, State.SIGNING_IN, ctx), []


def enter_pin(model: Checkout, event: intents.EnterPin, ctx: Context) -> Outcome:
    """Have the PIN checked."""
    return model, [CheckPin(event.person[:32], event.pin[:64], "menu")]


def pin_checked(model: Checkout, event: PinChecked, ctx: Context) -> Outcome:
    """Let a person in, or say that it was wrong; unknown people and wrong PINs get the same words."""
    refusal = event.problem or ("" if MENU_ROLES.intersection(event.roles) else "role")
    if refusal:
        model = to(model, State.SIGNING_IN, ctx, messages=(text(refusal_words(refusal)),))
        return model, refused(event, refusal)
    model = change(model, attendant=Attendant(event.person, event.roles))
    signed = facts.OperatorSignedIn(event.person, event.roles, event.purpose)
    return menu(model, ctx), [AcceptNotes(), Record((signed,), "", actor(model))]


def refusal_words(refusal: str) -> str:
    """Return the text that tells why somebody was not let in."""
    return {"locked": "operator.locked", "role": "operator.no_role", "same_person": "operator.same_person"}.get(
        refusal, "operator.wrong"
    )


def refused(event: PinChecked, refusal: str) -> list[AnyEffect]:
    """Record a refusal; attempts at a lock that holds say nothing new and would only fill the journal."""
    if refusal == "locked":
        return []
    person = "" if refusal == "unknown" else event.person
    return [Record((facts.OperatorRefused(person, refusal, event.purpose),), "", "kiosk")]


def give_up(model: Checkout, event: intents.Cancel | DeadlinePassed, ctx: Context) -> Outcome:
    """Nobody signed in."""
    return rest(model, ctx), []


def sign_out(model: Checkout, event: intents.SignOut, ctx: Context) -> Outcome:
    """The person leaves."""
    return leave(model, ctx, "person")


def time_out(model: Checkout, event: DeadlinePassed, ctx: Context) -> Outcome:
    """The person left without a word."""
    return leave(model, ctx, "timeout")


def leave(model: Checkout, ctx: Context, reason: str) -> Outcome:
    """End the attendance; the acceptor takes nothing of a test that ran."""
    assert model.attendant is not None
    out = facts.OperatorSignedOut(model.attendant.person, reason)
    return rest(model, ctx), [AcceptNotes(), Record((out,), "", actor(model))]


# --- acts -----------------------------------------------------------------------------------------------------


def acted(model: Checkout, act: str, detail: str = "") -> facts.OperatorActed:
    """Return the fact of an act that leaves no other."""
    assert model.attendant is not None
    return facts.OperatorActed(model.attendant.person, act, detail[:80])


def with_printed(
    model: Checkout, ctx: Context, before: tuple[facts.AnyBody, ...], *slips: facts.ReceiptIssued
) -> Outcome:
    """Commit an act together with its slips, then print them."""
    record = Record((*before, *slips), "", actor(model))
    jobs = tuple(Job(slip.number, 0, job_name(slip.number, 0), "queued") for slip in slips)
    model = change(model, jobs=(*ended_jobs_dropped(model.jobs), *jobs))
    return model, [record, *(PrintReceipt(slip.number, 0) for slip in slips)]


def no_role(model: Checkout, ctx: Context) -> Outcome:
    """Answer a person who asks for what another role may do."""
    return to(model, model.state, ctx, messages=(text("operator.no_role"),)), []


def report_x(model: Checkout, event: intents.ReportX, ctx: Context) -> Outcome:
    """Print the present period.  No sum changes: the slip's number and the act are all there is."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    told = report_particulars(ctx.day())
    slip = issued(model, ctx, "x", ctx.next_seq, particulars=told)
    return with_printed(menu(model, ctx, text("operator.printing")), ctx, (acted(model, "report_x"),), slip)


def close_day(model: Checkout, event: intents.CloseDay, ctx: Context) -> Outcome:
    """Close the business date: what is paid later today is posted tomorrow."""
    if not holds(model, "close"):
        return no_role(model, ctx)
    day = ctx.day()
    if day.closed_through is not None and day.date <= day.closed_through:
        return menu(model, ctx, text("operator.closed_already", date=day.closed_through.isoformat())), []
    z = closing(day, "operator", day.date)
    slip = issued(model, ctx, "z", ctx.next_seq, particulars=closing_particulars(day, z))
    return with_printed(menu(model, ctx, text("operator.day_closed", number=z.number)), ctx, (z,), slip)


def test_print(model: Checkout, event: intents.TestPrint, ctx: Context) -> Outcome:
    """Print a slip that shows what the printer can do."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    slip = issued(model, ctx, "test", ctx.next_seq)
    return with_printed(menu(model, ctx, text("operator.printing")), ctx, (acted(model, "test_print"),), slip)


def reprint(model: Checkout, event: intents.ReprintSlip, ctx: Context) -> Outcome:
    """Print a copy of a slip; no citizen's for somebody who may count, who would add up what is in the box."""
    if not holds(model, "operate") or (holds(model, "count") and ctx.of_citizen(event.number)):
        return no_role(model, ctx)
    copy = ctx.next_copy(event.number)
    if copy is None:
        return menu(model, ctx, text("operator.no_slip")), []
    record = Record((acted(model, "reprint", f"{event.number} copy {copy}"),), "", actor(model))
    return menu(model, ctx, text("operator.printing")), [record, Raise(ReprintAsked(event.number, copy))]


def acknowledge_slip(model: Checkout, event: intents.AcknowledgeSlip, ctx: Context) -> Outcome:
    """A slip that did not print was dealt with."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    if event.number not in ctx.slips_open():
        return menu(model, ctx, text("operator.no_slip")), []
    return menu(model, ctx), [Record((facts.SlipAcknowledged(event.number, actor(model)),), "", actor(model))]


def acknowledge_alarms(model: Checkout, event: intents.AcknowledgeAlarms, ctx: Context) -> Outcome:
    """The alarms that stand were seen."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    if not ctx.alarms:
        return menu(model, ctx), []
    return menu(model, ctx), [Record((facts.AlarmAcknowledged(ctx.alarms),), "", actor(model))]


def release(model: Checkout, event: intents.Release, ctx: Context) -> Outcome:
    """Give a device another chance."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    record = Record((acted(model, "release", event.device),), "", actor(model))
    return menu(model, ctx, text("operator.released", device=event.device[:40])), [record, ReleaseEffect(event.device)]


def shutter(model: Checkout, event: intents.Shutter, ctx: Context) -> Outcome:
    """Close the counter to the public, or open it."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    by = actor(model)
    return menu(model, ctx), [Record((facts.ShutterChanged(event.closed, by),), "", by),
                              CloseShutter(by if event.closed else "")]  # fmt: skip


def change_realm(model: Checkout, event: intents.ChangeRealm, ctx: Context) -> Outcome:
    """Go over to the other journal; a demonstration stays one."""
    if not holds(model, "admin"):
        return no_role(model, ctx)
    if event.realm not in ctx.realms:
        return menu(model, ctx, text("operator.no_realm")), []
    if ctx.exchange is not None or not ctx.box_present or model.flight is not None:
        # What becomes of box and note belongs into this journal; the other one would not know whose they are.
        waits = "out.exchange" if ctx.exchange is not None else "operator.acceptor_not_ready"
        return menu(model, ctx, text(waits if ctx.box_present else "exchange.no_box")), []
    if any(page.phase in ("intended", "started") for page in ctx.payouts.values()):
        return menu(model, ctx, text("hopper.paying")), []  # this journal waits to hear how many coins left
    act = acted(model, "realm", event.realm)
    model, effects = leave(model, ctx, "realm")
    return model, [Record((act,), "", f"operator:{act.person}"), *effects, Restart(event.realm)]


# --- tests of devices -----------------------------------------------------------------------------------------


def begin_test(model: Checkout, event: intents.TestScan | intents.TestNote, ctx: Context) -> Outcome:
    """Wait for a scan, or for a note that will be given back."""
    if not holds(model, "operate"):
        return no_role(model, ctx)
    scan = isinstance(event, intents.TestScan)
    record = Record((acted(model, "test_scan" if scan else "test_note"),), "", actor(model))
    if not scan and not ctx.acceptor_ready:
        return menu(model, ctx, text("operator.acceptor_not_ready")), []
    message = text("operator.scan_now" if scan else "operator.insert_now")
    model = to(model, State.TESTING, ctx, testing="scan" if scan else "note", messages=(message,))
    return model, [record, AcceptNotes(() if scan else ctx.known_notes)]


def test_scanned(model: Checkout, event: Scanned | ScanRefused, ctx: Context) -> Outcome:
    """Tell how a scan could be read; what it said goes nowhere."""
    if model.testing != "scan":
        return model, []
    if isinstance(event, ScanRefused):
        return to(model, State.TESTING, ctx, messages=(text("operator.scan_unreadable"),)), []
    told = text("operator.scan_read", symbology=event.symbology or "?", length=len(event.label))
    return to(model, State.TESTING, ctx, messages=(told,)), []


def test_note_back(model: Checkout, event: NoteReturned, ctx: Context) -> Outcome:
    """The test note went back: the acceptor works."""
    model, effects = returned(model, event, ctx)
    return to(model, State.TESTING, ctx, messages=(text("operator.note_back"),)), effects


def test_note_rejected(model: Checkout, event: NoteRejected, ctx: Context) -> Outcome:
    """The acceptor refused the test note."""
    return to(model, State.TESTING, ctx, messages=(text("operator.note_rejected", reason=event.reason),)), []


def test_acceptor(model: Checkout, event: AcceptorChanged, ctx: Context) -> Outcome:
    """Tell the acceptor (again) what the test takes."""
    return model, [AcceptNotes(ctx.known_notes if model.testing == "note" else ())]


def end_test(model: Checkout, event: intents.Back | intents.Cancel, ctx: Context) -> Outcome:
    """Back to the menu."""
    return menu(model, ctx), [AcceptNotes()]
