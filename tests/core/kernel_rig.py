"""A kernel with a real journal, devices that only note their orders, and clocks that tests move."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec

from kiosk.checkout import intents
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.settings import CheckoutSettings
from kiosk.core.city import City
from kiosk.core.clock import Clock
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.inbox import IntentPosted
from kiosk.core.kernel import Kernel
from kiosk.core.parts import KernelParts
from kiosk.core.people import People, Person, hash_of
from kiosk.core.replay import replay
from kiosk.core.slips import SlipPrinter
from kiosk.core.supervisor import DeviceNews
from kiosk.errors import JournalError
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal
from kiosk.journal.verify import verify
from kiosk.ledger.entries import check
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from kiosk.model.invoice import Invoice
from kiosk.model.money import Money
from kiosk.tariff.library import TariffLibrary
from kiosk.texts import Catalogue
from tests.tariff.example_city import CONFIG, chart, library

NS = 1_000_000_000
DAY_NS = 86_400 * NS
#: Sunday 2026-11-22 10:15 in Chicago.
WALL = 1_795_364_100 * NS
KEY = SigningKey.from_seed(b"r" * 32)
DIGESTS = facts.Digests("software", "settings", "")
NOTES = (100, 500, 1000, 2000, 5000)
#: Water bill of 83.17, a parking citation of 30.00 and a tax bill of 120.00 that takes no part payment.
WATER, PARKING, TAX = "0212345678", "260004209", "202700001177"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


@cache
def catalogue() -> Catalogue:
    return Catalogue.load([CONFIG / "texts"])


#: PINs of the people who work here: p01 may do everything that is done at the kiosk, p04 only count.
PINS = {"p01": "2580", "p02": "4711", "p03": "8642", "p04": "1357"}
ROLES = {
    "p01": ("operate", "collect", "close", "admin"), "p02": ("collect",), "p03": ("operate",), "p04": ("count",),
}  # fmt: skip


@cache
def people() -> People:
    return People(Person(person, ROLES[person], hash_of(pin)) for person, pin in PINS.items())


DEVICES = (("notes", "BillAcceptor", "x"), ("paper", "POSPrinter", "x"))
COIN_DEVICES = (("coins", "CoinAcceptor", "x"), ("quarters", "CoinDispenser", "x"), ("dollars", "CoinDispenser", "x"))
#: Minor value of the coins of each hopper.
COINS = {"quarters": 25, "dollars": 100}


@cache
def change_library() -> TariffLibrary:
    """The example city, giving change and taking coins."""
    found = library()
    services = {
        name: msgspec.structs.replace(service, over="change") if name != "property_tax" else service
        for name, service in found.services.items()
    }
    cash = tuple(msgspec.structs.replace(rules, coins_minor=(5, 10, 25, 100)) for rules in found.cash_rules)
    return TariffLibrary(services, found.policies, cash, found.digest)


class Time:
    """Monotonic time from 1 s on, and the wall clock's distance from it."""

    def __init__(self) -> None:
        self.mono = NS
        self.offset = WALL - NS
        self.boot = "rig"
        #: What the time service last left: the wall time at which it touched its mark.
        self.mark: int | None = None

    def clock(self) -> Clock:
        return Clock(
            "America/Chicago", wall=lambda: self.mono + self.offset, mono=lambda: self.mono, boot=self.boot,
            synchronised=lambda: self.mark,
        )  # fmt: skip

    def synchronised(self) -> None:
        """The time service says that the wall clock is right."""
        self.mark = self.mono + self.offset


