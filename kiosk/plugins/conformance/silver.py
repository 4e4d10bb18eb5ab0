"""Silver: the driver is examined with material of its own, and keeps the rules of money and of states."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.model.commands import Dispense, HoldNote, Print, ReturnNote, StackNote
from kiosk.model.device_events import CommandRefused, DeviceState, NoteStacked, Printed, PrintReady
from kiosk.model.slip import Cut, Slip, Words
from kiosk.plugins.conformance.bench import MS, Finding
from kiosk.plugins.conformance.conversation import Conversation
from kiosk.plugins.conformance.hands import at_rest, feed, paid_for_certain, ready, settle, way_of_a_note
from kiosk.plugins.conformance.orders import COMMANDS
from kiosk.plugins.conformance.subject import NotApplicable, Subject
from kiosk.plugins.devices import WriteTimedOut

#: Different messages that say something about a device.
FEWEST_VECTORS = 3
#: Bytes that status requests may come to while a job waits for its commit.
MOST_STATUS_BYTES = 2000
#: Moments of a note's way at which something is cut.
MOMENTS = 8
#: Nanoseconds for which one exchange may keep a shared line.
LONGEST_TURN = 5_000 * MS
PAYOUT_MOMENTS = (5, 60, 200, 400, 700, 1200)
SLIP = Slip((Words("Conformance"), Words("one line more"), Cut()))


def vectors(subject: Subject) -> Iterable[Finding]:
    """Look whether the author brought bytes of real life."""
    if len(set(subject.rehearsal.vectors)) < FEWEST_VECTORS:
        return [Finding("rehearsal", f"fewer than {FEWEST_VECTORS} different vectors")]
    return []


def states(subject: Subject) -> Iterable[Finding]:
    """Two levels: states in words that were declared, raw codes in hexadecimal, and a lost port is never health."""
    findings = [] if subject.spec.states else [Finding("declaration", "declares no states")]
    bench = subject.bench("states")
    for vector in subject.rehearsal.vectors:
        bench.feed(vector)
        bench.pass_time(500)
    bench.lose()
    told = [event for event in bench.events if isinstance(event, DeviceState)]
    if not told or told[-1].severity in ("ok", "warn"):
        bench.found("the port is lost, and the last state told does not say so")
    for state in told:
        if state.state == "unknown" and state.severity != "unknown":
            bench.found(f"the state unknown is told as {state.severity}")
        try:
            bytes.fromhex(state.raw)
        except ValueError:
            bench.found(f"the raw code {state.raw[:20]!r} is not hexadecimal")
    return [*findings, *bench.findings]


def departed_notes(subject: Subject) -> Iterable[Finding]:
    """Order something of a note that is in the box long since: it is refused by name, and nothing moves."""
    subject.must_be("BillAcceptor")
    talk = ready(subject, "orders for a departed note")
    feed(talk)
    at_rest(talk)
    notes = [event.note for event in talk.events if isinstance(event, NoteStacked) and event.note is not None]
    if not notes or talk.findings:
        return talk.findings or [Finding(talk.situation, "no note came to its end")]
    before = (list(talk.device.cashbox), list(talk.device.returned))
    for cmd in (StackNote(notes[0]), ReturnNote(notes[0]), HoldNote(notes[0])):
        talk.events.clear()
        talk.order(cmd)
        refused = [event for event in talk.events if isinstance(event, CommandRefused)]
        if [event.note for event in refused] != [notes[0]]:
            talk.found(f"{type(cmd).__name__} for a departed note is not refused by its name")
        talk.run(1000)
    if before != (talk.device.cashbox, talk.device.returned):
        talk.found("an order for a departed note moved one")
    return talk.findings


def waits_for_confirm(subject: Subject) -> Iterable[Finding]:
    """Commit nothing for five seconds: the wire consequence waits, and comes after the confirmation."""
    kinds = {"BillAcceptor": _money_waits, "CoinAcceptor": _money_waits, "CoinDispenser": _payout_waits,
             "POSPrinter": _job_waits}  # fmt: skip
    subject.must_be(*kinds)
    return kinds[subject.spec.device_class](subject)


def _money_waits(subject: Subject) -> Iterable[Finding]:
    talk = ready(subject, "a commit that takes five seconds")
    talk.commits = False
    feed(talk)
    talk.run(20_000, lambda: bool(talk.waiting))
    if not talk.waiting:
        return talk.findings or [Finding(talk.situation, "no money event came")]
    start = len(talk.written)
    talk.run(5000)
    meanwhile = set(talk.written[start:])
    if len(talk.waiting) > 1:
        talk.found("tells a second money event before the first one is confirmed")
    start = len(talk.written)
    talk.commit(next(iter(talk.waiting)))
    talk.run(3000)
    if subject.rehearsal.acknowledges and not set(talk.written[start:]) - meanwhile:
        talk.found("writes nothing after Confirm that it did not write before: nothing waited")
    if talk.waiting:
        talk.found("tells the event again after its confirmation")
    return talk.findings


def _payout_waits(subject: Subject) -> Iterable[Finding]:
    talk = ready(subject, "a commit that takes five seconds")
    talk.commits = False
    talk.intend_payout("payout-1", 2)
    talk.run(10_000, lambda: bool(talk.waiting))
    talk.run(5000)
    if not talk.waiting:
        talk.found("PayoutReady never came")
    if talk.device.paid_out:
        talk.found("coins left the hopper before the payout was committed")
    talk.commits = True
    for token in list(talk.waiting):
        talk.commit(token)
    talk.run(20_000, lambda: bool(talk.payouts))
    if len(talk.device.paid_out) != 2:
        talk.found("the payout is not carried out after its commit")
    return talk.findings


def _job_waits(subject: Subject) -> Iterable[Finding]:
    talk = subject.conversation("a commit that takes five seconds")
    talk.run(3000)
    talk.commits = False
    talk.order(Print("job-1", SLIP))
    talk.run(10_000, lambda: any(isinstance(event, PrintReady) for event in talk.events))
    start = len(talk.written)
    talk.run(5000)
    if sum(map(len, talk.written[start:])) > MOST_STATUS_BYTES or talk.device.receipts:
        talk.found("the job goes out before it is committed")
    if not talk.waiting:
        talk.found("PrintReady never came")
    for token in list(talk.waiting):
        talk.commit(token)
    if not talk.run(30_000, lambda: any(isinstance(event, Printed) for event in talk.events)):
        talk.found("the job is never told as printed after its commit")
    return talk.findings


def recovery(subject: Subject) -> Iterable[Finding]:
    """Kill the kiosk at any moment: what it remembers decides, and nothing is booked twice or forgotten."""
    subject.must_be("BillAcceptor", "CoinAcceptor", "CoinDispenser")
    if subject.spec.device_class == "CoinDispenser":
        for moment in PAYOUT_MOMENTS:
            talk = ready(subject, f"the kiosk is killed {moment} ms after a payout was ordered")
            talk.intend_payout("payout-1", 4)
            talk.run(moment)
            talk.kill()
            talk.run(30_000, lambda talk=talk: bool(talk.payouts))  # type: ignore[misc]
            talk.run(3000)
            paid_for_certain(talk)
            yield from talk.findings
        return
    talk = ready(subject, "the kiosk is killed between commit and Confirm")
    talk.commits = False
    feed(talk)
    talk.run(20_000, lambda: bool(talk.waiting))
    for token in list(talk.waiting):
        talk.commit(token, confirmed=False)
    talk.commits = True
    talk.kill()
    settle(talk)
    yield from talk.findings
    for moment in way_of_a_note(subject, MOMENTS * subject.rounds):
        talk = ready(subject, f"the kiosk is killed {moment} ms after money went in")
        feed(talk)
        at_rest(talk)  # the first one is booked, so that there is a mark to go by
        feed(talk)
        talk.run(moment)
        talk.kill()
        settle(talk)
        yield from talk.findings


def disturbed(subject: Subject) -> Iterable[Finding]:
    """Give orders, stall the line and pull the cable on a note's way or in a payout: the books stay right."""
    subject.must_be("BillAcceptor", "CoinAcceptor", "CoinDispenser")
    payouts = subject.spec.device_class == "CoinDispenser"
    moments = PAYOUT_MOMENTS if payouts else way_of_a_note(subject, MOMENTS * subject.rounds)
    for moment in moments[1::2]:
        for name, disturb in (("all orders", _all_orders), ("a stalled line", _stall), ("the cable out", _cable)):
            talk = ready(subject, f"{name} {moment} ms after it began")
            if payouts:
                talk.intend_payout("payout-1", 4)
            else:
                feed(talk)
            talk.run(moment)
            disturb(talk)
            if payouts:
                talk.run(30_000, lambda talk=talk: bool(talk.payouts))  # type: ignore[misc]
                paid_for_certain(talk)
            else:
                at_rest(talk)
                talk.enable()
                feed(talk)  # and it goes on
                settle(talk)
            yield from talk.findings


