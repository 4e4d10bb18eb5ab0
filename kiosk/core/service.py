"""The running core: the kernel thread, its inbox, the supervisor beside it, the watchdog and the published pictures.

One thread owns the kernel and reads one bounded queue.  Line threads put news in (and wait when it is full: news
of money is never dropped), the screen and the control socket put requests in (and are told to try again).  The
same thread looks after the supervisor, feeds the watchdog only when it and every worker in service have ticked,
and tidies the journal when nothing is going on.
"""

from __future__ import annotations

import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from kiosk import notify
from kiosk.checkout.intents import AnyIntent
from kiosk.checkout.states import State
from kiosk.core import view
from kiosk.core.inbox import INBOX_LIMIT, ControlPosted, IntentPosted, Item, Stop
from kiosk.core.kernel import Kernel
from kiosk.core.reference import ReferenceData
from kiosk.core.snapshot import SnapshotBoard
from kiosk.core.supervisor import DeviceNews, Supervisor
from kiosk.core.verbs import answer
from kiosk.errors import JournalError, KioskError
from kiosk.model.device_events import DeviceState, Printed, PrintUnknown
from kiosk.model.facts import PluginQuarantined
from kiosk.model.instant import NS

#: How often the watchdog is fed at most, and how old a worker's heartbeat may be; less than the supervisor waits
#: before it replaces a hung worker, so that a stall shows here first.
FEED_NS = 5 * NS
WORKER_NS = 5 * NS
#: Idle time after which the journal is tidied, and facts between two checkpoints of the books.
IDLE_NS = 3 * NS
CHECKPOINT_FACTS = 2_000
HEALTH_NS = NS
#: How long a page waits for an answer, seconds.
ASK_S = 5
#: An orderly end gives lines so long to carry the last order, and a note in motion so long to come to its end.
LEAVE_NS = NS // 3
FOLLOW_NS = 6 * NS
#: What stays true when the driver that told it is dead: nobody else would tell how its print jobs ended.
_STILL_TRUE = (DeviceState, Printed, PrintUnknown)


