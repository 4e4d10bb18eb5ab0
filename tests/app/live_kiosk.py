"""A whole kiosk in the test's own process: real kernel, line threads, screen and socket; simulated devices on ptys.

`LiveKiosk` is what `kiosk run` starts, so a test can look inside, stop it, and start it again on the same journal and
with the same devices.  Tests that need a process to kill use `ProcessKiosk`, the same ends around `kiosk run` itself.
"""

from __future__ import annotations

import datetime as dt
import functools
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from kiosk import app
from kiosk.core.control import call
from kiosk.core.kernel import Kernel
from kiosk.journal.reader import Reader
from kiosk.model import facts
from kiosk.model.money import Money
from kiosk.model.texts import Text
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.units import USD_UNIT, Speeds
from kiosk.workbench.child_process import ChildProcess
from kiosk.workbench.directory import ZONE, DemoDirectory
from kiosk.workbench.hardware import Hardware
from kiosk.workbench.screen_hand import ScreenHand, amount
from kiosk.workbench.stage import WholeStage

B = TypeVar("B")

#: A citation of USD 15.00, which a 10 and a 5 pay, and one of USD 20.00.
FIFTEEN, TWENTY = "260004355", "260004329"
PATIENCE_S = 20.0
#: Low numbers of ptys, kept out of use: a kiosk whose demonstration was killed goes on looking for its devices
#: under links to them, and would take ours.
_LOW_NUMBERS = [os.openpty() for _ in range(24)]
#: A unit that nobody watches.
FAST = Speeds(
    boot_ms=50, initialize_ms=150, accepting_ms=60, stacking_ms=400, lever_ms=200, stacked_ms=100, returning_ms=100,
    rejecting_ms=60, cheated_ms=300,
)  # fmt: skip


@functools.cache
def example_data() -> bytes:
    """The replica with the imported examples, made once for the whole run."""
    with tempfile.TemporaryDirectory() as where:
        directory = DemoDirectory(Path(where), Path(where) / "run", keep=True)
        directory.state.mkdir()
        directory.import_examples(dt.datetime.now(ZoneInfo(ZONE)).date())
        for _ in range(2):  # the write-ahead log must be inside the file
            for path in directory.state.glob("sync.db-wal"):
                assert path.stat().st_size == 0, "the replica is not whole in one file"
        return (directory.state / "sync.db").read_bytes()


def until(done: Callable[[], B | None], what: str, within_s: float = PATIENCE_S) -> B:
    """Return the first true answer of `done`; fail with `what` when none comes."""
    end = time.monotonic() + within_s
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() >= end:
            raise AssertionError(f"it did not become so: {what}")
        time.sleep(0.02)


