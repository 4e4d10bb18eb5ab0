"""The running core: the kernel thread, its inbox, the supervisor beside it, the watchdog and the published pictures.

One thread owns the kernel and reads one bounded queue.  Line threads put news in (and wait when it is full: news
of money is never dropped), the screen and the control socket put requests in (and are told to try again).  The
same thread looks after the supervisor, feeds the watchdog only when it and every worker in service have ticked,
and tidies the journal when nothing is going on.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from kiosk import notify
from kiosk.checkout.events import ReprintAsked
from kiosk.checkout.intents import AnyIntent
from kiosk.checkout.states import State
from kiosk.core import view
from kiosk.core.inbox import INBOX_LIMIT, ControlPosted, IntentPosted, Item, Stop
from kiosk.core.kernel import Kernel
from kiosk.core.snapshot import SnapshotBoard
from kiosk.core.supervisor import DeviceNews, Supervisor
from kiosk.errors import DriverError, JournalError, KioskError, ReceiptError
from kiosk.model.instant import NS

#: How often the watchdog is fed at most, and how old a worker's heartbeat may be.
FEED_NS = 5 * NS
WORKER_NS = 12 * NS
#: Idle time after which the journal is tidied, and facts between two checkpoints of the books.
IDLE_NS = 3 * NS
CHECKPOINT_FACTS = 2_000
HEALTH_NS = NS


class Core:
    """Owns the kernel thread.  It is the `Desk` of the screen."""

    def __init__(self, plugins: tuple[tuple[str, str, str], ...] = ()) -> None:
        self.board = SnapshotBoard()
        self.boot = secrets.token_hex(4)
        self.kernel: Kernel | None = None
        self.supervisor: Supervisor | None = None
        self.plugins = plugins
        #: Why the kernel thread ended by itself, or None.
        self.fault: BaseException | None = None
        self.ended = threading.Event()
        self._up = threading.Event()
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
                raise KioskError("the kernel did not come up in time", hint="see the log; the journal may be very large")
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
            self.supervisor.start()
            self._ready()
            while self._turn():
                pass
        except BaseException as error:
            # A fault in a rule or in the kernel itself: nothing more may be believed of this run.  The process
            # ends with it, the service manager starts a new one, and that one resolves open notes from the wire.
            self.fault = error
        finally:
            if self.supervisor is not None:
                self.supervisor.stop()
            if self.kernel is not None:
                self.kernel.parts.journal.close()
            self.ended.set()

    def _turn(self) -> bool:
        assert self.kernel is not None and self.supervisor is not None
        clock = self.kernel.parts.clock
        again = self.supervisor.tend()
        now = clock.now_ns()
        wait_ns = max(0, min(self.kernel.due(), again, now + NS) - now)
        try:
            item = self._inbox.get(timeout=wait_ns / NS) if wait_ns else self._inbox.get_nowait()
        except queue.Empty:
            item = None
        if isinstance(item, Stop):
            self._checkpoint()
            self.kernel.stop(item.reason)
            notify.stopping()
            return False
        if item is not None:
            self._busy_ns = clock.now_ns()
            self._handle(item)
        if clock.now_ns() >= self.kernel.due():
            self.kernel.tick()
        self._look_after()
        return True

    def _handle(self, item: Item) -> None:
        assert self.kernel is not None and self.supervisor is not None
        if isinstance(item, DeviceNews):
            if self.supervisor.is_current(item) or item.event.__class__.__name__ == "DeviceState":
                self.kernel.handle_news(item)
        elif isinstance(item, IntentPosted):
            if not self.kernel.handle_intent(item):
                self.publish(force=True)
        elif isinstance(item, ControlPosted):
            item.reply(self._control(item))

    # --- pictures, watchdog, tidying ----------------------------------------------------------------------

    def publish(self, force: bool = False) -> None:
        """Put up a new snapshot if anything that it shows has changed."""
        assert self.kernel is not None
        kernel = self.kernel
        board = kernel.parts.board
        seen = (kernel.model, board.known_notes, board.acceptor_ready, board.printer_ready, kernel.parts.clock.unsure)
        if seen == self._published and not force:
            return
        self._published = seen
        self._version += 1
        self.board.publish(view.snapshot(kernel, version=self._version, boot=self.boot))
        self._health_ns = 0

    def publish_health(self) -> None:
        """Put up a new health picture."""
        assert self.kernel is not None and self.supervisor is not None
        self.board.publish_health(
            view.health(self.kernel, lines=self.supervisor.status(), plugins=self.plugins, started=self._started)
        )

    def _ready(self) -> None:
        self.publish(force=True)
        self.publish_health()
        self._up.set()
        notify.ready(self._status_words())

    def _look_after(self) -> None:
        assert self.kernel is not None and self.supervisor is not None
        kernel = self.kernel
        now = kernel.parts.clock.now_ns()
        if now - self._health_ns >= HEALTH_NS:
            self._health_ns = now
            self.publish_health()
        if now - self._fed_ns >= FEED_NS and self.supervisor.all_ticked(now - WORKER_NS):
            self._fed_ns = now
            words = self._status_words()
            notify.watchdog()
            if words != self._status:
                self._status = words
                notify.status(words)
        if now - self._busy_ns >= IDLE_NS and kernel.model.state in (State.IDLE, State.OUT_OF_SERVICE):
            self._busy_ns = now
            self._tidy()

    def _tidy(self) -> None:
        """Use a quiet moment: move the journal's WAL, give the ballast back, keep a checkpoint of the books."""
        assert self.kernel is not None
        if self.kernel.trouble is not None:
            return
        journal = self.kernel.parts.journal
        try:
            journal.tidy()
            if journal.low_space:
                journal.restore_ballast()
            if self.kernel.books.seq - self._checkpoint_seq >= CHECKPOINT_FACTS:
                self._checkpoint()
        except JournalError as error:
            self.kernel.last_fault = str(error)

    def _checkpoint(self) -> None:
        from kiosk.core.replay import save

        assert self.kernel is not None
        if self.kernel.trouble is None and self.kernel.books.seq != self._checkpoint_seq:
            save(self.kernel.parts.journal, self.kernel.books)
            self._checkpoint_seq = self.kernel.books.seq

    def _status_words(self) -> str:
        assert self.kernel is not None
        kernel = self.kernel
        reasons = ", ".join(reason.id for reason in kernel.model.out_of_service)
        state = f"out of service: {reasons}" if reasons else f"in service, {kernel.model.state}"
        return f"{kernel.parts.journal.kiosk} {kernel.parts.journal.realm}: {state}; journal {kernel.books.epoch}/{kernel.books.seq}"

    # --- control ------------------------------------------------------------------------------------------

    def _control(self, request: ControlPosted) -> dict[str, Any]:
        verbs: dict[str, Callable[[ControlPosted], dict[str, Any]]] = {
            "status": self._say_status, "health": self._say_health, "devices": self._say_devices,
            "reprint": self._do_reprint, "release": self._do_release, "close": self._do_close,
            "open": self._do_open, "trust-clock": self._do_trust, "stop": self._do_stop,
            "reload-data": self._do_reload,
        }  # fmt: skip
        verb = verbs.get(request.verb)
        if verb is None:
            return {"ok": False, "error": f"there is no {request.verb[:40]!r}", "hint": f"one of {', '.join(verbs)}"}
        try:
            return {"ok": True, **verb(request)}
        except KioskError as error:
            return {"ok": False, "error": error.message, "hint": error.hint}

    def _say_status(self, request: ControlPosted) -> dict[str, Any]:
        assert self.kernel is not None
        kernel = self.kernel
        return {
            "kiosk": kernel.parts.journal.kiosk, "realm": kernel.parts.journal.realm, "state": str(kernel.model.state),
            "epoch": kernel.books.epoch, "seq": kernel.books.seq, "head": kernel.books.head,
            "out_of_service": [reason.id for reason in kernel.model.out_of_service],
            "trouble": str(kernel.trouble) if kernel.trouble else "", "last_fault": kernel.last_fault,
            "last_slip": kernel.books.last_receipt, "status": self._status_words(),
            "screen_age_ms": (time.monotonic_ns() - self._screen_seen_ns) // 1_000_000 if self._screen_seen_ns else None,
            "counts": dict(kernel.counts),
        }  # fmt: skip

    def _say_health(self, request: ControlPosted) -> dict[str, Any]:
        import msgspec

        self.publish_health()
        return {"health": msgspec.to_builtins(self.board.health())}

    def _say_devices(self, request: ControlPosted) -> dict[str, Any]:
        import msgspec

        assert self.kernel is not None and self.supervisor is not None
        pages = {name: msgspec.to_builtins(page) for name, page in self.kernel.parts.board.pages.items()}
        return {"devices": [msgspec.to_builtins(line) | {"page": pages.get(line.device)} for line in self.supervisor.status()]}

    def _do_reprint(self, request: ControlPosted) -> dict[str, Any]:
        assert self.kernel is not None
        number = request.arguments.get("number")
        if type(number) is not int:
            raise ReceiptError("a reprint needs the number of a slip", hint="the six digits in its middle")
        self.kernel.slip(number)
        copy = self._next_copy(number)
        self.kernel.handle_event(ReprintAsked(number, copy))
        return {"number": number, "copy": copy}

    def _next_copy(self, number: int) -> int:
        """Count the copies that were started so far; the original is copy 0."""
        from kiosk.model.facts import PrintStarted

        assert self.kernel is not None
        page = self.kernel.books.slips.get(number)
        if page is not None:
            return max(1, page.copy + 1)
        started = [
            committed.fact.body.copy
            for committed in self.kernel.parts.journal.read(0, self.kernel.books.epoch, checked=False)
            if isinstance(committed.fact.body, PrintStarted) and committed.fact.body.number == number
        ]
        return max(1, max(started, default=0) + 1)

    def _do_release(self, request: ControlPosted) -> dict[str, Any]:
        assert self.supervisor is not None
        device = request.arguments.get("device")
        if type(device) is not str:
            raise DriverError("a release needs the name of a device", hint="see `kiosk devices`")
        self.supervisor.release(device)
        return {"device": device}

    def _do_close(self, request: ControlPosted) -> dict[str, Any]:
        assert self.kernel is not None
        self.kernel.close_counter(f"admin:{request.uid}")
        return {}

    def _do_open(self, request: ControlPosted) -> dict[str, Any]:
        assert self.kernel is not None
        self.kernel.close_counter("")
        return {}

    def _do_trust(self, request: ControlPosted) -> dict[str, Any]:
        assert self.kernel is not None
        self.kernel.parts.clock.trust()
        self.publish(force=True)
        return {}

    def _do_reload(self, request: ControlPosted) -> dict[str, Any]:
        """Nothing to do: the replica is read anew at every look-up; tells the data's age."""
        assert self.kernel is not None
        self.publish(force=True)
        return {"data_as_of": self.board.snapshot().data_as_of if self.board.snapshot() else ""}  # type: ignore[union-attr]

    def _do_stop(self, request: ControlPosted) -> dict[str, Any]:
        self._inbox.put_nowait(Stop(f"asked by user {request.uid}"))
        return {}