class Invoices:
    """The reference data: a fixed set."""

    def __init__(self) -> None:
        self.rows = {
            ("water_bill", WATER): Invoice(
                service="water_bill", number=WATER, currency="USD", amount_minor=8317,
                issued=dt.date(2026, 10, 30), due=dt.date(2026, 12, 20),
            ),
            ("parking_citation", PARKING): Invoice(
                service="parking_citation", number=PARKING, currency="USD", amount_minor=None,
                issued=dt.date(2026, 11, 5), code="01", offence=3,
            ),
            ("property_tax", TAX): Invoice(
                service="property_tax", number=TAX, currency="USD", amount_minor=12000,
                issued=dt.date(2026, 11, 2), due=dt.date(2027, 1, 31),
            ),
        }  # fmt: skip
        #: Keys of `rows` by plate.
        self.plates: dict[str, tuple[tuple[str, str], ...]] = {}
        self.available = True
        self.told = "data-1"

    def find(self, service: str, number: str) -> Invoice | None:
        return self.rows.get((service, number))

    def find_by_plate(self, plate: str) -> tuple[Invoice, ...] | None:
        return tuple(self.rows[each] for each in self.plates.get(plate, ()))

    def held(self) -> tuple[str, tuple[str, ...]]:
        return self.told, ("invoices:parking_citation 1/1 " + self.told,)

    def as_of(self, service: str) -> str:
        return "2026-11-22T06:00:00-06:00"

    def age_s(self, service: str) -> int | None:
        return 3600

    def digest(self) -> str:
        return self.told


