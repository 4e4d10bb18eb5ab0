"""What a screen may see: committed sums, own notes, honest clocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core import view
from kiosk.core.snapshot import Snapshot
from kiosk.journal.receipt_seal import read
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from tests.core.kernel_rig import NS, WATER, Rig, usd


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()


def seen(rig: Rig) -> Snapshot:
    return view.snapshot(rig.kernel, version=1, boot="b")


def test_a_note_counts_on_the_screen_only_when_it_is_committed(rig: Rig) -> None:
    rig.pay(WATER)
    note = rig.escrow(5000)
    assert (seen(rig).inserted, seen(rig).note) == (usd(0), usd(5000))
    rig.stacked(note, 5000)
    assert (seen(rig).inserted, seen(rig).remaining, seen(rig).note) == (usd(5000), usd(3317), None)


def test_the_excess_of_a_held_note_is_shown_before_anybody_agrees(rig: Rig) -> None:
    rig.pay(WATER)
    for minor in (5000, 2000, 1000):
        rig.feed(minor)
    rig.escrow(500)
    assert (seen(rig).screen, seen(rig).note_excess) == ("note_held", usd(183))


def test_a_strangers_note_is_never_shown_to_the_person_in_front(rig: Rig) -> None:
    rig.news("notes", d.NoteEscrowed(NoteId("", 1), usd(2000), 0))
    rig.tap(intents.EnterNumber(WATER))
    assert seen(rig).note is None


def test_an_unsure_clock_is_shown(rig: Rig) -> None:
    assert not seen(rig).time_unsure
    rig.time.offset += 365 * 86_400 * NS
    rig.wait(2)
    assert seen(rig).time_unsure
    assert "clock.unsure" in view.health(rig.kernel, lines=[], plugins=(), started="").reasons


def test_a_slip_on_the_screen_carries_the_sealed_line_of_its_fact(rig: Rig) -> None:
    rig.pay(WATER)
    rig.feed(5000)
    rig.tap(intents.Finish())
    slip = seen(rig).slips[0]
    told, _ = read(slip.qr)
    assert (str(told.receipt_id), told.applied_minor) == (slip.number, 5000)
    assert rig.bodies(facts.ReceiptIssued)[-1].number == told.number
    assert slip.state == "queued"


def test_only_intents_with_a_row_are_offered(rig: Rig) -> None:
    assert seen(rig).allowed == ("begin", "call_operator", "enter_number", "enter_plate", "language")
    rig.pay(WATER)
    assert {"cancel", "finish"} <= set(seen(rig).allowed)
    assert "accept_conditions" not in seen(rig).allowed


def test_a_device_that_is_gone_is_never_shown_as_fine(rig: Rig) -> None:
    rig.news("paper", d.DeviceState("lost", "fault"))
    told = view.health(rig.kernel, lines=[], plugins=(), started="")
    assert told.severity == "fault"
    assert [device.severity for device in told.devices if device.name == "paper"] == ["fault"]
