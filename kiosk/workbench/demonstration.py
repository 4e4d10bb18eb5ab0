"""A whole demonstration: directory, simulated hardware, the kiosk's process, and what has happened so far."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from kiosk.core.control import call
from kiosk.errors import KioskError, SimulatorError
from kiosk.simulators.receipt_image import render_text
from kiosk.simulators.serve import describe
from kiosk.tariff.library import TariffLibrary
from kiosk.workbench.child_process import ChildProcess
from kiosk.workbench.coin_kiosk import fill
from kiosk.workbench.directory import CURRENCY, DEMO_PEOPLE, ZONE, DemoDirectory, free_ports
from kiosk.workbench.hardware import Hardware
from kiosk.workbench.journal_tail import JournalTail
from kiosk.workbench.samples import Sample, samples
from kiosk.workbench.screen_hand import ScreenHand
from kiosk.workbench.stage import WholeStage

if TYPE_CHECKING:
    from kiosk.hub.setup import HubSetup
    from kiosk.workbench.hub_beside import HubBeside

#: Events that are kept for the bench.
KEPT = 200


class Event(msgspec.Struct, frozen=True):
    """One line of what happened."""

    number: int
    #: Local time of day.
    at: str
    #: ``hand`` (somebody did something), ``kiosk`` (its process), ``fact`` (committed), ``hub`` (hub and network).
    kind: str
    text: str


class Demonstration:
    """Owns everything that a demonstration starts, and ends it again."""

    def __init__(
        self, directory: Path | None = None, *, port: int = 0, quick: bool = False,
        say: Callable[[str], None] = lambda text: None, load_hub: Callable[[Path], HubSetup] | None = None,
        acceptor: str = "id003", coins: bool = False, presenter: bool = False,
    ) -> None:  # fmt: skip
        """With `load_hub`, which reads a hub.toml, there is a hub beside the kiosk; `acceptor` is a wire protocol.

        With `coins` there are a coin acceptor and a hopper; with `presenter` the printer hands its slips out.
        """
        beside: type[HubBeside] | None = None
        if load_hub is not None:
            # Takes a second: before anything is made that an interrupt would leave behind.
            from kiosk.workbench.hub_beside import HubBeside as beside
        self._say = say
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._count = 0
        self._quick, self._acceptor, self._presenter = quick, acceptor, presenter
        self.bench_port, self.screen_port = (port, port + 1) if port else free_ports(2)
        self.directory = DemoDirectory.choose(directory)
        self.hardware = Hardware(
            self.directory.ports, CURRENCY, quick=quick, acceptor=acceptor, coins=coins, presenter=presenter
        )
        self.core = ChildProcess(
            self.directory.config, self.directory.screen_url, self.directory.log, lambda text: self.note("kiosk", text)
        )
        self.screen = ScreenHand(self.core.address)
        self.hub = beside(self.directory, load_hub, partial(self.note, "hub")) if beside and load_hub else None
        self.stage = WholeStage(
            self.hardware, self.screen, cut=self.cut_power, restore=self.restore_power, hub=self.hub
        )
        self.tail = JournalTail(self.directory.journal, lambda text: self.note("fact", text))
        self.library: TariffLibrary | None = None
        self.samples: tuple[Sample, ...] = ()

    @property
    def bench_origin(self) -> str:
        """The origin of the bench page."""
        return f"http://127.0.0.1:{self.bench_port}"

    def start(self) -> str:
        """Prepare and start everything; return the start address of the citizen screen.

        Raises:
            KioskError: what did not start, and why.
        """
        today = dt.datetime.now(ZoneInfo(ZONE)).date()
        self._say(f"preparing a kiosk in {self.directory.root}")
        self.directory.write(
            screen_port=self.screen_port, bench=self.bench_origin, quick=self._quick, acceptor=self._acceptor,
            coins=self.hardware.coins is not None, presenter=self._presenter,
        )  # fmt: skip
        self.library = self.directory.import_examples(
            today,
            lambda report: self._say(f"importing examples: {report.taken + report.unchanged} of {report.service}"),
        )
        self.samples = samples(self.library, self.directory.state / "sync.db", today)
        if self.hub is not None:
            self._say("founding the city's hub and starting its processes")
            self.hub.start()
        self._say(f"plugging in what is simulated: {', '.join(self.hardware.ports)}")
        self.hardware.start()
        self._say("starting the kiosk")
        self.core.start()
        if self.hub is not None:
            self.hub.fill(self.library)
        address = self.core.wait_ready()
        self.note("kiosk", f"the kiosk has started (process {self.core.pid})")
        self.tail.start()
        if self.hardware.coins is not None:
            self._say("filling the hopper, as staff do")
            staff = DEMO_PEOPLE[0]
            fill(self.hardware.coins, self.screen, self.directory.runtime / "core.sock", (staff.id, staff.pin))
        if self.hub is not None:
            self._meet(self.hub)
        return address

    def _meet(self, hub: HubBeside) -> None:
        """Have the kiosk taken in at the hub, and its first facts sent."""
        self._say("enrolling the kiosk at the hub: one-time code, six words, approval")
        words = hub.take_in()
        if words:
            self.note("hub", f"the hub has taken the kiosk in; the six words were: {words}")
        self._say("starting kiosk-sync: the first facts go to the hub")
        hub.connect()
        self.note("hub", "the hub holds every fact")

    def set_network(self, mode: str) -> None:
        """Cut, stall or join the network between kiosk and hub.

        Raises:
            SimulatorError: there is no hub.
        """
        if self.hub is None:
            raise SimulatorError("there is no hub here", hint="start the demonstration with --hub")
        self.hub.set_network(mode)

    def stop(self) -> None:
        """End everything in order and leave nothing behind."""
        self.stage.stop()
        self.tail.stop()
        if self.hub is not None:
            self.hub.stop()
        self.core.stop()
        self.hardware.stop()
        self.directory.remove()

    def cut_power(self) -> None:
        """Pull the plug of the whole kiosk: the process dies by SIGKILL, every device loses its power."""
        self.core.kill()
        if self.hub is not None:
            self.hub.cut_power()
        self.hardware.cut_power()
        self.note("kiosk", "the power is gone: the process was killed, the devices are dark")

    def restore_power(self) -> None:
        """Give the power back and wait for the kiosk's screen."""
        self.hardware.restore_power()
        self.core.start()
        if self.hub is not None:
            self.hub.restore_power()
        self.core.wait_ready()
        self.note("kiosk", f"the power is back: the kiosk has started (process {self.core.pid})")

    def note(self, kind: str, text: str) -> None:
        """Remember what happened."""
        with self._lock:
            self._count += 1
            at = dt.datetime.now(ZoneInfo(ZONE)).strftime("%H:%M:%S")
            self._events = [*self._events[-(KEPT - 1) :], Event(self._count, at, kind, text)]

    def events(self, after: int = 0) -> list[Event]:
        """Return what happened after the event of this number."""
        with self._lock:
            return [event for event in self._events if event.number > after]

    def diagnosis(self) -> list[str]:
        """Tell how kiosk and devices are, for whoever wonders why a scenario failed."""
        told = [f"{name}: {describe(port)}" for name, port in self.hardware.ports.items()]
        try:
            path = self.directory.runtime / "core.sock"
            told.append(f"kiosk: {call(path, 'status', patience_s=3)['status']}")
            for each in call(path, "devices", patience_s=3)["devices"]:
                page = each.get("page") or {}
                told.append(f"  {each['device']}: {each['state']}, {page.get('state')} {each['last_error']}".rstrip())
        except KioskError as error:
            told.append(f"kiosk: {error}")
        return told

    def receipts(self) -> list[str]:
        """Return every receipt as plain text."""
        with self.hardware.printer.hands() as printer:
            hanging = [printer.hanging] if printer.hanging.lines else []
            return [render_text(receipt) for receipt in (*printer.receipts, *hanging)]
