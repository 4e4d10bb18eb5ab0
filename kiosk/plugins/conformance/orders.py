"""What the kit throws at every driver: one order of each kind, and garbage."""

from __future__ import annotations

from kiosk.model.commands import (
    CheckHealth,
    Confirm,
    DeviceCommand,
    Dispense,
    DropJob,
    DropPayout,
    EnableCoins,
    EnableNotes,
    HoldNote,
    InhibitCoins,
    InhibitNotes,
    Print,
    ReturnNote,
    StackNote,
)
from kiosk.model.ids import NoteId
from kiosk.model.slip import Slip, Words

#: A note that was never there.
STRANGE_NOTE = NoteId("conformance", 999_983)
#: One of each; those that start something come last.
COMMANDS: tuple[DeviceCommand, ...] = (
    CheckHealth(),
    InhibitNotes(),
    InhibitCoins(),
    EnableNotes(()),
    EnableCoins(()),
    Confirm(999_983),
    StackNote(STRANGE_NOTE),
    ReturnNote(STRANGE_NOTE),
    HoldNote(STRANGE_NOTE),
    DropJob("no such job"),
    DropPayout("no such payout"),
    Print("conformance", Slip((Words("Conformance"),))),
    Dispense("conformance-1", 1),
)
#: Orders that name something which is not there, and close an intent only by their refusal.
MUST_ANSWER = (StackNote, ReturnNote, HoldNote)
GARBAGE = (b"\x00", b"\xff" * 300, bytes(range(256)) * 4, b"\x02\x03\x02\x03", b"\xfc\x05\x11", b"<script>" * 100)
