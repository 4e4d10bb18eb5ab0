"""The small world in which `proof` tries everything: a city of three services, notes of 5, 10 and 20, devices that lie.

The table is the real one and so are tariff and ledger; what stands around it is made small without losing anything
that a rule can see:

* **Time** is a deadline that is set or not; it passes only where it is set, as the kernel has it.
* **Names** of sessions are *now* and *before*: rules compare them and nothing more.
* **Notes**: a rule looks at the note of its event and at the note in motion, never at a third one.  So one note is
  followed through its whole life and beyond (the *witness*), and all others from escrow to the end of their motion.
  Every note of every history is the witness of some path.
* **Numbers** of steps, facts and slips count from the same value in every step; their order is checked in each commit.
* **Credit** is a set of notes, not a sequence; outside of a frozen price no rule reads it (nor cart and amounts).
* **Hoppers** are two, of coins of 10 and of 5.  A payout is called by its hopper, which takes no second one before the
  first is over and clear; two ids more stand for all whose end is known and for all that nobody intended.
* **Words** on the screen are dropped, except "not printed", which a rule reads.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

import msgspec

from kiosk.checkout.closing import Day
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.events import CartItem
from kiosk.checkout.model import (
    Attendant,
    Checkout,
    Context,
    Dispensing,
    Dispute,
    Exchange,
    Flight,
    Hopper,
    Job,
    OpenExchange,
    PayoutPage,
)
from kiosk.checkout.settings import CheckoutSettings
from kiosk.checkout.states import State
from kiosk.ledger.chart import Account, Chart, Roles
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Invoice, Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.tariff.cash import CashRules
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.services import NumberRule, Service

USD = "USD"
TODAY = dt.date(2026, 11, 22)
ACCEPTOR = "notes"
VALUES = (Money(500, USD), Money(1000, USD), Money(2000, USD))
#: The witness, another note in motion, and one that has just come.
WITNESS, OTHER, FRESH = (NoteId(ACCEPTOR, serial) for serial in (1, 2, 3))
WITNESS_VALUE = VALUES[0]
#: Coins by hopper: the value of one, and how many are in it.
HOPPERS = {"tens": (VALUES[1], 1), "fives": (VALUES[0], 2)}
#: A payout whose end is known, and one of which nobody knows anything.
OVER, STRANGE = "over", "strange"
COINS = "coins"
#: A coin that has just fallen, and one that is credited.
COIN, OLD_COIN = NoteId(COINS, 2), NoteId(COINS, 1)
BROKEN = (text("out.acceptor"),)
NOT_PRINTED = (text("message.not_printed"),)
FIRST_SLIP, FIRST_SEQ = 5, 100
LAST_OF_KIND = {"receipt": 2, "z": 3}
ENDED = ("printed", "unknown", "dropped")
ALL_ROLES = ("operate", "collect", "close", "admin")
BOXES = {"old_box": "BOX-1", "new_box": "BOX-2", "seal": "SEAL-1"}


def _service(name: str, partial: str, over: str) -> Service:
    return msgspec.convert(
        {
            "id": name, "kind": "citation", "name": f"service.{name}", "currency": USD, "policies": ["p"],
            "number": NumberRule(length=1), "layouts": (), "accounts": {"fine": "R"}, "order": ("fine",),
            "partial": partial, "over": over,
        },
        Service, from_attributes=True,
    )  # fmt: skip


#: One takes part payments, one does not, one takes no excess, one gives change.
SERVICES = {
    "partly": _service("partly", "allowed", "credit"),
    "wholly": _service("wholly", "refused", "credit"),
    "exactly": _service("exactly", "allowed", "refuse"),
    "change": _service("change", "allowed", "change"),
}
_ROLES = Roles(*"CUOSDLHBVFG")
_CHART = Chart(
    _ROLES, tuple(Account(code, code, "asset" if code in "CDBFG" else "liability") for code in "CUOSDLHBVFGR")
)  # fmt: skip
_CASH = CashRules(
    id="cash", jurisdiction="x", currency=USD, effective_from=dt.date(2020, 1, 1), citation="x",
    accepted_minor=(500, 1000, 2000), session_cap_minor=100_000, excess_at_most_minor=2000, coins_minor=(500,),
)  # fmt: skip


class ProofCounter(CityCounter):
    """The city's own rules with prices that stand beside the invoice; one of them may have just risen."""

    def __init__(self, risen: bool = False) -> None:
        super().__init__(TariffLibrary(SERVICES, (), (_CASH,), ""), _CHART, USD)
        self.risen = risen

    def price(self, invoice: Invoice, on: dt.date) -> Quote:
        """Return the price of the invoice, a little more where it has risen."""
        return quote(invoice.service, (invoice.amount_minor or 0) + self.risen)