class Devices:
    """Takes every order and keeps it."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, Any, int | None]] = []
        self.there = True

    def post(self, device: str, command: Any, generation: int | None = None) -> bool:
        if self.there:
            self.orders.append((device, command, generation))
        return self.there


class FaultyJournal:
    """The real journal, with errors on demand."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        #: Raised by the next append and all later ones until it is taken away.
        self.error: JournalError | None = None
        #: Appends that still work before `error` counts.
        self.good_for = 0

    def append(self, bodies: Sequence[facts.AnyBody], stamp: facts.Stamp) -> list[facts.Committed]:
        if self.error is not None:
            if self.good_for == 0:
                raise self.error
            self.good_for -= 1
        return self._journal.append(bodies, stamp)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class Rig:
    """One kiosk; `restart` throws the process away and starts the next one on the same journal."""

    def __init__(self, directory: Path, settings: CheckoutSettings | None = None, *, change: bool = False) -> None:
        """With `change` every service gives it, and a coin acceptor and hoppers of quarters and dollars are fitted."""
        self.change = change
        self.path = directory / "journal.db"
        self.time = Time()
        self.invoices = Invoices()
        self.settings = settings or CheckoutSettings()
        self.sessions = 0
        self.token = 0
        self.serial = 0
        self.committed: list[facts.Committed] = []
        self.released: list[str] = []
        self.realms: list[str] = []
        self.box_watched = True
        #: Told before each effect; a test that kills the core raises there.
        self.on_effect: Callable[[Any], None] = lambda effect: None
        stamp = facts.Stamp(self.time.clock().instant(), dt.date(2026, 11, 22), "kiosk", "", 1, DIGESTS)
        Journal.create(self.path, kiosk="K07", realm="demo", key=KEY, stamp=stamp, ballast_bytes=8192).close()
        self.start()

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, *, healthy: bool = True) -> None:
        self.journal = FaultyJournal(Journal.open(self.path, key=KEY, ballast_bytes=8192))
        real = cast("Journal", self.journal)
        self.devices = Devices()
        digests = facts.Digests("software", "settings", self.invoices.told)
        rules = change_library() if self.change else library()
        services = {service.id: service.name for service in rules.services.values()}
        slips = SlipPrinter(City(name="Example City", support_phone="555-0100", example=True), catalogue(), services)
        self.kernel = Kernel(
            KernelParts(
                journal=real, key=KEY, books=replay(real), clock=self.time.clock(),
                counter=CityCounter(rules, chart(), "USD"), settings=self.settings, devices=self.devices,
                board=DeviceBoard(DEVICES + (COIN_DEVICES if self.change else ())), slips=slips,
                source=self.invoices, digests=digests, languages=("en", "es"), fresh_session=self.fresh,
                entropy=lambda: bytes(32), committed=self.committed.append, people=people(),
                release=self.released.append, restart=self.realms.append, box_watched=lambda since: self.box_watched,
                effect_taken=lambda effect: self.on_effect(effect),
            )
        )  # fmt: skip
        self.kernel.start()
        if healthy:
            self.news("notes", d.NotesKnown(tuple(usd(minor) for minor in NOTES)))
            self.news("notes", d.DeviceState("idling", "ok"))
            self.news("paper", d.DeviceState("ready", "ok"))
        if healthy and self.change:
            self.news("coins", d.CoinsKnown(tuple(usd(minor) for minor in (5, 10, 25, 100))))
            self.news("coins", d.DeviceState("idling", "ok"))
            for hopper, minor in COINS.items():
                self.news(hopper, d.HopperKnown(usd(minor)))
                self.news(hopper, d.DeviceState("idle", "ok"))

    def restart(self, *, healthy: bool = True) -> None:
        self.journal.close()
        self.time.mono += 5 * NS
        self.start(healthy=healthy)

    def close(self) -> None:
        self.journal.close()

    def fresh(self) -> str:
        self.sessions += 1
        return f"s{self.sessions}"

    # --- doing --------------------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        return self.kernel.model

    @property
    def state(self) -> str:
        return str(self.kernel.model.state)

    def news(self, device: str, event: Any) -> None:
        self.kernel.handle_news(DeviceNews(device, event, self.time.mono, 1))

    def tap(self, intent: intents.AnyIntent) -> bool:
        return self.kernel.handle_intent(IntentPosted(intent, self.model.session, self.model.step))

    def wait(self, seconds: int) -> None:
        """Let time pass; every deadline on the way is met."""
        until = self.time.mono + seconds * NS
        while (due := self.kernel.due()) <= until:
            self.time.mono = max(self.time.mono, due)
            self.kernel.tick()
        self.time.mono = until
        self.kernel.tick()

    def sign_in(self, person: str = "p01", pin: str | None = None) -> None:
        """Call the operator's screen and enter a PIN."""
        self.tap(intents.CallOperator())
        self.tap(intents.EnterPin(person, PINS[person] if pin is None else pin))

    def authorise(self, old_box: str = "B-1", new_box: str = "B-2", seal: str = "S-77") -> None:
        """Sign in, tell the numbers, have the second person sign."""
        self.sign_in("p01")
        self.tap(intents.BeginExchange())
        self.tap(intents.ExchangeNumbers(old_box, new_box, seal))
        self.tap(intents.EnterPin("p02", PINS["p02"]))

    def exchange(self, old_box: str = "B-1", new_box: str = "B-2", seal: str = "S-77") -> None:
        """A whole exchange of the cash box."""
        self.authorise(old_box, new_box, seal)
        self.news("notes", d.CashboxRemoved())
        self.news("notes", d.CashboxInserted())
        self.tap(intents.ConfirmExchange())
        self.tap(intents.SignOut())

    def sleep(self, seconds: int) -> None:
        """Let time pass while nothing is going on: one look at the end instead of one a second."""
        assert self.model.deadline_ns is None
        self.time.mono += seconds * NS
        self.kernel.tick()

    def pay(self, number: str = WATER) -> None:
        """Go as far as the first note."""
        self.tap(intents.EnterNumber(number))
        assert self.state == "reviewing", self.model.messages
        self.tap(intents.Pay())
        self.tap(intents.AcceptConditions())
        assert self.state == "accepting"

    def escrow(self, minor: int, serial: int = 0, mark: str = "") -> NoteId:
        self.serial = serial or self.serial + 1
        note = NoteId("", self.serial)
        self.news("notes", d.NoteEscrowed(note, usd(minor), 0, mark))
        return note

    def stacked(self, note: NoteId | None, minor: int | None = None, **more: Any) -> int:
        self.token += 1
        self.news("notes", d.NoteStacked(self.token, note, usd(minor) if minor else None, **more))
        return self.token

    def feed(self, minor: int) -> NoteId:
        """One note, taken without a question."""
        note = self.escrow(minor)
        assert self.state == "stacking", self.state
        self.stacked(note, minor)
        return note

    # --- coins ----------------------------------------------------------------------------------------------

    def fill(self, hopper: str, coins: int) -> None:
        """Put coins of the change fund into a hopper."""
        self.sign_in("p01")
        self.tap(intents.FillHopper(hopper, coins))
        self.tap(intents.SignOut())

    def float(self, hopper: str) -> int:
        page = self.kernel.books.hoppers.get(hopper)
        return page.coins if page is not None else 0

    def coin(self, minor: int | None, serial: int = 0, **more: Any) -> int:
        """A coin falls; return the token that has to be confirmed."""
        self.serial = serial or self.serial + 1
        self.token += 1
        value = usd(minor) if minor else None
        self.news("coins", d.CoinAccepted(self.token, NoteId("", self.serial), value, **more))
        return self.token

    def asked(self) -> tuple[str, c.Dispense] | None:
        """The last order to a hopper."""
        found = [(device, command) for device, command, _ in self.devices.orders if isinstance(command, c.Dispense)]
        return found[-1] if found else None

    def let_go(self) -> int:
        """The hopper that was asked last is ready; return the token of that."""
        asked = self.asked()
        assert asked is not None
        self.token += 1
        self.news(asked[0], d.PayoutReady(self.token, asked[1].payout, f"mark-{self.token}"))
        return self.token

    def pay_out(self, paid: int | None = None, reason: str = "done") -> int:
        """The hopper that was asked last does its work; return the token of the end."""
        asked = self.asked()
        assert asked is not None
        assert self.confirmed(self.let_go())
        return self.payout_ended(*asked, asked[1].coins if paid is None else paid, reason)

    def payout_ended(self, hopper: str, order: c.Dispense, paid: int, reason: str = "done", **more: Any) -> int:
        self.token += 1
        self.news(
            hopper, d.PayoutEnded(self.token, order.payout, paid, order.coins - paid, reason, **more)
        )  # fmt: skip
        return self.token

    def printed(self) -> None:
        """Let the printer do its work on every job that waits."""
        for job in self.model.jobs:
            if job.state in ("queued", "held"):
                self.token += 1
                self.news("paper", d.PrintReady(self.token, job.job))
                self.news("paper", d.Printed(job.job))

    # --- looking ------------------------------------------------------------------------------------------

    def bodies(self, *kinds: type) -> list[Any]:
        found = [committed.fact.body for committed in self.journal.read()]
        return [body for body in found if not kinds or isinstance(body, kinds)]

    def sent(self, kind: type[c.Command]) -> list[Any]:
        return [command for _, command, _ in self.devices.orders if isinstance(command, kind)]

    def confirmed(self, token: int) -> bool:
        return any(command.token == token for command in self.sent(c.Confirm))

    def findings(self) -> list[Any]:
        with Reader(self.path) as reader:
            return verify(reader, published_keys=[KEY.public_hex], check_entry=lambda entry: _sound(entry))

    def sums(self) -> dict[str, int]:
        """Cents by what the facts say: credited, suspended, open disputes, applied, over."""
        disputed = {body.note: body.value.minor for body in self.bodies(facts.NoteDisputed)}
        for body in self.bodies(facts.NoteSuspended, facts.NoteReturned, facts.NoteCredited):
            disputed.pop(body.note, None)
        settled = self.bodies(facts.Settled)
        return {
            "credited": sum(body.value.minor for body in self.bodies(facts.NoteCredited)),
            "suspended": sum(body.value.minor for body in self.bodies(facts.NoteSuspended) if body.value),
            "disputed": sum(disputed.values()),
            "tender": sum(body.tender_minor for body in settled),
            "applied": sum(part.minor for body in settled for part in body.allocations),
            "over": sum(body.overpayment_minor for body in settled),
        }


def _sound(entry: Any) -> None:
    check(entry, chart())


Doing = Callable[[Rig], object]
