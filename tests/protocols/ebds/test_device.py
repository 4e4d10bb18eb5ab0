"""The simulated EBDS unit: toggle rule, the life of a note, both ways of telling it, questions, restart."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.protocols.ebds.codes import (
    Condition,
    Facility,
    MessageType,
    Operation,
    Query,
    Report,
    Setting,
    State,
    Subtype,
)
from kiosk.protocols.ebds.device import EbdsDevice
from kiosk.protocols.ebds.frames import encode
from kiosk.protocols.ebds.payloads import enable_mask, is_blank, is_crc_reply, parse_part_number, parse_value_table
from kiosk.protocols.ebds.units import EUR_UNIT, UNITS, USD_UNIT, Unit
from kiosk.simulators.note_unit import STAGES, NoteUnit
from tests.protocols.ebds.ebds_rig import MS, Host


def habit(unit: Unit = USD_UNIT, **changes: Any) -> Unit:
    return msgspec.structs.replace(unit, **changes)


def test_it_offers_what_every_note_unit_offers() -> None:
    assert isinstance(EbdsDevice(), NoteUnit)
    assert (EbdsDevice().currency, EbdsDevice(EUR_UNIT).currency) == ("USD", "EUR")
    assert EbdsDevice().values == (100, 200, 500, 1000, 2000, 5000, 10_000)
    assert EbdsDevice(EUR_UNIT).values == (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def test_where_it_stands_is_told_in_words_that_every_protocol_has() -> None:
    host = Host()
    told = [host.device.stage]
    host.booted()
    told.append(host.device.stage)
    host.device.insert(2000)
    told.append(host.device.stage)
    host.until(State.ESCROWED)
    told.append(host.device.stage)
    host.poll(Operation.STACK)
    told.append(host.device.stage)
    host.until(State.STACKED)
    told.append(host.device.stage)
    host.enabled = 0
    host.poll()
    told.append(host.device.stage)
    host.device.jam("stacker")
    told.append(host.device.stage)
    host.device.cut_power()
    told.append(host.device.stage)
    assert told == ["starting", "idle", "accepting", "escrow", "stacking", "credit", "inhibited", "fault", "off"]
    assert set(told) <= set(STAGES)


# --- the toggle (§3) ------------------------------------------------------------------------------------------------


def test_an_answer_copies_the_toggle_of_its_question() -> None:
    host = Host().ready()
    for _ in range(4):
        toggle = host.toggle
        answer = host.ask(MessageType.COMMAND, host.command())
        assert answer is not None
        assert answer.toggle == toggle


def test_a_repeated_toggle_is_answered_with_the_last_reply_and_carries_nothing_out() -> None:
    host = Host().ready().escrow()
    first = host.ask(MessageType.COMMAND, host.command())
    assert first is not None
    stack = encode(MessageType.COMMAND, host.toggle ^ 1, host.command(Operation.STACK))
    assert host.send(stack) == first, "an old toggle: whatever the frame says, it is the old reply"
    host.wait(3000)
    assert host.until(State.ESCROWED)
    assert host.device.cashbox == []


def test_a_lost_reply_is_repeated_byte_for_byte_even_when_the_unit_has_gone_on() -> None:
    host = Host().ready().escrow()
    host.device.lose_replies(1)
    assert host.ask(MessageType.COMMAND, host.command(Operation.STACK)) is None
    host.wait(5000)
    assert host.device.cashbox == [2000], "the command was carried out"
    answer = host.again()
    assert answer is not None
    assert host.read(answer).state == State.STACKING, "as it was when the command came"
    assert host.again() == answer
    host.toggle ^= 1
    assert host.poll().state & State.STACKED


def test_a_unit_can_be_one_that_does_not_know_the_toggle_rule() -> None:
    host = Host(habit(repeats_on_equal_toggle=False)).ready().escrow()
    host.poll()
    again = encode(MessageType.COMMAND, host.toggle ^ 1, host.command(Operation.STACK))
    answer = host.send(again)
    assert answer is not None
    assert host.read(answer).state == State.STACKING


def test_the_first_frame_after_power_is_new_whatever_its_toggle() -> None:
    for toggle in (0, 1):
        host = Host()
        host.toggle = toggle
        assert host.poll().report & Report.POWER_UP


def test_an_event_is_told_in_one_reply_and_its_repeats_and_a_new_toggle_acknowledges_it() -> None:
    host = Host().ready().escrow()
    host.poll(Operation.STACK)
    status = host.until(State.STACKED)
    assert status.state == State.STACKED | State.IDLING
    assert host.device.stacked_unacknowledged
    repeated = host.again()
    assert repeated is not None
    assert host.read(repeated) == status
    assert host.poll().state == State.IDLING
    assert not host.device.stacked_unacknowledged


def test_a_missed_acknowledgement_tells_the_event_again_under_the_old_toggle() -> None:
    host = Host().ready().escrow()
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    old = host.toggle ^ 1
    host.device.lose_acks(2)
    for _ in range(2):
        answer = host.send(encode(MessageType.COMMAND, host.toggle, host.command()))
        assert answer is not None
        assert (answer.toggle, host.read(answer).state) == (old, State.STACKED | State.IDLING)
    assert host.poll().state == State.IDLING


def test_no_note_is_drawn_in_before_the_last_event_is_acknowledged() -> None:
    """Between two stacked events there is always accepting or escrowed (§8)."""
    host = Host().ready().escrow()
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    assert not host.device.insert(100)
    host.poll()
    host.escrow(100)
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    assert not host.device.insert(100)
    host.poll()
    assert host.device.insert(100)


# --- the life of a note (§8) ------------------------------------------------------------------------------------------


def test_a_note_is_accepted_escrowed_stacked_and_told_with_its_record() -> None:
    host = Host().ready()
    assert host.device.insert(2000)
    assert host.poll().state == State.ACCEPTING
    host.until(State.ESCROWED)
    assert host.note is not None
    assert (host.note.index, host.note.minor(2), host.note.currency) == (0, 2000, "USD")
    assert host.poll(Operation.STACK).state == State.STACKING
    assert host.device.cashbox == []
    host.until(State.STACKED)
    assert host.note is not None
    assert host.note.minor(2) == 2000
    assert host.device.cashbox == [2000]


def test_a_note_is_returned_and_told_once() -> None:
    host = Host().ready().escrow()
    assert host.poll(Operation.RETURN).state == State.RETURNING
    assert host.until(State.RETURNED).state == State.RETURNED | State.IDLING
    assert host.record == b"", "only escrow and stacked come with a record (§6)"
    assert host.poll().state == State.IDLING
    assert (host.device.returned, host.device.cashbox) == ([2000], [])


def test_events_can_come_alone() -> None:
    host = Host(habit(idling_with_event=False)).ready().escrow()
    host.poll(Operation.STACK)
    assert host.until(State.STACKED).state == State.STACKED


def test_stack_and_return_together_are_refused_and_move_nothing() -> None:
    host = Host().ready().escrow()
    status = host.poll(Operation.STACK | Operation.RETURN)
    assert status.report & Report.INVALID_COMMAND
    assert status.state == State.ESCROWED


def test_a_stack_bit_left_standing_stacks_the_next_note_unasked() -> None:
    """What §4 warns of: the bit belongs into one new command."""
    host = Host().ready().escrow()
    host.poll(Operation.STACK)
    host.until(State.STACKED)
    host.poll(Operation.STACK)
    assert host.device.insert(100)
    for _ in range(40):
        host.poll(Operation.STACK)
        host.wait(100)
    assert host.device.cashbox == [2000, 100]


def test_without_escrow_mode_a_note_is_stacked_at_once() -> None:
    host = Host().ready()
    host.ask(MessageType.COMMAND, bytes((0x7F, 0x0C, int(host.setting))))
    assert host.device.insert(500)
    host.wait(3000)
    assert host.device.cashbox == [500]
    assert host.poll().state & State.STACKED


def test_stack_before_escrow_is_no_error_and_does_nothing() -> None:
    host = Host().ready()
    host.device.insert(500)
    assert host.poll(Operation.STACK).state == State.ACCEPTING
    host.until(State.ESCROWED)
    assert host.device.cashbox == []


# --- which notes (§4, §6) ---------------------------------------------------------------------------------------------


def test_a_mask_enables_single_notes_and_others_are_rejected() -> None:
    host = Host().ready()
    answer = host.extended(Subtype.INHIBITS, enable_mask([1, 5], 8))
    assert answer.kind == MessageType.REPLY
    host.escrow(2000)
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    host.poll()
    assert host.device.insert(500)
    host.until(Condition.REJECTED)
    assert host.device.take_rejected()
    host.wait(1000)
    assert host.device.returned == [2000, 500]


def test_a_mask_of_another_size_or_at_a_bad_time_is_refused_and_changes_nothing() -> None:
    host = Host().ready()
    assert host.read(host.extended(Subtype.INHIBITS, bytes(19))).report & Report.INVALID_COMMAND
    host.escrow(2000)
    assert host.read(host.extended(Subtype.INHIBITS, bytes(8))).report & Report.INVALID_COMMAND
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    host.poll()
    host.escrow(500)


def test_the_long_mask_is_answered_by_a_message_of_its_own() -> None:
    host = Host(EUR_UNIT).ready()
    answer = host.extended(Subtype.INHIBITS, enable_mask([7], 19))
    assert (answer.kind, answer.data[0], len(answer.raw)) == (MessageType.EXTENDED, Subtype.INHIBITS, 12)
    host.escrow(50_000)


def test_an_inhibited_unit_draws_nothing_in_unless_forced_and_then_rejects_it() -> None:
    host = Host().ready()
    host.enabled = 0
    host.poll()
    assert host.device.shown == "disabled"
    assert not host.device.insert(500)
    assert host.device.insert(500, force=True)
    host.until(Condition.REJECTED)


def test_plain_mode_tells_values_and_enables_them_by_bits() -> None:
    host = Host(extended=False).ready()
    host.enabled = 0b0010000
    host.poll()
    host.device.insert(2000)
    status = host.until(State.ESCROWED)
    assert (status.note_value, host.record) == (5, b"")
    host.poll(Operation.STACK)
    assert host.until(State.STACKED).note_value == 5
    assert host.poll().note_value == 0
    assert host.device.insert(100)
    host.until(Condition.REJECTED)


def test_a_note_without_a_plain_value_is_not_taken_in_plain_mode() -> None:
    host = Host(habit(plain=(1, 0, 3)), extended=False).ready()
    assert host.device.insert(200)
    host.until(Condition.REJECTED)


def test_rejected_stays_for_several_polls_and_never_together_with_an_event() -> None:
    host = Host().ready()
    host.device.reject_next()
    host.device.insert(500)
    host.until(Condition.REJECTED)
    seen = [bool(host.poll().condition & Condition.REJECTED) for _ in range(6)]
    assert seen == [True, True, False, False, False, False]
    assert host.device.inside == 500, "it lies at the mouth"
    assert host.device.take_rejected()
    host.wait(1000)
    assert host.device.returned == [500]
    assert host.device.can_insert


def test_an_unknown_note_is_rejected() -> None:
    host = Host().ready()
    assert host.device.insert(777)
    host.until(Condition.REJECTED)


# --- questions (§6, §7) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_the_table_is_read_row_by_row_and_ends_with_zeros(unit: Unit) -> None:
    host = Host(unit).ready()
    for row in unit.rows:
        answer = host.extended(Subtype.NOTE, bytes((row.index,)))
        assert len(answer.raw) == 30
        host.read(answer)
        assert host.note == row
    for index in (len(unit.rows) + 1, 50):
        host.read(host.extended(Subtype.NOTE, bytes((index,))))
        assert is_blank(host.record)


def test_the_value_table_is_the_one_of_the_sheet() -> None:
    host = Host().ready()
    answer = host.extended(Subtype.VALUE_TABLE)
    assert [row.record.minor(2) for row in parse_value_table(answer.data[7:])] == [
        100,
        200,
        500,
        1000,
        2000,
        5000,
        10_000,
    ]
    assert len(answer.raw) == 0x52
    lacking = Host(EUR_UNIT).ready()
    assert lacking.read(lacking.extended(Subtype.VALUE_TABLE)).report & Report.INVALID_COMMAND


def test_auxiliary_queries_have_answers_without_status_bytes() -> None:
    host = Host().ready()
    assert host.query(Query.SERIAL_NUMBER) == b"21003455066"
    part = parse_part_number(host.query(Query.APPLICATION_PART_NUMBER))
    assert part is not None
    assert part.text == "280000 V1.23"
    assert host.query(Query.VARIANT_NAME) == b"USD USA".ljust(32, b"\0")


@pytest.mark.parametrize("number", [Query.SOFTWARE_CRC, Query.CAPABILITIES, Query.CASHBOX_TOTAL, 0x55])
def test_a_lacking_query_is_answered_with_the_software_crc(number: int) -> None:
    host = Host().ready()
    told = host.query(number)
    assert told == b"\x01\x0a\x02\x0b"
    assert is_crc_reply(told)


def test_a_query_that_is_not_zero_before_its_number_is_one_that_it_lacks() -> None:
    host = Host().ready()
    answer = host.ask(MessageType.AUXILIARY, bytes((0, 1, Query.SERIAL_NUMBER)))
    assert answer is not None
    assert is_crc_reply(answer.data)


def test_soft_reset_has_no_answer_and_the_unit_powers_up_again() -> None:
    host = Host().ready()
    host.extended(Subtype.INHIBITS, enable_mask([1], 8))
    assert host.send(encode(MessageType.AUXILIARY, host.toggle, b"\x7f\x7f\x7f")) is None
    assert host.send(encode(MessageType.COMMAND, 0, host.command())) is None, "it boots"
    host.wait(400)
    host.toggle = 1
    assert host.poll().report & Report.POWER_UP
    assert host.booted().state == State.IDLING
    host.escrow(2000)  # what was inhibited is forgotten


def test_a_message_it_does_not_know_is_an_invalid_command() -> None:
    host = Host().ready()
    for kind, data in ((MessageType.CALIBRATE, b""), (MessageType.FLASH_DOWNLOAD, b"\0"), (MessageType.COMMAND, b"\0"),
                       (MessageType.COMMAND, b"\x7f\x1c\x10\0"), (MessageType.EXTENDED, b""),
                       (MessageType.EXTENDED, b"\x2a\x7f\x1c\x10")):  # fmt: skip
        answer = host.ask(kind, data)
        assert answer is not None
        assert host.read(answer).report & Report.INVALID_COMMAND


def test_echoes_bad_frames_and_frames_for_a_recycler_get_no_answer() -> None:
    host = Host().ready()
    good = encode(MessageType.COMMAND, host.toggle, host.command())
    for raw in (encode(MessageType.REPLY, host.toggle, bytes(6)), good[:-1] + b"\x00", good[:4],
                encode(MessageType.COMMAND, host.toggle, host.command(), device=1)):  # fmt: skip
        host.device.received(raw, host.now)
        host.wait(100)
        assert host.answer() is None
    assert host.poll().state == State.IDLING


def test_eight_bit_bytes_are_masked_to_seven() -> None:
    host = Host().ready()
    raw = bytes(byte | 0x80 for byte in encode(MessageType.COMMAND, host.toggle, host.command()))
    assert host.send(raw) is not None


def test_the_interrupt_mode_says_enq_on_a_change() -> None:
    host = Host().ready()
    host.ask(MessageType.COMMAND, bytes((0x7F, 0x1D, int(host.setting))))
    host.device.take_outbound()
    host.device.insert(500)
    host.device.tick(host.now)
    assert host.device.take_outbound() == [b"\x05"]


# --- escrow time (§6) and retrieval -----------------------------------------------------------------------------------


def test_a_note_waits_in_escrow_for_ever_unless_a_limit_is_set() -> None:
    host = Host().ready().escrow()
    host.wait(600_000)
    assert host.poll().state == State.ESCROWED
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    answer = host.extended(Subtype.ESCROW_TIMEOUT, b"\x05\x00")
    assert (answer.data[0], len(answer.raw)) == (Subtype.ESCROW_TIMEOUT, 12)
    host.escrow(500)
    host.wait(4000)
    assert host.poll().state == State.ESCROWED
    host.until(State.RETURNED)
    assert host.device.returned == [2000, 500]


def test_the_retrieval_of_a_returned_note_is_told_where_the_host_asked_for_it() -> None:
    host = Host().ready()
    assert host.extended(Subtype.NOTE_RETRIEVED, b"\x01").raw[-3] == 0x01
    host.escrow()
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    answer = host.ask(MessageType.COMMAND, host.command())
    assert answer is not None
    assert (answer.kind, answer.data[0], answer.data[-1], len(answer.raw)) == (7, Subtype.NOTE_RETRIEVED, 0x7F, 13)
    assert host.poll().state == State.IDLING


def test_the_other_code_of_a_retrieval_is_a_habit() -> None:
    host = Host(habit(retrieved_code=0x7E)).ready()
    host.extended(Subtype.NOTE_RETRIEVED, b"\x01")
    host.escrow()
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    answer = host.ask(MessageType.COMMAND, host.command())
    assert answer is not None
    assert answer.data[-1] == 0x7E


def test_a_lost_acknowledgement_of_a_return_is_none_of_a_credit() -> None:
    host = Host().ready().escrow()
    host.poll(Operation.RETURN)
    host.until(State.RETURNED)
    host.device.lose_acks(1)
    assert host.poll().state == State.IDLING


def test_a_disabled_unit_can_say_so() -> None:
    host = Host(habit(shows_disabled=True)).ready()
    assert not host.poll().facility & Facility.DISABLED
    host.enabled = 0
    assert host.poll().facility & Facility.DISABLED


def test_a_ticket_is_told_by_its_barcode_and_is_no_money() -> None:
    host = Host().ready()
    assert host.device.insert_ticket("0123456789")
    host.until(Condition.REJECTED)
    assert host.device.take_rejected()
    host.wait(1000)
    host.setting |= Setting.BARCODE | Setting.EXTENDED_COUPON
    host.poll()
    assert host.device.insert_ticket("0123456789")
    host.wait(1000)
    answer = host.ask(MessageType.COMMAND, host.command())
    assert answer is not None
    assert (answer.data[0], answer.data[7:].rstrip(b"("), len(answer.data)) == (Subtype.BARCODE, b"0123456789", 35)
    host.poll(Operation.STACK)
    host.wait(2000)
    assert (host.device.cashbox, host.device.inside) == ([], None)


# --- hostile lines ----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_stop_the_unit_or_move_a_note_that_is_not_there(noise: list[bytes]) -> None:
    host = Host().ready()
    for piece in noise:
        host.device.received(piece, host.now)
        host.wait(100)
        host.device.take_outbound()
    assert host.accounted() == 0
    host.device.cut_power()
    host.device.restore_power()
    host.wait(400)
    host.toggle = 0
    assert host.poll().report & Report.POWER_UP


ACTS = "insert stack return poll cut box empty jam clear take pull cheat own reset"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS.split()), st.integers(0, 2500)), max_size=30), st.sampled_from("ABC"))
def test_whatever_happens_every_note_is_in_exactly_one_place(acts: list[tuple[str, int]], policy: str) -> None:
    host = Host(policy=policy)
    device = host.device
    fed = 0
    for act, ms in acts:
        if act == "insert":
            fed += 500 if device.insert(500) else 0
        elif act in ("stack", "return", "poll"):
            operation = {"stack": Operation.STACK, "return": Operation.RETURN, "poll": Operation(0)}[act]
            if host.ask(MessageType.COMMAND, host.command(operation)) is None:
                host.toggle ^= 1
        elif act == "cut":
            device.cut_power()
            host.wait(100)
            device.restore_power()
        elif act == "reset":
            host.send(encode(MessageType.AUXILIARY, host.toggle, b"\x7f\x7f\x7f"))
        else:
            hands: dict[str, Any] = {
                "box": device.remove_cashbox, "empty": lambda: device.insert_cashbox(empty=True),
                "jam": lambda: device.jam("stacker"), "clear": device.clear_jam, "take": device.take_rejected,
                "pull": device.pull_back, "cheat": device.cheat, "own": device.stack_by_itself,
            }  # fmt: skip
            hands[act]()
        host.now += ms * MS
        device.tick(host.now)
        host.device.take_outbound()
        assert host.accounted() == fed
