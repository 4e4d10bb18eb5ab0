"""How the pages write amounts, times, ages and names."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from kiosk.errors import LedgerError, MoneyError, PolicyError
from kiosk.hub.setup import HubSetup
from kiosk.model.entry import Entry
from kiosk.model.instant import NS
from kiosk.model.money import Money
from kiosk.model.texts import Text

#: The pages' language; the citizens' languages are the kiosk's part.
LANGUAGE = "en"
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
#: Kinds of facts that a sentence tells better than their tag.
_KINDS = {
    "tender_frozen": "Price confirmed", "excess_agreed": "Excess agreed to", "stack_intended": "About to stack a note",
    "return_intended": "About to return a note", "note_credited": "Note credited", "note_returned": "Note returned",
    "note_disputed": "Note disputed", "note_suspended": "Note in suspense", "note_gone": "Note left the wire",
    "note_rejected": "Note refused", "settled": "Settled", "session_closed": "Session ended",
    "receipt_issued": "Receipt issued", "print_started": "Printing began", "print_ended": "Printing ended",
    "day_closed": "Z closing", "box_exchanged": "Box exchanged", "count_closed": "Count compared",
    "box_counted": "Box counted", "box_received": "Box received", "genesis": "Journal began",
    "epoch_started": "Epoch began", "reversed": "Reversal", "payout_intended": "Change intended",
    "payout_started": "Hopper let go", "payout_ended": "Change paid", "payout_disputed": "Change in doubt",
    "payout_resolved": "Doubt resolved by count", "hopper_filled": "Hopper filled", "hopper_emptied": "Hopper counted",
    "receipt_deferred": "Receipt waits for change", "slip_presented": "Slip left the mouth",
}  # fmt: skip


class Wording:
    """Writes for people what the tables hold; owns nothing but the city's names."""

    def __init__(self, setup: HubSetup) -> None:
        self._catalogue = setup.catalogue
        self._library = setup.library
        self._chart = setup.chart
        self._zone = ZoneInfo(setup.zone)

    def money(self, minor: int, currency: str) -> str:
        """Write an amount: $1,240.50; of a currency that nobody knows, its minor units."""
        try:
            return self._catalogue.money(Money(minor, currency), LANGUAGE)
        except MoneyError:
            return f"{minor} minor units of {currency}"

    def say(self, told: Text) -> str:
        """Write a text of a fact; where the catalogues do not have it any more, its id."""
        return self._catalogue.say(told, LANGUAGE) if self._catalogue.has(told.id) else told.id

    def local(self, ns: int) -> dt.datetime:
        """Return a time in the city's zone, to the second."""
        return dt.datetime.fromtimestamp(ns // NS, self._zone)

    def when(self, ns: int) -> str:
        """Write a time in the city's zone: 2026-11-22 14:05:09; "never" for 0."""
        return f"{self.local(ns):%Y-%m-%d %H:%M:%S}" if ns else "never"

    def iso(self, ns: int) -> str:
        """Write a time for machines."""
        return self.local(ns).isoformat()

    def service(self, service: str) -> str:
        """Write a service's name; of one that is gone its id, of none the word for it."""
        if not service:
            return "no service"
        try:
            return self._catalogue.word(self._library.service(service).name, LANGUAGE)
        except PolicyError:
            return service

    def account(self, code: str) -> str:
        """Write an account's name, "" where the chart does not have it any more."""
        try:
            name = self._chart.find(code).name
        except LedgerError:
            return ""
        return self._catalogue.word(name, LANGUAGE) if self._catalogue.has(name) else name.removeprefix("account.")

    def date(self, iso: str) -> str:
        """Write a date with its day of the week: Mon 2026-11-23."""
        try:
            return f"{dt.date.fromisoformat(iso):%a %Y-%m-%d}"
        except ValueError:
            return iso


def age(ns: int) -> str:
    """Write a span by the largest unit of which it has two.

    >>> age(12 * NS), age(90 * NS), age(2 * 3600 * NS), age(5400 * NS), age(-5)
    ('12 seconds', '90 seconds', '2 hours', '90 minutes', '0 seconds')
    """
    seconds = max(0, ns) // NS
    for size, name in _UNITS:
        if seconds >= 2 * size or size == 1:
            count = seconds // size
            return f"{count} {name}{'s' if count != 1 else ''}"
    raise AssertionError("the last unit takes every span")


def kind_words(kind: str) -> str:
    """Write a fact's kind.

    >>> kind_words("note_credited"), kind_words("clock_jumped")
    ('Note credited', 'Clock jumped')
    """
    return _KINDS.get(kind, kind.replace("_", " ").capitalize())


def signed(milliseconds: int, digits: int = 1) -> str:
    """Write a clock's difference in seconds, with its sign.

    >>> signed(-4100), signed(12, 3), signed(0)
    ('−4.1 s', '+0.012 s', '+0.0 s')
    """
    return f"{milliseconds / 1000:+.{digits}f} s".replace("-", "−")


def turnover(entry: Entry) -> int:
    """Return the sum of an entry's debits, minor units."""
    return sum(posting.minor for posting in entry.postings if posting.minor > 0)


def share(permille: int) -> str:
    """Write thousandths as percent.

    >>> share(734), share(5)
    ('73 %', '0 %')
    """
    return f"{permille // 10} %"
