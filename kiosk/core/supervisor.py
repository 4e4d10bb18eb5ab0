"""Keeps every device's driver running, and says so when one cannot be kept.

One line thread for each device.  A driver that dies is replaced after a back-off that doubles; a driver that
dies more often than the budget allows within the window is taken out of service with its reason, until
`release` or a restart.  A driver that hangs is recognised by its missing heartbeat: its thread is abandoned,
its port freed, and a new one put in its place under the next generation number.

The supervisor has no thread of its own.  The thread that owns the kiosk's state calls `tend` at least once a
second; so `recall` is always called on that thread and needs no lock.  News carry the generation they come
from.  A driver's death begins the next generation: its open print jobs are ended and orders it never got are
refused in the new one, and a confirmation of something that the old one said reaches nobody.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from kiosk.core.line import LineWorker, Memory
from kiosk.core.recorder import LineRecorder, Traffic
from kiosk.core.supervisor_setup import DeviceConfig, PreparedDevice, prepare
from kiosk.errors import DriverError
from kiosk.model.commands import DeviceCommand
from kiosk.model.device_events import DeviceEvent, DeviceState
from kiosk.model.instant import NS
from kiosk.plugins.devices import Capabilities, Driver, DriverSpec, DriverTools
from kiosk.transports import BytePath, make_path
from kiosk.transports.hotplug import HotPlugWatch
from kiosk.transports.shared import SharedLine

__all__ = ["DeviceConfig", "DeviceNews", "DeviceStatus", "RestartPolicy", "Supervisor"]

#: A hang must be seen twice this far apart, so that a machine that was itself asleep accuses nobody.
SECOND_LOOK_NS = NS


class DeviceNews(msgspec.Struct, frozen=True):
    """What a device told, with its name."""

    device: str
    event: DeviceEvent
    #: Monotonic nanoseconds at which it was told.
    at_ns: int
    #: Which life of the driver told it; counts from 1.
    generation: int


class RestartPolicy(msgspec.Struct, frozen=True):
    """How patient the supervisor is."""

    #: Restarts within the window before the device goes out of service.
    budget: int = 5
    window_ns: int = 600 * NS
    first_ns: int = NS // 2
    most_ns: int = 30 * NS
    #: A driver without a heartbeat for so long hangs.
    hang_ns: int = 10 * NS
    #: The same while its port is being opened, which may wait for a name server.
    hang_opening_ns: int = 60 * NS


class DeviceStatus(msgspec.Struct, frozen=True):
    """How one device's driver is doing; for `kiosk devices` and the health page."""

    device: str
    device_class: str
    driver: str
    transport: str
    #: The port as configured.
    port: str
    #: ``in_service``, ``no_port``, ``restarting``, ``out_of_service`` or ``stopped``.
    state: str
    #: Restarts since the start of the service.
    restarts: int
    #: The last trouble, "" when there was none since the port was opened.
    last_error: str
    generation: int
    counters: dict[str, int] = {}
    #: Threads of hung drivers that were left behind and still run; only a restart of the service ends them.
    left_behind: int = 0


class _Post:
    """One device's place: the worker of the present generation and the history of restarts."""

    def __init__(self, device: PreparedDevice) -> None:
        self.device = device
        self.recorder = LineRecorder(recording=device.config.record, discreet=device.spec.device_class == "Scanner")
        self.worker: LineWorker | None = None
        self.port = ""
        self.generation = 1
        #: Abandoned workers whose threads still run.
        self.ghosts: list[LineWorker] = []
        self.restarts = 0
        self.deaths: deque[int] = deque()
        self.restart_at: int | None = None
        self.out_of_service = ""
        self.last_error = ""
        #: Tells of the last death; the next life begins only when it has.
        self.messenger: threading.Thread | None = None
        #: (heartbeat, when it was first found too old)
        self.suspect: tuple[int, int] | None = None


