"""The composition root: from configuration files to a running kiosk.  The one place that wires it all.

`load` reads and checks everything that can be wrong before anything is opened; `build_core` makes the kernel on
its own thread; `run` starts the screen and the control socket beside it and waits for the end.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import kiosk
from kiosk import config, notify
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.settings import CheckoutSettings
from kiosk.core.clock import Clock
from kiosk.core.control import ControlServer
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.drawing import draw_line, draw_qr
from kiosk.core.kernel import Kernel
from kiosk.core.parts import KernelParts
from kiosk.core.reference import ReferenceData
from kiosk.core.replay import replay
from kiosk.core.service import Core
from kiosk.core.slips import City, SlipPrinter
from kiosk.core.supervisor import Supervisor
from kiosk.core.supervisor_setup import DeviceConfig
from kiosk.errors import ConfigError, ReceiptError
from kiosk.journal.keys import SigningKey
from kiosk.journal.receipt_seal import Verdict, check, load_keys
from kiosk.journal.store import Journal
from kiosk.ledger.chart import Chart, check_services, load_chart
from kiosk.model import facts
from kiosk.model.ids import is_kiosk_id
from kiosk.model.money import minor_digits, plain
from kiosk.plugins.devices import DriverTools, OpenNote
from kiosk.plugins.listeners import FactListeners
from kiosk.plugins.manager import LoadedPlugins, load_plugins
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.library import load as load_library
from kiosk.texts import Catalogue


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[kiosk]` section."""

    #: A capital letter, then 1 to 11 capitals or digits; on every receipt.
    id: str
    #: ``live``, ``training`` or ``demo``; a journal belongs to one for ever.
    realm: str = "live"
    currency: str = "USD"
    #: Time zone of the city, e.g. America/Chicago.
    zone: str = "UTC"
    #: Local time at which a business date ends; 00:00 is the calendar day.
    cut_off: dt.time = dt.time(0)
    #: Languages of the screen; the first one is shown when nobody has chosen.
    languages: tuple[str, ...] = ("en",)

    def __post_init__(self) -> None:
        if not is_kiosk_id(self.id):
            raise ConfigError(f"kiosk.id {self.id[:40]!r} cannot name a kiosk", hint="e.g. K07")
        if self.realm not in facts.REALMS:
            raise ConfigError(f"kiosk.realm {self.realm[:40]!r} is not a realm", hint=f"one of {', '.join(facts.REALMS)}")
        if not self.languages:
            raise ConfigError("kiosk.languages is empty", hint='name at least one, e.g. ["en"]')
        minor_digits(self.currency)


