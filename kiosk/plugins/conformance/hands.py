"""Hands at a note acceptor, a coin acceptor or a hopper in a conversation, and the books held against the box."""

from __future__ import annotations

from kiosk.model.device_events import CoinsKnown, HopperKnown, NotesKnown, PayoutDisputed, PayoutEnded
from kiosk.plugins.conformance.bench import MS
from kiosk.plugins.conformance.conversation import Conversation, Faults
from kiosk.plugins.conformance.subject import NotApplicable, Subject

#: How long a unit may take to be ready (a set-up of many steps begins again on a line this bad), and to settle.
READY_MS, SETTLE_MS = 300_000, 45_000
#: Coins in the hopper.
FLOAT = 60


def ready(subject: Subject, situation: str, faults: Faults | None = None, *, seed: int = 0) -> Conversation:
    """Return a conversation in which the unit is enabled and would take something in."""
    talk = subject.conversation(situation, faults, seed=seed)
    told = NotesKnown | CoinsKnown | HopperKnown
    if not talk.run(READY_MS, lambda: any(isinstance(event, told) for event in talk.events)):
        talk.found("never tells what money the unit knows")
        talk.broken = True
    if subject.spec.device_class == "CoinDispenser":
        talk.hand(lambda device: device.fill(FLOAT))
        talk.run(2000)
    else:
        wait_for_the_mouth(talk)
    return talk


def wait_for_the_mouth(talk: Conversation) -> bool:
    """Wait until the unit would take something in; what it rejected is taken out of its mouth."""
    if hasattr(talk.device, "take_rejected"):
        talk.hand(lambda device: device.take_rejected())
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
    coins = talk.spec.device_class == "CoinAcceptor"
    taken = talk.hand(lambda device: device.insert_coin(value) if coins else device.insert(value))
    return value if taken else None


def kept(talk: Conversation) -> list[int]:
    """Return the minor values of everything that is past the point of return, from the unit itself."""
    device = talk.device
    return list(device.accepted) if talk.spec.device_class == "CoinAcceptor" else [*device.collected, *device.cashbox]


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
    talk.run(SETTLE_MS, lambda: not talk.device.inside and not talk.waiting and not talk.undecided)
    talk.run(2500)


def settle(talk: Conversation, *, forgetful: bool = False) -> None:
    """Let everything come to rest, and hold the books against the box.

    `forgetful`: the unit lost with its power what it had not told, as a coin acceptor does; it is never booked twice.
    """
    at_rest(talk)
    if talk.broken:
        return
    box, booked, disputed = kept(talk), talk.booked, talk.disputed
    known = [money.minor for money in booked if money is not None]
    if len(booked) > len(box):
        talk.found(f"{len(booked)} were booked, {len(box)} are in the box")
    if len(box) > len(booked) + len(disputed) and not forgetful:
        talk.found(f"{len(box)} are in the box, {len(booked)} were booked and {len(disputed)} disputed")
    if len(known) == len(box) and sorted(known) != sorted(box):
        talk.found("the booked values are not those in the box")


def paid_for_certain(talk: Conversation) -> None:
    """Hold what was told of the payouts against the coins that left the hopper."""
    left = len(talk.device.paid_out)
    least = sum(event.paid for event in talk.payouts if isinstance(event, PayoutEnded))
    most = least + sum(event.at_most for event in talk.payouts if isinstance(event, PayoutDisputed))
    least += sum(event.at_least for event in talk.payouts if isinstance(event, PayoutDisputed))
    if not least <= left <= most:
        talk.found(f"{left} coins left the hopper, told are {least} to {most}")
