"""How an SSP conversation begins, and what a restart, a reset or silence does to a note (SSP sheet §3, §9, §10)."""

from __future__ import annotations

import pytest

from kiosk.api import (
    Confirm,
    DeviceState,
    EnableNotes,
    Identified,
    Lost,
    Money,
    NoteDisputed,
    NoteId,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    Opened,
    OpenNote,
    ProtocolFault,
    StackNote,
)
from kiosk.protocols.ssp.codes import Command
from kiosk.protocols.ssp.frames import encode
from kiosk.protocols.ssp.options import SspOptions
from kiosk.protocols.ssp.payloads import Channel, Setup
from tests.drivers.ssp_unit import CREDIT3, MS, READ0, RESET, STACKED, STACKING, Rig, Unit, eur, ready

NOTE = NoteId("acceptor", 7)
SENT = OpenNote(NOTE, eur(20), "stack_sent")
CREDITED = OpenNote(NOTE, eur(20), "credited")
MARK = "1234567:17"


def faults(rig: Rig) -> list[str]:
    return [event.kind for event in rig.events if isinstance(event, ProtocolFault)]


def stacked(rig: Rig) -> list[NoteStacked]:
    return [event for event in rig.events if isinstance(event, NoteStacked)]


def test_the_start_is_sync_then_reject_and_no_poll_before_the_sizes_of_events_are_known() -> None:
    rig = Rig()
    rig.run(6_000)
    codes = [data[0] for data in rig.unit.heard]
    assert codes[:2] == [Command.SYNC, Command.REJECT]
    first_poll = codes.index(Command.POLL)
    assert codes.index(Command.HOST_PROTOCOL_VERSION) < first_poll
    assert codes.index(Command.DISABLE) < first_poll
    assert codes.index(Command.GET_COUNTERS) < first_poll
    assert rig.unit.setup.protocol == 8


def test_the_flag_is_0_after_sync_and_toggles_with_each_new_command() -> None:
    rig = Rig(sync_flag=1)
    rig.run(3_000)
    flags = [flag for flag, _ in rig.unit.frames]
    assert flags[:5] == [1, 0, 1, 0, 1]
    rig = Rig(sync_flag=0)
    rig.run(3_000)
    assert [flag for flag, _ in rig.unit.frames][:4] == [0, 0, 1, 0]


@pytest.mark.parametrize("refusal", [b"\xf8", b"\xf4"])
def test_a_version_that_the_unit_lacks_is_passed_over(refusal: bytes) -> None:
    unit = Unit()
    unit.highest_version = 6
    rig = Rig(unit)
    unit.answer = (  # type: ignore[method-assign]
        lambda data, before=unit.answer: refusal if data[0] == 6 and data[1] > 6 else before(data)  # type: ignore[misc]
    )
    rig.run(6_000)
    assert [data.hex() for data in unit.heard if data[0] == 6] == ["0608", "0607"]
    assert unit.setup.protocol == 6
    assert rig.told(NotesKnown)


def test_channels_are_enabled_by_value_and_everything_is_disabled_again() -> None:
    rig = ready()
    assert rig.unit.inhibits == b"\x0e\x00"
    assert rig.unit.enabled
    rig.order(EnableNotes((eur(5), eur(100), Money(500, "USD"))))
    rig.run(1_500)
    assert rig.unit.inhibits == b"\x11\x00"
    rig.order(EnableNotes(()))
    rig.run(1_500)
    assert not rig.unit.enabled


def test_the_unit_tells_who_it_is_and_what_it_reads() -> None:
    rig = ready()
    (known,) = rig.told(Identified)
    assert (known.model, known.firmware, known.serial) == ("validator", "0333", "1234567")  # type: ignore[attr-defined]
    (notes,) = rig.told(NotesKnown)
    assert notes.values == tuple(eur(value) for value in (5, 10, 20, 50, 100))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("setup", "problem"),
    [
        (Setup(0, "0333", "GBP", 0, (Channel(1, 5, "GBP"),), 100, 6), "reads GBP"),
        (Setup(0, "0333", "EUR", 0, (Channel(1, 5, "EUR"),), 1000, 6), "1000 parts"),
        (Setup(0, "0333", "EUR", 0, (), 100, 6), "reads nothing"),
    ],
)
def test_a_dataset_that_is_not_ours_leaves_the_unit_inhibited(setup: Setup, problem: str) -> None:
    unit = Unit()
    unit.setup = setup
    rig = ready(unit=unit)
    assert not unit.enabled
    assert Command.ENABLE not in unit.sent(Command.ENABLE)
    state = next(event for event in rig.events if isinstance(event, DeviceState) and event.state == "misconfigured")
    assert problem in state.detail


