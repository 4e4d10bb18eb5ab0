"""A running kiosk: core, screen and control socket together, from start to end."""

from __future__ import annotations

import os
import secrets
import signal
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from kiosk import notify
from kiosk.app.compose import build_core, remember_parts
from kiosk.app.hub_packs import started_with
from kiosk.app.private_files import write_whole
from kiosk.app.setup import Setup, load
from kiosk.core.control import ControlServer
from kiosk.core.service import Core
from kiosk.errors import ReceiptError, ReplicaError
from kiosk.journal.realm import choose_realm
from kiosk.journal.receipt_seal import Verdict, check, load_keys
from kiosk.model.money import plain
from kiosk.plugins.listeners import FactListeners
from kiosk.sync.replica import documents


def receipt_checker(setup: Setup) -> Callable[[str], Verdict] | None:
    """Return the check of a receipt against the city's published keys, or None where none are configured."""
    if not setup.config.paths.published_keys:
        return None
    path = setup.file.resolve().parent / setup.config.paths.published_keys

    def checked(line: str) -> Verdict:
        revoked = revoked_keys(setup.replica_path)
        keys = load_keys(path)
        return check(line, {place: replace(key, revoked=True) if key.public_key.lower() in revoked else key
                            for place, key in keys.items()})  # fmt: skip

    return checked


def revoked_keys(replica: Path) -> frozenset[str]:
    """Return the journal keys that a hub has revoked, hexadecimal; none where no hub said anything.

    Raises:
        ReceiptError: what a hub said cannot be read: then nothing is proven.
    """
    try:
        _, body = documents(replica).get("keys_revoked", (0, b""))
    except ReplicaError as error:
        raise ReceiptError(f"the list of revoked keys cannot be read: {error.message}", hint=error.hint) from error
    return frozenset(body.decode("ascii", errors="replace").split())


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
        # What was handed over; with money that was held from before, what that paid.
        total = plain(max(held.tender_minor, held.applied_minor + held.overpayment_minor), held.currency)
        known = (("number", str(held.receipt_id)), ("total", f"{held.currency} {total}"), ("at", held.issued),
                 ("kiosk", held.kiosk), ("realm", held.realm))  # fmt: skip
        specimen = verdict.reason == "specimen"
        return pages.Verdict(verdict.good, "" if verdict.good or specimen else verdict.reason, known, specimen)

    return told


#: Name of the file that holds the start address of the screen, in the runtime directory.
SCREEN_URL = "screen.url"


class Running:
    """A running kiosk: core, screen, control socket; `stop` ends them in order."""

    def __init__(self, setup: Setup, *, screen: bool = True) -> None:
        self.setup = setup
        self._screen = screen
        self._server: Any = None
        self.address = ""
        plugins = tuple((report.name, report.status, report.reason) for report in setup.plugins.reports)
        self.listeners = FactListeners(setup.plugins.listeners)
        self.core = Core(
            plugins, self._set_apart, partial(choose_realm, setup.state, configured=setup.config.kiosk.realm)
        )
        self.control = ControlServer(setup.control_path, self.core.post_control)

    def _set_apart(self) -> list[tuple[str, str]]:
        return [(report.plugin, report.quarantined) for report in self.listeners.take_quarantined()]

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
        remember_parts(self.setup)
        try:
            started_with(self.setup.state, self.setup.pack.directory)
        except OSError:
            pass  # a disk that takes nothing is told by the journal

    def _start_screen(self) -> None:
        from kiosk.screen.app import build
        from kiosk.screen.server import ScreenServer
        from kiosk.screen.settings import ScreenSettings

        setup, section = self.setup, self.setup.config.screen
        identity, city = setup.config.kiosk, setup.city
        token = token_of_this_boot(setup.runtime / "screen-token")
        settings = ScreenSettings(
            framed_by=section.framed_by, px_per_100mm=section.px_per_100mm, kiosk=identity.id, city=city.name,
            support_phone=city.support_phone, hours=city.hours, logo=setup.pack.logo,
            colours=city.colours.told(), realm=setup.realm, currency=identity.currency,
            language=identity.languages[0],
        )  # fmt: skip
        app = build(
            self.core, setup.catalogue, token=token, settings=settings, verify=page_verdict(receipt_checker(setup))
        )
        self._server = ScreenServer(app, host=section.host, port=section.port)
        host, port = self._server.start()
        self.address = f"http://{host}:{port}/?token={token}"
        write_private(setup.runtime / SCREEN_URL, self.address)

    @property
    def screen_died(self) -> bool:
        """Whether the thread that serves the screen is gone though nobody ended it."""
        return self._server is not None and not self._server.alive

    def stop(self, reason: str) -> bool:
        """End everything in order; False if the kernel did not end in time."""
        done = self.core.ended.is_set() or self.core.stop(reason)
        self.control.stop()
        if self._server is not None:
            self._server.stop()
        self.listeners.stop()
        (self.setup.runtime / SCREEN_URL).unlink(missing_ok=True)
        return done


