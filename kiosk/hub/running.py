"""Keeps the hub's processes running: starts them, starts those again that end, and stops them in order.

Each part is a process of its own (`kiosk hub part NAME`), so that a fault in one page or one worker reaches no other.
A part that ends is started again after a back-off that doubles.  Without the front or a worker no journal is taken:
when one of these ends more often than its budget allows, the whole hub ends, so that the service manager and people
see it.  The others are tried for ever, because a hub that takes journals is worth more than one that shows pages.

Rules that must stay true: two hubs never share a state directory; the front stops first, so that nothing is promised
that no worker takes; children do not outlive this process (`kiosk hub part` watches its parent).
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from kiosk import notify
from kiosk.errors import HubError
from kiosk.hub.settings import HubConfig

#: Every part and the module whose `run` it is.
MODULES = {
    "front": "kiosk.hub.front.service",
    "worker": "kiosk.hub.ingest.service",
    "projector": "kiosk.hub.posting.service",
    "librarian": "kiosk.hub.feed.service",
    "web": "kiosk.hub.web.service",
}
#: Parts without which no journal is taken in.
VITAL = ("front", "worker")
#: File in the runtime directory that tells what runs (`Parts`).
PARTS_FILE = "parts.json"
#: Longest path of a socket, bytes (unix(7)), and the longest name that is put into the runtime directory.
_SOCKET_PATH, _SOCKET_NAME = 107, 20
_LOOK_S = 0.1
#: Environment of a part: the process id of its supervisor, without which it ends.
PARENT = "KIOSK_HUB_PARENT"


class Policy(msgspec.Struct, frozen=True):
    """How patient the supervisor is; seconds."""

    first_s: float = 0.5
    most_s: float = 30.0
    #: Ends of a vital part within the window that end the hub.
    budget: int = 10
    window_s: float = 300.0
    #: A start counts as good after so long.
    settled_s: float = 1.0
    #: What a part has to end in order before it is killed.
    stop_s: float = 15.0


class PartState(msgspec.Struct, frozen=True):
    """How one process is."""

    name: str
    number: int
    #: ``running``, ``waiting`` (for its next start), ``stopped``.
    state: str
    pid: int
    restarts: int
    #: Exit code of its last end, a signal negative; None before it ended.
    last_exit: int | None
    since_ns: int

    @property
    def title(self) -> str:
        """Its name for people, e.g. ``worker 0``."""
        return title_of(self.name, self.number)


class Parts(msgspec.Struct, frozen=True):
    """All processes of a running hub."""

    pid: int
    started_ns: int
    parts: tuple[PartState, ...] = ()


def title_of(name: str, number: int) -> str:
    """Return a part's name for people."""
    return f"{name} {number}" if name == "worker" else name


def command_of(file: Path, name: str, number: int) -> list[str]:
    """Return the command line of a part."""
    return [sys.executable, "-m", "kiosk", "hub", "part", name, "--number", str(number), "--config", str(file)]


class StateLock:
    """The right to be the hub of a state directory; the kernel gives it back with the process."""

    def __init__(self, state: Path) -> None:
        """Take the lock.

        Raises:
            HubError: another hub has it, or the directory cannot be used.
        """
        path = state / "hub.lock"
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HubError(f"{path}: {error.strerror}", hint="kiosk hub init makes the state directory") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise HubError(f"{state} is in use by process {holder}", hint="stop that hub first") from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give it back.  Safe to call twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> StateLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def prepare_runtime(runtime: Path) -> None:
    """Make the directory of the internal sockets, for this user alone.

    Raises:
        HubError: it cannot be made, belongs to somebody else, or its path is too long for a socket.
    """
    if len(os.fsencode(runtime)) + 1 + _SOCKET_NAME > _SOCKET_PATH:
        raise HubError(f"hub.runtime {str(runtime)[:60]}… is too long for a socket", hint="e.g. /run/kiosk-hub")
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = runtime.stat()
        if told.st_uid != os.geteuid():
            raise HubError(f"{runtime} belongs to user {told.st_uid}", hint="give a directory the hub owns")
        if told.st_mode & 0o077:
            runtime.chmod(0o700)
    except OSError as error:
        raise HubError(f"{runtime}: {error.strerror}", hint="give a directory the hub owns") from error


def running_parts(runtime: Path) -> Parts | None:
    """Return what runs, as its supervisor last told; None where no hub runs."""
    try:
        told = msgspec.json.decode((runtime / PARTS_FILE).read_bytes(), type=Parts)
        os.kill(told.pid, 0)
    except PermissionError:
        return told  # it runs as somebody else
    except (OSError, msgspec.DecodeError):
        return None
    return told


