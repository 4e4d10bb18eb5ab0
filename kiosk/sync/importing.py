"""Import of citations and invoices from CSV: every row judged, bad rows to a reject file with their reasons.

The file comes from outside and is read as such: lines are bounded, a bad byte or a stray quote spoils its own
row only, and a row is taken whole or not at all.  The reject file names line, number and reasons, never the
row itself, because the row may hold what must not be stored.  Importing the same file again changes nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

import msgspec

from kiosk.errors import ImportRowError, ReplicaError
from kiosk.sync.judging import Prices, RowReader
from kiosk.sync.mapping import Mapping
from kiosk.sync.plates import key_beside, read_or_make_key
from kiosk.sync.replica import DataSetInfo, Row
from kiosk.sync.replica_store import Batch, Plates, Taken, open_store, writer_lock
from kiosk.tariff.services import Service

#: Longest line that is read, bytes; the rest of a longer one is skipped.
LONGEST_LINE = 16_384
#: Rows between two calls of the progress callback.
PROGRESS_EVERY = 5_000

#: Called with bytes read and bytes in all.
Progress = Callable[[int, int], None]


class Target(Protocol):
    """Where judged rows are staged until they are taken over: a kiosk's replica or a hub's database."""

    service: str

    def add(self, row: Row, line: int) -> bool:
        """Stage one row; return False where its number is staged already."""
        ...

    def staged(self, number: str) -> tuple[Row, int] | None:
        """Return the staged row of a number and its line."""
        ...

    def drop(self, number: str) -> None:
        """Take a staged row out again."""
        ...

    def take_over(self, taken_at_ns: int, *, snapshot: bool = False, plates: Plates | None = None) -> Taken:
        """Make the staged rows visible and return what changed."""
        ...

    def close(self) -> None:
        """Throw the staged rows away."""
        ...


class ImportReport(msgspec.Struct, frozen=True):
    """What came of an import."""

    service: str
    #: Rows that are new or differ from what was there.
    taken: int
    unchanged: int
    rejected: int
    #: Rows that a snapshot no longer holds.
    removed: int
    #: Headings of the file that the mapping does not name; nothing of them was stored.
    dropped_columns: tuple[str, ...]
    data_set: DataSetInfo
    #: Lines of the first few rejected rows with their reasons.
    first_rejects: tuple[tuple[int, str], ...] = ()


def import_csv(
    source: Path,
    mapping: Mapping,
    service: Service,
    replica_path: Path,
    reject_path: Path,
    *,
    taken_at_ns: int,
    plate_key: bytes | None = None,
    prices: Prices | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Import one CSV file into the replica.

    `taken_at_ns` is when the file was made at its source (wall clock).  A mapped plate is hashed with `plate_key`,
    else with the key beside the replica, which is made where it is missing.  With `prices` (e.g. a library's
    `price` bound to a day) a row that no rule prices is refused.

    Raises:
        KioskError: the file cannot be read or has not the columns of the mapping (`ImportRowError`), or the
            replica cannot be written (`ReplicaError`).
    """
    check_mapping(mapping, service)
    try:
        with (
            source.open("rb") as raw,
            writer_lock(replica_path),
            closing(open_store(replica_path)) as store,
            reject_path.open("w", encoding="utf-8", newline="") as rejects,
        ):
            if plate_key is None:
                maps_plates = "plate" in (*mapping.columns.values(), *mapping.defaults)
                plate_key = read_or_make_key(key_beside(replica_path)) if maps_plates else b""
            rows = RowReader(mapping, service, plate_key, prices)
            return CsvImport(raw, mapping, Batch(store, service.id), rows, rejects).run(
                taken_at_ns, source.stat().st_size, progress
            )
    except OSError as fault:
        raise ReplicaError(
            f"import of {source.name} stopped: {fault}", hint="nothing was taken; mend it and repeat"
        ) from fault


def check_mapping(mapping: Mapping, service: Service) -> None:
    """Refuse a mapping that was made for another service.

    Raises:
        ImportRowError: names both.
    """
    if mapping.service != service.id:
        raise ImportRowError(
            f"the mapping is for service {mapping.service!r}, not {service.id!r}",
            hint="choose the mapping of this service",
        )


