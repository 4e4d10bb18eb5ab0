"""What a hub may command, and how far each command is.  There are four and no others: resend, rotate, close, shutter.

    arrives -> HubCommanded(done | refused)
            -> HubCommanded(waiting) … the citizen in front is done … ShutterChanged + HubCommanded(done)

Each command is a fact before anything follows from it, and the same id again is answered from that fact, after a
restart too.  A hub moves no money here and ends nobody's payment: the shutter falls when no citizen is in front of it,
and a business date is closed by the same Z closing that closes it without a hub.  `resend` and `rotate` are only
journalled: the doing is kiosk-sync's.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from kiosk.checkout.model import Checkout
from kiosk.checkout.states import OPERATING, State
from kiosk.core.bookkeeping import COMMANDS_KEPT
from kiosk.core.books import Books
from kiosk.core.pages import CommandPage
from kiosk.errors import ControlError
from kiosk.journal.store import Journal
from kiosk.model import facts

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HUB = re.compile(r"[a-z][a-z0-9-]{0,30}")
_SIGNATURE = re.compile(r"([0-9a-f]{128})?")
_PLACE = re.compile(r"[0-9]{1,10}/[0-9]{1,10}")
COMMANDS = ("resend", "rotate", "close", "shutter")
#: Letters of the words that a hub puts on the screen.
LONGEST_REASON = 400
#: Letters of who asked at the hub.
LONGEST_BY = 64
#: Where no citizen has begun a payment, or has ended it: new ones can be kept out without sending anybody away.
AT_REST = frozenset((State.IDLE, State.OUT_OF_SERVICE, State.RECEIPTING, State.THANKING, *OPERATING))


class HubCommand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command as kiosk-sync hands it over."""

    hub: str
    id: str
    command: str
    argument: str = ""
    reason: str = ""
    by: str = ""
    #: Hexadecimal.
    signature: str = ""


class Counter(Protocol):
    """What a command needs of the kernel."""

    model: Checkout

    @property
    def business_date(self) -> dt.date: ...

    def look_at_day(self) -> None: ...

    def commit(self, bodies: Sequence[facts.AnyBody], by: str) -> None: ...

    def close_counter(
        self, by: str, *, closed: bool = True, reason: str = "", told: Sequence[facts.AnyBody] = ()
    ) -> None: ...


