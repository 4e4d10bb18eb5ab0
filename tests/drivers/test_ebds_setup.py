"""Setting an EBDS unit up: who it is, which notes it reads, which it may take."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    Confirm,
    DeviceState,
    EnableNotes,
    Identified,
    InhibitNotes,
    NoteEscrowed,
    NotesKnown,
    NoteStacked,
    ProtocolFault,
    StackNote,
)
from kiosk.drivers.ebds_acceptor import SPEC
from kiosk.protocols.ebds.options import EbdsOptions
from kiosk.protocols.ebds.payloads import NoteRecord, ValueRow, enabled_notes
from tests.drivers.ebds_unit import (
    ACCEPTING,
    BOX,
    ESCROWED,
    FAILURE,
    FULL,
    IDLING,
    PAUSED,
    POWER_UP,
    RETURN,
    STACKED,
    TWENTY,
    Rig,
    Unit,
    ready,
    usd,
)


def states(rig: Rig) -> list[str]:
    return [event.state for event in rig.told(DeviceState) if isinstance(event, DeviceState)]


def test_the_unit_is_identified_and_its_table_read_before_anything_is_enabled() -> None:
    rig = Rig()
    rig.run(3_000)
    assert rig.told(Identified) == [Identified("SCNL6670R", "280000 V1.23", "SN4711")]
    assert rig.told(NotesKnown) == [NotesKnown(tuple(usd(value) for value in (1, 2, 5, 10, 20, 50, 100)))]
    assert all(frame.data[0] == 0 for frame in rig.unit.heard if frame.kind == 1)


def test_a_unit_that_answers_every_question_with_its_crc_is_named_by_its_model_byte() -> None:
    unit = Unit()
    unit.texts = {}
    rig = Rig(unit)
    rig.run(3_000)
    assert rig.told(Identified) == [Identified("CashFlow SC83 or SC Advanced")]


def test_exactly_the_wanted_notes_are_enabled_by_their_rows() -> None:
    rig = ready(5, 20)
    assert enabled_notes(rig.unit.masks()[-1]) == (3, 5)
    assert rig.unit.fresh[-1].data[0] == 0x7F


def test_the_table_ends_at_the_first_blank_row_unless_it_is_wanted_whole() -> None:
    unit = Unit()
    del unit.table[4]  # 10
    rig = Rig(unit)
    rig.run(3_000)
    assert rig.told(NotesKnown) == [NotesKnown((usd(1), usd(2), usd(5)))]
    whole = Rig(unit, whole_table=True)
    whole.run(6_000)
    assert whole.told(NotesKnown) == [NotesKnown(tuple(usd(value) for value in (1, 2, 5, 20, 50, 100)))]


def test_notes_of_another_currency_are_never_enabled() -> None:
    unit = Unit()
    unit.table[8] = NoteRecord(8, "CAD", 20, 0)
    rig = ready(20, unit=unit)
    assert enabled_notes(rig.unit.masks()[-1]) == (5,)


def test_a_unit_without_our_currency_stays_disabled_and_says_why() -> None:
    unit = Unit()
    unit.table = {1: NoteRecord(1, "CAD", 5, 0)}
    rig = Rig(unit)
    rig.run(3_000)
    rig.order(EnableNotes((usd(5),)))
    rig.run(1_000)
    assert "misconfigured" in states(rig)
    details = [event.detail for event in rig.told(DeviceState) if isinstance(event, DeviceState)]
    assert any("CAD, not USD" in detail for detail in details)
    assert all(frame.data[0] == 0 for frame in rig.unit.heard if frame.kind == 1)


def test_a_unit_that_tells_no_table_is_refused_and_tried_again_later() -> None:
    unit = Unit()
    unit.refused = {2}
    rig = Rig(unit)
    rig.run(3_000)
    assert states(rig)[-1] == "misconfigured"
    rig.order(InhibitNotes())
    unit.refused = set()
    rig.run(11_000)
    assert len(rig.told(NotesKnown)) == 1
    assert states(rig)[-1] == "inhibited"


def test_an_order_to_take_notes_is_refused_while_the_set_up_is_broken() -> None:
    unit = Unit()
    unit.refused = {2}
    rig = Rig(unit)
    rig.run(3_000)
    rig.order(EnableNotes((usd(5),)))
    assert rig.told(CommandRefused)


def test_the_long_mask_reaches_the_last_row() -> None:
    unit = Unit()
    unit.table = {row: NoteRecord(row, "USD", row, 0) for row in range(1, 61)}
    rig = Rig(unit, mask_bytes=19)
    rig.run(6_000)
    rig.order(EnableNotes((usd(60),)))
    rig.run(600)
    assert len(rig.unit.masks()[-1]) == 19
    assert enabled_notes(rig.unit.masks()[-1]) == (60,)


def test_the_enable_mask_goes_out_only_while_the_unit_is_idle() -> None:
    rig = ready(20)
    sent = len(rig.unit.masks())
    rig.show(ACCEPTING, ms=150)
    rig.order(EnableNotes((usd(5),)))
    rig.show(ACCEPTING, ms=1_000)
    assert len(rig.unit.masks()) == sent
    assert rig.unit.fresh[-1].data[0] == 0  # the mask in the unit lets other notes in than those wanted now
    rig.show(IDLING, ms=600)
    assert enabled_notes(rig.unit.masks()[-1]) == (3,)


def test_after_a_power_cut_the_unit_is_disabled_until_its_table_and_its_mask_are_known_again() -> None:
    rig = ready(20)
    rig.show(0, report=POWER_UP, ms=1_000)
    seen = len(rig.unit.fresh)
    assert rig.unit.fresh[-1].data[0] == 0
    rig.show(IDLING, ms=3_000)
    after = rig.unit.fresh[seen:]
    mask_at = next(at for at, frame in enumerate(after) if frame.kind == 7 and frame.data[0] == 3)
    assert all(frame.data[0] == 0 for frame in after[:mask_at] if frame.kind == 1)
    assert after[-1].data[0] == 0x7F


def test_a_power_cut_while_a_commit_is_awaited_is_not_overlooked() -> None:
    rig = ready(20, auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(300)
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    rig.unit.last = None  # the unit forgot its last reply with everything else
    rig.show(0, report=POWER_UP, ms=1_000)
    rig.show(IDLING, ms=1_000)
    masks = len(rig.unit.masks())
    rig.order(Confirm(credit.token))
    rig.auto = True
    rig.run(4_000)
    assert enabled_notes(rig.unit.masks()[-1]) == (5,)
    assert len(rig.unit.masks()) > masks
    assert len(rig.told(NoteStacked)) == 1


def test_only_polls_go_out_during_power_up() -> None:
    rig = Rig(opened=False)
    rig.unit.status = bytes((0, BOX, POWER_UP, 0, 0x54, 0x10))
    rig.open()
    rig.run(3_000)
    assert {frame.kind for frame in rig.unit.heard} == {1}
    assert len(rig.unit.heard) >= 15  # quickly, or one unit never comes up
    assert states(rig) == ["power_up"]


def test_the_box_counts_by_its_edges_and_the_mask_is_sent_again_behind_it() -> None:
    rig = ready(20)
    rig.show(ACCEPTING, 0)  # no edge while a note is drawn in
    assert not rig.told(CashboxRemoved)
    rig.show(0, 0)
    sent = len(rig.unit.masks())
    rig.show(IDLING, 0)
    assert len(rig.told(CashboxRemoved)) == 1
    assert states(rig)[-1] == "cassette_removed"
    rig.show(IDLING)
    rig.run(500)
    assert rig.told(CashboxInserted) == [CashboxInserted()]
    assert enabled_notes(rig.unit.masks()[-1]) == (5,)
    assert len(rig.unit.masks()) > sent


@pytest.mark.parametrize(
    ("shown", "state", "severity"),
    [
        ({"state": 0, "condition": BOX | FULL}, "stacker_full", "fault"),
        ({"state": 0, "report": FAILURE}, "failure", "fault"),
        ({"state": 0, "facility": 1}, "failure", "fault"),
        ({"state": 0, "facility": 2}, "out_of_service", "fault"),
        ({"state": IDLING, "condition": BOX | PAUSED}, "paused", "warn"),
        ({"state": 0}, "out_of_service", "fault"),
    ],
    ids=lambda value: str(value),
)
def test_what_stands_is_told_in_the_words_of_the_house(shown: dict[str, int], state: str, severity: str) -> None:
    rig = ready()
    rig.show(**shown)
    told = [event for event in rig.told(DeviceState) if isinstance(event, DeviceState)]
    assert (told[-1].state, told[-1].severity) == (state, severity)
    assert told[-1].state in SPEC.states
    assert told[-1].raw


def test_a_unit_that_holds_a_note_since_a_power_up_is_asked_to_give_it_back_some_times() -> None:
    rig = ready()
    rig.show(0, report=POWER_UP)
    rig.show(0, ms=4_000)
    assert rig.unit.commands() == [RETURN] * 3
    never = ready(free_held=False)
    never.show(0, report=POWER_UP)
    never.show(0, ms=4_000)
    assert never.unit.commands() == []


# --- plain mode ------------------------------------------------------------------------------------------------------


def test_plain_values_come_from_the_unit() -> None:
    rig = ready(20, mode="plain")
    assert rig.unit.fresh[-1].data == bytes((1 << 4, 0x1C, 0x04))
    rig.show(ESCROWED, report=5 << 3)
    (note,) = rig.told(NoteEscrowed)
    assert isinstance(note, NoteEscrowed)
    assert note.value == usd(20)


def test_plain_values_come_from_the_configuration_where_it_has_them() -> None:
    rig = ready(5, mode="plain", bill_set=[500, 0, 2000])
    assert not [frame for frame in rig.unit.fresh if frame.kind == 7]
    assert rig.unit.fresh[-1].data[0] == 1
    rig.show(ESCROWED, report=2 << 3)  # a value without a note
    assert not rig.told(NoteEscrowed)
    assert RETURN in rig.unit.commands()


def test_a_plain_note_found_at_the_start_waits_for_the_table() -> None:
    unit = Unit()
    unit.status = bytes((ESCROWED, BOX, 5 << 3, 0, 0x54, 0x10))
    unit.plain_table = (ValueRow(5, "USD", 7, 0),)
    rig = Rig(unit, mode="plain")
    rig.run(1_000)
    (note,) = rig.told(NoteEscrowed)
    assert isinstance(note, NoteEscrowed)
    assert note.value == usd(7)


def test_a_plain_note_whose_value_nobody_tells_goes_back() -> None:
    unit = Unit()
    unit.status = bytes((ESCROWED, BOX, 5 << 3, 0, 0x54, 0x10))
    unit.refused = {6}
    rig = Rig(unit, mode="plain")
    rig.run(2_000)
    assert not rig.told(NoteEscrowed)
    assert RETURN in rig.unit.commands()


def test_the_note_retrieved_event_is_asked_for_again_behind_each_power_up() -> None:
    rig = ready(note_retrieved=True)
    asked = [frame for frame in rig.unit.fresh if frame.kind == 7 and frame.data[0] == 0x0B]
    assert [frame.data[4:] for frame in asked] == [b"\x01"]
    rig.show(0, report=POWER_UP)
    rig.show(IDLING, ms=3_000)
    asked = [frame for frame in rig.unit.fresh if frame.kind == 7 and frame.data[0] == 0x0B]
    assert len(asked) == 2


def test_a_feature_that_the_unit_lacks_is_no_fault() -> None:
    unit = Unit()
    unit.refused = {4, 0x0B}
    rig = ready(20, unit=unit, note_retrieved=True, note_timeout_s=10)
    assert enabled_notes(rig.unit.masks()[-1]) == (5,)
    assert [fault.kind for fault in rig.told(ProtocolFault) if isinstance(fault, ProtocolFault)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"poll_ms": 5},
        {"poll_ms": 5_000},
        {"bill_set": [1] * 8},
        {"bill_set": [-1]},
        {"note_timeout_s": 128},
        {"note_timeout_s": 1},
        {"orientation": 4},
        {"stack_tries": 0},
        {"resolve_ms": 1},
        {"power_up_policy": "D"},
        {"strange": 1},
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, EbdsOptions)
