"""The supervisor: dead and hung drivers come back, hopeless ones go out of service, and orders find their life."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from kiosk.core.supervisor import DeviceConfig, DeviceNews, RestartPolicy, Supervisor
from kiosk.errors import ConfigError, DriverError
from kiosk.model.commands import CheckHealth, Confirm, DeviceCommand, Print, StackNote
from kiosk.model.device_events import CommandRefused, DeviceEvent, DeviceState, PrintReady, PrintUnknown, Scanned
from kiosk.model.ids import NoteId
from kiosk.model.instant import NS
from kiosk.model.slip import Slip
from kiosk.plugins.devices import Driver, DriverSpec, DriverTools, Opened, OpenNote, Outbound, PortEvent, Write
from kiosk.transports.loopback import Loopback


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prefix: str = ""
    fail_to_build: bool = False


class Moody:
    """A driver that does what the far end tells it: live, raise or hang."""

    release = threading.Event()
    hanging = threading.Event()

    def __init__(self, options: Options) -> None:
        if options.fail_to_build:
            raise RuntimeError("cannot be built")
        self.events: list[DeviceEvent] = []
        self.outbound: list[Outbound] = []
        self.prefix = options.prefix

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        self.events.append(Scanned(f"marks {dict(marks)} {len(entropy)}"))

    def port(self, event: PortEvent, now: int) -> None:
        if isinstance(event, Opened):
            self.events.append(Scanned(self.prefix + "opened"))

    def received(self, data: bytes, now: int) -> None:
        if data == b"raise":
            raise RuntimeError("on purpose")
        if data == b"hang":
            self.hanging.set()
            self.release.wait(30)
            self.events.append(Scanned("a ghost"))
            return
        self.events.append(Scanned(data.decode()))

    def tick(self, now: int) -> None: ...

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.events.append(Scanned(str(cmd.__struct_config__.tag)))
        if isinstance(cmd, Print):
            self.events.append(PrintReady(len(cmd.job), cmd.job))
        self.outbound.append(Write(b"!"))

    def deadline(self) -> int | None:
        return None

    def take_outbound(self) -> list[Outbound]:
        taken, self.outbound = self.outbound, []
        return taken

    def take_events(self) -> list[DeviceEvent]:
        taken, self.events = self.events, []
        return taken


def build(options: Any, tools: DriverTools) -> Driver:
    return Moody(options)


SPEC = DriverSpec(
    name="moody", device_class="Scanner", transports=("serial", "tcp"), options=Options, build=build,
    line={"serial": {"baud": 19200}},
)  # fmt: skip
TOOLS = DriverTools(currency="USD")
FAST = RestartPolicy(budget=3, first_ns=1_000_000, most_ns=2_000_000)


class Rig:
    """A supervisor over one loopback device, tended by the test."""

    def __init__(self, policy: RestartPolicy = FAST, options: dict[str, Any] | None = None) -> None:
        self.news: queue.SimpleQueue[DeviceNews] = queue.SimpleQueue()
        self.wire = Loopback()
        self.recalled = 0
        self.skew = 0
        self.boss = Supervisor(
            [DeviceConfig(name="front", driver="moody", line={"port": "/dev/none"}, options=options or {})],
            {"moody": SPEC}, TOOLS, self.news.put, self.recall, policy=policy, clock=self.clock,
            paths=lambda device: self.wire, hotplug=False,
        )  # fmt: skip
        self.boss.start()

    def clock(self) -> int:
        return time.monotonic_ns() + self.skew

    def recall(self, device: str) -> tuple[dict[str, str], None, bytes]:
        self.recalled += 1
        return {"note_serial": str(self.recalled)}, None, bytes(32)

    def until(self, wanted: Callable[[DeviceEvent], bool]) -> DeviceNews:
        for _ in range(3000):
            self.boss.tend()
            try:
                news = self.news.get(timeout=0.005)
            except queue.Empty:
                continue
            if wanted(news.event):
                return news
        raise AssertionError("not told in 15 seconds")

    def until_scan(self, text: str) -> DeviceNews:
        return self.until(lambda event: event == Scanned(text))

    def until_state(self, state: str) -> DeviceNews:
        return self.until(lambda event: isinstance(event, DeviceState) and event.state == state)


@pytest.fixture
def rig() -> Iterator[Rig]:
    Moody.release.clear()
    Moody.hanging.clear()
    made = Rig()
    yield made
    Moody.release.set()
    made.boss.stop()


def test_a_driver_that_dies_is_replaced_and_remembers_anew(rig: Rig) -> None:
    first = rig.until_scan("opened")
    rig.wire.device_wrote(b"raise")
    failed = rig.until_state("driver_failed")
    assert isinstance(failed.event, DeviceState)
    assert "on purpose" in failed.event.detail
    assert rig.until_scan("marks {'note_serial': '2'} 32").generation == first.generation + 1
    rig.until_scan("opened")
    status = rig.boss.status()[0]
    assert (status.restarts, status.generation) == (1, 2)


def test_a_driver_that_dies_too_often_goes_out_of_service_until_released(rig: Rig) -> None:
    for _ in range(FAST.budget + 1):
        rig.until_scan("opened")
        rig.wire.device_wrote(b"raise")
    gone = rig.until_state("out_of_service")
    assert isinstance(gone.event, DeviceState)
    assert gone.event.severity == "fault"
    assert "on purpose" in gone.event.detail
    assert rig.boss.status()[0].state == "out_of_service"
    assert not rig.boss.post("front", CheckHealth())
    assert rig.boss.all_ticked(rig.clock())  # a device out of service does not starve the watchdog
    rig.boss.release("front")
    rig.until_scan("opened")
    assert rig.boss.status()[0].state == "in_service"


def test_a_driver_that_cannot_be_built_spends_the_budget_too() -> None:
    rig = Rig(options={"fail_to_build": True})
    try:
        gone = rig.until_state("out_of_service")
        assert isinstance(gone.event, DeviceState)
        assert "cannot be built" in gone.event.detail
    finally:
        rig.boss.stop()


def test_a_driver_that_hangs_is_replaced_and_its_ghost_is_not_heard(rig: Rig) -> None:
    rig.until_scan("opened")
    rig.wire.device_wrote(b"hang")
    assert Moody.hanging.wait(10)
    rig.skew += 9 * NS
    assert not rig.boss.all_ticked(rig.clock() - 5 * NS)  # the watchdog would go hungry
    rig.skew += FAST.hang_ns
    rig.boss.tend()
    rig.skew += 2 * NS
    rig.boss.tend()
    failed = rig.until_state("driver_failed")
    assert isinstance(failed.event, DeviceState)
    assert "hangs" in failed.event.detail
    rig.skew = 3600 * NS
    again = rig.until_scan("opened")
    assert again.generation == 2
    Moody.release.set()
    rig.wire.device_wrote(b"after")
    told = []
    while not told or told[-1] != Scanned("after"):
        told.append(rig.news.get(timeout=10).event)
    assert Scanned("a ghost") not in told


def test_a_confirmation_for_an_earlier_life_of_the_driver_reaches_nobody(rig: Rig) -> None:
    first = rig.until_scan("opened")
    assert rig.boss.post("front", Confirm(1), first.generation)
    rig.until_scan("confirm")
    rig.wire.device_wrote(b"raise")
    rig.until_state("driver_failed")
    rig.until_scan("opened")
    assert not rig.boss.is_current(first)
    assert not rig.boss.post("front", Confirm(1), first.generation)


def test_the_jobs_of_a_dead_driver_end_and_none_is_waited_for_for_ever(rig: Rig) -> None:
    rig.until_scan("opened")
    for job in ("confirmed", "waiting"):
        rig.boss.post("front", Print(job, Slip(())))
    rig.boss.post("front", Confirm(len("confirmed")))
    rig.until_scan("confirm")
    rig.wire.device_wrote(b"raise")
    ends = [rig.until(lambda event: isinstance(event, PrintUnknown | CommandRefused)) for _ in range(2)]
    assert isinstance(ends[0].event, PrintUnknown)
    assert ends[0].event.job == "confirmed"
    assert isinstance(ends[1].event, CommandRefused)
    assert (ends[1].event.command, ends[1].event.job) == ("print", "waiting")
    assert all(rig.boss.is_current(news) for news in ends)


def test_an_order_that_a_hung_driver_never_got_is_refused_by_note(rig: Rig) -> None:
    rig.until_scan("opened")
    rig.wire.device_wrote(b"hang")
    assert Moody.hanging.wait(10)
    assert rig.boss.post("front", StackNote(NoteId("front", 3)))
    rig.skew += FAST.hang_ns + 2 * NS
    rig.boss.tend()
    rig.skew += 2 * NS
    rig.boss.tend()
    refused = rig.until(lambda event: isinstance(event, CommandRefused))
    assert isinstance(refused.event, CommandRefused)
    assert refused.event.note == NoteId("front", 3)
    assert rig.boss.status()[0].left_behind == 1


def test_an_unplugged_device_is_back_after_replug_without_a_restart(rig: Rig) -> None:
    rig.until_scan("opened")
    rig.wire.unplug()
    for _ in range(1000):
        if rig.boss.status()[0].state == "no_port":
            break
        time.sleep(0.005)
    assert rig.boss.status()[0].state == "no_port"
    rig.wire.plug()
    rig.boss.plugged()
    rig.until_scan("opened")
    assert rig.boss.status()[0].restarts == 0


def test_a_full_inbox_does_not_stop_the_thread_that_tends_and_the_news_of_a_death_come_before_the_next_life() -> None:
    inbox: queue.Queue[DeviceNews] = queue.Queue(1)
    wire = Loopback()
    boss = Supervisor(
        [DeviceConfig(name="front", driver="moody", line={"port": "/dev/none"})], {"moody": SPEC}, TOOLS, inbox.put,
        lambda device: ({}, None, bytes(32)), policy=FAST, paths=lambda device: wire, hotplug=False,
    )  # fmt: skip
    boss.start()
    try:
        assert inbox.get(timeout=10).event == Scanned("marks {} 32")
        assert inbox.get(timeout=10).event == Scanned("opened")
        wire.device_wrote(b"last words")
        for _ in range(2000):  # until they fill the inbox
            if inbox.full():
                break
            time.sleep(0.005)
        wire.device_wrote(b"raise")
        for _ in range(2000):
            boss.tend()
            if boss.status()[0].generation == 2:
                break
            time.sleep(0.005)
        for _ in range(20):
            boss.tend()
            time.sleep(0.002)
        assert boss.status()[0].restarts == 0
        told = [inbox.get(timeout=10).event for _ in range(2)]
        assert told[0] == Scanned("last words")
        assert isinstance(told[1], DeviceState)
        assert told[1].state == "driver_failed"
        while boss.status()[0].restarts == 0:
            boss.tend()
        assert inbox.get(timeout=10).event == Scanned("marks {} 32")
    finally:
        while not inbox.empty():
            inbox.get()
        boss.stop()


def test_stopping_names_a_driver_that_hangs_and_does_not_wait_for_it(rig: Rig) -> None:
    rig.until_scan("opened")
    rig.wire.device_wrote(b"hang")
    assert Moody.hanging.wait(10)
    assert rig.boss.stop() == ["front"]
    assert rig.boss.status()[0].state == "stopped"
    assert rig.wire.fileno() == -1


def test_an_order_to_an_unknown_device_names_the_known_ones(rig: Rig) -> None:
    with pytest.raises(DriverError, match="front"):
        rig.boss.post("back", CheckHealth())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"driver": "mody"}, "did you mean 'moody'"),
        ({"transport": "evdev"}, "does not work on transport"),
        ({"options": {"prefx": "x"}}, "did you mean 'prefix'"),
        ({"options": {"prefix": 4}}, "Expected `str`"),
        ({"line": {"port": "/dev/x", "bauds": 1}}, "did you mean 'baud'"),
        ({"line": {"port": "/dev/x", "baud": "fast"}}, "Expected `int`"),
        ({"line": {}}, "missing required field `port`"),
        ({"name": "Front Door"}, "not a name"),
        ({"write_timeout_ms": 0}, "write_timeout_ms"),
    ],
)
def test_a_wrong_section_stops_the_start_and_names_device_and_key(changes: dict[str, Any], words: str) -> None:
    good = DeviceConfig(name="front", driver="moody", line={"port": "/dev/x"})
    with pytest.raises(ConfigError) as caught:
        Supervisor([msgspec.structs.replace(good, **changes)], {"moody": SPEC}, TOOLS, print, lambda d: ({}, None, b""))
    assert words in str(caught.value)
    assert "device" in caught.value.message


def test_two_devices_on_one_port_or_of_one_name_are_refused() -> None:
    one = DeviceConfig(name="front", driver="moody", line={"port": "/dev/x"})
    for other in (DeviceConfig(name="back", driver="moody", line={"port": "/dev/x"}), one):
        with pytest.raises(ConfigError, match=r"two devices|both use port"):
            Supervisor([one, other], {"moody": SPEC}, TOOLS, print, lambda d: ({}, None, b""))


def test_the_drivers_line_defaults_come_first_and_the_configuration_wins() -> None:
    from kiosk.core.supervisor_setup import prepare

    device = DeviceConfig(name="front", driver="moody", line={"port": "/dev/x"})
    assert prepare([device], {"moody": SPEC})[0].line == {"baud": 19200, "port": "/dev/x"}
    faster = DeviceConfig(name="front", driver="moody", line={"port": "/dev/x", "baud": 38400})
    assert prepare([faster], {"moody": SPEC})[0].line["baud"] == 38400
