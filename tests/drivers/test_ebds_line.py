"""The EBDS line seen from the driver: toggle, repeats, silence, echoes, noise."""

from __future__ import annotations

import pytest

from kiosk.api import Confirm, DeviceState, EnableNotes, Lost, NoteStacked, ProtocolFault, StackNote, WriteTimedOut
from kiosk.protocols.ebds.frames import encode
from tests.drivers.ebds_unit import (
    BOX,
    ESCROWED,
    IDLING,
    MS,
    STACK,
    STACKED,
    STACKING,
    TWENTY,
    Rig,
    Unit,
    ready,
    usd,
)


def test_each_new_message_flips_the_toggle_and_each_repeat_keeps_it() -> None:
    rig = Rig()
    rig.run(1_000)
    toggles = [frame.toggle for frame in rig.unit.heard]
    assert toggles == [at % 2 for at in range(len(toggles))]
    rig.unit.lose = 2
    seen = len(rig.unit.heard)
    rig.run(1_500)
    lost = rig.unit.heard[seen : seen + 3]
    assert lost[0].raw == lost[1].raw == lost[2].raw
    assert rig.unit.heard[seen + 3].toggle != lost[0].toggle


def test_a_stacked_event_whose_reply_is_lost_is_read_from_the_repeat() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    rig.unit.lose = 3
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(2_000)
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    assert (credit.note, credit.value) == (note.note, usd(20))


def test_until_its_commit_a_stacked_event_is_asked_for_again_and_the_toggle_stays() -> None:
    rig = ready(auto=False)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    rig.event(STACKED | IDLING, note=TWENTY)
    heard, fresh = len(rig.unit.heard), len(rig.unit.fresh)
    rig.run(2_000)
    assert len(rig.unit.heard) - heard >= 10  # polled on, so that the unit does not count the host as lost
    assert len(rig.unit.fresh) == fresh  # and nothing new: the unit still has its event
    assert not any(frame.data[1] & STACK for frame in rig.unit.heard[heard:])
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    rig.order(Confirm(credit.token))
    assert len(rig.unit.fresh) == fresh + 1
    rig.run(500)
    assert len(rig.told(NoteStacked)) == 1


def test_where_it_is_told_to_be_silent_nothing_goes_out_before_the_commit() -> None:
    rig = ready(auto=False, unconfirmed="silent")
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.event(STACKED | IDLING, note=TWENTY)
    heard = len(rig.unit.heard)
    rig.run(2_000)
    assert len(rig.unit.heard) == heard
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    rig.order(Confirm(credit.token))
    assert len(rig.unit.heard) == heard + 1


def test_a_reply_with_the_other_toggle_answers_nothing() -> None:
    rig = ready()
    before = len(rig.unit.fresh)
    rig.driver.received(encode(2, 0, bytes((STACKED | IDLING, BOX, 4 << 3, 0, 0x54, 0x10))), rig.now)
    rig.driver.received(encode(2, 1, bytes((STACKED | IDLING, BOX, 4 << 3, 0, 0x54, 0x10))), rig.now)
    rig.drain()
    assert not rig.told(NoteStacked)
    assert [fault.kind for fault in rig.told(ProtocolFault) if isinstance(fault, ProtocolFault)] == ["unexpected"]
    rig.run(500)
    assert len(rig.unit.fresh) > before


def test_an_echo_of_our_own_bytes_is_dropped() -> None:
    unit = Unit()
    unit.echo = True
    rig = ready(unit=unit)
    assert not rig.told(ProtocolFault)
    note = rig.feed()
    assert note.value == usd(20)


