"""The supervisor of the hub's processes, with small programs in the place of the parts."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.errors import HubError
from kiosk.hub import running
from kiosk.hub.running import HubRunning, PartState, Policy, StateLock, prepare_runtime, running_parts
from kiosk.hub.settings import Hub, HubConfig

#: Seconds; generous, a busy machine is not what is tested.
PATIENCE = 30.0

#: Writes a line at its start and at its end, and waits for SIGTERM in between.
PATIENT = """
import signal, sys
log = open(sys.argv[2], "a", buffering=1)
signal.signal(signal.SIGTERM, lambda *_: (log.write("end " + sys.argv[1] + "\\n"), sys.exit(0)))
log.write("begin " + sys.argv[1] + "\\n")
while True:
    signal.pause()
"""


@pytest.fixture
def config(tmp_path: Path) -> HubConfig:
    (tmp_path / "state").mkdir(mode=0o700)
    return HubConfig(hub=Hub(id="city-hall", state=str(tmp_path / "state"), runtime=str(tmp_path / "run"), workers=1))


class Hall:
    """A hub that runs in a thread of the test."""

    def __init__(self, config: HubConfig, parts: list[tuple[str, int]], program: Callable[[str], str], **policy: float):
        self.config = config
        self.log = Path(config.hub.state) / "log"
        self.said: list[str] = []
        self.code: int | None = None
        self.stop = threading.Event()
        limits = Policy(first_s=0.01, most_s=0.05, settled_s=0.01, stop_s=PATIENCE, **policy)  # type: ignore[arg-type]

        def command(_: Path, name: str, number: int) -> list[str]:
            return [sys.executable, "-S", "-c", program(name), f"{name}{number}", str(self.log)]

        hub = HubRunning(Path("hub.toml"), config, self.said.append, policy=limits, command=command, parts=parts)
        self.thread = threading.Thread(target=lambda: setattr(self, "code", hub.run(self.stop.is_set)))
        self.thread.start()

    def lines(self) -> list[str]:
        """What the parts wrote."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def parts(self) -> dict[str, PartState]:
        """What the supervisor tells of its parts."""
        told = running_parts(self.config.runtime)
        return {one.title: one for one in told.parts} if told else {}

    def end(self) -> int | None:
        """Stop it; return its exit code."""
        self.stop.set()
        self.thread.join(PATIENCE)
        return self.code


def until(seen: Callable[[], bool]) -> None:
    """Wait until something is seen."""
    limit = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


ALL = [("worker", 0), ("worker", 1), ("projector", 0), ("front", 0), ("web", 0)]


def test_the_front_stops_first_then_the_workers_then_the_rest(config: HubConfig) -> None:
    hall = Hall(config, ALL, lambda _: PATIENT)
    try:
        until(lambda: len(hall.lines()) == 5)
        assert {name: one.state for name, one in hall.parts().items()} == {
            "worker 0": "running", "worker 1": "running", "projector": "running", "front": "running", "web": "running",
        }  # fmt: skip
    finally:
        code = hall.end()
    assert code == 0
    ends = [line.split()[1] for line in hall.lines() if line.startswith("end")]
    assert ends[0] == "front0"
    assert set(ends[1:3]) == {"worker0", "worker1"}
    assert set(ends[3:]) == {"projector0", "web0"}
    assert running_parts(config.runtime) is None


def test_a_part_that_ends_is_started_again_and_the_others_are_left_alone(config: HubConfig) -> None:
    hall = Hall(config, [("worker", 0), ("front", 0)], lambda _: PATIENT)
    try:
        until(lambda: len(hall.lines()) == 2)
        before = hall.parts()
        os.kill(before["worker 0"].pid, 9)
        until(lambda: len(hall.lines()) == 3)
        after = hall.parts()
        assert after["front"].pid == before["front"].pid
        assert (after["worker 0"].restarts, after["worker 0"].last_exit) == (1, -9)
    finally:
        assert hall.end() == 0


def test_a_front_or_worker_that_cannot_be_kept_ends_the_hub(config: HubConfig) -> None:
    programs = {"worker": "raise SystemExit(3)", "web": PATIENT}
    hall = Hall(config, [("worker", 0), ("web", 0)], programs.__getitem__, budget=3)
    hall.thread.join(PATIENCE)
    assert hall.code == 1
    assert "worker 0 ends again and again" in hall.said[-1]


def test_pages_that_cannot_be_kept_do_not_end_the_hub(config: HubConfig) -> None:
    programs = {"web": "raise SystemExit(3)", "worker": PATIENT}
    hall = Hall(config, [("worker", 0), ("web", 0)], programs.__getitem__, budget=2)
    try:
        until(lambda: hall.parts().get("web", PartState("", 0, "", 0, 0, None, 0)).restarts >= 4)
        assert hall.parts()["worker 0"].restarts == 0
    finally:
        assert hall.end() == 0


def test_the_wait_before_a_start_doubles_up_to_its_limit(config: HubConfig) -> None:
    said: list[str] = []
    hub = HubRunning(Path("hub.toml"), config, said.append, parts=[("web", 0)])
    (one,) = hub._processes
    for at in range(8):
        hub._ended(one, 1, float(at))
    waits = [float(line.rsplit(" ", 2)[1]) for line in said]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_two_hubs_cannot_share_a_state_directory(config: HubConfig) -> None:
    with (
        StateLock(config.state),
        pytest.raises(HubError, match=f"in use by process {os.getpid()}"),
    ):
        HubRunning(Path("hub.toml"), config, print, parts=[]).run(lambda: True)
    StateLock(config.state).release()


def test_the_directory_of_the_sockets_is_for_the_hub_alone(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o755)
    prepare_runtime(runtime)
    assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    with pytest.raises(HubError, match="too long"):
        prepare_runtime(tmp_path / ("x" * 100))


def test_what_runs_is_not_believed_of_a_process_that_is_gone(config: HubConfig) -> None:
    prepare_runtime(config.runtime)
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    (config.runtime / running.PARTS_FILE).write_text(f'{{"pid":{gone.pid},"started_ns":1,"parts":[]}}')
    assert running_parts(config.runtime) is None
    (config.runtime / running.PARTS_FILE).write_text("{")
    assert running_parts(config.runtime) is None
