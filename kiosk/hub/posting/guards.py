"""Why a fact cannot be posted: a code of quarantine and words, or None.  Looked at before anything of it is posted.

A kiosk that was taken over can sign whatever it likes.  Nothing it says may stop the books of all others: numbers that
no database holds, texts that no index takes, entries that do not balance are set apart here, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from kiosk.hub.posting.rules import LONGEST_KEY, MOST_MINOR, MOST_NS, MOST_NUMBER, unbalanced
from kiosk.model import facts
from kiosk.model.entry import Entry
from kiosk.model.facts import Fact
from kiosk.model.money import MINOR_DIGITS, Money

Fault = tuple[str, str] | None
#: How a NUL is written in JSON; PostgreSQL cannot hold one in a text, so neither engine does.
_NUL = b"\\u0000"


def envelope(fact: Fact, row: bytes, kiosk: str, epoch: int, seq: int, realm: str) -> Fault:
    """Look at what every fact has."""
    if fact.kiosk != kiosk:
        return "foreign_kiosk", f"it tells of {fact.kiosk[:40]!r}"
    if fact.epoch != epoch or fact.seq != seq:
        return "row_misplaced", f"it says {fact.epoch}/{fact.seq}"
    if fact.realm != realm:
        return "other_realm", f"it is of the realm {fact.realm[:20]!r}, this hub keeps the books of {realm!r}"
    stamp = fact.stamp
    if not 0 <= stamp.at.wall_ns <= MOST_NS or not 0 <= stamp.box_session <= MOST_NUMBER:
        return "value_out_of_range", "its time or its box session"
    if len(stamp.session) > LONGEST_KEY:
        return "value_out_of_range", "its session's name is too long"
    try:
        if _NUL in row and _has_nul(msgspec.json.decode(row)):
            return "value_out_of_range", "a text holds a NUL"
    except RecursionError:
        return "value_out_of_range", "a value lies too deep within others"
    return None


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_has_nul, value))


def _amounts(*amounts: int) -> Fault:
    if all(-MOST_MINOR <= each <= MOST_MINOR for each in amounts):
        return None
    return "value_out_of_range", "an amount is larger than any cash box"


def _numbers(*numbers: int) -> Fault:
    if all(0 <= each <= MOST_NUMBER for each in numbers):
        return None
    return "value_out_of_range", "a number is larger than any count"


def _keys(keys: Iterable[str]) -> Fault:
    return ("value_out_of_range", "a name is too long") if any(len(each) > LONGEST_KEY for each in keys) else None


def _currency(currency: str) -> Fault:
    """An amount of a currency that nobody knows could never be written down, and no date that holds it be exported."""
    return None if currency in MINOR_DIGITS else ("value_out_of_range", f"there is no currency {currency[:10]!r}")


def _entry(entry: Entry | None) -> Fault:
    if entry is None:
        return None
    why = unbalanced(entry)
    if why:
        return "entry_unbalanced", why
    return (
        _currency(entry.currency)
        or _amounts(sum([each.minor for each in entry.postings if each.minor > 0]))
        or _keys([each.account for each in entry.postings])
    )


def _note(value: Money | None, entry: Entry | None) -> Fault:
    fault = _entry(entry)
    if fault is None and value is not None:
        fault = _amounts(value.minor) or _currency(value.currency)
    return fault


def _settled(body: facts.Settled) -> Fault:
    parts = (*body.used, *body.held)
    sums = [body.tender_minor, body.overpayment_minor, *[each.minor for each in parts]]
    for each in body.allocations:
        sums += (each.minor, each.remaining_minor)
        if each.minor < 0 or each.remaining_minor < 0:
            return "value_out_of_range", "an invoice got less than nothing"
    names = [word for each in body.allocations for word in (each.service, each.number)]
    names += [word for each in parts for word in (each.service, each.number)]
    # Of what one fact applies many parts may be of one invoice: their sum, too, has to be an amount.
    sums.append(sum([each.minor for each in body.allocations]))
    return _entry(body.entry) or _amounts(*sums) or _currency(body.currency) or _keys(names)


def _frozen(body: facts.TenderFrozen) -> Fault:
    return _amounts(*[quote.paid_minor for quote in body.quotes], *[each.minor for each in body.held])


def _closed(body: facts.DayClosed) -> Fault:
    fault = _numbers(body.number, body.box_session) or _amounts(body.period.taken_minor)
    # The grand total is never reset: it may grow beyond one amount, never beyond what the database holds.
    return fault or (None if abs(body.grand_total_minor) < MOST_NS else ("value_out_of_range", "a grand total"))


def _count(body: facts.CountClosed) -> Fault:
    sums = (body.expected_minor, body.counted_minor, body.over_short_minor)
    return _entry(body.entry) or _amounts(*sums) or _currency(body.currency) or _numbers(body.box_session)


def _reversed(body: facts.Reversed) -> Fault:
    return _entry(body.entry) or _numbers(body.original_epoch, body.original_seq)


def _intended(body: facts.PayoutIntended) -> Fault:
    keys = _keys((body.payout, body.device))
    return keys or _coins(body.value, body.coins) or _numbers(body.settled_seq)


def _coins(value: Money, *coins: int) -> Fault:
    """So many coins of one value are an amount; a value of nothing is no coin."""
    if value.minor <= 0:
        return "value_out_of_range", "a coin of no value"
    return _currency(value.currency) or _amounts(value.minor, *coins, *[each * value.minor for each in coins])


def _paid(body: facts.PayoutEnded) -> Fault:
    return _entry(body.entry) or _amounts(body.paid, body.unpaid) or _keys((body.payout, body.device))


def _doubted(body: facts.PayoutDisputed) -> Fault:
    return _entry(body.entry) or _amounts(body.at_least, body.at_most) or _keys((body.payout, body.device))


def _resolved(body: facts.PayoutResolved) -> Fault:
    return _entry(body.entry) or _amounts(body.paid, body.unpaid) or _keys((body.payout, body.device))


def _filled(body: facts.HopperFilled) -> Fault:
    return _entry(body.entry) or _coins(body.value, body.coins) or _keys((body.device,))


def _emptied(body: facts.HopperEmptied) -> Fault:
    return _entry(body.entry) or _coins(body.value, body.expected, body.counted) or _keys((body.device,))


GUARDS: dict[type, Callable[[Any], Fault]] = {
    facts.NoteCredited: lambda body: _note(body.value, body.entry),
    facts.NoteSuspended: lambda body: _note(body.value, body.entry),
    facts.NoteDisputed: lambda body: _note(body.value, body.entry),
    facts.Settled: _settled,
    facts.TenderFrozen: _frozen,
    facts.Reversed: _reversed,
    facts.PayoutIntended: _intended,
    facts.PayoutStarted: lambda body: _keys((body.payout, body.device)),
    facts.PayoutEnded: _paid,
    facts.PayoutDisputed: _doubted,
    facts.PayoutResolved: _resolved,
    facts.HopperFilled: _filled,
    facts.HopperEmptied: _emptied,
    facts.ReceiptIssued: lambda body: _numbers(body.number),
    facts.DayClosed: _closed,
    facts.CountClosed: _count,
    facts.BoxReceived: lambda body: _numbers(body.box_session),
    facts.CashboxChanged: lambda body: _numbers(body.box_session),
    facts.BoxExchanged: lambda body: _numbers(body.box_session, body.ended_session),
    facts.ExchangeAbandoned: lambda body: _numbers(body.box_session),
}
