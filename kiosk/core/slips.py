"""The layout of numbered slips: from a committed `ReceiptIssued` to lines for the printer.

A slip is built from committed facts and the city's texts alone, so the same fact always prints the same slip.
The session's language speaks; legal lines are repeated in the official language where that is another one.
Amounts and numbers are plain ASCII wherever the currency's manner allows (devices sheet §1.6).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import msgspec

from kiosk.core.city import City
from kiosk.core.slip_layouts import BLIND, CLAIM_BY, Layout, claims, layout_of, meaning, ruler, sum_word
from kiosk.errors import ReceiptError
from kiosk.journal.receipt_seal import receipt_id
from kiosk.model.facts import Committed, ReceiptIssued, ReceiptLine
from kiosk.model.money import Money
from kiosk.model.slip import BarCode, Cut, Feed, Pair, QrCode, Rule, Slip, Words
from kiosk.model.texts import Parameter, text
from kiosk.texts import Catalogue

#: A label with fewer columns beside its value than this stands above it.
LEAST_LABEL = 8

Line = Words | Pair | Rule | Feed | QrCode | BarCode | Cut


class SlipPrinter(msgspec.Struct, frozen=True):
    """Lays out slips for one city and one printer width."""

    city: City
    catalogue: Catalogue
    #: Message id of a service's name by service id.
    service_names: dict[str, str]
    #: Characters of the printer's line.
    columns: int = 42
    #: Languages of the screen: a test slip shows the letters of each.
    languages: tuple[str, ...] = ("en",)

    def lay_out(self, committed: Committed, sealed: str, *, copy: int = 0) -> Slip:
        """Return the slip of a committed fact.

        Raises:
            ReceiptError: the fact is not a slip, of a layout this software does not know, or tells what it must not.
        """
        body = committed.fact.body
        if not isinstance(body, ReceiptIssued):
            raise ReceiptError(f"fact {committed.fact.seq} is not a slip", hint="use the number on the slip")
        return Slip(tuple(self._lines(committed, body, layout_of(body), sealed, copy)), body.language)

    def _lines(
        self, committed: Committed, body: ReceiptIssued, layout: Layout, sealed: str, copy: int
    ) -> Iterator[Line]:
        fact, language = committed.fact, body.language
        say = self.catalogue.word
        yield from self._head(language, specimen=fact.realm != "live", copy=copy)
        yield Rule()
        yield from self._centre(say(f"slip.title.{body.slip}", language), bold=True)
        if body.of_kind:
            yield from self._centre(say(f"slip.of_kind.{body.slip}", language, no=str(body.of_kind)))
        yield from self._pair(say("slip.number", language), str(receipt_id(committed)))
        yield from self._pair(say("slip.date", language), fact.stamp.at.local().strftime("%Y-%m-%d %H:%M"))
        yield from self._pair(say("slip.kiosk", language), fact.kiosk)
        yield Rule()
        if layout.particulars is None:
            yield from self._paid(body, language)
            yield from self._sums(body, language)
        else:
            yield from self._told(body, language)
        if layout.trial:
            yield from self._trial()
        yield Rule()
        yield from self._legal_lines(body, language)
        yield from self._contact(language)
        if self.city.receipt.footer:
            yield from self._legal(self.city.receipt.footer, language)
        yield Feed()
        yield QrCode(sealed, 4)
        yield from self._centre(say("slip.verify", language))
        place = f"{fact.epoch}/{fact.seq} {committed.hash.hex()[:16]}"
        # Figures that stand alone would be put into the order of a language that runs from right to left.
        yield from self._centre(f"\u2066{place}\u2069" if self.catalogue.direction(language) == "rtl" else place)
        if fact.realm != "live":
            # Again at the foot: a head that was cut off must not make a receipt of it.
            yield from self._centre(say("slip.specimen", language), bold=True, size=2)
        yield Feed(1)
        yield Cut()

    def _head(self, language: str, *, specimen: bool, copy: int) -> Iterator[Line]:
        yield from self._centre(self.city.name, bold=True, size=2)
        for line in (self.city.office, self.city.address, *self.city.receipt.header):
            yield from self._centre(line)
        if specimen:
            yield from self._centre(self.catalogue.word("slip.specimen", language), bold=True, size=2)
        if copy:
            yield from self._centre(self.catalogue.word("slip.copy", language, copy=copy), bold=True, size=2)

    def _told(self, body: ReceiptIssued, language: str) -> Iterator[Line]:
        """Set the particulars of a slip without sums; a value that is a word of ours is translated."""
        for each in body.particulars:
            word = f"slip.value.{each.name}.{each.value}"
            value = self.catalogue.word(word, language) if self.catalogue.has(word) else each.value
            yield from self._pair(self.catalogue.word(f"slip.particular.{each.name}", language), value)

    def _trial(self) -> Iterator[Line]:
        """Show what the printer can set: each language's letters, the columns, the sizes."""
        for language in self.languages:
            yield from self._words(self.catalogue.word("slip.test.letters", language))
        for line in ruler(self.columns):
            yield Words(line)
        yield Words("1234567890 ABC abc"[: self.columns], bold=True)
        yield Words("1234567890 ABC"[: self.columns // 2], size=2)

    def _legal_lines(self, body: ReceiptIssued, language: str) -> Iterator[Line]:
        """Say what the slip means, how, where and until when to claim, and that it is no claim by itself."""
        explained = f"slip.explain.{meaning(body)}"
        if self.catalogue.has(explained):
            yield from self._legal(explained, language)
        claimed = claims(body)
        for each in claimed:
            yield from self._legal(f"slip.claim.{each}", language)
        until = next((each.value for each in body.particulars if each.name == CLAIM_BY), "")
        if claimed and until:
            yield from self._legal("slip.claim.by", language, by_date=until)
        if body.slip not in BLIND:  # staff hold no claim with theirs
            yield from self._legal("slip.legal.no_bearer", language)
        if self.city.example:
            yield from self._legal("slip.legal.example", language)

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
            if name in ("note", "coin") and value:
                label = self.catalogue.word(
                    f"slip.{name}_line", language, count=total.minor, value=Money(int(value), body.currency)
                )
                amount = Money(total.minor * int(value), body.currency)
            elif name == "held" and value:
                service, _, number = value.partition("/")
                called = self.catalogue.word(self.service_names.get(service, service), language)
                label = self.catalogue.word("slip.held_for", language, service=called, number=number)
                amount = Money(total.minor, body.currency)
            else:
                names = [each.name for each in body.totals]
                word = f"slip.total.{body.slip}" if name == "note" else sum_word(name, names)
                label = self.catalogue.word(word, language)
                amount = Money(total.minor, body.currency)
            bold = name in ("applied", "overpayment", "change", "owed", "held", "pending") and not value
            yield from self._pair(label, self.catalogue.money(amount, language), bold=bold)

    def _legal(self, message: str, language: str, **params: Parameter) -> Iterator[Line]:
        city = self.city
        told = text(
            message, phone=city.support_phone or city.website or city.name, place=city.address or city.name,
            website=city.website, hours=city.hours, **params,
        )  # fmt: skip
        yield from self._words(self.catalogue.say(told, language))
        if language != city.official_language:
            yield from self._words(self.catalogue.say(told, city.official_language), indent="  ")

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
        if room < LEAST_LABEL:
            yield from self._words(left, bold=bold)
            for line in textwrap.wrap(right, self.columns):
                yield Words(line, align="right", bold=bold)
            return
        wrapped = textwrap.wrap(left, room)
        for line in wrapped[:-1]:
            yield Words(line, bold=bold)
        yield Pair(wrapped[-1], right, bold=bold)
