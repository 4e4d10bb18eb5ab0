"""How the columns of somebody's CSV file become the fields of an invoice: `config/imports/NAME.toml`.

A column that the mapping does not name is dropped before anything is stored: that is how owners' names and
addresses stay out of the kiosk.  A column mapped as `plate` is stored as a keyed hash only (`sync.plates`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import msgspec

from kiosk.errors import ImportRowError, PolicyError
from kiosk.model.invoice import STATES
from kiosk.model.money import minor_digits
from kiosk.tariff.decoding import decode

#: Fields that a column may feed.
FIELDS = ("number", "currency", "amount", "paid", "state", "issued", "due", "code", "offence", "held_days", "plate",
          "plate_state", "posted_epoch", "posted_seq")  # fmt: skip
_REQUIRED = ("number", "issued")
#: Order of year, month and day, and what stands between them.
_DATES = {
    "YYYY-MM-DD": ("-", 0, 1, 2),
    "MM/DD/YYYY": ("/", 2, 0, 1),
    "DD.MM.YYYY": (".", 2, 1, 0),
    "YYYYMMDD": ("", 0, 1, 2),
}


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One mapping file."""

    #: Service id of every row.
    service: str
    #: Field by column heading, exactly as it stands in the file.
    columns: dict[str, str]
    delimiter: str = ","
    encoding: Literal["utf-8", "latin-1", "cp1252"] = "utf-8"
    dates: Literal["YYYY-MM-DD", "MM/DD/YYYY", "DD.MM.YYYY", "YYYYMMDD"] = "YYYY-MM-DD"
    #: ``major``: 45.00; ``minor``: 4500.
    amounts: Literal["major", "minor"] = "major"
    #: State by what stands in the file; empty: the file uses our words.
    states: dict[str, str] = {}
    #: Text of a field that has no column, or whose cell is empty.
    defaults: dict[str, str] = {}
    #: Whether the file holds everything there is (`snapshot`), or news only (`update`).
    holds: Literal["update", "snapshot"] = "update"


def load_mapping(source: str, file: str) -> Mapping:
    """Read and check one mapping.

    Raises:
        PolicyError: not TOML, an unknown key, or a column for a field that does not exist.
    """
    mapping = decode(source, file, Mapping)
    fields = list(mapping.columns.values())
    faults = [f"columns: {field!r} is not a field ({', '.join(FIELDS)})" for field in fields if field not in FIELDS]
    faults += [f"columns: {field!r} is fed by two columns" for field in set(fields) if fields.count(field) > 1]
    faults += [f"columns: no column for {field!r}" for field in _REQUIRED if field not in fields]
    faults += [f"defaults: {field!r} is not a field" for field in mapping.defaults if field not in FIELDS]
    faults += [f"states: {state!r} is not a state ({', '.join(STATES)})" for state in mapping.states.values()
               if state not in STATES]  # fmt: skip
    if len(mapping.delimiter) != 1:
        faults.append("delimiter must be one character")
    for fault in faults:
        raise PolicyError(f"{file}: {fault}", hint="mend the mapping file")
    return mapping


def date_reader(form: str) -> Callable[[str], dt.date]:
    """Return a reader of dates of one form, which remembers what it has read.

    The reader raises `ImportRowError` for anything else.
    """
    between, year, month, day = _DATES[form]
    lengths = (4, 2, 2) if year == 0 else (2, 2, 4)

    @lru_cache(maxsize=8192)
    def read(text: str) -> dt.date:
        parts = text.split(between) if between else [text[:4], text[4:6], text[6:]]
        digits = all(part.isascii() and part.isdigit() for part in parts)
        if not digits or tuple(len(part) for part in parts) != lengths:
            raise ImportRowError(f"is not a date like {form}")
        try:
            return dt.date(int(parts[year]), int(parts[month]), int(parts[day]))
        except ValueError:
            raise ImportRowError("is not a day of the calendar") from None

    return read


def amount_reader(form: str) -> Callable[[str, str], int]:
    """Return a reader of amounts (text, currency) in minor units; it raises `ImportRowError` for anything else."""

    def read(text: str, currency: str) -> int:
        digits = minor_digits(currency) if form == "major" else 0
        major, point, rest = text.partition(".")
        good = (
            major.isascii()
            and major.isdigit()
            and len(major) <= 12
            and (not point or (rest.isascii() and rest.isdigit()))
        )
        if not good or len(rest) > digits:
            raise ImportRowError("is not an amount like 45.00" if digits else "is not a whole amount")
        return int(major + rest.ljust(digits, "0"))

    return read


def date_writer(form: str) -> Callable[[dt.date], str]:
    """Return a writer of dates of one form."""
    pattern = {"YYYY-MM-DD": "%Y-%m-%d", "MM/DD/YYYY": "%m/%d/%Y", "DD.MM.YYYY": "%d.%m.%Y", "YYYYMMDD": "%Y%m%d"}[form]
    return lambda day: day.strftime(pattern)
