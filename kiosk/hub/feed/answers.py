"""What the librarian answers to a PULL: parts of a run and its end, all of one moment of the books.

No state between two answers: the PULL says what is there, how far a run has come and how much may be sent.  So a cut,
a new librarian or another worker of the front changes nothing.  A run goes by the cursors of `published` (`sync.feed`):
`Snap` up to where it began, `Delta` from there, `End` as soon as one moment has nothing more.
"""

from __future__ import annotations

import sqlalchemy as sa

from kiosk.hub.feed.documents import Document, held, newest
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import publication, published, published_through
from kiosk.journal.keys import SigningKey
from kiosk.sync.feed import MOST_CHANGES, PART_BYTES, document_rows, manifest, service_of
from kiosk.sync.messages import DataCursor, Delta, End, Mark, Message, Nack, Nudge, Pull, Snap

#: Parts that one answer may hold, whatever was asked for.
MOST_CREDIT = 16
#: Rows that one question to the database returns.
_ROWS = 4_096


class Librarian:
    """Answers PULLs out of the books and the office; signs what it says to be whole."""

    def __init__(self, stores: Stores, hub: str, signing: SigningKey) -> None:
        self._stores, self._hub, self._signing = stores, hub, signing

    def holdings(self) -> tuple[DataCursor, ...]:
        """Return how far everything is: what NUDGE tells."""
        columns = (publication.c.data_set, publication.c.generation, publication.c.cursor, publication.c.digest)
        with self._stores.books.connect() as books:
            wanted = sa.select(*columns).where(publication.c.cursor > 0).order_by(publication.c.data_set)
            sets = tuple(DataCursor(*row) for row in books.execute(wanted))
        with self._stores.office.begin() as office:
            return (*sets, *held(office))

    def answer(self, pull: Pull, kiosk: str) -> list[Message]:
        """Return what to send to a kiosk, in this order."""
        if not pull.data.name:
            return [Nudge(self.holdings())]
        if not pull.credit:
            return []
        if not service_of(pull.data.name):
            with self._stores.office.begin() as office:
                document = newest(office, pull.data.name)
            return _unknown(pull) if document is None else self._document(document, pull, kiosk)
        level = {"isolation_level": "REPEATABLE READ"} if self._stores.postgresql else {}
        with self._stores.books.connect().execution_options(**level) as books:
            wanted = sa.select(publication).where(publication.c.data_set == pull.data.name, publication.c.cursor > 0)
            row = books.execute(wanted).first()
            return _unknown(pull) if row is None else self._invoices(books, row, pull, kiosk)

    def _document(self, found: Document, pull: Pull, kiosk: str) -> list[Message]:
        rows = document_rows(found.body)
        parts: list[Message] = []
        if pull.data.digest != found.digest:
            begun = DataCursor(found.name, 1, found.version)
            groups = [rows[at : at + 4] for at in range(0, len(rows), 4)] or [()]
            first = pull.chunks if pull.snapshot == begun else 0
            credit = min(pull.credit, MOST_CREDIT)
            parts = [
                Snap(begun, chunk, groups[chunk], found.version, len(rows))
                for chunk in range(first, min(len(groups), first + credit))
            ]
            if first + credit < len(groups):
                return parts
        return [*parts, self._end(found.data, len(rows), found.at_ns, kiosk, Mark())]

    def _invoices(self, books: sa.Connection, row: sa.Row[tuple[object, ...]], pull: Pull, kiosk: str) -> list[Message]:
        now = DataCursor(row.data_set, row.generation, row.cursor, row.digest)
        own, asked = pull.data, pull.snapshot
        credit = min(pull.credit, MOST_CREDIT)
        counted = sa.select(published_through.c.epoch, published_through.c.seq)
        mark = books.execute(counted.where(published_through.c.kiosk == kiosk)).first()
        end = self._end(now, row.rows, row.taken_at_ns, kiosk, Mark(mark.epoch, mark.seq) if mark else Mark())
        if (
            asked is not None and asked.generation == now.generation
            and row.horizon <= asked.cursor <= now.cursor and pull.after <= now.cursor
        ):  # fmt: skip
            run = _Run(books, now, asked.cursor, pull.after, pull.chunks, row.rows)
        elif own.generation and own.digest == now.digest:
            return [end]
        elif own.generation == now.generation and self._told_by_changes(books, own, now, row.horizon, pull.after):
            run = _Run(books, now, 0, max(own.cursor, pull.after), 0, row.rows)
        else:
            run = _Run(books, now, now.cursor, 0, 0, row.rows)
        parts = run.parts(credit)
        return [*parts, end] if run.after == now.cursor else parts

    def _told_by_changes(
        self, books: sa.Connection, own: DataCursor, now: DataCursor, horizon: int, after: int
    ) -> bool:
        if not horizon <= own.cursor < now.cursor or after > now.cursor:
            return False
        ours = (published.c.data_set == now.name) & (published.c.cursor > max(own.cursor, after))
        some = sa.select(published.c.cursor).where(ours).limit(MOST_CHANGES + 1).subquery()
        return (books.execute(sa.select(sa.func.count()).select_from(some)).scalar() or 0) <= MOST_CHANGES

    def _end(self, data: DataCursor, rows: int, taken_at_ns: int, kiosk: str, counted: Mark) -> End:
        told = manifest(self._hub, data, rows, taken_at_ns, kiosk=kiosk, counted=counted)
        return End(data, rows, 0, taken_at_ns, self._signing.sign(told), counted)


