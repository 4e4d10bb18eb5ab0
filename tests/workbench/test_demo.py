"""`kiosk demo` as a person starts it: what it prints, and that Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def read_until(stream: int, word: bytes, seconds: int) -> str:
    """Read until a word has come."""
    held, end = b"", time.monotonic() + seconds
    while word not in held and time.monotonic() < end:
        if select.select([stream], [], [], 0.5)[0]:
            more = os.read(stream, 65536)
            if not more:
                break
            held += more
    return held.decode("utf-8", "replace")


@pytest.mark.parametrize(("number", "hub"), [(signal.SIGINT, "--hub"), (signal.SIGTERM, "--no-hub")])
def test_the_demo_prints_where_to_go_and_an_interrupt_leaves_nothing_behind(
    number: signal.Signals, hub: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tmp_path = tmp_path_factory.mktemp("t")  # short: a socket's path has its limits
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "demo", hub], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    try:
        assert child.stdout is not None
        told = read_until(child.stdout.fileno(), b"Ctrl-C ends it", 60)
        assert re.search(r"bench +http://127\.0\.0\.1:\d+/\?token=\S+", told), told
        assert re.search(r"citizen screen +http://127\.0\.0\.1:\d+/\?token=\S+", told)
        of_hub = re.search(r"the city's hub +http://127\.0\.0\.1:\d+/ +o01, password \S{12}", told)
        assert bool(of_hub) == (hub == "--hub")
        assert re.search(r"Citation 260004355 +USD 15\.00", told)
        (place,) = tmp_path.iterdir()
        for _ in range(3):  # `make` passes Ctrl-C on as well
            child.send_signal(number)
            time.sleep(0.01)
        assert child.wait(30) == 0
        assert list(tmp_path.iterdir()) == []
        assert processes_naming(place) == []
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_a_port_that_is_taken_is_one_clear_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    import socket

    tmp_path = tmp_path_factory.mktemp("t")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "kiosk", "demo", "--no-hub", "--port", str(taken.getsockname()[1])]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_kiosk_does_not_outlive_a_demonstration_that_was_killed(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("t")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place), "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    assert child.stdout is not None
    read_until(child.stdout.fileno(), b"Ctrl-C ends it", 60)
    (home,) = place.iterdir()
    assert processes_naming(home)
    child.kill()
    child.wait()
    child.stdout.close()
    end = time.monotonic() + 20
    while processes_naming(home) and time.monotonic() < end:
        time.sleep(0.1)
    assert processes_naming(home) == []


def processes_naming(home: Path) -> list[str]:
    """Return the processes whose command line names a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(home).encode() in process.read_bytes():
                found.append(process.parent.name)
        except OSError:
            continue  # it ended while we looked
    return found
