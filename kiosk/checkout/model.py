"""The checkout's whole state as one immutable value, and the context a step is taken in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from kiosk.checkout.closing import Day
from kiosk.checkout.events import CartItem
from kiosk.checkout.settings import CheckoutSettings
from kiosk.checkout.states import State
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.facts import Allocation, Held, ReceiptLine
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Invoice, Quote
from kiosk.model.money import Money
from kiosk.model.texts import Text


class Flight(msgspec.Struct, frozen=True):
    """The one note in motion or in escrow.  The acceptor holds one note at a time."""

    note: NoteId
    value: Money
    #: ``escrow``, ``stacking`` or ``returning``.
    phase: str
    #: Belongs to the open session; False for a note that came when nobody was paying.
    ours: bool = True
    #: Who was in front when it came, "" for nobody or not known any more (a restart).
    session: str = ""
    #: The unit's counters with this note in escrow, "" where it has none.
    mark: str = ""


class Payout(msgspec.Struct, frozen=True):
    """Coins that one hopper pays of this session's change."""

    payout: str
    device: str
    #: Of one coin.
    value: Money
    coins: int
    #: ``intended``, ``ordered`` (the hopper was asked), ``started`` (coins may move) or ``ended``.
    phase: str = "intended"
    #: Coins that left as far as is known, and coins of which nobody can tell.
    paid: int = 0
    disputed: int = 0


class Dispensing(msgspec.Struct, frozen=True, kw_only=True):
    """Change on its way, and the slip that waits for it."""

    draft: facts.ReceiptDeferred
    payouts: tuple[Payout, ...]
    #: False where a start found it long after: nobody is in front any more to take a slip.
    printed: bool = True

    @property
    def planned_minor(self) -> int:
        """What the hoppers were to pay, minor units."""
        return sum(each.coins * each.value.minor for each in self.payouts)

    @property
    def paid_minor(self) -> int:
        """What left so far as far as is known, minor units."""
        return sum(each.paid * each.value.minor for each in self.payouts)


class Hopper(msgspec.Struct, frozen=True):
    """A hopper as the journal tells it, and whether change can be planned with it now."""

    device: str
    #: Of one coin; None where nobody told it.
    value: Money | None
    #: Coins in it by the journal.
    coins: int
    #: Works, knows its coin, and no payout of it is open or in dispute.
    ready: bool = False


class PayoutPage(msgspec.Struct, frozen=True):
    """One payout's way through the journal."""

    payout: str
    device: str
    value: Money
    coins: int
    #: Of the settlement whose overpayment it pays back.
    epoch: int
    settled_seq: int
    #: ``intended``, ``started``, ``ended`` or ``disputed``.
    phase: str = "intended"
    #: The hopper's counters before the last order, and how often it was let go.
    mark: str = ""
    starts: int = 0
    paid: int = 0
    #: Coins of which nobody can tell.
    disputed: int = 0


class Job(msgspec.Struct, frozen=True):
    """One print job of a numbered slip."""

    number: int
    copy: int
    job: str
    #: ``queued``, ``held``, ``printing``, ``printed``, ``unknown``, ``dropped``.
    state: str
    sent: int = 0
    total: int = 0


