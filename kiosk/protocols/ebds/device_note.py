"""What a simulated EBDS unit is busy with: its stages, the places of a note, the events it owes (§5, §8)."""

from __future__ import annotations

import enum

import msgspec

from kiosk.protocols.ebds.codes import State
from kiosk.protocols.ebds.payloads import NoteRecord


class Stage(enum.Enum):
    """What the unit is doing."""

    POWER_UP = "power up"
    IDLE = "idling"
    ACCEPTING = "accepting"
    ESCROWED = "escrowed"
    #: A power cut caught the note at escrow: out of order until the host says what is to become of it.
    HELD = "holding after power up"
    STACKING = "stacking"
    RETURNING = "returning"
    REJECTING = "rejecting"


class Place(enum.Enum):
    """Where a note is."""

    #: Returnable: drawn in, in escrow, or on its way before the point of no return.
    PATH = "path"
    #: Pushed out, waiting at the mouth for a hand.
    MOUTH = "mouth"
    #: It cannot come back and is not fully in the box.
    PAST = "past"
    #: In the box, but its stacked event is not acknowledged.
    BOX = "box"


class Note:
    """The one note, or barcode ticket, that the unit is busy with."""

    def __init__(self, minor: int, row: NoteRecord | None, ticket: str | None = None) -> None:
        self.minor = minor
        self.row = row
        #: What the barcode of a ticket says; None for a note.  A ticket is no money and is counted nowhere.
        self.ticket = ticket
        self.place = Place.PATH


class Event(msgspec.Struct):
    """Something that the next reply tells, once."""

    #: `State.STACKED`, `State.RETURNED`, or 0 for "the customer took it".
    state: State
    #: The note it speaks of; None is a blank event.
    row: NoteRecord | None = None
    ticket: str | None = None
    #: A reply told it; a new toggle acknowledges that.
    told: bool = False
