"""Balanced entries: what each fact that moves money posts.

A note that reaches its credit point is cash in the box against unapplied tender, a liability: until it is
settled, the money is the citizen's.  Settling moves it to the accounts of what was paid, what is held for an
invoice that takes no part payment to held tender, and the rest to overpayments.  A note stacked outside a
session is cash against suspense.

A *disputed* note may be in the box or back in the citizen's pocket.  Booking it as cash would promise the
counting room money that may not be there, leaving it out would hide a claim: so it stands apart, as a
receivable against an equal claim, until the count of the box settles which of the two was true.

Change is owed before it is paid: a settlement leaves an overpayment, and each coin that a hopper is known to have paid
moves its value from there out of the hopper's float.  Coins that may have left are neither: they become a claim, so
that nobody refunds them by itself, until the count of the hopper tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kiosk.errors import LedgerError
from kiosk.ledger.allocation import Split
from kiosk.ledger.chart import Chart, Roles
from kiosk.model.entry import Entry, Posting
from kiosk.model.money import Money, minor_digits
from kiosk.tariff.services import Service


def check(entry: Entry, chart: Chart | None = None) -> Entry:
    """Return the entry if it balances; with a chart, in every fund and on known accounts only.

    Raises:
        LedgerError: it does not.
    """
    minor_digits(entry.currency)
    if not entry.postings:
        raise LedgerError(f"an entry ({entry.reason}) has no postings", hint="a fact without money posts no entry")
    for posting in entry.postings:
        if type(posting.minor) is not int or posting.minor == 0 or not posting.account:
            raise LedgerError(
                f"posting of {posting.minor!r} to {posting.account!r} ({entry.reason}) says nothing",
                hint="a posting names an account and whole minor units other than zero",
            )
    off = sum(posting.minor for posting in entry.postings)
    if off:
        raise LedgerError(f"an entry ({entry.reason}) is off balance by {off} minor units", hint="debits equal credits")
    if chart is not None:
        funds: dict[str, int] = {}
        for posting in entry.postings:
            fund = chart.find(posting.account).fund
            funds[fund] = funds.get(fund, 0) + posting.minor
        for fund, minor in funds.items():
            if minor:
                raise LedgerError(f"an entry ({entry.reason}) is off balance by {minor} in fund {fund!r}",
                                  hint="link the funds in chart.toml")  # fmt: skip
    return entry


def note_credited(chart: Chart, value: Money) -> Entry:
    """Post a note that reached its credit point within a session."""
    return _pair(chart, chart.roles.cash_in_box, chart.roles.unapplied_tender, value, "note")


def note_suspended(chart: Chart, value: Money) -> Entry:
    """Post a note that was stacked outside a session."""
    return _pair(chart, chart.roles.cash_in_box, chart.roles.suspense, value, "suspense")


def note_disputed(chart: Chart, value: Money) -> Entry:
    """Post a note of which nobody can tell whether it is in the box."""
    return _pair(chart, chart.roles.disputed_notes, chart.roles.disputed_claims, value, "dispute")


def settlement(chart: Chart, services: Mapping[str, Service], split: Split) -> Entry:
    """Post a tender and what was held to what they pay, the rest to held tender and overpayments.

    One posting for each account, net: money that was held and still is moves nothing.

    Raises:
        LedgerError: there is no tender and nothing held pays, or an account is unknown.
    """
    if split.tender_minor <= 0 and not (split.used_minor and split.applied_minor):
        raise LedgerError("a settlement without tender posts nothing", hint="close the session without settling")
    roles = chart.roles
    sums: dict[str, int] = {roles.unapplied_tender: split.tender_minor}
    sums[roles.held_tender] = split.used_minor - split.held_minor
    for share in split.shares:
        accounts = services[share.service].accounts
        for part in share.lines:
            code = accounts[part.line.component]
            sums[code] = sums.get(code, 0) - part.minor
    sums[roles.overpayment] = sums.get(roles.overpayment, 0) - split.overpayment_minor
    return check(Entry(split.currency, _across_funds(chart, sums), "settlement"), chart)


def count_closed(chart: Chart, expected: Money, counted: Money) -> Entry | None:
    """Move a counted box out of the box's account: counted cash comes in, the difference stands by itself.

    None where nothing was expected and nothing was found.
    """
    roles, short = chart.roles, expected - counted
    if expected.minor < 0 or counted.minor < 0:
        raise LedgerError(f"a box cannot hold {expected} or {counted}", hint="a count is zero or more")
    sums = ((roles.cash_counted, counted.minor), (roles.over_short, short.minor), (roles.cash_in_box, -expected.minor))
    postings = tuple(Posting(code, minor) for code, minor in sums if minor)
    return check(Entry(counted.currency, postings, "count"), chart) if postings else None


# --- change -----------------------------------------------------------------------------------------------------


def change_paid(chart: Chart, value: Money, coins: int) -> Entry | None:
    """Pay coins of a hopper to a citizen to whom they were owed; None for no coin."""
    roles = _change_roles(chart)
    return _coins(chart, value, "change", {roles.overpayment: coins, roles.hopper_float: -coins})


def change_disputed(chart: Chart, value: Money, certain: int, uncertain: int) -> Entry | None:
    """Pay the coins that left for certain; those that may have left are no more owed than paid, but claimed."""
    roles = _change_roles(chart)
    moved = {
        roles.overpayment: certain + uncertain, roles.hopper_float: -certain, roles.disputed_claims: -uncertain,
    }  # fmt: skip
    return _coins(chart, value, "change_disputed", moved)


def change_resolved(chart: Chart, value: Money, paid: int, unpaid: int) -> Entry:
    """End a claim over coins: the paid ones left the hopper, the others are owed again."""
    roles = _change_roles(chart)
    moved = {roles.disputed_claims: paid + unpaid, roles.hopper_float: -paid, roles.overpayment: -unpaid}
    entry = _coins(chart, value, "change_resolved", moved)
    if entry is None:
        raise LedgerError("a dispute over no coin ends nothing", hint="a payout in dispute names coins")
    return entry


def hopper_filled(chart: Chart, value: Money, coins: int) -> Entry:
    """Move coins from the change fund into a hopper."""
    roles = _change_roles(chart)
    entry = _coins(chart, value, "hopper_filled", {roles.hopper_float: coins, roles.change_fund: -coins})
    if entry is None:
        raise LedgerError("a hopper was filled with no coin", hint="name at least one coin")
    return entry


def hopper_emptied(chart: Chart, value: Money, expected: int, counted: int) -> Entry | None:
    """Move what was found in a hopper to the change fund; the difference stands by itself, as for a box."""
    roles = _change_roles(chart)
    if expected < 0 or counted < 0:
        raise LedgerError(f"a hopper cannot hold {expected} or {counted} coins", hint="a count is zero or more")
    moved = {roles.change_fund: counted, roles.over_short: expected - counted, roles.hopper_float: -expected}
    return _coins(chart, value, "hopper_emptied", moved)


def _change_roles(chart: Chart) -> Roles:
    if not chart.gives_change:
        raise LedgerError(
            "the chart names no accounts for change", hint="set roles.hopper_float and roles.change_fund in chart.toml"
        )
    return chart.roles


def _coins(chart: Chart, value: Money, reason: str, moved: Mapping[str, int]) -> Entry | None:
    if value.minor <= 0:
        raise LedgerError(f"{value} is not the value of a coin", hint="a coin is worth more than zero")
    postings = tuple(Posting(code, coins * value.minor) for code, coins in moved.items() if coins)
    return check(Entry(value.currency, postings, reason), chart) if postings else None


def reversal(entry: Entry) -> Entry:
    """Return the exact opposite of an entry; the fact that carries it names the original."""
    return check(
        Entry(entry.currency, tuple(Posting(each.account, -each.minor) for each in entry.postings), "reversal")
    )


def net(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    """Return the sum of several entries by (currency, account), without what cancels out."""
    sums: dict[tuple[str, str], int] = {}
    for entry in entries:
        for posting in entry.postings:
            key = (entry.currency, posting.account)
            sums[key] = sums.get(key, 0) + posting.minor
    return {key: minor for key, minor in sums.items() if minor}


def _pair(chart: Chart, debit: str, credit: str, value: Money, reason: str) -> Entry:
    if value.minor <= 0:
        raise LedgerError(f"{value} is not the value of a note", hint="a note is worth more than zero")
    return check(Entry(value.currency, (Posting(debit, value.minor), Posting(credit, -value.minor)), reason), chart)


def _across_funds(chart: Chart, sums: dict[str, int]) -> tuple[Posting, ...]:
    """Complete postings over several funds: the fund that holds the cash owes the others their part."""
    home = chart.find(chart.roles.cash_in_box).fund
    funds: dict[str, int] = {}
    for code, minor in sums.items():
        fund = chart.find(code).fund
        funds[fund] = funds.get(fund, 0) + minor
    whole = dict(sums)
    for fund, minor in sorted(funds.items()):
        if fund != home and minor:
            link = chart.funds[fund]
            whole[link.due_from] = whole.get(link.due_from, 0) - minor
            whole[link.due_to] = whole.get(link.due_to, 0) + minor
    return tuple(Posting(code, minor) for code, minor in whole.items() if minor)
