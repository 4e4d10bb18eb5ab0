"""The books: what all committed facts add up to, kept by the kernel and rebuilt at every start.

A projection and nothing more: each fact is applied once, in order, and the same facts always give the same
books (a checkpoint of them is a cache that is never trusted by `journal verify`).  Nothing here decides.
"""

from __future__ import annotations

from typing import Any

import msgspec

from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.ids import NoteId
from kiosk.model.invoice import PostedThrough, Quote
from kiosk.model.money import Money

#: Notes remembered beyond those still open; a serial never comes back, so older ones need no memory.
NOTES_KEPT = 64
#: Slips remembered with their place; older ones are found in the journal.
SLIPS_KEPT = 64

BOOKS_VERSION = 2
#: A doubt below this is none (as in the core's clock).
_JUMP_NS = 2_000_000_000


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


class OpenSession(msgspec.Struct):
    """A session whose price is frozen and whose tender is not settled."""

    session: str
    quotes: tuple[Quote, ...]
    due_minor: int
    language: str
    credited: list[Money] = []


class Applied(msgspec.Struct, array_like=True):
    """A payment of this kiosk against an invoice."""

    epoch: int
    seq: int
    minor: int
    #: Local day the price of this payment stood for, where it paid the invoice in full; ISO, else "".
    full_on: str = ""


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

    # --- applying -----------------------------------------------------------------------------------------

    def apply(self, committed: facts.Committed) -> None:
        """Take one more fact in; facts come in order, each once."""
        fact = committed.fact
        self.epoch, self.seq, self.head = fact.epoch, fact.seq, committed.hash.hex()
        self._time(fact)
        call: Any = _APPLY.get(type(fact.body))
        if call is not None:
            call(self, fact, fact.body)

    def _time(self, fact: facts.Fact) -> None:
        at, body = fact.stamp.at, fact.body
        if isinstance(body, facts.ClockTrusted):
            self.clock_doubt_ns = 0
        elif isinstance(body, facts.ClockJumped):
            again = body.detail == facts.AGAINST_LAST_FACT
            gone = at.mono_ns - self.last_mono_ns if at.boot_id == self.last_boot else 0
            self.clock_doubt_ns = body.jump_ms * 1_000_000 + (-max(0, gone) if again else self.clock_doubt_ns)
            if abs(self.clock_doubt_ns) < _JUMP_NS and not again:
                self.clock_doubt_ns = 0
        self.trusted_wall_ns = at.wall_ns - self.clock_doubt_ns
        self.last_mono_ns, self.last_boot = at.mono_ns, at.boot_id

    def _post(self, entry: Entry | None) -> None:
        if entry is None:
            return
        accounts = self.balances.setdefault(entry.currency, {})
        for posting in entry.postings:
            accounts[posting.account] = accounts.get(posting.account, 0) + posting.minor

    def _note(self, note: NoteId, value: Money, outcome: str, session: str) -> None:
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

    def _into_box(self, value: Money) -> None:
        notes = self.box.setdefault(value.currency, {})
        notes[value.minor] = notes.get(value.minor, 0) + 1

    def _slip(self, number: int, fact: facts.Fact) -> None:
        self.slips[number] = SlipPage(fact.epoch, fact.seq, wall_ns=fact.stamp.at.wall_ns)
        while len(self.slips) > SLIPS_KEPT:
            del self.slips[min(self.slips)]

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

    def paid_since(self, service: str, number: str, counted: PostedThrough) -> int:
        """Return this kiosk's payments against an invoice that the hub had not counted yet, minor units."""
        mark = (counted.epoch, counted.seq)
        return sum(a.minor for a in self.applied.get(f"{service}/{number}", ()) if (a.epoch, a.seq) > mark)

    def settled_on(self, service: str, number: str, counted: PostedThrough) -> str:
        """Return the day on which this kiosk's own payment settled an invoice in full, ISO; "" where none did."""
        mark = (counted.epoch, counted.seq)
        rows = self.applied.get(f"{service}/{number}", ())
        return next((a.full_on for a in rows if a.full_on and (a.epoch, a.seq) > mark), "")

    def outcomes(self) -> dict[NoteId, str]:
        """Return the last recorded outcome of every remembered note."""
        found = {}
        for name, page in self.notes.items():
            device, _, serial = name.rpartition("#")
            found[NoteId(device, int(serial))] = page.outcome
        return found


def _genesis(books: Books, fact: facts.Fact, body: facts.Genesis) -> None:
    books.running = False


def _epoch(books: Books, fact: facts.Fact, body: facts.EpochStarted) -> None:
    books.last_receipt = 0
    books.slips = {}
    books.running = False


def _started(books: Books, fact: facts.Fact, body: facts.Started) -> None:
    books.running = True
    books.digests = (fact.stamp.digests.software, fact.stamp.digests.configuration, fact.stamp.digests.data)


def _stopped(books: Books, fact: facts.Fact, body: facts.Stopped) -> None:
    books.running = False


def _configuration(books: Books, fact: facts.Fact, body: facts.ConfigurationChanged) -> None:
    books.digests = (body.software, body.configuration, body.data)


def _frozen(books: Books, fact: facts.Fact, body: facts.TenderFrozen) -> None:
    books.open_session = OpenSession(fact.stamp.session, body.quotes, body.due_minor, body.language)


def _intended(books: Books, fact: facts.Fact, body: facts.StackIntended) -> None:
    books._note(body.note, body.value, "intended", fact.stamp.session)


