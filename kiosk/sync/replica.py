"""The local replica of the reference data, `sync.db`: what a kiosk knows about invoices without a network.

One table for each service, keyed by the canonical number and stored without rowids, so that a look-up is one
walk down one B-tree.  The file is SQLite in WAL mode: one process writes it (`kiosk-sync`, or `kiosk import`
under a lock) while another reads.  A change is one transaction; a reader sees all of it or nothing: a row and the
mark up to which its balance counts this kiosk's own facts are read by one statement.  No table has a column for a
name or an address, and a plate is stored as a keyed hash only (domain sheet §11).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kiosk.errors import ReplicaError
from kiosk.model.invoice import STATES, Invoice, PostedThrough
from kiosk.tariff.decoding import is_id

#: ``PRAGMA application_id``: the file is a kiosk's replica ("KRep").
APPLICATION_ID = 0x4B526570
#: ``PRAGMA user_version``.
SCHEMA_VERSION = 3
#: Most invoices that one plate finds.
MOST_OF_A_PLATE = 50

#: Columns of an invoice table after `number`, in the order of the table.
COLUMNS = (
    "currency", "amount_minor", "paid_minor", "state", "issued", "due", "code", "offence", "held_days", "plate_hash",
    "posted_epoch", "posted_seq",
)  # fmt: skip

_MARK = "LEFT JOIN data_sets d ON d.name = ?"

Row = tuple[str, str, int | None, int, int, int, int | None, str, int, int, bytes | None, int, int]


class DataSetInfo(msgspec.Struct, frozen=True):
    """What is known about one data set."""

    #: ``invoices:SERVICE``.
    name: str
    #: Grows with each full snapshot.
    generation: int
    #: Grows with each change within a generation.
    cursor: int
    #: Over all rows, hexadecimal: as `sync.feed` says where they come from a hub, else SHA-256 in key order.
    digest: str
    rows: int
    #: Wall clock when the data were taken at their source, nanoseconds since 1970 UTC.
    taken_at_ns: int
    #: Hub that they come from, "" for an import at this kiosk.
    source: str = ""
    #: Up to where the balances have counted this kiosk's own facts, as the hub told with this state.
    posted_epoch: int = 0
    posted_seq: int = 0

    def age_s(self, now_ns: int) -> int:
        """Return the age in whole seconds; 0 where the clock stands before the data's."""
        return max(0, (now_ns - self.taken_at_ns) // 1_000_000_000)


def table_of(service: str) -> str:
    """Return the table of a service's invoices.

    Raises:
        ReplicaError: the service id cannot name a table.
    """
    if not is_id(service):
        raise ReplicaError(f"{service[:40]!r} is not a service id", hint="lower-case letters, digits, underscores")
    return f"invoices_{service}"


def data_set_of(service: str) -> str:
    """Return the data set name of a service's invoices."""
    return f"invoices:{service}"


def digest_over(sets: Iterable[DataSetInfo]) -> str:
    """Return SHA-256 over names, cursors and digests of data sets, hexadecimal."""
    told = hashlib.sha256()
    for each in sets:
        told.update(f"{each.name}\0{each.generation}\0{each.cursor}\0{each.digest}\n".encode())
    return told.hexdigest()


def to_row(invoice: Invoice) -> Row:
    """Return the table row of an invoice: dates as day numbers, the state as its place in `STATES`."""
    return (
        invoice.number,
        invoice.currency,
        invoice.amount_minor,
        invoice.paid_minor,
        STATES.index(invoice.state),
        invoice.issued.toordinal(),
        invoice.due.toordinal() if invoice.due else None,
        invoice.code,
        invoice.offence,
        invoice.held_days,
        bytes.fromhex(invoice.plate_hash) or None,
        invoice.posted_through.epoch,
        invoice.posted_through.seq,
    )


def from_row(service: str, row: Row) -> Invoice:
    """Return the invoice of a table row.

    Raises:
        ReplicaError: the row holds what no writer of this version writes.
    """
    try:
        return Invoice(
            service=service,
            number=row[0],
            currency=row[1],
            amount_minor=row[2],
            paid_minor=row[3],
            state=STATES[row[4]],
            issued=dt.date.fromordinal(row[5]),
            due=dt.date.fromordinal(row[6]) if row[6] is not None else None,
            code=row[7],
            offence=row[8],
            held_days=row[9],
            plate_hash=row[10].hex() if row[10] else "",
            posted_through=PostedThrough(row[11], row[12]),
        )
    except (IndexError, TypeError, ValueError, OverflowError) as fault:
        raise ReplicaError(
            f"a row of {service} in the replica cannot be read: {fault}", hint="import it anew"
        ) from fault


def _marked(service: str, row: tuple[object, ...]) -> Invoice:
    """Return an invoice with the later of two marks: its own (an import's) and its data set's (a hub's)."""
    found = from_row(service, row[:-2])  # type: ignore[arg-type]
    told = PostedThrough(row[-2] or 0, row[-1] or 0)  # type: ignore[arg-type]
    own = found.posted_through
    later = max(((own.epoch, own.seq), (told.epoch, told.seq)))
    return found if later == (own.epoch, own.seq) else msgspec.structs.replace(found, posted_through=told)


def documents(path: Path) -> dict[str, tuple[int, bytes]]:
    """Return the documents that a hub sent, by name: version and body (`sync.feed`); {} where there are none.

    Raises:
        ReplicaError: the file is damaged.
    """
    if not path.exists():
        return {}
    replica = Replica.open(path)
    try:
        return replica.documents()
    finally:
        replica.close()


class Replica:
    """The reader's side.  Owned by one thread; never writes."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._version = 0

    @classmethod
    def open(cls, path: Path | str, readonly: bool = True) -> Replica:
        """Open the replica; with `readonly` false it is made where it is missing.

        Raises:
            ReplicaError: missing, not a replica, damaged, or of a newer version than this software.
        """
        from kiosk.sync.replica_store import open_store

        path = Path(path)
        if not readonly:
            return cls(open_store(path), path)
        if not path.exists():
            raise ReplicaError(
                f"{path} does not exist", hint="import reference data first: kiosk import", transient=True
            )
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=1
            )
        except sqlite3.Error as fault:
            raise ReplicaError(f"{path} cannot be opened: {fault}", hint="check its owner and its disk") from fault
        try:
            check_version(connection, path)
        except BaseException:
            connection.close()
            raise
        return cls(connection, path)

    def find(self, service: str, number: str) -> Invoice | None:
        """Return an invoice, or None where the replica has no such row.

        Raises:
            ReplicaError: the file is damaged.
        """
        table = table_of(service)
        try:
            statement = f"SELECT {self._columns()} FROM {table} i {_MARK} WHERE i.number = ?"
            rows = self._connection.execute(statement, (data_set_of(service), number)).fetchall()
        except sqlite3.Error as fault:
            if "no such table" in str(fault):
                return None
            raise self._damaged(fault) from fault
        return _marked(service, rows[0]) if rows else None

    def find_by_plate(self, *hashes: bytes) -> tuple[Invoice, ...]:
        """Return the invoices of all services with one of these plate hashes, `MOST_OF_A_PLATE` at most.

        Raises:
            ReplicaError: the file is damaged.
        """
        services = [each.name.partition(":")[2] for each in self.datasets() if each.name.startswith("invoices:")]
        found: list[Invoice] = []
        for service in services:
            table, values = table_of(service), (data_set_of(service), *hashes, MOST_OF_A_PLATE - len(found))
            try:
                wanted = (
                    f"SELECT {self._columns()} FROM {table} i {_MARK} "
                    f"WHERE i.plate_hash IN ({', '.join('?' * len(hashes))}) ORDER BY i.issued, i.number LIMIT ?"
                )
                rows = self._connection.execute(wanted, values).fetchall()
            except sqlite3.Error as fault:
                raise self._damaged(fault) from fault
            found += [_marked(service, row) for row in rows]
        return tuple(found)

    def _columns(self) -> str:
        """Return what is read of an invoice: its columns and the mark of its data set."""
        if self._version < SCHEMA_VERSION:  # a file of an older version may be brought forward at any time
            self._version = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        mark = "d.posted_epoch, d.posted_seq" if self._version >= 3 else "0, 0"
        return f"i.number, {', '.join(f'i.{column}' for column in COLUMNS)}, {mark}"

    def plate_states(self, key_id: str) -> tuple[str, ...] | None:
        """Return the states of plates hashed under a key, "" for plates without one; None where there are none.

        Raises:
            ReplicaError: the file is damaged.
        """
        try:
            rows = self._connection.execute(
                "SELECT DISTINCT state FROM plates WHERE key_id = ? ORDER BY state", (key_id,)
            ).fetchall()
        except sqlite3.Error as fault:
            if "no such table" in str(fault):  # a file of version 1
                return None
            raise self._damaged(fault) from fault
        return tuple(row[0] for row in rows) or None

    def dataset(self, name: str) -> DataSetInfo | None:
        """Return what is known about a data set, e.g. ``invoices:parking_citation``; None where there is none.

        Raises:
            ReplicaError: the file is damaged.
        """
        return next((each for each in self.datasets() if each.name == name), None)

    def datasets(self) -> tuple[DataSetInfo, ...]:
        """Return all data sets by name.

        Raises:
            ReplicaError: the file is damaged.
        """
        try:
            # Every column there is: a file of an older version has less.
            rows = self._connection.execute("SELECT * FROM data_sets ORDER BY name").fetchall()
        except sqlite3.Error as fault:
            raise self._damaged(fault) from fault
        return tuple(DataSetInfo(*row) for row in rows)

    def documents(self) -> dict[str, tuple[int, bytes]]:
        """Return the documents that a hub sent, by name: version and body.

        Raises:
            ReplicaError: the file is damaged.
        """
        try:
            rows = self._connection.execute("SELECT name, version, body FROM documents ORDER BY name").fetchall()
        except sqlite3.Error as fault:
            if "no such table" in str(fault):  # a file of an older version
                return {}
            raise self._damaged(fault) from fault
        return {name: (version, body) for name, version, body in rows}

    @property
    def digest(self) -> str:
        """Digest of all data sets; see `digest_over`."""
        return digest_over(self.datasets())

    def integrity(self) -> tuple[str, ...]:
        """Walk the whole file; return what SQLite found wrong, empty when sound."""
        try:
            rows = self._connection.execute("PRAGMA quick_check").fetchall()
        except sqlite3.Error as fault:
            return (str(fault),)
        return tuple(str(row[0]) for row in rows if row[0] != "ok")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _damaged(self, fault: sqlite3.Error) -> ReplicaError:
        locked = isinstance(fault, sqlite3.OperationalError) and ("locked" in str(fault) or "busy" in str(fault))
        hint = "try again" if locked else "remove the file and import the reference data again; no money is in it"
        return ReplicaError(f"{self.path} cannot be read: {fault}", hint=hint, transient=locked)


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a replica; refuse a file that is none of a version this software knows.

    Raises:
        ReplicaError: says which.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as fault:
        raise ReplicaError(
            f"{path} cannot be read: {fault}",
            hint="remove the file and import the reference data again; no money is in it",
        ) from fault
    if application != APPLICATION_ID:
        raise ReplicaError(f"{path} is not a replica of reference data", hint="check the path in the configuration")
    if version > SCHEMA_VERSION:
        raise ReplicaError(
            f"{path} has version {version}, this software reads up to {SCHEMA_VERSION}", hint="update the software"
        )
    return int(version)
