"""One port, several devices, turns: bytes reach only whose turn it is, and nobody keeps or breaks the line for all."""

from __future__ import annotations

import os
import pty
import queue
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping

import msgspec
import pytest

from kiosk.core.supervisor import DeviceConfig, DeviceNews, RestartPolicy, Supervisor
from kiosk.core.supervisor_setup import prepare
from kiosk.drivers.cctalk_hopper import SPEC as HOPPER
from kiosk.errors import ConfigError, TransportError
from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import DeviceEvent, Scanned
from kiosk.model.instant import NS
from kiosk.plugins.devices import (
    Capabilities,
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    Write,
)
from kiosk.transports.loopback import Loopback
from kiosk.transports.shared import MS, PLACE_NS, QUIET_NS, TURN_NS, MemberPath, SharedLine, TurnLost
from tests.descriptors import no_more_than, open_descriptors

TURN, OVER = PortRequest(1, "turn"), PortRequest(2, "turn_over")


class Clock:
    """Time that stands still."""

    now = 10 * NS

    def __call__(self) -> int:
        return self.now


class Bus:
    """A shared line over a loopback, and its members, open."""

    def __init__(self, members: int = 3) -> None:
        self.wire, self.clock = Loopback("bus"), Clock()
        self.line = SharedLine(self.wire, clock=self.clock)
        self.members = [self.line.member() for _ in range(members)]
        for member in self.members:
            member.open()

    def turn(self, member: MemberPath) -> bool:
        """Ask for a turn."""
        reply = member.request(TURN)
        assert reply.ok or reply.data == b"busy"
        return reply.ok


def test_only_the_member_whose_turn_it_is_reads_writes_and_waits_on_the_port() -> None:
    bus = Bus()
    one, two, three = bus.members
    assert bus.turn(one)
    assert [each.fileno() == bus.wire.fileno() for each in bus.members] == [True, False, False]
    assert one.write(b"poll") == 4
    bus.wire.device_wrote(b"answer")
    assert [two.read(), three.read(), one.read()] == [b"", b"", b"answer"]
    assert not two.request(PortRequest(3, "flush_input")).ok
    one.request(OVER)
    assert bus.turn(two)
    assert one.fileno() != bus.wire.fileno() == two.fileno()


def test_the_first_member_opens_the_port_and_the_last_one_closes_it() -> None:
    bus = Bus()
    assert bus.wire.opens == 1
    for member in bus.members[:2]:
        member.close()
        member.close()
    assert bus.wire.fileno() >= 0
    bus.members[2].close()
    assert bus.wire.fileno() == -1
    bus.members[0].open()
    assert bus.wire.opens == 2


def test_who_waits_comes_before_who_has_just_had_its_turn() -> None:
    bus = Bus()
    one, two, three = bus.members
    assert bus.turn(one)
    assert not bus.turn(three)
    assert not bus.turn(two)
    one.request(OVER)
    assert not bus.turn(one)
    assert not bus.turn(two)
    assert bus.turn(three)
    three.request(OVER)
    assert bus.turn(two)


def test_who_stopped_asking_keeps_nobody_waiting() -> None:
    bus = Bus()
    one, two, _ = bus.members
    assert bus.turn(one)
    assert not bus.turn(two)
    one.request(OVER)
    assert not bus.turn(one)
    bus.clock.now += PLACE_NS + 1
    assert bus.turn(one)


def test_a_member_that_never_gives_back_loses_its_turn_when_another_one_asks() -> None:
    bus = Bus()
    one, two, _ = bus.members
    assert bus.turn(one)
    bus.clock.now += TURN_NS - MS
    assert bus.turn(one), "asking again for what one has changes nothing"
    assert not bus.turn(two)
    bus.clock.now += MS
    assert not bus.turn(two), "the line must fall silent first"
    with pytest.raises(TurnLost, match="kept too long"):
        one.read()
    with pytest.raises(TurnLost, match="kept too long"):
        one.write(b"more")
    bus.clock.now += QUIET_NS
    assert bus.turn(two)
    assert bus.line.counts.overstayed == 1
    one.open()
    assert one.read() == b""