def test_foreign_channels_are_never_enabled() -> None:
    unit = Unit()
    unit.setup = Setup(0, "0333", "EUR", 0, (Channel(1, 20, "GBP"), Channel(2, 20, "EUR")), 100, 6)
    ready(unit=unit)
    assert unit.inhibits == b"\x02\x00"


def test_a_multiplier_counts_where_it_is_not_zero() -> None:
    unit = Unit()
    unit.setup = Setup(0, "0333", "EUR", 5, (Channel(1, 5, "EUR"), Channel(2, 20, "EUR")), 100, 6)
    rig = ready(unit=unit)
    assert rig.told(NotesKnown)[0].values == (eur(5), eur(20))  # type: ignore[attr-defined]


# --- encryption -----------------------------------------------------------------------------------------------


def test_everything_but_sync_and_the_exchange_is_sealed_in_a_session() -> None:
    rig = ready(encryption="prefer")
    clear = [data[0] for data, (_, sealed) in zip(rig.unit.heard, rig.unit.frames, strict=True) if not sealed]
    assert clear == [Command.SYNC, Command.REJECT, *(0x4A, 0x4B, 0x4C)]
    assert Command.POLL_WITH_ACK in rig.unit.sent(Command.POLL_WITH_ACK)
    generator, modulus = (int.from_bytes(rig.unit.heard[at][1:], "little") for at in (2, 3))
    assert modulus < generator < 2**32


def test_a_unit_that_wants_a_key_gets_one_before_the_note_in_escrow_is_rejected() -> None:
    unit = Unit()
    unit.demands_key = True
    rig = ready(unit=unit, encryption="prefer")
    assert rig.told(NotesKnown)
    codes = [data[0] for data in unit.heard]
    assert codes.index(0x4C) < len(codes) - 1 - codes[::-1].index(Command.REJECT)
    assert unit.enabled


@pytest.mark.parametrize(("wish", "enabled"), [("prefer", True), ("require", False)])
def test_a_unit_without_encryption_serves_only_where_it_is_not_required(wish: str, enabled: bool) -> None:
    unit = Unit()
    unit.has_encryption = False
    rig = ready(unit=unit, encryption=wish)
    assert unit.enabled is enabled
    assert enabled or rig.told(DeviceState)[-1].state == "misconfigured"  # type: ignore[attr-defined]


def test_a_unit_that_demands_a_key_stays_inhibited_where_the_configuration_excludes_one() -> None:
    unit = Unit()
    unit.demands_key = True
    rig = ready(unit=unit, encryption="never")
    assert not unit.enabled
    assert "excludes" in rig.told(DeviceState)[-1].detail  # type: ignore[attr-defined]


def test_a_lost_key_is_agreed_anew_and_the_unit_set_up_again() -> None:
    rig = ready(encryption="prefer")
    rig.unit.key, rig.unit.enabled = None, False
    rig.run(12_000)
    assert "key_not_set" in faults(rig)
    assert rig.unit.enabled
    assert rig.unit.sent(0x4C) == [0x4C, 0x4C]


def test_a_set_up_that_failed_with_a_note_in_flight_is_tried_again() -> None:
    """The unit loses its key in the middle of the set-up: without another one nothing could ever be polled again."""
    rig = ready(encryption="require")
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.play(STACKING)
    rig.unit.replies[Command.SETUP_REQUEST] = b"\xfa"
    rig.unit.key, rig.unit.enabled = None, False
    rig.run(5_000)
    assert "set-up" in rig.told(DeviceState)[-1].detail  # type: ignore[attr-defined]
    del rig.unit.replies[Command.SETUP_REQUEST]
    rig.run(20_000)
    assert rig.unit.enabled
    assert len(rig.told(NoteStacked, NoteReturned, NoteDisputed)) == 1


def test_a_reply_with_a_wrong_counter_is_not_believed_and_the_key_agreed_anew() -> None:
    rig = ready(encryption="prefer")
    rig.unit.script = [CREDIT3]
    rig.unit.count += 4  # the unit now drops what we send, and we would drop what it sends
    rig.run(40_000)
    assert rig.unit.sent(0x4C) == [0x4C, 0x4C]
    assert rig.unit.enabled
    assert len(stacked(rig)) == 1