class _Process:
    """One part and its lives."""

    def __init__(self, name: str, number: int, command: list[str]) -> None:
        self.name, self.number, self.command = name, number, command
        self.child: subprocess.Popen[bytes] | None = None
        self.ends: deque[float] = deque()
        self.restarts = 0
        self.last_exit: int | None = None
        self.begun = 0.0
        self.next_start = 0.0
        self.since_ns = 0

    def told(self) -> PartState:
        state = "running" if self.child else "waiting" if self.since_ns else "stopped"
        pid = self.child.pid if self.child else 0
        return PartState(self.name, self.number, state, pid, self.restarts, self.last_exit, self.since_ns)


class HubRunning:
    """All processes of one hub.  `run` is the loop of the supervisor's only thread."""

    def __init__(
        self, file: Path, config: HubConfig, say: Callable[[str], None], *, policy: Policy = Policy(),  # noqa: B008
        command: Callable[[Path, str, int], list[str]] = command_of, parts: Sequence[tuple[str, int]] | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._say = say
        self._policy = policy
        if parts is None:
            workers = [("worker", number) for number in range(config.hub.workers)]
            parts = [*workers, ("librarian", 0), ("projector", 0), ("front", 0), ("web", 0)]
        self._processes = [_Process(name, number, command(file, name, number)) for name, number in parts]
        self._started_ns = time.time_ns()

    def run(self, stop: Callable[[], bool]) -> int:
        """Keep everything running until `stop` says so or a vital part cannot be kept; return the exit code.

        Raises:
            HubError: another hub runs on this state directory, or the runtime directory cannot be used.
        """
        prepare_runtime(self._config.runtime)
        with StateLock(self._config.state):
            ready = False
            try:
                while not stop():
                    given_up = self._tend(time.monotonic())
                    if given_up is not None:
                        self._say(f"{title_of(given_up.name, given_up.number)} ends again and again; the hub ends")
                        return 1
                    if not ready and self._settled(time.monotonic()):
                        ready = True
                        notify.ready(f"{len(self._processes)} parts")
                        self._say("hub: ready")
                    if all(one.child for one in self._processes if one.name in VITAL):
                        notify.watchdog()
                    time.sleep(_LOOK_S)
                return 0
            finally:
                notify.stopping("stopping the front, then the workers")
                self._stop()
                (self._config.runtime / PARTS_FILE).unlink(missing_ok=True)

    def _tend(self, now: float) -> _Process | None:
        """Notice ends, start what is due; return a vital part whose budget is used up."""
        changed = False
        for one in self._processes:
            if one.child is not None and (code := one.child.poll()) is not None:
                changed = True
                self._ended(one, code, now)
                if one.name in VITAL and len(one.ends) >= self._policy.budget:
                    return one
            if one.child is None and now >= one.next_start:
                changed = True
                self._start(one, now)
        if changed:
            self._tell()
        return None

    def _start(self, one: _Process, now: float) -> None:
        # A session of its own: Ctrl-C in a terminal reaches the supervisor alone, which stops the parts in order.
        environment = {**os.environ, PARENT: str(os.getpid())}
        one.child = subprocess.Popen(one.command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
        one.begun, one.since_ns = now, time.time_ns()

    def _ended(self, one: _Process, code: int, now: float) -> None:
        one.child, one.last_exit = None, code
        one.restarts += 1
        one.since_ns = time.time_ns()
        one.ends.append(now)
        while one.ends and one.ends[0] < now - self._policy.window_s:
            one.ends.popleft()
        wait = min(self._policy.first_s * 2 ** (len(one.ends) - 1), self._policy.most_s)
        one.next_start = now + wait
        self._say(f"{title_of(one.name, one.number)} ended with {code}; it starts again in {wait:g} s")

    def _settled(self, now: float) -> bool:
        return all(one.child and now - one.begun >= self._policy.settled_s for one in self._processes)

    def _stop(self) -> None:
        """Stop the front, then the workers, then the rest; what does not end in time is killed."""
        for names in (("front",), ("worker",), tuple(MODULES)):
            some = [one for one in self._processes if one.name in names and one.child is not None]
            for one in some:
                assert one.child is not None
                one.child.send_signal(signal.SIGTERM)
            until = time.monotonic() + self._policy.stop_s
            for one in some:
                assert one.child is not None
                try:
                    one.last_exit = one.child.wait(max(until - time.monotonic(), 0.1))
                except subprocess.TimeoutExpired:
                    self._say(f"{title_of(one.name, one.number)} does not end; it is killed")
                    one.child.kill()
                    one.last_exit = one.child.wait()
                one.child, one.since_ns = None, 0

    def _tell(self) -> None:
        told = Parts(os.getpid(), self._started_ns, tuple(one.told() for one in self._processes))
        path = self._config.runtime / PARTS_FILE
        part = path.with_name(PARTS_FILE + ".new")
        try:
            part.write_bytes(msgspec.json.encode(told))
            part.rename(path)
        except OSError as error:
            self._say(f"{path} cannot be written: {error.strerror}")  # only `kiosk hub status` misses it
