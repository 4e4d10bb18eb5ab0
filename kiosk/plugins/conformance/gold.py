"""Gold: the driver and its device role talk on a bad line and over power cuts, and nothing is counted wrong."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from kiosk.errors import KioskError
from kiosk.model.commands import Print
from kiosk.model.device_events import Printed, PrintUnknown, Scanned
from kiosk.plugins.conformance.bench import MS, Finding
from kiosk.plugins.conformance.bronze import MOST_TICKS_A_SECOND
from kiosk.plugins.conformance.conversation import Faults
from kiosk.plugins.conformance.hands import at_rest, feed, paid_for_certain, ready, settle, way_of_a_note
from kiosk.plugins.conformance.orders import GARBAGE
from kiosk.plugins.conformance.silver import MOMENTS, PAYOUT_MOMENTS, SLIP
from kiosk.plugins.conformance.subject import NotApplicable, Subject
from kiosk.protocols.explained import PROTOCOLS, explain

NOTES = 3
SEED = 7
#: A line on which one message in twenty suffers each fault.
BAD_LINE = Faults(lost=50, doubled=50, garbled=50)
LINES = (
    (Faults(), "a good line"),
    (Faults(lost=100), "a line that loses"),
    (Faults(doubled=100), "a line that doubles"),
    (Faults(garbled=100), "a line that garbles"),
    (BAD_LINE, "a bad line"),
)
LABELS = ("4711", "CIT-2026-000815", "x" * 120, "üéß", "{}[]<>&;'\"")


def conversation(subject: Subject) -> Iterable[Finding]:
    """Talk for a while: what is booked is what is in the box, what is told is what was scanned, printed or paid."""
    kinds = {"BillAcceptor": _money, "CoinAcceptor": _money, "CoinDispenser": _payouts, "Scanner": _labels,
             "POSPrinter": _jobs}  # fmt: skip
    return kinds[subject.spec.device_class](subject)


def _lines(subject: Subject) -> Iterable[tuple[Faults, str, int]]:
    for number in range(subject.rounds):
        for faults, name in LINES:
            yield faults, f"{name}, seed {SEED + number}", SEED + number


def _money(subject: Subject) -> Iterable[Finding]:
    for faults, name, seed in _lines(subject):
        talk = ready(subject, name, faults, seed=seed)
        for number in range(NOTES):
            feed(talk, number)
            at_rest(talk)
        settle(talk)
        if not talk.broken and not faults.lost and not faults.garbled and len(talk.booked) != NOTES:
            talk.found(f"{len(talk.booked)} of {NOTES} were booked")
        if talk.disputed:
            talk.found(f"{len(talk.disputed)} are disputed although no power was cut")
        yield from talk.findings


def _payouts(subject: Subject) -> Iterable[Finding]:
    for faults, name, seed in _lines(subject):
        talk = ready(subject, name, faults, seed=seed)
        for number in range(NOTES):
            talk.intend_payout(f"payout-{number}", 3)
            talk.run(60_000, lambda n=number, talk=talk: len(talk.payouts) > n)  # type: ignore[misc]
        talk.run(3000)
        paid_for_certain(talk)
        if not talk.broken and faults == Faults() and len(talk.device.paid_out) != 3 * NOTES:
            talk.found(f"{len(talk.device.paid_out)} of {3 * NOTES} coins were paid out")
        yield from talk.findings


def _labels(subject: Subject) -> Iterable[Finding]:
    talk = subject.conversation("labels")
    talk.run(1000)
    for label in LABELS:
        talk.hand(lambda device, label=label: device.scan(label))  # type: ignore[misc]
        talk.run(4000)
    told = [event.label for event in talk.events if isinstance(event, Scanned)]
    if told != list(LABELS):
        talk.found(f"{len(told)} labels were told, or not as they were scanned")
    return talk.findings


def _jobs(subject: Subject) -> Iterable[Finding]:
    for faults, name in ((Faults(), "a good line"), (Faults(lost=60), "a line that loses")):
        talk = subject.conversation(name, faults, seed=7)
        talk.run(5000)
        for number in range(NOTES):
            talk.order(Print(f"job-{number}", SLIP))
            talk.run(60_000, partial(_ended, talk.events, number))
        printed = sum(isinstance(event, Printed) for event in talk.events)
        if printed > len(talk.device.receipts):
            talk.found(f"{printed} jobs are told as printed, {len(talk.device.receipts)} came out")
        if not faults.lost and printed != NOTES:
            talk.found(f"{printed} of {NOTES} jobs were printed")
        yield from talk.findings


def _ended(events: Iterable[object], number: int) -> bool:
    return sum(isinstance(event, Printed | PrintUnknown) for event in events) > number


def power_cuts(subject: Subject) -> Iterable[Finding]:
    """Cut the unit's power, and the kiosk's with it, at many moments of a note's or a payout's way."""
    subject.must_be("BillAcceptor", "CoinAcceptor", "CoinDispenser")
    payouts, coins = (subject.spec.device_class == kind for kind in ("CoinDispenser", "CoinAcceptor"))
    for moment in PAYOUT_MOMENTS if payouts else way_of_a_note(subject, MOMENTS * subject.rounds):
        for both in (False, True):
            talk = ready(subject, f"power cut {moment} ms after it began{', kiosk too' if both else ''}")
            if payouts:
                talk.intend_payout("payout-1", 4)
            else:
                feed(talk)
            talk.run(moment)
            talk.hand(lambda device: device.cut_power())
            if both:
                talk.kill()
            talk.run(3000)
            talk.hand(lambda device: device.restore_power())
            talk.run(5000)
            if payouts:
                talk.run(30_000, lambda talk=talk: bool(talk.payouts))  # type: ignore[misc]
                paid_for_certain(talk)
            else:
                settle(talk, forgetful=coins)
            yield from talk.findings


def at_rest_quietly(subject: Subject) -> Iterable[Finding]:
    """Count what the driver does in a minute in which nothing happens."""
    talk = subject.conversation("a minute of rest")
    talk.run(20_000)
    writes, ticks = len(talk.written), talk.ticks
    talk.run(60_000)
    if (many := (len(talk.written) - writes) / 60) > subject.rehearsal.writes_at_rest:
        talk.found(f"writes {many:.0f} times a second at rest, more than {subject.rehearsal.writes_at_rest}")
    if (many := (talk.ticks - ticks) / 60) > MOST_TICKS_A_SECOND:
        talk.found(f"wants {many:.0f} ticks a second at rest")
    return talk.findings


def explained(subject: Subject) -> Iterable[Finding]:
    """Explain every vector: people must be able to read what passed on the line."""
    protocol = subject.spec.protocol
    if not protocol:
        raise NotApplicable("the driver names no wire protocol whose frames could be explained")
    if protocol not in PROTOCOLS:
        return [Finding("protocol", f"nothing explains the frames of {protocol}")]
    findings = []
    whole = [("device", vector) for vector in subject.vectors()]
    whole += [("host", vector) for vector in subject.rehearsal.host_vectors]
    for number, (sender, vector) in enumerate(whole):
        told = explain(protocol, vector, sender)  # type: ignore[arg-type]
        if not told.valid or not told.name:
            findings.append(Finding(f"{sender} vector {number}", f"is not explained: {told.error or 'no name'}"))
    return findings


def device_role(subject: Subject) -> Iterable[Finding]:
    """Hold the device role itself against split points, garbage and silence: a simulator that falls proves nothing."""
    make = subject.rehearsal.device
    if make is None:
        raise NotApplicable("the driver's rehearsal has no device to talk to")
    hosts = subject.rehearsal.host_vectors
    for number, vector in enumerate(hosts):
        whole = _answers(make, [vector])
        for at in range(1, 1 if subject.rehearsal.whole_messages else len(vector)):
            if _answers(make, [vector[:at], vector[at:]]) != whole:
                yield Finding(f"host vector {number} split at {at}", "the device answers differently")
    for number, junk in enumerate(GARBAGE):
        try:
            for frame in hosts or (b"",):
                _answers(make, [junk, frame, *[junk[at : at + 1] for at in range(64)]])
        except (KioskError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            yield Finding(f"garbage {number}", f"the device raised {type(error).__name__}: {str(error)[:100]}")


def _answers(make: object, pieces: Iterable[bytes]) -> list[bytes]:
    device = make()  # type: ignore[operator]
    now, out = 10**12, []
    device.tick(now)
    for _ in range(400):  # boots
        due = device.deadline()
        if due is None or due > now + 8_000 * MS:
            break
        now = max(now, due)
        device.tick(now)
    now += 8_000 * MS
    device.tick(now)
    device.take_outbound()
    for piece in pieces:
        device.received(piece, now)
        now += MS // 4
        device.tick(now)
        out += device.take_outbound()
    for _ in range(40):
        now += 50 * MS
        device.tick(now)
        out += device.take_outbound()
    return out
