"""The evidence on the disk: batches as they came, how far each journal is, and what was kept apart.

A worker collects what its decisions ask for in `Changes` and commits them together: one transaction, one fsync for
everything that waits.  Segments of a worker are numbered from 1 without a gap, so a reader needs one cursor for each
worker; a number that is taken makes the whole commit fail, which is how two workers of one number would show.

Rules that must stay true: rows are stored as the bytes that came and are never made anew; nothing is changed or
removed but batches that waited beside the stream and were reached by it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.errors import StoreError, WireError
from kiosk.hub.findings import Finding, note
from kiosk.hub.ingest.known import CODES, Batch, Decision, Held, Known, Places, Waiting
from kiosk.hub.store.tables import ahead, fence, ingest_finding, kept_apart, mark, segment
from kiosk.sync.messages import Journal
from kiosk.sync.wire import Head, read_payload

#: How a body is stored: a MessagePack array of the rows, or the payload of JOURNAL as it came, under zlib.
PLAIN, AS_IT_CAME = 0, 1
#: Batches kept apart for one kiosk, and how many of them before one that its key did not sign is only counted.
MOST_APART, MOST_UNPROVEN = 200, 64

_COLUMNS = ("worker", "number", "kiosk", "epoch", "first", "last", "previous", "hash", "signature", "received_ns",
            "codec", "body")  # fmt: skip
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])
_PACKED_JOURNAL = Head(version=1, type=3, session=0, number=0, packed=True)


class Segment(msgspec.Struct, frozen=True):
    """One stored batch."""

    worker: int
    number: int
    kiosk: str
    epoch: int
    first: int
    last: int
    previous: bytes
    hash: bytes
    signature: bytes
    received_ns: int
    codec: int
    body: bytes

    def rows(self) -> list[bytes]:
        """Return its rows, byte for byte."""
        return rows_of(self.codec, self.body)


def rows_of(codec: int, body: bytes) -> list[bytes]:
    """Return the rows of a stored body.

    Raises:
        StoreError: it is not what was stored, or no version of this software that is installed stored it.
    """
    try:
        if codec == PLAIN:
            return _decoder.decode(body)
        if codec == AS_IT_CAME:
            message = read_payload(_PACKED_JOURNAL, body)
            if isinstance(message, Journal):
                return list(message.rows)
    except (msgspec.DecodeError, WireError) as error:
        raise StoreError(
            f"a segment cannot be read: {str(error)[:120]}", hint="restore the last backup of the hub"
        ) from error
    raise StoreError(f"a segment has codec {codec}", hint="install the version that stored it, or a later one")


def segments_after(connection: sa.Connection, worker: int, number: int, limit: int) -> list[Segment]:
    """Return a worker's next segments after a number, in order."""
    found = connection.execute(
        sa.select(segment).where(segment.c.worker == worker, segment.c.number > number)
        .order_by(segment.c.number).limit(limit)
    )  # fmt: skip
    return [Segment(*row) for row in found]


class Changes:
    """What waits for the next commit."""

    def __init__(self) -> None:
        self.segments: list[tuple[Any, ...]] = []
        self.marks: dict[tuple[str, int], tuple[Held, int]] = {}
        self.fences: dict[str, Known] = {}
        self.apart: list[tuple[str, Batch, str, bool, int]] = []
        self.fresh: list[tuple[str, Batch, int]] = []
        self.reached: list[tuple[str, Waiting]] = []
        self.differing: list[tuple[str, Waiting]] = []
        self.findings: list[tuple[Finding, str, int]] = []

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def add(self, decision: Decision, number: tuple[int, int], now_ns: int, payload: bytes | None = None) -> bool:
        """Take over what a decision asks for; tell whether it used the segment number (worker, number).

        `payload` is the message's payload where it came packed.
        """
        kiosk = decision.known.kiosk
        if decision.fences:
            self.fences[kiosk] = decision.known
        if decision.apart is not None:
            self.apart.append((kiosk, decision.apart, decision.reason, decision.proven, now_ns))
        if decision.fresh is not None:
            self.fresh.append((kiosk, decision.fresh, now_ns))
        self.reached += [(kiosk, one) for one in decision.reached]
        self.differing += [(kiosk, one) for one in decision.differing]
        self.findings += [(finding, "", now_ns) for finding in decision.findings]
        batch = decision.segment
        if batch is None:
            return False
        codec, body = (PLAIN, _encoder.encode(batch.rows)) if payload is None else (AS_IT_CAME, payload)
        self.segments.append(
            (*number, kiosk, batch.epoch, batch.first, batch.last, batch.previous, batch.hash, batch.signature, now_ns,
             codec, body)
        )  # fmt: skip
        self.marks[kiosk, batch.epoch] = decision.known.held[batch.epoch], now_ns
        return True


