"""Hands at a note or coin acceptor in a conversation."""

from __future__ import annotations

from kiosk.model.device_events import CoinsKnown, NotesKnown
from kiosk.plugins.conformance.bench import MS
from kiosk.plugins.conformance.conversation import Conversation, Faults
from kiosk.plugins.conformance.subject import NotApplicable, Subject

#: How long a unit may take to be ready, to finish a note, and to settle after a disturbance.
READY_MS, SETTLE_MS = 60_000, 45_000


def ready(subject: Subject, situation: str, faults: Faults | None = None, *, seed: int = 0) -> Conversation:
    """Return a conversation in which the unit is enabled and would take something in."""
    talk = subject.conversation(situation, faults, seed=seed)
    if not talk.run(READY_MS, lambda: any(isinstance(event, NotesKnown | CoinsKnown) for event in talk.events)):
        talk.found("never tells what the unit can read")
        talk.broken = True
    wait_for_the_mouth(talk)
    return talk


def wait_for_the_mouth(talk: Conversation) -> bool:
    """Wait until the unit would take something in."""
    if talk.run(READY_MS, lambda: talk.device.can_insert):
        return True
    if not talk.broken:
        talk.found("the unit never becomes ready to take money")
        talk.broken = True
    return False


def feed(talk: Conversation, which: int = 1) -> int | None:
    """Put one in; return its minor value, None where the unit does not take it."""
    if talk.broken or not wait_for_the_mouth(talk):
        return None
    values: tuple[int, ...] = talk.device.values
    value = values[which % len(values)]
    taken = talk.hand(lambda device: device.insert(value))
    return value if taken else None


def way_of_a_note(subject: Subject, moments: int) -> list[int]:
    """Return so many moments, in milliseconds after it went in, spread over the way of one note until it is booked."""
    talk = ready(subject, "the way of a note")
    start = talk.now
    if feed(talk) is None or not talk.run(SETTLE_MS, lambda: bool(talk.booked)):
        raise NotApplicable("no note comes to its end on a good line")
    length = (talk.now - start) // MS + 400
    return [length * (number + 1) // (moments + 1) for number in range(moments)]


def at_rest(talk: Conversation) -> None:
    """Let the unit finish what is inside, and the driver tell it."""
    talk.run(SETTLE_MS, lambda: talk.device.inside is None and not talk.waiting)
    talk.run(2500)
