"""Walk a whole journal and tell everything that is wrong with it, as values.

Nothing is taken from a cache or from the code that wrote the facts: hashes and signatures are made again and
every balance is rebuilt from the entries.  What a journal cannot show by itself is a tail that was cut off
whole: what is left is a valid chain.  Only a head kept elsewhere shows it (the hash prefix on a receipt, a Z
slip, the hub's acknowledgement), so heads can be handed in as witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from kiosk.errors import KioskError
from kiosk.journal.actors import ActorBook
from kiosk.journal.books import Books
from kiosk.journal.boxes import BoxBook
from kiosk.journal.chain import ChainWalk
from kiosk.journal.change import ChangeBook
from kiosk.journal.commits import Commits, Report
from kiosk.journal.counts import CountBook, CountLimits
from kiosk.journal.days import DayBook
from kiosk.journal.encoding import Row
from kiosk.journal.findings import Finding
from kiosk.journal.hub_book import HubBook
from kiosk.journal.numbers import NumberBook
from kiosk.journal.reader import Reader
from kiosk.model.entry import Entry

#: After this many findings the walk goes on without noting more: a torn file would give one for each row.
MAX_FINDINGS = 1_000


class Witness(msgspec.Struct, frozen=True):
    """A head of the chain that was kept outside the journal."""

    seq: int
    #: The hash in hexadecimal, or at least its first four digits (as on a receipt).
    hash: str
    epoch: int = 1

    @classmethod
    def parse(cls, text: str) -> Witness | None:
        """Read ``seq:hash`` or ``epoch/seq:hash``, with a space for the colon as slips print it; else return None.

        >>> Witness.parse("2/17:9f3c")
        Witness(seq=17, hash='9f3c', epoch=2)
        >>> Witness.parse("2/17 9f3c") == Witness.parse("2/17:9f3c")
        True
        """
        place, colon, digest = ":".join(text.lower().split()).partition(":")
        epoch, slash, seq = place.rpartition("/")
        good = colon and seq.isdecimal() and (epoch.isdecimal() or not slash) and 4 <= len(digest) <= 64
        if not good or not set(digest) <= set("0123456789abcdef"):
            return None
        return cls(int(seq), digest, int(epoch) if slash else 1)


class Examination(msgspec.Struct, frozen=True):
    """What a whole walk found."""

    findings: list[Finding]
    #: Rebuilt balances: account, currency, signed minor units (debit positive); sorted.
    balances: list[tuple[str, str, int]]
    facts: int
    receipts: int
    #: Place and hash of the last fact; epoch 0 in an empty journal.
    epoch: int
    seq: int
    head: str
    #: ``live``, ``training`` or ``demo``, as the first fact says; outside live everything is a specimen.
    realm: str = ""

    @property
    def sound(self) -> bool:
        """True where no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


def verify(
    reader: Reader,
    *,
    published_keys: Collection[str] | None = None,
    witnesses: Iterable[Witness] = (),
    check_entry: Callable[[Entry], None] | None = None,
    claimed_balances: Mapping[tuple[str, str], int] | None = None,
    limits: CountLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Finding]:
    """Return everything that is wrong with a journal; an empty list where nothing is.  See `examine`."""
    return examine(
        reader,
        published_keys=published_keys,
        witnesses=witnesses,
        check_entry=check_entry,
        claimed_balances=claimed_balances,
        limits=limits,
        progress=progress,
    ).findings


def examine(
    reader: Reader,
    *,
    published_keys: Collection[str] | None = None,
    witnesses: Iterable[Witness] = (),
    check_entry: Callable[[Entry], None] | None = None,
    claimed_balances: Mapping[tuple[str, str], int] | None = None,
    limits: CountLimits | None = None,
    progress: Callable[[int], None] | None = None,
) -> Examination:
    """Walk every row once.

    `published_keys` are the city's keys in hexadecimal (None: the journal's own word is taken for its keys);
    `check_entry` raises where an entry breaks the chart; `claimed_balances` maps (account, currency) to what
    somebody, e.g. the running kiosk, believes; `limits` say which differences of a count two people sign (the city's,
    as configured); `progress` is told the count every thousand facts.
    """
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        if len(findings) < MAX_FINDINGS:
            findings.append(finding)

    for fault in reader.page_faults():
        report(Finding("page_damaged", "error", 0, 0, fault[:300]))
    walk, books, commits = ChainWalk(report, published_keys), Books(report, check_entry), commit_books(report, limits)
    outside = {(witness.epoch, witness.seq): witness for witness in witnesses}
    count, realm = 0, ""
    try:
        for name in reader.missing_guards():
            report(Finding("guard_missing", "error", 0, 0, f"trigger {name} is not what this version made"))
        for row in reader.rows():
            fact = walk.step(row)
            if fact is not None:
                books.step(fact)
                realm = realm or fact.realm
            commits.step(row, fact)
            _compare(outside.pop((row.epoch, row.seq), None), row, report)
            count += 1
            if progress is not None and count % 1_000 == 0:
                progress(count)
    except KioskError as error:
        report(Finding("page_damaged", "error", 0, 0, error.message))
    last = walk.end()
    if last is None:
        report(Finding("empty", "error", 0, 0, "not even a genesis: the journal was emptied or never finished"))
    books.end()
    commits.end()
    for witness in outside.values():
        told = f"fact {witness.epoch}/{witness.seq} existed and is not in this journal: its end was cut off"
        report(Finding("witness_differs", "error", witness.epoch, witness.seq, told))
    balances = sorted((account, currency, minor) for (account, currency), minor in books.balances.items())
    if claimed_balances is not None:
        _claims(claimed_balances, books, report)
    return Examination(
        findings=findings,
        balances=balances,
        facts=count,
        receipts=books.receipts,
        epoch=last.epoch if last else 0,
        seq=last.seq if last else 0,
        head=last.hash.hex() if last else "",
        realm=realm,
    )


def commit_books(report: Report, limits: CountLimits | None = None) -> Commits:
    """Return everything of `verify` that looks at whole commits: people, days, boxes, counts, slips, a hub, change."""
    boxes = BoxBook(report)
    counts = CountBook(report, boxes, limits)
    return Commits(
        ActorBook(report), DayBook(report), boxes, counts, NumberBook(report), HubBook(report), ChangeBook(report)
    )


def _compare(witness: Witness | None, row: Row, report: Callable[[Finding], None]) -> None:
    if witness is not None and not row.hash.hex().startswith(witness.hash.lower()):
        told = f"the witness says {witness.hash[:16]}, the journal {row.hash.hex()[:16]}: it was rewritten"
        report(Finding("witness_differs", "error", row.epoch, row.seq, told))


def _claims(claimed: Mapping[tuple[str, str], int], books: Books, report: Callable[[Finding], None]) -> None:
    for place in sorted({*claimed, *books.balances}):
        if claimed.get(place, 0) != books.balances[place]:
            told = f"{place[0]}: claimed {claimed.get(place, 0)}, rebuilt {books.balances[place]} {place[1]}"
            report(Finding("balance_differs", "error", 0, 0, told))