@cache
def quote(service: str, minor: int) -> Quote:
    """Return the price of a service's one invoice."""
    return Quote(service, "1", USD, (QuoteLine("fine", minor, text("fee.base.face"), "r@1"),), TODAY)


@cache
def item(service: str, minor: int, held: int = 0) -> CartItem:
    """Return an invoice with its price and what is held for it."""
    invoice = Invoice(service=service, number="1", currency=USD, amount_minor=minor, issued=TODAY)
    return CartItem(invoice, quote(service, minor), held_minor=held)


#: What a look-up may find: 5 that may be paid in parts, 10 that may not (with nothing, a half or all of it held
#: from an earlier payment), 5 that take no excess.  A cart of the first two is worth 15.
ITEMS = {
    "5 in parts": item("partly", 500),
    "10 whole": item("wholly", 1000),
    "10 whole, 5 held": item("wholly", 1000, 500),
    "10 whole, 10 held": item("wholly", 1000, 1000),
    "5 exactly": item("exactly", 500),
    "10 with change": item("change", 1000),
}
_BASE = {(each.quote.service, each.held_minor): each for each in ITEMS.values()}
COUNTERS = {risen: ProofCounter(risen) for risen in (False, True)}
DAY = Day(
    date=TODAY, last_z=3, grand_total_minor=0, closed_through=None, box_session=2, box="BOX-1", through_epoch=1,
    through_seq=99, through_hash="ab" * 32, currency=USD, period=facts.Period(),
)  # fmt: skip
SETTINGS = CheckoutSettings(cart_limit=2)


