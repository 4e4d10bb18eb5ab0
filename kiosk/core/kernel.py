"""The kernel: the one owner of all kiosk state.  It takes items one by one, asks the table, carries out effects.

It has no thread and reads no clock of its own: `core.service` calls it from the kernel thread in real time, a
crash campaign calls it with a virtual clock.  The order within an item is the product's promise: a step's facts
are committed together, then the state moves, then commands leave, then the screen sees it.

When a commit fails nothing of the step happens: the item is kept, the kiosk goes out of service with the reason,
and the item is tried again for as long as the journal can still be used.  A note that waits for its confirmation
simply goes on waiting at the wire.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from kiosk.checkout.effects import AnyEffect, Record
from kiosk.checkout.events import AcceptorChanged, DeadlinePassed, LookedUp, ServiceLost, ServiceRestored
from kiosk.checkout.exchange_rules import unwatched
from kiosk.checkout.intents import Intent
from kiosk.checkout.model import Checkout, Context
from kiosk.checkout.service_rules import troubled
from kiosk.checkout.states import State
from kiosk.checkout.table import step
from kiosk.core import recovery
from kiosk.core.clockwatch import ClockWatch
from kiosk.core.committer import Committer
from kiosk.core.datawatch import DataWatch
from kiosk.core.day import BusinessDay, day_of
from kiosk.core.deviceboard import OF_THE_DEVICE
from kiosk.core.hub_orders import HubOrders
from kiosk.core.inbox import IntentPosted
from kiosk.core.naming import named
from kiosk.core.orders import Orders
from kiosk.core.parts import KernelParts
from kiosk.core.performer import Performer
from kiosk.core.readiness import DiskWatch, closed_because
from kiosk.core.refusals import Refusals
from kiosk.core.stall import Stall, Waiting
from kiosk.core.strangers import Strangers
from kiosk.core.supervisor import DeviceNews
from kiosk.core.world import context_of, memory_of
from kiosk.errors import JournalError, JournalFull, JournalLocked, KioskError, LedgerError, PolicyError
from kiosk.model import facts
from kiosk.model.device_events import CashboxInserted, DeviceState, Identified, ProtocolFault
from kiosk.model.instant import NS
from kiosk.model.money import Money
from kiosk.model.texts import Text, text
from kiosk.plugins.devices import OpenNote

#: How often a stalled item is tried again.
RETRY_NS = 2 * NS
#: Time that devices get to report after a start before their silence becomes a fact.
SETTLING_NS = 15 * NS
#: How often an idle kiosk looks whether reference data came.
DATA_NS = 5 * NS


class Kernel:
    """Owns model, books and journal; refuses to own threads, ports and pages."""

    def __init__(self, parts: KernelParts) -> None:
        self.parts = parts
        self.books = parts.books
        self.model = Checkout(currency=parts.counter.currency, language=parts.languages[0])
        #: Why the journal takes nothing, or None.
        self.trouble: JournalError | None = None
        #: The operator or an administrator closed the counter.
        self.closed_by: str = parts.books.shutter
        self.counts: Counter[str] = Counter()
        self.last_fault = ""
        self._orders = Orders(
            parts.devices, parts.board, self.counts, lambda event, device: self._pending.append((event, device, 0))
        )
        self._pending: deque[Waiting] = deque()
        self._stall = Stall(self.counts)
        self._retry_ns: int | None = None
        self._next_watch_ns = self._next_data_ns = 0
        self._disk = DiskWatch(parts.journal)
        self._refusals = Refusals(self.counts)
        #: Devices held because another unit answers under their name.
        self.strangers = Strangers(parts.board, parts.books, self.commit)
        self._day = BusinessDay(parts.books, parts.clock, parts.counter.currency)
        self._committer = Committer(parts, self._day)
        self._data = DataWatch(parts, self._append)
        self._clockwatch = ClockWatch(parts, self._append)
        self.hub = HubOrders(self, parts.books, parts.journal)
        self._performer = Performer(
            parts, self._orders, counts=self.counts, slip=self.slip, look_at_data=self._data.look,
            now=lambda event: self._pending.appendleft((event, "", 0)),
            later=lambda event: self._pending.append((event, "", 0)), released=self.strangers.released,
            close_shutter=partial(setattr, self, "closed_by"), fault=partial(setattr, self, "last_fault"),
        )  # fmt: skip
        #: What a start left to do, until the devices' drivers are there to take orders.
        self._later: list[AnyEffect] = []
        self._settled_ns = parts.clock.now_ns() + SETTLING_NS

    # --- starting -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Commit the start (raises JournalError), resolve what the books alone can tell, and take the first state."""
        clock, books = self.parts.clock, self.books
        bodies = [*self._clockwatch.begin(), facts.Started(books.running, self.parts.safe_mode)]
        digests = self.parts.digests
        now = (digests.software, digests.configuration, digests.data)
        if books.digests not in (("", "", ""), now):
            bodies.append(facts.ConfigurationChanged(*now, self.parts.changed_parts))
        self._day.date = clock.business_date()
        self._append(tuple(bodies), "", "kiosk")
        self.look_at_day()
        acceptors = tuple(page.name for page in self.parts.board.of_class("BillAcceptor"))
        if books.away_ns and acceptors and not self.parts.box_watched(books.away_ns):
            day = day_of(books, self._day.date, self.model.currency)
            self._append(unwatched(day, acceptors[0]), "", "kiosk")
        found = recovery.begin(books, self.context(""), self.model.currency, acceptors, clock.instant().wall_ns)
        for commit, session in found.commits:
            self._append(commit, session, "kiosk")
        self.model, self._later = found.model, list(found.effects)
        self._weigh_service()
        self._drain()
        self.parts.published()

    def memory(self, device: str) -> tuple[dict[str, str], OpenNote | None, bytes]:
        """Return what a driver must know of the past: marks, the note whose end the journal does not know, entropy."""
        return memory_of(self.parts, device, self.model, lambda event: self._pending.append((event, device, 0)))

    # --- items --------------------------------------------------------------------------------------------

    def handle_news(self, news: DeviceNews) -> None:
        """Take what a device told."""
        event, device = named(news.event, news.device), news.device
        page, changed = self.parts.board.heard(device, event)
        if isinstance(event, OF_THE_DEVICE):
            if page is not None and changed:
                self._device_changed(device, event, news.generation)
        elif not isinstance(event, ProtocolFault):  # the board counts those
            self._take(event, device, news.generation)
        self._finish_item()

    def handle_intent(self, posted: IntentPosted) -> bool:
        """Take a person's intent; False where it was stale or came while nothing can be recorded."""
        fits = (posted.session, posted.step) == (self.model.session, self.model.step)
        if not fits or self.trouble is not None:
            self.counts["intents.stale"] += 1
            return False
        self._take(posted.intent, "", 0)
        self._finish_item()
        return True

    def handle_event(self, event: Any) -> None:
        """Take an event of the core itself (a reprint that was asked for, the counter closed by a person)."""
        self._take(event, "", 0)
        self._finish_item()

    def tick(self) -> None:
        """The time has come for whatever `due` named."""
        now = self.parts.clock.now_ns()
        while self._later:
            effect, *self._later = self._later
            self._performer.perform(effect, 0)
        if self._retry_ns is not None and now >= self._retry_ns:
            self._try_stalled()
        if now >= self._next_watch_ns:
            self._next_watch_ns = now + NS
            self._guarded(self._disk.look)
            self._guarded(lambda: self._clockwatch.look(recording=self.trouble is None))
            if self.trouble is None:
                self._guarded(self.look_at_day)
        looks = self.model.state in (State.IDLE, State.OUT_OF_SERVICE) and self.trouble is None
        if looks and now >= self._next_data_ns:
            self._next_data_ns = now + DATA_NS
            self._guarded(self._data.look)
        deadline = self.model.deadline_ns
        if deadline is not None and now >= deadline and self.trouble is None:
            self.model = msgspec.structs.replace(self.model, deadline_ns=None)
            self._take(DeadlinePassed(), "", 0)
        self._finish_item()

    def due(self) -> int:
        """Return the monotonic nanoseconds at which `tick` is wanted."""
        deadline = self.model.deadline_ns if self.trouble is None else None
        return min(each for each in (self._next_watch_ns, deadline, self._retry_ns) if each is not None)

    def next_deadline(self) -> int | None:
        """Return the present state's deadline or the retry's, without the clock watch; for a virtual clock."""
        wanted = [0 if self._later else None, self.model.deadline_ns, self._retry_ns]
        return min((each for each in wanted if each is not None), default=None)

    def look_for_data(self) -> None:
        """Notice reference data that came, went or changed."""
        if self.trouble is None:
            self._guarded(self._data.look)
        self._finish_item()

    def record(self, body: facts.AnyBody) -> None:
        """Commit a fact that moves no state; dropped while the journal takes nothing."""
        if self.trouble is None:
            self._guarded(lambda: self._append((body,), "", "kiosk"))

    def believe_clock(self, by: str) -> None:
        """Believe the wall clock, as a person asks; raises JournalError where that cannot be committed."""
        self._clockwatch.believe(by)

    def close_counter(
        self, by: str, *, closed: bool = True, reason: str = "", told: Sequence[facts.AnyBody] = ()
    ) -> None:
        """Take the kiosk out of service for new payments, or open it again, in somebody's name; stays so over restarts.

        `told` is committed with it; raises JournalError where nothing was.
        """
        self.commit((facts.ShutterChanged(closed, by, reason if closed else ""), *told), by)
        self.closed_by = by if closed else ""
        self._finish_item()

    def commit(self, bodies: Sequence[facts.AnyBody], by: str) -> None:
        """Commit what a person did at another door than the screen; raises JournalError where nothing of it was."""
        if self.trouble is not None:
            raise self.trouble
        self.look_at_day()
        self._append(bodies, "", by)

    def leave(self) -> bool:
        """Take no further note; tell whether no money is in motion, so that `stop` leaves nothing to be resolved."""
        self._orders.shut()
        return (self.model.flight is None and self.model.dispensing is None) or self.trouble is not None

    def stop(self, reason: str) -> None:
        """Commit an orderly end.  A session in progress stays open in the journal and is resumed at the next start."""
        self._orders.shut()
        if self.trouble is None:
            self._guarded(lambda: self._append((facts.Stopped(reason[:80]),), self.model.session, "kiosk"))

    # --- one step -----------------------------------------------------------------------------------------

    def _finish_item(self) -> None:
        self._drain()
        self._weigh_service()
        self._drain()
        if self.trouble is None:
            self._guarded(self.hub.look)
        self.parts.published()

    def _take(self, event: Any, device: str, generation: int) -> None:
        self._pending.append((event, device, generation))
        self._drain()

    def _drain(self) -> None:
        while self._pending:
            item = self._pending.popleft()
            if self.trouble is not None:
                self._stall.keep(item)
                continue
            try:
                self._step(*item)
            except JournalError as error:
                self._in_trouble(error, item)
            except (PolicyError, LedgerError) as error:
                if not self._rule_failed(error, item[0]):
                    raise

    def _rule_failed(self, error: KioskError, event: Any) -> bool:
        """A rule of the city gave no answer: tell the person.  False where money is in motion: then it is a stop."""
        self.last_fault = str(error)
        self.counts["rules.failed"] += 1
        if isinstance(event, LookedUp) and event.item is not None:
            self._pending.append((LookedUp(None, text("notice.no_price")), "", 0))
            return True
        return isinstance(event, Intent)

    def _step(self, event: Any, device: str, generation: int) -> None:
        self.look_at_day()
        taken = step(self.model, event, self.context(device))
        if taken is None:
            self._refuse(event, device)
            return
        after, effects = taken
        if not any(isinstance(effect, Record) for effect in effects):
            self.model = after
        for effect in effects:
            self.parts.effect_taken(effect)
            if isinstance(effect, Record):
                actor = f"device:{device}" if effect.actor == "device" else effect.actor
                self._append(effect.bodies, effect.session, actor)
                self.model = after
            else:
                self._performer.perform(effect, generation)

    def look_at_day(self) -> None:
        """Move to the present business date, closing what is past; raises JournalError where that fails."""
        watch = partial(self._clockwatch.look, recording=True)
        self._day.look(self._append, watch, self.parts.slips.city.official_language)

    def _refuse(self, event: Any, device: str) -> None:
        told = self._refusals.of(self.model, event, device)
        if told is not None:
            self._append((told,), self.model.session, f"device:{device}")

    @property
    def business_date(self) -> dt.date:
        """The date that facts made now belong to."""
        return self._day.date

    @property
    def accepting(self) -> tuple[Money, ...]:
        """The values that acceptors were last told to take."""
        return self._orders.accepting

    def slip(self, number: int) -> facts.Committed:
        """Return a committed slip of the present epoch by its number; raises ReceiptError where there is none."""
        return self._committer.shelf.find(number)

    # --- journal ------------------------------------------------------------------------------------------

    def _append(self, bodies: Sequence[facts.AnyBody], session: str, actor: str) -> None:
        self._committer.commit(bodies, session, actor)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except JournalError as error:
            self._in_trouble(error, None)

    def _in_trouble(self, error: JournalError, item: Waiting | None) -> None:
        self.trouble = error
        self.last_fault = str(error)
        for each in ([item] if item is not None else []) + list(self._pending):
            self._stall.keep(each)
        self._pending.clear()
        self._retry_ns = self.parts.clock.now_ns() + RETRY_NS
        self._orders.forget_accepted()
        self._orders.accept(())

    def _try_stalled(self) -> None:
        """Try the kept items again; a journal that refuses everything for good stays refused until a restart."""
        self._retry_ns = None
        if isinstance(self.trouble, JournalFull | JournalLocked):
            self.trouble = None
            kept = self._stall.take()
            self._pending.extend(kept)
            self._drain()
            if self.trouble is None:
                self._take(AcceptorChanged(), "", 0)  # the trouble inhibited them
            if self.trouble is None and not kept:
                self._guarded(lambda: self._append((facts.ServiceChanged(()),), "", "kiosk"))

    # --- devices and service ------------------------------------------------------------------------------

    def _device_changed(self, device: str, event: Any, generation: int) -> None:
        page = self.parts.board.pages[device]
        if isinstance(event, Identified):
            held = page.behind
            bodies = self.strangers.met(page)
            if bodies and self.trouble is None:
                self._guarded(lambda: self._append(bodies, "", f"device:{device}"))
            if page.behind is held:
                return
        if isinstance(event, DeviceState):
            self.counts[f"{device}.was_{event.severity}"] += 1
            if event.severity == "fault" and self.trouble is None:
                body = facts.DeviceChanged(device, event.state, event.severity, event.raw[:64], event.detail[:160])
                self._guarded(lambda: self._append((body,), "", f"device:{device}"))
        if page.device_class in ("BillAcceptor", "CoinAcceptor"):
            if page.device_class == "BillAcceptor" and page.ready and not self.books.box_present:
                # It works, so a box is in it: one that came while nobody looked was never told as inserted.
                self._take(CashboxInserted(), device, generation)
            self._orders.forget_accepted()
            self._take(AcceptorChanged(), device, generation)

    def reasons(self) -> tuple[Text, ...]:
        """Return why no new payment can be taken now; empty in service."""
        return closed_because(
            self.parts.board, trouble=self.trouble, closed_by=self.closed_by, data_there=self._data.there,
            low_space=self._disk.low, note_stuck=self.model.note_stuck,
            paper_needed=self.parts.settings.without_paper == "refuse", exchange=self.books.exchange is not None,
            commissioned=self.books.commissioned or self.parts.journal.realm != "live",
            settled=self.parts.clock.now_ns() >= self._settled_ns, box_present=self.books.box_present,
            closed_reason=self.books.shutter_reason,
        )  # fmt: skip

    def _weigh_service(self) -> None:
        reasons = self.reasons()
        if reasons == self.model.out_of_service:
            return
        if self.trouble is not None:
            self.model = troubled(self.model, reasons, self.context(""))
            return
        self._take(ServiceLost(reasons) if reasons else ServiceRestored(), "", 0)
        ids = tuple(reason.id for reason in reasons if reason.id != "out.starting")
        settled = not reasons or self.parts.clock.now_ns() >= self._settled_ns
        if self.trouble is None and settled and ids != self.books.out_of_service:
            self._guarded(lambda: self._append((facts.ServiceChanged(ids),), "", "kiosk"))

    def context(self, device: str = "") -> Context:
        """Return the world of a step as it is now."""
        return context_of(self.parts, self._day.date, device, journal_works=self.trouble is None)
