"""Turns segments into books: facts, entries, balances, payments, receipts, boxes, cases, findings.

A segment whose bytes are not those that were acknowledged is set apart whole, a row that cannot be read or guarded by
itself; whatever is in doubt is written down as a finding, and the books of all other facts go on.  Nothing here looks
at a clock, at an import or at what a person decided: the same segments in the same order give the same books.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from kiosk.errors import JournalDamaged, JournalError
from kiosk.hub.posting.acts import DEEDS, Acts
from kiosk.hub.posting.batch import Batch
from kiosk.hub.posting.evidence import Evidence, Placed, true_rows
from kiosk.hub.posting.guards import GUARDS, envelope
from kiosk.hub.posting.pen import Pen
from kiosk.hub.posting.rules import Rules
from kiosk.journal.encoding import decode
from kiosk.model import facts
from kiosk.model.facts import AnyBody, Fact

#: What the database says of a value that it cannot hold; anything else is trouble of the machine and goes up.
UNPOSTABLE = (sa.exc.DataError, sa.exc.IntegrityError, sa.exc.InterfaceError, OverflowError, UnicodeError)
_TAGS: dict[type, str] = {kind: str(kind.__struct_config__.tag) for kind in AnyBody.__args__}
_KINDS = frozenset(_TAGS.values())

Segment = tuple[Placed, Evidence | None]
Act = tuple[Any, tuple[str, int, int], Fact, int, bytes]


class Projection:
    """Posts segments within the transaction of one connection; a new transaction takes a new projection."""

    def __init__(self, connection: sa.Connection, rules: Rules) -> None:
        self._rules = rules
        self._pen = Pen(connection)
        self._batch = Batch(self._pen)
        self._acts = Acts(self._batch, rules)
        #: Newest fact by kiosk and epoch.
        self._through: dict[tuple[str, int], int] = {}
        self._kiosks: dict[str, tuple[int, int]] = {}
        self._poison: Collection[int] = ()
        self._most: int | None = None

    def post(self, segments: Iterable[Segment], poison: Collection[int] = (), most: int | None = None) -> None:
        """Post segments in their order; None is one that is not in the database any more.

        Where the database has refused what a segment says, it is posted by itself: without the rows of `poison`, and
        to find those, up to row `most` only.
        """
        self._poison, self._most = poison, most
        acts: list[tuple[int, list[Act]]] = []
        invoices: set[tuple[str, str]] = set()
        for placed, evidence in segments:
            if evidence is None:
                told = f"segment {placed.number} of worker {placed.worker} is in the merge order and nowhere else"
                self._batch.found("segment_missing", "", 0, 0, told)
                continue
            self._batch.received_ns = evidence.received_ns
            acts.append((evidence.received_ns, self._read(placed, evidence, invoices)))
        self._batch.load_invoices(invoices)
        for received_ns, listed in acts:
            self._batch.received_ns = received_ns
            for deed, place, fact, position, digest in listed:
                deed(self._acts, place, fact, position, digest)

    def flush(self) -> None:
        """Write everything, with how far each kiosk is posted."""
        self._acts.flush()
        rows = [(kiosk, *place) for kiosk, place in sorted(self._kiosks.items())]
        self._pen.replace("posted_through", rows)

    # --- one segment ---------------------------------------------------------------------------------------

    def _read(self, placed: Placed, evidence: Evidence, invoices: set[tuple[str, str]]) -> list[Act]:
        kiosk, epoch, first = evidence.kiosk, evidence.epoch, evidence.first
        fresh = self._fresh(evidence)
        rows = true_rows(evidence)
        where = (placed.worker, placed.number)
        if rows is None:
            for index in range(fresh - first, evidence.size):
                told = f"segment {placed.number} of worker {placed.worker} is not what was acknowledged"
                self._set_apart((kiosk, epoch, first + index), where, index, "segment_altered", told)
            return []
        listed: list[Act] = []
        add_fact, realm = self._batch.facts.append, self._rules.realm
        for index in range(fresh - first, len(rows)):
            row, digest = rows[index]
            seq, position = first + index, placed.position + index
            if index in self._poison:
                self._set_apart((kiosk, epoch, seq), where, index, "unpostable", "the database refuses it")
                continue
            if index == self._most:
                break
            try:
                fact = decode(row)
            except JournalError as error:
                code, told = _unread(row, error)
                self._set_apart((kiosk, epoch, seq), where, index, code, told)
                continue
            body, stamp = fact.body, fact.stamp
            kind = type(body)
            guard = GUARDS.get(kind)
            fault = envelope(fact, row, kiosk, epoch, seq, realm) or (guard(body) if guard is not None else None)
            if fault is not None:
                self._set_apart((kiosk, epoch, seq), where, index, *fault)
                continue
            add_fact((kiosk, epoch, seq, position, _TAGS[kind], stamp.at.wall_ns, stamp.business_date.isoformat(),
                      stamp.session, *where, index))  # fmt: skip
            deed = DEEDS.get(kind)
            if deed is not None:
                listed.append((deed, (kiosk, epoch, seq), fact, position, digest))
                if isinstance(body, facts.Settled):
                    invoices.update((each.service, each.number) for each in body.allocations)
                    invoices.update((each.service, each.number) for each in (*body.used, *body.held))
        return listed

    def _fresh(self, evidence: Evidence) -> int:
        """Return the first fact of a segment that is not posted yet; tell of what is missing or repeated."""
        kiosk, epoch = evidence.kiosk, evidence.epoch
        key = (kiosk, epoch)
        through = self._through.get(key)
        if through is None:
            through = self._through[key] = self._posted(kiosk, epoch)
        self._through[key] = max(through, evidence.last)
        self._kiosks[kiosk] = max((epoch, self._through[key]), self._seen(kiosk))
        if evidence.first > through + 1:
            told = f"facts {through + 1} to {evidence.first - 1} of epoch {epoch} are in no segment"
            self._batch.found("facts_missing", kiosk, epoch, evidence.first, told)
        elif evidence.first <= through:
            told = f"facts {evidence.first} to {min(through, evidence.last)} of epoch {epoch} are in two segments"
            self._batch.found("facts_repeated", kiosk, epoch, evidence.first, told)
        return min(max(evidence.first, through + 1), evidence.last + 1)

    def _posted(self, kiosk: str, epoch: int) -> int:
        newest = self._seen(kiosk)
        if newest[0] <= epoch:
            return newest[1] if newest[0] == epoch else 0
        return max(
            self._pen.ask(f"SELECT max(seq) FROM {table} WHERE kiosk = ? AND epoch = ?", (kiosk, epoch))[0][0] or 0
            for table in ("fact", "quarantine")
        )

    def _seen(self, kiosk: str) -> tuple[int, int]:
        if kiosk in self._kiosks:
            return self._kiosks[kiosk]
        for epoch, seq in self._pen.ask("SELECT epoch, seq FROM posted_through WHERE kiosk = ?", (kiosk,)):
            return epoch, seq
        return 0, 0

    def _set_apart(self, place: tuple[str, int, int], where: tuple[int, int], row: int, code: str, told: str) -> None:
        self._batch.quarantine.append((*place, *where, row, code))
        self._batch.found(code, *place, told)


def _unread(row: bytes, error: JournalError) -> tuple[str, str]:
    """Return why the bytes of a row are no fact to this software."""
    if not isinstance(error, JournalDamaged):
        return "fact_too_new", error.message
    try:
        kind = msgspec.json.decode(row)["body"]["kind"]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError):
        return "row_unreadable", error.message
    if isinstance(kind, str) and kind not in _KINDS:
        return "kind_unknown", f"kind {kind[:40]!r}"
    return "row_unreadable", error.message
