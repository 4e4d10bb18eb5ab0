"""Example reference data by the million: a replica, or a CSV file, of made-up open citations.

The numbers run on from a seed and carry their check digit, so that a bench can scan any of them; every
amount follows the example policies.  No data of anybody.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from kiosk.model.invoice import STATES
from kiosk.sync.replica import DataSetInfo, Row
from kiosk.sync.replica_store import Batch, open_store, writer_lock
from kiosk.tariff.check_digits import damm

SERVICE = "parking_citation"
FIRST_SERIAL = 30_000_000
_CODES = ("01", "06", "17", "21", "22", "25")
_START = dt.date(2026, 1, 5)


def number(index: int) -> str:
    """Return the number of the index-th example citation, check digit included."""
    serial = f"{FIRST_SERIAL + index:08d}"
    return serial + str(damm(serial))


def row(index: int) -> Row:
    """Return the replica row of the index-th example citation."""
    issued = _START.toordinal() + index % 300
    code = _CODES[index % len(_CODES)]
    offence = 2 + index % 3
    return (number(index), "USD", None, 0, STATES.index("open"), issued, None, code, offence, 0, None, 0, 0)


def rows(count: int) -> Iterator[tuple[object, ...]]:
    """Yield staged rows with their line."""
    for index in range(count):
        yield (*row(index), index + 1)


def fill(path: Path, count: int) -> DataSetInfo:
    """Write a replica of `count` example citations; what was in it for this service is replaced."""
    with writer_lock(path), closing(open_store(path)) as store:
        batch = Batch(store, SERVICE)
        batch.add_all(rows(count))
        return batch.take_over(time.time_ns(), snapshot=True).info


def write_csv(path: Path, count: int) -> None:
    """Write `count` example citations as the CSV file that `config/imports/parking_citation.toml` reads."""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write("Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Owner\r\n")
        for index in range(count):
            each = row(index)
            issued = dt.date.fromordinal(each[5]).isoformat()
            out.write(f"{each[0]},{issued},{each[7]},{each[8]},0.00,OPEN,0,EX{index:06d},Example Owner {index}\r\n")
