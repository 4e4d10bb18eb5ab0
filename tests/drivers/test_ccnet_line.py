"""The CCNET driver on its line and in its set-up: damaged, missing, late and strange frames; disabled until ready."""

from __future__ import annotations

import pytest

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    Confirm,
    DeviceState,
    EnableNotes,
    Identified,
    InhibitNotes,
    Lost,
    Money,
    NoteDisputed,
    NoteEscrowed,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    Opened,
    PortRequest,
    Print,
    ProtocolFault,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.drivers.ccnet_acceptor import SPEC, CcnetOptions
from kiosk.model.slip import Slip
from kiosk.protocols.ccnet.frames import encode
from kiosk.protocols.ccnet.payloads import BillSlot, encode_bill_table, type_mask
from tests.drivers.ccnet_unit import (
    ACCEPTING,
    ACK,
    BUSY,
    DISABLED,
    ENABLE,
    ESCROW,
    IDLING,
    ILLEGAL,
    INITIALIZE,
    MS,
    NAK,
    POLL,
    POWER_UP,
    RESET,
    STACK,
    STACKED,
    STACKING,
    TABLE,
    WHO_ARE_YOU,
    Rig,
    Unit,
    eur,
    ready,
)

ALL = tuple(eur(major) for major in (5, 10, 20, 50, 100, 200, 500))
TWENTY = b"\x02"
FIVE = BillSlot(0, 5, "EUR", 0)


def kinds(rig: Rig) -> list[str]:
    return [event.kind for event in rig.told(ProtocolFault)]  # type: ignore[attr-defined]


def state(rig: Rig) -> tuple[str, str]:
    last = rig.told(DeviceState)[-1]
    assert isinstance(last, DeviceState)
    return last.state, last.detail


def damaged(data: bytes) -> bytes:
    raw = bytearray(encode(data))
    raw[-1] ^= 0x40
    return bytes(raw)


# --- set-up -----------------------------------------------------------------------------------------------------------


def test_a_unit_at_rest_is_disabled_asked_and_left_disabled_until_notes_are_wanted() -> None:
    unit = Unit()
    unit.state = bytes((IDLING,))
    rig = Rig(unit)
    rig.run(2_000)
    asked = [data for data in unit.heard if data not in (ACK, bytes((POLL,)))]
    assert asked == [bytes((ENABLE,)) + bytes(6), bytes((WHO_ARE_YOU,)), bytes((TABLE,))]
    assert unit.state == bytes((DISABLED,))
    assert rig.told(NotesKnown) == [NotesKnown(ALL)]
    assert rig.told(Identified) == [Identified("SM-EU1234  1.05", serial="07KI41AS7482", detail="asset 75ed8dc8033f7b")]


def test_exactly_the_wanted_types_are_enabled_each_with_its_escrow_bit() -> None:
    rig = ready(enable=False)
    rig.order(EnableNotes((eur(5), eur(50))))
    rig.run(500)
    assert rig.unit.mask == type_mask([0, 3]) * 2
    rig.order(InhibitNotes())
    rig.run(500)
    assert rig.unit.mask == bytes(6)


def test_a_mask_that_shows_no_effect_is_sent_again() -> None:
    rig = ready()
    rig.show(DISABLED, ms=2_500)
    assert rig.unit.state == bytes((IDLING,))
    assert rig.unit.mask == type_mask(range(7)) * 2


def test_the_table_is_asked_for_only_where_the_unit_answers_it() -> None:
    unit = Unit()
    unit.state, unit.follows = bytes((IDLING,)), False
    rig = Rig(unit)
    rig.run(5_000)
    assert bytes((TABLE,)) not in unit.heard
    rig.run(10_000)
    assert state(rig) == ("misconfigured", "identification: the unit does not show UNIT DISABLED")


def test_a_power_up_is_reset_and_set_up_from_the_start() -> None:
    unit = Unit()
    unit.state = bytes((POWER_UP,))
    rig = Rig(unit)
    rig.run(400)
    assert unit.commands() == [RESET]
    assert unit.heard.count(bytes((TABLE,))) == 1, "read ahead, so that a note found there has a value"
    rig.show(BUSY, INITIALIZE, DISABLED, ms=1_000)
    assert rig.told(NotesKnown) == [NotesKnown(ALL)]


