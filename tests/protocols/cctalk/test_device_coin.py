"""The simulated coin acceptor, what every simulated ccTalk unit does on its line, and several of them on a bus."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
from kiosk.protocols.cctalk.device_bus import CctalkBus
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_node import CctalkNode
from kiosk.protocols.cctalk.event_buffer import EventBuffer, parse_events
from kiosk.protocols.cctalk.frames import Decoder, Frame, Framing
from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.payloads import mask, number
from kiosk.protocols.cctalk.units import EUR_COINS, CoinUnit, NodeHabits

MS = 1_000_000
Line = CctalkNode | CctalkBus


class Host:
    """Asks one unit and reads its answer; the time stands still while it does."""

    def __init__(self, line: Line, address: int = 2, framing: Framing | None = None) -> None:
        self.line, self.address, self.framing = line, address, framing or Framing()
        self.now = 0

    def wait(self, ms: int, poll: Header | None = None) -> None:
        """Let time pass, and poll every 200 ms where a header is given."""
        end = self.now + ms * MS
        while self.now < end:
            self.now = min(self.now + (200 if poll else ms) * MS, end)
            self.line.tick(self.now)
            if poll is not None:
                self.ask(poll)

    def write(self, raw: bytes) -> bytes:
        self.line.received(raw, self.now)
        return b"".join(self.line.take_outbound())

    def answer(self, header: int, data: bytes = b"") -> Frame | None:
        raw = self.write(self.framing.encode(self.address, header, data))
        frames = Decoder(self.framing, (1,)).feed(raw)
        assert len(frames) <= 1
        assert not frames or isinstance(frames[0], Frame)
        return frames[0] if frames else None  # type: ignore[return-value]

    def ask(self, header: int, data: bytes = b"") -> bytes | None:
        """Return the data of the reply; None for silence."""
        frame = self.answer(header, data)
        if frame is None:
            return None
        assert frame.header == Header.REPLY
        return frame.data

    def events(self) -> EventBuffer:
        return parse_events(self.ask(Header.READ_BUFFERED_CREDIT) or b"")


def ready(unit: CoinUnit = EUR_COINS, **options: Any) -> tuple[Host, CctalkCoinAcceptor]:
    acceptor = CctalkCoinAcceptor(unit, **options)
    host = Host(acceptor, framing=options.get("framing"))
    assert host.ask(Header.MODIFY_INHIBIT, b"\xff\xff") == b""
    assert host.ask(Header.MODIFY_MASTER_INHIBIT, b"\x01") == b""
    host.events()
    return host, acceptor


# --- what every unit does -------------------------------------------------------------------------------------

VECTORS: list[dict[str, Any]] = [
    {"hex": "02 00 01 F2 0B", "reply": "01 03 02 00 4E 61 BC 8F"},
    {"hex": "02 01 01 B8 07 3D", "reply": "01 06 02 00 2E 2E 2E 2E 2E 2E E3"},
    {"hex": "02 00 01 E5 18", "reply": "01 0B 02 00 00 00 00 00 00 00 00 00 00 00 00 F2"},
]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: row["hex"])
def test_worked_requests_of_the_sheet_get_the_worked_answers(row: dict[str, str]) -> None:
    acceptor = CctalkCoinAcceptor(EUR_COINS)
    assert Host(acceptor).write(bytes.fromhex(row["hex"])).hex(" ").upper() == row["reply"]


def test_a_bad_checksum_a_foreign_address_and_an_unknown_header_get_no_answer() -> None:
    host, acceptor = ready()
    assert host.write(bytes.fromhex("02 00 01 FE 00")) == b""
    assert host.write(Framing().encode(3, Header.SIMPLE_POLL)) == b""
    assert host.ask(127) is None
    assert host.ask(Header.SIMPLE_POLL, b"\x01") is None
    assert acceptor.counters["faults"] == 1
    assert host.ask(Header.SIMPLE_POLL) == b""


def test_the_identity_is_told_exactly() -> None:
    host, _ = ready()
    assert host.ask(Header.REQUEST_EQUIPMENT_CATEGORY) == b"Coin Acceptor"
    assert number(host.ask(Header.REQUEST_SERIAL_NUMBER) or b"") == 12_345_678
    assert host.ask(Header.REQUEST_COMMS_REVISION) == bytes((1, 4, 7))


def test_a_gap_in_a_packet_begins_anew() -> None:
    host, acceptor = ready()
    raw = Framing().encode(2, Header.SIMPLE_POLL)
    assert host.write(raw[:3]) == b""
    host.wait(45)
    assert host.write(raw[3:]) == bytes.fromhex("01 00 02 00 fd")
    host.write(raw[:3])
    host.wait(60)
    assert host.write(raw) == bytes.fromhex("01 00 02 00 fd")
    assert acceptor.counters["faults"] == 1


def test_frames_and_replies_of_others_are_counted_through() -> None:
    host, _ = ready()
    others = Framing().encode(40, 159) + Framing().encode(1, 0, bytes(11), source=40)
    assert host.write(others) == b""
    assert host.ask(Header.SIMPLE_POLL) == b""


@pytest.mark.parametrize("framing", [Framing("crc"), Framing("crc", "124027"), Framing()], ids=["crc", "bnv", "simple"])
def test_every_form_of_checksum_works_and_no_other_is_answered(framing: Framing) -> None:
    host, _ = ready(framing=framing)
    assert host.ask(Header.REQUEST_EQUIPMENT_CATEGORY) == b"Coin Acceptor"
    other = Framing("crc") if framing.checksum == "simple" else Framing()
    assert host.write(other.encode(2, Header.SIMPLE_POLL)) == b""


def test_an_interface_with_echo_repeats_the_host_first() -> None:
    unit = msgspec.structs.replace(EUR_COINS, habits=NodeHabits(echo=True))
    raw = Framing().encode(2, Header.SIMPLE_POLL)
    assert Host(CctalkCoinAcceptor(unit)).write(raw) == raw + bytes.fromhex("01 00 02 00 fd")


def test_a_reset_with_data_is_noise_and_ignored() -> None:
    """A zero byte before a frame makes a broadcast reset of it (sheet §11)."""
    host, acceptor = ready()
    host.write(bytes.fromhex("00 02 01 01 E4 01 17"))
    assert acceptor.awake
    unit = msgspec.structs.replace(EUR_COINS, habits=NodeHabits(resets_with_data=True))
    bold = CctalkCoinAcceptor(unit)
    Host(bold).write(bytes.fromhex("00 02 01 01 E4 01 17"))
    assert not bold.awake


def test_a_reset_is_acknowledged_and_forgets_what_the_unit_was_told() -> None:
    host, acceptor = ready()
    acceptor.insert_coin(100)
    host.wait(300)
    assert host.events().counter == 1
    assert host.ask(Header.RESET_DEVICE) == b""
    assert host.ask(Header.SIMPLE_POLL) is None
    host.wait(300)
    assert host.events().counter == 0
    assert host.ask(Header.REQUEST_INHIBIT) == b"\x00\x00"
    assert host.ask(Header.REQUEST_MASTER_INHIBIT) == b"\x00"
    assert acceptor.accepted == [100]


def test_a_unit_with_a_pin_hears_nothing_before_it() -> None:
    unit = msgspec.structs.replace(EUR_COINS, habits=NodeHabits(pin=b"1234"))
    host = Host(CctalkCoinAcceptor(unit))
    assert host.ask(Header.REQUEST_SERIAL_NUMBER) is None
    assert host.ask(Header.ENTER_PIN, b"9999") == b""
    assert host.ask(Header.REQUEST_SERIAL_NUMBER) is None
    host.ask(Header.ENTER_PIN, b"1234")
    assert host.ask(Header.REQUEST_SERIAL_NUMBER) is not None


def test_an_address_is_changed_with_an_answer_from_the_old_one() -> None:
    host, acceptor = ready()
    frame = host.answer(Header.ADDRESS_CHANGE, b"\x0b")
    assert frame is not None
    assert (frame.source, acceptor.address) == (2, 11)
    assert host.ask(Header.SIMPLE_POLL) is None
    host.address = 11
    assert host.ask(Header.SIMPLE_POLL) == b""
    assert host.ask(Header.ADDRESS_CHANGE, b"\x01") is None


def test_an_address_poll_is_answered_by_the_bare_address_after_its_time() -> None:
    host, acceptor = ready()
    assert host.write(Framing().encode(0, Header.ADDRESS_POLL)) == b""
    host.wait(9)
    assert acceptor.take_outbound() == [b"\x02"]
    assert host.ask(Header.SIMPLE_POLL) is None
    host.wait(1_300)
    assert host.ask(Header.SIMPLE_POLL) == b""


def test_scripted_faults_of_the_line() -> None:
    host, acceptor = ready()
    acceptor.lose_replies(1)
    assert [host.ask(Header.SIMPLE_POLL) for _ in range(2)] == [None, b""]
    acceptor.refuse_requests(1)
    acceptor.be_busy(0)
    refused = host.answer(Header.SIMPLE_POLL)
    assert refused is not None
    assert refused.header == Header.NAK
    acceptor.be_busy(1)
    busy = host.answer(Header.SIMPLE_POLL)
    assert busy is not None
    assert busy.header == Header.BUSY
    acceptor.mute()
    assert host.ask(Header.SIMPLE_POLL) is None
    acceptor.mute(False)
    for _ in range(8):
        acceptor.garble_replies(1)
        raw = host.write(Framing().encode(2, Header.REQUEST_SERIAL_NUMBER))
        assert not [item for item in Decoder(Framing(), (1,)).feed(raw) if isinstance(item, Frame)]
    acceptor.stutter(1, 80)
    first = host.write(Framing().encode(2, Header.SIMPLE_POLL))
    host.wait(90)
    assert first + b"".join(acceptor.take_outbound()) == bytes.fromhex("01 00 02 00 fd")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=120), st.booleans())
def test_rubbish_on_the_line_never_raises(data: bytes, whole: bool) -> None:
    host, acceptor = ready()
    host.write(Framing().encode(2, data[0], data[1:]) if whole and data else data)
    host.wait(2_000)
    acceptor.take_outbound()
    host.address = acceptor.address
    assert host.ask(Header.SIMPLE_POLL) in (b"", None)
    assert acceptor.accepted == []


def test_a_unit_cannot_have_the_address_of_the_host() -> None:
    with pytest.raises(SimulatorError):
        CctalkCoinAcceptor(address=1)


# --- coins ----------------------------------------------------------------------------------------------------


def test_a_coin_is_accepted_and_told_newest_first() -> None:
    host, acceptor = ready()
    for minor in (100, 200, 7):
        assert acceptor.insert_coin(minor)
    assert acceptor.inside == [100, 200, 7]
    host.wait(600)
    assert (acceptor.accepted, acceptor.returned) == ([100, 200], [7])
    events = host.events()
    assert (events.counter, events.pairs[:3]) == (3, ((0, 1), (6, 1), (5, 1)))
    assert host.events() == events, "reading consumes nothing"


def test_the_ids_of_the_coins_are_told_by_position() -> None:
    host, _ = ready()
    assert [host.ask(Header.REQUEST_COIN_ID, bytes((at,))) for at in (1, 6, 7, 16)] == [
        b"EU005A", b"EU200A", b"......", b"......"
    ]  # fmt: skip
    assert host.ask(Header.REQUEST_COIN_ID, b"\x00") is None


def test_the_event_counter_goes_from_255_to_1() -> None:
    host, acceptor = ready()
    acceptor.count_on(253)
    counters = []
    for _ in range(5):
        acceptor.insert_coin(10)
        host.wait(200)
        counters.append(host.events().counter)
    assert counters == [254, 255, 1, 2, 3]


def test_more_than_five_events_leave_only_the_newest_five() -> None:
    host, acceptor = ready()
    for minor in (5, 10, 20, 50, 100, 200, 5):
        acceptor.insert_coin(minor)
    host.wait(990)
    host.wait(200)
    host.line.tick(host.now)
    assert len(acceptor.accepted) == 6
    events = host.events()
    assert events.counter == 6
    assert [first for first, _ in events.pairs] == [6, 5, 4, 3, 2]


@pytest.mark.parametrize("by_type", [False, True])
def test_a_masked_coin_falls_through_and_is_told(by_type: bool) -> None:
    host, acceptor = ready(msgspec.structs.replace(EUR_COINS, tells_inhibited_type=by_type))
    host.ask(Header.MODIFY_INHIBIT, mask([1, 2]))
    acceptor.insert_coin(200)
    host.wait(200)
    assert (acceptor.accepted, acceptor.returned) == ([], [200])
    assert host.events().pairs[0] == (0, 133 if by_type else 2)


def test_the_master_inhibit_lets_everything_fall_through() -> None:
    host, acceptor = ready()
    host.ask(Header.MODIFY_MASTER_INHIBIT, b"\x00")
    assert not acceptor.can_insert
    acceptor.insert_coin(200)
    host.wait(200)
    assert acceptor.returned == [200]


def test_the_watchdog_of_a_second_lifts_by_itself_when_polled_again() -> None:
    host, acceptor = ready()
    assert acceptor.can_insert
    host.wait(1_100)
    assert not acceptor.can_insert
    acceptor.insert_coin(100)
    host.wait(200)
    assert (acceptor.accepted, acceptor.returned) == ([], [100])
    assert host.events().counter == 0
    acceptor.insert_coin(100)
    host.wait(200)
    assert acceptor.accepted == [100]


def test_a_power_cut_keeps_the_coins_and_forgets_the_rest() -> None:
    host, acceptor = ready()
    acceptor.insert_coin(100)
    host.wait(200)
    acceptor.insert_coin(50)
    acceptor.cut_power()
    assert acceptor.shown == "no power"
    assert host.ask(Header.SIMPLE_POLL) is None
    acceptor.insert_coin(20)
    acceptor.restore_power()
    host.wait(300)
    assert (acceptor.accepted, acceptor.returned) == ([100], [50, 20])
    assert host.events().counter == 0
    assert not acceptor.can_insert
    assert number(host.ask(Header.REQUEST_ACCEPT_COUNTER) or b"") == 1


def test_a_unit_may_turn_its_counter_by_itself_on_the_first_poll() -> None:
    host = Host(CctalkCoinAcceptor(msgspec.structs.replace(EUR_COINS, dummy_event=(0, 2))))
    assert (host.events().counter, host.events().pairs[0]) == (1, (0, 2))


def test_lever_string_and_fault_are_told() -> None:
    host, acceptor = ready()
    acceptor.insert_coin(100)
    acceptor.press_lever()
    acceptor.pull_string()
    assert acceptor.returned == [100]
    assert host.ask(Header.REQUEST_STATUS) == b"\x01"
    assert host.events().pairs[:2] == ((0, 20), (0, 254))
    acceptor.break_down(3)
    assert host.ask(Header.PERFORM_SELF_CHECK) == b"\x03"
    assert not acceptor.can_insert


def test_the_next_coin_can_be_found_bad() -> None:
    host, acceptor = ready()
    acceptor.reject_next(3)
    for _ in range(2):
        acceptor.insert_coin(100)
    host.wait(400)
    assert (acceptor.accepted, acceptor.returned) == ([100], [100])
    assert host.events().pairs[:2] == ((5, 1), (0, 3))


# --- a bus ----------------------------------------------------------------------------------------------------


def test_units_on_a_bus_answer_for_themselves() -> None:
    bus = CctalkBus((CctalkCoinAcceptor(), CctalkBillValidator()), echo=False)
    assert Host(bus, 2).ask(Header.REQUEST_EQUIPMENT_CATEGORY) == b"Coin Acceptor"
    assert Host(bus, 40).ask(Header.REQUEST_EQUIPMENT_CATEGORY) == b"Bill Validator"
    assert Host(bus, 3).ask(Header.SIMPLE_POLL) is None


def test_a_bus_repeats_the_host_once_and_hears_its_units_time() -> None:
    bus = CctalkBus((CctalkCoinAcceptor(), CctalkCoinAcceptor(address=11)), echo=True)
    raw = Framing().encode(11, Header.SIMPLE_POLL)
    assert Host(bus).write(raw) == raw + Framing().encode(1, 0, source=11)
    bus.nodes[0].cut_power()
    bus.nodes[0].restore_power()
    assert bus.deadline() == 200 * MS


def test_two_units_with_one_address_collide() -> None:
    bus = CctalkBus((CctalkCoinAcceptor(), CctalkCoinAcceptor(EUR_COINS)))
    raw = Host(bus).write(Framing().encode(2, Header.REQUEST_COIN_ID, b"\x01"))
    assert not [item for item in Decoder(Framing(), (1,)).feed(raw) if isinstance(item, Frame)]


def test_a_unit_on_a_bus_has_no_echo_of_its_own() -> None:
    echoing = msgspec.structs.replace(EUR_COINS, habits=NodeHabits(echo=True))
    with pytest.raises(SimulatorError):
        CctalkBus((CctalkCoinAcceptor(echoing),))
