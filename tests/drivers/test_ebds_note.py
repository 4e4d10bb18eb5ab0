"""One note through an EBDS acceptor: what is money, what is returned, what is disputed."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CommandRefused,
    Confirm,
    DeviceState,
    HoldNote,
    InhibitNotes,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteId,
    NoteRejected,
    NoteReturned,
    NoteStacked,
    NoteStacking,
    ProtocolFault,
    ReturnNote,
    StackNote,
)
from kiosk.protocols.ebds.frames import encode
from kiosk.protocols.ebds.payloads import NoteRecord
from tests.drivers.ebds_unit import (
    ACCEPTING,
    BOX,
    CHEATED,
    ESCROWED,
    IDLING,
    JAMMED,
    POWER_UP,
    REJECTED,
    RETURN,
    RETURNED,
    RETURNING,
    STACK,
    STACKED,
    STACKING,
    TEN,
    TWENTY,
    Rig,
    ready,
    usd,
)

BLANK = b""


def stacked(rig: Rig) -> NoteEscrowed:
    """Bring a note to where the stacked event is due."""
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    return note


def test_a_note_is_credited_on_the_stacked_event_and_not_before() -> None:
    rig = ready()
    note = stacked(rig)
    assert rig.told(NoteStacking) == [NoteStacking(note.note)]
    assert not rig.told(NoteStacked)
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(500)
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    assert (credit.note, credit.value, credit.recovered) == (note.note, usd(20), False)
    assert rig.told(NoteGone) == [NoteGone(note.note)]


def test_a_stacked_event_that_the_unit_goes_on_showing_is_one_credit() -> None:
    rig = ready()
    stacked(rig)
    rig.show(STACKED | IDLING, note=TWENTY, ms=2_000)
    rig.show(IDLING)
    assert len(rig.told(NoteStacked)) == 1


def test_the_stack_bit_stands_in_one_new_command_only() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING, ms=1_000)
    assert rig.unit.commands() == [STACK]


def test_a_stack_command_without_effect_is_given_again_two_polls_later_and_then_the_note_goes_back() -> None:
    rig = ready(stack_tries=2)
    note = rig.feed()
    rig.order(StackNote(note.note))
    given = [at for at, frame in enumerate(rig.unit.fresh) if frame.kind == 1 and frame.data[1] & STACK]
    rig.show(ESCROWED, note=TWENTY, ms=2_000)
    given = [at for at, frame in enumerate(rig.unit.fresh) if frame.kind == 1 and frame.data[1] & STACK]
    assert len(given) == 2
    assert given[1] - given[0] == 3  # two polls showed the note in escrow, and nothing else
    assert rig.unit.commands()[2:]
    assert set(rig.unit.commands()[2:]) == {RETURN}
    rig.event(RETURNED | IDLING)
    rig.run(300)
    assert [event.reason for event in rig.told(NoteReturned) if isinstance(event, NoteReturned)] == ["stack_refused"]


def test_the_stack_command_is_never_repeated_where_that_is_not_wanted() -> None:
    rig = ready(stack_tries=1)
    rig.order(StackNote(rig.feed().note))
    rig.show(ESCROWED, note=TWENTY, ms=2_000)
    assert rig.unit.commands()[0] == STACK
    assert STACK not in rig.unit.commands()[1:]


@pytest.mark.parametrize("between", [(STACKING, BOX), (0, BOX), (IDLING, BOX | JAMMED)], ids=["moving", "out", "jam"])
def test_a_note_in_escrow_behind_another_state_is_not_stacked_again(between: tuple[int, int]) -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(*between)
    rig.show(ESCROWED, note=TWENTY, ms=1_500)
    assert rig.unit.commands()[0] == STACK
    assert set(rig.unit.commands()[1:]) == {RETURN}
    rig.event(RETURNED | IDLING)
    rig.run(300)
    assert len(rig.told(NoteReturned)) == 1
    assert not rig.told(NoteStacked, NoteDisputed)


def test_a_note_is_given_back_when_ordered() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(ReturnNote(note.note))
    rig.show(RETURNING)
    rig.event(RETURNED | IDLING)
    rig.run(300)
    assert rig.unit.commands() == [RETURN]
    assert rig.told(NoteReturned) == [NoteReturned(note.note, "commanded", raw="411000005410")]


def test_an_undecided_note_goes_back_in_time() -> None:
    rig = ready(escrow_limit_ms=2_000)
    rig.feed()
    rig.run(1_000)
    assert rig.unit.commands() == []
    rig.run(1_500)
    assert RETURN in rig.unit.commands()


def test_a_held_note_waits_longer_and_the_wire_needs_no_command() -> None:
    rig = ready(escrow_limit_ms=2_000)
    note = rig.feed()
    rig.order(HoldNote(note.note))
    rig.run(6_000)
    assert rig.told(NoteHeld) == [NoteHeld(note.note)]
    assert rig.unit.commands() == []


def test_a_unit_with_a_limit_of_its_own_holds_no_note_and_gets_it_decided_before() -> None:
    rig = ready(note_timeout_s=4)
    timeout = [frame.data for frame in rig.unit.fresh if frame.kind == 7 and frame.data[0] == 4]
    assert [data[4:] for data in timeout] == [b"\x04\x00"]
    note = rig.feed()
    assert note.decide_by - rig.now <= 2_500_000_000
    rig.order(HoldNote(note.note))
    assert [event.command for event in rig.told(CommandRefused) if isinstance(event, CommandRefused)] == ["hold_note"]
    rig.run(3_000)
    assert RETURN in rig.unit.commands()


def test_another_value_than_in_escrow_is_disputed_and_never_credited() -> None:
    rig = ready()
    note = stacked(rig)
    rig.event(STACKED | IDLING, note=TEN)
    rig.run(500)
    (dispute,) = rig.told(NoteDisputed)
    assert isinstance(dispute, NoteDisputed)
    assert (dispute.note, dispute.value) == (note.note, usd(20))
    assert not rig.told(NoteStacked)


def test_a_blank_stack_without_a_note_is_a_finding() -> None:
    rig = ready()
    rig.event(STACKED | IDLING, note=BLANK)
    rig.run(500)
    rig.event(STACKED | IDLING)  # the same, told by a plain reply without a value
    rig.run(500)
    assert not rig.told(NoteStacked, NoteDisputed)
    assert len(rig.told(ProtocolFault)) == 2


@pytest.mark.parametrize(
    ("policy", "options", "kind"),
    [
        ("A", {}, NoteStacked),
        ("B", {}, NoteDisputed),
        ("C", {}, NoteStacked),
        ("A", {"blank_stack": "dispute"}, NoteDisputed),
        ("B", {"blank_stack": "credit"}, NoteStacked),
    ],
)
def test_a_blank_stack_behind_a_power_cut_goes_by_the_policy(
    policy: str, options: dict[str, str], kind: type[NoteStacked | NoteDisputed]
) -> None:
    rig = ready(power_up_policy=policy, **options)
    note = stacked(rig)
    rig.show(0, report=POWER_UP)
    rig.event(STACKED | IDLING, note=BLANK)
    rig.run(500)
    (told,) = rig.told(NoteStacked, NoteDisputed)
    assert isinstance(told, kind)
    assert told.note == note.note
    assert not isinstance(told, NoteStacked) or (told.value, told.recovered) == (usd(20), True)


def test_behind_a_power_cut_the_named_note_is_recovered() -> None:
    rig = ready()
    note = stacked(rig)
    rig.show(0, report=POWER_UP, ms=2_000)
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(500)
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    assert (credit.note, credit.value, credit.recovered) == (note.note, usd(20), True)


@pytest.mark.parametrize(("forgotten", "kind"), [("disputed", NoteDisputed), ("returned", NoteReturned)])
def test_a_stacking_note_that_a_unit_forgot_ends_as_configured(forgotten: str, kind: type) -> None:
    rig = ready(forgotten_note=forgotten)
    stacked(rig)
    rig.show(0, report=POWER_UP)
    rig.show(IDLING)
    assert [type(event) for event in rig.told(NoteStacked, NoteDisputed, NoteReturned)] == [kind]


@pytest.mark.parametrize(("lost_reply", "kind"), [("doubted", NoteDisputed), ("trusted", NoteReturned)])
def test_rest_behind_a_lost_reply_proves_no_return(lost_reply: str, kind: type) -> None:
    rig = ready(lost_reply=lost_reply)
    stacked(rig)
    rig.unit.lose, rig.unit.stubborn = 1, True  # a unit that does not repeat itself, and the event in the lost reply
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(1_000)
    assert [type(event) for event in rig.told(NoteStacked, NoteDisputed, NoteReturned)] == [kind]


def test_a_lost_reply_before_the_stack_command_casts_no_doubt() -> None:
    rig = ready()
    rig.unit.lose = 2
    rig.show(ACCEPTING, ms=1_500)
    stacked(rig)
    rig.show(IDLING)
    assert [type(event) for event in rig.told(NoteStacked, NoteDisputed, NoteReturned)] == [NoteReturned]


def test_a_note_nobody_announced_has_the_value_of_the_wire_and_no_name() -> None:
    rig = ready()
    rig.event(STACKED | IDLING, note=TEN)
    rig.run(500)
    (credit,) = rig.told(NoteStacked)
    assert isinstance(credit, NoteStacked)
    assert (credit.note, credit.value) == (None, usd(10))


@pytest.mark.parametrize(
    "note",
    [
        NoteRecord(0, "CAD", 20, 0),
        NoteRecord(0, "USD", 5, -3),
        NoteRecord(0, "USD", 1, 99),
        NoteRecord(0, "USD", 20, 0, classification=2),
        NoteRecord(0, "USD", 20, 0, classification=3),
        None,
    ],
    ids=["currency", "fraction", "power", "counterfeit", "zero value", "no record"],
)
def test_a_note_that_is_no_money_of_ours_goes_back_at_once(note: NoteRecord | None) -> None:
    rig = ready()
    rig.show(ESCROWED, note=note, ms=600)
    assert not rig.told(NoteEscrowed)
    assert rig.unit.commands()[:1] == [RETURN]


def test_a_genuine_note_is_taken() -> None:
    rig = ready()
    assert rig.feed(NoteRecord(0, "USD", 20, 0, classification=4)).value == usd(20)


def test_a_barcode_ticket_goes_back() -> None:
    rig = ready()
    rig.show(ESCROWED)
    ticket = b"\x01" + bytes((ESCROWED, BOX, 0, 0, 0x54, 0x10)) + b"1234567890".ljust(28, b"(")
    rig.unit.report = lambda toggle: encode(7, toggle, ticket)  # type: ignore[method-assign]
    rig.run(600)
    assert not rig.told(NoteEscrowed)
    assert RETURN in rig.unit.commands()


def test_a_rejected_note_is_told_once_however_long_the_bit_stays() -> None:
    rig = ready()
    rig.show(ACCEPTING)
    rig.show(IDLING, BOX | REJECTED, ms=1_000)
    rig.show(IDLING)
    assert len(rig.told(NoteRejected)) == 1
    rig.show(IDLING, BOX | REJECTED)
    assert len(rig.told(NoteRejected)) == 2


@pytest.mark.parametrize(("said", "fate"), [("returned", NoteReturned), ("disputed", NoteDisputed)])
def test_a_note_that_is_rejected_behind_its_stack_order_was_returned(said: str, fate: type) -> None:
    rig = ready(rejected_note=said)
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.show(IDLING, BOX | REJECTED)
    assert [type(event) for event in rig.told(NoteReturned, NoteDisputed)] == [fate]


@pytest.mark.parametrize("trouble", [CHEATED, JAMMED])
def test_a_note_that_is_rejected_beside_trouble_is_disputed(trouble: int) -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.show(IDLING, BOX | REJECTED | trouble)
    rig.show(IDLING)
    assert rig.told(NoteDisputed)
    assert not rig.told(NoteReturned)


def test_a_second_note_that_is_rejected_does_not_touch_the_one_in_escrow() -> None:
    rig = ready()
    note = rig.feed()
    rig.show(ESCROWED, BOX | REJECTED, note=TWENTY)
    assert not rig.told(NoteReturned)
    rig.order(StackNote(note.note))
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(300)
    assert len(rig.told(NoteStacked)) == 1


def test_cheated_on_the_way_to_the_box_is_no_credit_and_no_return() -> None:
    rig = ready()
    stacked(rig)
    rig.show(STACKING, BOX | CHEATED)
    rig.show(IDLING)
    assert [type(event) for event in rig.told(NoteStacked, NoteReturned, NoteDisputed)] == [NoteDisputed]


def test_stacked_together_with_cheated_still_counts() -> None:
    rig = ready()
    note = stacked(rig)
    rig.event(STACKED | IDLING, BOX | CHEATED, note=TWENTY)
    rig.run(300)
    assert [event.note for event in rig.told(NoteStacked) if isinstance(event, NoteStacked)] == [note.note]
    assert any("nearly full" in event.detail for event in rig.told(DeviceState) if isinstance(event, DeviceState))


def test_a_jam_behind_the_stack_command_leaves_the_note_open_until_somebody_knows() -> None:
    rig = ready()
    stacked(rig)
    rig.show(IDLING, BOX | JAMMED, ms=2_000)
    assert not rig.told(NoteStacked, NoteReturned, NoteDisputed)
    rig.run(31_000)
    assert not rig.told(NoteStacked, NoteReturned, NoteDisputed)  # a cleared jam still says where the note went
    rig.show(IDLING)
    assert len(rig.told(NoteDisputed)) == 1


def test_bits_that_contradict_each_other_are_no_money_and_no_return() -> None:
    rig = ready()
    stacked(rig)
    rig.show(STACKED | RETURNED, note=TWENTY)
    assert not rig.told(NoteStacked, NoteReturned)
    assert any(isinstance(event, ProtocolFault) and "together" in event.detail for event in rig.events)
    assert [event.state for event in rig.told(DeviceState) if isinstance(event, DeviceState)][-1] == "unknown"
    rig.show(IDLING)
    assert len(rig.told(NoteDisputed)) == 1


def test_inhibiting_waits_until_the_note_has_left() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(InhibitNotes())
    rig.run(500)
    assert rig.unit.fresh[-1].data[0] == 0x7F
    rig.order(ReturnNote(note.note))
    rig.show(RETURNING)
    rig.event(RETURNED | IDLING)
    rig.run(600)
    assert rig.unit.fresh[-1].data[0] == 0
    assert rig.unit.masks()[-1] == bytes(8)


def test_two_notes_in_a_row_are_two_credits() -> None:
    rig = ready()
    for serial in (1, 2):
        note = stacked(rig)
        assert note.note == NoteId("acceptor", serial)
        rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(500)
    credits = [event.note.serial for event in rig.told(NoteStacked) if isinstance(event, NoteStacked) and event.note]
    assert credits == [1, 2]


def test_a_confirm_for_nothing_and_orders_for_a_departed_note_are_refused() -> None:
    rig = ready()
    note = stacked(rig)
    rig.event(STACKED | IDLING, note=TWENTY)
    rig.run(500)
    for order in (Confirm(99), StackNote(note.note), ReturnNote(note.note), HoldNote(note.note)):
        rig.order(order)
    assert len(rig.told(CommandRefused)) == 4
    assert rig.unit.commands() == [STACK]
