"""The way from kiosk-sync to the core: `core.sock`, and a small client of its protocol (one JSON object a line).

The core owns what the hub may ask for: it journals each command, and answers a repeated one from its journal.  So
everything here may be asked again after an interruption.  Nothing waits without a limit, because kiosk-sync has one
thread and a line to look after.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from kiosk.errors import ControlError
from kiosk.sync.messages import Clock, Command, DeviceState, Done

#: Longest request or answer, bytes.
LARGEST = 256 * 1024
#: Seconds that a request may take.
PATIENCE_S = 10.0
#: Seconds that the question for the state may take, whatever the core does.
STATE_S = 0.4
#: Seconds that anything else may take.
ACT_S = 5.0


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller asks for."""

    verb: str
    arguments: dict[str, Any] = {}


def read_line(connection: socket.socket, end: float | None = None) -> bytes:
    """Read up to a line end, until the monotonic second `end` at the latest.

    Raises:
        ControlError: too long, too slow, or ended before the line did.
    """
    held = b""
    while not held.endswith(b"\n"):
        if end is not None:
            connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            more = connection.recv(65536)
        except OSError as error:
            raise ControlError(f"no whole line came: {error}", transient=True) from error
        if not more:
            raise ControlError("the other side ended before a whole line came", transient=True)
        held += more
        if len(held) > LARGEST:
            raise ControlError(f"a line of more than {LARGEST} bytes", hint="this is not a request of the kiosk's")
    return held


def call(
    path: Path, verb: str, arguments: dict[str, Any] | None = None, *, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Ask a running kiosk and return its answer; takes no longer than `patience_s`.

    Raises:
        ControlError: nobody answers there, or it refused.
    """
    end = time.monotonic() + patience_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(patience_s)
        try:
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(Request(verb, arguments or {})) + b"\n")
        except OSError as error:
            raise ControlError(
                f"no kiosk answers on {path}: {error.strerror or error}",
                hint="start it, or name its runtime directory",
                transient=True,
            ) from error
        try:
            answer = msgspec.json.decode(read_line(connection, end), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ControlError(f"what answers on {path} is no kiosk: {error}"[:300]) from error
    if not answer.get("ok"):
        told, hint = str(answer.get("error", "refused")), str(answer.get("hint", ""))
        raise ControlError(told, hint=hint, transient=answer.get("transient") is True)
    return answer


class Answered(msgspec.Struct, frozen=True):
    """How a hub's command stands, as the journal tells it."""

    id: str
    #: ``done``, ``waiting``, ``refused``.
    outcome: str
    detail: str = ""


class CoreState(msgspec.Struct, frozen=True, kw_only=True):
    """How the kiosk is, for STATUS: never a sum of money."""

    #: ``open`` or ``closed``.
    state: str
    reasons: tuple[str, ...]
    devices: tuple[DeviceState, ...]
    #: ``plenty``, ``low``, ``out``, ``unknown``.
    paper: str
    stacker_permille: int | None
    clock: Clock
    software: str
    alarms: tuple[str, ...]
    kiosk: str
    #: The realm whose journal grows now.
    realm: str
    epoch: int
    seq: int
    #: The hub's last commands and how each stands, oldest first: one that waited tells its end here.
    commands: tuple[Answered, ...] = ()


class CoreLink:
    """Asks the core; owns nothing but the path, so that a core that restarts is found again by itself."""

    def __init__(self, path: Path, hub: str = "") -> None:
        self.path = path
        #: The hub in whose name commands are handed over.
        self.hub = hub

    def state(self) -> CoreState | None:
        """Return how the kiosk is; None while the core does not answer.  Takes half a second at most."""
        try:
            return msgspec.convert(call(self.path, "hub.state", patience_s=STATE_S), CoreState, strict=False)
        except (ControlError, msgspec.ValidationError):
            return None  # told as `down`: the core is away, busy, or of another version

    def command(self, message: Command, hub: str = "") -> Done:
        """Hand a command of the hub's over and return what became of it; the same command again does nothing.

        `resend` and `rotate` are only journalled there: the doing is kiosk-sync's.

        Raises:
            ControlError: the core does not answer (transient: ask again), or cannot take such a command at all.
        """
        told = call(
            self.path,
            "hub.command",
            {
                "hub": hub or self.hub, "id": message.id, "command": message.command, "argument": message.argument,
                "reason": message.reason, "by": message.by, "signature": message.signature.hex(),
            },
            patience_s=ACT_S,
        )  # fmt: skip
        return Done(message.id, str(told["outcome"]), str(told["detail"])[:400])

    def sign(self, message: bytes) -> bytes:
        """Have the journal's key sign an enrolment or the kiosk's next transport key; nothing else is signed there.

        Raises:
            ControlError: the core does not answer, or refuses these bytes.
        """
        return bytes.fromhex(
            str(call(self.path, "hub.sign", {"message": message.hex()}, patience_s=ACT_S)["signature"])
        )

    def journal_key(self) -> str:
        """Return the public half of the journal's key, hexadecimal.

        Raises:
            ControlError: the core does not answer.
        """
        return str(call(self.path, "hub.key", patience_s=ACT_S)["key"])

    def adopt(self, name: str) -> None:
        """Tell the core that a document of the hub's changed: ``people`` or ``pack``.

        Raises:
            ControlError: the core does not answer (transient: it looks by itself at its next start).
        """
        call(self.path, "hub.adopt", {"name": name}, patience_s=ACT_S)