class _Run:
    """The rest of a run: everything after a cursor, in parts."""

    def __init__(self, books: sa.Connection, now: DataCursor, base: int, after: int, chunk: int, whole: int) -> None:
        """`base`: what is not newer goes as `Snap`; 0 for a run of changes alone."""
        self._books, self._now, self._base, self._chunk, self._whole = books, now, base, chunk, whole
        self.after = after

    def parts(self, credit: int) -> list[Message]:
        """Return the next parts, and move `after`."""
        found: list[Message] = []
        while len(found) < credit and (self.after < self._now.cursor):
            found.append(self._snap() if self.after < self._base else self._delta())
        return found

    def _snap(self) -> Snap:
        rows, through = self._rows(self._base, tombstones=False)
        begun = DataCursor(self._now.name, self._now.generation, self._base)
        self.after = through
        self._chunk += 1
        return Snap(begun, self._chunk - 1, tuple(row for _, row in rows if row is not None), through, self._whole)

    def _delta(self) -> Delta:
        since = DataCursor(self._now.name, self._now.generation, self.after)
        rows, through = self._rows(self._now.cursor, tombstones=True)
        self.after = through
        return Delta(
            since, DataCursor(self._now.name, self._now.generation, through),
            tuple(row for _, row in rows if row is not None), tuple(key for key, row in rows if row is None),
        )  # fmt: skip

    def _rows(self, last: int, *, tombstones: bool) -> tuple[list[tuple[str, bytes | None]], int]:
        """Return the next rows up to the cursor `last`, and up to which cursor they are everything."""
        ours = (published.c.data_set == self._now.name) & (published.c.cursor > self.after)
        ours &= published.c.cursor <= last
        if not tombstones:
            ours &= published.c.row.is_not(None)
        wanted = sa.select(published.c.key, published.c.cursor, published.c.row).where(ours)
        rows = self._books.execute(wanted.order_by(published.c.cursor).limit(_ROWS)).all()
        found: list[tuple[str, bytes | None]] = []
        size = 0
        for key, cursor, row in rows:
            found.append((key, row))
            size += len(row) if row is not None else len(key)
            if size >= PART_BYTES:
                return found, cursor
        return found, rows[-1].cursor if len(rows) == _ROWS else last


def _unknown(pull: Pull) -> list[Message]:
    return [Nack("unknown_data", detail=pull.data.name)]
