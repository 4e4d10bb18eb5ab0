"""`hub verify`: recompute everything from the segments, and hold what the hub says against it.

Works on what was posted when it began, while the hub goes on: the books are looked at in one snapshot and compared with
clean ones, built in a file of their own by the same projection in the stored order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import sqlalchemy as sa

from kiosk.hub.exports.recount import recount
from kiosk.hub.findings import Finding
from kiosk.hub.posting.codes import severity
from kiosk.hub.posting.comparing import differences
from kiosk.hub.posting.evidence import journal_of
from kiosk.hub.posting.examining import JournalWalk
from kiosk.hub.posting.projector import Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.journal.counts import CountLimits

#: Holes of one kind that are named.
MOST_HOLES = 100

#: Findings after which clean books would differ from any others: they could not be built.
DAMAGED = frozenset(
    {"segment_altered", "segment_missing", "segment_unlinked", "facts_missing", "facts_repeated", "merge_hole"}
)

#: What is told of the progress: what is looked at, and how many facts or places of it.
Progress = Callable[[str, int], None]


class Verified(msgspec.Struct, frozen=True):
    """What a verification looked at and found."""

    findings: list[Finding]
    kiosks: int
    segments: int
    facts: int
    #: Places of the merge order that were posted anew and compared.
    places: int

    @property
    def sound(self) -> bool:
        """True where no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)


class Verification:
    """One run of `hub verify`."""

    def __init__(
        self, stores: Stores, rules: Rules, *, digest: str, limits: CountLimits | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        """Look at these stores with these rules; `digest` stands for the rules, as at the projector."""
        self._stores = stores
        self._rules = rules
        self._digest = digest
        self._limits = limits
        self._progress = progress or (lambda what, count: None)
        self._findings: list[Finding] = []
        self._facts = self._segments = 0

    def run(self) -> Verified:
        """Look at everything."""
        kiosks = self._journals()
        self._numbers()
        self._order()
        places = self._books()
        self._findings += recount(self._stores)
        return Verified(self._findings, kiosks, self._segments, self._facts, places)

    def _found(self, code: str, detail: str, kiosk: str = "", epoch: int = 0, seq: int = 0) -> None:
        self._findings.append(Finding(code, severity(code), kiosk, epoch, seq, detail))

    # --- journals ------------------------------------------------------------------------------------------

    def _journals(self) -> int:
        with self._stores.office.connect() as connection:
            asked = sa.select(tables.kiosk_key.c.kiosk, tables.kiosk_key.c.key)
            registered: dict[str, set[str]] = {}
            for kiosk, key in connection.execute(asked.where(tables.kiosk_key.c.purpose == "journal")):
                registered.setdefault(kiosk, set()).add(key.lower())
        with self._stores.segments.connect() as connection:
            marked = {(row.kiosk, row.epoch): row for row in connection.execute(sa.select(tables.mark))}
            known = sorted(
                {kiosk for kiosk, _ in marked}
                | set(connection.execute(sa.select(tables.segment.c.kiosk).distinct()).scalars())
            )
            for kiosk in known:
                again = partial(journal_of, connection, kiosk)
                walk = JournalWalk(kiosk, registered.get(kiosk, set()), self._findings.append, self._limits, again)
                ends: dict[int, tuple[int, bytes]] = {}
                for each in journal_of(connection, kiosk):
                    walk.step(each)
                    self._segments += 1
                    ends[each.epoch] = max(ends.get(each.epoch, (0, b"")), (each.last, each.hash))
                    self._progress("facts", self._facts + walk.facts)
                walk.end()
                self._facts += walk.facts
                for (name, epoch), row in marked.items():
                    there = ends.get(epoch, (0, b""))
                    if name == kiosk and row.seq > 0 and (row.seq, row.hash) != there:
                        told = f"acknowledged up to {row.seq}, the segments of epoch {epoch} end at {there[0]}"
                        self._found("mark_differs", told, kiosk, epoch, row.seq)
        return len(known)

    # --- numbers -------------------------------------------------------------------------------------------

    def _numbers(self) -> None:
        numbers = sa.select(tables.segment.c.worker, tables.segment.c.number)
        with self._stores.segments.connect() as connection:
            ordered = numbers.order_by(tables.segment.c.worker, tables.segment.c.number)
            at, last, holes = -1, 0, 0
            for worker, number in connection.execution_options(yield_per=10_000).execute(ordered):
                at, last = (worker, 0) if worker != at else (at, last)
                if number != last + 1 and (holes := holes + 1) <= MOST_HOLES:
                    told = str(last + 1) if number == last + 2 else f"{last + 1} to {number - 1}"
                    self._found("segment_missing", f"segment {told} of worker {worker} is not in the database")
                last = number

    def _order(self) -> None:
        """Places run from 1, each worker's numbers run from 1, and positions grow by the facts between."""
        merge = tables.merge
        with self._stores.office.connect() as connection:
            place, newest, position = 0, dict[int, int](), 0
            for row in connection.execution_options(yield_per=10_000).execute(sa.select(merge).order_by(merge.c.place)):
                expected = newest.get(row.worker, 0) + 1
                if row.place != place + 1 or row.number != expected or row.position <= position:
                    told = f"place {row.place} (segment {row.number} of worker {row.worker}, position {row.position})"
                    self._found("merge_hole", f"{told} stands after place {place}, where segment {expected} comes next")
                place, position = row.place, row.position
                newest[row.worker] = max(row.number, newest.get(row.worker, 0))

    # --- books ---------------------------------------------------------------------------------------------

    def _books(self) -> int:
        engine = self._stores.books
        if self._stores.postgresql:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with engine.connect() as books, tempfile.TemporaryDirectory(prefix="kiosk-hub-verify-") as room:
            state = dict(books.execute(sa.select(tables.state.c.name, tables.state.c.value)).all())
            place = int(state.get("place", "0"))
            why = ""
            if any(finding.code in DAMAGED for finding in self._findings):
                why = "the segments are damaged: what is wrong with them comes first"
            elif state.get("rules") != f"{self._digest}-{self._rules.realm}" or int(state.get("goal") or 0) > place:
                why = (
                    "they are older than the rules, or are being rebuilt just now: ask again when the projector is done"
                )
            if why:
                self._found("books_uncompared", why)
                return 0
            clean = open_stores(Path(room))
            try:
                prepare(clean)
                both = Stores(self._stores.segments, self._stores.office, clean.books)
                projector = Projector(both, self._rules, workers=1, digest=self._digest)
                while projector.replay(place):
                    self._progress("places", projector.place)
                with clean.books.connect() as wanted:
                    self._findings += differences(books, wanted)
            finally:
                clean.close()
            return place