class World(msgspec.Struct, frozen=True):
    """The checkout and what stands outside of it, as the journal would tell it."""

    model: Checkout
    #: What the journal says of the witness: "", ``seen`` (nothing yet), ``intended``, ``returning`` or its end.
    witness: str = ""
    #: In whose session it was first seen: ``now``, ``before``, "" for nobody's.
    owner: str = ""
    #: It has been given back, and it has been credited, at least once.
    went_back: bool = False
    credited: bool = False
    #: The same of the other note in motion.
    other: str = ""
    #: An authorised exchange of the cash box: "", ``open``, ``removed`` or ``inserted``.
    exchange: str = ""
    box_present: bool = True
    #: What the journal says of the last payout of each hopper: ``intended``, ``started``, ``ended`` or ``disputed``.
    payouts: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that later steps can depend on, quick to compare."""
        m = self.model
        flight = m.flight
        return (
            m.state, m.session, m.frozen, tuple((i.quote.service, i.held_minor) for i in m.cart),
            tuple(note.minor for note in m.credited), m.agreed_excess_minor,
            (flight.note.serial, flight.value.minor, flight.phase, flight.ours, flight.session) if flight else None,
            m.wrap_up, m.asked_from, bool(m.messages), tuple((job.number, job.state) for job in m.jobs), m.slips,
            bool(m.out_of_service), m.deadline_ns, m.attendant.roles if m.attendant else None,
            m.exchange.stage if m.exchange else "", m.testing, self.witness, self.owner, self.went_back, self.credited,
            self.other, self.exchange, self.box_present, self.payouts, _told(m.dispensing),
        )  # fmt: skip


def _told(dispensing: Dispensing | None) -> tuple[Any, ...]:
    if dispensing is None:
        return ()
    pages = tuple((each.device, each.coins, each.phase, each.paid, each.disputed) for each in dispensing.payouts)
    return (pages, dispensing.printed, tuple((total.name, total.minor) for total in dispensing.draft.totals))


def canonical(world: World, *, paper: bool, before: str) -> World:
    """Return the world with names, counters and words taken out; `before` is the session before this step."""
    m = world.model

    def session(name: str) -> str:
        return "" if not name else "now" if name == m.session else "before"

    flight = m.flight
    if flight is not None:
        note = WITNESS if flight.note == WITNESS else OTHER
        value = flight.value if flight.ours or note == WITNESS else VALUES[0]
        # Nobody's and somebody's before are the same to whoever is in front now.
        flight = Flight(note, value, flight.phase, flight.ours, session(flight.session) or "before")
    frozen = m.frozen
    cart = tuple(_BASE[each.quote.service, each.held_minor] for each in m.cart)
    owner = world.owner
    if owner == "now" and m.session != before:
        owner = "before"
    model = Checkout(
        currency=USD, state=m.state, session=session(m.session), cart=cart, frozen=frozen,
        due_minor=sum(each.quote.due_minor for each in cart),
        credited=_enough(m) if frozen else (),
        agreed_excess_minor=m.agreed_excess_minor if frozen else 0, flight=flight, wrap_up=m.wrap_up,
        asked_from=m.asked_from if m.state is State.TIMED_OUT else None,
        messages=NOT_PRINTED if NOT_PRINTED[0] in m.messages else (), out_of_service=BROKEN if m.out_of_service else (),
        deadline_ns=None if m.deadline_ns is None else 1, attendant=_attendant(m.attendant),
        exchange=None if m.exchange is None else Exchange(stage=m.exchange.stage, **_boxes(m.exchange.stage)),
        testing=m.testing, dispensing=_by_hopper(m.dispensing), **_paper(m, paper),
    )  # fmt: skip
    other = world.other if flight is not None and flight.note == OTHER else ""
    return msgspec.structs.replace(world, model=model, owner=owner, other=other)


def _by_hopper(dispensing: Dispensing | None) -> Dispensing | None:
    """Call each payout by its hopper, and let the slip speak English."""
    if dispensing is None:
        return None
    payouts = tuple(msgspec.structs.replace(each, payout=each.device) for each in dispensing.payouts)
    draft = msgspec.structs.replace(dispensing.draft, language="en")
    return msgspec.structs.replace(dispensing, payouts=payouts, draft=draft)


def _enough(m: Checkout) -> tuple[Money, ...]:
    """Sort the notes that were credited; of more than enough the smallest are left out, so that they cannot pile up."""
    notes = sorted(m.credited, key=lambda note: note.minor)
    while len(notes) > 1 and sum(note.minor for note in notes[1:]) >= m.asked_minor:
        notes = notes[1:]
    return tuple(notes)


def _attendant(found: Attendant | None) -> Attendant | None:
    return None if found is None else Attendant("p01", found.roles)


def _boxes(stage: str) -> dict[str, str]:
    return {} if stage == "numbers" else BOXES


def _paper(m: Checkout, paper: bool) -> dict[str, Any]:
    """Keep two live jobs and an ended one of this session's slips, and a live one of staff; rules see no further.

    A held job is a queued one and a dropped one is as good as unknown.  Elsewhere than on paper the printer is silent.
    """
    if not paper:
        return {"jobs": (), "slips": ()}
    mine = [job.state for job in m.jobs if job.number in m.slips]
    live = sorted("queued" if state == "held" else state for state in mine if state not in ENDED)[:2]
    ended = [state for state in mine if state in ENDED]
    over = [] if not ended else ["printed" if set(ended) == {"printed"} else "unknown"]
    staff = [job.state for job in m.jobs if job.number not in m.slips and job.state not in ENDED][:1]
    numbered = [*enumerate([*live, *over], 1), *((9, "queued" if state == "held" else state) for state in staff)]
    return {
        "jobs": tuple(Job(number, 0, f"slip-{number}-0", state) for number, state in numbered),
        "slips": tuple(range(len(live) + len(over), 0, -1)),
    }


_OPEN = {
    stage: OpenExchange(
        device=ACCEPTOR, first="p01", second="p02", removed=stage in ("removed", "inserted"),
        inserted=stage == "inserted", **BOXES,
    )
    for stage in ("open", "removed", "inserted")
}  # fmt: skip
_DISPUTE: Entry = COUNTERS[False].dispute_entry(WITNESS_VALUE)


def pages_of(world: World) -> dict[str, PayoutPage]:
    """Return the payouts that the journal of a world tells, by their ids."""
    asked = {each.device: each for each in world.model.dispensing.payouts} if world.model.dispensing else {}
    found = {OVER: PayoutPage(OVER, "fives", VALUES[0], 1, 1, 1, "ended")}
    for device, phase in world.payouts:
        value, coins = HOPPERS[device]
        known = asked.get(device)
        # An open payout of nobody in front is of an earlier settlement.
        of = FIRST_SEQ if known is not None else 1
        doubt = 1 if phase == "disputed" else 0
        coins = known.coins if known is not None else coins
        starts = 1 if phase == "started" else 0
        found[device] = PayoutPage(device, device, value, coins, 1, of, phase, starts=starts, disputed=doubt)
    return found


def _hoppers(world: World) -> tuple[Hopper, ...]:
    unclear = {device for device, phase in world.payouts if phase != "ended"}
    return tuple(Hopper(name, value, coins, name not in unclear) for name, (value, coins) in HOPPERS.items())


def context(world: World, *, ready: bool = True, risen: bool = False, device: str = ACCEPTOR) -> Context:
    """Return what the kernel would lend to a step in this world."""
    outcomes = {OLD_COIN: "credited"}
    if world.witness not in ("", "seen"):
        outcomes[WITNESS] = world.witness
    if world.other not in ("", "seen"):
        outcomes[OTHER] = world.other
    return Context(
        now_ns=1, today=TODAY, fresh_session="new", next_seq=FIRST_SEQ, next_receipt=FIRST_SLIP,
        last_of_kind=LAST_OF_KIND, device=device, known_notes=VALUES if ready else (), epoch=2,
        known_coins=VALUES[:1] if ready else (), hoppers=_hoppers(world), payouts=pages_of(world),
        acceptor_ready=ready, printer_ready=True, note_outcome=outcomes,
        disputes={WITNESS: Dispute(1, 1, _DISPUTE)} if world.witness == "disputed" else {},
        counter=COUNTERS[risen], settings=SETTINGS, languages=("en", "es"), realms=("training",), day=lambda: DAY,
        acceptor=ACCEPTOR, box_present=world.box_present, exchange=_OPEN.get(world.exchange),
        alarms=("cashbox_removed",) if ready else (), slips_open=lambda: (4,),
        next_copy=lambda number: 1 if number == 4 else None, of_citizen=lambda number: ready,
        awaited_in_mouth=lambda job: None if job == "slip-77-0" else (int(job.split("-")[1]), 0),
    )  # fmt: skip


_OUTCOMES: dict[type, str] = {
    facts.StackIntended: "intended", facts.ReturnIntended: "returning", facts.NoteCredited: "credited",
    facts.NoteSuspended: "suspended", facts.NoteReturned: "returned", facts.NoteDisputed: "disputed",
}  # fmt: skip


_PHASES: dict[type, str] = {
    facts.PayoutIntended: "intended", facts.PayoutStarted: "started", facts.PayoutEnded: "ended",
    facts.PayoutDisputed: "disputed",
}  # fmt: skip


def _paid(world: World, device: str, phase: str) -> World:
    """An ended payout is as good as none."""
    pages = {**dict(world.payouts), device: phase}
    told = tuple(sorted((each, at) for each, at in pages.items() if at != "ended"))
    return msgspec.structs.replace(world, payouts=told)


def committed(world: World, bodies: tuple[facts.AnyBody, ...]) -> World:
    """Return the world after these facts."""
    for body in bodies:
        kind, note = _OUTCOMES.get(type(body)), getattr(body, "note", None)
        if kind is not None and note == WITNESS:
            world = msgspec.structs.replace(
                world, witness=kind, went_back=world.went_back or kind == "returned",
                credited=world.credited or kind == "credited",
            )  # fmt: skip
        elif kind is not None and note in (OTHER, FRESH):
            world = msgspec.structs.replace(world, other=kind)
        match body:
            case facts.PayoutIntended() | facts.PayoutStarted() | facts.PayoutEnded() | facts.PayoutDisputed():
                world = _paid(world, body.device, _PHASES[type(body)])
            case facts.PayoutResolved():
                world = _paid(world, body.device, "ended")
            case facts.ExchangeAuthorised():
                world = msgspec.structs.replace(world, exchange="open")
            case facts.BoxExchanged() | facts.ExchangeAbandoned():
                world = msgspec.structs.replace(world, exchange="")
            case facts.CashboxChanged(removed=removed):
                stage = {"": "", **dict.fromkeys(_OPEN, "removed" if removed else "inserted")}[world.exchange]
                if stage == "inserted" and world.exchange == "open":
                    stage = "open"
                world = msgspec.structs.replace(world, box_present=not removed, exchange=stage)
            case _:
                pass
    return world
