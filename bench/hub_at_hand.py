"""A real hub in a directory of its own, for campaigns and benchmarks: made, run and asked by its command line."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

#: Seconds that a command or a start may take on a busy machine.
PATIENCE_S = 90
ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """Return a port of the loopback that nobody listens on just now.

    Below the range from which the system takes the ports of callers: one of those may be taken before a hub is up.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue  # somebody listens there
        return port


def command_line(*words: str, check: bool = True) -> dict[str, Any]:
    """Run ``kiosk`` with ``--json``; return its object.

    Raises:
        RuntimeError: it failed; holds its last words.
    """
    told = subprocess.run(
        [sys.executable, "-m", "kiosk", *words, "--json"], capture_output=True, text=True, timeout=PATIENCE_S, cwd=ROOT,
    )  # fmt: skip
    if check and told.returncode:
        raise RuntimeError(f"kiosk {' '.join(words[:3])} ended with {told.returncode}: {told.stderr.strip()[-600:]}")
    found: dict[str, Any] = json.loads(told.stdout) if told.stdout.strip() else {}
    return found


class HubAtHand:
    """Owns the directory, the configuration and the processes of one hub."""

    def __init__(self, directory: Path, *, database: str = "", workers: int = 1) -> None:
        self.directory = directory
        self.state, self.runtime = directory / "state", directory / "run"
        self.config = directory / "hub.toml"
        directory.mkdir(parents=True, exist_ok=True)
        self.journal_port, self.enrol_port, self.web_port = free_port(), free_port(), free_port()
        self._database, self._workers = database, workers
        self.write_config()
        self._process: subprocess.Popen[bytes] | None = None

    def write_config(self) -> None:
        """Write hub.toml with the ports as they are now."""
        self.config.write_text(
            f'[hub]\nid = "hub-at-hand"\nstate = "{self.state}"\nruntime = "{self.runtime}"\n'
            f'database = "{self._database}"\nworkers = {self._workers}\n'
            f'[listen]\njournal = "tcp://127.0.0.1:{self.journal_port}"\nenrol = "tcp://127.0.0.1:{self.enrol_port}"\n'
            f"[web]\nport = {self.web_port}\ntls = false\n",
            encoding="utf-8",
        )

    def ask(self, *words: str, check: bool = True) -> dict[str, Any]:
        """Run a command of this hub."""
        return command_line("hub", *words, "--config", str(self.config), check=check)

    def start(self) -> None:
        """Start the hub and wait until its front listens."""
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kiosk", "hub", "run", "--config", str(self.config)],
            stdout=log, stderr=log, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        log.close()
        self.wait_listening()

    def wait_listening(self) -> None:
        """Wait until somebody listens on the journal's port."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.journal_port), 0.2).close()
                return
            except OSError:
                if self._process is not None and self._process.poll() is not None:
                    raise RuntimeError(f"the hub ended: {self.last_words()}") from None
                time.sleep(0.05)
        raise RuntimeError(f"the hub does not listen: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of the hub's log."""
        try:
            return (self.directory / "log").read_text(errors="replace")[-800:]
        except OSError:
            return ""

    def processes(self, part: str = "") -> list[int]:
        """Return the process ids of the hub, or of one of its parts; found by their command line."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue  # it ended meanwhile
            ours = str(self.config) in words and "hub" in words
            if ours and (not part or ("part" in words and part in words)):
                found.append(int(entry.name))
        return sorted(found)

    def kill(self, part: str = "") -> None:
        """SIGKILL a part, or every process of the hub."""
        if not part and self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for pid in self.processes(part):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended meanwhile
        end = time.monotonic() + 10
        while not part and self.processes() and time.monotonic() < end:
            time.sleep(0.01)

    def stop(self) -> None:
        """End the hub in order; kill it where it does not."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                pass  # killed below
        self.kill()
