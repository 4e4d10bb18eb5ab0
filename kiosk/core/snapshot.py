"""What the screen may see: one immutable picture of the kernel's state, and the door for intents.

The screen draws a `Snapshot` and posts intents; it owns no state.  A snapshot holds committed money only: a
counted amount is never shown before its fact is on disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from kiosk.checkout.intents import AnyIntent
from kiosk.model.money import Money
from kiosk.model.texts import Text


class LineView(msgspec.Struct, frozen=True):
    """One line of a price with its reason."""

    label: Text
    amount: Money
    reason: Text
    citation: str = ""


class InvoiceView(msgspec.Struct, frozen=True):
    """One invoice of the cart."""

    #: Message id of the service's name.
    service: Text
    number: str
    lines: tuple[LineView, ...]
    already_paid: Money
    due: Money
    #: ISO dates, "" where they do not apply.
    issued_date: str = ""
    due_date: str = ""
    #: Whether stopping short of this invoice's amount is accepted.
    partial_allowed: bool = True


class SlipView(msgspec.Struct, frozen=True):
    """A numbered slip and how its printing goes."""

    #: Printed number, e.g. K07-1-000412-9f3c.
    number: str
    #: ``receipt``, ``credit``, ``suspense``, ``disputed``.
    kind: str
    #: ``queued``, ``held``, ``printing``, ``printed``, ``unknown``, ``dropped``.
    state: str
    #: What the QR code on the screen holds; same as on paper.
    qr: str
    totals: tuple[tuple[str, Money], ...] = ()
    #: Percent of the job handed to the printer.
    progress: int = 0


class DeviceView(msgspec.Struct, frozen=True):
    """One device as the health page shows it."""

    name: str
    device_class: str
    driver: str
    state: str
    severity: str
    detail: str = ""
    restarts: int = 0
    #: Of a hopper: its level as its sensors say, and the coins that the journal says are in it; "" and None elsewhere.
    level: str = ""
    coin: Money | None = None
    coins: int | None = None


class ExchangeView(msgspec.Struct, frozen=True):
    """How far an exchange of the cash box is."""

    #: ``numbers``: asking for box and seal; ``second``: asking for the second person's PIN; ``open``: the old box may
    #: be taken; ``removed``: it is out; ``inserted``: a box is in, to be confirmed; ``unfinished``: interrupted after
    #: the authorisation, by a restart or a time-out: a person must say what is in the kiosk.
    stage: str
    #: Number of the box that the journal says is in, "" where it does not know.
    known_box: str = ""
    old_box: str = ""
    new_box: str = ""
    seal: str = ""


class OperatorView(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed-in person sees.  Never a sum of money and never a count of notes: counts are blind."""

    person: str
    roles: tuple[str, ...]
    business_date: str
    #: Number of the last Z closing, 0 before the first.
    last_z: int = 0
    box_session: int = 1
    box: str = ""
    box_present: bool = True
    exchange: ExchangeView | None = None
    alarms: tuple[str, ...] = ()
    #: Slips that are not proven to be on paper and that nobody acknowledged: (number, printed number, kind, outcome).
    slips_open: tuple[tuple[int, str, str, str], ...] = ()
    #: The last slips, newest first: (number, printed number, kind).
    last_slips: tuple[tuple[int, str, str], ...] = ()
    devices: tuple[DeviceView, ...] = ()
    shutter_closed: bool = False
    #: Who closed it: ``operator:ID``, ``admin:UID`` or ``hub:ID``; "" while it is open.
    shutter_by: str = ""
    #: Realms that may be chosen: others than the present one.
    realms: tuple[str, ...] = ()
    #: Sessions of boxes that left the kiosk and were not counted yet: (box session, box number).
    uncounted: tuple[tuple[int, str], ...] = ()
    #: ``scan`` or ``note`` while that test runs, else "".
    testing: str = ""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen needs.  `screen` chooses the template; unknown values draw ``out_of_service``."""

    #: Grows with every published snapshot; the id of the server-sent event.
    version: int
    #: Random per start of the core: with `version` it identifies a snapshot across restarts.
    boot: str
    #: ``idle``, ``entering``, ``looking_up``, ``notice``, ``reviewing``, ``consenting``, ``accepting``, ``note_held``,
    #: ``stacking``, ``returning``, ``stopping``, ``timed_out``, ``settling``, ``dispensing``, ``receipting``,
    #: ``thanking``, ``resuming``, ``out_of_service``; for people who work here ``signing_in``, ``attended``,
    #: ``exchanging``, ``testing``.
    screen: str
    session: str
    step: int
    language: str
    #: Language tags offered, e.g. ("en", "es").
    languages: tuple[str, ...]
    kiosk: str
    #: ``live``, ``training``, ``demo``; outside live every screen says SPECIMEN.
    realm: str
    city: str
    support_phone: str
    currency: str
    #: Service names that can be paid here (idle screen).
    services: tuple[Text, ...] = ()
    cart: tuple[InvoiceView, ...] = ()
    due: Money
    inserted: Money
    remaining: Money
    #: What the citizen gets credited above the amount due.
    excess: Money
    #: Notes the acceptor takes at this moment, ascending.
    notes_accepted: tuple[Money, ...] = ()
    #: Coins that are taken at this moment, ascending.
    coins_accepted: tuple[Money, ...] = ()
    #: Change that is being paid out in coins, and how much of it has left; None outside of ``dispensing``.
    change: Money | None = None
    change_paid: Money | None = None
    #: The note in escrow or in motion, if its value is known.
    note: Money | None = None
    #: How much of that note would be above what remains due.
    note_excess: Money | None = None
    #: Message of the screen (notice, refused note, why out of service …), most important first.
    messages: tuple[Text, ...] = ()
    #: Conditions to be read before the first note (``consenting``).
    conditions: tuple[Text, ...] = ()
    #: True where no paper receipt can be promised now.
    no_paper: bool = False
    #: Slips of this session, newest first.
    slips: tuple[SlipView, ...] = ()
    #: Milliseconds until this screen ends by itself; None for never.  Counted from `published_ns`.
    ends_in_ms: int | None = None
    #: Monotonic nanoseconds at publication.
    published_ns: int = 0
    #: Names of the intents (their tags) that make sense now; the screen draws no other button.
    allowed: tuple[str, ...] = ()
    #: Local date and time of the data the prices come from, ISO, "" where unknown.
    data_as_of: str = ""
    #: True while the wall clock cannot be trusted.
    time_unsure: bool = False
    #: Held for these invoices from an earlier payment; counts as tender.
    held: Money | None = None
    #: Kinds of bill of which one has to be chosen for the number that was typed: (service, its name).  A button posts
    #: ``enter_number`` with this service and an empty text.
    choose_service: tuple[tuple[str, Text], ...] = ()
    #: Only while a person is signed in.
    operator: OperatorView | None = None
    opening_hours: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the health page and `kiosk devices` show.  Never a cash sum: counts are blind."""

    #: ``ok``, ``warn``, ``fault``, ``unknown``: the worst of all.
    severity: str
    reasons: tuple[str, ...]
    devices: tuple[DeviceView, ...]
    #: (plugin, status, reason)
    plugins: tuple[tuple[str, str, str], ...]
    journal_seq: int
    journal_epoch: int
    realm: str
    data_as_of: str
    started: str
    safe_mode: bool = False


