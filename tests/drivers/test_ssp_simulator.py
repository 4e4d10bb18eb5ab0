"""The SSP driver on the simulated validator, in virtual time, with the host killed and the power cut anywhere.

Driver and simulator were written from the same sheet by different hands.  The books here stand for kernel and journal:
what is committed survives a kill, nothing else does.
"""

from __future__ import annotations

import random

import msgspec
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
from kiosk.drivers.ssp_acceptor import SspAcceptor, SspOptions
from kiosk.protocols.ssp.device import SspDevice
from kiosk.protocols.ssp.units import EUR_UNIT, SspUnit

MS = 1_000_000
#: Quicker than the defaults, so that less time has to pass; the vendor's pace changes nothing about the money.
QUICK = {"gap_ms": 20, "reply_timeout_ms": 200, "repeats": 6, "setup_retry_ms": 2_000}


class Killed(Exception):
    """The host process is gone at this point."""


class Kiosk:
    """A host that enables everything and stacks every note; commits survive `kill_and_start`."""

    def __init__(self, device: SspDevice, **options: object) -> None:
        self.device = device
        self.options = msgspec.convert({**QUICK, **options}, SspOptions)
        self.now = 0
        self.booked: dict[str, list[int]] = {"credited": [], "suspended": [], "disputed": [], "returned": []}
        self.unknown = 0
        self.open: OpenNote | None = None
        self.serial = 0
        self.mark = ""
        #: Packets and commits until the host is killed; None for never.
        self.life: int | None = None
        self.start()

    def start(self) -> None:
        self.driver = SspAcceptor(self.options, DriverTools("EUR"))
        marks = {"note_serial": str(self.serial), "device_mark": self.mark}
        self.driver.remember(marks, self.open, self.now.to_bytes(32, "big"))
        self.driver.port(Opened({}), self.now)
        self.pump()

    def kill_and_start(self, dead_ms: int) -> None:
        self.life = None
        self.now += dead_ms * MS
        self.device.tick(self.now)
        self.device.take_outbound()
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
                    self.step()
                    self.device.received(item.data[:5], self.now)
                    self.step()
                    self.device.received(item.data[5:], self.now)
                    self.driver.port(Sent(len(item.data)), self.now)
            for data in self.device.take_outbound():
                busy = True
                self.step()
                self.driver.received(data[:4], self.now)
                self.driver.received(data[4:], self.now)

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
            self.mark = event.device_mark or self.mark
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

    def check_balanced(self, *, disputes: bool = False) -> None:
        box = sum(self.device.cashbox) + sum(self.device.collected)
        counted = sum(sum(self.booked[what]) for what in ("credited", "suspended"))
        disputed = sum(self.booked["disputed"])
        assert counted <= box <= counted + disputed, (self.device.cashbox, self.booked)
        assert disputes or not disputed, "the wire told the outcome"
        assert self.device.inside is None
        assert self.unknown == 0
        assert self.open is None


PLAIN = {"encryption": "never"}
ACKED = {"encryption": "never", "poll_with_ack": "always"}
SEALED: dict[str, object] = {}
MODES = (PLAIN, ACKED, SEALED)
moded = pytest.mark.parametrize("mode", MODES, ids=("plain", "acked", "sealed"))


def powered(mode: dict[str, object], **habits: object) -> Kiosk:
    kiosk = Kiosk(SspDevice(msgspec.structs.replace(EUR_UNIT, **habits)), **mode)
    kiosk.run(14_000)
    assert kiosk.device.can_insert
    return kiosk


@moded
@pytest.mark.parametrize("multiplier", [0, 5])
def test_a_note_is_taken_credited_and_counted(mode: dict[str, object], multiplier: int) -> None:
    kiosk = powered(mode, multiplier=multiplier)
    for minor in (2_000, 500):
        assert kiosk.device.insert(minor)
        kiosk.run(8_000)
    assert kiosk.booked["credited"] == [2_000, 500]
    kiosk.check_balanced()


@moded
def test_lost_garbled_and_cut_replies_change_nothing_about_the_money(mode: dict[str, object]) -> None:
    for wait in range(0, 3_000, 400):
        kiosk = powered(mode)
        assert kiosk.device.insert(1_000)
        kiosk.run(wait)
        kiosk.device.lose_replies(wait // 400 % 3)
        kiosk.device.garble_replies(2)
        kiosk.run(15_000)
        kiosk.check_balanced()
        assert kiosk.booked["credited"] == [1_000]


@moded
@pytest.mark.parametrize("wait", range(600, 3_000, 300))
def test_a_power_cut_at_any_moment_balances(mode: dict[str, object], wait: int) -> None:
    kiosk = powered(mode)
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.cut_power()
    kiosk.run(3_000)
    kiosk.device.restore_power()
    kiosk.run(40_000)
    kiosk.check_balanced()


@moded
@pytest.mark.parametrize("outcome", ["return", "stack"])
@pytest.mark.parametrize("wait", [900, 1_400, 1_900, 2_300])
def test_a_jam_at_any_moment_balances(mode: dict[str, object], outcome: str, wait: int) -> None:
    kiosk = powered(mode)
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.jam("stacker")
    kiosk.run(10_000)
    kiosk.device.clear_jam(outcome)
    kiosk.run(20_000)
    kiosk.device.take_rejected()
    kiosk.run(8_000)
    kiosk.check_balanced(disputes=True)


@moded
def test_a_host_killed_at_any_packet_ends_with_every_note_counted_once(mode: dict[str, object]) -> None:
    chance = random.Random(20_260_722)
    seen = {"kills": 0, "credited": 0, "returned": 0}
    for _ in range(12):
        kiosk = powered(mode)
        kills = 0
        assert kiosk.device.insert(2_000)
        kiosk.life = chance.randrange(1, 26)
        for _ in range(3):
            try:
                kiosk.run(12_000)
            except Killed:
                kills += 1
                kiosk.kill_and_start(chance.choice([20, 500, 5_000]))
                kiosk.life = chance.randrange(1, 80) if kills < 3 else None
        kiosk.life = None
        kiosk.run(40_000)
        kiosk.check_balanced()
        seen["kills"] += kills
        seen["credited" if kiosk.booked["credited"] else "returned"] += 1
    assert min(seen.values()) > 1, f"the kills do not reach what matters: {seen}"


def test_a_unit_that_dies_with_a_wrong_key_is_served_in_no_way_and_says_so() -> None:
    kiosk = Kiosk(SspDevice(SspUnit(currency="EUR", majors=(5, 10), multiplier=5, essp="required", fixed_key=7)))
    kiosk.run(30_000)
    assert not kiosk.device.can_insert
    kiosk = Kiosk(
        SspDevice(SspUnit(currency="EUR", majors=(5, 10), multiplier=5, essp="required", fixed_key=7)),
        fixed_key="0000000000000007",
    )
    kiosk.run(20_000)
    assert kiosk.device.can_insert
