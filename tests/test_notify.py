"""The messages to the service manager, received by a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import notify


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager's end: a bound socket named in NOTIFY_SOCKET, by path or in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        if request.param == "path":
            name = str(tmp_path / "notify")
            receiver.bind(name)
        else:
            name = f"@kiosk-notify-{os.getpid()}"
            receiver.bind("\0" + name[1:])
        receiver.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield receiver


def test_ready_arrives_with_its_status(manager: socket.socket) -> None:
    assert notify.ready("open for payments")
    assert manager.recv(4096) == b"READY=1\nSTATUS=open for payments"


def test_the_watchdog_is_fed_with_one_datagram_a_call(manager: socket.socket) -> None:
    assert notify.watchdog()
    assert notify.watchdog("two devices in service")
    assert manager.recv(4096) == b"WATCHDOG=1"
    assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=two devices in service"
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_a_line_break_in_a_status_cannot_become_another_assignment(manager: socket.socket) -> None:
    assert notify.status("printer:\nMAINPID=1\r\n paper out")
    assert manager.recv(4096) == b"STATUS=printer: MAINPID=1 paper out"


def test_letters_beyond_ascii_reach_the_manager_as_utf_8(manager: socket.socket) -> None:
    assert notify.status("café in service")
    assert manager.recv(4096).decode() == "STATUS=café in service"


def test_stopping_and_more_time_are_said_in_the_managers_units(manager: socket.socket) -> None:
    assert notify.stopping()
    assert notify.more_time(90)
    assert manager.recv(4096) == b"STOPPING=1"
    assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=90000000"


def test_outside_a_service_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify.ready()


def test_a_manager_that_went_away_is_an_answer_and_no_exception(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify.watchdog()


def test_a_manager_that_does_not_read_never_blocks_the_kiosk(manager: socket.socket) -> None:
    sent = 0
    while notify.watchdog() and sent < 100_000:
        sent += 1
    assert 0 < sent < 100_000


@pytest.mark.parametrize(
    ("microseconds", "pid", "expected"),
    [
        ("30000000", None, 30_000_000_000),
        ("30000000", "ours", 30_000_000_000),
        ("30000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_interval_counts_only_for_this_process(
    monkeypatch: pytest.MonkeyPatch, microseconds: str | None, pid: str | None, expected: int | None
) -> None:
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "ours" else value)
    assert notify.watchdog_interval_ns() == expected
