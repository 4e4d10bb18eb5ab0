"""Judges the rows of an import, one at a time: a row is taken whole or refused with every reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from kiosk.errors import ImportRowError, MoneyError, TariffError
from kiosk.model.invoice import STATES, Invoice
from kiosk.model.money import minor_digits
from kiosk.sync.mapping import FIELDS, Mapping, amount_reader, date_reader
from kiosk.sync.plates import key_id, normal_form, plate_hash
from kiosk.sync.replica import Row, from_row
from kiosk.sync.replica_store import Plates
from kiosk.tariff.services import Service

#: States and provinces that the plates of one service may come from, and letters of each.
MOST_STATES = 100
LONGEST_STATE = 3
_MOST_MINOR = 10**12
_EARLIEST = dt.date(1950, 1, 1)

#: Raises `TariffError` where no rule prices an invoice.
Prices = Callable[[Invoice], object]


class RowReader:
    """Judges one row at a time by mapping and service."""

    def __init__(
        self, mapping: Mapping, service: Service, plate_key: bytes = b"", prices: Prices | None = None
    ) -> None:
        self._service = service
        self._prices = prices
        #: Reasons by what a price depends on; bounded, because a file can hold anything.
        self._priced: dict[tuple[object, ...], str] = {}
        self._plate_key = plate_key
        self._plate_states: set[str] = set()
        self._date = date_reader(mapping.dates)
        self._amount = amount_reader(mapping.amounts)
        self._defaults = {field: mapping.defaults.get(field, "") for field in FIELDS}
        words = mapping.states or {state: state for state in STATES}
        self._states = {word: STATES.index(state) for word, state in words.items()}
        self._currencies = {service.currency}
        minor_digits(service.currency)

    def read(self, cells: dict[str, str]) -> tuple[Row | None, str, list[str]]:
        """Return the row (None where it is refused), its number if it has a good one, and every reason."""
        faults: list[str] = []
        value = dict(self._defaults)
        value.update((field, stripped) for field, cell in cells.items() if (stripped := cell.strip()))
        number = self._number(value["number"], faults)
        currency = value["currency"] or self._service.currency
        if currency not in self._currencies:
            faults.append(f"currency is not {self._service.currency}")
            currency = self._service.currency
        state = self._states.get(value["state"]) if value["state"] else 0
        if state is None:
            faults.append("state is not known")
        issued = self._day("issued", value["issued"], faults)
        due = self._day("due", value["due"], faults) if value["due"] else None
        if issued and due and due < issued:
            faults.append("due lies before issued")
        row: Row = (
            number,
            currency,
            self._money("amount", value["amount"], currency, faults) if value["amount"] else None,
            self._money("paid", value["paid"], currency, faults) if value["paid"] else 0,
            state or 0,
            issued.toordinal() if issued else 0,
            due.toordinal() if due else None,
            self._code(value["code"], faults),
            self._count("offence", value["offence"], faults),
            self._count("held_days", value["held_days"], faults),
            self._plate(value["plate"], value["plate_state"], faults),
            self._count("posted_epoch", value["posted_epoch"], faults),
            self._count("posted_seq", value["posted_seq"], faults),
        )
        if not faults and self._prices and (reason := self._unpriced(row)):
            faults.append(reason)
        return (None if faults else row), number, faults

    @property
    def plates(self) -> Plates | None:
        """Under what the plates so far were hashed; None where there were none."""
        return Plates(key_id(self._plate_key), frozenset(self._plate_states)) if self._plate_states else None

    def _plate(self, plate: str, state: str, faults: list[str]) -> bytes | None:
        if not normal_form(plate) or not self._plate_key:
            return None
        where = normal_form(state)
        if len(where) > LONGEST_STATE:
            faults.append(f"plate_state is longer than {LONGEST_STATE} letters")
        elif where not in self._plate_states and len(self._plate_states) >= MOST_STATES:
            faults.append(f"plate_state is one more than {MOST_STATES}")
        if not faults:
            self._plate_states.add(where)
        return plate_hash(plate, self._plate_key, where)

    def _unpriced(self, row: Row) -> str:
        """Return why no rule prices a row, "" where one does."""
        key = (row[1], row[2] is None, row[5], row[6] is None, row[7], row[8])
        reason = self._priced.get(key)
        if reason is None and self._prices:
            try:
                self._prices(from_row(self._service.id, row))
                reason = ""
            except TariffError as fault:
                reason = f"no price: {fault.message}"
            if len(self._priced) > 100_000:
                self._priced.clear()
            self._priced[key] = reason
        return reason or ""

    def _number(self, text: str, faults: list[str]) -> str:
        if not text:
            faults.append("number is empty")
            return ""
        skip = self._service.typed.skip
        plain = "".join(letter for letter in text if letter not in skip) if skip else text
        number = self._service.number.padded(plain)
        fault = self._service.number.fault(number)
        if fault:
            faults.append({"shape": "number has not the form of this service",
                           "wrong_check_digit": "number has a wrong check digit",
                           "unknown_prefix": "number has a prefix that is not given out"}[fault])  # fmt: skip
            return number if fault != "shape" else ""
        return number

    def _day(self, field: str, text: str, faults: list[str]) -> dt.date | None:
        try:
            day = self._date(text)
        except ImportRowError as fault:
            faults.append(f"{field} {fault.message}")
            return None
        if day < _EARLIEST or day.year > 2199:
            faults.append(f"{field} is not within 1950 to 2199")
        return day

    def _money(self, field: str, text: str, currency: str, faults: list[str]) -> int:
        try:
            minor = self._amount(text, currency)
        except (ImportRowError, MoneyError) as fault:
            faults.append(f"{field} {fault.message}")
            return 0
        if minor > _MOST_MINOR:
            faults.append(f"{field} is beyond belief")
        return minor

    def _code(self, text: str, faults: list[str]) -> str:
        if len(text) > 16 or not text.isascii() or not text.isprintable():
            faults.append("code is longer than 16 characters or not plain")
            return ""
        return text

    def _count(self, field: str, text: str, faults: list[str]) -> int:
        if not text:
            return 0
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            faults.append(f"{field} is not a whole number")
            return 0
        return int(text)
