"""Reference data for the kernel: the local replica, opened when it is there, reopened when it was replaced."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

from kiosk.errors import ReplicaError
from kiosk.model.instant import NS
from kiosk.model.invoice import Invoice
from kiosk.sync.plates import key_beside, key_id, plate_hash, read_key
from kiosk.sync.replica import Replica, data_set_of, digest_over


class ReferenceData:
    """Owns the kernel thread's read-only view of `sync.db`."""

    def __init__(self, path: Path, utc_offset_s: int = 0, *, wall: Callable[[], int] = time.time_ns) -> None:
        """`wall` tells wall-clock nanoseconds, against which the age of the data is told."""
        self.path = path
        self._wall = wall
        self._offset = dt.timezone(dt.timedelta(seconds=utc_offset_s))
        self._replica: Replica | None = None
        self._inode: tuple[int, int] = (0, 0)

    def _open(self) -> Replica:
        try:
            told = self.path.stat()
        except OSError as error:
            self.close()
            raise ReplicaError(
                f"reference data {self.path} is missing", hint="import it: kiosk import", transient=True
            ) from error
        inode = (told.st_dev, told.st_ino)
        if self._replica is None or inode != self._inode:
            self.close()
            self._replica, self._inode = Replica.open(self.path), inode
        return self._replica

    @property
    def available(self) -> bool:
        """Whether invoices can be looked up."""
        try:
            return bool(self._open().datasets())
        except ReplicaError:
            return False

    def find(self, service: str, number: str) -> Invoice | None:
        """Return one invoice.

        Raises:
            ReplicaError: the data are missing or damaged.
        """
        return self._open().find(service, number)

    def find_by_plate(self, plate: str) -> tuple[Invoice, ...] | None:
        """Return the invoices of a plate over all services; None where the data hold no plates under the city's key.

        The person types no state, so a plate is looked for in all that the data know.

        Raises:
            ReplicaError: the data are missing or damaged, or the key cannot be read.
        """
        replica = self._open()
        path = key_beside(self.path)
        if not path.exists():
            return None
        key = read_key(path)
        states = replica.plate_states(key_id(key))
        return None if states is None else replica.find_by_plate(*(plate_hash(plate, key, state) for state in states))

    def as_of(self, service: str) -> str:
        """Return the local ISO time at which the service's data were taken, "" where nothing is known."""
        try:
            held = self._open().dataset(data_set_of(service))
        except ReplicaError:
            return ""
        if held is None:
            return ""
        return dt.datetime.fromtimestamp(held.taken_at_ns // NS, self._offset).isoformat(timespec="seconds")

    def age_s(self, service: str) -> int | None:
        """Return the age of the service's data in seconds; None where there are none."""
        try:
            held = self._open().dataset(data_set_of(service))
        except ReplicaError:
            return None
        return None if held is None else held.age_s(self._wall())

    def digest(self) -> str:
        """Return the digest of all data sets, 16 hexadecimal digits; "" where there are none."""
        try:
            return self._open().digest[:16]
        except ReplicaError:
            return ""

    def held(self) -> tuple[str, tuple[str, ...]]:
        """Return that digest and a line for each data set, of one moment: what a fact names it by."""
        try:
            sets = self._open().datasets()
        except ReplicaError:
            return "", ()
        lines = tuple(f"{each.name} {each.generation}/{each.cursor} {each.digest[:16]}" for each in sets)
        return digest_over(sets)[:16], lines

    def close(self) -> None:
        """Let go of the file."""
        if self._replica is not None:
            self._replica.close()
            self._replica = None
