"""The CCNET driver on the simulated validator, byte by byte, in virtual time, with the host killed anywhere.

Driver and simulator were written from the same sheet by different hands.  The books here stand for kernel and journal:
what is committed survives a kill, nothing else does.
"""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

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
from kiosk.drivers.ccnet_acceptor import CcnetAcceptor, CcnetOptions
from kiosk.protocols.ccnet.device import CcnetDevice
from kiosk.protocols.ccnet.units import USD_UNIT

MS = 1_000_000


class Killed(Exception):
    """The host process is gone at this point."""


class Kiosk:
    """A host that enables everything and stacks every note; commits survive `kill_and_start`."""

    def __init__(self, device: CcnetDevice, **options: object) -> None:
        self.device = device
        self.options = CcnetOptions(**options)  # type: ignore[arg-type]
        self.now = 0
        self.booked: dict[str, list[int]] = {"credited": [], "suspended": [], "disputed": [], "returned": []}
        self.unknown = 0
        self.open: OpenNote | None = None
        self.serial = 0
        #: Bytes and commits until the host is killed; None for never.
        self.life: int | None = None
        self.start()

    def start(self) -> None:
        self.driver = CcnetAcceptor(self.options, DriverTools(self.device.currency))
        self.driver.remember({"note_serial": str(self.serial)}, self.open, bytes(32))
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
                    for part in self.parts(item.data):
                        self.step()
                        self.device.received(part, self.now)
                    self.driver.port(Sent(len(item.data)), self.now)
            for data in self.device.take_outbound():
                busy = True
                for part in self.parts(data):
                    self.step()
                    self.driver.received(part, self.now)

    def parts(self, data: bytes) -> list[bytes]:
        """Cut a frame into bytes where the host may die between any two of them."""
        return [data] if self.life is None else [bytes((byte,)) for byte in data]

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
                self.open = OpenNote(event.note, event.value, "credited")
            else:
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
        """Every note in the box is counted once; a note that nobody can tell of is a dispute, in the box or not."""
        box = sum(self.device.cashbox) + sum(self.device.collected)
        counted = sum(self.booked["credited"]) + sum(self.booked["suspended"])
        told = (self.device.cashbox, self.device.returned, self.booked)
        assert counted <= box <= counted + sum(self.booked["disputed"]), told
        assert self.device.inside is None, told
        assert self.unknown == 0, told


#: What the sheet leaves open about a unit, one at a time.
HABITS: tuple[dict[str, bool], ...] = (
    {}, {"stacked_after_0x12": True}, {"returned_after_0x11": True}, {"busy_for_initialize": True},
    {"jam_needs_reset": False}, {"power_up_at_cassette": True},
)  # fmt: skip


def powered(habits: dict[str, bool] | None = None, **options: object) -> Kiosk:
    kiosk = Kiosk(CcnetDevice(replace(USD_UNIT, **(habits or {}))), **options)
    kiosk.run(5_000)
    assert kiosk.device.can_insert
    return kiosk


def test_a_note_is_taken_credited_and_counted() -> None:
    kiosk = powered()
    assert kiosk.device.insert(2_000)
    kiosk.run(8_000)
    assert kiosk.booked["credited"] == [2_000]
    assert kiosk.open is None
    kiosk.check_balanced()


def test_lost_replies_and_lost_acks_change_nothing_about_the_money() -> None:
    for count in (1, 2, 3, 5, 9):
        kiosk = powered()
        kiosk.device.lose_acks(2)
        assert kiosk.device.insert(1_000)
        kiosk.run(1_100)
        kiosk.device.lose_replies(count)
        kiosk.run(12_000)
        kiosk.check_balanced()
        assert kiosk.booked["disputed"] == []