def _returning(books: Books, fact: facts.Fact, body: facts.ReturnIntended) -> None:
    books._note(body.note, body.value, "returning", fact.stamp.session)


def _credited(books: Books, fact: facts.Fact, body: facts.NoteCredited) -> None:
    books._note(body.note, body.value, "credited", fact.stamp.session)
    books._post(body.entry)
    books._into_box(body.value)
    if body.device_mark:
        books.device_marks[body.note.device] = body.device_mark
    if books.open_session is not None and books.open_session.session == fact.stamp.session:
        books.open_session.credited.append(body.value)


def _suspended(books: Books, fact: facts.Fact, body: facts.NoteSuspended) -> None:
    if body.note is not None and body.value is not None:
        books._note(body.note, body.value, "suspended", "")
    books._post(body.entry)
    if body.value is not None:
        books._into_box(body.value)
    else:
        books.box_unknown += 1
    if body.note is not None:
        books.disputes.pop(str(body.note), None)
    if body.device_mark:
        books.device_marks[body.device] = body.device_mark


def _returned(books: Books, fact: facts.Fact, body: facts.NoteReturned) -> None:
    if body.note is None:
        return
    page = books.notes.get(str(body.note))
    if page is not None:
        page.outcome = "returned"
        page.gone = True
    books.disputes.pop(str(body.note), None)
    books.note_serials[body.note.device] = max(body.note.serial, books.note_serials.get(body.note.device, 0))


def _disputed(books: Books, fact: facts.Fact, body: facts.NoteDisputed) -> None:
    books._note(body.note, body.value, "disputed", fact.stamp.session)
    books._post(body.entry)
    books.disputes[str(body.note)] = DisputePage(body.note, fact.epoch, fact.seq, body.entry)


def _gone(books: Books, fact: facts.Fact, body: facts.NoteGone) -> None:
    page = books.notes.get(str(body.note))
    if page is not None:
        page.gone = True


def _settled(books: Books, fact: facts.Fact, body: facts.Settled) -> None:
    books._post(body.entry)
    books.payments += 1
    for part in body.allocations:
        if part.minor:
            rows = books.applied.setdefault(f"{part.service}/{part.number}", [])
            rows.append(Applied(fact.epoch, fact.seq, part.minor, _full_on(books, part)))
    _close(books, fact)


def _full_on(books: Books, part: facts.Allocation) -> str:
    """Return the day for which the price of a whole payment stood: its fee clock stopped then."""
    if part.outcome != "full" or books.open_session is None:
        return ""
    found = (q for q in books.open_session.quotes if (q.service, q.number) == (part.service, part.number))
    return next((quote.priced_on.isoformat() for quote in found), "")


def _closed(books: Books, fact: facts.Fact, body: facts.SessionClosed) -> None:
    _close(books, fact)


def _close(books: Books, fact: facts.Fact) -> None:
    if books.open_session is not None and books.open_session.session == fact.stamp.session:
        books.open_session = None


def _issued(books: Books, fact: facts.Fact, body: facts.ReceiptIssued) -> None:
    books.last_receipt = body.number
    books._slip(body.number, fact)


def _print_started(books: Books, fact: facts.Fact, body: facts.PrintStarted) -> None:
    page = books.slips.get(body.number)
    if page is not None:
        page.copy, page.printing, page.outcome = body.copy, "printing", ""


def _print_ended(books: Books, fact: facts.Fact, body: facts.PrintEnded) -> None:
    page = books.slips.get(body.number)
    if page is not None:
        page.printing, page.outcome = "ended", body.outcome


def _reversed(books: Books, fact: facts.Fact, body: facts.Reversed) -> None:
    books._post(body.entry)
    undone = (body.original_epoch, body.original_seq)
    for name, rows in list(books.applied.items()):
        left = [row for row in rows if (row.epoch, row.seq) != undone]
        if left:
            books.applied[name] = left
        else:
            del books.applied[name]


def _cashbox(books: Books, fact: facts.Fact, body: facts.CashboxChanged) -> None:
    books.box_present = not body.removed
    if not body.removed:
        books.box_session = body.box_session
        books.box = {}
        books.box_unknown = 0


def _identified(books: Books, fact: facts.Fact, body: facts.DeviceIdentified) -> None:
    books.identities[body.device] = (body.model, body.firmware, body.serial)


def _service(books: Books, fact: facts.Fact, body: facts.ServiceChanged) -> None:
    books.out_of_service = body.reasons


_APPLY = {
    facts.Genesis: _genesis, facts.EpochStarted: _epoch, facts.Started: _started, facts.Stopped: _stopped,
    facts.ConfigurationChanged: _configuration, facts.TenderFrozen: _frozen, facts.StackIntended: _intended,
    facts.ReturnIntended: _returning,
    facts.NoteCredited: _credited, facts.NoteSuspended: _suspended, facts.NoteReturned: _returned,
    facts.NoteDisputed: _disputed, facts.NoteGone: _gone, facts.Settled: _settled, facts.SessionClosed: _closed,
    facts.ReceiptIssued: _issued, facts.PrintStarted: _print_started, facts.PrintEnded: _print_ended,
    facts.Reversed: _reversed, facts.CashboxChanged: _cashbox, facts.DeviceIdentified: _identified,
    facts.ServiceChanged: _service,
}  # fmt: skip
