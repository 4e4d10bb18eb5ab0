"""Whom to call and when: opens the line to the hub whose turn it is, and looks whether the first one is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import zmq

from kiosk.errors import SyncError
from kiosk.sync.connection import Connection
from kiosk.sync.hubs import HubOrder, Target
from kiosk.sync.line import Line
from kiosk.sync.orders import Keyring
from kiosk.sync.session import REFUSED_S

#: Without an enrolled hub, the file of the known ones is read again after so long.
IDLE_NS = 2_000_000_000
#: Where one hub turned this kiosk away for long, the next one is called after so long.
BESIDE_NS = 1_000_000_000

#: Age at which a line is opened anew, and by chance a quarter more, so that a fleet does not do it together.
RENEW_NS = 86_400_000_000_000

Note = Callable[[str, str], None]


class Caller:
    """Owns the order of the hubs, the time of the next call, and the look at the first hub."""

    def __init__(
        self, context: zmq.Context[Any], order: HubOrder, keyring: Keyring, connection: Connection, note: Note
    ) -> None:
        self._context, self._order, self._keyring, self._connection = context, order, keyring, connection
        self._note = note
        self._next_ns = self._renew_ns = 0
        self._probe: Line | None = None

    def call(self, now: int) -> Target | None:
        """Begin a connection where it is time for one; return whom it goes to, else None.

        Raises:
            SyncError: no hub has taken this kiosk in, a key is missing, or the address cannot be used.
        """
        if self._connection.line is not None or now < self._next_ns:
            return None
        self._next_ns = now + IDLE_NS
        self._order.read()
        target = self._order.target()
        if target is None:
            raise SyncError("no hub has taken this kiosk in", hint="kiosk sync enrol")
        try:
            self._connection.open(target.endpoint, target.server_key, self._keyring.pair())
        except zmq.ZMQError as error:
            self._order.failed(now)
            raise SyncError(f"{target.endpoint}: {error}", hint="check [[sync.hub]]") from error
        return target

    def again(self, at_ns: int) -> None:
        """The next call is due then."""
        self._next_ns = at_ns

    def failed(self, now: int, code: str) -> None:
        """The hub was not reached, or the line was lost."""
        if code == "not_admitted":
            self._keyring.refused()
        self._renew_ns = 0
        if code not in REFUSED_S:
            self._order.failed(now)
        elif self._order.refused(now):
            self._next_ns = now + BESIDE_NS

    def is_old(self, now: int) -> bool:
        """Tell, once, that the line is to be opened anew: what a hub tells with WELCOME is then known in a day."""
        old = bool(self._renew_ns) and now >= self._renew_ns
        self._renew_ns = 0 if old else self._renew_ns
        return old

    def reached(self, now: int, draw: Callable[[int], int]) -> bool:
        """The hub welcomed this kiosk; True where it did so by the kiosk's next key, which is the key now.

        Raises:
            SyncError: the key cannot be put in its place.
        """
        self._renew_ns = now + RENEW_NS + draw(RENEW_NS // 4)
        self._order.reached()
        return self._keyring.welcomed()

    def first_is_back(self, now: int) -> bool:
        """See, beside the line that stands, whether the first hub is back; True when it is returned to."""
        if self._probe is None:
            target = self._order.look_back(now)
            if target is None:
                return False
            try:
                self._probe = Line(self._context, target.endpoint, target.server_key, self._keyring.pair())
            except (SyncError, zmq.ZMQError) as error:
                self._note("unreachable", f"{target.endpoint}: {error}")
                return False
        came = self._probe.events()
        if not came:
            return False
        self._end_probe()
        if came[0].code != "opened":
            return False
        self._order.is_back()
        return True

    @property
    def monitor(self) -> zmq.Socket[bytes] | None:
        """What rings when the first hub answers; None where nobody looks."""
        return self._probe.monitor if self._probe is not None else None

    def deadline(self) -> int:
        """Return when something is due, monotonic nanoseconds; 0 for never."""
        times = [at for at in (self._order.deadline(), 0 if self._connection.line else self._next_ns) if at]
        return min(times, default=0)

    def close(self) -> None:
        """Give everything back."""
        self._end_probe()

    def _end_probe(self) -> None:
        if self._probe is not None:
            self._probe.close()
        self._probe = None
