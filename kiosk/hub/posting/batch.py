"""What one transaction will write into the books: gathered while facts are posted, written at its end.

Sums are added up here first, so that a thousand notes of one kiosk change a balance once.  Whatever is written depends
on the facts and their order alone, never on where one transaction ended and the next began: a rebuild is compared row
by row.  So a sum that comes to zero is a row all the same, and times are those of receipt, not of posting.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from kiosk.hub.findings import finding_id, words_of
from kiosk.hub.posting.codes import QUARANTINED, severity
from kiosk.hub.posting.paid_twice import Standing
from kiosk.hub.posting.pen import Pen, Row
from kiosk.model.entry import Entry

Name = tuple[str, str]


class InvoicePage:
    """One invoice in memory."""

    __slots__ = ("bill", "changed", "currency", "held", "standing")

    def __init__(self, currency: str, standing: Standing | None, held: int, changed: int, bill: str = "") -> None:
        self.currency = currency
        self.standing = standing
        self.held = held
        self.changed = changed
        self.bill = bill


class Batch:
    """Rows that wait to be written.  Owned by one projection, written and emptied by `flush`."""

    def __init__(self, pen: Pen) -> None:
        self.pen = pen
        self.facts: list[Row] = []
        self.postings: list[Row] = []
        self.payments: list[Row] = []
        #: Rows of `receipt` and `closing`, each with the time of receipt of its segment.
        self.receipts: list[tuple[int, Row]] = []
        self.closings: list[tuple[int, Row]] = []
        self.cases: list[Row] = []
        self.quarantine: list[Row] = []
        self.balances: Counter[tuple[str, str, str]] = Counter()
        #: By date, kiosk, service, currency and account: minor units and entries.
        self.days: dict[tuple[str, str, str, str, str], list[int]] = {}
        self.box_notes: Counter[tuple[str, int, str, int]] = Counter()
        self.invoices: dict[Name, InvoicePage] = {}
        self._touched: set[Name] = set()
        #: By code, kiosk, epoch and seq: severity, detail, first and last time of receipt, times.
        self._findings: dict[tuple[str, str, int, int], list[Any]] = {}
        #: Time of receipt of the segment that is being posted.
        self.received_ns = 0

    # --- what posting says ---------------------------------------------------------------------------------

    def found(self, code: str, kiosk: str, epoch: int, seq: int, detail: str) -> None:
        """Note a finding."""
        key = (code, kiosk, epoch, 0 if code in QUARANTINED else seq)
        there = self._findings.get(key)
        if there is None:
            told = f"fact {epoch}/{seq} and perhaps others: {detail}" if code in QUARANTINED and seq else detail
            self._findings[key] = [severity(code), words_of(told), self.received_ns, self.received_ns, 1]
        else:
            there[3], there[4] = self.received_ns, there[4] + 1

    def post(self, place: Row, dates: tuple[str, str], position: int, entry: Entry, services: list[str]) -> None:
        """Take an entry in: its lines, balances and sums of the day.  `dates`: posts on, and the tender's own."""
        kiosk, epoch, seq = place
        on, own = dates
        currency, reason = entry.currency, entry.reason
        for line, posting in enumerate(entry.postings):
            account, minor, service = posting.account, posting.minor, services[line] if services else ""
            self.postings.append(
                (kiosk, epoch, seq, line, position, on, own, reason, currency, account, minor, service)
            )
            self.balances[kiosk, currency, account] += minor
            key = (on, kiosk, service, currency, account)
            day = self.days.get(key)
            if day is None:
                self.days[key] = [minor, 1]
            else:
                day[0] += minor
                day[1] += 1

    # --- invoices ------------------------------------------------------------------------------------------

    def load_invoices(self, names: set[Name]) -> None:
        """Bring the pages of these invoices in, as far as the books have them."""
        wanted = [name for name in names if name not in self.invoices]
        columns = "service, number, currency, paid_minor, held_minor, owed_minor, changed, base_minor, bill"
        for start in range(0, len(wanted), 200):
            part = wanted[start : start + 200]
            pairs = ", ".join(["(?, ?)"] * len(part))
            asked = f"SELECT {columns} FROM invoice_balance WHERE (service, number) IN (VALUES {pairs})"
            for row in self.pen.ask(asked, tuple(word for name in part for word in name)):
                service, number, currency, paid, held, owed, changed, base, bill = row
                standing = None if owed is None else Standing(owed, paid, base)
                self.invoices[service, number] = InvoicePage(currency, standing, held, changed, bill)

    def touch(self, name: Name, currency: str, position: int) -> InvoicePage:
        """Return the page of an invoice, which a fact at this position changes."""
        page = self.invoices.get(name)
        if page is None:
            page = self.invoices[name] = InvoicePage(currency, None, 0, position)
        page.changed = position
        self._touched.add(name)
        return page

    # --- writing -------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write everything that waits; the transaction stays open."""
        pen = self.pen
        pen.insert("fact", self.facts)
        pen.insert("posting", self.postings)
        pen.insert("payment", self.payments)
        pen.insert("money_case", self.cases)
        pen.insert("quarantine", self.quarantine)
        self._numbered("receipt", self.receipts, ("id",), "receipt_twice")
        self._numbered("closing", self.closings, ("kiosk", "number"), "closing_twice")
        pen.add("balance", [(*key, minor) for key, minor in self.balances.items()], ("minor",))
        pen.add("day_sum", [(*key, *sums) for key, sums in self.days.items()], ("minor", "entries"))
        pen.add("box_note", [(*key, count) for key, count in self.box_notes.items()], ("count",))
        pen.replace("invoice_balance", [self._invoice(name) for name in sorted(self._touched)])
        pen.add("finding", [self._finding(key) for key in self._findings], ("times",))
        for key, (_, _, _, last_ns, _) in self._findings.items():
            pen.change("UPDATE finding SET last_ns = ? WHERE id = ?", (last_ns, finding_id(*key)))
        for rows in (self.facts, self.postings, self.payments, self.cases, self.quarantine):
            rows.clear()
        self.receipts.clear()
        self.closings.clear()
        for sums in (self.balances, self.days, self.box_notes, self._touched, self._findings):
            sums.clear()

    def _invoice(self, name: Name) -> Row:
        page = self.invoices[name]
        owed, paid, base = page.standing or (None, 0, None)
        return (*name, page.currency, paid, page.held, owed, page.changed, base, page.bill)

    def _finding(self, key: tuple[str, str, int, int]) -> Row:
        code, kiosk, epoch, seq = key
        bad, detail, first_ns, last_ns, times = self._findings[key]
        return (finding_id(*key), code, bad, kiosk, epoch, seq, detail, first_ns, last_ns, times)

    def _numbered(self, table: str, rows: list[tuple[int, Row]], key: tuple[str, ...], code: str) -> None:
        """Put in rows whose number may have been given before; the first one stands, the second is a finding."""
        if not rows:
            return
        first: dict[Row, Row] = {}
        for _, row in rows:
            first.setdefault(row[: len(key)], row)
        fresh = list(first.values())
        where = " AND ".join(f"{name} = ?" for name in key)
        there = self.pen.insert_new(table, fresh)
        now_ns = self.received_ns
        for received_ns, row in rows if len(fresh) < len(rows) or there < len(fresh) else ():
            place = _place_of(table, row)
            asked = f"SELECT kiosk, epoch, seq FROM {table} WHERE {where}"
            ((kiosk, epoch, seq),) = self.pen.ask(asked, row[: len(key)])
            if (kiosk, epoch, seq) != place:
                self.received_ns = received_ns  # its own, wherever the transaction ends
                self.found(code, *place, f"its number is that of fact {epoch}/{seq}")
        self.received_ns = now_ns


def _place_of(table: str, row: Row) -> tuple[str, int, int]:
    """Return kiosk, epoch and seq of a row of `receipt` or `closing`."""
    return (row[1], row[2], row[3]) if table == "receipt" else (row[0], row[2], row[3])
