"""What the bill driver tells is what lies in the box, whatever happens to line, power and kiosk.

A simulated validator is fed while hands and cables do their worst; the kiosk dies and starts again from what was
committed.  In the end no note is credited that is not in the box, and none in the box is told by nobody.
"""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import (
    Confirm,
    DriverTools,
    EnableNotes,
    Money,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteReturned,
    NoteStacked,
    OpenNote,
    ReturnNote,
    StackNote,
)
from kiosk.drivers.cctalk_bill_validator import CctalkBillOptions
from kiosk.drivers.cctalk_bill_validator import CctalkBillValidator as Driver
from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
from kiosk.protocols.cctalk.units import USD_BILLS, BillUnit
from tests.drivers.cctalk_bench import SECOND, Bench, Role

OPTIONS = CctalkBillOptions(resolve_ms=20_000)


class Kiosk:
    """The kernel in a few lines: commits what is told, and starts again from what was committed."""

    def __init__(self, unit: BillUnit) -> None:
        self.unit = CctalkBillValidator(unit)
        self.options = OPTIONS
        self.values = tuple(Money(minor, unit.currency) for minor in self.unit.values)
        self.marks: dict[str, str] = {}
        self.note: OpenNote | None = None
        self.credited = self.disputed = self.nameless = 0
        self.escrowed: dict[int, Money] = {}
        #: Stack what lies in escrow, or send it back; commit what is told.
        self.stacking = self.committing = True
        self.start(10 * SECOND)

    def start(self, now: int) -> None:
        driver = Driver(self.options, DriverTools("USD"))
        self.bench = Bench(driver, Role(self.unit))
        self.bench.confirming, self.bench.now = False, now
        driver.remember(self.marks, self.note, bytes(32))
        self.bench.plug()
        self.bench.order(EnableNotes(self.values))
        self.run(10)

    def die(self) -> None:
        self.bench.run(1)
        self.start(self.bench.now)

    def run(self, ms: int) -> None:
        for _ in range(max(ms // 50, 1)):
            self.bench.run(min(ms, 50))
            self._commit()

    def _commit(self) -> None:
        events, self.bench.events = self.bench.events, []
        for event in events:
            if not self.committing:
                return
            if isinstance(event, NoteEscrowed):
                self.escrowed[event.note.serial] = event.value
                self.marks["note_serial"] = str(event.note.serial)
                if self.stacking:
                    self.note = OpenNote(event.note, event.value, "stack_sent")
                    self.bench.order(StackNote(event.note))
                else:
                    self.bench.order(ReturnNote(event.note))
            elif isinstance(event, NoteStacked):
                assert event.value is not None
                self.credited += event.value.minor
                self.nameless += event.note is None
                self.marks["device_mark"] = event.device_mark
                if self.note is not None and event.note == self.note.note:
                    self.note = msgspec.structs.replace(self.note, phase="credited")
                self.bench.order(Confirm(event.token))
            elif isinstance(event, NoteDisputed):
                self.disputed += event.value.minor
                if self.note is not None and event.note == self.note.note:
                    self.note = msgspec.structs.replace(self.note, phase="credited")
                self.bench.order(Confirm(event.token))
            elif isinstance(event, NoteReturned | NoteGone):
                if self.note is not None and event.note == self.note.note:
                    self.note = None
                if isinstance(event, NoteReturned) and event.token:
                    self.bench.order(Confirm(event.token))

    def feed(self, which: int) -> None:
        self.unit.tick(self.bench.now)
        self.unit.insert(self.unit.values[which % len(self.unit.values)])

    @property
    def box(self) -> int:
        return sum(self.unit.cashbox) + sum(self.unit.collected)

    def settle(self) -> None:
        """Heal everything and wait until nothing moves any more."""
        if not self.committing:
            self.committing = True
            self.die()
        self.unit.mute(False)
        self.unit.lose_replies(0)
        self.unit.garble_replies(0)
        self.unit.restore_power()
        self.unit.clear_jam()
        self.unit.insert_cashbox()
        self.stacking = False
        self.run(90_000)


TROUBLE: dict[str, Any] = {
    "feed": lambda kiosk, much: kiosk.feed(much),
    "refuse notes": lambda kiosk, much: setattr(kiosk, "stacking", bool(much % 2)),
    "lose": lambda kiosk, much: kiosk.unit.lose_replies(1 + much % 5),
    "garble": lambda kiosk, much: kiosk.unit.garble_replies(1 + much % 4),
    "mute": lambda kiosk, much: kiosk.unit.mute(bool(much % 2)),
    "busy": lambda kiosk, much: kiosk.unit.be_busy(1 + much % 3),
    "refuse": lambda kiosk, much: kiosk.unit.refuse_requests(1 + much % 3),
    "cut": lambda kiosk, much: kiosk.unit.cut_power(),
    "restore": lambda kiosk, much: kiosk.unit.restore_power(),
    "jam": lambda kiosk, much: kiosk.unit.jam("stacker" if much % 2 else "acceptor"),
    "unjam": lambda kiosk, much: kiosk.unit.clear_jam(),
    "die": lambda kiosk, much: kiosk.die(),
    "no commits": lambda kiosk, much: setattr(kiosk, "committing", False),
    "unplug": lambda kiosk, much: (kiosk.bench.unplug(), kiosk.bench.plug()),
    "pull": lambda kiosk, much: kiosk.unit.pull_back(),
    "box": lambda kiosk, much: (kiosk.unit.remove_cashbox(), kiosk.run(300), kiosk.unit.insert_cashbox(empty=True)),
    "wait": lambda kiosk, much: kiosk.run(much * 5),
}
MINE = ["feed", "feed", "feed", *sorted(TROUBLE)]

troubles = st.lists(st.tuples(st.sampled_from(MINE), st.integers(0, 600), st.integers(0, 1500)), max_size=10)
units = st.builds(
    lambda masks, error, told: msgspec.structs.replace(
        USD_BILLS, keeps_masks=masks, empty_escrow_error=error, credits_after_power_up=told
    ),
    st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip


@given(units, troubles)
@settings(max_examples=8, deadline=None)
def test_what_is_credited_lies_in_the_box_and_what_lies_there_is_told(
    unit: BillUnit, story: list[tuple[str, int, int]]
) -> None:
    kiosk = Kiosk(unit)
    kiosk.run(3000)
    kiosk.feed(1)
    kiosk.run(600)
    for name, much, wait in story:
        kiosk.unit.tick(kiosk.bench.now)
        TROUBLE[name](kiosk, much)
        kiosk.run(wait)
    kiosk.settle()
    assert kiosk.credited <= kiosk.box <= kiosk.credited + kiosk.disputed, (kiosk.credited, kiosk.disputed, kiosk.box)


def test_without_trouble_every_note_is_credited_under_its_name() -> None:
    kiosk = Kiosk(USD_BILLS)
    kiosk.run(3000)
    for which in range(4):
        kiosk.feed(which)
        kiosk.run(4000)
    assert len(kiosk.unit.cashbox) == 4
    assert (kiosk.credited, kiosk.disputed, kiosk.nameless) == (kiosk.box, 0, 0)
