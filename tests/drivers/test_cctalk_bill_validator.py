"""The way of a note through a ccTalk bill validator: credit once, on (n,0), after the commit, and never by guess."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    Confirm,
    DeviceState,
    DriverTools,
    EnableNotes,
    HoldNote,
    Identified,
    InhibitNotes,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteId,
    NoteRejected,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    NoteStacking,
    OpenNote,
    ProtocolFault,
    ReturnNote,
    StackNote,
)
from kiosk.drivers.cctalk_bill_validator import CctalkBillOptions, CctalkBillValidator
from kiosk.protocols.cctalk.event_buffer import Pair, encode_events, next_counter
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.cctalk.headers import Header as H
from tests.drivers.cctalk_bench import ACK, NAK, SILENT, Bench, Unit, eur

BILLS = {1: b"EU0005A", 2: b"EU0010A", 3: b"EU0020A", 4: b"GB0050A"}
STACK, RETURN, EXTEND = b"\x01", b"\x00", b"\xff"


class Validator(Unit):
    """Its escrow follows the orders; a test decides when events happen."""

    def __init__(self, framing: Framing | None = None) -> None:
        super().__init__(40, "Bill Validator", framing)
        self.escrow = 0
        self.handlers[H.REQUEST_BILL_ID] = lambda data: BILLS.get(data[0], b".......")
        self.handlers[H.REQUEST_COUNTRY_SCALING_FACTOR] = lambda data: b"\x64\x00\x02" if data == b"EU" else SILENT
        self.handlers[H.MODIFY_BILL_OPERATING_MODE] = lambda data: ACK
        self.handlers[H.READ_BUFFERED_BILL_EVENTS] = self.events
        self.handlers[H.ROUTE_BILL] = self._route

    def feed(self, kind: int) -> None:
        self.escrow = kind
        self.happen((kind, 1))

    def _route(self, data: bytes) -> bytes:
        if not self.escrow:
            return b"\xfe"
        if data != EXTEND:
            self.escrow = 0
        return ACK


def bench(
    unit: Validator | None = None, note: OpenNote | None = None, options: CctalkBillOptions | None = None, **marks: str
) -> tuple[Validator, Bench]:
    unit = unit or Validator()
    driver = CctalkBillValidator(options or CctalkBillOptions(), DriverTools("EUR"))
    rig = Bench(driver, unit)
    driver.remember(marks, note, bytes(32))
    rig.plug()
    rig.run(3000)
    return unit, rig


def accepting(options: CctalkBillOptions | None = None) -> tuple[Validator, Bench]:
    unit, rig = bench(options=options)
    rig.order(EnableNotes((eur(500), eur(1000), eur(2000))))
    rig.run(1000)
    rig.forget()
    return unit, rig


def in_escrow(options: CctalkBillOptions | None = None) -> tuple[Validator, Bench, NoteId]:
    unit, rig = accepting(options)
    unit.feed(2)
    rig.run(500)
    return unit, rig, rig.told(NoteEscrowed)[0].note


def ordered_in(options: CctalkBillOptions | None = None) -> tuple[Validator, Bench, NoteId]:
    unit, rig, note = in_escrow(options)
    rig.order(StackNote(note))
    rig.run(300)
    return unit, rig, note


def intended(value: int = 1000) -> OpenNote:
    return OpenNote(NoteId("b", 7), eur(value), "stack_sent")


# --- set-up -----------------------------------------------------------------------------------------------------


def test_the_set_up_reads_the_table_with_its_scaling_factor_before_anything_is_enabled() -> None:
    unit, rig = bench()
    assert rig.told(NotesKnown) == [NotesKnown((eur(500), eur(1000), eur(2000)))]
    assert rig.told(Identified)[0].serial == "12345678"
    assert unit.last(H.MODIFY_BILL_OPERATING_MODE) == b"\x03"
    assert not unit.master
    rig.order(EnableNotes((eur(500), eur(2000))))
    rig.run(1000)
    assert (unit.mask, unit.master) == (b"\x05\x00", True)
    rig.order(InhibitNotes())
    rig.run(1000)
    assert (unit.mask, unit.master) == (b"\x00\x00", False)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda unit: unit.handlers.update({H.REQUEST_EQUIPMENT_CATEGORY: lambda data: b"Payout"}), "is a Payout"),
        (lambda unit: unit.handlers.update({H.REQUEST_BILL_ID: lambda data: b"GB0005A"}), "tells GB, not EU"),
        (lambda unit: unit.handlers.update({H.REQUEST_COUNTRY_SCALING_FACTOR: lambda data: NAK}), "scaling factor"),
        (lambda unit: unit.handlers.update({H.MODIFY_BILL_OPERATING_MODE: lambda data: SILENT}), "operating mode"),
    ],
)
def test_a_unit_that_is_not_ours_is_never_enabled(spoil: Callable[[Validator], None], says: str) -> None:
    unit = Validator()
    spoil(unit)
    unit, rig = bench(unit)
    rig.order(EnableNotes((eur(500),)))
    rig.run(25_000)
    assert not unit.master
    state = rig.told(DeviceState)[-1]
    assert (state.state, state.severity) == ("misconfigured", "fault")
    assert says in state.detail
    assert says in rig.told(CommandRefused)[0].reason


def test_ids_that_are_configured_must_be_told_by_type() -> None:
    _, rig = bench(options=CctalkBillOptions(bill_ids=("EU0005A", "EU0020A")))
    assert "type 2 is EU0010A, not EU0020A" in rig.told(DeviceState)[-1].detail


def test_the_wording_of_the_standards_own_example_is_a_bill_validator_too() -> None:
    unit = Validator()
    unit.handlers[H.REQUEST_EQUIPMENT_CATEGORY] = lambda data: b"Bill Acceptor"
    _, rig = bench(unit)
    assert rig.told(NotesKnown)


@pytest.mark.parametrize(
    ("framing", "options"),
    [
        (Framing("crc"), CctalkBillOptions(checksum="crc")),
        (Framing(key="123456"), CctalkBillOptions(encryption_key="123456")),
    ],
)
def test_crc_and_encrypted_units_are_driven_like_any(framing: Framing, options: CctalkBillOptions) -> None:
    _, rig = bench(Validator(framing), options=options)
    assert rig.told(NotesKnown)


# --- a note -----------------------------------------------------------------------------------------------------


def test_a_note_is_credited_once_on_the_event_and_never_on_the_ack() -> None:
    unit, rig, note = ordered_in()
    assert unit.last(H.ROUTE_BILL) == STACK
    assert rig.told(NoteStacking) == [NoteStacking(note)]
    rig.run(3000)
    assert not rig.told(NoteStacked)
    unit.happen((2, 0))
    rig.run(2000)
    stacked = rig.told(NoteStacked)
    assert [(s.note, s.value, s.device_mark, s.recovered) for s in stacked] == [(note, eur(1000), "12345678:2", False)]
    assert rig.told(NoteGone) == [NoteGone(note)]
    assert unit.count(H.ROUTE_BILL) == 1


def test_a_returned_note_is_never_credited() -> None:
    unit, rig, note = in_escrow()
    rig.order(ReturnNote(note))
    rig.run(300)
    assert unit.last(H.ROUTE_BILL) == RETURN
    unit.happen((0, 1))
    rig.run(1000)
    assert rig.told(NoteReturned)[0].reason == "commanded"
    assert not rig.told(NoteStacked)


def test_the_unit_that_gives_a_note_back_by_itself_ends_it() -> None:
    unit, rig, note = in_escrow()
    unit.escrow = 0
    unit.happen((0, 1))
    rig.run(500)
    rig.order(StackNote(note))
    assert rig.told(NoteReturned)[0].note == note
    assert rig.told(CommandRefused)[0].reason == "the note has departed"
    assert not unit.count(H.ROUTE_BILL)


def test_an_undecided_note_goes_back_before_the_units_own_limit() -> None:
    unit, rig, _ = in_escrow()
    rig.run(26_000)
    assert not unit.count(H.ROUTE_BILL)
    rig.run(2_000)
    assert unit.last(H.ROUTE_BILL) == RETURN


def test_holding_extends_the_escrow_timer_again_and_again() -> None:
    unit, rig, note = in_escrow()
    rig.order(HoldNote(note))
    rig.run(45_000)
    assert rig.told(NoteHeld) == [NoteHeld(note)]
    assert [data for header, data in unit.heard if header == H.ROUTE_BILL] == [EXTEND] * 5
    rig.order(StackNote(note))
    rig.run(500)
    assert unit.last(H.ROUTE_BILL) == STACK


def test_a_unit_that_cannot_hold_says_so_once() -> None:
    unit, rig, note = in_escrow()
    unit.handlers[H.ROUTE_BILL] = lambda data: b"\xff"
    rig.order(HoldNote(note))
    rig.run(3000)
    assert [refused.note for refused in rig.told(CommandRefused)] == [note]


def test_events_wait_behind_a_note_that_waits_for_its_commit() -> None:
    unit, rig, _ = ordered_in()
    rig.confirming = False
    unit.happen((2, 0), (0, 2), (1, 1))
    rig.run(2000)
    assert len(rig.told(NoteStacked)) == 1
    assert not rig.told(NoteRejected)
    assert len(rig.told(NoteEscrowed)) == 1
    rig.order(Confirm(rig.told(NoteStacked)[0].token))
    rig.run(500)
    assert len(rig.told(NoteRejected)) == 1
    assert rig.told(NoteEscrowed)[1].value == eur(500)


def test_two_notes_of_one_kind_stacked_in_a_row_are_two_credits() -> None:
    unit, rig, note = ordered_in()
    unit.happen((2, 0), (2, 0))
    rig.run(2000)
    assert [(s.note, s.value) for s in rig.told(NoteStacked)] == [(note, eur(1000)), (None, eur(1000))]


def test_a_note_of_another_value_than_the_one_in_escrow_is_a_dispute() -> None:
    unit, rig, note = ordered_in()
    unit.happen((3, 0))
    rig.run(1000)
    assert rig.told(NoteDisputed)[0].note == note
    assert not rig.told(NoteStacked)


def test_a_bill_of_another_country_goes_back() -> None:
    unit, rig = accepting()
    unit.feed(4)
    rig.run(500)
    assert not rig.told(NoteEscrowed)
    assert unit.last(H.ROUTE_BILL) == RETURN


def test_a_ticket_is_no_money_and_goes_back() -> None:
    unit, rig = accepting()
    unit.happen((0, 20))
    unit.feed(255)
    rig.run(500)
    assert not rig.told(NoteEscrowed)
    assert unit.last(H.ROUTE_BILL) == RETURN


@pytest.mark.parametrize(
    ("code", "reason"), [(2, "recognition"), (3, "transport"), (4, "denomination_inhibited")]
)  # fmt: skip
def test_a_rejected_note_is_told_and_touches_no_note_in_escrow(code: int, reason: str) -> None:
    unit, rig, note = in_escrow()
    unit.happen((0, code))
    rig.run(500)
    rig.order(StackNote(note))
    rig.run(300)
    unit.happen((2, 0))
    rig.run(500)
    assert [rejected.reason for rejected in rig.told(NoteRejected)] == [reason]
    assert len(rig.told(NoteStacked)) == 1


# --- trouble ----------------------------------------------------------------------------------------------------


def test_a_lost_reply_to_the_stack_order_credits_once_all_the_same() -> None:
    unit, rig, note = in_escrow()
    unit.lose[H.ROUTE_BILL] = 1
    rig.order(StackNote(note))
    rig.run(1000)
    unit.happen((2, 0))
    rig.run(6000)
    assert len(rig.told(NoteStacked)) == 1


def test_an_order_is_never_repeated_before_a_new_reading() -> None:
    unit, rig, note = in_escrow()
    unit.handlers[H.ROUTE_BILL] = lambda data: SILENT
    rig.order(StackNote(note))
    rig.run(10_000)
    asked = [header for header, _ in unit.heard]
    assert asked.count(H.ROUTE_BILL) > 1
    assert (H.ROUTE_BILL, H.ROUTE_BILL) not in pairwise(asked)


def test_an_inhibit_ordered_while_a_note_is_inside_waits_for_its_end() -> None:
    unit, rig, _ = ordered_in()
    rig.order(InhibitNotes())
    rig.run(2000)
    assert unit.master
    unit.happen((2, 0))
    rig.run(1000)
    assert len(rig.told(NoteStacked)) == 1
    assert not unit.master


def test_lost_readings_of_the_buffer_lose_no_credit() -> None:
    unit, rig, _ = ordered_in()
    unit.lose[H.READ_BUFFERED_BILL_EVENTS] = 2
    unit.happen((2, 0))
    rig.run(3000)
    assert len(rig.told(NoteStacked)) == 1


def test_an_empty_escrow_without_any_event_is_a_dispute_and_no_return() -> None:
    unit, rig, note = in_escrow()
    unit.escrow = 0
    rig.order(StackNote(note))
    rig.run(10_000)
    assert not rig.told(NoteDisputed)
    rig.run(10_000)
    assert rig.told(NoteDisputed)[0].note == note
    assert not rig.told(NoteReturned)


def test_a_unit_that_says_nak_where_its_escrow_is_empty_makes_the_same_dispute() -> None:
    unit, rig, note = in_escrow()
    unit.handlers[H.ROUTE_BILL] = lambda data: NAK
    rig.order(StackNote(note))
    rig.run(25_000)
    assert rig.told(NoteDisputed)[0].note == note


def test_a_stack_order_that_was_taken_and_shows_no_end_is_repeated_and_then_a_dispute() -> None:
    unit, rig, note = ordered_in()
    rig.run(40_000)
    assert unit.count(H.ROUTE_BILL) >= 2
    assert rig.told(NoteDisputed)[0].note == note


def test_a_unit_reset_while_the_note_moves_makes_a_dispute_once_it_can_tell_no_more() -> None:
    unit, rig, note = ordered_in()
    unit.reset()
    rig.run(2000)
    assert not rig.told(NoteDisputed)
    rig.run(20_000)
    assert rig.told(NoteDisputed)[0].note == note
    assert unit.mask == b"\x07\x00"
    assert unit.master


def test_a_unit_known_to_give_notes_back_after_a_reset_returns_it() -> None:
    unit, rig, note = ordered_in(CctalkBillOptions(forgotten_note="returned"))
    unit.reset()
    rig.run(20_000)
    assert rig.told(NoteReturned)[0].note == note
    assert not rig.told(NoteDisputed)


def test_a_unit_that_tells_the_credit_after_its_reset_is_believed() -> None:
    unit, rig, note = ordered_in()
    unit.reset()
    rig.run(3000)
    unit.happen((2, 0))
    rig.run(3000)
    assert [(stacked.note, stacked.recovered) for stacked in rig.told(NoteStacked)] == [(note, True)]


def test_lost_events_are_told_and_make_a_moving_note_a_dispute() -> None:
    unit, rig, _ = ordered_in()
    unit.happen((2, 0), *[(0, 2)] * 6)
    rig.run(2000)
    assert "events_lost" in [fault.kind for fault in rig.told(ProtocolFault)]
    assert len(rig.told(NoteDisputed)) == 1
    assert not rig.told(NoteStacked)


def test_lost_events_that_still_show_the_credit_are_a_credit() -> None:
    unit, rig, _ = ordered_in()
    unit.happen(*[(0, 2)] * 4, (2, 0))
    unit.happen((0, 3), (0, 3))
    rig.run(2000)
    assert len(rig.told(NoteStacked)) == 1


def test_silence_makes_a_moving_note_a_dispute() -> None:
    unit, rig, note = ordered_in()
    unit.deaf = True
    rig.run(40_000)
    assert rig.told(NoteDisputed)[0].note == note
    assert rig.told(DeviceState)[-1].state == "unknown"


def test_the_watchdog_event_makes_the_driver_say_again_what_may_be_taken() -> None:
    unit, rig = accepting()
    unit.master = False
    unit.happen((0, 0))
    rig.run(1000)
    assert unit.master


def test_a_pause_longer_than_the_watchdog_counts_without_an_event() -> None:
    unit, rig = accepting()
    unit.master = False
    rig.now += 6_000_000_000
    rig.run(1000)
    assert unit.master


def test_a_fatal_fault_is_polled_by_the_self_check_until_it_is_gone() -> None:
    unit, rig = accepting()
    unit.fault = 38
    unit.happen((0, 7))
    rig.run(1500)
    unit.heard.clear()
    rig.run(5000)
    assert {header for header, _ in unit.heard} == {H.PERFORM_SELF_CHECK}
    assert (rig.told(DeviceState)[-1].state, rig.told(DeviceState)[-1].detail) == ("stacker_jammed", "stacker")
    unit.fault, unit.master = 0, False
    rig.run(2000)
    assert unit.master
    assert rig.told(DeviceState)[-1].state == "idling"


def test_a_credit_that_came_during_a_fault_is_told_afterwards() -> None:
    unit, rig, note = ordered_in()
    unit.fault = 39
    unit.happen((0, 7))
    rig.run(2000)
    unit.happen((2, 0))
    unit.fault = 0
    rig.run(3000)
    assert [stacked.note for stacked in rig.told(NoteStacked)] == [note]


@pytest.mark.parametrize(("safe_jam", "credits"), [("wait", 0), ("credit", 1)])
def test_a_safe_jam_is_a_credit_only_where_that_is_configured(safe_jam: str, credits: int) -> None:
    options = CctalkBillOptions(safe_jam=safe_jam)  # type: ignore[arg-type]
    unit, rig, _ = ordered_in(options)
    unit.fault = 39
    unit.happen((0, 16))
    rig.run(60_000)
    assert len(rig.told(NoteStacked)) == credits
    assert len(rig.told(NoteDisputed)) == 1 - credits


def test_box_out_and_in_is_told_and_the_unit_told_anew() -> None:
    unit, rig = accepting()
    unit.happen((0, 11))
    rig.run(500)
    assert rig.told(CashboxRemoved)
    assert rig.told(DeviceState)[-1].state == "cassette_removed"
    unit.master = False
    unit.happen((0, 12))
    rig.run(1000)
    assert rig.told(CashboxInserted)
    assert unit.master


def test_a_manipulation_is_told() -> None:
    unit, rig = accepting()
    unit.happen((0, 18))
    rig.run(1000)
    assert ("cheated", "warn", "string_fraud") in [(s.state, s.severity, s.detail) for s in rig.told(DeviceState)]


# --- a new run --------------------------------------------------------------------------------------------------


def test_a_stored_counter_of_the_same_unit_credits_what_fell_meanwhile_once() -> None:
    unit = Validator()
    unit.counter = 40
    unit.happen((2, 1), (2, 0))
    _, rig = bench(unit, intended(), device_mark="12345678:40", note_serial="7")
    stacked = rig.told(NoteStacked)
    assert [(s.note, s.value, s.recovered, s.device_mark) for s in stacked] == [
        (NoteId("b", 7), eur(1000), True, "12345678:42")
    ]
    _, again = bench(unit, device_mark="12345678:42", note_serial="7")
    assert not again.told(NoteStacked)


@pytest.mark.parametrize("mark", ["", "999:40", "rubbish", "12345678:999"])
def test_without_a_mark_of_this_unit_nothing_old_is_credited(mark: str) -> None:
    unit = Validator()
    unit.counter = 40
    unit.happen((2, 1), (2, 0))
    _, rig = bench(unit, device_mark=mark)
    assert not rig.told(NoteStacked)


def test_an_open_note_is_not_returned_by_the_return_of_one_before_it() -> None:
    unit = Validator()
    unit.counter = 40
    unit.happen((1, 1), (0, 1), (2, 1), (2, 0))
    _, rig = bench(unit, intended(), device_mark="12345678:40")
    assert [stacked.note for stacked in rig.told(NoteStacked)] == [NoteId("b", 7)]
    assert not rig.told(NoteReturned)


def test_an_open_note_that_lies_in_escrow_still_is_sent_back() -> None:
    unit = Validator()
    unit.counter = 40
    unit.feed(2)
    unit, rig = bench(unit, intended(), device_mark="12345678:40")
    assert unit.last(H.ROUTE_BILL) == RETURN
    unit.happen((0, 1))
    rig.run(1000)
    assert [(r.note, r.reason) for r in rig.told(NoteReturned)] == [(NoteId("b", 7), "escrow_after_restart")]


@pytest.mark.parametrize("mark", ["12345678:0", "", "999:3"])
def test_an_open_note_of_which_no_event_tells_is_a_dispute(mark: str) -> None:
    _, rig = bench(Validator(), intended(), device_mark=mark)
    assert [disputed.note for disputed in rig.told(NoteDisputed)] == [NoteId("b", 7)]


def test_the_return_of_another_note_proves_nothing_of_an_open_one_without_a_counter() -> None:
    unit = Validator()
    unit.happen((2, 1), (2, 0))
    unit.feed(2)
    unit, rig = bench(unit, intended())
    unit.happen((0, 1))
    rig.run(1000)
    assert len(rig.told(NoteDisputed)) == 1
    assert not rig.told(NoteReturned)


def test_an_open_note_whose_events_are_lost_is_a_dispute() -> None:
    unit = Validator()
    unit.counter = 40
    unit.happen((2, 1), (2, 0), *[(0, 2)] * 5)
    _, rig = bench(unit, intended(), device_mark="12345678:40")
    assert rig.told(NoteDisputed)[0].note == NoteId("b", 7)
    assert not rig.told(NoteStacked)


def test_an_open_note_and_another_unit_is_a_dispute() -> None:
    unit = Validator()
    unit.counter = 40
    _, rig = bench(unit, intended(), device_mark="999:39")
    rig.run(25_000)
    assert rig.told(NoteDisputed)


def test_a_reconnected_line_credits_what_fell_meanwhile() -> None:
    unit, rig, note = ordered_in()
    rig.unplug()
    unit.happen((2, 0))
    rig.plug()
    rig.run(3000)
    assert [stacked.note for stacked in rig.told(NoteStacked)] == [note]


def test_a_credit_that_only_one_damaged_reply_tells_is_not_believed() -> None:
    """Eight bits of checksum let a reply by in which (2,1) became (2,0); reading again costs nothing."""
    unit, rig, _ = in_escrow()
    honest = unit.handlers[H.READ_BUFFERED_BILL_EVENTS]
    lies = [encode_events(next_counter(unit.counter), [(2, 0), *unit.pairs])]
    unit.handlers[H.READ_BUFFERED_BILL_EVENTS] = lambda data: lies.pop() if lies else honest(data)
    rig.run(1000)
    assert not lies
    assert not rig.told(NoteStacked)


def test_a_table_that_a_doubled_reply_moved_by_one_place_is_read_again() -> None:
    unit = Validator()
    honest = unit.handlers[H.REQUEST_BILL_ID]
    moved = [BILLS[1], BILLS[1], BILLS[2]]  # type 2 is told as type 1, and type 3 as type 2
    unit.handlers[H.REQUEST_BILL_ID] = lambda data: moved.pop(0) if moved else honest(data)
    _, rig = bench(unit)
    assert not rig.told(NotesKnown)
    rig.run(20_000)
    assert rig.told(NotesKnown) == [NotesKnown((eur(500), eur(1000), eur(2000)))]


def test_a_note_that_came_after_the_open_one_does_not_end_it_where_no_serial_tells_the_unit_again() -> None:
    unit = Validator()
    unit.handlers[H.REQUEST_SERIAL_NUMBER] = lambda data: SILENT
    unit, rig = bench(unit)
    rig.order(EnableNotes((eur(500), eur(1000), eur(2000))))
    rig.run(1000)
    unit.feed(2)
    rig.run(500)
    note = rig.told(NoteEscrowed)[0].note
    rig.order(StackNote(note))
    rig.run(300)
    rig.unplug()
    unit.happen((2, 0))  # stacked while nobody listened, and the next one drawn in
    unit.feed(3)
    rig.run(2000)
    rig.plug()
    for _ in range(30):
        rig.run(1000)
        if unit.last(H.ROUTE_BILL) == RETURN and unit.escrow == 0 and unit.pairs[0] == (3, 1):
            unit.happen((0, 1))
    rig.run(20_000)
    assert note not in [returned.note for returned in rig.told(NoteReturned)]
    assert [disputed.note for disputed in rig.told(NoteDisputed)] == [note]


def test_replies_that_come_one_place_late_in_both_readings_give_no_table() -> None:
    unit = Validator()
    before = [0]

    def late(data: bytes) -> bytes:
        asked, before[0] = before[0] if data[0] == 3 else data[0], data[0]
        return BILLS.get(asked, b".......")

    unit.handlers[H.REQUEST_BILL_ID] = late
    _, rig = bench(unit)
    assert not rig.told(NotesKnown)
    assert "number 3 was told as EU0010A and as GB0050A" in rig.told(DeviceState)[-1].detail


@pytest.mark.parametrize("since", [(), ((0, 0),)])
def test_after_a_kill_a_note_to_which_nothing_happened_since_its_intent_is_given_back(since: tuple[Pair, ...]) -> None:
    """The intent is stored with the counter of the escrow event; the watchdog's event is no note's matter."""
    unit = Validator()
    unit.feed(2)
    mark = f"12345678:{unit.counter}"
    unit.happen(*since)
    unit, rig = bench(unit, intended(), note_serial="7", device_mark=mark)
    rig.run(1000)
    assert unit.last(H.ROUTE_BILL) == RETURN
    unit.happen((0, 1))
    rig.run(1000)
    assert [event.note for event in rig.told(NoteReturned)] == [NoteId("b", 7)]
    assert not rig.told(NoteDisputed)