class Attendant(msgspec.Struct, frozen=True):
    """Who works here is signed in."""

    person: str
    roles: tuple[str, ...]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange of the cash box as the people in front see it.  What is committed of it stands in the books."""

    #: ``numbers``, ``second``, ``open``, ``removed``, ``inserted`` or ``unfinished``.
    stage: str
    old_box: str = ""
    new_box: str = ""
    seal: str = ""


class OpenExchange(msgspec.Struct, frozen=True, kw_only=True):
    """An authorised exchange that has not ended, as the journal tells it."""

    device: str
    old_box: str
    new_box: str
    seal: str
    first: str
    second: str
    #: The device told that a box went out, and that one came in after that.
    removed: bool = False
    inserted: bool = False


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the table knows."""

    currency: str
    state: State = State.IDLE
    #: Grows with every change; an intent made at another step is stale.
    step: int = 0
    #: "" where nobody is in front.
    session: str = ""
    language: str = "en"
    cart: tuple[CartItem, ...] = ()
    #: True from the tender instant to the settlement: the price is frozen and tender belongs to the session.
    frozen: bool = False
    due_minor: int = 0
    credited: tuple[Money, ...] = ()
    #: Of these, the coins.
    coins: tuple[Money, ...] = ()
    #: How much above the amount due the citizen agreed to on the screen.
    agreed_excess_minor: int = 0
    flight: Flight | None = None
    #: Set in `DISPENSING`.
    dispensing: Dispensing | None = None
    #: Why the session ends as soon as no note is in motion: "", ``citizen``, ``timeout``, ``recovery``.
    wrap_up: str = ""
    #: The state a question returns to.
    asked_from: State | None = None
    messages: tuple[Text, ...] = ()
    #: Services of which the citizen is asked to choose one for the number that was typed; dropped with that question.
    choosing: tuple[str, ...] = ()
    typed: str = ""
    refused_notes: int = 0
    jobs: tuple[Job, ...] = ()
    #: Numbers of the slips of this session, newest first.
    slips: tuple[int, ...] = ()
    #: Why no new payment can be taken; empty in service.
    out_of_service: tuple[Text, ...] = ()
    #: Monotonic nanoseconds at which the present state is over; None for never.
    deadline_ns: int | None = None
    #: Set in the states of `OPERATING` after the PIN.
    attendant: Attendant | None = None
    exchange: Exchange | None = None
    #: ``scan`` or ``note`` in `TESTING`.
    testing: str = ""

    @property
    def credited_minor(self) -> int:
        """Committed tender of this session."""
        return sum(note.minor for note in self.credited)

    @property
    def held_minor(self) -> int:
        """What is held for the invoices of the cart and counts as tender: for none of them more than it costs."""
        return sum(min(item.held_minor, item.quote.due_minor) for item in self.cart)

    @property
    def asked_minor(self) -> int:
        """What this session's notes have to bring, minor units."""
        return max(0, self.due_minor - self.held_minor)

    @property
    def settles(self) -> bool:
        """Tell whether the end of the session is a settlement: notes were taken, or what is held pays everything.

        Without either the session only closes, and what is held stays as it was.
        """
        return self.frozen and (bool(self.credited) or (self.held_minor > 0 and self.remaining_minor == 0))

    @property
    def own_flight(self) -> Flight | None:
        """The note in motion, where it is this session's; a stranger's note is followed but never waited for."""
        return self.flight if self.frozen and self.flight is not None and self.flight.ours else None

    @property
    def note_stuck(self) -> bool:
        """A note on its way to the box outlived its session; the acceptor takes no other until its end is known."""
        return self.flight is not None and self.own_flight is None and self.flight.phase == "stacking"

    @property
    def remaining_minor(self) -> int:
        """What remains due; never negative."""
        return max(0, self.asked_minor - self.credited_minor)

    @property
    def excess_minor(self) -> int:
        """Tender above the amount due."""
        return max(0, self.credited_minor - self.asked_minor)


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """How a tender fills a cart: used + tender = applied + overpayment + held."""

    allocations: tuple[Allocation, ...]
    overpayment_minor: int
    entry: Entry
    #: The paid lines for the slip.
    lines: tuple[ReceiptLine, ...] = ()
    used: tuple[Held, ...] = ()
    held: tuple[Held, ...] = ()
    #: What becomes of the overpayment: ``credit`` or ``refund``; "" where there is none.
    excess: str = ""


