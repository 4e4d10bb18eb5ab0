"""The simulated bill validator: escrow, routes, credit, its watchdog, and the truth that outlives power."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
from kiosk.protocols.cctalk.event_buffer import EventBuffer, parse_events
from kiosk.protocols.cctalk.frames import Decoder, Frame, Framing
from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.cctalk.payloads import Scaling, accepted, mask, parse_bill_id, parse_scaling
from kiosk.protocols.cctalk.units import EUR_BILLS, UNITS, BillUnit
from kiosk.simulators.note_unit import STAGES, NoteUnit

MS = 1_000_000
RETURN, STACK, EXTEND = b"\x00", b"\x01", b"\xff"


class Bench:
    """A validator and a host that asks by hand, polling every 200 ms while time passes."""

    def __init__(self, unit: BillUnit = EUR_BILLS, *, framing: Framing | None = None, enable: bool = True) -> None:
        self.framing = framing or Framing()
        self.device = CctalkBillValidator(unit, framing=self.framing)
        self.now = 0
        self.heard: list[tuple[int, int]] = []
        self._counter = 0
        if enable:
            self.enable()

    def enable(self) -> None:
        assert self.ask(Header.MODIFY_INHIBIT, bytes(b"\xff" * self.device.unit.mask_bytes)) == b""
        assert self.ask(Header.MODIFY_MASTER_INHIBIT, b"\x01") == b""

    def answer(self, header: int, data: bytes = b"") -> Frame | None:
        self.device.received(self.framing.encode(40, header, data), self.now)
        frames = Decoder(self.framing, (1,)).feed(b"".join(self.device.take_outbound()))
        assert all(isinstance(frame, Frame) for frame in frames)
        return frames[0] if frames else None  # type: ignore[return-value]

    def ask(self, header: int, data: bytes = b"") -> bytes | None:
        frame = self.answer(header, data)
        return None if frame is None else frame.data

    def events(self) -> EventBuffer:
        buffer = parse_events(self.ask(Header.READ_BUFFERED_BILL_EVENTS) or b"")
        if buffer.counter < self._counter:
            self._counter = 0
        new = buffer.counter - self._counter
        self.heard += reversed(buffer.pairs[:new])
        self._counter = buffer.counter
        return buffer

    def wait(self, ms: int, *, poll: bool = True) -> None:
        end = self.now + ms * MS
        while self.now < end:
            self.now = min(self.now + (200 if poll else ms) * MS, end)
            self.device.tick(self.now)
            if poll and self.device.awake:
                self.events()

    def feed(self, minor: int = 2_000) -> None:
        """Bring a note into escrow."""
        assert self.device.insert(minor)
        self.wait(800)

    def check(self, fed: int) -> None:
        """Every note fed is in exactly one place."""
        device = self.device
        inside = [device.inside] if device.inside is not None else []
        assert sum([*device.cashbox, *device.collected, *device.returned, *inside]) == fed


def test_it_is_a_note_unit_and_the_simulators_know_it() -> None:
    assert isinstance(CctalkBillValidator(), NoteUnit)
    assert set(UNITS) == {"EUR", "USD"}
    assert CctalkBillValidator(EUR_BILLS).values == (500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000)


def test_the_bills_are_told_with_their_scaling() -> None:
    bench = Bench()
    scaling = parse_scaling(bench.ask(Header.REQUEST_COUNTRY_SCALING_FACTOR, b"EU") or b"")
    bill = parse_bill_id(bench.ask(Header.REQUEST_BILL_ID, b"\x03") or b"")
    assert (bill.country, bill.minor(scaling, 2)) == ("EU", 2_000)
    assert bench.ask(Header.REQUEST_BILL_ID, b"\x08") == b"......."
    assert accepted(bench.ask(Header.REQUEST_BILL_POSITION, b"EU") or b"") == (1, 2, 3, 4, 5, 6, 7)
    assert bench.ask(Header.REQUEST_COUNTRY_SCALING_FACTOR, b"GB") == bytes(3)
    assert bench.ask(Header.REQUEST_VARIABLE_SET) == b"\x08\x01"


@pytest.mark.parametrize(("scaling", "digits", "minor"), [(Scaling(1, 0), 0, 20), (Scaling(1000, 2), 2, 20_000)])
def test_scaling_makes_the_minor_value(scaling: Scaling, digits: int, minor: int) -> None:
    unit = msgspec.structs.replace(EUR_BILLS, scaling=scaling, minor_digits=digits)
    assert unit.minor(3) == minor
    assert unit.bill_of(minor) == 3


@pytest.mark.parametrize("framing", [Framing(), Framing("crc"), Framing("crc", "123456")], ids=["simple", "crc", "bnv"])
def test_a_note_goes_from_escrow_to_the_box_and_is_credited_there(framing: Framing) -> None:
    bench = Bench(framing=framing)
    bench.feed()
    assert bench.device.stage == "escrow"
    assert bench.heard == [(3, 1)]
    assert bench.ask(Header.ROUTE_BILL, STACK) == b""
    assert bench.device.stage == "stacking"
    assert bench.device.cashbox == []
    bench.wait(1_200)
    assert bench.heard == [(3, 1), (3, 0)]
    assert bench.device.cashbox == [2_000]
    bench.check(2_000)


def test_a_note_past_the_lever_is_credit_to_come() -> None:
    bench = Bench()
    bench.feed()
    bench.ask(Header.ROUTE_BILL, STACK)
    bench.wait(500)
    assert bench.device.stage == "credit"
    assert not bench.device.pull_back()
    bench.device.cut_power()
    assert bench.device.inside == 2_000


def test_a_note_is_returned_on_order() -> None:
    bench = Bench()
    bench.feed()
    assert bench.ask(Header.ROUTE_BILL, RETURN) == b""
    bench.wait(700)
    assert bench.heard == [(3, 1), (0, 1)]
    assert bench.device.returned == [2_000]


def test_escrow_ends_by_itself_and_is_extended_by_255() -> None:
    bench = Bench()
    bench.feed()
    bench.wait(25_000)
    assert bench.ask(Header.ROUTE_BILL, EXTEND) == b""
    bench.wait(25_000)
    assert bench.device.stage == "escrow"
    bench.wait(6_000)
    assert bench.device.returned == [2_000]
    assert bench.heard[-1] == (0, 1)


@pytest.mark.parametrize("route", [RETURN, STACK, EXTEND])
def test_a_route_without_a_note_in_escrow_is_an_error(route: bytes) -> None:
    bench = Bench()
    assert bench.ask(Header.ROUTE_BILL, route) == b"\xfe"
    other = Bench(msgspec.structs.replace(EUR_BILLS, empty_escrow_error=False))
    frame = other.answer(Header.ROUTE_BILL, route)
    assert frame is not None
    assert frame.header == Header.NAK
    assert bench.ask(Header.ROUTE_BILL, b"\x07") is None


def test_a_route_into_a_jam_fails() -> None:
    bench = Bench()
    bench.feed()
    bench.device.jam("stacker")
    assert bench.ask(Header.ROUTE_BILL, STACK) == b"\xff"


def test_without_escrow_a_note_is_stacked_at_once() -> None:
    bench = Bench()
    assert bench.ask(Header.MODIFY_BILL_OPERATING_MODE, b"\x01") == b""
    assert bench.device.insert(500)
    bench.wait(2_000)
    assert bench.heard == [(1, 0)]
    assert bench.device.cashbox == [500]


def test_unknown_masked_and_bad_notes_go_back() -> None:
    bench = Bench()
    bench.device.insert(777)
    bench.wait(1_500)
    bench.ask(Header.MODIFY_INHIBIT, mask([1]))
    bench.device.insert(2_000)
    bench.wait(1_500)
    bench.device.reject_next(3)
    bench.device.insert(500)
    bench.wait(1_500)
    assert bench.heard == [(0, 2), (0, 4), (0, 3)]
    assert bench.device.returned == [777, 2_000, 500]


def test_an_inhibited_unit_takes_a_note_only_by_force() -> None:
    bench = Bench(enable=False)
    assert bench.device.stage == "inhibited"
    assert not bench.device.insert(500)
    assert bench.device.insert(500, force=True)
    bench.wait(1_500)
    assert bench.device.returned == [500]


def test_the_watchdog_of_five_seconds_must_be_lifted_by_the_host() -> None:
    bench = Bench()
    bench.wait(4_900, poll=False)
    assert bench.device.can_insert
    bench.wait(200, poll=False)
    assert not bench.device.can_insert
    bench.wait(1_000)
    assert bench.heard == [(0, 0)]
    assert bench.ask(Header.REQUEST_MASTER_INHIBIT) == b"\x00"
    bench.enable()
    assert bench.device.can_insert


def test_a_ticket_is_told_read_and_stacked_and_is_no_money() -> None:
    bench = Bench()
    assert bench.ask(Header.READ_BARCODE_DATA) == b""
    assert bench.device.insert_ticket("123456")
    bench.wait(800)
    assert bench.heard == [(0, 20), (255, 1)]
    assert bench.ask(Header.READ_BARCODE_DATA) == b"123456"
    bench.ask(Header.ROUTE_BILL, STACK)
    bench.wait(1_200)
    assert bench.heard[-1] == (255, 0)
    assert (bench.device.cashbox, bench.device.inside) == ([], None)


def test_a_full_stacker_inhibits_and_an_empty_box_lets_the_host_lift_it() -> None:
    bench = Bench()
    bench.feed(500)
    bench.ask(Header.ROUTE_BILL, STACK)
    bench.wait(1_200)
    bench.device.fill_stacker()
    bench.wait(200)
    assert bench.heard[-2:] == [(0, 14), (0, 0)]
    assert (bench.device.stage, bench.ask(Header.PERFORM_SELF_CHECK)) == ("fault", b"\x2d")
    bench.device.remove_cashbox()
    bench.device.insert_cashbox(empty=True)
    bench.wait(200)
    assert bench.heard[-2:] == [(0, 11), (0, 12)]
    assert not bench.device.insert(500)
    bench.enable()
    assert bench.device.can_insert
    assert (bench.device.cashbox, bench.device.collected) == ([], [500])


@pytest.mark.parametrize(
    ("where", "wait", "event"), [("acceptor", 300, (0, 6)), ("stacker", 800, (0, 7)), ("acceptor", 1_400, (0, 16))]
)
def test_a_jam_is_told_by_whether_the_note_can_be_reached(where: str, wait: int, event: tuple[int, int]) -> None:
    bench = Bench()
    bench.device.insert(2_000)
    bench.wait(800 if wait > 800 else wait)
    if wait > 800:
        bench.ask(Header.ROUTE_BILL, STACK)
        bench.wait(wait - 800)
    bench.device.jam(where)
    bench.wait(5_000)
    assert bench.heard[-1] == event
    assert bench.ask(Header.PERFORM_SELF_CHECK) == b"\x27"
    bench.device.clear_jam("return")
    bench.wait(2_000)
    assert bench.device.inside is None
    bench.check(2_000)
    assert (2_000 in bench.device.cashbox) is (wait > 800)


def test_only_a_real_place_can_be_jammed() -> None:
    with pytest.raises(SimulatorError):
        Bench().device.jam("wallet")


@pytest.mark.parametrize("tells", [False, True])
@pytest.mark.parametrize("wait", [300, 800, 1_100, 1_400, 1_900])
def test_a_power_cut_loses_the_book_and_never_a_note(wait: int, tells: bool) -> None:
    bench = Bench(
        msgspec.structs.replace(EUR_BILLS, credits_after_power_up=tells, tells_return_after_power_up=tells)
    )  # fmt: skip
    bench.device.insert(2_000)
    bench.wait(min(wait, 800))
    if wait > 800:
        bench.ask(Header.ROUTE_BILL, STACK)
        bench.wait(wait - 800)
    bench.device.cut_power()
    assert bench.device.stage == "off"
    bench.heard.clear()
    bench.wait(1_000)
    bench.device.restore_power()
    assert bench.device.stage == "starting"
    bench.wait(2_500)
    bench.check(2_000)
    assert bench.device.inside is None
    boxed = bench.device.cashbox == [2_000]
    assert boxed is (wait > 1_250)
    told = [(3, 0)] if boxed else [(0, 1)]
    assert bench.heard == (told if tells and wait < 1_800 else [])
    assert bench.events().counter == len(bench.heard)
    assert not bench.device.can_insert


def test_a_reset_in_mid_session_starts_the_counter_anew() -> None:
    bench = Bench()
    bench.feed()
    assert bench.events().counter == 1
    assert bench.ask(Header.RESET_DEVICE) == b""
    bench.wait(1_500)
    assert bench.device.returned == [2_000]
    assert bench.ask(Header.REQUEST_INHIBIT) == b"\x00\x00"
    bench.check(2_000)


def test_hands_at_the_note() -> None:
    bench = Bench()
    bench.feed()
    assert bench.device.pull_back()
    bench.wait(200)
    assert bench.heard[-1] == (0, 8)
    bench.feed()
    bench.ask(Header.ROUTE_BILL, RETURN)
    assert bench.device.take_rejected()
    assert not bench.device.take_rejected()
    bench.feed()
    bench.device.cheat()
    bench.wait(200)
    assert bench.heard[-2:] == [(0, 18), (0, 1)]
    assert bench.ask(Header.PERFORM_SELF_CHECK) == b"\x29"
    bench.wait(3_000)
    bench.feed()
    assert bench.device.stack_by_itself()
    bench.wait(1_200)
    assert (bench.device.returned, bench.device.cashbox) == ([2_000] * 3, [2_000])


HANDS: list[Any] = [
    "insert", "force", "pull", "take", "jamA", "jamS", "clear", "clear_stack", "clear_take", "out", "in", "in_empty",
    "full", "cheat", "cut", "restore", "self", "stack", "return", "extend", "reset", "enable", "wait",
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(HANDS), st.integers(0, 1_500)), max_size=25))
def test_no_order_of_hands_loses_or_makes_a_note(acts: list[tuple[str, int]]) -> None:
    bench = Bench()
    device, fed = bench.device, 0
    for act, wait in acts:
        bench.wait(wait, poll=False)
        if act in ("insert", "force"):
            fed += 2_000 * device.insert(2_000, force=act == "force")
        elif act in ("stack", "return", "extend"):
            bench.ask(Header.ROUTE_BILL, {"stack": STACK, "return": RETURN, "extend": EXTEND}[act])
        else:
            {
                "pull": device.pull_back,
                "take": device.take_rejected,
                "jamA": lambda: device.jam("acceptor"),
                "jamS": lambda: device.jam("stacker"),
                "clear": device.clear_jam,
                "clear_stack": lambda: device.clear_jam("stack"),
                "clear_take": lambda: device.clear_jam("take"),
                "out": device.remove_cashbox,
                "in": device.insert_cashbox,
                "in_empty": lambda: device.insert_cashbox(empty=True),
                "full": device.fill_stacker,
                "cheat": device.cheat,
                "cut": device.cut_power,
                "restore": device.restore_power,
                "self": device.stack_by_itself,
                "reset": lambda: bench.ask(Header.RESET_DEVICE),
                "enable": lambda: [
                    bench.ask(Header.MODIFY_INHIBIT, b"\xff\xff"),
                    bench.ask(Header.MODIFY_MASTER_INHIBIT, b"\x01"),
                ],
                "wait": lambda: bench.wait(2_000),
            }[act]()  # type: ignore[operator]
        bench.check(fed)
        assert device.stage in STAGES
        assert device.shown
    device.restore_power()
    device.insert_cashbox()
    device.clear_jam()
    bench.wait(40_000, poll=False)
    bench.wait(3_000, poll=False)
    assert device.inside is None, "no note stays on the path for ever"
    bench.check(fed)
