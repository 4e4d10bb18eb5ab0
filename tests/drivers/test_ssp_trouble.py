"""The SSP driver behind trouble: what is told only once, a box that comes back unseen, a note that nothing moves."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    Confirm,
    DeviceState,
    NoteDisputed,
    NoteReturned,
    NoteStacked,
    StackNote,
)
from kiosk.protocols.ssp.codes import Command
from tests.drivers.ssp_unit import CREDIT3, READ3, STACKED, Rig, ready

REFUSED = b"\xf5"


def state(rig: Rig) -> str:
    shown = rig.told(DeviceState)[-1]
    assert isinstance(shown, DeviceState)
    return shown.state


@pytest.mark.parametrize("told", [b"\xe8", b"\xe3\xe4", b"\xe6\x00", b"\xe7"])
def test_a_unit_that_tells_only_once_that_it_stopped_is_enabled_again(told: bytes) -> None:
    rig = ready()
    before = len(rig.unit.sent(Command.ENABLE))
    rig.play(told, ms=4_000)
    assert len(rig.unit.sent(Command.ENABLE)) == before + 1


def test_a_box_that_comes_back_while_the_power_is_off_ends_the_outage() -> None:
    rig = ready()
    rig.play(b"\xe3")
    assert rig.told(CashboxRemoved)
    assert state(rig) == "cassette_removed"
    rig.unit.forget()
    rig.play(b"\xf1", ms=20_000)
    assert rig.told(CashboxInserted)
    assert rig.unit.enabled
    assert state(rig) == "idling"
    rig.play(b"\xe3")
    assert len(rig.told(CashboxRemoved)) == 2


def test_a_box_that_is_out_behind_a_power_cut_as_well_stays_out() -> None:
    rig = ready()
    rig.play(b"\xe3")
    rig.unit.forget()
    rig.play(b"\xf1\xe3", ms=20_000)
    assert not rig.told(CashboxInserted)
    assert state(rig) == "cassette_removed"


def test_a_jam_that_is_told_once_is_over_when_the_note_came_out() -> None:
    rig = ready()
    rig.play(b"\xcc\xea", b"\xcc")
    assert state(rig) == "stacker_jammed"
    rig.play(b"\xed", b"\xec", ms=2_000)
    assert state(rig) == "idling"


def test_a_note_that_nothing_moves_is_left_alone_instead_of_polled_in() -> None:
    rig = ready()
    rig.unit.replies = {Command.HOLD: REFUSED, Command.REJECT: REFUSED}
    rig.unit.always = READ3
    rig.unit.heard.clear()
    rig.run(11_000)
    assert len(rig.unit.sent(Command.POLL)) <= 2
    assert not rig.told(CommandRefused)  # nobody ordered a Hold
    rig.unit.replies, rig.unit.always, rig.unit.escrow = {}, b"", True
    rig.unit.heard.clear()
    rig.play(b"\xed", b"\xec", ms=8_000)
    assert rig.unit.sent(Command.POLL, Command.REJECT)[0] == Command.REJECT
    assert rig.told(NoteReturned)
    assert not rig.told(NoteStacked, NoteDisputed)


def test_what_begins_anew_waits_for_the_commit_of_a_dispute() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.unit.mute = True
    rig.run(32_000)
    (dispute,) = rig.told(NoteDisputed)
    assert isinstance(dispute, NoteDisputed)
    rig.unit.mute = False
    rig.unit.heard.clear()
    rig.run(5_000)
    assert set(rig.unit.heard) == {
        bytes((Command.SYNC,))
    }  # it was on its way before; nothing that moves a note follows
    rig.order(Confirm(dispute.token))
    rig.run(2_000)
    assert Command.REJECT in rig.unit.sent(Command.REJECT)


@pytest.mark.parametrize("behind", [b"", STACKED])
def test_a_credit_that_is_told_again_behind_a_power_cut_is_no_second_note(behind: bytes) -> None:
    rig = ready(poll_with_ack="always")
    rig.order(StackNote(rig.feed().note))
    rig.unit.replies = {Command.EVENT_ACK: b""}
    rig.play(CREDIT3 + behind)
    assert len(rig.told(NoteStacked)) == 1
    rig.unit.replies = {}
    rig.unit.forget()  # the acknowledgement never came, and some units keep such a credit
    rig.play(b"\xf1" + CREDIT3, ms=40_000)
    assert len(rig.told(NoteStacked)) == 1
    rig.order(StackNote(rig.feed().note))
    rig.play(CREDIT3, STACKED)
    assert len(rig.told(NoteStacked)) == 2