def test_a_member_that_dies_in_its_turn_gives_it_up_and_its_answer_reaches_nobody() -> None:
    bus = Bus()
    one, two, _ = bus.members
    assert bus.turn(one)
    one.write(b"dispense")
    one.close()
    assert not bus.turn(two)
    bus.wire.device_wrote(b"done")
    bus.clock.now += QUIET_NS
    assert bus.turn(two)
    assert two.read() == b""
    assert (bus.line.counts.abandoned, bus.line.counts.strays) == (1, 4)


@pytest.mark.parametrize(
    ("over", "heard", "silent"), [(b"", False, True), (b"unanswered", True, True), (b"", True, False)]
)
def test_a_late_answer_is_not_taken_for_the_next_ones(over: bytes, heard: bool, silent: bool) -> None:
    bus = Bus(2)
    one, two = bus.members
    assert bus.turn(one)
    one.write(b"poll")
    if heard:  # an echo, or an answer
        bus.wire.device_wrote(b"poll")
        assert one.read() == b"poll"
    one.request(PortRequest(2, "turn_over", over))
    assert bus.turn(two) is not silent
    bus.clock.now += QUIET_NS
    assert bus.turn(two)


def test_bytes_that_came_in_nobodys_turn_are_thrown_away_before_the_next_one() -> None:
    bus = Bus(2)
    one, two = bus.members
    bus.wire.device_wrote(b"noise")
    assert bus.turn(one)
    assert one.read() == b""
    one.request(OVER)
    bus.wire.device_wrote(b"late")
    assert bus.turn(two)
    assert two.read() == b""
    assert bus.line.counts.strays == 9


def test_who_writes_outside_its_turn_reaches_nothing_and_is_told() -> None:
    bus = Bus(2)
    one, two = bus.members
    assert bus.turn(one)
    with pytest.raises(TransportError, match="outside its turn"):
        two.write(b"dispense")
    assert bus.wire.device_reads() == b""
    assert not two.request(OVER).ok
    assert one.write(b"x") == 1


def test_a_lost_port_is_told_to_every_member_and_opened_again_once() -> None:
    bus = Bus()
    one, two, three = bus.members
    assert bus.turn(one)
    bus.wire.unplug()
    with pytest.raises(TransportError, match="unplugged"):
        one.read()
    for member in (two, three):
        assert wakes(member.fileno())
        with pytest.raises(TransportError, match="unplugged"):
            member.read()
    bus.wire.plug()
    for member in bus.members:
        member.open()
    assert bus.wire.opens == 2
    assert bus.turn(three)


def test_a_port_lost_between_turns_is_told_to_who_asks_next_and_to_all_others() -> None:
    bus = Bus(2)
    one, two = bus.members
    bus.wire.unplug()
    assert not bus.turn(one)
    for member in (one, two):
        with pytest.raises(TransportError, match="unplugged"):
            member.read()


def test_members_leak_no_descriptor_over_losses_and_openings() -> None:
    bus = Bus()
    before = open_descriptors()
    for _ in range(50):
        bus.wire.unplug()
        bus.turn(bus.members[0])
        bus.wire.plug()
        for member in bus.members:
            member.close()
            member.open()
    assert no_more_than(before)


def wakes(fd: int) -> bool:
    """Whether a wait on the descriptor would end."""
    import select

    return bool(select.select([fd], [], [], 0)[0])


# --- whole line threads on a pty, with a bus of devices at its other end -----------------------------------------


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: int = 0
    #: ``keeper`` never gives back, ``dier`` raises in its turn, ``pusher`` never asks.
    manner: str = ""


