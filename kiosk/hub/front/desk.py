"""Writes what the front has to say into `office`.  A thread of its own, so that a long import never holds up a message.

What comes in: jobs (an enrolment, the answer to a command, a key's first use), each one transaction; and once a second
contacts and findings together in one.  What is lost with the process is only what the next second tells again: a
kiosk repeats its ENROL, a command is sent until its DONE is written.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from kiosk.errors import KioskError
from kiosk.hub.front import contacts, refusals
from kiosk.hub.front.contacts import Contact
from kiosk.hub.front.refusals import Refused
from kiosk.hub.front.registry import tell_seen
from kiosk.hub.store.stores import Stores

#: Jobs that may wait; further ones are refused to whoever asked.
MOST_JOBS = 256

#: Does its work within one transaction.
Job = Callable[[sa.Connection], Any]


class Desk(threading.Thread):
    """The writer."""

    def __init__(self, open_stores: Callable[[], Stores], period_s: float = 1.0) -> None:
        super().__init__(name="front-desk", daemon=True)
        self._open = open_stores
        self._period_s = period_s
        self._jobs: queue.Queue[tuple[Job, Callable[[Any], None] | None] | None] = queue.Queue(MOST_JOBS)
        #: What is to be told in the loop's own thread, with the result of its job (None where it failed).
        self.answers: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._news: dict[str, Contact] = {}
        self._refused: list[Refused] = []
        self._seen: int | None = None
        self._told_seen = -1
        self._lock = threading.Lock()
        self.trouble = ""

    def ask(self, job: Job, then: Callable[[Any], None] | None = None) -> bool:
        """Queue a job; `then` gets its result in the loop.  False where too many wait."""
        try:
            self._jobs.put_nowait((job, then))
        except queue.Full:
            return False
        return True

    def tell(self, news: dict[str, Contact], refused: list[Refused], seen: int) -> None:
        """Hand over what is to be written once a second; what could not be written yet is put together with it."""
        with self._lock:
            self._news.update(news)
            self._refused = [*self._refused, *refused][:1024]
            self._seen = seen if seen != self._told_seen else None

    def run(self) -> None:
        """Work until told to end, and then write the rest."""
        stores = self._open()
        told = time.monotonic()
        try:
            while True:
                try:
                    asked = self._jobs.get(timeout=max(0.0, told + self._period_s - time.monotonic()))
                except queue.Empty:
                    told = time.monotonic()
                    self._write(stores)
                    continue
                if asked is None:
                    break
                self._do(stores, *asked)
            self._write(stores)
        finally:
            stores.close()

    def end(self) -> None:
        """Write what waits, and end."""
        self._jobs.put(None)
        self.join(15)

    def _do(self, stores: Stores, job: Job, then: Callable[[Any], None] | None) -> None:
        result = None
        try:
            with stores.office.begin() as connection:
                result = job(connection)
        except (sa.exc.SQLAlchemyError, KioskError) as error:
            self._complain(error)
        if then is not None:
            self.answers.append((then, result))

    def _write(self, stores: Stores) -> None:
        with self._lock:
            news, refused, seen = self._news, self._refused, self._seen
            self._news, self._refused, self._seen = {}, [], None
        if not news and not refused and seen is None:
            return
        try:
            with stores.office.begin() as connection:
                contacts.write(connection, list(news.values()))
                refusals.write(connection, refused, time.time_ns())
                if seen is not None:
                    tell_seen(connection, seen)
            self.trouble = ""
            self._told_seen = self._told_seen if seen is None else seen
        except sa.exc.SQLAlchemyError as error:
            self._complain(error)
            with self._lock:
                self._news = {**news, **self._news}
                self._refused = [*refused, *self._refused][:1024]
                self._seen = seen if self._seen is None else self._seen

    def _complain(self, error: Exception) -> None:
        told = f"the database does not take it: {str(error)[:200]}"
        if not self.trouble:
            sys.stderr.write(f"front: {told}\n")
        self.trouble = told