class HubOrders:
    """What was commanded stands in the books; owns what of it is older than they remember."""

    def __init__(self, counter: Counter, books: Books, journal: Journal) -> None:
        self._counter = counter
        self._books = books
        self._journal = journal
        #: Every command of the journal; None before one was asked for that the books do not know.
        self._ever: dict[str, CommandPage] | None = None
        self._act: Mapping[str, Callable[[HubCommand], tuple[str, str]]] = {
            "resend": self._resend, "rotate": self._rotate, "close": self._close, "shutter": self._shutter,
        }  # fmt: skip

    def take(self, asked: HubCommand) -> CommandPage:
        """Carry a command out, or answer what became of it when it came before.

        Raises:
            ControlError: id or hub cannot stand in a fact.
            JournalError: nothing of it was committed.
        """
        if not _ID.fullmatch(asked.id) or not _HUB.fullmatch(asked.hub):
            raise ControlError(f"this is no command of a hub: {asked.hub[:40]!r} {asked.id[:70]!r}")
        before = self._known(asked.id)
        if before is not None:
            return before
        wrong = _wrong(asked)
        if wrong:
            return self._told(_bounded(asked), "refused", wrong)
        return self._told(asked, *self._act[asked.command](asked))

    def look(self) -> None:
        """Let the shutter fall that waited for the citizen in front.

        Raises:
            JournalError: it could not be committed; the next look tries again.
        """
        waiting = self._books.hub_waiting
        if waiting is not None and self._at_rest:
            done = msgspec.structs.replace(waiting, outcome="done", detail="the session in front came to its end first")
            self._counter.close_counter(f"hub:{waiting.hub}", reason=waiting.reason, told=(done,))

    @property
    def _at_rest(self) -> bool:
        return self._counter.model.state in AT_REST and not self._counter.model.frozen

    def _told(self, asked: HubCommand, outcome: str, detail: str) -> CommandPage:
        """Commit what became of a command, unless that is done."""
        if asked.id not in self._books.hub_commands:
            self._counter.commit((_fact(asked, outcome, detail),), f"hub:{asked.hub}")
        if self._ever is not None:
            self._ever.update(self._books.hub_commands)  # before the books forget one of them
        return self._books.hub_commands[asked.id]

    def _known(self, name: str) -> CommandPage | None:
        """Return how a command stands that came before; one that the books have forgotten is in the journal.

        The journal is looked through once a start at the most: it may be long, and a citizen may be paying.
        """
        known = self._books.hub_commands
        if name in known or len(known) < COMMANDS_KEPT:
            return known.get(name)
        if self._ever is None:
            self._ever = {}
            for row in self._journal.rows():
                if row.kind == "hub_commanded":
                    body = msgspec.json.decode(row.row, type=facts.Fact).body
                    if isinstance(body, facts.HubCommanded):
                        self._ever[body.id] = CommandPage(body.outcome, body.detail)
        return self._ever.get(name)

    # --- the four ------------------------------------------------------------------------------------------

    def _resend(self, asked: HubCommand) -> tuple[str, str]:
        if not _PLACE.fullmatch(asked.argument):
            return "refused", "resend needs EPOCH/SEQ, e.g. 1/4000"
        epoch, seq = (int(part) for part in asked.argument.split("/"))
        if (epoch, seq) > (self._books.epoch, self._books.seq):
            return "refused", f"the journal ends at {self._books.epoch}/{self._books.seq}"
        return "done", ""

    def _rotate(self, asked: HubCommand) -> tuple[str, str]:
        return "done", ""

    def _close(self, asked: HubCommand) -> tuple[str, str]:
        try:
            date = dt.date.fromisoformat(asked.argument)
        except ValueError:
            return "refused", "close needs a business date, e.g. 2026-11-22"
        self._counter.look_at_day()  # closes whatever is over
        if date >= self._counter.business_date:
            return "refused", f"{date} is not over"
        number = self._books.closing_of(date)
        return "done", f"closed by Z {number}" if number else "nothing was open on it"

    def _shutter(self, asked: HubCommand) -> tuple[str, str]:
        if asked.argument not in ("closed", "open"):
            return "refused", "shutter is closed or open"
        waiting, by = self._books.hub_waiting, f"hub:{asked.hub}"
        if waiting is not None:
            over = msgspec.structs.replace(waiting, outcome="refused", detail=f"overtaken by {asked.id}")
            self._counter.commit((over,), f"hub:{waiting.hub}")
        if asked.argument == "closed" and not self._at_rest:
            return "waiting", "a citizen is being served"
        done = _fact(asked, "done", "")
        self._counter.close_counter(by, closed=asked.argument == "closed", reason=asked.reason, told=(done,))
        return "done", ""


def _wrong(asked: HubCommand) -> str:
    """Return why a command can be no command, "" where it can."""
    if asked.command not in COMMANDS:
        return f"one of {', '.join(COMMANDS)}"
    if len(asked.reason) > LONGEST_REASON or not asked.reason.isprintable():
        return f"the reason is shown as it is: one line of at most {LONGEST_REASON} letters"
    return "" if asked == _bounded(asked) else "a field is too long, or holds what cannot be shown"


def _bounded(asked: HubCommand) -> HubCommand:
    """Return what of a command may stand in a fact."""

    def shown(text: str, most: int) -> str:
        return "".join(letter for letter in text[:most] if letter.isprintable())

    return msgspec.structs.replace(
        asked, command=shown(asked.command, 16), argument=shown(asked.argument, 40), by=shown(asked.by, LONGEST_BY),
        reason=shown(asked.reason, LONGEST_REASON),
        signature=asked.signature if _SIGNATURE.fullmatch(asked.signature) else "",
    )  # fmt: skip


def _fact(asked: HubCommand, outcome: str, detail: str) -> facts.HubCommanded:
    return facts.HubCommanded(
        asked.id, asked.command, asked.argument, asked.reason, asked.by, asked.hub, outcome, detail, asked.signature
    )