class Poller:
    """Speaks a bus of two bytes: address and a number; the device answers with both."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.events: list[DeviceEvent] = []
        self.outbound: list[Outbound] = []
        self.next: int | None = None
        self.number = 0
        self.waits = False

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None: ...

    def port(self, event: PortEvent, now: int) -> None:
        if isinstance(event, Opened):
            self.waits, self.next = False, now
        elif isinstance(event, Lost):
            self.next = None
            self.events.append(Scanned(f"lost {event.reason}"))
        elif isinstance(event, Reply) and event.id == 1:
            if event.ok or not event.data:
                self.say(now)
            else:
                self.next = now + 2 * MS

    def say(self, now: int) -> None:
        if self.options.manner == "dier" and self.number >= 3:
            raise RuntimeError("in its turn")
        self.number = (self.number + 1) % 200
        self.outbound.append(Write(bytes([self.options.address, self.number])))
        self.waits, self.next = True, now + NS

    def received(self, data: bytes, now: int) -> None:
        if self.options.manner == "keeper":
            return
        self.events.append(Scanned(data.hex()))
        self.outbound.append(PortRequest(2, "turn_over"))
        self.waits, self.next = False, now + MS

    def tick(self, now: int) -> None:
        if self.next is None or now < self.next:
            return
        self.next = None
        if self.options.manner == "keeper" and self.waits:
            return
        if self.options.manner == "pusher":
            self.say(now)
        else:
            self.outbound.append(PortRequest(1, "turn"))

    def command(self, cmd: DeviceCommand, now: int) -> None: ...

    def deadline(self) -> int | None:
        return self.next

    def take_outbound(self) -> list[Outbound]:
        out, self.outbound = self.outbound, []
        return out

    def take_events(self) -> list[DeviceEvent]:
        out, self.events = self.events, []
        return out


def build(options: Options, tools: DriverTools) -> Driver:
    return Poller(options)


POLLER = DriverSpec("poller", "CoinAcceptor", ("serial",), Options, build, capabilities=Capabilities(shares_line=True))
ALONE = msgspec.structs.replace(POLLER, name="alone", capabilities=Capabilities())
SPECS = {"poller": POLLER, "alone": ALONE}


class WiredBus:
    """A pty with a bus behind it: answers every address, and notes frames that were mixed up."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave
        self.frames: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        rest = b""
        try:
            while data := os.read(self.master, 256):
                rest += data
                while len(rest) >= 2:
                    frame, rest = rest[:2], rest[2:]
                    self.frames.append(frame)
                    os.write(self.master, frame)
        except OSError:
            return  # unplugged

    def free(self) -> None:
        """Give up the bus's own hold on the program's end, so that closing is seen."""
        os.close(self._slave)


@pytest.fixture
def bus() -> Iterator[WiredBus]:
    wired = WiredBus()
    yield wired
    try:
        os.close(wired.master)
    except OSError:
        pass  # the test unplugged it


def start(path: str, manners: Mapping[str, str]) -> tuple[Supervisor, queue.Queue[DeviceNews]]:
    devices = [
        DeviceConfig(name=name, driver="poller", line={"port": path}, record=True,
                     options={"address": 16 * (number + 1), "manner": manner})
        for number, (name, manner) in enumerate(manners.items())
    ]  # fmt: skip
    news: queue.Queue[DeviceNews] = queue.Queue()
    supervisor = Supervisor(
        devices, SPECS, DriverTools("USD"), news.put, lambda device: ({}, None, bytes(32)),
        hotplug=False, policy=RestartPolicy(budget=2, first_ns=MS),
    )  # fmt: skip
    supervisor.start()
    until(lambda: supervisor.status()[0].counters.get("OpenCount", 0) > 0, supervisor)
    return supervisor, news


def until(true: Callable[[], bool], supervisor: Supervisor) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        supervisor.tend()
        time.sleep(0.002)


def heard(supervisor: Supervisor, device: str) -> bytes:
    return b"".join(each.data for each in supervisor.traffic(device) if each.way == "<")


def test_three_drivers_speak_on_one_pty_and_each_hears_its_own_device_only(bus: WiredBus) -> None:
    supervisor, _ = start(bus.path, {"coins": "", "notes": "", "hopper": ""})
    bus.free()
    until(lambda: all(len(heard(supervisor, name)) >= 40 for name in ("coins", "notes", "hopper")), supervisor)
    for number, name in enumerate(("coins", "notes", "hopper"), 1):
        traffic = supervisor.traffic(name)
        assert {each.data[0] for each in traffic if each.way == ">"} == {16 * number}
        assert set(heard(supervisor, name)[::2]) == {16 * number}
    assert {frame[0] for frame in bus.frames} == {16, 32, 48}
    assert supervisor.stop() == []


