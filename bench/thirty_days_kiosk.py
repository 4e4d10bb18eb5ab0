"""The kiosk of `make thirty-days`: the real kernel, drivers and journal in virtual time, against simulated hardware.

One `Kiosk` lives for the whole campaign; within it runs of the core come and go: they are killed before an effect or
in the middle of the acceptor's bytes, lose their power with the devices, or end in order.  A killed run is let go of:
what it had not committed is gone, and its journal is closed as a system closes the files of a dead process.  The
acceptor's notes, in their order, are the truth that the journal is held against.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bench.thirty_days_lines import Died, Lines
from kiosk.app import Setup, slip_printer
from kiosk.checkout import intents
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.states import State
from kiosk.core.clock import Clock
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.drawing import draw_line, draw_qr
from kiosk.core.inbox import ControlPosted, IntentPosted
from kiosk.core.kernel import Kernel
from kiosk.core.parts import KernelParts
from kiosk.core.people import People, Person, hash_of
from kiosk.core.reference import ReferenceData
from kiosk.core.replay import replay, save
from kiosk.core.runner import DriverSeat
from kiosk.core.supervisor import DeviceNews
from kiosk.core.supervisor_setup import prepare
from kiosk.core.verbs_count import VERBS
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model import facts
from kiosk.model.device_events import Scanned
from kiosk.plugins.devices import DriverTools, Opened

MS = 1_000_000
S = 1_000 * MS
BALLAST = 64 * 1024
#: Facts between two checkpoints of the books (as in the core's service, but for many more starts).
CHECKPOINT_FACTS = 300
KEYS = {"live": SigningKey.from_seed(b"l" * 32), "training": SigningKey.from_seed(b"t" * 32)}
#: Who works here: an administrator who collects, a second collector who may count as well, two who only count.
ROLES = {
    "p01": ("operate", "collect", "close", "admin"), "p02": ("collect", "count"), "p03": ("count",), "p04": ("count",),
}  # fmt: skip
PINS = {"p01": "2580", "p02": "4711", "p03": "8642", "p04": "1357"}


@cache
def people() -> People:
    """Return everybody with their PINs hashed as configuration holds them."""
    return People(Person(person, ROLES[person], hash_of(pin)) for person, pin in PINS.items())


class _Screen:
    """What a verb of the counting room needs of the core."""

    def __init__(self, kernel: Kernel) -> None:
        self.running_kernel = kernel

    def publish(self, force: bool = False) -> None:
        """Nobody looks."""


class Kiosk(Lines):
    """Devices, clocks and the present run of the core, None while it is dead."""

    def __init__(self, setup: Setup, room: Path, replica: Path, begins: dt.datetime) -> None:
        self.setup, self.room, self.replica = setup, room, replica
        self.zone = ZoneInfo(setup.city.zone)
        self._epoch_ns = int(begins.timestamp()) * S
        super().__init__()
        self.realm = "live"
        self.settings = setup.config.checkout
        #: Digest of the configuration that facts are made under.
        self.configuration = "settings-1"
        #: Set by the core where it asks to be started on another realm's journal.
        self.wanted_realm = ""
        #: The present run dies before the n-th effect; 0 for never.
        self.dies_in_effects = 0
        self.runs = self.kills = self.cuts = 0
        self._boot = 0
        self._checkpoint = 0
        self._sessions = 0

    # --- time ---------------------------------------------------------------------------------------------

    @property
    def wall_ns(self) -> int:
        """Wall-clock nanoseconds."""
        return self._epoch_ns + self.now

    @property
    def local(self) -> dt.datetime:
        """Local time in the city."""
        return dt.datetime.fromtimestamp(self.wall_ns / S, self.zone)

    @property
    def state(self) -> State | None:
        """The present run's state, None while there is none."""
        return self.kernel.model.state if self.kernel is not None else None

    # --- runs of the core ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run of the core on the journal of the present realm."""
        self.runs += 1
        clock = Clock(
            self.setup.city.zone, self.setup.city.cut_off, wall=lambda: self.wall_ns, mono=lambda: self._mono,
            boot=f"boot-{self._boot}",
        )  # fmt: skip
        source = ReferenceData(self.replica, wall=lambda: self.wall_ns)
        digests = facts.Digests("thirty-days", self.configuration, source.digest(), self.setup.pack.name)
        key, path = KEYS[self.realm], self.room / f"journal-{self.realm}.db"
        if not path.exists():
            stamp = facts.Stamp(clock.instant(), clock.business_date(), "kiosk", "", 1, digests)
            Journal.create(
                path, kiosk=self.setup.config.kiosk.id, realm=self.realm, key=key, stamp=stamp, ballast_bytes=BALLAST
            ).close()
        journal = Journal.open(path, key=key, ballast_bytes=BALLAST)
        currency = self.setup.config.kiosk.currency
        prepared = prepare(self.setup.devices, self.setup.plugins.drivers)
        tools = DriverTools(currency, draw_line, draw_qr)
        self._orders.clear()
        self._news.clear()
        self._opened = False
        self._seats = {
            device.config.name: DriverSeat(
                device.config.name, device.spec.build(device.options, tools), self._told(device.config.name)
            )
            for device in prepared
            if device.spec.device_class != "Scanner"
        }
        kernel = Kernel(
            KernelParts(
                journal=journal, key=key, books=replay(journal), clock=clock,
                counter=CityCounter(self.setup.library, self.setup.chart, currency), settings=self.settings,
                devices=self,
                board=DeviceBoard(tuple((d.config.name, d.spec.device_class, d.spec.name) for d in prepared)),
                slips=slip_printer(self.setup), source=source, digests=digests,
                languages=self.setup.config.kiosk.languages, fresh_session=self._fresh, entropy=lambda: bytes(32),
                effect_taken=self._effect, restart=self._asked_to_restart, people=people(),
                realms=tuple(realm for realm in KEYS if realm != self.realm),
            )
        )  # fmt: skip
        self.kernel, self._checkpoint = kernel, kernel.books.seq
        self._guarded(self._begin)

    def _begin(self) -> None:
        assert self.kernel is not None
        for name, seat in self._seats.items():
            seat.remember(*self.kernel.memory(name))
        self.kernel.start()
        self._opened = True
        for seat in self._seats.values():
            seat.port(Opened({"path": "campaign", "kind": "loopback"}), self._mono)
        self._pump()

    def stop(self, reason: str) -> None:
        """End the run in order."""
        if self.kernel is not None:
            kernel = self.kernel
            self._guarded(lambda: kernel.stop(reason))
            self._let_go()

    def kill(self) -> None:
        """End the run where it stands."""
        if self.kernel is not None:
            self.kills += 1
            self._let_go()

    def cut_power(self) -> None:
        """Take the power from everything."""
        self.cuts += 1
        self.acceptor.cut_power()
        self.printer.cut_power()
        self._let_go()

    def restore_power(self) -> None:
        """Give the power back: devices boot, and the core starts in a new boot of the machine."""
        self.acceptor.restore_power()
        self.printer.restore_power()
        self._boot += 1
        self._boot_at = self.now
        self.start()

    def change_realm(self, realm: str) -> None:
        """Start on another realm's journal, as the core has asked for."""
        self.stop("realm")
        self.realm, self.wanted_realm = realm, ""
        self.start()

    def _let_go(self) -> None:
        kernel, self.kernel = self.kernel, None
        self.dies_in_effects = self.dies_in_bytes = 0
        if kernel is not None:
            kernel.parts.journal.close()
            if isinstance(kernel.parts.source, ReferenceData):
                kernel.parts.source.close()
        self.acceptor.take_outbound()
        self.printer.take_outbound()

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Died:
            self.kill()

    def _fresh(self) -> str:
        self._sessions += 1
        return f"s-{self._sessions}"

    def _asked_to_restart(self, realm: str) -> None:
        self.wanted_realm = realm

    def _effect(self, effect: object) -> None:
        if self.dies_in_effects:
            self.dies_in_effects -= 1
            if not self.dies_in_effects:
                self._let_lines_run_on()
                raise Died

    def _let_lines_run_on(self) -> None:
        """Line threads go on while the kernel thread is about to die: let them put out what they already have."""
        for _ in range(4):
            self.now += 10 * MS
            for seat in self._seats.values():
                if seat.due(self._mono):
                    seat.tick(self._mono)
            self._put_out()

    def keep_checkpoint(self) -> None:
        """Use a quiet moment, as the core's service does."""
        kernel = self.kernel
        if kernel is not None and kernel.trouble is None and kernel.books.seq - self._checkpoint >= CHECKPOINT_FACTS:
            kernel.parts.journal.tidy()
            save(kernel.parts.journal, kernel.books)
            self._checkpoint = kernel.books.seq

    # --- moving on ----------------------------------------------------------------------------------------

    def step(self, at_most: int = 200 * MS) -> None:
        """Let the next thing happen, within `at_most` nanoseconds."""
        wanted = [self.acceptor.deadline(), self.printer.deadline()]
        if self.kernel is not None:
            times = [self.kernel.next_deadline(), self.kernel.due()]
            times += [seat.deadline() for seat in self._seats.values()]
            wanted += [each + self._boot_at for each in times if each is not None]
        later = [each for each in wanted if each is not None and each > self.now]
        self.now = min([self.now + at_most, *later])
        self._process()

    def skip(self, nanoseconds: int) -> None:
        """Let much time pass in which nothing happens, by the hour and at midnight, each with a moment to be heard."""
        until = self.now + max(0, nanoseconds)
        while self.now < until:
            local = self.local
            midnight = dt.datetime.combine(local.date() + dt.timedelta(days=1), dt.time(0, 0, 1), self.zone)
            left = int(midnight.timestamp()) * S - self.wall_ns
            self.now = min(until, self.now + 3_600 * S, self.now + max(S, left))
            self._process()
            self.run(S // 2)

    def run(self, nanoseconds: int) -> None:
        """Let everything run for so long."""
        until = self.now + nanoseconds
        while self.now < until:
            self.step(min(200 * MS, until - self.now))

    def _process(self) -> None:
        if self.kernel is None:
            for role in (self.acceptor, self.printer):
                role.tick(self.now)
                role.take_outbound()
            return
        self._guarded(self._exchange)

    def _exchange(self) -> None:
        assert self.kernel is not None
        for seat in self._seats.values():
            if seat.due(self._mono):
                seat.tick(self._mono)
        if self._mono >= self.kernel.due() or self.kernel.next_deadline() == 0:
            self.kernel.tick()
        self._pump()
        for _ in range(64):
            spoken = False
            for name, role in (("notes", self.acceptor), ("receipt", self.printer)):
                role.tick(self.now)
                for data in role.take_outbound():
                    spoken = True
                    self._receive(name, data)
            if not spoken:
                return

    # --- people -------------------------------------------------------------------------------------------

    def touch(self, intent: intents.AnyIntent) -> None:
        """Touch a button of the screen as it is shown; nothing where the screen is dark."""
        kernel = self.kernel
        if kernel is None:
            return
        posted = IntentPosted(intent, kernel.model.session, kernel.model.step)

        def work() -> None:
            kernel.handle_intent(posted)
            self._pump()

        self._guarded(work)

    def scan(self, label: str) -> None:
        """Hold a label before the scanner."""
        kernel = self.kernel
        if kernel is None:
            return

        def work() -> None:
            kernel.handle_news(DeviceNews("scanner", Scanned(label, "]C0"), self._mono, 1))
            self._pump()

        self._guarded(work)

    def ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        """Ask the running core at the counting room's door.

        Raises:
            KioskError: it refuses.
        """
        assert self.kernel is not None
        screen: Any = _Screen(self.kernel)
        return VERBS[verb](screen, ControlPosted(verb, arguments, 0, lambda answer: None))
