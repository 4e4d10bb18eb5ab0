"""The control socket: the only door through which a command line changes anything in a running kiosk.

AF_UNIX, one JSON object a line in each direction, bounded, with a time limit.  The caller is whom the operating
system says (SO_PEERCRED): the service's own user and root may act, everybody else who can reach the socket may
only ask for the status.  The socket's directory is 0700, so this second fence rarely matters.
"""

from __future__ import annotations

import os
import queue
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from kiosk.core.inbox import ControlPosted
from kiosk.errors import ControlError
from kiosk.sync.corelink import LARGEST as LARGEST
from kiosk.sync.corelink import PATIENCE_S, Request, read_line
from kiosk.sync.corelink import call as call

#: Requests at the same time.
CALLERS = 8
#: Seconds until another try where no caller could be taken.
SCARCE_S = 0.2
READ_ONLY = ("status", "health", "devices")


class ControlServer:
    """Owns the socket and its threads; hands requests to the kernel and waits for its answers."""

    def __init__(self, path: Path, post: Callable[[ControlPosted], bool]) -> None:
        self.path = path
        self._post = post
        self._socket: socket.socket | None = None
        #: Device and inode of our own socket.
        self._place: tuple[int, int] | None = None
        self._room = threading.BoundedSemaphore(CALLERS)

    def start(self) -> None:
        """Bind the socket and listen.

        Raises:
            ControlError: the path cannot be bound, or another kiosk answers on it.
        """
        own_directory(self.path.parent)
        if len(os.fsencode(self.path)) > 100:
            raise ControlError(
                f"the control socket's path {self.path} is too long", hint="use a shorter runtime directory"
            )
        if listened_on(self.path):
            raise ControlError(
                f"another kiosk answers on {self.path}", hint="stop it, or use another runtime directory"
            )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            if self.path.is_socket():
                self.path.unlink(missing_ok=True)
            self._socket.bind(str(self.path))
            self.path.chmod(0o600)
            self._place = _place_of(self.path)
            self._socket.listen(CALLERS)
        except OSError as error:
            raise ControlError(
                f"the control socket {self.path} cannot be made: {error.strerror}", hint="check the runtime directory"
            ) from error
        threading.Thread(target=self._serve, args=(self._socket,), name="control", daemon=True).start()

    def stop(self) -> None:
        """Close the socket and remove its path, unless a successor has put its own there."""
        if self._socket is None:
            return
        listening, self._socket = self._socket, None
        if self._place is not None and _place_of(self.path) == self._place:
            self.path.unlink(missing_ok=True)
        try:
            listening.shutdown(socket.SHUT_RDWR)  # ends the wait of the serving thread; closing alone does not
        except OSError:
            pass  # it never listened
        listening.close()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                if self._socket is not listening:
                    return  # closed by `stop`
                time.sleep(SCARCE_S)  # too many open files, say: the door must not stay shut for good
                continue
            if not self._room.acquire(blocking=False):
                caller.close()
                continue
            threading.Thread(target=self._attend, args=(caller,), name="control-caller", daemon=True).start()

    def _attend(self, caller: socket.socket) -> None:
        try:
            with caller:
                caller.settimeout(PATIENCE_S)
                caller.sendall(msgspec.json.encode(self._answer(caller)) + b"\n")
        except OSError:
            pass  # the caller has gone; nobody is left to be told
        finally:
            self._room.release()

    def _answer(self, caller: socket.socket) -> dict[str, Any]:
        uid = peer_uid(caller)
        try:
            request = msgspec.json.decode(read_line(caller), type=Request)
        except (msgspec.DecodeError, ControlError) as error:
            return {"ok": False, "error": f"the request cannot be read: {error}"[:300], "hint": "send one JSON object"}
        if request.verb not in READ_ONLY and uid not in (0, os.getuid()):
            return {
                "ok": False,
                "error": f"user {uid} may not {request.verb[:40]!r}",
                "hint": "use the service's user or root",
            }
        answers: queue.Queue[dict[str, Any]] = queue.Queue(1)
        if not self._post(ControlPosted(request.verb, request.arguments, uid, answers.put_nowait)):
            return {"ok": False, "error": "the kiosk is busy", "hint": "try again", "transient": True}
        try:
            return answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            told = "the kiosk did not answer in time"
            return {"ok": False, "error": told, "hint": "see the health page", "transient": True}


def own_directory(path: Path) -> None:
    """Make the runtime directory, or check that nobody else can put a socket or a token into it.

    Raises:
        ControlError: it cannot be made, or others may write to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.stat()
    except OSError as error:
        raise ControlError(
            f"the runtime directory {path} cannot be made: {error.strerror}", hint="check path, owner and mode"
        ) from error
    if found.st_mode & stat.S_IWOTH or found.st_uid not in (0, os.getuid()):
        raise ControlError(
            f"others may write to the runtime directory {path}", hint="use one of the service's own, of mode 0700"
        )


def listened_on(path: Path) -> bool:
    """Tell whether a process listens on a socket; one that is too busy to answer does too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as connection:
        try:
            connection.connect(str(path))
        except BlockingIOError:
            return True  # its queue of callers is full
        except OSError:
            return False
    return True


def _place_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def peer_uid(caller: socket.socket) -> int:
    """Return the user id of the process at the other end."""
    held = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", held)[1])