class Counter(Protocol):
    """What the checkout asks of tariff and ledger; pure functions of their arguments."""

    def price(self, invoice: Invoice, on: dt.date) -> Quote:
        """Price an invoice on a local date."""
        ...

    def payable(self, item: CartItem, without_cart: int) -> Text | None:
        """None where this item can be paid here and now, else why not; `without_cart` is what the cart costs so far."""
        ...

    def notes_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        """Which values may be accepted now, the ones that would need the citizen's agreement included.

        `due_minor` is what the notes of this session have to bring, `inserted_minor` what they brought so far.
        """
        ...

    def coins_allowed(
        self, items: tuple[CartItem, ...], known: tuple[Money, ...], inserted_minor: int, due_minor: int
    ) -> tuple[Money, ...]:
        """Which coins may be taken now: none above what remains due, for a coin cannot be given back."""
        ...

    def excess(self, items: tuple[CartItem, ...]) -> str:
        """Tell what becomes of an excess over what remains due: ``change``, ``credit``, ``refund`` or ``refuse``."""
        ...

    def fill_order(self, items: tuple[CartItem, ...]) -> tuple[CartItem, ...]:
        """Return the cart in the order in which money fills it."""
        ...

    def credit_entry(self, value: Money) -> Entry:
        """Cash in the box against the session's unapplied tender."""
        ...

    def suspense_entry(self, value: Money) -> Entry:
        """Cash in the box against suspense."""
        ...

    def dispute_entry(self, value: Money) -> Entry:
        """A claim that is neither cash nor nothing."""
        ...

    def change_entry(self, value: Money, paid: int, uncertain: int = 0) -> Entry | None:
        """Coins of this value that left a hopper, and ones of which nobody can tell; None for no coin."""
        ...

    def change_resolved_entry(self, value: Money, paid: int, unpaid: int) -> Entry:
        """The end of a claim over coins."""
        ...

    def hopper_filled_entry(self, value: Money, coins: int) -> Entry:
        """Coins of the change fund went into a hopper."""
        ...

    def hopper_emptied_entry(self, value: Money, expected: int, counted: int) -> Entry | None:
        """What was found in a hopper went back to the change fund."""
        ...

    def can_post(self, items: tuple[CartItem, ...]) -> bool:
        """Tell whether the accounts of at least one of these invoices are known."""
        ...

    def settle(self, items: tuple[CartItem, ...], tender: Money) -> Settlement:
        """Spread the tender, and what is held for its invoices, over the cart in the order it has."""
        ...


class Dispute(msgspec.Struct, frozen=True):
    """An unresolved dispute and where it is booked."""

    epoch: int
    seq: int
    entry: Entry


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The world of one step, as the kernel sees it at that moment."""

    now_ns: int
    #: Local date of the city now.
    today: dt.date
    #: A name for a session that begins in this step.
    fresh_session: str
    #: What the next commit's first fact and the next slip are numbered.
    next_seq: int
    next_receipt: int
    #: Epoch of the journal.
    epoch: int = 1
    #: Number of the last slip of each kind.
    last_of_kind: dict[str, int] = {}
    #: Device the event came from, "" for none.
    device: str = ""
    #: Values the acceptors in service know.
    known_notes: tuple[Money, ...] = ()
    acceptor_ready: bool = False
    #: Values that the coin acceptors in service know.
    known_coins: tuple[Money, ...] = ()
    #: All hoppers, in the order of the configuration.
    hoppers: tuple[Hopper, ...] = ()
    #: The last payouts of the journal by their ids, the open ones among them.
    payouts: dict[str, PayoutPage] = {}
    printer_ready: bool = False
    #: Notes the journal holds: their last recorded outcome (``credited``, ``suspended``, ``returned``, ``disputed``)
    #: and, by ``intended`` or ``returning``, a committed intent without one.
    note_outcome: dict[NoteId, str] = {}
    #: Disputes that nobody has resolved yet.
    disputes: dict[NoteId, Dispute] = {}
    counter: Counter
    settings: CheckoutSettings
    languages: tuple[str, ...] = ("en",)
    #: Realms that the kiosk may change to.
    realms: tuple[str, ...] = ()
    #: Sums up the present period; costs something, so it is asked for only where a closing is made.
    day: Callable[[], Day]
    #: Name of the device that holds the cash box.
    acceptor: str = ""
    box_present: bool = True
    exchange: OpenExchange | None = None
    alarms: tuple[str, ...] = ()
    #: Slips of citizens that are not proven to be on paper.
    slips_open: Callable[[], Sequence[int]] = tuple
    #: Number of the next copy of a slip; None where there is no such slip at hand.
    next_copy: Callable[[int], int | None] = lambda number: None
    #: Number and copy of the slip that a job put on paper, None where a presenter can have nothing new to tell of it.
    awaited_in_mouth: Callable[[str], tuple[int, int] | None] = lambda job: None
    #: Tells whether a slip is a citizen's: those tell sums of money.
    of_citizen: Callable[[int], bool] = lambda number: False
