"""A whole kiosk on simulated devices for measuring, with example citations, and a citizen at its screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.replica_data import fill
from kiosk.errors import SimulatorError
from kiosk.simulators.note_units import ACCEPTORS
from kiosk.workbench.demonstration import Demonstration

_ANSWERS = {"reviewing": "pay", "consenting": "accept_conditions", "note_held": "agree_excess", "notice": "dismiss",
            "timed_out": "more_time", "thanking": "dismiss"}  # fmt: skip
#: Longest time that one payment may take, seconds.
_PATIENCE_S = 90


@contextmanager
def running_demonstration(
    room: Path, *, citations: int, poll_ms: int = 0, extra: str = "", acceptor: str = "id003"
) -> Iterator[Demonstration]:
    """Run the ordinary process on simulated devices, with made-up open citations in its replica.

    `acceptor` is the acceptor's wire protocol; `poll_ms` sets how often acceptor and printer are polled, 0 for what
    they do by themselves; `extra` is added to the configuration.
    """
    room.mkdir(parents=True, exist_ok=True)
    demo = Demonstration(room / "demo", quick=True, acceptor=acceptor)
    try:
        demo.directory.write(screen_port=demo.screen_port, bench=demo.bench_origin, quick=True, acceptor=acceptor)
        text = demo.directory.config.read_text("utf-8")
        if poll_ms:
            text = text.replace('profile = "', f'poll_ms = {poll_ms}, profile = "')
            driver = f'driver = "{ACCEPTORS[acceptor][2]}"'
            text = text.replace(driver, f"{driver}\noptions = {{ poll_ms = {poll_ms} }}")
        demo.directory.config.write_text(text + extra, "utf-8")
        fill(demo.directory.state / "sync.db", citations)
        demo.hardware.start()
        demo.core.start()
        demo.core.wait_ready()
        wait_in_service(demo)
        yield demo
    finally:
        demo.stop()


def wait_in_service(demo: Demonstration) -> None:
    """Wait until the kiosk would take a payment.

    Raises:
        RuntimeError: it never would; carries the reasons that its screen tells.
    """
    try:
        demo.screen.wait_for("start", lambda shot: shot["screen"] == "idle", 30_000)
    except SimulatorError as error:
        raise RuntimeError(f"{error}; the screen tells {demo.screen.look()['messages']}") from error


class Citizen:
    """Scans, answers and feeds 20-dollar notes."""

    def __init__(self, demo: Demonstration) -> None:
        self._demo = demo

    def scan(self, label: str) -> None:
        """Hold a label under the scanner."""
        with self._demo.hardware.scanner.hands() as scanner:
            scanner.scan(label)

    def pay(self, label: str) -> None:
        """Pay one citation to the end.

        Raises:
            SimulatorError: it did not come to an end.
        """
        demo = self._demo
        demo.screen.wait_for("pay", lambda shot: shot["screen"] == "idle", 30_000)
        self.scan(label)
        end = time.monotonic() + _PATIENCE_S
        left_idle = False
        while time.monotonic() < end:
            shot = demo.screen.look()
            screen = str(shot["screen"])
            if screen == "idle" and left_idle:
                return
            left_idle = left_idle or screen != "idle"
            if screen == "accepting":
                with demo.hardware.acceptor.hands() as acceptor:
                    acceptor.take_rejected()  # a unit that is not enabled yet may draw a note in and push it back
                    acceptor.insert(2000)
            elif (answer := _ANSWERS.get(screen)) is not None and answer in shot["allowed"]:
                demo.screen.touch(answer, (), 200)
            time.sleep(0.02)
        raise SimulatorError(f"citation {label} was not paid to the end", hint=f"the screen shows {screen}")
