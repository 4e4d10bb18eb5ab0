"""The city's hub beside a demonstration's kiosk: its processes, the line to it, and what it holds.

Hub and kiosk-sync are the real programs, in a directory of the demonstration's own; the kiosk is taken in by the real
enrolment, with code, fingerprint and approval.  Between them lies a network that can be cut.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import sqlalchemy as sa

from kiosk import config
from kiosk.errors import HubError, JournalError, KioskError, SimulatorError, SyncError
from kiosk.hub.feed.importing import import_file
from kiosk.hub.founding import found
from kiosk.hub.front.server_keys import transport_keys
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import mark
from kiosk.hub.web import people
from kiosk.journal.reader import Reader
from kiosk.sync import standing
from kiosk.sync.asking import ask
from kiosk.sync.keys import fingerprint, load_hubs
from kiosk.sync.mapping import load_mapping
from kiosk.sync.plates import KEY_FILE
from kiosk.tariff.library import TariffLibrary
from kiosk.workbench.child_process import ChildProcess
from kiosk.workbench.directory import CURRENCY, EXAMPLES, KIOSK, OPERATOR, REALM, DemoDirectory, free_ports
from kiosk.workbench.enrolling import enrol
from kiosk.workbench.network import Network

HUB = "city-hall"
#: What the operator may do at the hub: everything but count a box, which is blind.
ROLES = ("view", "audit", "admin", "export")
#: How long the hub's start, the enrolment and the first facts may take, seconds.
PATIENCE_S = 90
_LOOK_S = 0.05


class HubStanding(msgspec.Struct, frozen=True):
    """What the bench tells of the line to the hub."""

    #: ``joined``, ``cut``, ``stalled``.
    network: str
    #: Facts that the kiosk has committed, and how many of them the hub does not hold yet.
    committed: int
    unsynced: int
    #: What kiosk-sync says of the line, in words.
    words: str
    connected: bool


class HubBeside:
    """Owns hub.toml, the hub's processes, kiosk-sync and the network between them."""

    def __init__(self, directory: DemoDirectory, load: Callable[[Path], HubSetup], told: Callable[[str], None]) -> None:
        """`load` reads a hub.toml with everything that it points to."""
        self._directory, self._load = directory, load
        self.config = directory.root / "hub.toml"
        self.journal_port, self.enrol_port, self.web_port = free_ports(3)
        self.network = Network((self.journal_port, self.enrol_port))
        self.password = secrets.token_urlsafe(9)
        self.hub = ChildProcess(
            self.config, None, directory.root / "hub.log", told, words=("hub", "run"), title="the hub"
        )
        self.sync = ChildProcess(
            directory.config, None, directory.root / "sync.log", told, words=("sync", "run"), title="kiosk-sync"
        )
        self._stores: Stores | None = None

    @property
    def address(self) -> str:
        """The pages for operators."""
        return f"http://127.0.0.1:{self.web_port}/"

    # --- life -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the hub with its operator, start its processes, and tell the kiosk's configuration about it.

        Raises:
            KioskError: what cannot be made.
        """
        place, hub = self._directory, self._directory.root / "hub"
        values = {
            "hub": HUB, "currency": CURRENCY, "realm": REALM, "state": str(hub), "runtime": str(place.runtime / "hub"),
            "journal": self.journal_port, "enrol": self.enrol_port, "announced": self.network.ports[0],
            "web": self.web_port, "pack": str(place.pack or ""),
        }  # fmt: skip
        text = {name: json.dumps(value) if isinstance(value, str) else value for name, value in values.items()}
        self.config.write_text(_HUB_TOML.format(**text), encoding="utf-8")
        setup = self._load(self.config)
        told = found(setup, time.time_ns())
        self._stores = setup.stores()
        with self._stores.office.begin() as office:
            if people.find(office, OPERATOR) is None:
                people.add(office, OPERATOR, "Demonstration", ROLES, self.password, time.time_ns())
            else:
                people.change(office, OPERATOR, time.time_ns(), password=self.password)
        journal, enrol = self.network.ports
        with place.config.open("a", encoding="utf-8") as file:
            file.write(_SYNC_TOML.format(journal=journal, enrol=enrol, fingerprint=told.fingerprint))
        self.network.start()
        self.hub.start()

    def fill(self, library: TariffLibrary) -> None:
        """Import into the hub the files that the kiosk was given, so that what comes down is what is there.

        Raises:
            KioskError: a file cannot be taken.
        """
        place, state = self._directory, self._directory.root / "hub"
        if (place.state / KEY_FILE).is_file():
            shutil.copy(place.state / KEY_FILE, state / KEY_FILE)
        for service, name in EXAMPLES.items():
            mapping = load_mapping(
                config.read_text(config.sample_dir() / "imports" / f"{service}.toml"), f"{service}.toml"
            )
            source = place.root / "examples" / name
            import_file(
                source, mapping, library.services[service], self.stores, state, source.with_suffix(".hub-rejects.csv"),
                taken_at_ns=time.time_ns(), by="system:demo",
            )  # fmt: skip

    def take_in(self) -> str:
        """Have the kiosk taken in, unless it is; return the six words that operator and technician compared.

        Raises:
            KioskError: it did not come to that in time.
        """
        self._until(self._listens, "the hub takes enrolments")
        with self.stores.office.begin() as office:
            key = transport_keys(office)[0].key
        if fingerprint(key) in load_hubs(self._directory.state):
            return ""
        return enrol(self.stores.office, key, self.sync)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.enrol_port), 0.2).close()
        except OSError:
            return False
        return True

    def connect(self) -> None:
        """Start kiosk-sync and wait until the hub holds every fact.

        Raises:
            KioskError: the hub does not get them in time.
        """
        self.sync.start()
        self._until(lambda: self.behind() == 0, "the first facts reach the hub")

    def stop(self) -> None:
        """End everything in order."""
        self.sync.stop()
        self.hub.stop()
        self.network.stop()
        if self._stores is not None:
            self._stores.close()

    def cut_power(self) -> None:
        """The kiosk's plug was pulled: kiosk-sync is on the same machine, the hub is not."""
        self.sync.kill()

    def restore_power(self) -> None:
        """The kiosk has power again."""
        self.sync.start()

    # --- the network ----------------------------------------------------------------------------------------

    def set_network(self, mode: str) -> None:
        """Cut, stall or join the network; a joined one is tried at once, as `kiosk sync now` does.

        Raises:
            SimulatorError: there is no such state.
        """
        self.network.set(mode)
        if mode == "joined":
            try:
                ask(self._directory.runtime)
            except SyncError:
                pass  # kiosk-sync is down; it will try when it comes up

    # --- looking --------------------------------------------------------------------------------------------

    @property
    def stores(self) -> Stores:
        """The hub's database."""
        if self._stores is None:
            raise HubError("the hub has not been made", hint="start it first")
        return self._stores

    def behind(self) -> int:
        """Return how many of the kiosk's facts the hub does not hold.

        Raises:
            SimulatorError: the journal cannot be read now.
        """
        committed, held = self._marks()
        return committed - held

    def _marks(self) -> tuple[int, int]:
        """Return the kiosk's newest fact and the hub's, as numbers within the kiosk's epoch."""
        try:
            with Reader(self._directory.journal) as reader:
                last = reader.last()
        except JournalError as error:
            raise SimulatorError(f"the journal cannot be read: {error.message}") from error
        if last is None:
            return 0, 0
        wanted = sa.select(mark.c.seq).where(mark.c.kiosk == KIOSK, mark.c.epoch == last.epoch)
        with self.stores.segments.connect() as connection:
            held = connection.execute(wanted).scalar()
        return last.seq, int(held or 0)

    def look(self) -> HubStanding:
        """Return how the line stands."""
        told = standing.read(self._directory.runtime)
        connected = told is not None and told.state == "streaming" and self.sync.running
        trouble = told.trouble.words if told is not None and told.trouble is not None else ""
        words = trouble or ("" if connected else "kiosk-sync is connecting")
        try:
            committed, held = self._marks()
        except SimulatorError as error:
            return HubStanding(self.network.mode, 0, 0, error.message, connected)
        return HubStanding(self.network.mode, committed, committed - held, words, connected)

    def _until(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                if done():
                    return
            except SimulatorError:
                pass  # the journal is being made
            time.sleep(_LOOK_S)
        hint = f"hub: {self.hub.last_words()} sync: {self.sync.last_words()}"
        raise KioskError(f"it did not come to this: {what}", hint=hint[:600])


_HUB_TOML = """\
# Written by `kiosk demo --hub`: an ordinary hub on SQLite, reached through a network that the bench can cut.
[hub]
id = {hub}
realm = {realm}
currency = {currency}
state = {state}
runtime = {runtime}
city_data = {pack}

[listen]
journal = "tcp://127.0.0.1:{journal}"
enrol = "tcp://127.0.0.1:{enrol}"
announced = "tcp://127.0.0.1:{announced}"

[web]
port = {web}
tls = false
"""

_SYNC_TOML = """
[sync]
heartbeat_s = 2

[[sync.hub]]
endpoint = "tcp://127.0.0.1:{journal}"
enrol = "tcp://127.0.0.1:{enrol}"
fingerprint = "{fingerprint}"
"""
