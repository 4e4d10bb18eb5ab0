"""kiosk-sync: the one process that speaks to the network, and in it the one thread that owns the line.

    journal --doorbell--> stream --rows--> session --messages--> connection --CURVE--> hub
    core.sock --state, outcomes--> STATUS, DONE;   hub --COMMAND--> orders --> core.sock;   hub --SNAP, DELTA--> replica

Each turn looks at what is due, lets the session decide, sends what may go, and sleeps until something rings: the
socket, its monitor, the journal's write-ahead log, a person (`kiosk sync now`), or the next deadline.

Rules that must stay true: this process signs nothing and writes no journal; no fault of hub, network, core or disk
ends it, but a sync.db that was taken away, which a new start makes anew; what is wrong is told in STATUS, in the file
for people, and in the log, never swallowed.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable

import zmq

from kiosk import notify
from kiosk.errors import SyncError, WireError
from kiosk.journal.keys import verify
from kiosk.model.facts import FACT_VERSION
from kiosk.sync import standing, wire
from kiosk.sync.adoption import Adoption
from kiosk.sync.asking import AskingSocket
from kiosk.sync.bandwidth import Bandwidth
from kiosk.sync.caller import Caller
from kiosk.sync.connection import Connection
from kiosk.sync.hubs import HubOrder, Target
from kiosk.sync.keys import keep_hub
from kiosk.sync.logbook import Logbook
from kiosk.sync.marks import HubReceipt, Marks, next_start
from kiosk.sync.messages import Ack, Command, Delta, End, Hello, Mark, Message, Nack, Nudge, Snap, Welcome
from kiosk.sync.orders import Keyring, Ordered, Orders
from kiosk.sync.parts import GuardedFeed, SyncParts
from kiosk.sync.receipts import receipt_message
from kiosk.sync.session import Session
from kiosk.sync.stream import Stream
from kiosk.sync.traffic import SECOND, Acked, Habits, Output, Reopen, Send, State

#: How long news wait for each other on a line paid by volume.
GATHER_NS = 2 * SECOND
#: After the DONE of a ROTATE the line stays for so long, then the new key is used.
ROTATE_NS = 2 * SECOND
#: The longest sleep.
LONGEST_NS = SECOND
#: Messages taken in one turn before anything is sent.
MOST_A_TURN = 256


class SyncService:
    """The loop, and who speaks with whom.  One thread makes it, runs it and closes it."""

    def __init__(
        self, parts: SyncParts, say: Callable[[str], None], draw: Callable[[int], int] = secrets.randbelow
    ) -> None:
        """Count this start and open what is kept.

        Raises:
            KioskError: what cannot be opened.
        """
        self.parts, self._draw = parts, draw
        settings = parts.settings
        self._start = next_start(parts.state)
        self._marks = Marks(parts.replica)
        self._asking = AskingSocket(parts.runtime)
        self._stream = Stream(parts.journal)
        keyring = Keyring(parts.state)
        self._orders = Orders(parts.kiosk, parts.core, keyring)
        self._context = zmq.Context(1)
        self._connection = Connection(self._context, Bandwidth(settings.kilobits), metered=settings.metered)
        self._logbook = Logbook(
            parts.runtime, parts.core, self._marks, say, metered=settings.metered, start=self._start,
            software=parts.software,
        )  # fmt: skip
        order = HubOrder(settings.hub, parts.state, parts.give_way_ns, parts.look_back_ns)
        self._caller = Caller(self._context, order, keyring, self._connection, self._note)
        self._habits = Habits(
            heartbeat_ns=settings.heartbeat_s * SECOND, ahead_from=settings.ahead_from,
            gather_ns=GATHER_NS if settings.metered else 0,
        )  # fmt: skip
        self._sessions: dict[str, Session] = {}
        self._session: Session | None = None
        self._target: Target | None = None
        self._rotate_ns = self._number = self._since_ns = 0
        self._feed = GuardedFeed(parts.feed, self._note)
        self._adoption = Adoption(parts.core, self._note)
        for why in parts.feed.troubles.values():
            self._note("replica", why)

    def run(self, stop: Callable[[], bool]) -> None:
        """Work until `stop` says so.

        Raises:
            SyncError: sync.db was removed or replaced: the next start makes it anew.
        """
        notify.ready("waiting for the line")
        fed_ns = 0
        try:
            while not stop():
                self.turn()
                if (now := time.monotonic_ns()) - fed_ns >= SECOND:
                    fed_ns = now
                    notify.watchdog()
                    if not self._marks.still_there():
                        raise SyncError("sync.db was removed or replaced", hint="it is begun anew", transient=True)
        finally:
            notify.stopping()
            self.close()

    def close(self) -> None:
        """Give everything back; the feed with the replica's lock comes last."""
        self._connection.close()
        self._caller.close()
        self._context.term()
        self._asking.close()
        self._stream.close()
        try:
            self._marks.close()
        except SyncError as error:
            self._note("disk", error.message)
        self.parts.feed.close()

    def turn(self, longest_ns: int = LONGEST_NS) -> None:
        """Do everything that is due, then sleep until something rings, at most `longest_ns`."""
        now = time.monotonic_ns()
        self._apply(self._stream.look(now, self._session), now)
        if self._logbook.ask_core(now) and self._logbook.core is not None:
            self._core_answers()
        if self._logbook.core is not None:
            self._adoption.act(now)
        if self._asking.asked():
            self._asked(now)
        self._connect(now)
        self._watch_line(now)
        self._receive()
        now = time.monotonic_ns()
        session = self._session
        if session is not None:
            self._apply(session.tick(now, time.time_ns()), now)
            self._talk(session, now)
            self._apply(self._stream.pump(session, self._connection, now), now)
        self._tell(now)
        self._sleep(longest_ns)

    # --- connecting ----------------------------------------------------------------------------------------

    def _connect(self, now: int) -> None:
        if self._rotate_ns and now >= self._rotate_ns:
            self._rotate_ns = 0
            self._reconnect(now, "rotated")
        if self._caller.first_is_back(now):
            self._reconnect(now, "returned")
        if self._caller.is_old(now):
            self._reconnect(now, "renewed")
        try:
            target = self._caller.call(now)
        except SyncError as error:
            code = "not_enrolled" if self.parts.settings.hub else "no_hub"
            self._logbook.trouble = standing.trouble(code, error.message, time.time_ns())
            self._note(code, error.message)
            return
        if target is None:
            return
        hub = target.known.hub
        if hub not in self._sessions:
            self._sessions[hub] = Session(hub, self._habits, self._acked_by(hub), self._draw)
        self._session, self._target = self._sessions[hub], target
        self._session.head, self._session.away = self._stream.head, bool(self._stream.away)

    def _acked_by(self, hub: str) -> Mark:
        """Return how far a hub is, or nothing where that cannot be read: its WELCOME tells it in any case."""
        try:
            return self._marks.acked(hub)
        except SyncError as error:
            self._note("replica", error.message)
            return Mark()

    def _reconnect(self, now: int, code: str) -> None:
        if self._session is not None and self._session.state is not State.CLOSED:
            self._apply(self._session.lost(now, code), now)
        self._connection.close()
        self._caller.again(now)

    def _asked(self, now: int) -> None:
        """A person asks: try now, whatever the back-off says."""
        if self._session is None or not self._session.connected:
            if self._session is not None:
                self._session.hurry()
            self._connection.close()
            self._caller.again(now)
        self._note("asked")

    def _watch_line(self, now: int) -> None:
        line, session = self._connection.line, self._session
        if line is None or session is None:
            return
        for event in line.events():
            if event.code == "opened":
                self._apply(session.opened(now, self._hello(session)), now)
                continue
            self._apply(session.lost(now, event.code, event.detail), now)
            return

    def _hello(self, session: Session) -> Hello:
        core, parts = self._logbook.core, self.parts
        return Hello(
            oldest=wire.OLDEST, newest=wire.NEWEST, kiosk=parts.kiosk, realm=parts.realm, boot=self._start,
            head=self._stream.head, acked=session.acked, oldest_kept=self._stream.oldest(),
            clock=core.clock if core else standing.own_clock(), data=self._feed.cursors(session.hub),
            fact_version=FACT_VERSION, software=parts.software, free_bytes=shutil.disk_usage(parts.state).free,
        )  # fmt: skip

    # --- what the session decided --------------------------------------------------------------------------

    def _apply(self, outputs: list[Output], now: int) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self._connection.post(output.message)
            elif isinstance(output, Acked):
                self._acked(output)
            elif isinstance(output, Reopen):
                self._closed(output, now)
            else:
                self._note(output.code, output.detail)

    def _note(self, code: str, detail: str = "") -> None:
        self._logbook.note(code, detail, time.time_ns())

    def _closed(self, output: Reopen, now: int) -> None:
        wall = time.time_ns()
        self._connection.close()
        self._caller.again(now + output.after_ns)
        self._logbook.trouble = standing.trouble(output.code, output.detail, wall)
        self._note(output.code, output.detail)
        if output.code not in standing.OURS:
            self._caller.failed(now, output.code)
        if self._number:
            self._keep(lambda: self._marks.ended(self._number, wall, output.code, output.detail))
        self._number = self._since_ns = 0

    def _acked(self, output: Acked) -> None:
        session, target, wall = self._session, self._target, time.time_ns()
        if session is None or target is None:
            return
        self._logbook.last_ack_ns = wall
        incarnation = session.welcome.incarnation if session.welcome else ""
        self._marks.acknowledged(session.hub, output.mark, incarnation, wall)
        if not output.receipt:
            return
        message = receipt_message(session.hub, self.parts.kiosk, output.mark)
        if not verify(target.known.signing_key, message, output.receipt):
            self._note("bad_receipt", f"{output.mark.epoch}/{output.mark.seq}")
            return
        self._keep(lambda: self._marks.keep_receipt(HubReceipt(session.hub, output.mark, output.receipt, wall)))

    def _keep(self, write: Callable[[], object]) -> None:
        try:
            write()
        except SyncError as error:
            self._note("disk", error.message)

    # --- what the hub says ---------------------------------------------------------------------------------

    def _receive(self) -> None:
        for _ in range(MOST_A_TURN):
            now, session = time.monotonic_ns(), self._session
            came = self._connection.receive(now)
            if came is None or session is None:
                return
            if isinstance(came, WireError):
                self._note("malformed", came.message)
                continue
            head, message = came
            if isinstance(message, Command | Nudge | Snap | Delta | End):
                session.heard(now)
                if session.connected and head.session in (0, session.session):
                    self._for_others(message, session, now)
                continue
            if isinstance(message, Nack) and message.code == "unknown_data":
                self._post_all(self._feed.received(message, time.time_ns()))
            mark = message.durable if isinstance(message, Welcome | Ack) else getattr(message, "mark", Mark())
            was, held = session.state, self._stream.held(mark)
            if self._stream.away:
                self._apply(session.unread(now), now)
            self._apply(session.received(head, message, now, time.time_ns(), held), now)
            if was is State.GREETING and session.connected and isinstance(message, Welcome):
                self._welcomed(message, session, now)

    def _welcomed(self, message: Welcome, session: Session, now: int) -> None:
        wall, target = time.time_ns(), self._target
        assert target is not None
        self._connection.session = message.session
        try:
            known = target.known.moved() if target.next else target.known
            known = known.announced(message)
            if known != target.known:
                keep_hub(self.parts.state, known)
            self._target = Target(known, target.endpoint, target.server_key)
            if self._caller.reached(now, self._draw):
                self._note("rotated")
        except SyncError as error:
            self._apply(session.lost(now, "wrong_signer", error.message), now)
            return
        self._logbook.trouble, self._since_ns = None, wall
        self._note("opened", f"{session.hub} at {target.endpoint}")
        notify.status(f"connected to {session.hub}")
        self._keep(lambda: setattr(self, "_number", self._marks.began(session.hub, wall)))
        self._feed.connected(session.hub, known.signing_key)
        self._post_status(session, now, anew=True)

    def _for_others(self, message: Message, session: Session, now: int) -> None:
        assert self._target is not None
        if isinstance(message, Command):
            self._follow(self._orders.received(message, self._target.known), session, now)
            return
        self._post_all(self._feed.received(message, time.time_ns()))
        if isinstance(message, End):
            for data in self._feed.cursors(session.hub):
                self._adoption.came(data.name, data.digest)

    def _follow(self, ordered: Ordered, session: Session, now: int) -> None:
        if ordered.done is not None:
            self._connection.post(ordered.done)
        if ordered.put_off:
            self._note("too_many_commands", ordered.put_off)
        if ordered.resend is not None:
            held = self._stream.held(ordered.resend)
            session.resend(Mark(ordered.resend.epoch, ordered.resend.seq, held or b""))
        if ordered.rotated:
            self._rotate_ns = now + ROTATE_NS

    def _core_answers(self) -> None:
        session, now = self._session, time.monotonic_ns()
        if session is None or not session.connected:
            return
        for ordered in self._orders.core_is_there():
            self._follow(ordered, session, now)
        for done in self._orders.ended(getattr(self._logbook.core, "commands", ()), session.hub):
            self._connection.post(done)

    # --- what the kiosk says -------------------------------------------------------------------------------

    def _talk(self, session: Session, now: int) -> None:
        if session.connected:
            self._connection.round_trip_ns = session.pace.round_trip_ns
            self._post_all(self._feed.wants(time.time_ns()))
            self._post_status(session, now)
        self._connection.pump(now)

    def _post_status(self, session: Session, now: int, *, anew: bool = False) -> None:
        alarms = [f"sync_{session.trouble}"] if session.trouble else []
        alarms += [f"data_{name}"[:64] for name in self._feed.troubles]
        unsynced = self._stream.unsynced(session.acked)
        told = self._logbook.status(now, time.time_ns(), unsynced, tuple(alarms), anew=anew)
        if told is not None:
            self._connection.post(told)

    def _post_all(self, messages: list[Message]) -> None:
        for message in messages:
            self._connection.post(message)

    def _tell(self, now: int) -> None:
        session, target = self._session, self._target
        unsynced = self._stream.unsynced(session.acked if session else Mark())
        try:
            self._logbook.write(
                now, time.time_ns(), session, target.endpoint if target else "", self._since_ns, self._stream.head,
                unsynced,
            )  # fmt: skip
            self._asking.still_there()
        except SyncError as error:
            self._note("disk", error.message)

    # --- sleeping ------------------------------------------------------------------------------------------

    def _sleep(self, longest_ns: int) -> None:
        now, session, line = time.monotonic_ns(), self._session, self._connection.line
        stopped_at = self._stream.stopped_at if line is not None else ""
        poller = zmq.Poller()
        for handle in (self._asking.fileno(), self._stream.doorbell.fileno()):
            if handle >= 0:
                poller.register(handle, zmq.POLLIN)
        connected = session is not None and session.connected
        times = [now + longest_ns, self._stream.doorbell.deadline(), self._logbook.deadline(connected=connected)]
        if line is not None:
            blocked = self._connection.is_blocked or stopped_at == "socket"
            poller.register(line.socket, zmq.POLLIN | (zmq.POLLOUT if blocked else 0))
            poller.register(line.monitor, zmq.POLLIN)
        if self._caller.monitor is not None:
            poller.register(self._caller.monitor, zmq.POLLIN)
        times += [session.deadline(now)] if session is not None else []
        times.append(self._connection.deadline(now, rows=stopped_at == "bandwidth"))
        times += [self._rotate_ns, self._caller.deadline()]
        wait = 0 if stopped_at == "turn" else min(at for at in times if at) - now
        poller.poll(max(0, -(-wait // 1_000_000)))
