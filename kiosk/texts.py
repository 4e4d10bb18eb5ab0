"""Words: message ids become sentences in a language, with money and dates written in the reader's manner.

A catalogue is a gettext file (``messages.po``) whose msgids are dotted names (``screen.review.title``), read at
the start and kept as plain dictionaries.  The product's own texts lie in ``kiosk/locales/<language>/messages.po``;
a city lays its own beside its services (``config/texts/<language>.po``), and a later directory wins, so that a
city changes a word without touching the program.

Rules that must stay true: a text from a catalogue is a template, a parameter never is (a scanned ``{amount}`` stays
as it is); a text that is missing is shown by its id and reported in `missing`, never as an empty line; nothing here
changes after loading, so any thread may read.  The header ``Language:`` of a file may name a region (``es_US``): it
decides how money and dates are written.

Babel is heavy to import, so it is imported where it is used.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import msgspec

from kiosk.errors import MoneyError, TextError
from kiosk.model.money import Money, minor_digits
from kiosk.model.texts import Parameter, Text, text

#: Where the product's own texts lie.
PRODUCT = Path(__file__).parent / "locales"
#: The language that every text exists in, and the one that fills a gap of another.
FIRST = "en"

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")

Plural = Callable[[int], int]


class Language(msgspec.Struct, frozen=True):
    """One loaded language: how its numbers are written, how it counts, and its texts."""

    tag: str
    #: Locale for money and dates, e.g. ``es_US``.
    locale: str
    plural: Plural
    #: A plain text, or the forms of a text that counts.
    texts: dict[str, str | tuple[str, ...]]
    #: ``ltr`` or ``rtl``.
    direction: str = "ltr"

    def isolated(self, piece: str) -> str:
        """Enclose a number, an amount or a foreign word, so that right-to-left words around it cannot turn it.

        First-strong isolate and its end (Unicode Standard Annex 9); nothing in a language that runs left to right.
        """
        return f"\u2068{piece}\u2069" if self.direction == "rtl" and piece else piece


class Catalogue:
    """All texts in all languages.  Owns no wording of its own and decides nothing about the checkout."""

    def __init__(self, languages: Iterable[Language]) -> None:
        self._languages = {language.tag: language for language in languages}
        if FIRST not in self._languages:
            raise TextError(f"no texts for the language {FIRST!r}", hint="kiosk/locales/en/messages.po must be there")
        self._missing: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, directories: Iterable[Path] = ()) -> Catalogue:
        """Read the product's texts, then each further directory; what is read later wins.

        A directory holds ``<language>.po`` or ``<language>/messages.po``.

        Raises:
            TextError: a file is not a catalogue, or a directory that was named is not there.
        """
        found: dict[str, Language] = {}
        for directory in (PRODUCT, *directories):
            if not directory.is_dir():
                raise TextError(f"the directory of texts {directory} is not there", hint="remove it from the list")
            for path in sorted([*directory.glob("*.po"), *directory.glob("*/messages.po")]):
                tag = path.stem if path.parent == directory else path.parent.name
                found[tag] = _read(path, tag, found.get(tag))
        return cls(found.values())

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags of all loaded languages, in order."""
        return tuple(sorted(self._languages))

    def direction(self, language: str) -> str:
        """Tell which way a language runs: ``ltr`` or ``rtl``."""
        return self._language(language).direction

    @staticmethod
    def page_tag(language: str) -> str:
        """The tag that a page names a language by: a code for local use (qaa to qtz) is no language to a browser.

        >>> Catalogue.page_tag("ar"), Catalogue.page_tag("qps")
        ('ar', 'en-x-qps')
        """
        local = len(language) == 3 and "qaa" <= language <= "qtz"
        return f"{FIRST}-x-{language}" if local else language

    @property
    def missing(self) -> frozenset[tuple[str, str]]:
        """(language, id) of every text that was asked for and is not there, or lacked a parameter."""
        with self._lock:
            return frozenset(self._missing)

    def ids(self, language: str) -> frozenset[str]:
        """Every message id of one language; empty for one that is not loaded."""
        found = self._languages.get(language)
        return frozenset(found.texts) if found else frozenset()

    def has(self, message: str, language: str = FIRST) -> bool:
        """Tell whether this language has this text itself."""
        found = self._languages.get(language)
        return found is not None and message in found.texts

    def template(self, message: str, language: str) -> str:
        """Return a text as its file holds it, all forms of one that counts; "" where this language lacks it."""
        found = self._languages.get(language)
        told = found.texts.get(message, "") if found else ""
        return told if isinstance(told, str) else "\n".join(told)

    def say(self, told: Text, language: str) -> str:
        """Return the text in words.  A missing text is shown by its id between brackets and reported in `missing`."""
        spoken = self._language(language)
        source = spoken
        template = spoken.texts.get(told.id)
        if template is None:
            self._report(spoken.tag, told.id)
            source = self._languages[FIRST]
            template = source.texts.get(told.id)
            if template is None:
                return f"[{told.id}]"
        params = dict(told.params)
        if isinstance(template, tuple):
            template = _form(template, source.plural, params)

        def fill(field: re.Match[str]) -> str:
            name = field[1]
            if name not in params:
                self._report(spoken.tag, told.id)
                return "…"
            value = params[name]
            filled = self._parameter(name, value, spoken)
            return filled if isinstance(value, Money) else spoken.isolated(filled)

        return _FIELD.sub(fill, template)

    def word(self, message: str, language: str, **params: Parameter) -> str:
        """Return a text by its id and parameters: `say` for callers that hold no `Text`."""
        return self.say(text(message, **params), language)

    def money(self, amount: Money, language: str) -> str:
        """Write an amount in the reader's manner: $1,240.50."""
        from babel.numbers import format_currency

        spoken = self._language(language)
        value = Decimal(amount.minor).scaleb(-minor_digits(amount.currency))
        told = format_currency(value, amount.currency, locale=self._money_locale(spoken))
        return spoken.isolated(str(told))

    def note(self, amount: Money, language: str) -> str:
        """Write the value of a note, without the minor unit where it is zero: $20."""
        from babel.numbers import format_currency

        value = Decimal(amount.minor).scaleb(-minor_digits(amount.currency))
        if amount.minor % 10 ** minor_digits(amount.currency):
            return self.money(amount, language)
        spoken = self._language(language)
        locale = self._money_locale(spoken)
        told = format_currency(value, amount.currency, locale=locale, format="¤#,##0", currency_digits=False)
        return spoken.isolated(str(told))

    def notes(self, listed: str, language: str) -> str:
        """Write a `note_list` in the reader's manner: $1, $5, $20.  Anything else is returned as it came."""
        currency, *values = listed.split(" ")
        try:
            amounts = [Money(int(value), currency) for value in values]
            return ", ".join(self.note(amount, language) for amount in amounts)
        except (ValueError, MoneyError):
            return listed

    def date(self, iso: str, language: str) -> str:
        """Write an ISO date in the reader's manner: March 9, 2026.  Anything else is returned as it came."""
        from babel.dates import format_date

        try:
            day = dt.date.fromisoformat(iso[:10])
        except ValueError:
            return iso
        return str(format_date(day, "long", locale=self._language(language).locale))

    def moment(self, iso: str, language: str) -> str:
        """Write the date and time of an ISO time stamp, as its own zone tells it."""
        from babel.dates import format_datetime

        try:
            when = dt.datetime.fromisoformat(iso)
        except ValueError:
            return iso
        return str(format_datetime(when.replace(tzinfo=None), "medium", locale=self._language(language).locale))

    def findings(self) -> tuple[str, ...]:
        """What is wrong with the translations: texts that lack, and parameters that differ from the first language."""
        first = self._languages[FIRST]
        found = []
        for language in self._languages.values():
            found += [
                f"{language.tag}: {message} is missing" for message in first.texts if message not in language.texts
            ]
            for message, template in language.texts.items():
                if message in first.texts and _fields(template) != _fields(first.texts[message]):
                    found.append(f"{language.tag}: {message} has other parameters than in {FIRST}")
        return tuple(sorted(found))

    def _language(self, tag: str) -> Language:
        found = self._languages.get(tag) or self._languages.get(tag.partition("-")[0])
        return found or self._languages[FIRST]

    def _money_locale(self, spoken: Language) -> str:
        """Right to left, an amount is an island that reads as it does on the notes and on the city's own bills."""
        return spoken.locale if spoken.direction == "ltr" else self._languages[FIRST].locale

    def _report(self, language: str, message: str) -> None:
        with self._lock:
            if len(self._missing) < 1000:
                self._missing.add((language, message))

    def _parameter(self, name: str, value: Parameter, language: Language) -> str:
        if isinstance(value, Money):
            return self.money(value, language.tag)
        if isinstance(value, int):
            from babel.numbers import format_decimal

            return str(format_decimal(value, locale=language.locale))
        if name.endswith("_date"):
            return self.date(value, language.tag)
        if name.endswith("_notes"):
            return self.notes(value, language.tag)
        # A parameter that is itself a word of ours (a state, an outcome) is translated: word.<parameter>.<value>.
        known = language.texts.get(f"word.{name}.{value}")
        return known if isinstance(known, str) else value