class Core:
    """Owns the kernel thread.  It is the `Desk` of the screen."""

    def __init__(
        self,
        plugins: tuple[tuple[str, str, str], ...] = (),
        set_apart: Callable[[], list[tuple[str, str]]] = list,
        choose_realm: Callable[[str], None] = lambda realm: None,
    ) -> None:
        """Take what became of each plugin at load, the call that tells (plugin, reason) of later quarantines, and the
        one that keeps the realm of the next start (it raises where the kiosk may not work in that realm)."""
        self.board = SnapshotBoard()
        self.boot = secrets.token_hex(4)
        self.kernel: Kernel | None = None
        self.supervisor: Supervisor | None = None
        self.plugins = plugins
        self._set_apart = set_apart
        self._choose_realm = choose_realm
        #: The realm to start again on after the orderly end, "" where it is simply the end.
        self.next_realm = ""
        #: Why the kernel thread ended by itself, or None.
        self.fault: BaseException | None = None
        self.ended = threading.Event()
        self._up = threading.Event()
        #: Why and since when the core is ending, monotonic nanoseconds; None while it is not.
        self._leaving: tuple[str, int] | None = None
        self._inbox: queue.Queue[Item] = queue.Queue(INBOX_LIMIT)
        self._thread: threading.Thread | None = None
        self._version = 0
        self._published: tuple[Any, ...] = ()
        self._sessions = 0
        self._fed_ns = 0
        self._busy_ns = 0
        self._health_ns = 0
        self._checkpoint_seq = 0
        self._screen_seen_ns = 0
        self._started = ""
        self._status = ""

    # --- doors, called from other threads -----------------------------------------------------------------

    def post_news(self, news: DeviceNews) -> None:
        """Queue what a device told; waits while the inbox is full, because money must not be dropped."""
        while not self.ended.is_set():
            try:
                self._inbox.put(news, timeout=1)
                return
            except queue.Full:
                continue

    def post_intent(self, intent: AnyIntent, *, session: str, step: int) -> bool:
        """Queue an intent; False when the inbox is full or the kernel is gone."""
        return self._offer(IntentPosted(intent, session, step))

    def post_control(self, request: ControlPosted) -> bool:
        """Queue a request of the control socket."""
        return self._offer(request)

    def ask(self, verb: str, arguments: dict[str, Any], *, patience_s: int = ASK_S) -> dict[str, Any]:
        """Ask on behalf of a page for what the counting room may ask for; waits for the answer, never for long."""
        if not verb.startswith("count."):
            return {"ok": False, "error": f"a page may not ask for {verb[:40]!r}", "hint": "use the command line"}
        answers: queue.Queue[dict[str, Any]] = queue.Queue(1)
        if not self._offer(ControlPosted(verb, arguments, os.getuid(), answers.put_nowait)):
            return {"ok": False, "error": "counting.refused", "hint": "counting.unread.hint"}
        try:
            told = answers.get(timeout=patience_s)
            # A page speaks the reader's language: it gets the id of the text in place of the words.
            return told | {"error": told["say"], "hint": ""} if told.get("say") else told
        except queue.Empty:
            # It may still be carried out: what became of it is in the journal and in the next list.
            return {"ok": False, "error": "counting.unread", "hint": "counting.unread.hint"}

    def screen_seen(self) -> None:
        """The page's heartbeat."""
        self._screen_seen_ns = time.monotonic_ns()

    def _offer(self, item: Item) -> bool:
        if self.ended.is_set():
            return False
        try:
            self._inbox.put_nowait(item)
        except queue.Full:
            return False
        return True

    def fresh_session(self) -> str:
        """Name a session: unique within and across runs."""
        self._sessions += 1
        return f"{self.boot}-{self._sessions}"

    # --- life ---------------------------------------------------------------------------------------------

    def run(self, build: Callable[[Core], tuple[Kernel, Supervisor]], *, patience_s: float = 120) -> None:
        """Start the kernel thread; returns when the journal is replayed and the first state taken.

        `build` runs on the kernel thread, which owns journal and reference data from their opening on.

        Raises:
            KioskError: the start failed; says why.
        """
        self._thread = threading.Thread(target=self._loop, args=(build,), name="kernel", daemon=True)
        self._thread.start()
        waited = 0.0
        while not self._up.wait(0.2) and not self.ended.is_set():
            waited += 0.2
            if waited >= patience_s:
                raise KioskError(
                    "the kernel did not come up in time", hint="see the log; the journal may be very large"
                )
        if self.fault is not None:
            raise self.fault

    def stop(self, reason: str, *, wait_s: float = 10) -> bool:
        """End the kernel in order; False if it did not end in time."""
        self._inbox.put(Stop(reason), timeout=wait_s)
        return self.ended.wait(wait_s)

    def _loop(self, build: Callable[[Core], tuple[Kernel, Supervisor]]) -> None:
        try:
            self.kernel, self.supervisor = build(self)
            self._started = self.kernel.parts.clock.instant().iso()
            self._checkpoint_seq = self.kernel.books.seq
            self.kernel.start()
            self.kernel.parts.hub_data.begin(self.kernel)
            for name, status, reason in self.plugins:
                if status == "quarantined":
                    self.kernel.record(PluginQuarantined(name[:80], reason[:300]))
            self.supervisor.start()
            self._ready()
            while self._turn():
                pass
        except BaseException as error:  # noqa: BLE001  kept in `fault`; the process ends with it
            # A fault in a rule or in the kernel itself: nothing more may be believed of this run.  The process
            # ends with it, the service manager starts a new one, and that one resolves open notes from the wire.
            self.fault = error
        finally:
            self._let_go()
            self.ended.set()

    def _let_go(self) -> None:
        """Give up lines, journal and data, whatever state they are in: nobody may be left waiting for the end."""
        ends: list[Callable[[], object]] = [self.supervisor.stop] if self.supervisor is not None else []
        if self.kernel is not None:
            ends.append(self.kernel.parts.journal.close)
            if isinstance(self.kernel.parts.source, ReferenceData):
                ends.append(self.kernel.parts.source.close)
        for end in ends:
            try:
                end()
            except Exception as error:  # noqa: BLE001  kept: the process ends with it
                self.fault = self.fault or error

    def _turn(self) -> bool:
        kernel, supervisor = self.running_kernel, self.running_supervisor
        clock = kernel.parts.clock
        again = supervisor.tend()
        now = clock.now_ns()
        soon = now + (NS if self._leaving is None else NS // 20)
        wait_ns = max(0, min(kernel.due(), again, soon) - now)
        try:
            item = self._inbox.get(timeout=wait_ns / NS) if wait_ns else self._inbox.get_nowait()
        except queue.Empty:
            item = None
        if isinstance(item, Stop):
            self.next_realm = ""  # whoever ends the kiosk does not want it back on another journal
            self._leaving = self._leaving or (item.reason, now)
            notify.stopping()
        if self._leaving is not None and self._may_end(now - self._leaving[1]):
            try:
                self._checkpoint()
            except JournalError as error:
                kernel.last_fault = str(error)  # only a cache: the next start reads more
            kernel.stop(self._leaving[0])
            return False
        if item is not None and not isinstance(item, Stop):
            self._busy_ns = clock.now_ns()
            self._handle(item)
        if clock.now_ns() >= kernel.due():
            kernel.tick()
        self._look_after()
        return True

    def _may_end(self, since_ns: int) -> bool:
        """Tell whether the end need wait no longer: the acceptor has heard that it must take nothing, and a note that
        is moving has come to its end (else the next start resolves it)."""
        resting = self.running_kernel.leave()
        return since_ns >= LEAVE_NS and (resting or since_ns >= FOLLOW_NS)

    def _handle(self, item: Item) -> None:
        kernel = self.running_kernel
        if isinstance(item, DeviceNews):
            if self.running_supervisor.is_current(item) or isinstance(item.event, _STILL_TRUE):
                kernel.handle_news(item)
        elif isinstance(item, IntentPosted):
            if not kernel.handle_intent(item):
                self.publish(force=True)
        elif isinstance(item, ControlPosted):
            item.reply(answer(self, item))

    # --- pictures, watchdog, tidying ----------------------------------------------------------------------

    def publish(self, force: bool = False) -> None:
        """Put up a new snapshot if anything that it shows has changed."""
        kernel = self.running_kernel
        board = kernel.parts.board
        attended = kernel.books.seq if kernel.model.attendant is not None else 0
        seen = (
            kernel.model,
            attended,
            board.known_notes,
            board.acceptor_ready,
            board.printer_ready,
            kernel.parts.clock.unsure,
        )
        if seen == self._published and not force:
            return
        self._published = seen
        self._version += 1
        self.board.publish(view.snapshot(kernel, version=self._version, boot=self.boot))
        self._health_ns = 0

    def publish_health(self) -> None:
        """Put up a new health picture."""
        self.board.publish_health(
            view.health(
                self.running_kernel,
                lines=self.running_supervisor.status(),
                plugins=self.plugins,
                started=self._started,
            )
        )

    def _ready(self) -> None:
        self.publish(force=True)
        self.publish_health()
        self._up.set()
        notify.ready(self.status_words())

    def _look_after(self) -> None:
        kernel = self.running_kernel
        now = kernel.parts.clock.now_ns()
        if now - self._health_ns >= HEALTH_NS:
            self._health_ns = now
            self._look_at_plugins()
            self.publish_health()
        if now - self._fed_ns >= FEED_NS and self.running_supervisor.all_ticked(now - WORKER_NS):
            self._fed_ns = now
            words = self.status_words()
            notify.watchdog()
            if words != self._status:
                self._status = words
                notify.status(words)
        if now - self._busy_ns >= IDLE_NS and kernel.model.state in (State.IDLE, State.OUT_OF_SERVICE):
            self._busy_ns = now
            self._tidy()

    def _look_at_plugins(self) -> None:
        """Put a plugin that was set apart while running on the health page and into the journal."""
        for name, reason in self._set_apart():
            others = tuple(each for each in self.plugins if each[0] != name)
            self.plugins = (*others, (name, "quarantined", reason[:300]))
            self.running_kernel.record(PluginQuarantined(name[:80], reason[:300]))

    def _tidy(self) -> None:
        """Use a quiet moment: move the journal's WAL, give the ballast back, keep a checkpoint of the books."""
        if self.running_kernel.trouble is not None:
            return
        journal = self.running_kernel.parts.journal
        self.running_kernel.parts.hub_data.tend(self.running_kernel)
        try:
            journal.tidy()
            if journal.low_space:
                journal.restore_ballast()
            if self.running_kernel.books.seq - self._checkpoint_seq >= CHECKPOINT_FACTS:
                self._checkpoint()
        except JournalError as error:
            self.running_kernel.last_fault = str(error)

    def _checkpoint(self) -> None:
        from kiosk.core.replay import save

        if self.running_kernel.trouble is None and self.running_kernel.books.seq != self._checkpoint_seq:
            save(self.running_kernel.parts.journal, self.running_kernel.books)
            self._checkpoint_seq = self.running_kernel.books.seq

    def stop_soon(self, reason: str) -> None:
        """Queue the orderly end; returns at once."""
        self._inbox.put_nowait(Stop(reason))

    def restart_on(self, realm: str) -> None:
        """End in order and start again on the journal of another realm; called on the kernel's thread.

        A realm that this kiosk may not work in changes nothing and is told as the last fault.
        """
        kernel = self.running_kernel
        try:
            self._choose_realm(realm)
        except KioskError as error:
            kernel.last_fault = str(error)
            return
        if self._leaving is None:
            self.next_realm = realm
            self._leaving = (f"realm {realm}", kernel.parts.clock.now_ns())

    @property
    def screen_age_ms(self) -> int | None:
        """Milliseconds since the page's last heartbeat; None before the first."""
        return (time.monotonic_ns() - self._screen_seen_ns) // 1_000_000 if self._screen_seen_ns else None

    def status_words(self) -> str:
        """Return the service's state in one line for people."""
        kernel = self.running_kernel
        words = kernel.parts.slips.catalogue
        reasons = " ".join(words.say(reason, "en") for reason in kernel.model.out_of_service)
        state = f"out of service: {reasons}" if reasons else f"in service, {kernel.model.state}"
        journal = kernel.parts.journal
        return f"{journal.kiosk} {journal.realm}: {state}; journal {kernel.books.epoch}/{kernel.books.seq}"

    @property
    def running_kernel(self) -> Kernel:
        """The kernel, which is there from the start on."""
        if self.kernel is None:
            raise KioskError("the kernel is not there yet", hint="wait for READY", transient=True)
        return self.kernel

    @property
    def running_supervisor(self) -> Supervisor:
        """The supervisor, which is there from the start on."""
        if self.supervisor is None:
            raise KioskError("the supervisor is not there yet", hint="wait for READY", transient=True)
        return self.supervisor
