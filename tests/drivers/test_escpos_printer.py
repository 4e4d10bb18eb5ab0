"""The printer driver against a scripted printer in virtual time: preflight, Confirm, barrier, every way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import (
    CheckHealth,
    CommandRefused,
    Confirm,
    Cut,
    DeviceState,
    Driver,
    DriverTools,
    DropJob,
    Identified,
    InhibitNotes,
    Lost,
    Opened,
    PortRequest,
    Print,
    Printed,
    PrintHeld,
    PrintProgress,
    PrintReady,
    PrintUnknown,
    ProtocolFault,
    Reply,
    Sent,
    Slip,
    SlipPresented,
    Words,
    Write,
    WriteTimedOut,
)
from kiosk.drivers.escpos_printer import SPEC, EscPosPrinter, Options
from kiosk.protocols.escpos import commands as esc
from kiosk.protocols.escpos.profile import Profile
from kiosk.protocols.escpos.setting import set_slip

S = 1_000_000_000
OK, PAPER_OUT, COVER, NEAR_END, CUTTER = (
    bytes.fromhex(row) for row in ("12121212", "1A32127E", "1A161212", "1212121E", "1A521A12")
)
SLIP = Slip((*(Words(f"Line {number} of an example receipt") for number in range(40)), Cut()))


class Scripted:
    """One driver, one printer that obeys a few switches, and a clock that only `run` moves."""

    def __init__(self, *, facts: dict[str, str] | None = None, **options: Any) -> None:
        profile = options.pop("profile", Profile())
        self.driver = EscPosPrinter(Options(profile=profile, **options), DriverTools(currency="USD"))
        self.driver.remember({}, None, bytes(range(32)))
        self.now = 0
        self.status: bytes = OK
        self.answers_queue = True
        self.queued_byte = 0
        self.takes_bytes = True
        self.port_status: bytes | None = b"\x18"
        self.paper = bytearray()
        self.writes: list[bytes] = []
        #: Written, but not taken by the line yet.
        self.backlog: list[bytes] = []
        self.events: list[Any] = []
        self.facts = facts or {}

    def open(self) -> Scripted:
        self.backlog.clear()
        self.driver.port(Opened(self.facts), self.now)
        self._exchange()
        return self

    def say(self, command: Any) -> None:
        self.driver.command(command, self.now)
        self._exchange()

    def port(self, event: Any) -> None:
        self.backlog.clear()
        self.driver.port(event, self.now)
        self._exchange()

    def hear(self, data: bytes) -> None:
        self.driver.received(data, self.now)
        self._exchange()

    def run(self, seconds: int = 5) -> None:
        """Let virtual time pass, stopping at each deadline, as the core does."""
        end = self.now + seconds * S
        for _ in range(10_000):
            due = self.driver.deadline()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self.driver.tick(self.now)
            self._exchange()
        else:
            raise AssertionError("the driver keeps asking for the time without waiting")
        self.now = end

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def state(self) -> str:
        return str(self.of(DeviceState)[-1].state)

    def ready(self) -> int:
        return int(self.of(PrintReady)[-1].token)

    def _exchange(self) -> None:
        for _ in range(10_000):
            self.events += self.driver.take_events()
            outbound = self.driver.take_outbound()
            if not outbound and not (self.takes_bytes and self.backlog):
                return
            for item in outbound:
                if isinstance(item, PortRequest):
                    if self.port_status is not None:
                        self.driver.port(Reply(item.id, True, self.port_status), self.now)
                    continue
                self.writes.append(item.data)
                self.backlog.append(item.data)
            while self.takes_bytes and self.backlog:
                data = self.backlog.pop(0)
                self.driver.port(Sent(len(data)), self.now)
                self._obey(data)

    def _obey(self, data: bytes) -> None:
        if data == esc.ASK_ALL_STATUS:
            self.driver.received(self.status, self.now)
        elif data == esc.CLEAR_BUFFERS:
            self.driver.received(b"\x37\x25\x00", self.now)
        elif data.endswith(esc.ASK_QUEUED_PAPER):
            if self.answers_queue:
                told = b"\x5f1.02\x00\x5fEPSON\x00\x5fTM-T20III\x00" if b"\x1d\x49" in data else b""
                self.driver.received(told + bytes([self.queued_byte]), self.now)
        elif data.startswith(b"\x1d\x28\x48"):
            if self.answers_queue:
                self.driver.received(b"\x37\x22" + data[-4:] + b"\x00", self.now)
        else:
            self.paper += data


def printed_at_leisure(**options: Any) -> Scripted:
    """A bench whose job J1 waits for its Confirm."""
    bench = Scripted(**options).open()
    bench.run(1)
    bench.say(Print("J1", SLIP))
    bench.run(0)
    assert bench.ready() == 1
    return bench


def stop_sending(bench: Scripted) -> None:
    """Confirm J1 with a line that takes nothing more: its first chunk is on its way."""
    bench.takes_bytes = False
    bench.say(Confirm(bench.ready()))


def test_the_spec_declares_a_printer_with_a_barrier_and_every_state() -> None:
    assert (SPEC.name, SPEC.device_class, SPEC.capabilities.barrier) == ("escpos_printer", "POSPrinter", True)
    assert set(SPEC.states) == {
        "ok", "near_end", "paper_out", "cover", "cutter", "head_hot", "fatal", "offline", "unknown",
    }  # fmt: skip
    assert isinstance(SPEC.build(SPEC.options(), DriverTools(currency="USD")), Driver)


def test_a_job_is_printed_when_preflight_confirm_and_barrier_have_passed() -> None:
    bench = printed_at_leisure()
    assert not bench.paper, "no byte of the job may go before Confirm"
    bench.say(Confirm(bench.ready()))
    assert bench.of(Printed) == [Printed("J1")]
    assert bytes(bench.paper) == b"".join(set_slip(SLIP, Profile()).commands)
    total = len(bench.paper)
    assert bench.of(PrintProgress)[-1] == PrintProgress("J1", total, total)
    assert not bench.of(PrintUnknown)


def test_the_completion_id_is_the_barrier_where_the_profile_has_it() -> None:
    bench = printed_at_leisure(profile=Profile(barrier="completion_id"))
    bench.answers_queue = False
    bench.say(Confirm(bench.ready()))
    mark = bench.writes[-1][-4:]
    assert bench.writes[-1].startswith(bytes.fromhex("1D 28 48 06 00 30 30"))
    bench.hear(b"\x00" + b"\x37\x22zzzz\x00")
    assert not bench.of(Printed), "neither a queued status nor a strange mark proves this job"
    bench.hear(b"\x37\x22" + mark + b"\x00")
    assert bench.of(Printed) == [Printed("J1")]


def test_the_printer_says_who_it_is_once() -> None:
    bench = Scripted().open()
    bench.run(30)
    assert bench.of(Identified) == [Identified(model="TM-T20III", firmware="1.02", detail="EPSON")]


@pytest.mark.parametrize(
    ("status", "state"), [(PAPER_OUT, "paper_out"), (COVER, "cover"), (CUTTER, "cutter"), (b"", "unknown")]
)
def test_a_job_is_held_without_a_byte_until_the_printer_is_ready(status: bytes, state: str) -> None:
    bench = Scripted().open()
    bench.run(1)
    bench.status = status
    bench.say(Print("J1", SLIP))
    bench.run(20)
    assert bench.of(PrintHeld) == [PrintHeld("J1", state)]
    assert bench.state() == state
    assert not bench.paper
    assert not bench.of(PrintReady)
    bench.status = OK
    bench.run(4)
    assert bench.of(PrintReady) == [PrintReady(1, "J1")]


def test_near_end_prints_and_warns() -> None:
    bench = Scripted()
    bench.status = NEAR_END
    bench.open()
    bench.run(1)
    assert bench.of(DeviceState)[-1].severity == "warn"
    bench.say(Print("J1", SLIP))
    bench.say(Confirm(bench.ready()))
    assert bench.of(Printed)


def test_silence_for_two_seconds_is_unknown_and_never_ok() -> None:
    bench = Scripted()
    bench.status = b""
    bench.open()
    bench.run(1)
    assert not bench.of(DeviceState)
    bench.run(1)
    assert [event.state for event in bench.of(DeviceState)] == ["unknown"]
    assert bench.of(DeviceState)[0].severity == "unknown"


def test_a_short_answer_is_unknown_and_its_bytes_are_kept() -> None:
    bench = Scripted()
    bench.status = OK[:3]
    bench.open()
    bench.run(3)
    assert (bench.state(), bench.of(DeviceState)[0].raw) == ("unknown", "121212")


def test_a_printer_that_answers_status_but_takes_no_commands_is_unknown() -> None:
    bench = Scripted()
    bench.answers_queue = False
    bench.open()
    bench.say(Print("J1", SLIP))
    bench.run(30)
    assert bench.state() == "unknown"
    assert bench.of(PrintHeld) == [PrintHeld("J1", "unknown")]
    assert not bench.paper
    bench.answers_queue = True
    bench.run(10)
    assert bench.of(PrintReady), "it is asked again and again"


def test_a_state_is_reported_on_change_only_and_again_when_asked() -> None:
    bench = Scripted().open()
    bench.run(60)
    assert [event.state for event in bench.of(DeviceState)] == ["ok"]
    bench.say(CheckHealth())
    bench.run(2)
    assert [event.state for event in bench.of(DeviceState)] == ["ok", "ok"]


def test_a_late_confirm_is_preceded_by_a_second_look() -> None:
    bench = printed_at_leisure(poll_ms=60_000)
    bench.now += 10 * S
    bench.status = PAPER_OUT
    bench.say(Confirm(bench.ready()))
    unknown = bench.of(PrintUnknown)
    assert [(event.job, event.reason, event.sent) for event in unknown] == [("J1", "paper_out", 0)]
    assert not bench.paper


def test_a_late_confirm_prints_when_the_second_look_is_good() -> None:
    bench = printed_at_leisure(poll_ms=60_000)
    bench.now += 10 * S
    bench.say(Confirm(bench.ready()))
    assert bench.of(Printed) == [Printed("J1")]


def test_paper_out_after_preflight_ends_unknown_and_prints_nothing_later() -> None:
    bench = printed_at_leisure()
    bench.answers_queue = False  # off-line: the barrier is not answered
    bench.status = PAPER_OUT
    bench.say(Confirm(bench.ready()))
    bench.run(5)
    (unknown,) = bench.of(PrintUnknown)
    assert (unknown.job, unknown.reason) == ("J1", "paper_out")
    assert unknown.sent == unknown.total > 0
    assert bench.writes.count(esc.CLEAR_BUFFERS) == 2, "once at the opening, once for the lost job"
    bench.answers_queue, bench.status = True, OK
    before = len(bench.paper)
    bench.run(60)
    assert len(bench.paper) == before, "nothing is ever sent again by itself"
    assert not bench.of(Printed)


def test_paper_out_while_sending_stops_the_rest() -> None:
    bench = printed_at_leisure(chunk_bytes=64)
    bench.takes_bytes = False
    bench.say(Confirm(bench.ready()))
    first, checkpoint = bench.writes[-2:]
    assert checkpoint == esc.ASK_QUEUED_PAPER
    bench.run(1)
    bench.hear(PAPER_OUT)
    (unknown,) = bench.of(PrintUnknown)
    assert (unknown.reason, unknown.sent) == ("paper_out", len(first))
    assert unknown.total > unknown.sent


def test_an_unanswered_barrier_ends_unknown_after_its_time() -> None:
    bench = printed_at_leisure()
    bench.answers_queue = False
    bench.say(Confirm(bench.ready()))
    mm = set_slip(SLIP, Profile()).length_mm
    bench.run(5)
    assert not bench.of(PrintUnknown), "5 s and the paper's time are not over"
    bench.run(-(-mm // 100))
    assert [event.reason for event in bench.of(PrintUnknown)] == ["barrier_timeout"]


def test_a_barrier_that_tells_of_no_paper_proves_nothing() -> None:
    bench = printed_at_leisure()
    bench.queued_byte = 0x0C
    bench.say(Confirm(bench.ready()))
    assert not bench.of(Printed)
    assert [event.reason for event in bench.of(PrintUnknown)] == ["paper_out"]


def test_an_answer_to_an_old_barrier_never_passes_for_a_new_one() -> None:
    bench = printed_at_leisure()
    bench.answers_queue = False
    bench.say(Confirm(bench.ready()))
    bench.run(20)
    assert bench.of(PrintUnknown)
    bench.say(Print("J2", Slip((Words("Short"),))))
    bench.run(1)
    assert not [ready for ready in bench.of(PrintReady) if ready.job == "J2"], "the queue is not settled"
    tries = len(bench.writes)
    while not any(data.endswith(esc.ASK_QUEUED_PAPER) for data in bench.writes[tries:]):
        bench.run(1)
    bench.hear(b"\x00")  # the old barrier, answered late
    bench.hear(b"\x00")  # the question that settles the queue
    bench.run(2)
    bench.say(Confirm(bench.ready()))
    assert not bench.of(Printed), "J2's own barrier is still open"
    bench.hear(b"\x00")
    assert bench.of(Printed) == [Printed("J2")]


@pytest.mark.parametrize(("event", "reason"), [(Lost("unplugged"), "lost"), (WriteTimedOut(), "write_timed_out")])
def test_a_line_that_fails_while_sending_ends_the_job_unknown(event: Any, reason: str) -> None:
    bench = printed_at_leisure()
    stop_sending(bench)
    handed = len(bench.writes[-2])
    bench.port(event)
    (unknown,) = bench.of(PrintUnknown)
    assert (unknown.job, unknown.reason, unknown.sent) == ("J1", reason, handed)
    bench.takes_bytes = True
    bench.open()
    bench.run(30)
    assert not bench.paper
    assert len(bench.of(PrintUnknown)) == 1


def test_a_line_that_is_lost_before_confirm_ends_the_job_only_when_confirm_comes() -> None:
    bench = printed_at_leisure()
    bench.port(Lost("unplugged"))
    assert bench.state() == "unknown"
    assert not bench.of(PrintUnknown)
    bench.say(Confirm(bench.ready()))
    (unknown,) = bench.of(PrintUnknown)
    assert (unknown.reason, unknown.sent) == ("lost", 0)


def test_a_queued_job_survives_a_replug() -> None:
    bench = Scripted()
    bench.say(Print("J1", SLIP))
    assert bench.of(PrintHeld) == [PrintHeld("J1", "unknown")]
    bench.open()
    bench.run(2)
    bench.say(Confirm(bench.ready()))
    assert bench.of(Printed) == [Printed("J1")]


def test_a_line_that_stalls_ends_the_job_unknown() -> None:
    bench = printed_at_leisure()
    stop_sending(bench)
    bench.run(9)
    assert not bench.of(PrintUnknown)
    bench.run(2)
    assert [event.reason for event in bench.of(PrintUnknown)] == ["stalled"]


def test_xoff_makes_the_job_wait_and_xon_lets_it_go_on() -> None:
    bench = printed_at_leisure(chunk_bytes=64)
    bench.hear(b"\x13")
    bench.say(Confirm(bench.ready()))
    assert not bench.paper
    bench.run(3)
    assert not bench.paper
    bench.hear(b"\x11")
    assert bench.of(Printed) == [Printed("J1")]


def test_chunks_are_bounded_and_end_where_a_command_ends() -> None:
    bench = printed_at_leisure(chunk_bytes=100)
    before = len(bench.writes)
    bench.say(Confirm(bench.ready()))
    chunks = [data for data in bench.writes[before:] if data not in (esc.ASK_ALL_STATUS, esc.ASK_QUEUED_PAPER)]
    assert max(map(len, chunks)) <= 100
    ends = set()
    at = 0
    for command in set_slip(SLIP, Profile()).commands:
        at += len(command)
        ends.add(at)
    at = 0
    for chunk in chunks:
        at += len(chunk)
        assert at in ends


def test_jobs_print_one_after_the_other() -> None:
    bench = Scripted().open()
    bench.run(1)
    bench.say(Print("J1", SLIP))
    bench.say(Print("J2", SLIP))
    bench.say(Confirm(bench.ready()))
    bench.run(1)
    bench.say(Confirm(bench.ready()))
    assert [event.job for event in bench.of(PrintReady)] == ["J1", "J2"]
    assert bench.of(Printed) == [Printed("J1"), Printed("J2")]


def test_a_job_is_dropped_only_before_its_confirm() -> None:
    bench = printed_at_leisure()
    bench.say(Print("J2", SLIP))
    bench.say(DropJob("J2"))
    stop_sending(bench)
    bench.say(DropJob("J1"))
    bench.say(DropJob("J9"))
    refused = bench.of(CommandRefused)
    assert [(event.job, event.reason) for event in refused] == [("J1", "it has begun"), ("J9", "no such job")]


def test_a_confirm_for_a_dropped_job_prints_nothing() -> None:
    bench = printed_at_leisure()
    bench.say(DropJob("J1"))
    bench.say(Confirm(bench.ready()))
    bench.run(5)
    assert not bench.paper
    assert [event.command for event in bench.of(CommandRefused)] == ["confirm"]


def test_orders_that_cannot_be_carried_out_are_refused_and_nothing_is_raised() -> None:
    bench = printed_at_leisure()
    bench.say(Print("J1", SLIP))
    bench.say(InhibitNotes())
    bench.say(Print("J3", Slip((Words("Žluťoučký"),))))  # nothing can draw it here
    bench.say(Confirm(99))
    told = [(event.command, event.job) for event in bench.of(CommandRefused)]
    assert told == [("print", "J1"), ("inhibit_notes", ""), ("print", "J3"), ("confirm", "")]
    for number in range(20):
        bench.say(Print(f"Q{number}", SLIP))
    assert bench.of(CommandRefused)[-1].reason == "the queue is full"


def test_a_usb_printer_without_an_in_endpoint_is_asked_by_its_class_and_never_confirms() -> None:
    bench = Scripted(facts={"in_endpoint": "no", "interface": "2"})
    bench.driver.port(Opened(bench.facts), 0)
    requests = [item for item in bench.driver.take_outbound() if isinstance(item, PortRequest)]
    assert (requests[0].kind, requests[0].data) == ("usb_class_in", bytes.fromhex("A1 01 0000 0200 0100"))
    bench.driver.port(Sent(len(esc.CLEAR_BUFFERS)), 0)
    bench.driver.port(Reply(requests[0].id, True, b"\x18"), 0)
    bench.say(Print("J1", SLIP))
    bench.say(Confirm(bench.ready()))
    assert bench.paper
    assert [event.reason for event in bench.of(PrintUnknown)] == ["no_read_back"]


@pytest.mark.parametrize(("status", "state"), [(b"\x38", "paper_out"), (b"\x00", "offline"), (b"", "unknown")])
def test_port_status_holds_a_job(status: bytes, state: str) -> None:
    bench = Scripted(facts={"in_endpoint": "no"})
    bench.port_status = status
    bench.open()
    bench.say(Print("J1", SLIP))
    bench.run(2)
    assert bench.of(PrintHeld) == [PrintHeld("J1", state)]


def test_strays_are_told_and_change_nothing() -> None:
    bench = Scripted().open()
    bench.run(2)
    bench.hear(b"\x12\xff\x00\x91")
    bench.run(2)
    faults = bench.of(ProtocolFault)
    assert [(fault.kind, fault.raw) for fault in faults] == [("unexpected", "12ff0091")]
    assert [event.state for event in bench.of(DeviceState)] == ["ok"]


def test_a_slip_left_in_the_mouth_is_drawn_back_and_told() -> None:
    bench = printed_at_leisure(profile=Profile(presenter="custom", retract_after_ms=5_000, clear_buffer="none"))
    mouth = iter(b"\x08" * 5 + b"\x00")
    obey = bench._obey

    def with_mouth(data: bytes) -> None:
        if data == esc.PRESENTER_STATUS:
            bench.driver.received(bytes([next(mouth)]), bench.now)
        elif data != esc.PRESENTER_RETRACT:
            obey(data)

    bench._obey = with_mouth  # type: ignore[method-assign]
    bench.say(Confirm(bench.ready()))
    assert bench.of(Printed)
    bench.run(20)
    details = [event.detail for event in bench.of(DeviceState)]
    assert details == ["", "slip in_mouth", ""]
    assert bench.of(SlipPresented) == [SlipPresented("J1", "retracted")]
    assert bench.writes.count(esc.PRESENTER_RETRACT) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=6), st.sampled_from(["ok", "out", "lost", "open", "timeout", "wait"]))))
def test_whatever_happens_a_confirmed_job_ends_exactly_once(happenings: list[Any]) -> None:
    bench = printed_at_leisure(chunk_bytes=64)
    stop_sending(bench)
    for happening in happenings:
        match happening:
            case bytes():
                bench.hear(happening)
            case "ok":
                bench.takes_bytes, bench.status = True, OK
            case "out":
                bench.status = PAPER_OUT
            case "lost":
                bench.port(Lost())
            case "open":
                bench.open()
            case "timeout":
                bench.port(WriteTimedOut())
            case _:
                bench.run(1)
    bench.run(40)
    ends = [event for event in bench.events if isinstance(event, (Printed, PrintUnknown))]
    assert len(ends) == 1


def test_the_scripted_bench_hands_out_writes() -> None:
    bench = EscPosPrinter(Options(), DriverTools(currency="USD"))
    bench.port(Opened({}), 0)
    assert [item.data for item in bench.take_outbound() if isinstance(item, Write)] == [
        esc.CLEAR_BUFFERS,
        esc.ASK_ALL_STATUS,
    ]


def test_answers_that_come_after_the_silence_do_not_pass_for_fresh_ones() -> None:
    bench = Scripted().open()
    bench.run(1)
    bench.status = b""
    bench.run(1)
    bench.say(Print("J1", SLIP))
    while bench.state() != "unknown":
        bench.now = bench.driver.deadline() or bench.now
        bench.driver.tick(bench.now)
        bench._exchange()
    bench.hear(OK)
    assert not bench.of(PrintReady)
    assert bench.of(PrintHeld) == [PrintHeld("J1", "unknown")]


def test_no_more_than_the_window_is_out_without_the_printers_answer() -> None:
    bench = printed_at_leisure(chunk_bytes=100, profile=Profile(window_bytes=300))
    bench.answers_queue = False
    before = len(bench.writes)
    bench.say(Confirm(bench.ready()))
    sizes = [len(data) for data in bench.writes[before:] if data != esc.ASK_QUEUED_PAPER]
    assert 100 < sum(sizes) <= 300
    bench.hear(b"\x00")
    more = [len(data) for data in bench.writes[before:] if data != esc.ASK_QUEUED_PAPER]
    assert len(more) == len(sizes) + 1, "one answer, one more chunk"
    bench.run(11)
    assert [event.reason for event in bench.of(PrintUnknown)] == ["stalled"]


def test_answers_to_checkpoints_are_no_barrier() -> None:
    bench = printed_at_leisure(chunk_bytes=600)
    bench.answers_queue = False
    bench.say(Confirm(bench.ready()))
    answered = 0
    while not bench.of(Printed):
        assert answered < bench.writes.count(esc.ASK_QUEUED_PAPER), "an answer is missing"
        bench.hear(b"\x00")
        answered += 1
    assert answered == bench.writes.count(esc.ASK_QUEUED_PAPER) >= 3


def test_a_class_status_that_the_profile_calls_meaningless_is_unknown_and_holds_the_job() -> None:
    bench = Scripted(facts={"in_endpoint": "no"}, profile=Profile(class_status=False)).open()
    bench.say(Print("J1", SLIP))
    bench.run(2)
    assert bench.state() == "unknown"
    assert bench.of(PrintHeld) == [PrintHeld("J1", "unknown")]


def test_a_printer_without_a_barrier_prints_without_checkpoints_and_never_confirms() -> None:
    bench = Scripted(profile=Profile(barrier="none", clear_buffer="none"))
    bench.answers_queue = False
    bench.open()
    bench.say(Print("J1", SLIP))
    bench.run(2)
    bench.say(Confirm(bench.ready()))
    bench.run(5)
    assert bytes(bench.paper) == b"".join(set_slip(SLIP, Profile()).commands)
    assert not any(esc.ASK_QUEUED_PAPER in data for data in bench.writes)
    assert [event.reason for event in bench.of(PrintUnknown)] == ["no_barrier"]
    assert bench.state() == "ok"