def _fields(template: str | tuple[str, ...]) -> set[str]:
    forms = (template,) if isinstance(template, str) else template
    return {name for form in forms for name in _FIELD.findall(form)}


def _form(forms: tuple[str, ...], plural: Plural, params: dict[str, Parameter]) -> str:
    count = params.get("count", 0)
    place = plural(abs(count)) if isinstance(count, int) else 0
    return forms[min(place, len(forms) - 1)]


def _read(path: Path, tag: str, before: Language | None) -> Language:
    """Read one file over what an earlier directory said in this language."""
    from gettext import c2py

    from babel.core import Locale, UnknownLocaleError
    from babel.messages.pofile import PoFileError, read_po

    if not _LANGUAGE.fullmatch(tag):
        raise TextError(f"{path} is not named after a language", hint="name it like es.po or es/messages.po")
    try:
        with path.open("rb") as file:
            catalog = read_po(file, abort_invalid=True)
        locale = str(catalog.locale or catalog.locale_identifier or tag)
        direction = str(Locale.parse(locale).text_direction)
        plural: Plural = c2py(catalog.plural_expr)
    except (PoFileError, UnknownLocaleError, UnicodeDecodeError, ValueError) as error:
        raise TextError(f"{path} is not a catalogue: {error}", hint="check it with msgfmt -c") from error
    texts: dict[str, str | tuple[str, ...]] = dict(before.texts) if before else {}
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        if isinstance(message.id, (tuple, list)):
            forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
            if all(forms):
                texts[message.id[0]] = tuple(str(form) for form in forms)
        elif message.string:
            texts[str(message.id)] = str(message.string)
    return Language(tag, locale, plural, texts, direction)