def turns(subject: Subject) -> Iterable[Finding]:
    """Share the line: nothing is written out of turn, and the turn is given back, also where nobody answers."""
    talk = subject.conversation("a shared line")
    if not subject.spec.capabilities.shares_line:
        talk.run(3000)
        if talk.asked_for_turns:
            return [Finding("declaration", "asks for its turn, and does not declare that it shares its line")]
        raise NotApplicable("the driver wants a line of its own")
    talk = subject.conversation("a shared line", shared=True)
    longest = 0
    for answering in (True, False):
        if not answering:
            talk.hand(lambda device: device.cut_power())
        for _ in range(400):
            since, before = talk.now, talk.holds
            talk.run(25)
            longest = longest + talk.now - since if before and talk.holds else 0
            if longest > LONGEST_TURN:
                talk.found("keeps the turn for seconds")
                return talk.findings
    if not talk.written:
        talk.found("never writes when it has to ask for its turn")
    return talk.findings


def _all_orders(talk: Conversation) -> None:
    for cmd in COMMANDS:
        if not isinstance(cmd, Dispense):
            talk.order(cmd)


def _stall(talk: Conversation) -> None:
    talk.do("port(WriteTimedOut)", lambda driver: driver.port(WriteTimedOut(), talk.now))


def _cable(talk: Conversation) -> None:
    talk.pull()
    talk.run(1500)
    talk.plug()
