"""The pages of the books: one note, slip, session, box or period each, as all facts so far tell it."""

from __future__ import annotations

import msgspec

from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Quote
from kiosk.model.money import Money


class NotePage(msgspec.Struct):
    """One note's way through the journal."""

    value: Money
    #: ``intended``, ``returning``, ``credited``, ``suspended``, ``returned`` or ``disputed``.
    outcome: str
    session: str
    #: True once the wire showed the end of its life.
    gone: bool = False


class DisputePage(msgspec.Struct):
    """A dispute nobody has resolved yet, and where it is booked."""

    note: NoteId
    epoch: int
    seq: int
    entry: Entry


class SlipPage(msgspec.Struct):
    """A numbered slip: where it stands and how its printing went."""

    epoch: int
    seq: int
    #: Copies started; 0 means that the original has been started.
    copy: int = -1
    #: ``issued``, ``printing`` or ``ended``.
    printing: str = "issued"
    #: How the last job ended.
    outcome: str = ""
    wall_ns: int = 0
    slip: str = ""
    #: As printed, e.g. K07-1-000412-9f3c.
    name: str = ""
    acknowledged: bool = False
    #: Last copy whose end in the presenter's mouth is known, and whether a hand has ever taken one.
    shown: int = -1
    taken: bool = False


class CommandPage(msgspec.Struct):
    """A hub's command: how it stands, and why."""

    outcome: str
    detail: str


class OpenSession(msgspec.Struct):
    """A session whose price is frozen and whose tender is not settled."""

    session: str
    quotes: tuple[Quote, ...]
    due_minor: int
    language: str
    credited: list[Money] = []
    #: Of these, the coins.
    coins: list[Money] = []
    #: What was held for its invoices before, minor units.
    held: tuple[facts.Held, ...] = ()


class DeferredPage(msgspec.Struct):
    """A settlement whose slip waits for its change."""

    session: str
    draft: facts.ReceiptDeferred
    wall_ns: int


class HopperPage(msgspec.Struct):
    """A hopper's float."""

    #: Of one coin.
    value: Money
    coins: int


class Applied(msgspec.Struct, array_like=True):
    """A payment of this kiosk against an invoice."""

    epoch: int
    seq: int
    minor: int
    #: Local day the price of this payment stood for, where it paid the invoice in full; ISO, else "".
    full_on: str = ""
    #: Issue date of the bill that it paid, ISO, where a number names an account; "" elsewhere, and in older facts.
    bill: str = ""


class BoxPage(msgspec.Struct):
    """A box that left the kiosk with its session."""

    session: int
    #: Its number and the people who took it out; "" where nobody was authorised.
    box: str
    first: str
    second: str
    #: ``exchange`` or ``removal``.
    ended_by: str
    #: How many notes by currency and value.
    content: dict[str, dict[int, int]]
    unknown_notes: int
    #: Numbers of the Z closings whose notes it holds.
    closings: tuple[int, ...]
    received: facts.BoxReceived | None = None
    attempts: list[facts.BoxCounted] = []
    closed: facts.CountClosed | None = None

    def content_minor(self, currency: str) -> int:
        """Return what the box should hold in one currency, minor units."""
        return sum(value * count for value, count in self.content.get(currency, {}).items())


class PinFailures(msgspec.Struct):
    """Wrong PINs in a row of one person."""

    count: int
    #: Trusted wall time of the last one.
    last_wall_ns: int


class PeriodPage(msgspec.Struct):
    """The present period: everything after the last Z closing."""

    notes: dict[str, dict[int, int]] = {}
    unknown_notes: int = 0
    payments: int = 0
    accounts: dict[str, dict[str, int]] = {}
    #: First and last number of each kind of slip.
    slips: dict[str, tuple[int, int]] = {}
    reprints: int = 0

    def note(self, value: Money) -> None:
        """Count a note that went into the box."""
        counts = self.notes.setdefault(value.currency, {})
        counts[value.minor] = counts.get(value.minor, 0) + 1

    def post(self, entry: Entry) -> None:
        """Count an entry."""
        sums = self.accounts.setdefault(entry.currency, {})
        for posting in entry.postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.minor

    def taken_minor(self, currency: str) -> int:
        """Return the notes of one currency, minor units."""
        return sum(value * count for value, count in self.notes.get(currency, {}).items())

    def summed(self, currency: str) -> facts.Period:
        """Return the period as a Z closing tells it, in a fixed order."""
        return facts.Period(
            notes=tuple(
                facts.NoteCount(code, value, count)
                for code, counts in sorted(self.notes.items())
                for value, count in sorted(counts.items())
            ),
            unknown_notes=self.unknown_notes,
            taken_minor=self.taken_minor(currency),
            payments=self.payments,
            accounts=tuple(
                facts.AccountSum(code, account, minor)
                for code, sums in sorted(self.accounts.items())
                for account, minor in sorted(sums.items())
                if minor
            ),
            slips=tuple(facts.SlipRange(kind, *span) for kind, span in sorted(self.slips.items())),
            reprints=self.reprints,
        )
