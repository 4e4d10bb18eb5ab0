"""The acceptor's driver on the simulated unit, byte by byte, in virtual time, with the host killed anywhere.

Driver and simulator were written from the same sheet by different hands.  The books here stand for kernel and journal:
what is committed survives a kill, nothing else does.
"""

from __future__ import annotations

import random

import pytest

from kiosk.api import (
    Confirm,
    DriverTools,
    EnableNotes,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    Opened,
    OpenNote,
    Sent,
    StackNote,
    Write,
)
from kiosk.drivers.id003_acceptor import Id003Acceptor, Id003Options
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.units import USD_UNIT, Unit

MS = 1_000_000


class Killed(Exception):
    """The host process is gone at this point."""


class Kiosk:
    """A host that enables everything and stacks every note; commits survive `kill`."""

    def __init__(self, device: Id003Device) -> None:
        self.device = device
        self.now = 0
        self.booked: dict[str, list[int]] = {"credited": [], "suspended": [], "disputed": [], "returned": []}
        self.unknown = 0
        self.open: OpenNote | None = None
        self.serial = 0
        #: Bytes and commits until the host is killed; None for never.
        self.life: int | None = None
        self.start()

    def start(self) -> None:
        self.driver = Id003Acceptor(Id003Options(), DriverTools("USD"))
        self.driver.remember({"note_serial": str(self.serial)}, self.open, bytes(32))
        self.driver.port(Opened({}), self.now)
        self.pump()

    def kill_and_start(self, dead_ms: int) -> None:
        self.life = None
        self.now += dead_ms * MS
        self.device.tick(self.now)
        self.start()

    def step(self) -> None:
        """Count one thing that happens; die where the count is over."""
        if self.life is not None:
            self.life -= 1
            if self.life < 0:
                raise Killed

    def pump(self) -> None:
        busy = True
        while busy:
            busy = False
            for event in self.driver.take_events():
                busy = True
                self.hear(event)
            for item in self.driver.take_outbound():
                busy = True
                if isinstance(item, Write):
                    for byte in item.data:
                        self.step()
                        self.device.received(bytes((byte,)), self.now)
                    self.driver.port(Sent(len(item.data)), self.now)
            for data in self.device.take_outbound():
                busy = True
                for byte in data:
                    self.step()
                    self.driver.received(bytes((byte,)), self.now)

    def hear(self, event: object) -> None:
        if isinstance(event, NotesKnown):
            self.driver.command(EnableNotes(event.values), self.now)
        elif isinstance(event, NoteEscrowed):
            self.serial = event.note.serial
            self.step()
            self.open = OpenNote(event.note, event.value, "stack_sent")
            self.step()
            self.driver.command(StackNote(event.note), self.now)
        elif isinstance(event, NoteStacked):
            self.step()
            if event.value is None:
                self.unknown += 1
            elif event.note is None:
                self.booked["suspended"].append(event.value.minor)
            else:
                self.booked["credited"].append(event.value.minor)
                self.open = OpenNote(event.note, event.value, "credited")
            self.step()
            self.driver.command(Confirm(event.token), self.now)
        elif isinstance(event, NoteReturned | NoteDisputed):
            self.step()
            if isinstance(event, NoteDisputed):
                self.booked["disputed"].append(event.value.minor)
            self.open = None
            self.step()
            if event.token:
                self.driver.command(Confirm(event.token), self.now)
        elif isinstance(event, NoteGone):
            self.step()
            self.open = None

    def run(self, ms: int) -> None:
        end = self.now + ms * MS
        while True:
            dues = [due for due in (self.driver.deadline(), self.device.deadline()) if due is not None]
            if not dues or min(dues) > end:
                break
            self.now = max(self.now, min(dues))
            self.device.tick(self.now)
            self.driver.tick(self.now)
            self.pump()
        self.now = end
        self.device.tick(end)

    def check_balanced(self) -> None:
        box = sum(self.device.cashbox) + sum(self.device.collected)
        counted = sum(sum(self.booked[what]) for what in ("credited", "suspended", "disputed"))
        assert box == counted, (self.device.cashbox, self.booked)
        assert self.device.inside is None
        assert self.unknown == 0
        assert self.open is None


def powered(unit: Unit = USD_UNIT) -> Kiosk:
    kiosk = Kiosk(Id003Device(unit))
    kiosk.run(8_000)
    return kiosk


def test_a_note_is_taken_credited_and_counted() -> None:
    kiosk = powered()
    assert kiosk.device.insert(2_000)
    kiosk.run(8_000)
    assert kiosk.booked["credited"] == [2_000]
    kiosk.check_balanced()


def test_a_note_the_unit_reports_twice_in_escrow_is_credited_once() -> None:
    kiosk = powered()
    kiosk.device.repeat_escrow()
    assert kiosk.device.insert(500)
    kiosk.run(10_000)
    assert kiosk.booked["credited"] == [500]
    kiosk.check_balanced()