class SegmentStore:
    """One worker's hand on the store."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        #: How many batches are kept apart, by kiosk, as far as it was asked.
        self._kept: dict[str, int] = {}
        postgres = engine.dialect.name == "postgresql"
        self._upsert = postgresql.insert if postgres else sqlite.insert
        places = ", ".join(["%s" if postgres else "?"] * len(_COLUMNS))
        self._insert = f"INSERT INTO segment ({', '.join(_COLUMNS)}) VALUES ({places})"

    def newest(self, worker: int) -> int:
        """Return the number of a worker's newest segment; 0 where it has none."""
        with _faults(), self._engine.begin() as connection:
            found = connection.execute(sa.select(sa.func.max(segment.c.number)).where(segment.c.worker == worker))
            return found.scalar() or 0

    def known(self, kiosk: str, realm: str) -> Known:
        """Read everything a decision about a kiosk needs."""
        with _faults(), self._engine.begin() as connection:
            marks = connection.execute(sa.select(mark).where(mark.c.kiosk == kiosk))
            held = {row.epoch: Held(row.seq, row.hash, row.journal_key) for row in marks}
            session = connection.execute(sa.select(fence).where(fence.c.kiosk == kiosk)).first()
            beside = connection.execute(
                sa.select(ahead.c.epoch, ahead.c.first, ahead.c.last, ahead.c.hash).where(ahead.c.kiosk == kiosk)
            )
            number, boot, boot_id = (session.session, session.boot, session.boot_id) if session else (0, 0, "")
            return Known(kiosk, realm, held, number, boot, boot_id, tuple(Waiting(*row) for row in beside))

    def hashes(self, kiosk: str, places: Places) -> tuple[bytes, ...]:
        """Return the hashes at places of an epoch, made again from the stored rows where a segment has more.

        Raises:
            StoreError: they are not all here, or the rows are not those that were hashed.
        """
        here, low = segment.c, max(places.first, 1)
        of_epoch = sa.and_(here.kiosk == kiosk, here.epoch == places.epoch)
        begin = sa.select(sa.func.max(here.first)).where(of_epoch, here.first <= low).scalar_subquery()
        query = sa.select(segment).where(of_epoch, here.first >= begin, here.first <= max(places.last, 1))
        found: dict[int, bytes] = {}
        with _faults(), self._engine.begin() as connection:
            for row in connection.execute(query.order_by(here.first)):
                found |= _hashes(Segment(*row), places)
        if len(found) != places.last - places.first + 1:
            raise StoreError(
                f"segments of {kiosk} {places.epoch}/{places.first} to {places.last} are not whole",
                hint="restore the last backup of the hub; the kiosks send what it lacks",
            )
        return tuple(found[place] for place in range(places.first, places.last + 1))

    def commit(self, changes: Changes) -> None:
        """Write everything durably, or nothing.

        Raises:
            StoreError: the database does not take it.
        """
        with _faults(), self._engine.begin() as connection:
            if changes.segments:
                connection.exec_driver_sql(self._insert, changes.segments)
            self._put(connection, mark, [
                {"kiosk": kiosk, "epoch": epoch, "seq": held.seq, "hash": held.hash, "journal_key": held.key,
                 "updated_ns": now_ns}
                for (kiosk, epoch), (held, now_ns) in changes.marks.items()
            ])  # fmt: skip
            self._put(connection, fence, [
                {"kiosk": known.kiosk, "session": known.session, "boot": known.boot, "epoch": known.epoch,
                 "boot_id": known.boot_id}
                for known in changes.fences.values()
            ])  # fmt: skip
            self._put(connection, ahead, [
                {"kiosk": kiosk, "epoch": batch.epoch, "first": batch.first, **_proof(batch), "received_ns": now_ns}
                for kiosk, batch, now_ns in changes.fresh
            ])  # fmt: skip
            for kiosk, one in changes.differing:
                row = connection.execute(sa.select(ahead).where(_waits(kiosk, one))).one()
                _keep_apart(connection, kiosk, {**row._mapping, "reason": "ahead_differs"})
            for kiosk, one in (*changes.reached, *changes.differing):
                connection.execute(sa.delete(ahead).where(_waits(kiosk, one)))
            for kiosk, batch, reason, proven, now_ns in changes.apart:
                self._apart(connection, kiosk, batch, reason, proven, now_ns)
            for finding, more, now_ns in changes.findings:
                note(connection, ingest_finding, finding, now_ns, more=more)

    def _apart(
        self, connection: sa.Connection, kiosk: str, batch: Batch, reason: str, proven: bool, now_ns: int
    ) -> None:
        """Keep a batch for people to look at, unless so much is kept that a machine must be running wild."""
        if kiosk not in self._kept:
            count = sa.select(sa.func.count()).where(kept_apart.c.kiosk == kiosk)
            self._kept[kiosk] = connection.execute(count).scalar_one()
        if self._kept[kiosk] >= (MOST_APART if proven else MOST_UNPROVEN):
            said = f"{self._kept[kiosk]} batches are kept"
            finding = Finding("apart_full", CODES["apart_full"][0], kiosk, batch.epoch, 0, said)
            note(connection, ingest_finding, finding, now_ns)
            return
        row = {"epoch": batch.epoch, "first": batch.first, **_proof(batch), "reason": reason, "received_ns": now_ns}
        self._kept[kiosk] += _keep_apart(connection, kiosk, row)

    def _put(self, connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        insert = self._upsert(table)
        keys = [column.name for column in table.primary_key]
        new = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=new), rows)