@pytest.mark.parametrize("manner", ["dier", "pusher"])
def test_a_driver_that_dies_or_pushes_in_does_not_stop_the_others(bus: WiredBus, manner: str) -> None:
    supervisor, _ = start(bus.path, {"coins": "", "notes": manner, "hopper": ""})
    bus.free()
    until(lambda: supervisor.status()[1].counters.get("LostCount", 0) > 0
          or supervisor.status()[1].state == "out_of_service", supervisor)  # fmt: skip
    before = len(heard(supervisor, "coins")), len(heard(supervisor, "hopper"))
    until(lambda: len(heard(supervisor, "coins")) > before[0] + 6 and len(heard(supervisor, "hopper")) > before[1] + 6,
          supervisor)  # fmt: skip
    assert set(heard(supervisor, "coins")[::2]) == {16}
    assert supervisor.stop() == []


def test_a_driver_that_keeps_the_line_is_told_and_counted(bus: WiredBus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.core.supervisor.SharedLine", lambda path: SharedLine(path, turn_ns=50 * MS))
    supervisor, _ = start(bus.path, {"coins": "", "notes": "keeper"})
    bus.free()
    until(lambda: supervisor.status()[1].counters.get("TurnLostCount", 0) > 0, supervisor)
    before = len(heard(supervisor, "coins"))
    until(lambda: len(heard(supervisor, "coins")) > before + 6, supervisor)
    assert supervisor.stop() == []


def test_an_unplugged_bus_is_told_to_every_driver(bus: WiredBus) -> None:
    supervisor, news = start(bus.path, {"coins": "", "hopper": ""})
    bus.free()
    until(lambda: all(heard(supervisor, name) for name in ("coins", "hopper")), supervisor)
    os.close(bus.master)
    until(lambda: {each.state for each in supervisor.status()} == {"no_port"}, supervisor)
    supervisor.stop()
    lost = {told.device for told in list(news.queue) if isinstance(told.event, Scanned) and "lost" in told.event.label}
    assert lost == {"coins", "hopper"}


def test_one_port_is_given_to_two_devices_only_where_both_drivers_share_and_settings_are_equal() -> None:
    def two(driver: str, **line: object) -> list[DeviceConfig]:
        return [
            DeviceConfig(name="coins", driver="poller", line={"port": "/dev/ttyS0"}),
            DeviceConfig(name="notes", driver=driver, line={"port": "/dev/ttyS0", **line}, options={"address": 40}),
        ]

    assert [each.shared for each in prepare(two("poller"), SPECS)] == ["/dev/ttyS0", "/dev/ttyS0"]
    assert [each.shared for each in prepare(two("poller", baud=9600), SPECS)] == ["/dev/ttyS0", "/dev/ttyS0"]
    assert [each.shared for each in prepare(two("alone")[:1], SPECS)] == [""]
    with pytest.raises(ConfigError, match="both use port") as alone:
        prepare(two("alone"), SPECS)
    assert "driver alone wants a line of its own" in alone.value.hint
    with pytest.raises(ConfigError, match="different line settings") as unequal:
        prepare(two("poller", baud=19200), SPECS)
    assert "baud" in unequal.value.hint


def test_two_units_on_one_line_have_addresses_of_their_own() -> None:
    specs = {**SPECS, "cctalk_hopper": HOPPER}

    def hoppers(address: int) -> list[DeviceConfig]:
        line, security = {"port": "/dev/ttyS0"}, {"security": "serial"}
        return [
            DeviceConfig(name="quarters", driver="cctalk_hopper", line=line, options=security),
            DeviceConfig(name="dollars", driver="cctalk_hopper", line=line, options={**security, "address": address}),
        ]

    assert len(prepare(hoppers(4), specs)) == 2
    with pytest.raises(ConfigError, match="at the same address 3"):
        prepare(hoppers(3), specs)