def test_lost_replies_and_lost_acks_change_nothing_about_the_money() -> None:
    for count in range(1, 12):
        kiosk = powered()
        kiosk.device.lose_acks(2)
        assert kiosk.device.insert(1_000)
        kiosk.run(1_100)
        kiosk.device.lose_replies(count)
        kiosk.run(12_000)
        kiosk.check_balanced()


def test_garbled_replies_change_nothing_about_the_money() -> None:
    for wait in range(0, 3_000, 250):
        kiosk = powered()
        assert kiosk.device.insert(1_000)
        kiosk.run(wait)
        kiosk.device.garble_replies(3)
        kiosk.run(12_000)
        kiosk.check_balanced()


def test_a_note_stacked_by_the_unit_itself_is_credited_once() -> None:
    kiosk = powered()
    kiosk.life = 10_000
    assert kiosk.device.insert(1_000)
    kiosk.run(900)
    kiosk.device.stack_by_itself()
    kiosk.run(10_000)
    kiosk.check_balanced()


@pytest.mark.parametrize("outcome", ["return", "stack", "take"])
@pytest.mark.parametrize("where", ["acceptor", "stacker"])
@pytest.mark.parametrize("wait", [600, 1_300, 1_500, 1_800, 2_100, 2_500])
def test_a_jam_at_any_moment_balances(where: str, outcome: str, wait: int) -> None:
    kiosk = powered()
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.jam(where)
    kiosk.run(40_000)
    kiosk.device.clear_jam(outcome)
    kiosk.run(8_000)
    kiosk.device.take_rejected()
    kiosk.run(8_000)
    kiosk.check_balanced()
    assert kiosk.booked["disputed"] == []


@pytest.mark.parametrize("vend_valid", [False, True])
@pytest.mark.parametrize("wait", range(500, 3_200, 150))
def test_a_power_cut_at_any_moment_balances(wait: int, vend_valid: bool) -> None:
    kiosk = powered(Unit(currency="USD", slots=USD_UNIT.slots, version=USD_UNIT.version,
                         vend_valid_after_0x42=vend_valid))  # fmt: skip
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.cut_power()
    kiosk.run(5_000)
    kiosk.device.restore_power()
    kiosk.run(20_000)
    kiosk.check_balanced()
    assert kiosk.booked["disputed"] == []


@pytest.mark.parametrize("wait", range(500, 3_000, 250))
def test_a_box_taken_out_at_any_moment_balances(wait: int) -> None:
    kiosk = powered()
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.remove_cashbox()
    kiosk.run(5_000)
    kiosk.device.insert_cashbox(empty=True)
    kiosk.run(10_000)
    kiosk.device.take_rejected()
    kiosk.run(5_000)
    kiosk.check_balanced()
    assert kiosk.booked["disputed"] == []


def test_a_unit_whose_vend_valid_was_never_acknowledged_is_woken_by_reset() -> None:
    kiosk = powered(Unit(currency="USD", slots=USD_UNIT.slots, version=USD_UNIT.version, vend_valid_patience_ms=3_000))
    assert kiosk.device.insert(2_000)
    kiosk.device.lose_acks(1_000)
    kiosk.run(60_000)
    kiosk.check_balanced()
    assert kiosk.booked["credited"] == [2_000]


def test_a_host_killed_at_any_byte_ends_with_every_note_counted_once() -> None:
    chance = random.Random(20_240_101)
    seen = {"kills": 0, "credited": 0, "returned": 0}
    for _ in range(150):
        kiosk = powered(Unit(currency="USD", slots=USD_UNIT.slots, version=USD_UNIT.version,
                             vend_valid_after_0x42=chance.random() < 0.5))  # fmt: skip
        cut = chance.random() < 0.4
        kills = 0
        assert kiosk.device.insert(2_000)
        kiosk.life = chance.randrange(1, 330)
        for _ in range(3):
            try:
                if cut and kills == 0:
                    kiosk.run(chance.randrange(400, 2_600))
                    kiosk.device.cut_power()
                    kiosk.run(300)
                    kiosk.device.restore_power()
                    cut = False
                kiosk.run(15_000)
            except Killed:
                kills += 1
                kiosk.kill_and_start(chance.choice([20, 500, 5_000]))
                kiosk.life = chance.randrange(1, 200) if kills < 3 else None
        kiosk.life = None
        kiosk.run(40_000)
        kiosk.check_balanced()
        assert kiosk.booked["disputed"] == [], "the wire told the outcome"
        seen["kills"] += kills
        seen["credited" if kiosk.booked["credited"] else "returned"] += 1
    assert min(seen.values()) > 20, f"the kills do not reach what matters: {seen}"