def test_reset_is_repeated_while_the_unit_stays_in_power_up() -> None:
    unit = Unit()
    unit.state = bytes((POWER_UP,))
    rig = Rig(unit)
    rig.run(12_000)
    assert 2 <= unit.commands().count(RESET) <= 3


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (encode_bill_table([BillSlot(0, 1, "USA", 0)]), "bill table: the unit reads USA, not EUR"),
        (encode_bill_table([FIVE, BillSlot(1, 1, "UKR", 1)]), "bill table: the unit reads UKR, not EUR"),
        (encode_bill_table([]), "bill table: the unit reads nothing, not EUR"),
        (bytes(121), "bill table: a bill table of 121 bytes is not a list of 5-byte entries"),
        (b"\x05EUR\x85" + bytes(115), "bill table: bill type 0 is worth 5E-5, no whole minor unit"),
    ],
    ids=["dollars", "mixed", "empty", "shape", "fraction"],
)  # fmt: skip
def test_a_unit_with_a_table_that_is_not_ours_is_never_enabled(table: bytes, said: str) -> None:
    unit = Unit()
    unit.table = table
    rig = Rig(unit)
    rig.order(EnableNotes(ALL))
    rig.run(3_000)
    assert state(rig) == ("misconfigured", said)
    assert not rig.told(NotesKnown)
    assert unit.mask == bytes(6)
    rig.order(EnableNotes(ALL))
    assert rig.told(CommandRefused)[-1] == CommandRefused("enable_notes", said)


def test_a_table_that_was_put_right_is_found_by_the_next_try() -> None:
    unit = Unit()
    good, unit.table = unit.table, bytes(120)
    rig = Rig(unit)
    rig.run(3_000)
    unit.table = good
    rig.run(12_000)
    assert rig.told(NotesKnown) == [NotesKnown(ALL)]
    assert state(rig)[0] == "inhibited"


def test_a_unit_without_identification_is_set_up_all_the_same() -> None:
    unit = Unit()
    unit.replies[WHO_ARE_YOU] = ILLEGAL
    rig = Rig(unit)
    rig.run(4_000)
    assert rig.told(NotesKnown) == [NotesKnown(ALL)]
    assert not rig.told(Identified)


@pytest.mark.parametrize(("answer", "said"), [(NAK, "reads our frames wrong"), (b"", "no answer")])
def test_a_needed_step_that_fails_leaves_the_unit_disabled(answer: bytes, said: str) -> None:
    unit = Unit()
    unit.replies[TABLE] = answer
    rig = Rig(unit)
    rig.run(8_000)
    assert state(rig)[0] == "misconfigured"
    assert said in state(rig)[1]


def test_security_and_escrow_times_are_sent_where_they_are_configured() -> None:
    rig = ready(enable=False, security_types=(2,), set_escrow_ms=20_000)
    sent = Rig(rig.unit, security_types=(2,), set_escrow_ms=20_000)
    sent.run(2_000)
    assert bytes((0x32, 0, 0, 4)) in rig.unit.heard
    assert bytes((0x5A,)) + (20_000).to_bytes(4, "big") * 2 in rig.unit.heard


def test_another_address_is_spoken_to_and_listened_to() -> None:
    rig = Rig(address=1)
    rig.run(2_000)
    assert rig.told(NotesKnown)


# --- the line ---------------------------------------------------------------------------------------------------------


def test_a_damaged_reply_is_answered_with_nak_and_the_reply_that_comes_again_counts() -> None:
    rig = ready()
    rig.unit.replies[0xFF] = bytes((IDLING,))
    rig.unit.raw = [damaged(bytes((IDLING,)))]
    rig.unit.heard.clear()
    rig.run(250)
    assert rig.unit.heard[:3] == [bytes((POLL,)), NAK, ACK]
    assert kinds(rig) == ["checksum"]


def test_naks_are_limited_and_the_command_goes_again() -> None:
    rig = ready()
    rig.unit.replies[0xFF] = bytes((IDLING,))
    rig.unit.raw = [damaged(bytes((IDLING,)))] * 3
    rig.unit.heard.clear()
    rig.run(2_000)
    assert rig.unit.heard.count(NAK) == 2
    assert rig.unit.heard[3] == bytes((POLL,))


@pytest.mark.parametrize("how", [{"damaged_reply": "silence"}, {"resent_after_nak": False}])
def test_a_damaged_reply_can_be_asked_for_anew_without_waiting_for_its_repeat(how: dict[str, object]) -> None:
    rig = ready(**how)
    rig.unit.raw = [damaged(bytes((IDLING,)))]
    rig.unit.heard.clear()
    rig.run(1_500)
    assert rig.unit.heard.count(NAK) == (0 if "damaged_reply" in how else 1)
    assert rig.unit.heard.count(bytes((POLL,))) >= 2


def test_a_damaged_credit_is_credited_once_when_it_comes_again() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.unit.raw = [damaged(b"\x81\x02")]
    rig.show(STACKED, STACKED, data=TWENTY)
    rig.show(IDLING)
    assert len(rig.told(NoteStacked)) == 1