@pytest.mark.parametrize("damaged_reply", ["nak", "silence"])
@pytest.mark.parametrize("resends", [True, False])
def test_garbled_replies_change_nothing_about_the_money(resends: bool, damaged_reply: str) -> None:
    for wait in range(0, 3_000, 500):
        kiosk = powered({"resends_on_nak": resends}, damaged_reply=damaged_reply)
        assert kiosk.device.insert(1_000)
        kiosk.run(wait)
        kiosk.device.garble_replies(3)
        kiosk.run(12_000)
        kiosk.check_balanced()
        assert kiosk.booked["disputed"] == []


def test_a_note_stacked_by_the_unit_itself_is_credited_once() -> None:
    kiosk = powered()
    assert kiosk.device.insert(1_000)
    kiosk.run(900)
    kiosk.device.stack_by_itself()
    kiosk.run(10_000)
    kiosk.check_balanced()
    assert kiosk.device.cashbox == [1_000]


@pytest.mark.parametrize("outcome", ["return", "stack", "take"])
@pytest.mark.parametrize("where", ["acceptor", "stacker"])
@pytest.mark.parametrize("habits", [HABITS[0], HABITS[4]], ids=str)
@pytest.mark.parametrize("wait", [600, 1_500, 2_000])
def test_a_jam_at_any_moment_balances(where: str, outcome: str, wait: int, habits: dict[str, bool]) -> None:
    kiosk = powered(habits, resolve_ms=6_000, fault_reset_ms=4_000)
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.jam(where)
    kiosk.run(5_000)
    kiosk.device.clear_jam(outcome)
    kiosk.run(12_000)
    kiosk.device.take_rejected()
    kiosk.run(5_000)
    kiosk.check_balanced()
    assert kiosk.device.can_insert, "the unit works again"


@pytest.mark.parametrize("habits", HABITS[:4], ids=str)
@pytest.mark.parametrize("wait", range(500, 3_200, 300))
def test_a_power_cut_at_any_moment_balances(wait: int, habits: dict[str, bool]) -> None:
    kiosk = powered(habits)
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.cut_power()
    kiosk.run(5_000)
    kiosk.device.restore_power()
    kiosk.run(20_000)
    kiosk.check_balanced()
    assert kiosk.device.can_insert


@pytest.mark.parametrize("habits", [HABITS[0], HABITS[5]], ids=str)
@pytest.mark.parametrize("wait", range(500, 3_000, 400))
def test_a_box_taken_out_at_any_moment_balances(wait: int, habits: dict[str, bool]) -> None:
    kiosk = powered(habits)
    assert kiosk.device.insert(2_000)
    kiosk.run(wait)
    kiosk.device.remove_cashbox()
    kiosk.run(5_000)
    kiosk.device.insert_cashbox(empty=True)
    kiosk.run(20_000)
    kiosk.device.take_rejected()
    kiosk.run(10_000)
    kiosk.check_balanced()
    assert kiosk.device.can_insert


def test_a_host_killed_at_any_byte_ends_with_every_note_counted_once() -> None:
    chance = random.Random(20_240_101)
    seen = {"kills": 0, "credited": 0, "returned": 0}
    for _ in range(50):
        kiosk = powered(chance.choice(HABITS))
        cut = chance.random() < 0.4
        kills = 0
        assert kiosk.device.insert(2_000)
        kiosk.life = chance.randrange(1, 400)
        for _ in range(3):
            try:
                if cut and kills == 0:
                    kiosk.run(chance.randrange(400, 2_600))
                    kiosk.device.cut_power()
                    kiosk.run(300)
                    kiosk.device.restore_power()
                    cut = False
                kiosk.run(8_000)
            except Killed:
                kills += 1
                kiosk.kill_and_start(chance.choice([20, 500, 5_000]))
                kiosk.life = chance.randrange(1, 200) if kills < 3 else None
        kiosk.life = None
        kiosk.run(15_000)
        kiosk.check_balanced()
        seen["kills"] += kills
        seen["credited" if kiosk.booked["credited"] else "returned"] += 1
    assert min(seen.values()) > 5, f"the kills do not reach what matters: {seen}"
