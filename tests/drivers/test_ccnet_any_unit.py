"""The CCNET driver on units that show anything at all, in any order, with commits that come late and hosts that die.

The unit here follows no sheet; whatever it shows, the rules about money must hold.
"""

from __future__ import annotations

import random
from collections.abc import Callable

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
from tests.drivers.ccnet_unit import (
    ACCEPTING,
    ACK,
    CHEATED,
    DISABLED,
    ESCROW,
    HOLDING,
    IDLING,
    ILLEGAL,
    IN_STACKER,
    IN_VALIDATOR,
    INITIALIZE,
    JAM_S,
    NAK,
    POLL,
    POWER_UP,
    REJECTING,
    RESET,
    RETURN,
    RETURNED,
    RETURNING,
    STACK,
    STACKED,
    STACKING,
    Rig,
    Unit,
)

_SHOWN = (
    IDLING, ACCEPTING, ESCROW, HOLDING, STACKING, STACKED, RETURNING, RETURNED, REJECTING, POWER_UP, IN_VALIDATOR,
    IN_STACKER, INITIALIZE, DISABLED, JAM_S, CHEATED, 0x16,
)  # fmt: skip
_TYPED = (ESCROW, STACKED, RETURNED)


class Watched(Unit):
    """Holds what the driver sends against what is committed."""

    def __init__(self) -> None:
        super().__init__()
        #: Events that wait for their commit.
        self.waiting: list[NoteStacked | NoteDisputed | NoteReturned] = []
        #: The note whose stack command may have gone out, and that has not ended in the books.
        self.open: OpenNote | None = None
        self.ordered = False
        #: Reads what the driver has told so far: a return without a token is booked at once.
        self.catch_up: Callable[[], None] = lambda: None
        self._last = b""
        self._showed = b""

    def answer(self, data: bytes) -> bytes:
        if data == ACK and self._last == bytes((POLL,)) and self._showed[:1] == bytes((STACKED,)):
            assert not self.waiting, "BILL STACKED was acknowledged before its commit"
        if data[0] == RESET:
            self.catch_up()
            assert not self.waiting, "RESET before a commit"
            assert self.open is None or self.open.phase == "credited", "RESET while the fate of a note is open"
        if data[0] == STACK:
            assert self.ordered, "STACK without an order"
        reply = super().answer(data)
        self._last, self._showed = data, reply
        return reply


class Story:
    """One kiosk with its books, and a unit that shows what chance says."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.unit = Watched()
        self.unit.catch_up = self.note_returns
        self.ends: dict[NoteId, list[str]] = {}
        self.serial = 0
        self.start()

    def start(self) -> None:
        self.unit.waiting.clear()
        self.rig = Rig(self.unit, self.unit.open, auto=False, serial=self.serial)
        self.heard = 0
        #: Events that are booked already, by their place in the list.
        self.booked: set[int] = set()

    def note_returns(self) -> None:
        for at in range(self.heard, len(self.rig.events)):
            event = self.rig.events[at]
            if isinstance(event, NoteReturned) and not event.token and at not in self.booked:
                self.book(event)
                self.booked.add(at)

    def hear(self) -> None:
        while self.heard < len(self.rig.events):
            at, event = self.heard, self.rig.events[self.heard]
            self.heard += 1
            if isinstance(event, NoteEscrowed):
                assert event.note not in self.ends, "a serial was used twice"
                self.ends[event.note] = []
                self.serial = event.note.serial
                self.unit.ordered = self.chance.random() < 0.7
                if self.unit.ordered:
                    self.unit.open = OpenNote(event.note, event.value, "stack_sent")
                    self.rig.order(StackNote(event.note))
                elif self.chance.random() < 0.5:
                    self.rig.order(ReturnNote(event.note))
            elif isinstance(event, NoteStacked | NoteDisputed | NoteReturned) and event.token:
                self.unit.waiting.append(event)
            elif isinstance(event, NoteReturned) and at not in self.booked:
                self.book(event)

    def book(self, event: NoteStacked | NoteDisputed | NoteReturned) -> None:
        if event.note is not None:
            self.ends.setdefault(event.note, []).append(type(event).__name__)
        note = self.unit.open
        if note is not None and event.note == note.note:
            gone = isinstance(event, NoteReturned)
            self.unit.open = None if gone else OpenNote(note.note, note.value, "credited")

    def commit(self) -> None:
        while self.unit.waiting:
            event = self.unit.waiting.pop(0)
            self.book(event)
            self.rig.order(Confirm(event.token))
            self.hear()

    def step(self) -> None:
        chance = self.chance
        code = chance.choice(_SHOWN)
        data = bytes((chance.choice((2, 2, 2, 3, 23)),)) if code in _TYPED else b"\x64" if code == REJECTING else b""
        self.unit.state = None if chance.random() < 0.05 else bytes((code,)) + data
        if chance.random() < 0.2:
            self.unit.replies[chance.choice((STACK, RETURN))] = [chance.choice((ILLEGAL, NAK, b""))]
        self.rig.run(chance.choice((50, 250, 450, 4_000)))
        self.hear()
        if chance.random() < 0.5:
            self.commit()
        if chance.random() < 0.06:
            self.start()
        if self.unit.open is None:
            self.unit.ordered = False


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_unit_shows_the_rules_about_money_hold(seed: int) -> None:
    story = Story(seed)
    for _ in range(120):
        story.step()
    for note, ends in story.ends.items():
        assert len(ends) <= 1, f"{note} ended as {ends}"
