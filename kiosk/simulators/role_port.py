"""A thread that gives a device role a real port and real time.

The role stays sans-I/O; this thread moves its bytes, tells it the time and serialises the hands that reach into
it.  Subclasses own the kind of port: how it is opened, and when somebody is at the other end.

Rules: the role is touched only under the lock; a byte goes to the role only while it has `room`, so a printer without
paper really stops reading; what the role says while nobody listens is lost, as on a real line.
"""

from __future__ import annotations

import os
import select
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from kiosk.errors import SimulatorError

#: How often a port without a partner looks for one.
_LOOK_MS = 20
_MAX_READ = 4096
#: More than any reply; beyond it the far end does not read and the rest is lost.
_MAX_PENDING = 65_536


class DeviceRole(Protocol):
    """What every simulated device offers to the wire.

    A role may also offer ``room() -> int``, how many bytes it takes now; without it there is always room.
    """

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host."""

    def tick(self, now: int) -> None:
        """The time is `now`, nanoseconds."""

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next."""

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""


Role = TypeVar("Role", bound=DeviceRole)


class RolePort(ABC, Generic[Role]):
    """Owns the thread, the lock and the wake pipe; refuses to know what the device is."""

    def __init__(self, role: Role, *, clock: Callable[[], int] = time.monotonic_ns, name: str = "device") -> None:
        self.role = role
        self.name = name
        #: What ended the thread, if anything but `stop` did.
        self.died: BaseException | None = None
        self._clock = clock
        self._lock = threading.RLock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread: threading.Thread | None = None
        self._running = False
        self._pending = bytearray()
        #: Counts the connections that ended: a descriptor's number is used again at once, so an event seen for the
        #: number alone could end the next connection.
        self._ended = 0

    # --- for people and tests ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the port and serve it until `stop`."""
        if self._thread is not None:
            raise SimulatorError(f"the simulated {self.name} is running already", hint="start it once")
        self.replug()
        self._running = True
        self._thread = threading.Thread(target=self._serve, name=f"simulated-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        self._running = False
        self.wake()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None
        self.unplug()
        for fd in (self._wake_read, self._wake_write):
            if fd >= 0:
                os.close(fd)
        self._wake_read = self._wake_write = -1

    def __enter__(self) -> RolePort[Role]:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextmanager
    def hands(self) -> Iterator[Role]:
        """Reach into the device: it is told the time first, and what follows from the act leaves at once."""
        with self._lock:
            self.role.tick(self._clock())
            yield self.role
        self.wake()

    def wake(self) -> None:
        """Make the thread look again now."""
        if self._wake_write >= 0:
            try:
                os.write(self._wake_write, b"!")
            except BlockingIOError:
                pass  # the pipe is full of wakes: the thread is being woken anyway

    # --- for the kinds of port ----------------------------------------------------------------------------------

    @abstractmethod
    def replug(self) -> None:
        """Plug the device in again."""

    @abstractmethod
    def unplug(self) -> None:
        """Pull the device's cable."""

    @abstractmethod
    def _descriptor(self) -> int | None:
        """Return the descriptor to move bytes on, or None while nobody is at the other end."""

    def _broken(self) -> None:
        """The other end went away."""

    # --- the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while self._running:
                self._turn()
        except BaseException as error:  # noqa: BLE001 - kept as a value: a dead simulator must be seen, not guessed
            self.died = error

    def _turn(self) -> None:
        with self._lock:
            now = self._clock()
            self.role.tick(now)
            outbound = b"".join(self.role.take_outbound())
            deadline = self.role.deadline()
            room = self._room()
            descriptor = self._descriptor()
            ended = self._ended
            if descriptor is None:
                self._pending.clear()
            elif len(self._pending) + len(outbound) <= _MAX_PENDING:
                self._pending += outbound
        wait_ms = 1000 if deadline is None else max(0, min(1000, -((now - deadline) // 1_000_000)))
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if descriptor is None:
            wait_ms = min(wait_ms, _LOOK_MS)
        else:
            poll.register(descriptor, (select.POLLIN if room else 0) | (select.POLLOUT if self._pending else 0))
        for fd, event in poll.poll(wait_ms):
            if fd == self._wake_read:
                os.read(self._wake_read, 4096)
            else:
                self._move(fd, event, ended)

    def _room(self) -> int:
        room = getattr(self.role, "room", None)
        return min(_MAX_READ, room()) if room is not None else _MAX_READ

    def _move(self, fd: int, event: int, ended: int) -> None:
        with self._lock:
            if ended != self._ended or fd != self._descriptor():
                return  # unplugged meanwhile
            try:
                if event & select.POLLOUT and self._pending:
                    del self._pending[: os.write(fd, self._pending)]
                if event & select.POLLIN and (room := self._room()):
                    data = os.read(fd, room)
                    if not data:
                        self._broken()
                        return
                    self.role.received(data, self._clock())
                elif event & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    self._broken()
            except BlockingIOError:
                return
            except OSError:  # EIO on a pty, ECONNRESET on a socket: both mean that the other end is gone
                self._broken()
