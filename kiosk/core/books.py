"""The books: what all committed facts add up to, kept by the kernel and rebuilt at every start.

A projection and nothing more: each fact is applied once, in order, and the same facts always give the same
books (a checkpoint of them is a cache that is never trusted by `journal verify`).  Nothing here decides.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import msgspec

from kiosk.checkout.model import OpenExchange, PayoutPage
from kiosk.core.bookkeeping import APPLY
from kiosk.core.pages import (
    Applied,
    BoxPage,
    CommandPage,
    DeferredPage,
    DisputePage,
    HopperPage,
    NotePage,
    OpenSession,
    PeriodPage,
    PinFailures,
    SlipPage,
)  # fmt: skip
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.ids import NoteId
from kiosk.model.invoice import PostedThrough
from kiosk.model.money import Money

#: Notes remembered beyond those still open; a serial never comes back, so older ones need no memory.
NOTES_KEPT = 64
#: Slips remembered with their place; older ones are found in the journal.
SLIPS_KEPT = 64
#: Ended payouts remembered; an id never comes back, so older ones need no memory.
PAYOUTS_KEPT = 64
#: Counted boxes remembered; older ones are found in the journal.
BOXES_KEPT = 32

BOOKS_VERSION = 10
#: Slips that a citizen waits for; and with them all that are owed to somebody: the two people who carry a box.
CITIZEN_SLIPS = ("receipt", "credit", "pending", "disputed", "suspense")
AWAITED_SLIPS = (*CITIZEN_SLIPS, "box_exchange")
#: Pages of awaited slips that are not on paper are kept longer than others, but not without end.
OPEN_SLIPS_KEPT = 512
#: A doubt below this is none (as in the core's clock).
_JUMP_NS = 2_000_000_000


class Books(msgspec.Struct, kw_only=True):
    """All sums and open ends."""

    version: int = BOOKS_VERSION
    epoch: int = 0
    seq: int = 0
    #: Hash of the last fact, hexadecimal.
    head: str = ""
    #: Trusted time of the last fact: its wall clock less what was doubted of it.
    trusted_wall_ns: int = 0
    #: Wall clock minus trusted time while the clock is in doubt, else 0.
    clock_doubt_ns: int = 0
    last_mono_ns: int = 0
    last_boot: str = ""
    #: False right after `Stopped`.
    running: bool = False
    #: Balances by currency and account, minor units, debit positive.
    balances: dict[str, dict[str, int]] = {}
    #: Cash in the present box by currency and value: how many notes.
    box: dict[str, dict[int, int]] = {}
    #: Notes in the box whose value the wire did not tell.
    box_unknown: int = 0
    #: How many of the values in the box are coins.
    box_coins: int = 0
    box_session: int = 1
    box_present: bool = True
    last_receipt: int = 0
    #: By device: highest serial in the journal.
    note_serials: dict[str, int] = {}
    #: By device: last counter the driver gave with a money event.
    device_marks: dict[str, str] = {}
    notes: dict[str, NotePage] = {}
    disputes: dict[str, DisputePage] = {}
    open_session: OpenSession | None = None
    #: By "service/number".
    applied: dict[str, list[Applied]] = {}
    slips: dict[int, SlipPage] = {}
    identities: dict[str, tuple[str, str, str]] = {}
    digests: tuple[str, str, str] = ("", "", "")
    out_of_service: tuple[str, ...] = ()
    payments: int = 0
    #: Number of the last slip of each kind within the epoch.
    of_kind: dict[str, int] = {}
    #: Tender held for the rest of an invoice, by "service/number", minor units.
    held: dict[str, int] = {}
    #: Number of the box in the kiosk, "" where nobody told it.
    box_number: str = ""
    #: Z closings of the present box session.
    box_closings: tuple[int, ...] = ()
    #: Boxes that left, by session.
    boxes: dict[int, BoxPage] = {}
    exchange: OpenExchange | None = None
    #: Alarms that nobody has acknowledged, each once.
    alarms: tuple[str, ...] = ()
    period: PeriodPage = msgspec.field(default_factory=PeriodPage)
    last_z: int = 0
    grand_total_minor: int = 0
    closed_through: dt.date | None = None
    #: The last closings of dates: (through, Z number).
    date_closings: list[tuple[dt.date, int]] = []
    #: Earliest date on which something was posted or told since the last closing of dates.
    first_open: dt.date | None = None
    pin_failures: dict[str, PinFailures] = {}
    #: Who closed the counter to the public, "" while it is open.
    shutter: str = ""
    #: What a hub that closed it tells the citizen.
    shutter_reason: str = ""
    #: The last commands of hubs, by their ids, oldest first.
    hub_commands: dict[str, CommandPage] = {}
    #: The hub's command that waits for the end of a session, or None.
    hub_waiting: facts.HubCommanded | None = None
    #: The hub's list of people as last told: version, digest, why it was refused.
    hub_people: tuple[int, str, str] = (0, "", "")
    #: Version of the last pack that came from a hub.
    hub_pack: int = 0
    commissioned: bool = False
    #: When a person went over to another realm's journal, wall nanoseconds; 0 where what happened to the box
    #: meanwhile is known, or told as not known.
    away_ns: int = 0
    kiosk: str = ""
    #: Coins in the hoppers, by device.
    hoppers: dict[str, HopperPage] = {}
    #: The last payouts by their ids, the oldest first.
    payouts: dict[str, PayoutPage] = {}
    #: The settlement whose slip waits for its change, or None.
    deferred: DeferredPage | None = None

    # --- applying -----------------------------------------------------------------------------------------

    def apply(self, committed: facts.Committed) -> None:
        """Take one more fact in; facts come in order, each once."""
        fact = committed.fact
        self.epoch, self.seq, self.head = fact.epoch, fact.seq, committed.hash.hex()
        self.kiosk = fact.kiosk
        self._time(fact)
        call: Any = APPLY.get(type(fact.body))
        if call is not None:
            call(self, fact, fact.body)
        self._date(fact)

    def _date(self, fact: facts.Fact) -> None:
        late = fact.stamp.late
        date = late.posts_on if late is not None else fact.stamp.business_date
        if self.closed_through is not None and date <= self.closed_through:
            return
        self.first_open = date if self.first_open is None else min(self.first_open, date)

    def _time(self, fact: facts.Fact) -> None:
        at, body = fact.stamp.at, fact.body
        if isinstance(body, facts.ClockTrusted):
            self.clock_doubt_ns = 0
            for page in self.pin_failures.values():  # a lock lasts its minutes, wherever the clock was put
                page.last_wall_ns += body.off_ms * 1_000_000
        elif isinstance(body, facts.ClockJumped):
            again = body.detail == facts.AGAINST_LAST_FACT
            gone = at.mono_ns - self.last_mono_ns if at.boot_id == self.last_boot else 0
            self.clock_doubt_ns = body.jump_ms * 1_000_000 + (-max(0, gone) if again else self.clock_doubt_ns)
            if abs(self.clock_doubt_ns) < _JUMP_NS and not again:
                self.clock_doubt_ns = 0
        self.trusted_wall_ns = at.wall_ns - self.clock_doubt_ns
        self.last_mono_ns, self.last_boot = at.mono_ns, at.boot_id

    def post(self, entry: Entry | None) -> None:
        if entry is None:
            return
        accounts = self.balances.setdefault(entry.currency, {})
        for posting in entry.postings:
            accounts[posting.account] = accounts.get(posting.account, 0) + posting.minor
        self.period.post(entry)

    def take_note(self, note: NoteId, value: Money, outcome: str, session: str) -> None:
        self.note_serials[note.device] = max(note.serial, self.note_serials.get(note.device, 0))
        page = self.notes.get(str(note))
        if page is None:
            self.notes[str(note)] = NotePage(value, outcome, session)
            self._forget_old_notes()
        else:
            page.outcome = outcome

    def _forget_old_notes(self) -> None:
        if len(self.notes) <= 2 * NOTES_KEPT:
            return
        done = [name for name, page in self.notes.items() if page.gone or self._overtaken(name, page)]
        for name in done[: len(self.notes) - NOTES_KEPT]:
            del self.notes[name]

    def _overtaken(self, name: str, page: NotePage) -> bool:
        """Tell whether a later note of the same acceptor proves this one's life over; some units never say so."""
        device, _, serial = name.rpartition("#")
        ended = page.outcome in ("returned", "credited", "suspended")
        return ended and int(serial) < self.note_serials.get(device, 0)

    def into_box(self, value: Money) -> None:
        notes = self.box.setdefault(value.currency, {})
        notes[value.minor] = notes.get(value.minor, 0) + 1
        self.period.note(value)

    def end_box(self, session: int, *, ended_by: str, first: str = "", second: str = "") -> None:
        """Put the present box and its content aside and begin session `session` with an empty one."""
        self.boxes[self.box_session] = BoxPage(
            self.box_session, self.box_number, first, second, ended_by, self.box, self.box_unknown, self.box_closings
        )
        done = [number for number, page in self.boxes.items() if page.closed is not None]
        for number in done[: max(0, len(done) - BOXES_KEPT)]:
            del self.boxes[number]
        self.box, self.box_unknown, self.box_closings, self.box_coins = {}, 0, (), 0
        self.box_session, self.box_number = session, ""

    def take_payout(self, page: PayoutPage) -> None:
        """Open the page of a payout."""
        self.payouts[page.payout] = page
        done = [name for name, each in self.payouts.items() if each.phase == "ended"]
        for name in done[: max(0, len(done) - PAYOUTS_KEPT)]:
            del self.payouts[name]

    def into_hopper(self, device: str, value: Money, coins: int) -> None:
        """Change a float; less than nothing is never in a hopper, whatever a fact says."""
        before = self.hoppers.get(device)
        there = before.coins if before is not None and before.value == value else 0
        self.hoppers[device] = HopperPage(value, max(0, there + coins))

    def take_slip(self, number: int, fact: facts.Fact, slip: str, name: str) -> None:
        """Open the page of a slip."""
        self.slips[number] = SlipPage(fact.epoch, fact.seq, wall_ns=fact.stamp.at.wall_ns, slip=slip, name=name)
        if len(self.slips) > SLIPS_KEPT:
            unsettled = set(self.slips_open()[-OPEN_SLIPS_KEPT:])
            old = [number for number in sorted(self.slips)[:-SLIPS_KEPT] if number not in unsettled]
            for number in old:
                del self.slips[number]

    # --- asking -------------------------------------------------------------------------------------------

    def open_note(self, device: str) -> tuple[NoteId, Money, str] | None:
        """Return the one note of a device whose end on the wire the journal does not know, with its phase."""
        for name in reversed(self.notes):
            page = self.notes[name]
            owner, _, serial = name.rpartition("#")
            if owner != device or page.gone or page.outcome == "returned":
                continue
            if int(serial) != self.note_serials.get(device):
                continue
            # A disputed note is booked: should the unit still show it, it is acknowledged and not booked again.
            phase = "stack_sent" if page.outcome in ("intended", "returning") else "credited"
            return NoteId(device, int(serial)), page.value, phase
        return None

    def paid_since(self, service: str, number: str, counted: PostedThrough, bill: str = "") -> int:
        """Return this kiosk's payments against an invoice that the hub had not counted yet, minor units.

        Where a number names an account, `bill` is the issue date of the one that is asked for, ISO.
        """
        return sum(each.minor for each in self._applied(service, number, counted, bill))

    def settled_on(self, service: str, number: str, counted: PostedThrough, bill: str = "") -> str:
        """Return the day on which this kiosk's own payment settled an invoice in full, ISO; "" where none did."""
        return next((each.full_on for each in self._applied(service, number, counted, bill) if each.full_on), "")

    def _applied(self, service: str, number: str, counted: PostedThrough, bill: str) -> list[Applied]:
        mark = (counted.epoch, counted.seq)
        rows = self.applied.get(f"{service}/{number}", ())
        # A payment that does not say which bill it was for counts for each.
        return [each for each in rows if (each.epoch, each.seq) > mark and (each.bill in ("", bill) or not bill)]

    def outcomes(self) -> dict[NoteId, str]:
        """Return the last recorded outcome of every remembered note."""
        found = {}
        for name, page in self.notes.items():
            device, _, serial = name.rpartition("#")
            found[NoteId(device, int(serial))] = page.outcome
        return found

    def closing_of(self, date: dt.date) -> int:
        """Return the number of the Z closing that closed a date; 0 where it is open."""
        if self.closed_through is None or date > self.closed_through:
            return 0
        return next((number for through, number in self.date_closings if through >= date), self.last_z)

    def slips_open(self) -> list[int]:
        """Return the awaited slips that are not proven to be on paper and that nobody has acknowledged."""
        return [
            number
            for number, page in sorted(self.slips.items())
            if page.slip in AWAITED_SLIPS and page.printing == "ended" and page.outcome != "printed"
            and not page.acknowledged
        ]  # fmt: skip

    def uncounted(self) -> list[BoxPage]:
        """Return the boxes that left and whose count is not closed."""
        return [page for _, page in sorted(self.boxes.items()) if page.closed is None]

    def money_digest(self) -> str:
        """Return a digest of everything that money stands in; an X report leaves it as it was."""
        told = (
            self.balances, self.box, self.box_unknown, self.box_session, self.boxes, self.held, self.applied,
            self.disputes, self.open_session, self.hoppers, self.payouts, self.deferred,
            self.period.notes, self.period.unknown_notes, self.period.payments, self.period.accounts,
            self.last_z, self.grand_total_minor, self.closed_through,
        )  # fmt: skip
        plain = msgspec.to_builtins(told, str_keys=True)
        return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()