def token_of_this_boot(path: Path) -> str:
    """Return the screen's token: kept in the runtime directory, which ends with the boot, so that a page that was open
    when the core died is let in again by the next one."""
    kept = kept_private(path)
    if len(kept) < 32:
        kept = secrets.token_urlsafe(24)
        write_private(path, kept)
    return kept


def kept_private(path: Path) -> str:
    """Return the text of a small file that nobody else could have read or written, "" where there is none."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), encoding="ascii") as file:
            found = os.fstat(file.fileno())
            private = stat.S_ISREG(found.st_mode) and not found.st_mode & 0o077 and found.st_uid == os.getuid()
            return file.read(4096).strip() if private else ""
    except (OSError, UnicodeDecodeError):
        return ""


def write_private(path: Path, text: str) -> None:
    """Write a small file that only the service's user may read; it takes the place of whatever was there."""
    write_whole(path, f"{text}\n".encode())


def run(setup: Setup, say: Callable[[str], None], *, screen: bool = True) -> int:
    """Run until a signal, an order or a fault ends it; returns the exit code.

    When a person changes the realm, the core ends in order and everything is read and started again in this process,
    so that a kiosk without a service manager comes back as well.

    Raises:
        KioskError: the start failed.
    """
    # A handler runs between any two steps of this thread, also while it holds the lock of an Event: setting one from
    # there waits for ever now and then.  So it only takes down what came.
    signals: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda came, _: signals.append(came))
    while True:
        running = Running(setup, screen=screen)
        code = _run_once(running, signals, say)
        if code or signals or not running.core.next_realm:
            return code
        say(f"starting again on the journal of the realm {running.core.next_realm}")
        notify.watchdog(f"changing over to {running.core.next_realm}")
        setup = load(setup.file)


def _run_once(running: Running, signals: list[int], say: Callable[[str], None]) -> int:
    """Run one core from start to end; returns the exit code."""
    try:
        running.start()
    except BaseException:
        notify.status("not started")
        running.control.stop()
        if running.address:  # nobody answers there; another kiosk's address in the same place is left alone
            (running.setup.runtime / SCREEN_URL).unlink(missing_ok=True)
        raise
    if running.address:
        # Without the token: what is said here goes to the log of the machine.
        address = running.address.partition("?")[0]
        say(f"screen: {address}, start address with its token: {running.setup.runtime / SCREEN_URL}")
    while not signals and not running.core.ended.wait(0.2) and not running.screen_died:
        pass
    if running.screen_died:
        # A kiosk that nobody can see must not look alive: the service manager starts it anew.
        say("the screen's server ended by itself")
        running.stop("the screen's server ended")
        return 1
    done = running.stop("signal")
    return exit_code(running.core.fault, done, say)


def exit_code(fault: BaseException | None, done: bool, say: Callable[[str], None]) -> int:
    """Tell how the kernel ended, when everything has stopped: a fault on the way down counts as well."""
    if fault is not None:
        say(f"the kernel stopped: {fault!r}")
        sys.excepthook(type(fault), fault, fault.__traceback__)
        return 1
    if not done:
        say("the kernel did not end in time; the next start resolves what is open")
        return 1
    return 0