def test_a_frame_of_another_address_gets_no_answer_and_is_told_once() -> None:
    rig = ready()
    rig.unit.state = None
    rig.driver.tick(rig.now + 200 * MS)  # a POLL is out
    rig.drain()
    rig.unit.heard.clear()
    bad = bytearray(encode(b"\x81\x02", 2))
    bad[-1] ^= 1
    rig.driver.received(encode(b"\x81\x02", 2) + bytes(bad), rig.now + 210 * MS)
    rig.drain()
    rig.driver.received(encode(b"\x14", 1), rig.now + 220 * MS)
    rig.drain()
    assert rig.unit.heard == [], "neither ACK nor NAK"
    assert kinds(rig) == ["foreign", "checksum"]
    assert not rig.told(NoteStacked)


def test_a_line_that_echoes_does_not_confuse_commands_and_answers() -> None:
    unit = Unit()
    unit.echo, unit.state = True, bytes((POWER_UP,))
    rig = Rig(unit)
    rig.run(1_000)
    rig.show(INITIALIZE, DISABLED, ms=1_500)
    rig.order(EnableNotes(ALL))
    rig.run(500)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    rig.show(STACKED, data=TWENTY)
    rig.show(IDLING)
    assert len(rig.told(NoteStacked)) == 1
    assert not set(kinds(rig)) - {"unexpected", "echo"}
    assert kinds(rig).count("echo") == 1


def test_a_late_state_does_not_pass_for_the_answer_to_stack() -> None:
    rig = ready()
    note = rig.feed()
    rig.unit.replies[STACK] = bytes((IDLING,))
    rig.order(StackNote(note.note))
    rig.run(50)
    assert "unexpected" in kinds(rig)
    assert not rig.told(NoteStacked)


def test_the_line_rests_behind_a_missing_reply_so_that_a_late_one_is_never_acknowledged() -> None:
    """An ACK for a late STACKING would meet the BILL STACKED that the unit has told meanwhile, and it would be lost."""
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.unit.replies[POLL] = b""
    rig.run(450)
    asked = rig.unit.heard.count(bytes((POLL,)))
    rig.unit.heard.clear()
    rig.driver.received(encode(bytes((STACKING,))), rig.now)
    rig.drain()
    rig.run(300)
    assert asked
    assert rig.unit.heard == []
    assert "unexpected" in kinds(rig)


def test_a_mask_whose_ack_was_lost_may_be_in_force_and_its_notes_are_taken() -> None:
    rig = ready(enable=False)
    rig.show(DISABLED, ms=2_000)
    rig.unit.replies[ENABLE] = b""
    rig.order(EnableNotes((eur(20),)))
    while bytes((ENABLE,)) not in {heard[:1] for heard in rig.unit.heard[-1:]}:
        rig.run(20)
    rig.show(ACCEPTING, ESCROW, data=b"\x02")
    assert [event.value for event in rig.told(NoteEscrowed)] == [eur(20)]  # type: ignore[attr-defined]


def test_a_bill_stacked_that_nobody_asked_for_leaves_no_note_returned() -> None:
    rig = ready()
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    rig.driver.received(encode(bytes((STACKED, 2))), rig.now)
    rig.show(IDLING)
    assert not rig.told(NoteReturned)
    assert [event.note for event in rig.told(NoteDisputed)] == [note.note]  # type: ignore[attr-defined]


def test_a_unit_that_falls_silent_is_unknown_and_is_set_up_again_when_it_is_back() -> None:
    rig = ready()
    rig.unit.state = None
    rig.run(3_000)
    assert state(rig) == ("unknown", "the unit does not answer")
    assert kinds(rig) == ["timeout"], "told once"
    rig.unit.heard.clear()
    rig.show(IDLING, ms=3_000)
    assert bytes((TABLE,)) in rig.unit.heard
    assert rig.unit.mask == type_mask(range(7)) * 2


def test_a_unit_that_only_refuses_is_unknown_too_and_says_so_once() -> None:
    rig = ready()
    rig.unit.state = NAK
    rig.run(5_000)
    assert state(rig) == ("unknown", "the unit answers POLL with nak")
    assert kinds(rig) == ["refused"]


def test_a_unit_that_powers_up_may_be_another_one_and_is_asked_for_its_table_again() -> None:
    rig = ready()
    rig.unit.table = encode_bill_table([FIVE])
    rig.show(POWER_UP, INITIALIZE)
    rig.show(STACKED, data=TWENTY)
    rig.show(DISABLED, ms=1_500)
    assert [event.value for event in rig.told(NoteStacked)] == [None], "type 2 is no note of this unit"  # type: ignore[attr-defined]
    assert rig.told(NotesKnown)[-1] == NotesKnown((eur(5),))
    assert len(rig.told(Identified)) == 2