def test_a_credit_in_clear_is_not_believed_in_a_session() -> None:
    rig = ready(encryption="prefer")
    rig.run(240)
    for flag in (0, 1):
        rig.driver.received(encode(0, flag, b"\xf0" + CREDIT3), rig.now)
        rig.drain()
    assert not stacked(rig)
    assert "unexpected" in faults(rig)


# --- what a restart finds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counter", "kind"), [(18, NoteStacked), (17, NoteReturned)])
def test_a_note_in_flight_at_a_restart_is_judged_by_the_counter(counter: int, kind: type) -> None:
    """Sync made the unit forget the credit it had told; its counter has not (sheet §10)."""
    unit = Unit()
    unit.stacked = counter
    rig = Rig(unit, SENT, serial=7, mark=MARK)
    rig.run(8_000)
    assert [(type(event), event.note) for event in rig.told(NoteStacked, NoteReturned, NoteDisputed)] == [  # type: ignore[attr-defined]
        (kind, NOTE)
    ]
    for credit in stacked(rig):
        assert credit.recovered
        assert credit.device_mark == "1234567:18"


@pytest.mark.parametrize("mark", ["", "99:17", "nonsense"])
def test_a_note_in_flight_without_a_comparable_counter_is_disputed(mark: str) -> None:
    rig = Rig(Unit(), SENT, serial=7, mark=mark)
    rig.run(8_000)
    assert [event.note for event in rig.told(NoteDisputed)] == [NOTE]  # type: ignore[attr-defined]
    assert not stacked(rig)
    assert ("swapped" in faults(rig)) is (mark == "99:17")


def test_a_credit_that_is_still_told_after_a_restart_counts_once() -> None:
    unit = Unit()
    unit.stacked, unit.script = 18, [CREDIT3 + STACKED]
    rig = Rig(unit, SENT, serial=7, mark=MARK, encryption="prefer")
    rig.run(8_000)
    assert [event.note for event in stacked(rig)] == [NOTE]
    assert not rig.told(NoteDisputed)
    assert "counter_mismatch" not in faults(rig)


def test_a_booked_credit_that_waits_for_its_ack_is_acknowledged_and_not_counted_again() -> None:
    unit = Unit()
    unit.stacked, unit.script = 18, [CREDIT3 + STACKED]
    rig = Rig(unit, CREDITED, serial=7, mark="1234567:18", encryption="prefer")
    rig.run(8_000)
    assert not stacked(rig)
    assert unit.sent(Command.EVENT_ACK) == [Command.EVENT_ACK]
    assert "counter_mismatch" not in faults(rig)


def test_a_note_cleared_into_the_cash_box_is_money_that_nobody_announced() -> None:
    unit = Unit()
    unit.stacked, unit.script = 18, [RESET + b"\xe2\x03", b"\xe2\x00"]
    rig = Rig(unit, mark=MARK)
    rig.run(12_000)
    assert [(event.note, event.value, event.recovered) for event in stacked(rig)] == [
        (None, eur(20), True),
        (None, None, True),
    ]


def test_a_note_cleared_into_the_cash_box_is_the_one_that_was_in_flight() -> None:
    unit = Unit()
    unit.stacked, unit.script = 18, [RESET, b"\xe8", b"\xe2\x03"]
    rig = Rig(unit, SENT, mark=MARK)
    rig.run(12_000)
    assert [(event.note, event.value) for event in stacked(rig)] == [(NOTE, eur(20))]
    assert not rig.told(NoteDisputed, NoteReturned)


def test_a_note_cleared_from_the_front_is_returned_before_anything_else_is_asked() -> None:
    unit = Unit()
    unit.script = [RESET + b"\xe1\x03"]
    rig = Rig(unit, SENT, auto=False, mark=MARK, encryption="prefer")
    rig.run(6_000)
    (returned,) = rig.told(NoteReturned)
    assert (returned.note, returned.token > 0) == (NOTE, True)  # type: ignore[attr-defined]
    frames, heard = len(unit.frames), len(unit.heard)
    rig.run(5_000)
    assert len(unit.frames) == frames
    rig.order(Confirm(returned.token))  # type: ignore[attr-defined]
    rig.run(500)
    assert unit.heard[heard][0] == Command.EVENT_ACK


@pytest.mark.parametrize("wish", ["never", "prefer"])
def test_a_slave_reset_brings_a_whole_new_set_up(wish: str) -> None:
    rig = ready(encryption=wish)
    rig.unit.forget()
    rig.unit.script = [RESET]
    rig.unit.heard.clear()
    rig.run(45_000)
    assert rig.unit.enabled
    assert rig.unit.inhibits == b"\x0e\x00"
    assert rig.unit.setup.protocol == 8
    assert (0x4C in rig.unit.sent(0x4C)) is (wish == "prefer")


