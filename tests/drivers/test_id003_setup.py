"""Set-up, states and the line of the acceptor's driver: what must be right before a note is let in."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.api import (
    CashboxInserted,
    CashboxRemoved,
    CheckHealth,
    CommandRefused,
    DeviceState,
    Driver,
    DriverTools,
    EnableNotes,
    Identified,
    InhibitNotes,
    Lost,
    Money,
    NoteId,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    Opened,
    OpenNote,
    PortRequest,
    ProtocolFault,
    Reply,
    StackNote,
    Write,
    WriteTimedOut,
)
from kiosk.drivers.id003_acceptor import SPEC, Id003Acceptor
from kiosk.protocols.framing import crc16_kermit
from kiosk.protocols.id003.frames import encode
from kiosk.protocols.id003.options import Id003Options
from kiosk.protocols.id003.status_words import STATES
from tests.drivers.id003_unit import (
    ACCEPTING,
    ACK,
    DISABLE,
    ESCROW,
    EUR,
    FAILURE,
    IDLING,
    INITIALIZE,
    JAM_A,
    MS,
    OPEN,
    POLL,
    POWER_UP,
    REJECTING,
    RESET,
    RETURNING,
    STACKING,
    VEND_VALID,
    Rig,
    Unit,
    eur,
    ready,
)

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "vectors/id003/vectors.json").read_text("utf-8"))["frames"]


def settings(rig: Rig) -> list[tuple[int, bytes]]:
    return [(cmd, data) for cmd, data in rig.unit.heard if cmd >= 0xC0]


def last_state(rig: Rig) -> tuple[str, str]:
    state = rig.told(DeviceState)[-1]
    assert isinstance(state, DeviceState)
    return state.state, state.severity


def faults(rig: Rig) -> list[str]:
    return [event.kind for event in rig.told(ProtocolFault)]  # type: ignore[attr-defined]


# --- set-up --------------------------------------------------------------------------------------------------------


def test_the_spec_declares_what_the_driver_is() -> None:
    driver = SPEC.build(Id003Options(), DriverTools("EUR"))
    assert isinstance(driver, Driver)
    assert SPEC.device_class == "BillAcceptor"
    assert SPEC.line["serial"] == {"baud": 9600, "parity": "E", "bits": 8, "stop": 1}
    assert set(SPEC.states) == set(STATES)


def test_set_up_inhibits_first_and_forces_polled_mode() -> None:
    rig = ready()
    assert rig.unit.heard[:2] == [(POLL, b""), (0xC3, b"\x01")]
    assert (0xC2, b"\x00") in rig.unit.heard
    assert rig.unit.settings[0xC0] == b"\xff\xff"


def test_the_table_becomes_the_notes_that_are_known() -> None:
    rig = ready()
    values = tuple(eur(v) for v in (5, 10, 20, 50, 100, 200, 500))
    assert rig.told(NotesKnown) == [NotesKnown(values)]


def test_the_version_text_identifies_the_unit() -> None:
    told = ready().told(Identified)
    assert [(event.model, event.firmware) for event in told] == [("i100-SS", "05V280-42")]  # type: ignore[attr-defined]


def test_only_the_wanted_values_are_let_in_and_a_set_bit_refuses() -> None:
    rig = ready()
    rig.order(EnableNotes((eur(5), eur(20), Money(2000, "USD"), eur(7))))
    rig.run(300)
    assert settings(rig)[-2:] == [(0xC0, bytes((0xFF & ~0b00001010, 0xFF))), (0xC3, b"\x00")]


def test_codes_beyond_the_eighth_use_the_second_byte() -> None:
    unit = Unit()
    unit.table = EUR + bytes((0x69, 0xE0, 100, 1))
    rig = Rig(unit)
    rig.run(1_000)
    rig.order(EnableNotes((eur(1000),)))
    rig.run(300)
    assert rig.unit.settings[0xC0] == b"\xff\xfe"


def test_no_wanted_value_means_inhibited() -> None:
    rig = ready()
    rig.order(EnableNotes((eur(7),)))
    rig.run(300)
    assert rig.unit.settings[0xC3] == b"\x01"


def test_an_inhibit_waits_until_the_note_inside_is_at_its_end() -> None:
    rig = ready()
    rig.order(EnableNotes((eur(20),)))
    rig.run(300)
    note = rig.feed().note
    rig.order(InhibitNotes())
    rig.show(ESCROW, data=b"\x64")
    rig.order(StackNote(note))
    rig.show(STACKING, VEND_VALID)
    assert rig.unit.settings[0xC3] == b"\x00"
    assert len(rig.told(NoteStacked)) == 1
    rig.show(IDLING)
    assert rig.unit.settings[0xC3] == b"\x01"


def test_an_inhibit_while_a_note_is_drawn_in_waits_for_rest() -> None:
    rig = ready()
    rig.order(EnableNotes((eur(20),)))
    rig.show(IDLING, ACCEPTING)
    rig.order(InhibitNotes())
    rig.run(1_000)
    assert rig.unit.settings[0xC3] == b"\x00"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (b"", "4-byte"),
        (b"\x61\xe0\x05", "4-byte"),
        (bytes((0x61, 0x01, 20, 0)), "USD"),
        (bytes((0x61, 0xFE, 20, 0)), "country fe"),
        (bytes(32), "code twice"),
        (bytes((0x61, 0xE0, 5, 200)), "exponent"),
        (bytes((0x61, 0, 0, 0)), "nothing"),
    ],
)
def test_a_unit_with_another_table_is_a_fault_and_never_enabled(table: bytes, words: str) -> None:
    unit = Unit()
    unit.table = table
    rig = Rig(unit)
    rig.run(1_000)
    rig.order(EnableNotes((eur(5), eur(20))))
    rig.run(1_000)
    assert last_state(rig) == ("misconfigured", "fault")
    assert words in rig.told(DeviceState)[-1].detail  # type: ignore[attr-defined]
    assert [event.command for event in rig.told(CommandRefused)] == ["enable_notes"]  # type: ignore[attr-defined]
    assert (0xC3, b"\x00") not in rig.unit.heard
    assert rig.told(NotesKnown) == []


def test_notes_of_another_country_in_a_mixed_table_are_never_enabled() -> None:
    unit = Unit()
    unit.table = bytes((0x61, 0xE0, 20, 0, 0x62, 0x01, 20, 0))
    rig = Rig(unit)
    rig.run(1_000)
    rig.order(EnableNotes((eur(20),)))
    rig.run(300)
    assert rig.unit.settings[0xC0] == b"\xfe\xff"


def test_the_country_can_be_configured_where_the_sheet_does_not_know_it() -> None:
    unit = Unit()
    unit.table = bytes((0x61, 0xFE, 20, 0))
    rig = Rig(unit, country=[0xFE])
    rig.run(1_000)
    assert rig.told(NotesKnown) == [NotesKnown((eur(20),))]


@pytest.mark.parametrize("code", [0xC0, 0xC3])
@pytest.mark.parametrize("answer", ["other data", "refused", "silence"])
def test_a_needed_setting_that_does_not_take_is_a_fault(code: int, answer: str) -> None:
    unit = Unit()
    unit.replies[code] = {"other data": [(code, b"\x55")], "refused": [(0x4B, b"")], "silence": []}[answer]
    rig = Rig(unit)
    rig.order(EnableNotes((eur(20),)))
    rig.run(3_000)
    assert last_state(rig) == ("misconfigured", "fault")
    assert rig.told(NotesKnown) == []


@pytest.mark.parametrize("code", [0xC1, 0xC2, 0xC4, 0xC5, 0x88])
def test_an_optional_feature_the_unit_lacks_is_no_fault(code: int) -> None:
    unit = Unit()
    unit.replies[code] = [(0x4B, b"")]
    rig = Rig(unit)
    rig.run(1_500)
    assert last_state(rig) == ("inhibited", "ok")
    assert len(rig.told(NotesKnown)) == 1


def test_a_wrong_echo_once_is_asked_again_and_then_fine() -> None:
    unit = Unit()
    unit.replies[0xC0] = [(0xC0, b"\x00\x00")]
    rig = Rig(unit)
    del unit.replies[0xC0]
    rig.run(1_000)
    assert len(rig.told(NotesKnown)) == 1


def test_a_failed_set_up_is_tried_again_later() -> None:
    unit = Unit()
    unit.replies[0x8A] = []
    rig = Rig(unit)
    rig.run(3_000)
    assert last_state(rig)[0] == "misconfigured"
    unit.replies.clear()
    rig.run(12_000)
    assert last_state(rig) == ("inhibited", "ok")


@pytest.mark.parametrize("lost", [POWER_UP, INITIALIZE])
def test_settings_are_sent_again_when_the_unit_has_lost_them(lost: int) -> None:
    rig = ready()
    rig.order(EnableNotes((eur(20),)))
    rig.show(IDLING)
    before = len(settings(rig))
    rig.show(lost, INITIALIZE, IDLING)
    again = [cmd for cmd, _ in settings(rig)[before:]]
    assert again == [0xC3, 0xC2, 0xC0, 0xC1, 0xC4, 0xC5, 0xC0, 0xC3]
    assert rig.unit.settings[0xC3] == b"\x00"


def test_a_power_up_is_asked_its_version_and_then_reset() -> None:
    unit = Unit()
    unit.status = (POWER_UP, b"")
    rig = Rig(unit)
    rig.run(300)
    assert [cmd for cmd, _ in unit.heard[:3]] == [POLL, 0x88, RESET]


def test_a_power_up_that_cannot_tell_its_version_is_reset_all_the_same() -> None:
    unit = Unit()
    unit.status = (POWER_UP, b"")
    unit.replies[0x88] = []
    rig = Rig(unit)
    rig.run(3_000)
    assert RESET in rig.unit.commands()


def test_a_reset_that_changes_nothing_is_repeated_with_patience() -> None:
    unit = Unit()
    unit.status = (POWER_UP, b"")
    rig = Rig(unit)
    rig.run(10_000)
    assert 3 <= rig.unit.commands().count(RESET) <= 4


def test_a_unit_that_shows_the_opposite_of_what_was_set_is_told_again() -> None:
    rig = ready()
    before = len(settings(rig))
    rig.show(IDLING, ms=2_000)
    assert (0xC3, b"\x01") in settings(rig)[before:]


def test_modem_lines_are_set_where_they_are_configured_and_a_refusal_harms_nothing() -> None:
    driver = Id003Acceptor(Id003Options(rts=False, dtr=True), DriverTools("EUR"))
    driver.remember({}, None, bytes(32))
    driver.port(Opened({}), 0)
    first, poll = driver.take_outbound()
    assert first == PortRequest(1, "modem_lines", b"\x02")
    driver.port(Reply(1, False), 1)
    assert isinstance(poll, Write)
    assert driver.take_events() == []


def test_an_option_that_does_not_exist_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"pol_ms": 1}, Id003Options)


@pytest.mark.parametrize(
    "options",
    [
        {"stack_command": 4},
        {"poll_ms": 0},
        {"poll_ms": 3_000},
        {"escrow_margin_ms": 10_000},
        {"security": [256, 0]},
        {"direction": -1},
        {"tries": 0},
        {"reply_timeout_ms": 0},
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, Id003Options)


# --- states --------------------------------------------------------------------------------------------------------


def test_states_are_told_on_change_only_and_again_on_request() -> None:
    rig = ready()
    rig.show(JAM_A, ms=3_000)
    assert [event.state for event in rig.told(DeviceState)] == ["inhibited", "acceptor_jammed"]  # type: ignore[attr-defined]
    rig.order(CheckHealth())
    assert last_state(rig) == ("acceptor_jammed", "fault")
    assert rig.told(DeviceState)[-1].raw == "45"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "data", "state", "severity", "detail"),
    [
        (0x43, b"", "stacker_full", "fault", ""),
        (0x46, b"", "stacker_jammed", "fault", ""),
        (0x47, b"", "paused", "warn", ""),
        (0x48, b"", "cheated", "warn", ""),
        (FAILURE, b"\xa2", "failure", "fault", "stack motor"),
        (FAILURE, b"\xee", "failure", "fault", "unknown failure EE"),
        (FAILURE, b"", "failure", "fault", "no code given"),
        (REJECTING, b"\x77", "rejecting", "ok", "photo pattern 1"),
        (0x70, b"", "unknown", "unknown", "the unit shows UNKNOWN_70"),
    ],
)
def test_each_status_has_a_state_and_a_severity(code: int, data: bytes, state: str, severity: str, detail: str) -> None:
    rig = ready()
    rig.show(code, data=data)
    told = rig.told(DeviceState)[-1]
    assert told == DeviceState(state, severity, bytes((code,)).hex() + data.hex(), detail)


def test_an_unknown_code_is_a_finding_and_the_driver_goes_on() -> None:
    rig = ready()
    rig.show(0x70, ms=1_000)
    assert faults(rig) == ["unknown_code"]
    rig.show(DISABLE)
    assert last_state(rig) == ("inhibited", "ok")


def test_the_cash_box_is_told_out_and_in_once() -> None:
    rig = ready()
    rig.show(OPEN, ms=1_000)
    rig.show(FAILURE, data=b"\xab")
    assert rig.told(CashboxRemoved, CashboxInserted) == [CashboxRemoved("44")]
    rig.show(POWER_UP, INITIALIZE, DISABLE)
    assert rig.told(CashboxInserted) == [CashboxInserted()]


# --- the line ------------------------------------------------------------------------------------------------------


def test_five_silent_polls_make_the_state_unknown_and_silence_is_counted_once() -> None:
    rig = ready()
    rig.unit.status = None
    rig.run(1_000)
    assert last_state(rig) == ("inhibited", "ok")
    rig.run(1_500)
    assert last_state(rig) == ("unknown", "unknown")
    assert faults(rig) == ["timeout"]


def test_a_silent_unit_is_reset_after_two_seconds_and_then_every_ten() -> None:
    rig = ready()
    rig.unit.status = None
    rig.run(35_000)
    assert 3 <= rig.unit.commands().count(RESET) <= 4


def test_a_lost_setting_answer_or_a_bad_checksum_only_costs_a_repeat() -> None:
    rig = ready()
    rig.unit.status = None
    rig.run(250)
    rig.driver.received(bytes.fromhex("fc051af4e9"), rig.now)
    rig.drain()
    rig.show(DISABLE)
    assert "checksum" in faults(rig)
    assert last_state(rig) == ("inhibited", "ok")


def test_a_communication_error_is_answered_by_the_same_request_a_few_times() -> None:
    rig = ready()
    before = len(rig.unit.heard)
    rig.show(0x4A, ms=1_000)
    assert 5 <= len(rig.unit.heard) - before <= 12
    assert "refused" in faults(rig)
    rig.show(DISABLE)
    assert last_state(rig) == ("inhibited", "ok")


def test_an_enq_is_answered_by_a_poll_at_once() -> None:
    rig = ready()
    before = len(rig.unit.heard)
    rig.now += 15 * MS
    rig.driver.received(bytes.fromhex("fc0505") + crc("fc0505"), rig.now)
    rig.run(20)
    assert [cmd for cmd, _ in rig.unit.heard[before:]] == [POLL]


def crc(hexadecimal: str) -> bytes:
    return crc16_kermit(bytes.fromhex(hexadecimal)).to_bytes(2, "little")


def test_an_echoing_line_is_found_out_and_its_echo_is_never_an_answer() -> None:
    unit = Unit()
    unit.echo = True
    rig = Rig(unit)
    rig.run(1_500)
    assert "echo" in faults(rig)
    assert last_state(rig) == ("inhibited", "ok")
    assert len(rig.told(NotesKnown)) == 1
    rig.order(EnableNotes((eur(20),)))
    rig.run(300)
    note = rig.feed().note
    rig.order(StackNote(note))
    rig.show(STACKING, VEND_VALID, IDLING)
    assert len(rig.told(NoteStacked)) == 1


def test_an_echo_without_a_unit_behind_it_never_resolves_a_note() -> None:
    for configured in (False, True):
        unit = Unit()
        unit.echo, unit.status = True, None
        unit.replies = {code: [] for code in range(256)}
        rig = Rig(unit, OpenNote(NoteId("acceptor", 3), eur(20), "stack_sent"), echo=configured)
        rig.run(20_000)
        assert rig.told(NoteReturned) == []
        rig.run(15_000)
        assert last_state(rig) == ("unknown", "unknown")


def test_an_idling_unit_that_never_tells_its_version_is_believed_after_two_tries() -> None:
    unit = Unit()
    unit.status = (IDLING, b"")
    unit.replies[0x88] = []
    rig = Rig(unit)
    rig.run(4_000)
    assert len(rig.told(NotesKnown)) == 1


def test_a_write_that_times_out_counts_as_silence() -> None:
    rig = ready()
    rig.unit.replies[POLL] = []
    rig.run(200)
    rig.driver.port(WriteTimedOut(), rig.now)
    rig.drain()
    assert "timeout" in faults(rig)


def test_a_lost_port_stops_the_driver_and_its_return_starts_the_handshake_again() -> None:
    rig = ready()
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.drain()
    assert rig.driver.deadline() is None
    assert last_state(rig) == ("unknown", "unknown")
    before = len(rig.unit.heard)
    rig.open()
    rig.run(1_000)
    assert rig.unit.heard[before] == (POLL, b"")
    assert last_state(rig) == ("inhibited", "ok")
    assert len(rig.told(NotesKnown)) == 2


def test_polls_come_every_two_hundred_milliseconds() -> None:
    rig = ready()
    before = len(rig.unit.heard)
    rig.run(10_000)
    assert 49 <= len(rig.unit.heard) - before <= 51


def test_noise_without_end_stays_bounded_in_events() -> None:
    rig = ready()
    rig.driver.received(bytes.fromhex("fc00") * 5_000, rig.now)
    assert len(rig.driver.take_events()) <= 10


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["direction"] == "device"], ids=lambda v: v["hex"])
def test_each_worked_frame_of_a_device_passes_through_the_driver(vector: dict[str, object]) -> None:
    raw = bytes.fromhex(str(vector["hex"]))
    rig = Rig()
    rig.unit.replies[POLL] = []
    rig.run(200)
    rig.driver.received(raw, rig.now)
    rig.drain()
    assert "checksum" not in faults(rig)
    assert ACK not in rig.unit.commands() or raw[2] == VEND_VALID


def test_the_requests_are_the_worked_frames_of_the_sheet() -> None:
    known = {bytes.fromhex(v["hex"]) for v in VECTORS if v["direction"] == "host" and v["good"]}
    driver = Id003Acceptor(Id003Options(), DriverTools("EUR"))
    driver.port(Opened({}), 0)
    (poll,) = driver.take_outbound()
    assert isinstance(poll, Write)
    assert poll.data in known


@pytest.mark.parametrize("split", range(38))
def test_a_table_split_anywhere_is_the_same_table(split: int) -> None:
    unit = Unit()
    unit.replies[0x8A] = []
    rig = Rig(unit)
    while not any(cmd == 0x8A for cmd, _ in unit.heard):
        rig.run(10)
    raw = encode(0x8A, EUR)
    rig.driver.received(raw[:split], rig.now)
    rig.driver.received(raw[split:], rig.now)
    rig.drain()
    assert len(rig.told(NotesKnown)) == 1


@given(st.binary(max_size=300))
def test_no_bytes_from_the_line_raise_or_credit(noise: bytes) -> None:
    rig = ready()
    rig.driver.received(noise, rig.now)
    rig.drain()
    rig.run(500)
    assert rig.told(NoteStacked) == []


def test_returning_and_every_other_status_without_a_note_moves_nothing() -> None:
    rig = ready()
    rig.show(RETURNING, STACKING, ACCEPTING, REJECTING, DISABLE)
    assert rig.unit.commands() == []