class SnapshotBoard:
    """The latest snapshot and health, shared between the kernel thread and the screen.

    The kernel publishes; anyone reads; subscribers are called on the kernel's thread and must only wake
    somebody (``loop.call_soon_threadsafe``), never work.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._health: Health | None = None
        self._wake: list[Callable[[], None]] = []

    def publish(self, snapshot: Snapshot) -> None:
        """Put up a new snapshot and wake all subscribers."""
        with self._lock:
            self._snapshot = snapshot
            wake = list(self._wake)
        for call in wake:
            call()

    def publish_health(self, health: Health) -> None:
        """Put up a new health picture."""
        with self._lock:
            self._health = health

    def snapshot(self) -> Snapshot | None:
        """Return the latest snapshot; None before the first."""
        with self._lock:
            return self._snapshot

    def health(self) -> Health | None:
        """Return the latest health; None before the first."""
        with self._lock:
            return self._health

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have `wake` called after each publication; returns the call that ends it."""
        with self._lock:
            self._wake.append(wake)

        def end() -> None:
            with self._lock:
                if wake in self._wake:
                    self._wake.remove(wake)

        return end


class Desk(Protocol):
    """The screen's only door into the kernel."""

    board: SnapshotBoard

    def post_intent(self, intent: AnyIntent, *, session: str, step: int) -> bool:
        """Queue an intent; False when the inbox is full or the kernel is gone.  Never blocks."""
        ...

    def screen_seen(self) -> None:
        """The page's heartbeat."""
        ...
