"""The layout of numbered slips: from a committed `ReceiptIssued` to lines for the printer.

A slip is built from committed facts and the city's texts alone, so the same fact always prints the same slip.
The session's language speaks; legal lines are repeated in the official language where that is another one.
Amounts and numbers are plain ASCII wherever the currency's manner allows (devices sheet §1.6).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from kiosk.errors import ReceiptError
from kiosk.journal.receipt_seal import receipt_id
from kiosk.model.facts import Committed, ReceiptIssued, ReceiptLine
from kiosk.model.money import Money
from kiosk.model.slip import BarCode, Cut, Feed, Pair, QrCode, Rule, Slip, Words
from kiosk.model.texts import text
from kiosk.texts import Catalogue

Line = Words | Pair | Rule | Feed | QrCode | BarCode | Cut


class City(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[city]` section: who stands behind the kiosk."""

    name: str
    #: Printed under the name, e.g. the department.
    office: str = ""
    support_phone: str = ""
    #: Where slips are claimed and questions answered.
    address: str = ""
    hours: str = ""
    website: str = ""
    #: Language of legal lines.
    official_language: str = "en"
    #: Printed on every slip of a city whose fees are examples.
    example: bool = False


class SlipPrinter(msgspec.Struct, frozen=True):
    """Lays out slips for one city and one printer width."""

    city: City
    catalogue: Catalogue
    #: Message id of a service's name by service id.
    service_names: dict[str, str]
    #: Characters of the printer's line.
    columns: int = 42

    def lay_out(self, committed: Committed, sealed: str, *, copy: int = 0) -> Slip:
        """Return the slip of a committed fact.

        Raises:
            ReceiptError: the fact is not a slip, or of a layout this software does not know.
        """
        body = committed.fact.body
        if not isinstance(body, ReceiptIssued):
            raise ReceiptError(f"fact {committed.fact.seq} is not a slip", hint="use the number on the slip")
        if body.layout != 1:
            raise ReceiptError(f"slip layout {body.layout} is newer than this software", hint="update the kiosk")
        return Slip(tuple(self._lines(committed, body, sealed, copy)), body.language)

    def _lines(self, committed: Committed, body: ReceiptIssued, sealed: str, copy: int) -> Iterator[Line]:
        fact, language = committed.fact, body.language
        say = self.catalogue.word
        yield from self._centre(self.city.name, bold=True, size=2)
        for line in (self.city.office, self.city.address):
            yield from self._centre(line)
        if fact.realm != "live":
            yield from self._centre(say("slip.specimen", language), bold=True, size=2)
        if copy:
            yield from self._centre(say("slip.copy", language, copy=copy), bold=True, size=2)
        yield Rule()
        yield from self._centre(say(f"slip.title.{body.slip}", language), bold=True)
        yield from self._pair(say("slip.number", language), str(receipt_id(committed)))
        yield from self._pair(say("slip.date", language), fact.stamp.at.local().strftime("%Y-%m-%d %H:%M"))
        yield from self._pair(say("slip.kiosk", language), fact.kiosk)
        yield Rule()
        yield from self._paid(body, language)
        yield from self._sums(body, language)
        yield Rule()
        for kind in ("explain", "claim"):
            message = f"slip.{kind}.{body.slip}"
            if self.catalogue.has(message):
                yield from self._legal(message, language)
        if any(total.name == "overpayment" for total in body.totals):
            yield from self._legal("slip.claim.overpayment", language)
        if any(total.name == "pending" for total in body.totals):
            yield from self._legal("slip.claim.pending", language)
        yield from self._legal("slip.legal.no_bearer", language)
        if self.city.example:
            yield from self._legal("slip.legal.example", language)
        yield from self._contact(language)
        yield Feed()
        yield QrCode(sealed, 4)
        yield from self._centre(say("slip.verify", language))
        yield from self._centre(f"{committed.fact.epoch}/{committed.fact.seq} {committed.hash.hex()[:16]}")
        yield Feed(1)
        yield Cut()

    def _paid(self, body: ReceiptIssued, language: str) -> Iterator[Line]:
        shown: tuple[str, str] | None = None
        for line in body.lines:
            if (line.service, line.number) != shown:
                shown = (line.service, line.number)
                name = self.catalogue.word(self.service_names.get(line.service, line.service), language)
                yield from self._words(f"{name} {line.number}", bold=True)
            yield from self._line(line, body.currency, language)
        if body.lines:
            yield Rule()

    def _line(self, line: ReceiptLine, currency: str, language: str) -> Iterator[Line]:
        label = self.catalogue.word(f"component.{line.component}", language)
        yield from self._pair(label, self.catalogue.money(Money(line.minor, currency), language))
        yield from self._words(self.catalogue.say(line.reason, language), indent="  ")
        if line.citation:
            yield from self._words(line.citation, indent="  ")

    def _sums(self, body: ReceiptIssued, language: str) -> Iterator[Line]:
        for total in body.totals:
            name, _, value = total.name.partition(":")
            if name == "note" and value:
                label = self.catalogue.word(
                    "slip.note_line", language, count=total.minor, value=Money(int(value), body.currency)
                )
                amount = Money(total.minor * int(value), body.currency)
            else:
                label = self.catalogue.word(f"slip.total.{body.slip if name == 'note' else name}", language)
                amount = Money(total.minor, body.currency)
            bold = name in ("applied", "overpayment", "pending")
            yield from self._pair(label, self.catalogue.money(amount, language), bold=bold)

    def _legal(self, message: str, language: str) -> Iterator[Line]:
        told = text(message, phone=self.city.support_phone, website=self.city.website, hours=self.city.hours)
        yield from self._words(self.catalogue.say(told, language))
        if language != self.city.official_language:
            yield from self._words(self.catalogue.say(told, self.city.official_language), indent="  ")

    def _contact(self, language: str) -> Iterator[Line]:
        if self.city.support_phone:
            yield from self._words(
                self.catalogue.word("slip.contact", language, phone=self.city.support_phone, hours=self.city.hours)
            )

    # --- setting ------------------------------------------------------------------------------------------

    def _words(self, told: str, *, bold: bool = False, indent: str = "") -> Iterator[Words]:
        for line in textwrap.wrap(told, self.columns, initial_indent=indent, subsequent_indent=indent):
            yield Words(line, bold=bold)

    def _centre(self, told: str, *, bold: bool = False, size: int = 1) -> Iterator[Words]:
        for line in textwrap.wrap(told, self.columns // size):
            yield Words(line, align="centre", bold=bold, size=size)

    def _pair(self, left: str, right: str, *, bold: bool = False) -> Iterator[Line]:
        room = self.columns - len(right) - 1
        if len(left) <= room:
            yield Pair(left, right, bold=bold)
            return
        wrapped = textwrap.wrap(left, max(8, room))
        for line in wrapped[:-1]:
            yield Words(line, bold=bold)
        yield Pair(wrapped[-1], right, bold=bold)
