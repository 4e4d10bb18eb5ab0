"""The control socket of a real process: what strangers and broken clients send changes nothing and blocks nobody."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kiosk.core.control import CALLERS, LARGEST, call
from kiosk.errors import ControlError
from tests.app.live_kiosk import ProcessKiosk, process_kiosk, until


@pytest.fixture(scope="module")
def kiosk() -> Iterator[ProcessKiosk]:
    with process_kiosk() as found:
        found.wait("idle")
        until(lambda: all(each["severity"] == "ok" for each in found.health()["devices"]), "every device is there")
        yield found


def link(kiosk: ProcessKiosk) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)  # connecting waits where the queue of callers is full
    line.connect(str(kiosk.socket))
    line.settimeout(15)
    return line


def tell(kiosk: ProcessKiosk, data: bytes) -> dict[str, object]:
    """Send raw bytes and return the answer."""
    with link(kiosk) as line:
        with contextlib.suppress(BrokenPipeError):
            line.sendall(data)
        held = b""
        while not held.endswith(b"\n"):
            more = line.recv(65536)
            if not more:
                break
            held += more
        found: dict[str, object] = json.loads(held)
        return found


GARBAGE = {
    "not JSON": b"hello\n",
    "binary": bytes(range(256)) + b"\n",
    "NUL": b"\x00" * 1000 + b"\n",
    "a list": b'["status"]\n',
    "a number": b"12345678901234567890123456789\n",
    "another key": b'{"verb": "status", "sudo": true}\n',
    "a number for the verb": b'{"verb": 1}\n',
    "a list for the arguments": b'{"verb": "status", "arguments": []}\n',
    "deep": b"[" * 20_000 + b"]" * 20_000 + b"\n",
    "half a surrogate": b'{"verb": "\\ud800"}\n',
    "empty": b"\n",
    "unknown verb": b'{"verb": "format-disk"}\n',
    "a dunder": b'{"verb": "__class__"}\n',
    "a long verb": b'{"verb": "' + b"x" * 100_000 + b'"}\n',
    "no number": b'{"verb": "reprint", "arguments": {"number": "1; DROP TABLE fact"}}\n',
    "a fraction": b'{"verb": "reprint", "arguments": {"number": 1.5}}\n',
    "true": b'{"verb": "reprint", "arguments": {"number": true}}\n',
    "a huge number": b'{"verb": "reprint", "arguments": {"number": 99999999999999999999999999}}\n',
    "a negative number": b'{"verb": "reprint", "arguments": {"number": -1}}\n',
    "no device": b'{"verb": "release", "arguments": {"device": "../../dev/sda"}}\n',
    "a list for a device": b'{"verb": "release", "arguments": {"device": ["notes"]}}\n',
}


@pytest.mark.parametrize("name", list(GARBAGE))
def test_what_is_no_request_is_answered_with_a_reason_and_changes_nothing(kiosk: ProcessKiosk, name: str) -> None:
    before = kiosk.status()["seq"]
    told = tell(kiosk, GARBAGE[name])
    assert told["ok"] is False
    assert told["error"]
    assert len(json.dumps(told)) < 1000
    assert kiosk.status()["seq"] == before
    assert kiosk.status()["state"] == "idle"


def test_a_line_that_is_too_long_is_refused_before_it_is_held(kiosk: ProcessKiosk) -> None:
    told = tell(kiosk, b"x" * (LARGEST + 65_537))
    assert str(LARGEST) in str(told["error"])
    assert kiosk.status()["state"] == "idle"


def test_slow_clients_keep_nobody_waiting(kiosk: ProcessKiosk) -> None:
    slow = [link(kiosk) for _ in range(CALLERS - 2)]
    try:
        for line in slow:
            line.sendall(b'{"verb"')
        assert [kiosk.status()["state"] for _ in range(5)] == ["idle"] * 5
        assert kiosk.shot()["screen"] == "idle"
    finally:
        for line in slow:
            line.close()


def test_a_hundred_connections_are_bounded_and_the_counter_goes_on(kiosk: ProcessKiosk) -> None:
    many: list[socket.socket] = []

    def a_hundred() -> None:
        """Open so many; a caller that says nothing is let go after a while, so each question needs them anew."""
        for _ in range(100):
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(5)
            with contextlib.suppress(BlockingIOError):
                line.connect(str(kiosk.socket))
            many.append(line)

    def refused() -> bool:
        a_hundred()
        try:
            call(kiosk.socket, "status")
        except ControlError:
            return True
        return False

    a_hundred()
    pid = kiosk.process.pid
    threads = len(os.listdir(f"/proc/{pid}/task"))
    assert threads < 40  # a hundred callers do not become a hundred threads
    assert kiosk.shot()["screen"] == "idle"
    assert until(refused, "who comes after a hundred silent callers is told that nobody answers")
    for line in many:
        line.close()
    assert until(lambda: reached(kiosk), "the socket answers again")
    assert kiosk.process.pid == pid


def reached(kiosk: ProcessKiosk) -> bool:
    try:
        return bool(kiosk.status()["kiosk"])
    except ControlError:
        return False


def test_a_client_that_leaves_before_its_answer_harms_nobody(kiosk: ProcessKiosk) -> None:
    for _ in range(30):
        line = link(kiosk)
        line.sendall(b'{"verb": "health"}\n')
        line.close()
    until(lambda: reached(kiosk), "the socket answers")
    assert "Traceback" not in kiosk.log()


@pytest.mark.root
def test_another_user_may_ask_and_may_not_act(kiosk: ProcessKiosk) -> None:
    for path in (kiosk.root, kiosk.directory.runtime):
        path.chmod(0o755)
    kiosk.socket.chmod(0o666)  # as if the directory were open by mistake: the second fence stands
    ask = (
        "import os, socket, sys\nline = socket.socket(socket.AF_UNIX)\nos.setuid(65534)\nline.connect(sys.argv[1])\n"
        "line.sendall(sys.argv[2].encode() + b'\\n')\nprint(line.makefile().readline())"
    )
    answers = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", ask, str(kiosk.socket), json.dumps({"verb": verb})],
                capture_output=True, text=True, timeout=20, check=True,
            ).stdout
        )
        for verb in ("status", "close", "stop", "trust-clock", "reprint")
    ]  # fmt: skip
    assert [each["ok"] for each in answers] == [True, False, False, False, False]
    assert all("65534" in each["error"] for each in answers[1:])
    assert kiosk.status()["state"] == "idle"
