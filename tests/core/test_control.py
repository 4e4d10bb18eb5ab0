"""Whose the control socket is: a busy kiosk keeps it, a dead one's is taken over, nobody removes another's."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from kiosk.core.control import ControlServer, call
from kiosk.core.inbox import ControlPosted
from kiosk.errors import ControlError


@pytest.fixture
def path() -> Iterator[Path]:
    with TemporaryDirectory(prefix="kiosk-c-") as where:  # short: the path of a socket has 100 characters at most
        yield Path(where) / "core.sock"


def prompt(request: ControlPosted) -> bool:
    """A kernel that answers at once."""
    request.reply({"ok": True, "verb": request.verb})
    return True


def test_a_kiosk_that_is_too_busy_to_answer_keeps_its_socket(path: Path) -> None:
    # A start replays its journal and a commit may wait for the disk: both leave a caller without an answer for long.
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(1)
        with pytest.raises(ControlError, match="another kiosk"):
            ControlServer(path, prompt).start()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(1)
            caller.connect(str(path))


def test_a_socket_that_nobody_listens_on_is_taken_over(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer(path, prompt)
    server.start()
    assert call(path, "status")["verb"] == "status"
    server.stop()
    assert not path.exists()


def test_a_file_that_is_no_socket_is_never_removed(path: Path) -> None:
    path.write_text("somebody's notes")
    with pytest.raises(ControlError):
        ControlServer(path, prompt).start()
    assert path.read_text() == "somebody's notes"


def test_a_kiosk_that_ends_late_leaves_its_successors_socket_alone(path: Path) -> None:
    old, new = ControlServer(path, prompt), ControlServer(path, prompt)
    old.start()
    path.unlink()  # as an administrator would, or a runtime directory made anew
    new.start()
    old.stop()
    assert call(path, "status")["ok"] is True
    new.stop()


def test_a_lack_of_file_descriptors_does_not_close_the_door_for_good(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = socket.socket.accept, []

    def scarce(listening: socket.socket) -> tuple[socket.socket, object]:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(listening)

    monkeypatch.setattr(socket.socket, "accept", scarce)
    server = ControlServer(path, prompt)
    server.start()
    assert call(path, "status")["ok"] is True
    server.stop()


def test_a_directory_that_others_may_write_to_is_no_place_for_the_socket(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(ControlError, match="others may write"):
        ControlServer(path, prompt).start()
