"""Which notes and coins may be fed at this moment: the cash rules as dated data (domain sheet §4, "Cash at kiosk").

A coin has no escrow: it is taken only where it is not above what remains due, so nobody has to be asked.  A note above
what remains due is taken only with the citizen's consent to the excess, a large note only when at least that much is
due, and one session never takes more than its cap.  What becomes of an excess is each service's `over`; a cart follows
its strictest service.  Change is given only where every service of a cart says so and hoppers are fitted; what they
cannot pay is credited.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec

from kiosk.errors import PolicyError
from kiosk.model.money import Money
from kiosk.tariff.services import Service


class CashRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What this counter takes in notes of one currency."""

    id: str
    jurisdiction: str
    currency: str
    effective_from: dt.date
    effective_to: dt.date | None = None
    citation: str
    #: Values that are ever taken.
    accepted_minor: tuple[int, ...]
    #: Of these, values that are taken only while at least that much remains due.
    large_minor: tuple[int, ...] = ()
    #: Most of one session.
    session_cap_minor: int
    #: Most excess that a citizen may agree to in one session; 0: none at all.
    excess_at_most_minor: int = 0
    #: In which order the money of one session fills several invoices, within equal ranks of their services: as they
    #: were ``scanned``, or the ``oldest_first`` by issue date.
    fill_order: Literal["scanned", "oldest_first"] = "scanned"
    #: Coins that are taken, where a coin acceptor is fitted.
    coins_minor: tuple[int, ...] = ()
    #: Largest note taken at all; None: no further limit than `accepted_minor`.
    largest_note_minor: int | None = None

    def for_services(self, services: Iterable[Service]) -> CashRules:
        """Return these rules made as strict as the strictest service of a cart."""
        strict = self
        for service in services:
            over = service.cash
            largest = [each for each in (strict.largest_note_minor, over.largest_note_minor) if each is not None]
            strict = msgspec.structs.replace(
                strict,
                largest_note_minor=min(largest) if largest else None,
                session_cap_minor=min(strict.session_cap_minor, over.session_cap_minor or strict.session_cap_minor),
                excess_at_most_minor=0 if service.over == "refuse" else strict.excess_at_most_minor,
            )
        return strict


#: What may become of an excess, the laxest first.
EXCESS = ("change", "credit", "refund", "refuse")


def strictest_excess(services: Iterable[Service]) -> str:
    """Return what becomes of an excess over a cart of these services: its strictest rule; ``credit`` for none."""
    return max((service.over for service in services), key=EXCESS.index, default="credit")


def check_cash(rules: CashRules, file: str) -> None:
    """Refuse cash rules that contradict themselves.

    Raises:
        PolicyError: names file and rule.
    """
    where = f"{file}: {rules.id}@{rules.effective_from}"
    if not rules.accepted_minor or min(rules.accepted_minor) <= 0:
        raise PolicyError(f"{where}: accepted_minor must name values above zero", hint="list the notes in minor units")
    if not set(rules.large_minor) <= set(rules.accepted_minor):
        raise PolicyError(
            f"{where}: large_minor names a note that is not accepted", hint="list it in both, or in neither"
        )
    if min(rules.coins_minor, default=1) <= 0:
        raise PolicyError(f"{where}: coins_minor names a coin of no value", hint="list the coins in minor units")
    if rules.session_cap_minor <= 0 or rules.excess_at_most_minor < 0:
        raise PolicyError(
            f"{where}: the cap must be above zero and the excess not below", hint="amounts in minor units"
        )


def judge_note(
    rules: CashRules, value: Money, *, due_minor: int, inserted_minor: int, excess_agreed_minor: int = 0
) -> str:
    """Tell what to do with a note: ``take``, ``ask`` (the citizen must agree to an excess first) or ``refuse``."""
    remaining = due_minor - inserted_minor
    over = value.minor - remaining
    refused = (
        value.currency != rules.currency
        or value.minor not in rules.accepted_minor
        or (rules.largest_note_minor is not None and value.minor > rules.largest_note_minor)
        or remaining <= 0
        or inserted_minor + value.minor > rules.session_cap_minor
        or (value.minor in rules.large_minor and over > 0)
    )
    if refused:
        return "refuse"
    if over <= 0:
        return "take"
    if over > rules.excess_at_most_minor:
        return "refuse"
    return "take" if over <= excess_agreed_minor else "ask"


def notes_allowed(
    rules: CashRules,
    known_values: Iterable[Money],
    *,
    due_minor: int,
    inserted_minor: int,
    excess_agreed_minor: int = 0,
    with_question: bool = False,
) -> tuple[Money, ...]:
    """Return the notes to enable, ascending: those of `known_values` that may be fed now.

    `with_question` adds notes that may be drawn into escrow so that the citizen can be asked about the excess.
    """
    wanted = ("take", "ask") if with_question else ("take",)
    return tuple(
        sorted(
            (
                value
                for value in set(known_values)
                if judge_note(
                    rules,
                    value,
                    due_minor=due_minor,
                    inserted_minor=inserted_minor,
                    excess_agreed_minor=excess_agreed_minor,
                )
                in wanted
            ),
            key=lambda value: value.minor,
        )
    )


def coins_allowed(
    rules: CashRules, known_values: Iterable[Money], *, due_minor: int, inserted_minor: int
) -> tuple[Money, ...]:
    """Return the coins to enable, ascending: those of `known_values` that are not above what remains due."""
    room = min(due_minor, rules.session_cap_minor) - inserted_minor
    fits = {
        value
        for value in known_values
        if value.currency == rules.currency and value.minor in rules.coins_minor and value.minor <= room
    }
    return tuple(sorted(fits, key=lambda value: value.minor))


def smallest_excess(
    rules: CashRules, known_values: Iterable[Money], *, due_minor: int, inserted_minor: int
) -> int | None:
    """Return the least excess with which the rest can be paid in notes: 0 where it comes out even.

    None where no note that may be fed would reach it.
    """
    values = sorted(
        {value.minor for value in known_values if value.currency == rules.currency} & set(rules.accepted_minor)
    )
    remaining = due_minor - inserted_minor
    if remaining <= 0:
        return 0
    if not values:
        return None
    over = -remaining % values[0]
    return over if over <= rules.excess_at_most_minor else None