class Places(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[paths]` section; relative paths count from the file's directory."""

    #: Journal, key and reference data; on a disk that keeps what it is told.
    state: str = "/var/lib/kiosk"
    #: Control socket and start address of the screen.
    runtime: str = "/run/kiosk"
    #: services/, policies/, printers/, texts/ and chart.toml; "" for the ones that ship with the software.
    city_data: str = ""
    #: The city's published keys, for the page that checks receipts; "" for none.
    published_keys: str = ""


class ScreenSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[screen]` section."""

    #: Loopback only: the screen has no business on a network.
    host: str = "127.0.0.1"
    #: 0 takes any free port; the browser's policy and unit expect 8080.
    port: int = 8080
    #: Pixels per 100 mm of the panel; 0 where it was not measured.
    px_per_100mm: int = 0
    #: Origins of pages that may show the screen in a frame; a demonstration's bench, nothing in a live kiosk.
    framed_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigError(f"screen.host {self.host[:60]!r} is not this machine", hint="use 127.0.0.1")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"screen.port {self.port} is not a port", hint="0 to 65535")


class PluginSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[plugins]` section."""

    #: Load only the allow-list.
    safe_mode: bool = False
    #: Plugins that safe mode loads; absent: the built-in ones.
    allow: tuple[str, ...] | None = None
    #: Plugins that are never loaded.
    disabled: tuple[str, ...] = ()


class KioskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of kiosk.toml."""

    kiosk: Identity
    city: City
    paths: Places = Places()
    screen: ScreenSection = ScreenSection()
    checkout: CheckoutSettings = CheckoutSettings()
    plugins: PluginSection = PluginSection()
    device: tuple[DeviceConfig, ...] = ()


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything read and checked, nothing opened yet."""

    config: KioskConfig
    file: Path
    state: Path
    runtime: Path
    library: TariffLibrary
    chart: Chart
    catalogue: Catalogue
    plugins: LoadedPlugins
    devices: tuple[DeviceConfig, ...]
    columns: int
    #: Digest of kiosk.toml and all of the city's data, 16 hexadecimal digits.
    digest: str

    @property
    def journal_path(self) -> Path:
        """The journal's file; one realm, one file."""
        return self.state / f"journal-{self.config.kiosk.realm}.db"

    @property
    def key_path(self) -> Path:
        """The journal's signing key."""
        return self.state / f"journal-{self.config.kiosk.realm}.key"

    @property
    def replica_path(self) -> Path:
        """The local reference data."""
        return self.state / "sync.db"

    @property
    def control_path(self) -> Path:
        """The control socket."""
        return self.runtime / "core.sock"


def load(file: Path, *, pseudo: bool = False) -> Setup:
    """Read kiosk.toml and everything it points to.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    source = config.read_text(file)
    settings = config.decode(source, str(file), KioskConfig)
    base = file.resolve().parent
    data = (base / settings.paths.city_data) if settings.paths.city_data else config.sample_dir()
    texts = read_city_data(data)
    plugins = load_plugins(
        safe_mode=settings.plugins.safe_mode, allow=settings.plugins.allow, disabled=settings.plugins.disabled
    )
    for name, declared in plugins.declared.services.items():
        texts.setdefault(f"services/{name}.toml", declared.toml)
    library = load_library({name: text for name, text in texts.items() if name.split("/")[0] in ("services", "policies")})
    chart = load_chart(texts["chart.toml"], str(data / "chart.toml"))
    check_services(chart, library.services.values())
    catalogue = Catalogue.load([data / "texts"] if (data / "texts").is_dir() else [], pseudo=pseudo)
    for language in settings.kiosk.languages:
        if language not in catalogue.languages:
            raise ConfigError(
                f"{file}: kiosk.languages names {language!r}, of which there are no texts",
                hint=f"there are {', '.join(catalogue.languages)}",
            )
    devices, columns = with_profiles(settings.device, texts)
    return Setup(
        config=settings,
        file=file,
        state=base / settings.paths.state,
        runtime=base / settings.paths.runtime,
        library=library,
        chart=chart,
        catalogue=catalogue,
        plugins=plugins,
        devices=devices,
        columns=columns,
        digest=digest_of({"kiosk.toml": source, **texts}),
    )


def read_city_data(data: Path) -> dict[str, str]:
    """Read the city's files by their name below the directory.

    Raises:
        ConfigError: the directory or its chart is missing, or a file cannot be read.
    """
    if not (data / "chart.toml").is_file():
        raise ConfigError(f"{data} holds no chart.toml", hint="set paths.city_data to the city's directory")
    found = [data / "chart.toml"]
    for room in ("services", "policies", "printers"):
        found += sorted((data / room).glob("*.toml"))
    return {str(path.relative_to(data)): config.read_text(path) for path in found}


def with_profiles(devices: tuple[DeviceConfig, ...], texts: Mapping[str, str]) -> tuple[tuple[DeviceConfig, ...], int]:
    """Put printer profiles, which devices name, into their options; return the first printer's columns too.

    Raises:
        ConfigError: a profile does not exist.
    """
    ready, columns = [], 0
    for device in devices:
        name = device.options.get("profile")
        if isinstance(name, str):
            source = texts.get(f"printers/{name}.toml")
            if source is None:
                known = sorted(each[9:-5] for each in texts if each.startswith("printers/"))
                raise ConfigError(
                    f"device {device.name!r}: there is no printer profile {name[:60]!r}", hint=f"there are {', '.join(known)}"
                )
            profile = config.table(source, f"printers/{name}.toml")
            columns = columns or int(profile.get("columns", 0))
            device = msgspec.structs.replace(device, options={**device.options, "profile": profile})
        ready.append(device)
    return tuple(ready), columns or 42


def digest_of(texts: Mapping[str, str]) -> str:
    """Return the first 16 hexadecimal digits of SHA-256 over names and texts."""
    told = hashlib.sha256()
    for name in sorted(texts):
        for part in (name.encode(), texts[name].encode()):
            told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()[:16]


def software_digest() -> str:
    """Return a digest of the running software: its version and the bytes of its modules."""
    told = hashlib.sha256(kiosk.__version__.encode())
    here = Path(kiosk.__file__).parent
    for path in sorted(here.rglob("*.py")):
        told.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]


def make_clock(setup: Setup) -> Clock:
    """Make the clock of the city."""
    return Clock(setup.config.kiosk.zone, setup.config.kiosk.cut_off)


def open_journal(setup: Setup, clock: Clock, digests: facts.Digests) -> tuple[Journal, SigningKey]:
    """Open the journal of the configured realm, or begin it with its key and genesis.

    Raises:
        JournalError: it cannot be opened; names kiosk, realm and key that do not fit.
    """
    if setup.journal_path.exists():
        key = SigningKey.load(setup.key_path)
        journal = Journal.open(setup.journal_path, key=key)
    else:
        key = SigningKey.load(setup.key_path) if setup.key_path.exists() else SigningKey.create(setup.key_path)
        stamp = facts.Stamp(
            at=clock.instant(), business_date=clock.business_date(), actor="kiosk", session="", box_session=1,
            digests=digests,
        )  # fmt: skip
        identity = setup.config.kiosk
        journal = Journal.create(
            setup.journal_path, kiosk=identity.id, realm=identity.realm, key=key, stamp=stamp
        )
    if (journal.kiosk, journal.realm) != (setup.config.kiosk.id, setup.config.kiosk.realm):
        held = f"{journal.kiosk} ({journal.realm})"
        journal.close()
        raise ConfigError(
            f"{setup.journal_path} belongs to {held}, the configuration says "
            f"{setup.config.kiosk.id} ({setup.config.kiosk.realm})",
            hint="put the right id back; another kiosk needs another state directory",
        )
    return journal, key


def build_core(setup: Setup, core: Core, listeners: FactListeners | None = None) -> tuple[Kernel, Supervisor]:
    """Open journal and reference data and make kernel and supervisor; runs on the kernel thread."""
    clock = make_clock(setup)
    reference = ReferenceData(setup.replica_path, clock.instant().utc_offset_s)
    digests = facts.Digests(software_digest(), setup.digest, reference.digest())
    journal, key = open_journal(setup, clock, digests)
    specs = setup.plugins.drivers
    identity = setup.config.kiosk
    counter = CityCounter(setup.library, setup.chart, identity.currency)
    kernel: Kernel | None = None

    def recall(device: str) -> tuple[Mapping[str, str], OpenNote | None, bytes]:
        assert kernel is not None
        return kernel.memory(device)

    supervisor = Supervisor(
        setup.devices, specs, DriverTools(identity.currency, draw_line, draw_qr), core.post_news, recall
    )
    board = DeviceBoard(
        tuple((device.name, specs[device.driver].device_class, device.driver) for device in setup.devices)
    )
    kernel = Kernel(
        KernelParts(
            journal=journal,
            key=key,
            books=replay(journal),
            clock=clock,
            counter=counter,
            settings=setup.config.checkout,
            devices=supervisor,
            board=board,
            slips=slip_printer(setup),
            source=reference,
            digests=digests,
            languages=identity.languages,
            fresh_session=core.fresh_session,
            committed=listeners.tell if listeners else _deaf,
            published=core.publish,
            safe_mode=setup.config.plugins.safe_mode,
        )
    )
    return kernel, supervisor


def _deaf(committed: facts.Committed) -> None:
    """Nobody listens to facts."""


def slip_printer(setup: Setup) -> SlipPrinter:
    """Make the layout of slips for this city."""
    return SlipPrinter(
        setup.config.city,
        setup.catalogue,
        {service.id: service.name for service in setup.library.services.values()},
        setup.columns,
    )


def receipt_checker(setup: Setup) -> Callable[[str], Verdict] | None:
    """Return the check of a receipt against the city's published keys, or None where none are configured."""
    if not setup.config.paths.published_keys:
        return None
    path = setup.file.resolve().parent / setup.config.paths.published_keys
    return lambda line: check(line, load_keys(path))


def page_verdict(checker: Callable[[str], Verdict] | None) -> Callable[[str], Any] | None:
    """Put a verdict into the words that the page shows."""
    if checker is None:
        return None
    from kiosk.screen import pages

    def told(line: str) -> pages.Verdict:
        try:
            verdict = checker(line)
        except ReceiptError as error:
            return pages.Verdict(False, str(error))
        held = verdict.receipt
        if held is None:
            return pages.Verdict(False, verdict.reason)
        total = plain(held.applied_minor + held.overpayment_minor, held.currency)
        known = (("number", str(held.receipt_id)), ("total", f"{held.currency} {total}"), ("at", held.issued),
                 ("kiosk", held.kiosk), ("realm", held.realm))  # fmt: skip
        return pages.Verdict(verdict.good, "" if verdict.good else verdict.reason, known)

    return told


class Running:
    """A running kiosk: core, screen, control socket; `stop` ends them in order."""

    def __init__(self, setup: Setup, *, screen: bool = True) -> None:
        self.setup = setup
        self._screen = screen
        self._server: Any = None
        self.address = ""
        plugins = tuple((report.name, report.status, report.reason) for report in setup.plugins.reports)
        self.core = Core(plugins)
        self.control = ControlServer(setup.control_path, self.core.post_control)
        self.listeners = FactListeners(setup.plugins.listeners)

    def start(self) -> None:
        """Start everything; when this returns the service is ready.

        Raises:
            KioskError: what cannot be started and why.
        """
        self.setup.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.control.start()
        self.listeners.start()
        if self._screen:
            self._start_screen()
        self.core.run(partial(build_core, self.setup, listeners=self.listeners))

    def _start_screen(self) -> None:
        from kiosk.screen.app import build
        from kiosk.screen.server import ScreenServer
        from kiosk.screen.settings import ScreenSettings

        setup, section = self.setup, self.setup.config.screen
        identity, city = setup.config.kiosk, setup.config.city
        token = secrets.token_urlsafe(24)
        settings = ScreenSettings(
            framed_by=section.framed_by, px_per_100mm=section.px_per_100mm, kiosk=identity.id, city=city.name,
            support_phone=city.support_phone, realm=identity.realm, currency=identity.currency,
            language=identity.languages[0],
        )  # fmt: skip
        app = build(self.core, setup.catalogue, token=token, settings=settings, verify=page_verdict(receipt_checker(setup)))
        self._server = ScreenServer(app, host=section.host, port=section.port)
        host, port = self._server.start()
        self.address = f"http://{host}:{port}/?token={token}"
        write_private(setup.runtime / "screen.url", self.address)

    def stop(self, reason: str) -> bool:
        """End everything in order; False if the kernel did not end in time."""
        done = self.core.ended.is_set() or self.core.stop(reason)
        self.control.stop()
        if self._server is not None:
            self._server.stop()
        self.listeners.stop()
        (self.setup.runtime / "screen.url").unlink(missing_ok=True)
        return done


def write_private(path: Path, text: str) -> None:
    """Write a small file that only the service's user may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")


def run(setup: Setup, say: Callable[[str], None], *, screen: bool = True) -> int:
    """Run until a signal, an order or a fault ends it; returns the exit code.

    Raises:
        KioskError: the start failed.
    """
    running = Running(setup, screen=screen)
    wanted = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: wanted.set())
    try:
        running.start()
    except BaseException:
        notify.status("not started")
        running.control.stop()
        raise
    if running.address:
        say(f"screen: {running.address}")
    while not wanted.wait(0.5):
        if running.core.ended.is_set():
            break
    fault = running.core.fault
    running.stop("signal")
    if fault is not None:
        say(f"the kernel stopped: {fault!r}")
        sys.excepthook(type(fault), fault, fault.__traceback__)
        return 1
    return 0
