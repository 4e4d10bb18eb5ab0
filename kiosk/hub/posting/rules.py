"""What posting holds facts against: the city's chart and services, and the realm of this hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kiosk.errors import KioskError
from kiosk.hub.setup import HubSetup
from kiosk.ledger import entries
from kiosk.ledger.allocation import allocate
from kiosk.ledger.chart import Chart
from kiosk.model.entry import Entry
from kiosk.model.facts import (
    Allocation,
    CountClosed,
    Fact,
    NoteCredited,
    NoteDisputed,
    NoteSuspended,
    Settled,
    TenderFrozen,
)
from kiosk.model.money import Money
from kiosk.tariff.services import Service

#: Minor units above which an amount is nonsense: sums of any number of real ones stay within 63 bits.
MOST_MINOR = 10**12
#: Numbers (of slips, closings, boxes, notes) and times that the database can hold.
MOST_NUMBER = 2**53
MOST_NS = 2**63 - 1
#: Characters of a text that becomes part of a key; an index of PostgreSQL takes no more than 2,700 bytes in all.
LONGEST_KEY = 120


class Rules:
    """Answers what an entry should be.  It changes nothing: the fact's own entry stands."""

    def __init__(self, chart: Chart, services: Mapping[str, Service], pack: str, realm: str) -> None:
        self.chart = chart
        self.services = services
        #: Id and version of the pack; facts made under another one are not recomputed, only checked.
        self.pack = pack
        self.realm = realm
        self._funds = {account.code: account.fund for account in chart.account}
        self._accounts = {name: frozenset(service.accounts.values()) for name, service in services.items()}
        #: Entries of notes by (function, value): a fleet knows a handful.
        self._notes: dict[tuple[str, int, str], Entry] = {}

    @classmethod
    def of(cls, setup: HubSetup) -> Rules:
        """Return the rules of a hub."""
        return cls(setup.chart, setup.library.services, setup.pack, setup.config.hub.realm)

    def currency_of(self, service: str) -> str:
        """Return the currency of a service: no first payment in another one decides it.  "" for a strange service."""
        found = self.services.get(service)
        return found.currency if found is not None else ""

    def fault(self, entry: Entry) -> str:
        """Return what of the chart's rules a balanced entry breaks; "" for nothing."""
        funds: dict[str, int] = {}
        for posting in entry.postings:
            fund = self._funds.get(posting.account)
            if fund is None:
                return f"account {posting.account[:40]!r} is not in the chart"
            funds[fund] = funds.get(fund, 0) + posting.minor
        for fund, minor in funds.items():
            if minor:
                return f"off balance by {minor} in fund {fund!r}"
        return ""

    def differs(self, fact: Fact, entry: Entry | None, frozen: TenderFrozen | None) -> str:
        """Return how the entry of a fact differs from what the rules post for it; "" where it does not."""
        if fact.stamp.digests.pack != self.pack:
            return ""
        try:
            wanted = self._wanted(fact, frozen)
        except KioskError as error:
            return f"the rules post nothing: {error.message}"
        if wanted == entry or (isinstance(fact.body, Settled) and wanted is None):
            return ""
        want, have = (entries.net([each]) if each else {} for each in (wanted, entry))
        return "" if want == have else f"posted {_plain(have)}, the rules post {_plain(want)}"

    def _wanted(self, fact: Fact, frozen: TenderFrozen | None) -> Entry | None:
        match fact.body:
            case NoteCredited(value=value):
                return self._note("credited", value)
            case NoteSuspended(value=value):
                return self._note("suspended", value) if value is not None else None
            case NoteDisputed(value=value):
                return self._note("disputed", value)
            case CountClosed() as body:
                expected, counted = Money(body.expected_minor, body.currency), Money(body.counted_minor, body.currency)
                return entries.count_closed(self.chart, expected, counted)
            case Settled() as body if frozen is not None:
                return self._settlement(body, frozen)
            case _:
                return None

    def _note(self, what: str, value: Money) -> Entry:
        key = (what, value.minor, value.currency)
        if key not in self._notes:
            make = {
                "credited": entries.note_credited, "suspended": entries.note_suspended,
                "disputed": entries.note_disputed,
            }[what]  # fmt: skip
            made = make(self.chart, value)
            if len(self._notes) > 1_000:
                self._notes.clear()  # nobody's notes: a stranger invents values
            self._notes[key] = made
        return self._notes[key]

    def _settlement(self, body: Settled, frozen: TenderFrozen) -> Entry | None:
        """Spread the tender over the frozen prices once more, and post what comes of it."""
        quotes = [quote for quote in frozen.quotes if quote.service in self.services]
        if not quotes:
            return None
        held = {(each.service, each.number): each.minor for each in frozen.held}
        known = {(quote.service, quote.number) for quote in quotes}
        split = allocate(body.tender_minor, quotes, self.services, {k: v for k, v in held.items() if k in known})
        return entries.settlement(self.chart, self.services, split)

    def services_of(self, entry: Entry, allocations: Iterable[Allocation]) -> list[str]:
        """Return, posting by posting, the one paid service whose account it is; "" for none or several."""
        paid = {each.service for each in allocations}
        if len(paid) == 1:
            (name,) = paid
            accounts = self._accounts.get(name, frozenset())
            return [name if posting.account in accounts else "" for posting in entry.postings]
        told = []
        for posting in entry.postings:
            owners = [name for name in paid if posting.account in self._accounts.get(name, ())]
            told.append(owners[0] if len(owners) == 1 else "")
        return told


def _plain(sums: dict[tuple[str, str], int]) -> str:
    listed = [f"{account[:20]} {minor}" for (_, account), minor in sorted(sums.items())]
    return ", ".join(listed) or "nothing"


def unbalanced(entry: Entry) -> str:
    """Return why an entry is none at all; "" where it balances."""
    postings = entry.postings
    if not postings or not all(0 < abs(each.minor) <= MOST_MINOR and each.account for each in postings):
        return f"{len(postings)} postings of which one names no account or no amount"
    off = sum([each.minor for each in postings])
    return f"off balance by {off} minor units" if off else ""


def knew(frozen: TenderFrozen | None) -> dict[tuple[str, str], int]:
    """Return what a kiosk knew to be paid of each invoice when the price stood."""
    return {(quote.service, quote.number): quote.paid_minor for quote in frozen.quotes} if frozen else {}


def bills(frozen: TenderFrozen | None) -> dict[tuple[str, str], str]:
    """Return the issue date of each priced bill whose number names an account, ISO; "" for all others."""
    quotes = frozen.quotes if frozen else ()
    return {(quote.service, quote.number): quote.issued.isoformat() if quote.issued else "" for quote in quotes}


frozen_encoder = msgspec.json.Encoder()
frozen_decoder = msgspec.json.Decoder(TenderFrozen)