class KioskAtHand:
    """What both kinds have: a directory, simulated devices, hands at the devices and at the screen."""

    def __init__(self, *, more: str = "", port: int = 0, state: Path | None = None) -> None:
        # Not pytest's own directory: the path of a socket has 100 characters at most.
        self.root = Path(tempfile.mkdtemp(prefix="kiosk-t-"))
        self.directory = DemoDirectory(self.root, self.root / "run", keep=True)
        if state is not None:
            self.directory.state = state
        self.hardware = Hardware(self.directory.ports, "USD", quick=True)
        self.hardware.acceptor.role = Id003Device(msgspec.structs.replace(USD_UNIT, speeds=FAST))
        self.directory.write(screen_port=port, bench="http://127.0.0.1:9", quick=True)
        if more:
            with self.directory.config.open("a", encoding="utf-8") as file:
                file.write(f"\n{more}\n")
        (self.directory.state / "sync.db").write_bytes(example_data())
        self.screen = ScreenHand(self.address)
        self.stage = WholeStage(self.hardware, self.screen, cut=self.kill, restore=self.start)

    def address(self) -> str:
        """The start address of the screen, "" while there is none."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the kiosk and wait until it is there."""
        raise NotImplementedError

    def kill(self) -> None:
        """End the kiosk without a word."""
        raise NotImplementedError

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.directory.runtime / "core.sock"

    # --- a citizen ------------------------------------------------------------------------------------------

    def shot(self) -> dict[str, Any]:
        """The present snapshot, as the screen has it."""
        return self.screen.look()

    def wait(self, screen: str, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for a screen; return its snapshot."""
        return self.screen.wait_for(f"wait for {screen}", lambda shot: shot["screen"] == screen, int(within_s * 1000))

    def wait_inserted(self, minor: int, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until so much is counted on the screen."""
        return self.screen.wait_for(
            f"wait for {minor}", lambda shot: amount(shot["inserted"]).minor == minor, int(within_s * 1000)
        )

    def to_accepting(self, label: str = FIFTEEN) -> dict[str, Any]:
        """Scan a citation and go on until notes are taken."""
        self.wait("idle")
        self.stage.scan(label)
        self.wait("reviewing")
        self.stage.touch("pay", ())
        self.stage.touch("accept", ())
        return self.wait("accepting")

    def insert(self, dollars: int) -> None:
        """Feed a note."""
        self.stage.insert(Money(dollars * 100, "USD"), False)

    def pay_fifteen(self) -> None:
        """Pay the citation of 15.00 in two notes and wait for the receipt."""
        self.to_accepting()
        self.insert(10)
        self.wait_inserted(1000)
        self.insert(5)
        self.stage.expect_receipt(True)

    @property
    def in_box(self) -> int:
        """Minor units that are physically in the simulated cash box."""
        with self.hardware.acceptor.hands() as unit:
            return sum(unit.cashbox)

    @property
    def can_insert(self) -> bool:
        """Whether the mouth of the simulated acceptor takes a note."""
        with self.hardware.acceptor.hands() as unit:
            return unit.can_insert

    # --- what it says and what it wrote ---------------------------------------------------------------------

    def ask(self, path: str) -> tuple[int, str]:
        """Get an open page."""
        parts = urlsplit(self.address())
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            link.close()

    def health(self) -> dict[str, Any]:
        """The health page's data."""
        told: dict[str, Any] = json.loads(self.ask("/health.json")[1])
        return told

    def status(self) -> dict[str, Any]:
        """What the control socket says."""
        return call(self.socket, "status")

    def facts(self) -> list[facts.Committed]:
        """Every fact on the disk, checked against the chain."""
        with Reader(self.directory.journal) as reader:
            return list(reader.read())

    def bodies(self, kind: type[B]) -> list[B]:
        """The bodies of all facts of one kind."""
        return [each.fact.body for each in self.facts() if isinstance(each.fact.body, kind)]

    def booked(self) -> int:
        """Minor units of all notes that the journal counts into the box."""
        found = 0
        for each in self.facts():
            body = each.fact.body
            if isinstance(body, facts.NoteCredited | facts.NoteSuspended) and body.value is not None:
                found += body.value.minor
        return found

    def everything_written(self) -> bytes:
        """All bytes that this kiosk left anywhere in its directories."""
        found = []
        for where in {self.root, self.directory.state}:
            for path in sorted(where.rglob("*")):
                if path.is_file() and path.name != "sync.db" and "ballast" not in path.name:
                    found.append(path.read_bytes())
        return b"\n".join(found)


class LiveKiosk(KioskAtHand):
    """Everything in this process."""

    def __init__(self, *, more: str = "", screen: bool = True, state: Path | None = None) -> None:
        self.running: app.Running | None = None
        self._with_screen = screen
        super().__init__(more=more, state=state)

    def address(self) -> str:
        return self.running.address if self.running is not None else ""

    @property
    def core(self) -> Any:
        assert self.running is not None
        return self.running.core

    @property
    def kernel(self) -> Kernel:
        found: Kernel = self.core.kernel
        return found

    def start(self) -> None:
        self.running = app.Running(app.load(self.directory.config), screen=self._with_screen)
        try:
            self.running.start()
        except BaseException:
            self.running.stop("test")
            self.running = None
            raise

    def stop(self) -> None:
        """End the kiosk in order."""
        if self.running is not None:
            assert self.running.stop("test")
            self.running = None

    def kill(self) -> None:
        self.stop()


class ProcessKiosk(KioskAtHand):
    """`kiosk run` as a process of its own."""

    def __init__(self, *, more: str = "", port: int = 0) -> None:
        super().__init__(more=more, port=port)
        self.said: list[str] = []
        self.process = ChildProcess(
            self.directory.config, self.directory.screen_url, self.directory.log, self.said.append
        )

    def address(self) -> str:
        return self.process.address()

    def start(self) -> None:
        self.process.start()
        self.process.wait_ready()

    def kill(self) -> None:
        self.process.kill()

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code; it stays away."""
        child = self.process._child
        assert child is not None
        with self.process._lock:
            self.process._wanted = False
        child.send_signal(signal.SIGTERM)
        return child.wait(20)

    def log(self) -> str:
        """What the process has said."""
        return self.directory.log.read_text("utf-8", "replace") if self.directory.log.exists() else ""


@contextmanager
def live_kiosk(**settings: Any) -> Iterator[LiveKiosk]:
    """Have a kiosk in this process, started."""
    kiosk = LiveKiosk(**settings)
    try:
        kiosk.hardware.start()
        kiosk.start()
        yield kiosk
        assert kiosk.hardware.trouble() == ""
    finally:
        kiosk.stage.stop()
        if kiosk.running is not None:
            kiosk.running.stop("test")
        kiosk.hardware.stop()
        shutil.rmtree(kiosk.root, ignore_errors=True)


@contextmanager
def process_kiosk(**settings: Any) -> Iterator[ProcessKiosk]:
    """Have a kiosk in a process of its own, started."""
    kiosk = ProcessKiosk(**settings)
    try:
        kiosk.hardware.start()
        kiosk.start()
        yield kiosk
        assert kiosk.hardware.trouble() == ""
    finally:
        kiosk.stage.stop()
        kiosk.process.stop()
        kiosk.hardware.stop()
        shutil.rmtree(kiosk.root, ignore_errors=True)


def run_kiosk(*arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    import sys

    return subprocess.run(
        [sys.executable, "-m", "kiosk", *arguments],
        capture_output=True, text=True, timeout=within_s, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip


def said(shot: dict[str, Any]) -> list[str]:
    """The ids of a snapshot's messages."""
    return [each.id for each in msgspec.convert(shot["messages"], tuple[Text, ...])]
