"""The EBDS driver on units that show anything at all, with commits that come late and hosts that die.

The unit here keeps to the toggle and to nothing else; whatever it shows, the rules about money must hold.
"""

from __future__ import annotations

import random

import pytest

from kiosk.api import (
    Confirm,
    NoteDisputed,
    NoteEscrowed,
    NoteId,
    NoteReturned,
    NoteStacked,
    OpenNote,
    ReturnNote,
    StackNote,
)
from kiosk.protocols.ebds.frames import Frame
from tests.drivers.ebds_unit import RETURN, STACK, TEN, TWENTY, Rig, Unit


class Watched(Unit):
    """Holds what the driver sends against what is committed."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        #: Of the last frame that was new; a power cut makes any frame new.
        self.toggle = -1

    def answer(self, frame: Frame) -> bytes:
        """A frame with a new toggle: it lets the unit forget the reply before."""
        desk = self.desk
        desk.hear()
        assert not desk.unconfirmed or frame.toggle == self.toggle, "the toggle was flipped before the commit"
        self.toggle = frame.toggle
        if frame.kind == 1 and frame.data[1] & STACK:
            assert desk.intended is not None, "STACK without an intent"
            assert frame.data[1] & RETURN == 0
        if frame.kind != 1:
            assert desk.intended is None, "something else than a poll while a note is on its way"
        return super().answer(frame)


class Desk:
    """A kernel with a journal, on one unit; hosts come and go."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        #: Serial → fate in the journal; what is not in it was never decided.
        self.fates: dict[int, str] = {}
        self.values: dict[int, object] = {}
        self.intended: NoteId | None = None
        self.unconfirmed: dict[int, NoteStacked | NoteDisputed | NoteReturned] = {}
        self.unit = Watched(self)
        self.serial = 0
        self.open_note: OpenNote | None = None
        self.start()

    def start(self) -> None:
        self.unconfirmed.clear()
        toggle = self.chance.randint(0, 1)
        self.rig = Rig(
            self.unit, self.open_note, auto=False, opened=False, serial=self.serial, start_toggle=toggle
        )  # fmt: skip
        self.seen = 0
        self.rig.open()
        self.hear()

    def hear(self) -> None:
        fresh, self.seen = self.rig.events[self.seen :], len(self.rig.events)
        for event in fresh:
            if isinstance(event, NoteEscrowed):
                assert event.note.serial > self.serial, "a serial was used twice"
                self.serial = event.note.serial
                self.values[self.serial] = event.value
                if self.chance.random() < 0.6:
                    self.intended = event.note
                    self.open_note = OpenNote(event.note, event.value, "stack_sent")
                    self.rig.driver.command(StackNote(event.note), self.rig.now)
                elif self.chance.random() < 0.5:
                    self.rig.driver.command(ReturnNote(event.note), self.rig.now)
            elif isinstance(event, NoteStacked | NoteDisputed | NoteReturned) and event.token:
                self.unconfirmed[event.token] = event
            elif isinstance(event, NoteReturned):
                self.settle(event)

    def commit(self) -> None:
        for token, event in list(self.unconfirmed.items()):
            del self.unconfirmed[token]
            self.settle(event)
            self.rig.driver.command(Confirm(token), self.rig.now)

    def settle(self, event: NoteStacked | NoteDisputed | NoteReturned) -> None:
        if event.note is None:
            return
        serial, fate = event.note.serial, type(event).__name__
        assert serial not in self.fates, f"{serial} was {self.fates[serial]} and is now {fate}"
        self.fates[serial] = fate
        if isinstance(event, NoteStacked):
            assert event.value == self.values[serial]
        booked = fate != "NoteReturned"
        if self.intended is not None and self.intended.serial == serial:
            self.intended = None
            value = self.open_note.value if self.open_note else None
            self.open_note = OpenNote(event.note, value, "credited") if booked and value else None

    def step(self) -> None:
        chance, unit, rig = self.chance, self.unit, self.rig
        bits = chance.choice([1, 1, 2, 4, 4, 4, 8, 0x10, 0x11, 0x11, 0x20, 0x40, 0x41, 0, 0x0C, 0x50])
        condition = chance.choice([0x10] * 6 + [0x11, 0x12, 0x14, 0x18, 0x00])
        report = chance.choice([0] * 8 + [1, 4, 5 << 3])
        unit.status = bytes((bits, condition, report, 0, 0x54, 0x10))
        unit.note = chance.choice([TWENTY, TWENTY, TWENTY, TEN, b"", None])
        unit.lose = chance.choice([0] * 6 + [1, 2])
        if chance.random() < 0.05:
            unit.last = None  # a power cut
        rig.run(chance.choice([10, 160, 160, 400, 4_000]))
        self.hear()
        if chance.random() < 0.7:
            self.commit()
            rig.drain()
            self.hear()
        if chance.random() < 0.05:
            self.start()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_unit_shows_money_is_decided_once_and_nothing_moves_without_an_intent(seed: int) -> None:
    desk = Desk(seed)
    for _ in range(60):
        desk.step()
    assert desk.fates
