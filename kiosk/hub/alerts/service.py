"""Watches contacts and findings, and tells people.

Three threads, so that nothing waits for anybody: one looks every `EVERY_S` and writes what begins and ends, one posts
to the webhook, one mails.  A channel that is dead is tried again with growing waits, holds back its own messages alone,
and the pages know of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.alerts import shelf
from kiosk.hub.alerts.channels import by_mail, by_webhook
from kiosk.hub.alerts.watching import JOURNAL_FINDINGS, Contact, View, Watch, look
from kiosk.hub.settings import Alerts
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import acknowledged, contact, ingest_finding, kiosk

#: Seconds between two looks, between two questions for a message, and the longest wait without asking `stop`.
EVERY_S, ASK_S, POLL_S = 5, 1, 0.2
#: Findings that are looked at; more of them stand on the page of findings.
MOST_FINDINGS = 500
#: Looks between two sweeps.
_SWEEP_EVERY = 720

Tell = Callable[[HubSetup, shelf.Message], str]
TELLERS: dict[str, Tell] = {"webhook": by_webhook, "mail": by_mail}


class _Alarms(msgspec.Struct):
    alarms: tuple[str, ...] = ()


def channels_of(settings: Alerts) -> tuple[str, ...]:
    """Return the channels that are configured."""
    return tuple(
        name for name, address in (("webhook", settings.webhook), ("mail", settings.smtp)) if address
    )


def run(setup: HubSetup, stop: Callable[[], bool]) -> None:
    """Watch and tell until `stop` says so."""
    ending = threading.Event()

    def over() -> bool:
        return ending.is_set() or stop()

    tellers = [
        threading.Thread(target=_tell, args=(setup, channel, over), name=f"alerts-{channel}", daemon=True)
        for channel in channels_of(setup.config.alerts)
    ]
    for teller in tellers:
        teller.start()
    watcher = Watcher(setup, time.time_ns())
    try:
        rounds = 0
        while not stop():
            if not all(teller.is_alive() for teller in tellers):
                raise HubError("a thread that tells alerts ended by itself", hint="the hub starts it anew")
            try:
                watcher.round(time.time_ns())
                if rounds % _SWEEP_EVERY == 0:
                    shelf.sweep(watcher.writer.office, time.time_ns())
            except sa.exc.OperationalError:
                pass  # the database was busy; the next look sees everything anew
            rounds += 1
            _wait(EVERY_S, stop)
    finally:
        ending.set()
        watcher.close()


class Watcher:
    """One look after the other.  Owns its connections and since when events are away."""

    def __init__(self, setup: HubSetup, started_ns: int) -> None:
        self._settings = setup.config.alerts
        self._channels = channels_of(self._settings)
        self._started_ns = started_ns
        self._watch = Watch()
        self.reader = setup.stores(readonly=("segments", "office", "books"))
        self.writer = setup.stores()

    def round(self, now_ns: int) -> int:
        """Look once, write what changed; return how many alerts that are."""
        view = _view(self.reader, self._settings, now_ns, self._started_ns)
        with self.reader.office.connect() as connection:
            stands = shelf.standing(connection)
        begins, over = self._watch.step(stands, view, now_ns)
        if not begins and not over:
            return 0
        return shelf.write(self.writer.office, begins, over, self._channels, now_ns)

    def close(self) -> None:
        """Let go of the database."""
        self.reader.close()
        self.writer.close()


def _view(stores: Stores, settings: Alerts, now_ns: int, started_ns: int) -> View:
    with stores.office.connect() as connection:
        joined = contact.join(kiosk, kiosk.c.id == contact.c.kiosk)
        rows = connection.execute(sa.select(contact).select_from(joined).where(kiosk.c.state == "approved"))
        contacts = [
            Contact(
                row.kiosk, row.seen_ns, row.paper, row.stacker_permille, row.unsynced, row.oldest_unsynced_ns,
                _alarms(row.status),
            )
            for row in rows
        ]  # fmt: skip
        seen = set(connection.execute(sa.select(acknowledged.c.finding)).scalars())
    with stores.segments.connect() as connection:
        chosen = (
            sa.select(ingest_finding).where(ingest_finding.c.code.in_(JOURNAL_FINDINGS))
            .order_by(ingest_finding.c.last_ns.desc()).limit(MOST_FINDINGS)
        )  # fmt: skip
        findings: list[Any] = [row for row in connection.execute(chosen) if row.id not in seen]
    return look(contacts, findings, settings, now_ns, started_ns)


def _alarms(status: bytes) -> tuple[str, ...]:
    try:
        return msgspec.json.decode(status, type=_Alarms).alarms
    except msgspec.DecodeError:
        return ()  # a kiosk that has told no status yet; the fleet says so


def tell_next(setup: HubSetup, reader: Stores, writer: Stores, channel: str, now_ns: int) -> int:
    """Tell the next message that is due; return when to ask again, 0 for at once, nanoseconds."""
    with reader.office.connect() as connection:
        message = shelf.next_message(connection, channel, now_ns)
    if message is None:
        return now_ns + ASK_S * 1_000_000_000
    try:
        trouble = TELLERS[channel](setup, message)
    except HubError as error:
        return shelf.failed(writer.office, message, error.message, now_ns)
    shelf.told(writer.office, message, now_ns, trouble)
    return 0


def _tell(setup: HubSetup, channel: str, stop: Callable[[], bool]) -> None:
    reader, writer = setup.stores(readonly=("segments", "office", "books")), setup.stores()
    try:
        again_ns = 0
        while not stop():
            # After a failure the whole channel waits as long as its message: another one would fail the same way.
            if time.time_ns() < again_ns:
                _wait(POLL_S, stop)
                continue
            try:
                again_ns = tell_next(setup, reader, writer, channel, time.time_ns())
            except sa.exc.OperationalError:
                again_ns = time.time_ns() + ASK_S * 1_000_000_000  # the database was busy
    finally:
        reader.close()
        writer.close()


def _wait(seconds: float, stop: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not stop() and time.monotonic() < until:
        time.sleep(POLL_S)