class CsvImport:
    """One run over one file, into whatever takes its rows."""

    def __init__(self, raw: BinaryIO, mapping: Mapping, batch: Target, rows: RowReader, rejects: TextIO) -> None:
        self._raw = raw
        self._mapping = mapping
        self._batch = batch
        self._rows = rows
        self._writer = csv.writer(rejects)
        self._line = 0
        self._read_bytes = 0
        self._rejected = 0
        self._first: list[tuple[int, str]] = []
        self._contradicted: set[str] = set()

    def run(self, taken_at_ns: int, size: int, progress: Progress | None) -> ImportReport:
        """Judge and stage every row, then make them visible."""
        try:
            self._writer.writerow(("line", "number", "reasons"))
            reader = csv.reader(self._lines(), delimiter=self._mapping.delimiter, strict=True)
            headings = self._headings(next(reader, []))
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    break
                except csv.Error as fault:
                    self._reject("", f"not a CSV row: {fault}")
                    continue
                if cells:
                    self._take(headings, cells)
                if progress and self._line % PROGRESS_EVERY == 0:
                    progress(self._read_bytes, size)
            taken = self._batch.take_over(
                taken_at_ns, snapshot=self._mapping.holds == "snapshot", plates=self._rows.plates
            )
        except BaseException:
            self._batch.close()
            raise
        if progress:
            progress(size, size)
        return ImportReport(
            service=self._batch.service,
            taken=taken.added + taken.changed,
            unchanged=taken.unchanged,
            rejected=self._rejected,
            removed=taken.removed,
            dropped_columns=self._dropped,
            data_set=taken.info,
            first_rejects=tuple(self._first),
        )

    def _lines(self) -> Iterator[str]:
        """Yield the lines that can be read at all; one line is one row, so a quoted line break is refused."""
        encoding = self._mapping.encoding
        while raw := self._raw.readline(LONGEST_LINE + 1):
            self._line += 1
            self._read_bytes += len(raw)
            if len(raw) > LONGEST_LINE:
                while raw and not raw.endswith(b"\n"):
                    raw = self._raw.readline(LONGEST_LINE)
                    self._read_bytes += len(raw)
                self._reject("", f"the line is longer than {LONGEST_LINE} bytes")
                continue
            if b"\0" in raw:
                self._reject("", "the line holds a NUL byte")
                continue
            if raw.count(b'"') % 2:
                self._reject("", "a quote is not closed on its line")
                continue
            try:
                text = raw.decode("utf-8-sig" if self._line == 1 and encoding == "utf-8" else encoding)
            except UnicodeDecodeError:
                self._reject("", f"the line is not {encoding}")
                continue
            yield text.rstrip("\r\n") + "\n"

    def _headings(self, cells: list[str]) -> list[str]:
        """Return the field that each column feeds, "" for a dropped one."""
        names = [cell.strip() for cell in cells]
        missing = sorted(set(self._mapping.columns) - set(names))
        if missing:
            raise ImportRowError(f"the file has no column {missing[0]!r}", hint="check the mapping, and the first line")
        twice = sorted({name for name in self._mapping.columns if names.count(name) > 1})
        if twice:
            raise ImportRowError(f"the file has column {twice[0]!r} twice", hint="remove one of them from the file")
        self._dropped = tuple(name[:60] for name in names if name not in self._mapping.columns)
        return [self._mapping.columns.get(name, "") for name in names]

    def _take(self, headings: list[str], cells: list[str]) -> None:
        if len(cells) != len(headings):
            self._reject("", f"{len(cells)} cells where the first line has {len(headings)}")
            return
        row, number, reasons = self._rows.read({name: cell for name, cell in zip(headings, cells, strict=True) if name})
        if row is None:
            self._reject(number, "; ".join(reasons))
        elif number in self._contradicted:
            self._reject(number, "the number stands on other lines with other content")
        elif not self._batch.add(row, self._line):
            self._repeated(row, number)

    def _repeated(self, row: Row, number: str) -> None:
        """A number stands twice: the same row again is one too many, a different one makes both doubtful."""
        staged = self._batch.staged(number)
        before, line = staged if staged else (row, self._line)
        if before == row:
            self._reject(number, f"repeats line {line}")
            return
        self._contradicted.add(number)
        self._batch.drop(number)
        self._reject(number, f"contradicts line {line}")
        self._reject(number, f"contradicts line {self._line}", line)

    def _reject(self, number: str, reason: str, line: int = 0) -> None:
        self._rejected += 1
        at = line or self._line
        if len(self._first) < 20:
            self._first.append((at, reason))
        self._writer.writerow((at, number, reason))
