"""The blind count of a box that left the kiosk: receive it, count it, and only then hear what should be in it.

Rules over one `BoxPage`, without a clock or a file.  What must stay true (domain sheet §9, invariants 18 to 20):

- Before the final attempt nothing here tells what is expected: no result and no error holds a number that was not
  handed in by the same caller, and no rule of an attempt looks at the content.
- Every attempt is a fact.  After the final one there is no further attempt.
- A difference goes to its own account, with a reason, and above a limit with a second person's signature.
- Who took the box out should not count it.  Where they do, the fact says so.

A kiosk has one currency.  Notes of another one that are found in the box are counted apart and compared, and a
difference needs a reason and a signature like any other; but nothing is booked for them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from kiosk.core.pages import BoxPage
from kiosk.core.people import OperatorSettings
from kiosk.errors import CountError
from kiosk.ledger.chart import Chart
from kiosk.ledger.entries import count_closed
from kiosk.model.custody_facts import BoxCounted, BoxReceived, CountClosed, NoteCount
from kiosk.model.money import MINOR_DIGITS, Money

#: Attempts at one box; the last one must be final.
MOST_ATTEMPTS = 20
#: Values in one attempt, notes of one value, and the largest value, minor units: beyond any box and any note.
MOST_VALUES, MOST_NOTES, LARGEST_MINOR = 40, 20_000, 100_000_000
SHORTEST_REASON, LONGEST_REASON = 3, 200
_NOTES = "counting.why.notes"


class Found(msgspec.Struct, frozen=True):
    """What a final attempt found in one currency, beside what was expected; minor units."""

    currency: str
    expected_minor: int
    counted_minor: int

    @property
    def over_short_minor(self) -> int:
        """Counted less expected."""
        return self.counted_minor - self.expected_minor


def state_of(page: BoxPage) -> str:
    """Return ``to_receive``, ``to_count``, ``to_close`` or ``closed``."""
    if page.closed is not None:
        return "closed"
    if final_of(page) is not None:
        return "to_close"
    return "to_receive" if page.received is None else "to_count"


def final_of(page: BoxPage) -> BoxCounted | None:
    """Return the final attempt, None before it."""
    return next((each for each in page.attempts if each.final), None)


def receive(page: BoxPage, *, by: str, box: str, seal: str, seal_whole: bool) -> BoxReceived:
    """Take in a box.  Another number, another seal or a broken one is evidence: it is recorded and stops nothing.

    Raises:
        CountError: it was received before, or a number cannot be read.
    """
    if page.received is not None:
        raise CountError(
            f"the box of session {page.session} was received before",
            say="counting.why.received",
            hint="go on with the count",
        )
    box, seal = _words(box, "the box's number", 1, 24), _words(seal, "the seal's number", 0, 24)
    return BoxReceived(page.session, box, seal, seal_whole, by)


def attempt(page: BoxPage, notes: Sequence[NoteCount], *, by: str, currency: str, final: bool) -> BoxCounted:
    """Take an attempt down; `total_minor` is of the kiosk's currency alone.

    Raises:
        CountError: the box is not there, its count is final, or the notes cannot be read.
    """
    if page.received is None:
        raise CountError(
            f"the box of session {page.session} was not received",
            say="counting.why.not_received",
            hint="receive it first",
        )
    if final_of(page) is not None:
        raise CountError(
            f"the count of session {page.session} is final",
            say="counting.why.final",
            hint="close it; a count is not repeated then",
        )
    number = len(page.attempts) + 1
    if number >= MOST_ATTEMPTS and not final:
        raise CountError(
            f"session {page.session} was counted {len(page.attempts)} times",
            say="counting.why.attempts",
            hint="make this one final",
        )
    listed = _checked(notes)
    return BoxCounted(page.session, number, listed, _total(listed, currency), currency, by, final)


def reveal(page: BoxPage, currency: str) -> tuple[Found, ...]:
    """Tell what the final attempt found beside what was expected, the kiosk's currency first.

    Raises:
        CountError: there is no final attempt: what is expected stays sealed.
    """
    final = final_of(page)
    if final is None:
        raise CountError(
            f"the count of session {page.session} is not final",
            say="counting.why.not_final",
            hint="make the last attempt final first",
        )
    others = {code for code, counts in page.content.items() if any(counts.values())}
    others |= {each.currency for each in final.notes}
    return tuple(
        Found(code, page.content_minor(code), _total(final.notes, code))
        for code in (currency, *sorted(others - {currency}))
    )


def second_needed(found: Iterable[Found], settings: OperatorSettings) -> bool:
    """Tell whether a difference is so large that a second person signs: above the less of amount and share."""
    return any(
        abs(each.over_short_minor) > settings.signature_above_minor
        or abs(each.over_short_minor) * 1000 > each.expected_minor * settings.signature_above_permille
        for each in found
    )


def close(
    page: BoxPage, chart: Chart, settings: OperatorSettings, *, by: str, currency: str, reason: str, second: str
) -> CountClosed:
    """Compare and book the final attempt.

    `second` is a person who proved who they are, "" for none; it is kept only where it was needed.

    Raises:
        CountError: there is no final attempt, it was closed before, or reason or second signature are missing.
    """
    if page.closed is not None:
        raise CountError(
            f"the count of session {page.session} is closed",
            say="counting.why.closed",
            hint="a correction is an entry of its own",
        )
    found = reveal(page, currency)
    final = final_of(page)
    assert final is not None
    differs = any(each.over_short_minor for each in found)
    told = _words(reason, "the reason", SHORTEST_REASON if differs else 0, LONGEST_REASON)
    if not second_needed(found, settings):
        second = ""
    elif not second:
        raise CountError(
            "a difference above the limit needs a second signature",
            say="counting.why.signature",
            hint="another person signs with their PIN",
        )
    elif second in (final.by, by):
        raise CountError(
            f"{second} counted and cannot be the second to sign",
            say="counting.why.signer_counted",
            hint="another person signs",
        )
    own = found[0]
    return CountClosed(
        box_session=page.session,
        attempt=final.attempt,
        expected_minor=own.expected_minor,
        counted_minor=own.counted_minor,
        over_short_minor=own.over_short_minor,
        currency=currency,
        reason=told,
        by=by,
        second=second,
        separation=separation(page, by, second),
        entry=count_closed(chart, Money(own.expected_minor, currency), Money(own.counted_minor, currency)),
    )


def separation(page: BoxPage, by: str, second: str) -> tuple[str, ...]:
    """Return the duties that one person held together (domain sheet §9, invariant 20)."""
    collectors = {_plain(page.first), _plain(page.second)} - {""}
    counters = {by, *(each.by for each in page.attempts)}
    held = (
        ("collector_counted", bool(collectors & counters)),
        ("collector_signed", second in collectors),
        ("counter_signed", second in counters),
    )
    return tuple(name for name, true in held if true)


def _plain(person: str) -> str:
    return person.removeprefix("operator:")


def _total(notes: Iterable[NoteCount], currency: str) -> int:
    return sum(each.value_minor * each.count for each in notes if each.currency == currency)


def _checked(notes: Sequence[NoteCount]) -> tuple[NoteCount, ...]:
    """Return counts in a fixed order without zeros."""
    if len(notes) > MOST_VALUES:
        raise CountError(f"{len(notes)} values of notes are too many", say=_NOTES, hint=f"at most {MOST_VALUES}")
    for each in notes:
        if each.currency not in MINOR_DIGITS:
            raise CountError(
                f"currency {each.currency[:20]!r} is not known", say=_NOTES, hint="an ISO 4217 code, e.g. USD"
            )
        if not 0 < each.value_minor <= LARGEST_MINOR:
            raise CountError(
                f"{each.value_minor} is not the value of a note", say=_NOTES, hint="in minor units, e.g. 2000 for 20"
            )
        if not 0 <= each.count <= MOST_NOTES:
            raise CountError(f"{each.count} notes cannot be in a box", say=_NOTES, hint=f"0 to {MOST_NOTES}")
    values = [(each.currency, each.value_minor) for each in notes]
    if len(set(values)) != len(values):
        raise CountError("a value of notes is there twice", say=_NOTES, hint="each value once, all its notes together")
    return tuple(sorted((each for each in notes if each.count), key=lambda each: (each.currency, each.value_minor)))


def _words(text: str, what: str, shortest: int, longest: int) -> str:
    told = " ".join(text.split(" ")).strip()
    if not (shortest <= len(told) <= longest and told.isprintable()):
        raise CountError(
            f"{what} is missing or cannot be read",
            say="counting.why.words",
            hint=f"{shortest} to {longest} printable characters",
        )
    return told
