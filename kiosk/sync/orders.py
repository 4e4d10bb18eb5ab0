"""What a hub may ask of a kiosk: the four commands, each signed by it, each journalled by the core, answered by DONE.

Nothing is done before the hub's signature over this very command to this very kiosk was checked, and nothing before
the core has it in its journal.  While the core is down a command waits here; the hub sends it again if this process
ends before.  `shutter` and `close` are the core's to do; `resend` and `rotate` are done here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from kiosk.errors import KioskError, SyncError
from kiosk.journal.keys import verify
from kiosk.sync.allowance import Allowance
from kiosk.sync.keys import CURRENT, NEXT, KnownHub, TransportKey, load_hubs, take_into_use
from kiosk.sync.messages import Command, Done, Mark
from kiosk.sync.receipts import command_message, kiosk_key_message

#: The closed table of commands.
COMMANDS = ("resend", "rotate", "close", "shutter")
#: Commands that wait for the core, and outcomes that are remembered.
MOST_WAITING, MOST_TOLD = 32, 256
#: New commands at once, and one more in each while: each is a fact in the journal for ever.
MOST_NEW, NEW_EVERY_NS = 64, 10_000_000_000
_PLACE = re.compile(r"([0-9]{1,10})/([0-9]{1,10})")


class AnsweredView(Protocol):
    """How a command stands, as the core tells it (`sync.corelink.Answered`)."""

    @property
    def id(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def detail(self) -> str: ...


class CoreDoor(Protocol):
    """What of the core is needed here (`sync.corelink.CoreLink`)."""

    def command(self, message: Command, hub: str = "") -> Done: ...
    def sign(self, message: bytes) -> bytes: ...


class Keyring:
    """The kiosk's transport pairs: the one in use, and the next one while it changes."""

    def __init__(self, state: Path) -> None:
        self._state = state
        #: Whether the next connection tries the next pair: not again before the present one has served in between.
        self._try_next = True
        self._trying = False

    @property
    def held_back(self) -> str:
        """Why no hub may have the pair changed, "" where it may: of several hubs only that one would learn of it."""
        try:
            known = load_hubs(self._state)
        except SyncError as error:
            return error.message
        return "other hubs know this kiosk by the same key: enrol it anew" if len(known) > 1 else ""

    def pair(self) -> TransportKey:
        """Return the pair to connect with.

        Raises:
            SyncError: there is none: this kiosk was not enrolled.
        """
        self._trying = self._try_next and (self._state / NEXT).exists()
        return TransportKey.load(self._state / (NEXT if self._trying else CURRENT))

    def refused(self) -> None:
        """The hub does not know the pair: with the next one, the present one is tried again."""
        self._try_next = not self._trying

    def welcomed(self) -> bool:
        """The hub took the pair; return True where that made the next one the present one.

        Raises:
            SyncError: the directory takes no change.
        """
        self._try_next = True
        if self._trying:
            take_into_use(self._state)
            self._trying = False
            return True
        return False

    def next_pair(self) -> TransportKey:
        """Return the pair that a ROTATE announces; made once, so that a repeated command announces the same.

        Raises:
            SyncError: it cannot be kept.
        """
        path = self._state / NEXT
        self._try_next = True
        return TransportKey.load(path) if path.exists() else TransportKey.create(path)


class Ordered(msgspec.Struct, frozen=True):
    """What follows from a command: an answer, rows to send again, a change of keys."""

    done: Done | None = None
    resend: Mark | None = None
    rotated: bool = False
    #: The id of a command that must come again: there were too many.
    put_off: str = ""


class Orders:
    """Takes commands; owns those that wait for the core, and what was answered."""

    def __init__(
        self, kiosk: str, core: CoreDoor, keyring: Keyring, now: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._kiosk, self._core, self._keyring, self._now = kiosk, core, keyring, now
        self._allowed = Allowance(MOST_NEW, NEW_EVERY_NS)
        self._waiting: dict[str, tuple[Command, KnownHub]] = {}
        #: Commands that the core is still about, and the hub that asked.
        self._told: dict[str, tuple[str, str]] = {}

    def received(self, command: Command, hub: KnownHub) -> Ordered:
        """Take a command from a hub."""
        message = command_message(hub.hub, self._kiosk, command)
        if len(command.signature) != 64 or not verify(hub.signing_key, message, command.signature):
            return Ordered(Done(command.id, "refused", "the signature is not the hub's"))
        if command.command not in COMMANDS:
            return Ordered(Done(command.id, "refused", f"there is no command {command.command[:20]!r}"))
        if command.command == "rotate" and (why := self._keyring.held_back):
            return Ordered(Done(command.id, "refused", why[:400]))
        known = command.id in self._told or command.id in self._waiting
        if not known and not self._allowed.take(self._now()):
            return Ordered(put_off=command.id)  # the hub sends it again until it is answered
        return self._hand_over(command, hub)

    def core_is_there(self) -> list[Ordered]:
        """Hand over what waited for the core."""
        waiting, self._waiting = self._waiting, {}
        return [self._hand_over(*each) for each in waiting.values()]

    def ended(self, answers: tuple[AnsweredView, ...], hub: str) -> list[Done]:
        """Return the end of commands that were answered with ``waiting`` before."""
        told = []
        for each in answers:
            if self._told.get(each.id) == (hub, "waiting") and each.outcome != "waiting":
                self._told[each.id] = (hub, each.outcome)
                told.append(Done(each.id, each.outcome, each.detail[:400]))
        return told

    def _hand_over(self, command: Command, hub: KnownHub) -> Ordered:
        try:
            done = self._core.command(command, hub.hub)
        except KioskError as error:
            if error.transient and len(self._waiting) < MOST_WAITING:
                self._waiting[command.id] = (command, hub)
                return Ordered()
            return Ordered(Done(command.id, "refused", error.message[:400]))
        except OSError:
            self._waiting[command.id] = (command, hub)
            return Ordered()
        self._told[command.id] = (hub.hub, done.outcome)
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        if done.outcome == "refused":
            return Ordered(done)
        if command.command == "resend":
            return self._resend(command)
        return self._rotate(command) if command.command == "rotate" else Ordered(done)

    def _resend(self, command: Command) -> Ordered:
        found = _PLACE.fullmatch(command.argument)
        if not found or not 0 < int(found[1]) < 2**32 or not 0 < int(found[2]) < 2**32:
            return Ordered(Done(command.id, "refused", "resend needs EPOCH/SEQ"))
        return Ordered(Done(command.id, "done"), resend=Mark(int(found[1]), int(found[2]) - 1))

    def _rotate(self, command: Command) -> Ordered:
        try:
            key = self._keyring.next_pair().public
            signature = self._core.sign(kiosk_key_message(self._kiosk, key))
        except KioskError as error:
            return Ordered(Done(command.id, "refused", error.message[:400]))
        return Ordered(Done(command.id, "done", key=key, signature=signature), rotated=True)