def _hashes(one: Segment, places: Places) -> dict[int, bytes]:
    """Return the hashes within a segment at the places that are asked for, the one before its first row included."""
    if places.first == places.last == one.last:
        return {one.last: one.hash}
    digest, place = one.previous, one.first - 1
    found = {place: digest} if places.first <= place <= places.last else {}
    for row in one.rows():
        digest, place = sha256(digest + row).digest(), place + 1
        if places.first <= place <= places.last:
            found[place] = digest
    if digest != one.hash:
        raise StoreError(
            f"segment {one.worker}/{one.number} is not what was stored", hint="restore the last backup of the hub"
        )
    return found


def _keep_apart(connection: sa.Connection, kiosk: str, row: dict[str, Any]) -> bool:
    """Keep a row; tell whether it was new: the same batch again is the same evidence."""
    told = f"{kiosk}\0{row['epoch']}\0{row['first']}\0".encode() + row["previous"] + row["hash"] + row["signature"]
    number = sha256(told).hexdigest()[:24]
    if connection.execute(sa.select(kept_apart.c.id).where(kept_apart.c.id == number)).first() is not None:
        return False
    connection.execute(kept_apart.insert().values(**{**row, "id": number, "kiosk": kiosk}))
    return True


def _proof(batch: Batch) -> dict[str, Any]:
    return {"last": batch.last, "previous": batch.previous, "hash": batch.hash, "signature": batch.signature,
            "body": _encoder.encode(batch.rows)}  # fmt: skip


def _waits(kiosk: str, one: Waiting) -> sa.ColumnElement[bool]:
    return sa.and_(ahead.c.kiosk == kiosk, ahead.c.epoch == one.epoch, ahead.c.first == one.first)


class _faults:
    """Tells every fault of the database as a `StoreError`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sa.exc.SQLAlchemyError):
            words = str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]
            raise StoreError(
                f"the segments cannot be used: {words}", hint="check disk, server and owner of the state directory",
                transient=True,
            ) from error  # fmt: skip