class Supervisor:
    """Owns the line threads and their restarts; refuses to own any state of the kiosk."""

    def __init__(
        self,
        devices: Sequence[DeviceConfig],
        specs: Mapping[str, DriverSpec],
        tools: DriverTools,
        inbox: Callable[[DeviceNews], None],
        recall: Callable[[str], Memory],
        *,
        policy: RestartPolicy | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
        paths: Callable[[PreparedDevice], BytePath] | None = None,
        hotplug: bool = True,
    ) -> None:
        """Check the devices; nothing is opened before `start`.

        Raises:
            ConfigError: a device's section is wrong.
        """
        self._tools = tools
        self._inbox = inbox
        self._recall = recall
        self._policy = policy or RestartPolicy()
        self._clock = clock
        self._paths = paths or _path_of
        self._watch = HotPlugWatch(self.plugged) if hotplug else None
        self._stopped = False
        #: Lines with several devices, by their port.
        self._lines: dict[str, SharedLine] = {}
        self._posts = {ready.config.name: _Post(ready) for ready in prepare(devices, specs)}
        for post in self._posts.values():  # a wrong line setting must stop the start, not the first opening
            post.port = self._path(post.device).label

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every device's driver."""
        for post in self._posts.values():
            self._launch(post)
        if self._watch is not None:
            self._watch.start()

    def tend(self) -> int:
        """Look after all devices; return when to look again (monotonic nanoseconds, a second ahead at most)."""
        now = self._clock()
        again = now + NS
        for post in self._posts.values():
            if self._stopped or post.out_of_service:
                continue
            if post.restart_at is not None:
                if post.messenger is not None and post.messenger.is_alive():
                    continue
                if post.restart_at <= now:
                    post.restarts += 1
                    self._launch(post)
                else:
                    again = min(again, post.restart_at)
            elif reason := self._trouble_with(post, now):
                self._died(post, reason, now)
        return again

    def stop(self) -> list[str]:
        """Stop every device; return the names of those whose threads did not end."""
        self._stopped = True
        if self._watch is not None:
            self._watch.stop()
        for post in self._posts.values():
            if post.worker is not None:
                post.worker.stop(0.0)
        stuck = []
        for name, post in self._posts.items():
            if post.worker is not None and not post.worker.stop():
                post.worker.abandon()
                stuck.append(name)
        return stuck

    def release(self, device: str) -> None:
        """Put a device back into service with a fresh budget; harmless when it is in service.

        Raises:
            DriverError: there is no such device.
        """
        post = self._post(device)
        if post.out_of_service and not self._stopped:
            post.out_of_service = ""
            post.deaths.clear()
            post.restarts += 1
            self._launch(post)

    def _launch(self, post: _Post) -> None:
        post.restart_at = post.suspect = None
        config = post.device.config
        post.worker = LineWorker(
            config.name,
            self._path(post.device),
            partial(self._build, post.device),
            self._recall(config.name),
            partial(self._tell, config.name, post.generation),
            recorder=post.recorder,
            write_timeout_ms=config.write_timeout_ms,
            clock=self._clock,
        )
        post.worker.start()

    def _path(self, device: PreparedDevice) -> BytePath:
        if not device.shared:
            return self._paths(device)
        if device.shared not in self._lines:
            self._lines[device.shared] = SharedLine(self._paths(device))
        return self._lines[device.shared].member()

    def _build(self, device: PreparedDevice) -> Driver:
        return device.spec.build(device.options, self._tools)

    def _tell(self, device: str, generation: int, event: DeviceEvent) -> None:
        self._inbox(DeviceNews(device, event, self._clock(), generation))

    def _trouble_with(self, post: _Post, now: int) -> str:
        worker = post.worker
        if worker is None:
            return ""
        if not worker.alive:
            return worker.dead or "its thread ended"
        beat = worker.last_tick
        if now - beat <= (self._policy.hang_opening_ns if worker.opening else self._policy.hang_ns):
            post.suspect = None
        elif post.suspect is None or post.suspect[0] != beat:
            post.suspect = (beat, now)
        elif now - post.suspect[1] >= SECOND_LOOK_NS:
            worker.abandon()
            post.ghosts = [ghost for ghost in post.ghosts if ghost.alive] + [worker]
            return f"it hangs: no sign of life for {(now - beat) // NS} s"
        return ""

    def _died(self, post: _Post, reason: str, now: int) -> None:
        worker, post.worker = post.worker, None
        post.last_error = reason
        # From here on whatever the dead driver said is old, and whatever is said is of the next life.
        post.generation += 1
        post.recorder.port(f"driver died: {reason}", now, "DriverRestartCount")
        events = worker.orphans(f"the driver failed: {reason}"[:300]) if worker is not None else []
        while post.deaths and now - post.deaths[0] > self._policy.window_ns:
            post.deaths.popleft()
        post.deaths.append(now)
        state, detail = "driver_failed", reason
        if len(post.deaths) > self._policy.budget:
            minutes = self._policy.window_ns // (60 * NS)
            state = "out_of_service"
            detail = post.out_of_service = f"its driver failed {len(post.deaths)} times in {minutes} minutes: {reason}"
        else:
            post.restart_at = now + min(self._policy.first_ns << (len(post.deaths) - 1), self._policy.most_ns)
        self._tell_of_death(post, [*events, DeviceState(state, "fault", detail=detail[:300])])

    def _tell_of_death(self, post: _Post, events: list[DeviceEvent]) -> None:
        # The inbox may be full and its reader is the very thread that tends: waiting here would be for ever.
        name, generation = post.device.config.name, post.generation

        def tell() -> None:
            for event in events:
                self._tell(name, generation, event)

        post.messenger = threading.Thread(target=tell, name=f"news-{name}", daemon=True)
        post.messenger.start()

    # --- orders and questions, from any thread ------------------------------------------------------------

    def post(self, device: str, command: DeviceCommand, generation: int | None = None) -> bool:
        """Hand an order to a device; returns False where nobody is there to take it.

        With a `generation`, only that life of the driver gets it: a confirmation must not reach another one.

        Raises:
            DriverError: there is no such device.
        """
        post = self._post(device)
        worker = post.worker
        if worker is None or generation not in (None, post.generation):
            return False
        return worker.post(command)

    def is_current(self, news: DeviceNews) -> bool:
        """Tell whether this was told in the device's present life; what a dead driver said must not be acted on.

        The next driver finds out from the wire what is still true.
        """
        post = self._posts.get(news.device)
        return post is not None and post.generation == news.generation

    def plugged(self) -> None:
        """Something was plugged in: let every lost line look for its device now."""
        for post in self._posts.values():
            worker = post.worker
            if worker is not None and not worker.connected:
                worker.look()

    def all_ticked(self, since_ns: int) -> bool:
        """Tell whether every worker in service has beaten its heart since then; for the watchdog.

        One that is just opening its port counts as well: `tend` has a longer limit for that.
        """
        workers = [post.worker for post in self._posts.values()]
        return all(
            worker.opening or worker.last_tick >= since_ns for worker in workers if worker is not None and worker.alive
        )

    def status(self) -> list[DeviceStatus]:
        """Tell how every device's driver is doing, in the order of the configuration."""
        return [self._status_of(name, post) for name, post in self._posts.items()]

    def capabilities(self, device: str) -> Capabilities:
        """Return what the device's driver declared.

        Raises:
            DriverError: there is no such device.
        """
        return self._post(device).device.spec.capabilities

    def of_class(self, device_class: str) -> list[str]:
        """Return the names of all devices of a class, in the order of the configuration."""
        return [name for name, post in self._posts.items() if post.device.spec.device_class == device_class]

    def record(self, device: str, on: bool) -> None:
        """Switch recording of a line's traffic on or off.

        Raises:
            DriverError: there is no such device.
        """
        self._post(device).recorder.record(on)

    def traffic(self, device: str) -> list[Traffic]:
        """Return the recorded traffic of a line, oldest first.

        Raises:
            DriverError: there is no such device.
        """
        return self._post(device).recorder.traffic()

    def recording(self, device: str) -> bool:
        """Tell whether a line's traffic is being recorded.

        Raises:
            DriverError: there is no such device.
        """
        return self._post(device).recorder.recording

    def prepared(self, device: str) -> PreparedDevice:
        """Return a device as it was configured.

        Raises:
            DriverError: there is no such device.
        """
        return self._post(device).device

    def _status_of(self, name: str, post: _Post) -> DeviceStatus:
        worker = post.worker
        if self._stopped:
            state, error = "stopped", post.last_error
        elif post.out_of_service:
            state, error = "out_of_service", post.out_of_service
        elif worker is None or worker.dead:
            state, error = "restarting", post.last_error or (worker.dead if worker else "")
        elif not worker.connected:
            state, error = "no_port", worker.last_error
        else:
            state, error = "in_service", ""
        spec = post.device.spec
        return DeviceStatus(
            name, spec.device_class, spec.name, post.device.transport, post.port, state, post.restarts, error,
            post.generation, post.recorder.counters(), sum(ghost.alive for ghost in post.ghosts),
        )  # fmt: skip

    def _post(self, device: str) -> _Post:
        try:
            return self._posts[device]
        except KeyError:
            known = ", ".join(self._posts) or "none"
            raise DriverError(f"no device is called {device[:40]!r}", hint=f"there are: {known}") from None


def _path_of(device: PreparedDevice) -> BytePath:
    return make_path(device.transport, device.line, where=f"{device.where}, line")
