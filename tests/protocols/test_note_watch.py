"""The one note in a unit, whatever its protocol: what every pair of phase and sight leads to."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.model.device_events import NoteDisputed, NoteEscrowed, NoteGone, NoteReturned, NoteStacked, ProtocolFault
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.protocols.note_life import RULES, Limits, Order, Phase, Seen, Sight
from kiosk.protocols.note_watch import NoteWatch

S = 1_000_000_000
LIMITS = Limits(
    decide=8 * S, hold_repeat=S, hold=60 * S, resolve=30 * S, gap=3 * S, repeat=S, stack_tries=3,
    dispute_forgotten=False, unconfirmed=20 * S,
)  # fmt: skip
TEN, TWENTY = Money(1000, "USD"), Money(2000, "USD")
ESCROW = Sight(Seen.IN_ESCROW, "escrow", "80", key=3, value=TEN)
CREDIT = Sight(Seen.CREDIT_POINT, "stacked", "81", value=TEN)
BLANK = Sight(Seen.CREDIT_POINT, "stacked", "81", blank=True)
REST = Sight(Seen.AT_REST, "idling", "14")
BACK = Sight(Seen.RETURNED, "returned", "82")


class Desk:
    """A watch and its clock."""

    def __init__(self, **changed: bool) -> None:
        self.watch = NoteWatch(msgspec.structs.replace(LIMITS, **changed))
        self.now = 0

    def see(self, *sights: Sight) -> None:
        for sight in sights:
            self.now += S // 10
            self.watch.saw(sight, self.now)

    def told(self, kind: type) -> list:  # type: ignore[type-arg]
        return [event for event in self.watch.events if isinstance(event, kind)]

    def stack(self) -> NoteId:
        """Let a note come, order it into the box and write the order."""
        self.see(ESCROW)
        note: NoteId = self.told(NoteEscrowed)[-1].note
        assert not self.watch.stack(note, self.now)
        assert self.watch.wanted(self.now) is Order.STACK
        self.watch.sent(Order.STACK, self.now)
        return note


def test_every_pair_of_phase_and_sight_has_a_rule() -> None:
    assert set(RULES) == {(phase, seen) for phase in Phase for seen in Seen}


def test_a_stacked_note_is_credited_once_however_often_it_is_told() -> None:
    desk = Desk()
    note = desk.stack()
    desk.see(CREDIT, CREDIT)
    assert not desk.watch.acknowledge  # nothing is committed yet
    (credit,) = desk.told(NoteStacked)
    assert (credit.note, credit.value, credit.recovered) == (note, TEN, False)
    assert desk.watch.confirm(credit.token)
    desk.see(CREDIT)
    assert desk.watch.acknowledge
    desk.see(REST)
    assert len(desk.told(NoteStacked)) == 1
    assert desk.told(NoteGone) == [NoteGone(note)]


def test_a_credit_of_another_value_than_in_escrow_is_disputed() -> None:
    desk = Desk()
    desk.stack()
    desk.see(Sight(Seen.CREDIT_POINT, "stacked", "81", value=TWENTY))
    assert not desk.told(NoteStacked)
    (dispute,) = desk.told(NoteDisputed)
    assert dispute.value == TEN
    assert "20.00" in dispute.reason


def test_a_blank_credit_point_is_money_only_for_a_note_that_was_ordered_in() -> None:
    desk = Desk()
    desk.see(BLANK)
    assert not desk.told(NoteStacked)
    assert desk.told(ProtocolFault)
    desk.see(ESCROW, BLANK)
    assert not desk.told(NoteStacked)  # in escrow and never ordered into the box

    ordered = Desk()
    note = ordered.stack()
    ordered.see(BLANK)
    (credit,) = ordered.told(NoteStacked)
    assert (credit.note, credit.value) == (note, TEN)


def test_a_note_that_is_gone_from_escrow_behind_a_blank_credit_point_is_disputed() -> None:
    desk, still_there, given_back = Desk(), Desk(), Desk()
    desk.see(ESCROW, BLANK)
    assert not desk.told(NoteDisputed)  # the box may have been put back, and the note still lies there
    desk.see(REST)
    assert [(event.reason, event.value) for event in desk.told(NoteDisputed)] == [("blank_stack", TEN)]
    still_there.see(ESCROW, BLANK, ESCROW, REST)
    given_back.see(ESCROW, BLANK, BACK)
    assert len(still_there.told(NoteReturned)) == len(given_back.told(NoteReturned)) == 1


def test_an_unannounced_stacked_note_has_no_name_and_the_value_of_the_wire() -> None:
    desk = Desk()
    desk.see(CREDIT)
    (credit,) = desk.told(NoteStacked)
    assert (credit.note, credit.value, credit.recovered) == (None, TEN, True)


def test_what_the_unit_says_it_gave_back_is_returned_even_after_the_order_to_stack() -> None:
    desk = Desk()
    note = desk.stack()
    desk.see(BACK, REST)
    assert [event.note for event in desk.told(NoteReturned)] == [note]
    assert not desk.told(NoteStacked)


def test_a_return_that_is_told_after_the_credit_undoes_nothing() -> None:
    desk = Desk()
    desk.stack()
    desk.see(CREDIT)
    desk.watch.confirm(desk.told(NoteStacked)[0].token)
    desk.see(BACK)
    assert not desk.told(NoteReturned)
    assert desk.told(ProtocolFault)


@pytest.mark.parametrize("phase", ["stack_sent", "credited"])
def test_after_a_restart_a_credit_point_counts_once(phase: str) -> None:
    desk = Desk()
    desk.watch.remember("notes", 7, NoteId("notes", 7), TEN, phase)
    desk.watch.opened(0)
    desk.see(CREDIT)
    assert len(desk.told(NoteStacked)) == (1 if phase == "stack_sent" else 0)


def test_a_held_note_that_could_have_been_exchanged_unseen_goes_back() -> None:
    held = Sight(Seen.IN_ESCROW, "holding", "1a", held=True)  # no code: it could be any note
    for gap, order in ((S // 2, Order.STACK), (2 * S, Order.RETURN)):
        desk = Desk()
        desk.see(ESCROW)
        note = desk.told(NoteEscrowed)[0].note
        assert not desk.watch.hold(note)
        desk.see(held)
        desk.now += gap
        desk.see(held)
        desk.watch.stack(note, desk.now)
        assert desk.watch.wanted(desk.now) is order


def test_the_mark_of_the_unit_travels_with_the_credit() -> None:
    desk = Desk()
    desk.stack()
    desk.see(Sight(Seen.CREDIT_POINT, "stacked", "81", value=TEN, mark="4711:3"))
    assert desk.told(NoteStacked)[0].device_mark == "4711:3"


JAMMED = Sight(Seen.NOTHING, "jammed", "44", doubt=True)
REJECTING = Sight(Seen.GOING_BACK, "rejecting", "1c64", rejected="transport", rejected_raw="64", doubt=True)
MOVING = Sight(Seen.MOVING, "stacking", "17")


@pytest.mark.parametrize("trouble", [JAMMED, REJECTING], ids=lambda sight: sight.name)
def test_a_note_that_met_trouble_on_its_way_to_the_box_is_disputed_and_not_taken_for_returned(trouble: Sight) -> None:
    desk = Desk()
    note = desk.stack()
    desk.see(MOVING, trouble, trouble, REST)
    (dispute,) = desk.told(NoteDisputed)
    assert (dispute.note, dispute.value, dispute.reason) == (note, TEN, "ended_in_doubt")
    assert not desk.told(NoteReturned)


def test_trouble_on_the_way_does_not_hinder_a_credit_or_a_return_that_the_unit_tells() -> None:
    for end, kind in ((CREDIT, NoteStacked), (BACK, NoteReturned)):
        desk = Desk()
        desk.stack()
        desk.see(MOVING, JAMMED, end)
        assert len(desk.told(kind)) == 1
        assert not desk.told(NoteDisputed)


def test_a_note_in_escrow_that_meets_trouble_is_returned_as_before() -> None:
    desk = Desk()
    desk.see(ESCROW, REJECTING, REST)
    assert [event.reason for event in desk.told(NoteReturned)] == ["rejected:64"]
    assert not desk.told(NoteDisputed)


@pytest.mark.parametrize("refused", [True, False])
def test_an_order_that_the_unit_refused_did_nothing(refused: bool) -> None:
    """A note that is pulled back before the stack command comes is returned; one that may have moved is in doubt."""
    desk = Desk()
    note = desk.stack()
    desk.watch.answered(Order.STACK, False, refused)
    desk.see(REJECTING, REST)
    (ended,) = desk.told(NoteReturned) + desk.told(NoteDisputed)
    assert ended.note == note
    assert isinstance(ended, NoteReturned if refused else NoteDisputed)


def test_a_jam_that_only_a_reset_ends_becomes_a_dispute_and_one_that_clears_stays_open() -> None:
    stuck = msgspec.structs.replace(JAMMED, stuck=True)  # RESET waits for the fate of the note, and it for RESET
    for sight, reasons in ((stuck, ["only jammed"]), (JAMMED, [])):
        desk = Desk()
        desk.stack()
        for _ in range(40):
            desk.now += S
            desk.see(sight)
            desk.watch.check(desk.now)
        assert [event.reason for event in desk.told(NoteDisputed)] == reasons


def test_a_credit_of_another_value_behind_a_booked_one_is_a_note_of_its_own() -> None:
    desk = Desk()
    desk.stack()
    desk.see(CREDIT)
    assert desk.watch.confirm(desk.told(NoteStacked)[0].token)
    desk.see(Sight(Seen.CREDIT_POINT, "stacked", "81", value=TWENTY))
    assert not desk.watch.acknowledge
    second = desk.told(NoteStacked)[1]
    assert (second.note, second.value, second.recovered) == (None, TWENTY, True)


def test_a_note_that_falls_back_into_escrow_is_ordered_in_again_only_where_it_can_be_no_other() -> None:
    again, never = Desk(), Desk(restack_moved=False)
    for desk in (again, never):
        desk.stack()
        desk.see(MOVING, ESCROW)
    assert again.watch.wanted(again.now) is Order.STACK
    assert never.watch.wanted(never.now) is Order.RETURN
    never.watch.sent(Order.RETURN, never.now)
    never.see(BACK)
    assert [event.reason for event in never.told(NoteReturned)] == ["escrow_after_moving"]


@pytest.mark.parametrize("trouble", [JAMMED, Sight(Seen.INITIALIZING, "power up", "00")], ids=lambda sight: sight.name)
def test_a_blank_credit_point_behind_trouble_is_disputed_where_the_unit_names_its_notes(trouble: Sight) -> None:
    credits, disputes = Desk(), Desk(dispute_blank=True)
    for desk in (credits, disputes):
        desk.stack()
        desk.see(trouble, BLANK)
    assert len(credits.told(NoteStacked)) == 1
    assert not disputes.told(NoteStacked)
    assert [event.reason for event in disputes.told(NoteDisputed)] == ["blank_stack"]


def test_a_blank_credit_point_seen_happening_is_the_note_that_was_ordered_in() -> None:
    desk = Desk(dispute_blank=True)
    note = desk.stack()
    desk.see(MOVING, BLANK)
    assert [event.note for event in desk.told(NoteStacked)] == [note]


def test_a_credit_behind_a_power_cut_is_told_as_recovered_and_blocks_until_its_commit() -> None:
    desk = Desk()
    desk.stack()
    desk.see(Sight(Seen.INITIALIZING, "power up", "00"), CREDIT)
    (credit,) = desk.told(NoteStacked)
    assert credit.recovered
    assert desk.watch.booking
    assert desk.watch.confirm(credit.token)
    assert not desk.watch.booking