def test_silence_is_told_and_ends_in_sync() -> None:
    rig = ready(repeats=5)
    rig.unit.mute = True
    rig.run(3_000)
    rig.unit.heard.clear()
    rig.run(5_000)
    assert rig.told(DeviceState)[-1].state == "unknown"  # type: ignore[attr-defined]
    rig.unit.mute = False
    rig.run(12_000)
    assert rig.unit.heard[0][0] == Command.SYNC
    assert rig.told(DeviceState)[-1].state == "idling"  # type: ignore[attr-defined]


@pytest.mark.parametrize("grew", [0, 1])
def test_a_note_in_flight_outlives_silence(grew: int) -> None:
    rig = ready(repeats=3)
    note = rig.feed()
    rig.order(StackNote(note.note))
    rig.play(STACKING)
    rig.unit.mute = True
    rig.run(3_000)
    rig.unit.stacked += grew
    rig.unit.script = []
    rig.unit.mute = False
    rig.run(20_000)
    outcome = rig.told(NoteStacked, NoteReturned, NoteDisputed)
    assert [(type(event), event.note) for event in outcome] == [  # type: ignore[attr-defined]
        (NoteStacked if grew else NoteReturned, note.note)
    ]


def test_a_swapped_unit_is_noticed_by_its_serial_number() -> None:
    rig = ready()
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.unit.serial, rig.unit.stacked = 42, 5
    rig.unit.forget()
    rig.driver.port(Opened({}), rig.now)
    rig.drain()
    rig.run(12_000)
    assert "swapped" in faults(rig)
    assert "counter_mismatch" not in faults(rig)
    assert rig.told(Identified)[-1].serial == "42"  # type: ignore[attr-defined]


def test_events_that_were_handed_out_outlive_an_unplugging() -> None:
    """A plain Poll tells nothing twice: what still waited for an answer is money all the same."""
    rig = ready()
    rig.unit.replies[0x58] = b""
    rig.unit.stacked += 1
    rig.play(b"\xe2\x03")
    assert not stacked(rig)
    rig.driver.port(Lost("unplugged"), rig.now)
    del rig.unit.replies[0x58]
    rig.driver.port(Opened({}), rig.now)
    rig.drain()
    rig.run(12_000)
    assert [event.value for event in stacked(rig)] == [eur(20)]


def test_a_booked_note_and_a_new_one_of_the_same_value_are_two_where_nothing_is_told_twice() -> None:
    unit = Unit()
    unit.stacked, unit.script = 19, [CREDIT3 + STACKED]
    rig = Rig(unit, CREDITED, serial=7, mark="1234567:18")
    rig.run(8_000)
    assert [(event.note, event.value) for event in stacked(rig)] == [(None, eur(20))]


def test_an_adapter_that_repeats_what_we_write_does_no_harm() -> None:
    rig = Rig()
    hear = rig.unit.hear
    rig.unit.hear = lambda data: data + hear(data)  # type: ignore[method-assign]
    rig.order(EnableNotes((eur(20),)))
    rig.run(12_000)
    assert rig.unit.enabled
    rig.play(READ0, CREDIT3)
    assert len(stacked(rig)) == 1


def test_nothing_is_enabled_before_the_counter_is_compared_at_rest() -> None:
    unit = Unit()
    unit.always = b"\xe9"
    rig = Rig(unit)
    rig.order(EnableNotes((eur(20),)))
    rig.run(10_000)
    assert not unit.enabled
    unit.always = b""
    rig.run(5_000)
    assert unit.enabled


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": 0x7E},
        {"fixed_key": "12"},
        {"versions": (9,)},
        {"versions": ()},
        {"sync_flag": 2},
        {"hold_repeat_ms": 20_000},
        {"poll_ms": 5},
        {"repeats": -1},
        {"barcode_inhibit": 256},
        {"reply_timeout_ms": 1},
    ],
)
def test_options_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        SspOptions(**wrong)  # type: ignore[arg-type]


def test_polls_keep_their_period() -> None:
    rig = ready()
    rig.unit.heard.clear()
    start = rig.now
    rig.run(5_000)
    assert 15 <= len(rig.unit.sent(Command.POLL)) <= 21
    assert rig.now - start == 5_000 * MS
