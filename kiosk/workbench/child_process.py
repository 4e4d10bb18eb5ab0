"""A process of the demonstration (kiosk, kiosk-sync, hub): started, watched, killed as by a power cut, and again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.errors import KioskError

#: How long a start may take, a slow card included.
START_MS = 60_000
_LOOK_S = 0.1
_WATCH_S = 0.5
#: Starts within a minute after which it is left alone.
BUDGET = 6


class ChildProcess:
    """Owns one child process.  A crash is followed by a new start, as the service manager would."""

    def __init__(
        self, config: Path, url: Path | None, log: Path, told: Callable[[str], None], *,
        words: tuple[str, ...] = ("run",), title: str = "the kiosk",
    ) -> None:  # fmt: skip
        """`words` follow the command `kiosk`; `url` is the file that it writes its address into, None for none."""
        self._config = config
        self._url = url
        self._log = log
        self._told = told
        self._words = words
        self._title = title
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._lock = threading.RLock()
        self._watcher: threading.Thread | None = None
        self._starts: list[int] = []
        self._ended = threading.Event()
        #: Asked for, and not started by the watcher yet.
        self._fresh = False
        self._look = threading.Event()

    @property
    def running(self) -> bool:
        """Tell whether the process lives."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process number."""
        return self._child.pid if self._child is not None and self.running else None

    def address(self) -> str:
        """Return the start address of its screen, "" while there is none."""
        try:
            return self._url.read_text("utf-8").strip() if self._url is not None and self.running else ""
        except OSError:
            return ""

    def start(self) -> None:
        """Start the process and watch it; returns at once."""
        with self._lock:
            self._wanted = True
            self._fresh = not self.running
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="watch-kiosk", daemon=True)
                self._watcher.start()
        self._look.set()

    def command(self, words: tuple[str, ...]) -> list[str]:
        """Return the command line of `kiosk WORDS` with this process's configuration, tied to ours."""
        leash = [sys.executable, "-m", "kiosk.workbench.leash", str(os.getpid())]
        return [*leash, sys.executable, "-m", "kiosk", *words, "--config", str(self._config)]

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which Python finds this very program."""
        root = str(Path(__file__).resolve().parents[2])
        searched = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
        return {**os.environ, "PYTHONPATH": searched}

    def _spawn(self) -> None:
        self._forget_address()
        self._starts = [*self._starts[-(BUDGET - 1) :], time.monotonic_ns()]
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C ends the demonstration, which then ends the process in order.
            self._child = subprocess.Popen(
                self.command(self._words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self.environment,
            )  # fmt: skip

    def wait_ready(self, patience_ms: int = START_MS) -> str:
        """Wait until the screen can be opened; return its start address.

        Raises:
            KioskError: it ended, or took too long; carries the end of its log.
        """
        end = time.monotonic_ns() + patience_ms * 1_000_000
        while time.monotonic_ns() < end:
            if address := self.address():
                return address
            with self._lock:
                ended = not self.running and not self._fresh
                given_up = len(self._starts) == 1 or not self._wanted
            if ended and given_up:
                break
            time.sleep(_LOOK_S)
        raise KioskError(f"{self._title} did not start", hint=self.last_words() or f"see {self._log}")

    def last_words(self) -> str:
        """Return the last lines of the log."""
        try:
            lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            return ""
        return " / ".join(lines[-3:])[:600]

    def kill(self) -> None:
        """End it without a word, as a power cut does; it stays away until `start`."""
        with self._lock:
            self._wanted = False
            if self._child is not None and self.running:
                self._child.kill()
                self._child.wait()
            self._forget_address()

    def _forget_address(self) -> None:
        if self._url is not None:
            self._url.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it in order; by force if it does not end."""
        self._ended.set()
        self._look.set()
        with self._lock:
            self._wanted = False
            if self._child is not None and self.running:
                self._child.terminate()
                try:
                    self._child.wait(15)
                except subprocess.TimeoutExpired:
                    self._told(f"{self._title} did not end when asked: killed")
                    self._child.kill()
                    self._child.wait()

    def _watch(self) -> None:
        """Start the process whenever it should run and does not.  Only this thread does: the leash hangs on it."""
        while not self._ended.is_set():
            self._look.wait(_WATCH_S)
            self._look.clear()
            with self._lock:
                if self._ended.is_set() or not self._wanted or self.running:
                    continue
                if self._fresh or self._child is None:
                    self._fresh = False
                    self._spawn()
                    continue
                code = self._child.returncode
                recent = [at for at in self._starts if time.monotonic_ns() - at < 60_000_000_000]
                if len(recent) >= BUDGET:
                    self._wanted = False
                    told = f"{self._title} ended {len(recent)} times within a minute and stays down"
                    self._told(f"{told}: {self.last_words()}")
                    continue
                self._told(f"{self._title} ended (exit code {code}) and is started again")
                self._spawn()
