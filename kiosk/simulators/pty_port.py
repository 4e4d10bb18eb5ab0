"""A device role on a real pseudo-terminal, under a stable path.

What a pty cannot do is parity: the kernel drops it, and a program that opens the same pty with the same 8E1 settings a
second time gets EINVAL.  So this side changes the line speed (which means nothing here) whenever the program has opened
or left the port; the master's descriptor reaches the slave's settings.  `unplug` closes the master: the program sees
a hang-up and the path is gone, as with a pulled USB adapter.
"""

from __future__ import annotations

import os
import select
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path

from kiosk.errors import SimulatorError
from kiosk.simulators.role_port import Role, RolePort

_SPEEDS = (termios.B1200, termios.B2400)


class PtyPort(RolePort[Role]):
    """Owns a pty and the link to it; one program at a time is at the other end."""

    def __init__(
        self, role: Role, path: Path | str, *, clock: Callable[[], int] = time.monotonic_ns, name: str = "device"
    ) -> None:
        super().__init__(role, clock=clock, name=name)
        self.path = Path(path)
        self._master: int | None = None
        self._present = False
        self._target = ""
        self._speed = 0

    @property
    def plugged(self) -> bool:
        """Tell whether the cable is in."""
        return self._master is not None

    def replug(self) -> None:
        """Make a fresh pty and point the stable path at it."""
        with self._lock:
            if self._master is not None:
                return
            master, slave = os.openpty()
            self._target = os.ttyname(slave)
            tty.setraw(slave)
            os.close(slave)
            os.set_blocking(master, False)
            self._master, self._present = master, False
            self._new_speed()
            link = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                if self.path.exists() and not self.path.is_symlink():
                    raise SimulatorError(f"{self.path} is in the way", hint="choose a path that is free")
                link.unlink(missing_ok=True)
                link.symlink_to(self._target)
                link.replace(self.path)
            except OSError as error:
                self.unplug()
                raise SimulatorError(f"cannot make {self.path}: {error.strerror}", hint="choose another path") from None
        self.wake()

    def unplug(self) -> None:
        """Pull the cable: the program's port hangs up and the path goes away."""
        with self._lock:
            if self._master is None:
                return
            self._ended += 1
            os.close(self._master)
            self._master, self._present = None, False
            self._pending.clear()
            if self.path.is_symlink() and os.readlink(self.path) == self._target:
                self.path.unlink()
        self.wake()

    def _descriptor(self) -> int | None:
        if self._master is None:
            return None
        if not self._present:
            poll = select.poll()
            poll.register(self._master, 0)
            if poll.poll(0):  # POLLHUP: no program has it open
                return None
            self._present = True
        if self._speed_is_the_programs():
            self._new_speed()
        return self._master

    def _broken(self) -> None:
        self._present = False
        self._pending.clear()
        if self._master is not None:
            # What the program that left had not read is gone with it.  What came in stays: the next program may have
            # opened the port and asked before this side saw that the last one left.
            termios.tcflush(self._master, termios.TCOFLUSH)
            self._new_speed()

    def _speed_is_the_programs(self) -> bool:
        return self._master is not None and termios.tcgetattr(self._master)[4] not in _SPEEDS

    def _new_speed(self) -> None:
        """Set another speed, so that the program's next open changes something and is not refused."""
        assert self._master is not None
        self._speed = 1 - self._speed
        settings = termios.tcgetattr(self._master)
        settings[4] = settings[5] = _SPEEDS[self._speed]
        termios.tcsetattr(self._master, termios.TCSANOW, settings)