def test_an_echo_alone_is_silence() -> None:
    rig = ready()
    unit = rig.unit
    unit.echo, unit.lose = True, 10_000
    rig.run(3_000)
    assert any(isinstance(event, DeviceState) and event.state == "unknown" for event in rig.events)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_unit_that_keeps_a_toggle_of_its_own_at_the_start_is_followed_once(kept: int) -> None:
    class Stuck(Unit):
        def hear(self, data: bytes) -> bytes:
            answer = super().hear(data)
            if answer and len(self.heard) <= 2 and self.heard[-1].toggle != kept:
                return encode(2, kept, self.status)  # its last reply from before, with its toggle
            return answer

    rig = ready(unit=Stuck(), start_toggle=1 - kept)
    assert rig.feed().value == usd(20)
    never = Rig(Stuck(), start_toggle=1 - kept, flip_at_start=False)
    never.run(500)
    assert {frame.toggle for frame in never.unit.heard[:2]} == {1 - kept}


def test_silence_makes_the_unit_unknown_and_its_return_sets_it_up_again() -> None:
    rig = ready(20)
    rig.unit.silent = True
    rig.run(4_000)
    states = [event.state for event in rig.events if isinstance(event, DeviceState)]
    assert states[-1] == "unknown"
    seen = len(rig.unit.masks())
    rig.unit.silent = False
    rig.run(5_000)
    assert len(rig.unit.masks()) > seen
    assert rig.unit.fresh[-1].data[0] == 0x7F


def test_a_late_reply_of_a_repeated_message_is_not_taken_for_the_one_after_next() -> None:
    rig = ready()
    late: list[bytes] = []
    hear = rig.unit.hear

    def slow(data: bytes) -> bytes:
        late.append(hear(data))
        return b""

    rig.unit.hear = slow  # type: ignore[method-assign]
    rig.run(800)  # a poll and its repeats, unanswered
    rig.unit.hear = hear  # type: ignore[method-assign]
    assert len(late) >= 2
    fresh = len(rig.unit.fresh)
    rig.driver.received(late[0], rig.now)
    rig.drain()
    rig.run(200)
    assert len(rig.unit.fresh) == fresh  # quiet: the other replies may still come
    rig.driver.received(b"".join(late[1:]), rig.now)
    rig.drain()
    rig.run(500)
    assert len(rig.unit.fresh) > fresh
    assert not [
        fault for fault in rig.told(ProtocolFault) if isinstance(fault, ProtocolFault) and fault.kind != "timeout"
    ]


def test_a_stack_command_is_not_repeated_after_a_long_silence() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.silent = True
    rig.order(StackNote(note.note))
    rig.run(5_000)
    rig.unit.silent = False
    seen = len(rig.unit.fresh)
    rig.run(1_000)
    assert rig.unit.fresh[seen].data[1] & STACK == 0
    assert STACK not in rig.unit.commands()


def test_noise_on_the_line_is_told_and_bounded() -> None:
    rig = ready()
    rig.driver.received(b"\x02\x08" + b"\x99" * 4_000, rig.now)
    rig.run(1_000)
    faults = rig.told(ProtocolFault)
    assert 1 <= len(faults) <= 12
    assert rig.feed().value == usd(20)


def test_a_lost_port_keeps_the_toggle_and_no_order() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.lose = 10_000
    rig.order(StackNote(note.note))  # heard and obeyed; the reply is lost
    toggle = rig.unit.heard[-1].toggle
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.run(200)
    rig.unit.lose, seen = 0, len(rig.unit.heard)
    rig.open()
    first = rig.unit.heard[seen]
    assert (first.toggle, first.data[1] & STACK) == (toggle, 0)
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(600)
    assert [event.note for event in rig.told(NoteStacked) if isinstance(event, NoteStacked)] == [note.note]


def test_a_write_that_did_not_leave_is_repeated() -> None:
    rig = ready()
    rig.show(ESCROWED, note=TWENTY)
    seen = len(rig.unit.heard)
    rig.driver.tick(rig.now + 200 * MS)
    rig.driver.take_outbound()
    rig.driver.port(WriteTimedOut(), rig.now + 210 * MS)
    rig.now += 210 * MS
    rig.drain()
    rig.run(800)
    assert len(rig.unit.heard) > seen
    rig.order(EnableNotes((usd(20),)))
    assert not rig.told(NoteStacked)