def test_a_lost_port_is_unknown_and_nothing_is_written_until_it_is_open_again() -> None:
    rig = ready()
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.driver.tick(rig.now + 1_000 * MS)
    assert rig.driver.take_outbound() == []
    assert rig.driver.deadline() is None
    rig.open()
    rig.run(2_000)
    assert state(rig)[0] in ("idling", "inhibited")


def test_a_write_that_timed_out_counts_as_no_answer() -> None:
    rig = ready()
    rig.unit.state = None
    rig.driver.tick(rig.now + 200 * MS)
    rig.driver.take_outbound()
    rig.driver.port(WriteTimedOut(), rig.now + 210 * MS)
    rig.drain()
    assert "timeout" in kinds(rig)


def test_a_rest_lies_between_an_acknowledgement_and_the_next_command() -> None:
    rig = ready()
    times: list[tuple[int, bytes]] = []
    hear = rig.unit.hear

    def noted(data: bytes) -> bytes:
        times.append((rig.now, data))
        return hear(data)

    rig.unit.hear = noted  # type: ignore[method-assign]
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.show(STACKING)
    acks = [at for at, data in times if data == encode(ACK)]
    others = [at for at, data in times if data != encode(ACK)]
    assert acks
    assert all(at - max((ack for ack in acks if ack <= at), default=0) >= 20 * MS for at in others if at > acks[0])


def test_strange_codes_are_findings_and_unknown_is_not_ok() -> None:
    rig = ready()
    rig.show(0x16)
    assert kinds(rig) == ["unknown_code"]
    assert state(rig)[0] == "unknown"


def test_illegal_command_in_place_of_a_state_is_acknowledged_only_where_configured() -> None:
    for on in (False, True):
        rig = ready(ack_illegal=on)
        rig.unit.state = ILLEGAL
        rig.unit.heard.clear()
        rig.run(500)
        assert (ACK in rig.unit.heard) is on
        assert "refused" in kinds(rig)


@pytest.mark.parametrize("rubbish", [bytes(300), b"\x02" * 300, b"\x02\x03\x00" * 50, b"\x02\x03\xfa" + bytes(200)])
def test_rubbish_neither_raises_nor_stops_the_driver(rubbish: bytes) -> None:
    rig = ready()
    rig.driver.received(rubbish, rig.now)
    assert len([event for event in rig.driver.take_events() if isinstance(event, ProtocolFault)]) <= 9
    rig.run(3_000)
    note = rig.feed()
    assert note.value == eur(20)


def test_health_is_told_on_request_and_foreign_orders_are_refused() -> None:
    rig = ready()
    rig.order(CheckHealth())
    assert rig.told(DeviceState)[-1] == DeviceState("idling", "ok", "14")
    rig.order(Print("j", Slip(())))
    rig.order(Confirm(99))
    assert [event.command for event in rig.told(CommandRefused)] == ["print", "confirm"]  # type: ignore[attr-defined]


def test_modem_lines_are_touched_only_where_configured() -> None:
    rig = Rig(opened=False, rts=False)
    rig.driver.port(Opened({}), rig.now)
    first, second = rig.driver.take_outbound()
    assert first == PortRequest(1, "modem_lines", b"\x00")
    assert second == Write(encode(bytes((POLL,))))


def test_the_line_is_9600_8n1_and_the_protocol_is_named() -> None:
    assert SPEC.line["serial"] == {"baud": 9600, "parity": "N", "bits": 8, "stop": 1}
    assert SPEC.protocol == "ccnet"
    assert SPEC.capabilities.acknowledged
    assert "stacked" in SPEC.states


@pytest.mark.parametrize(
    "wrong",
    [
        {"poll_ms": 5}, {"escrow_margin_ms": 10_000}, {"tries": 0}, {"country": ("E",)}, {"coin_types": (24,)},
        {"address": 256}, {"repeat_ms": 1}, {"gap_ms": -1}, {"set_escrow_ms": 1 << 32},
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        CcnetOptions(**wrong)  # type: ignore[arg-type]


def test_a_currency_without_minor_digits_is_valued_whole() -> None:
    unit = Unit()
    unit.table = encode_bill_table([BillSlot(0, 1, "JPN", 3)])
    rig = Rig(unit, currency="JPY")
    rig.run(2_000)
    assert rig.told(NotesKnown) == [NotesKnown((Money(1_000, "JPY"),))]
    rig.order(EnableNotes((Money(1_000, "JPY"),)))
    rig.run(500)
    rig.show(ACCEPTING)
    rig.show(ESCROW, data=b"\x00")
    assert rig.told(NoteEscrowed)[0].value == Money(1_000, "JPY")  # type: ignore[attr-defined]
