"""The small socket by which somebody here asks kiosk-sync for a connection now: `kiosk sync now`."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from kiosk.errors import SyncError
from kiosk.sync.standing import SOCKET

_NOW = b"now"


class AskingSocket:
    """A datagram socket in the runtime directory, which only the service's user may enter."""

    def __init__(self, runtime: Path) -> None:
        """Bind it.

        Raises:
            SyncError: the path cannot be used.
        """
        self.path = runtime / SOCKET
        self._inode = 0
        self.socket = self._bind()

    def fileno(self) -> int:
        """Return what to poll for reading."""
        return self.socket.fileno()

    def asked(self) -> bool:
        """Take what came; tell whether a connection is asked for."""
        found = False
        while True:
            try:
                found = self.socket.recv(16) == _NOW or found
            except OSError:
                return found

    def still_there(self) -> None:
        """Bind anew where the runtime directory was emptied, as a service manager does between two starts."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            self.socket.close()
            self.socket = self._bind()

    def close(self) -> None:
        """Remove it."""
        self.socket.close()
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except OSError:
            pass  # the directory is gone already

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.unlink(missing_ok=True)
            old = os.umask(0o177)
            try:
                bound.bind(str(self.path))
            finally:
                os.umask(old)
            self._inode = self.path.stat().st_ino
        except OSError as error:
            bound.close()
            raise SyncError(f"{self.path}: {error.strerror or error}", hint="check the runtime directory") from error
        return bound


def ask(runtime: Path) -> None:
    """Ask the running kiosk-sync for a connection now.

    Raises:
        SyncError: it does not run here.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(_NOW, str(runtime / SOCKET))
        except OSError as error:
            raise SyncError(
                f"no kiosk-sync listens on {runtime / SOCKET}: {error.strerror or error}",
                hint="start kiosk-sync.service, or run: kiosk sync run",
                transient=True,
            ) from error
