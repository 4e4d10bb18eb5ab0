"""The evidence half of `hub verify`: bytes, chain, signatures, numbering and keys of every journal, from the segments.

The journal's own walkers (`kiosk.journal.verify`) look at the facts as they do at the kiosk.  Where the bytes of a
journal cannot be trusted any more they are not asked: what they would say of it follows from that.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import JournalError
from kiosk.hub.findings import Finding
from kiosk.hub.posting.codes import severity
from kiosk.hub.posting.evidence import Evidence, true_rows
from kiosk.journal.books import Books
from kiosk.journal.chain import ChainWalk
from kiosk.journal.counts import CountLimits
from kiosk.journal.encoding import ROOT_HASH, Row, decode, head_message, kind_of
from kiosk.journal.findings import Finding as JournalFinding
from kiosk.journal.keys import VerifyingKey
from kiosk.journal.verify import commit_books
from kiosk.ledger.entries import check
from kiosk.model.entry import Entry
from kiosk.model.facts import EpochStarted, Fact, Genesis

Report = Callable[[Finding], None]


class JournalWalk:
    """Follows one kiosk's journal segment by segment; owns what it knows of it so far."""

    def __init__(self, kiosk: str, keys: set[str], report: Report, limits: CountLimits | None = None) -> None:
        self.kiosk = kiosk
        #: Registered journal keys of this kiosk, hexadecimal.
        self._keys = keys
        self._report = report
        self._last: tuple[int, int, bytes] = (0, 0, ROOT_HASH)
        self._key: VerifyingKey | None = None
        #: Whether the facts so far are what was acknowledged, without a gap.
        self._whole = True
        self._chain = ChainWalk(self._told, None)
        self._books = Books(self._told, _check)
        self._commits = commit_books(self._told, limits)
        self._open: tuple[Row, Fact | None] | None = None
        self.facts = 0

    def step(self, each: Evidence) -> None:
        """Take the next segment."""
        self._link(each)
        rows = true_rows(each)
        where = f"segment {each.number} of worker {each.worker}"
        if rows is None:
            self._found("segment_altered", each, f"{where} ({each.first} to {each.last}) is not what was acknowledged")
            self._whole = False
        else:
            self.facts += len(rows)
            listed = [self._row(each, index, row, digest) for index, (row, digest) in enumerate(rows)]
            if each.first == 1:
                self._take_key(each, listed[0][1])
            for row, fact in listed:
                self._look(row, fact)
        # Of a whole journal, the chain's walk has looked at every signature.
        if not self._whole and not self._signed(each):
            self._found("signature_bad", each, f"{where}: its end is not signed by the key of the epoch", each.last)
        self._last = (each.epoch, each.last, each.hash)

    def _signed(self, each: Evidence) -> bool:
        """Tell whether a registered key vouches for the end of a segment: the epoch's, where that can still be told."""
        told = head_message(self.kiosk, each.epoch, each.last, each.hash)
        if self._key is not None:
            return self._key.verifies(told, each.signature)
        return any(key.verifies(told, each.signature) for key in map(_verifying, self._keys) if key is not None)

    def end(self) -> tuple[int, int, bytes]:
        """Come to the end of the journal; return its place and hash."""
        if self._whole:
            self._show(last=True)
            self._chain.end()
            self._books.end()
            self._commits.end()
        return self._last

    def _found(self, code: str, each: Evidence, detail: str, seq: int = 0) -> None:
        self._report(Finding(code, severity(code), self.kiosk, each.epoch, seq or each.first, detail))

    def _told(self, finding: JournalFinding) -> None:
        """Report what a walker of the journal found."""
        self._report(Finding(finding.code, finding.severity, self.kiosk, finding.epoch, finding.seq, finding.detail))

    def _link(self, each: Evidence) -> None:
        epoch, seq, digest = self._last
        if each.epoch == epoch:
            if each.first != seq + 1:
                self._whole = False
                code = "facts_missing" if each.first > seq + 1 else "facts_repeated"
                self._found(code, each, f"goes on at {each.first}, the segment before ended at {seq}")
            elif each.previous != digest:
                self._whole = False
                self._found("segment_unlinked", each, "does not go on from the hash of the segment before")
        elif each.first != 1:
            self._whole = False
            self._key = None
            self._found("facts_missing", each, f"epoch {each.epoch} begins at {each.first}")
        elif epoch and each.previous != digest:
            # A backup was restored at the kiosk, and what was committed after it came here before.
            self._whole = False
            self._found("segment_unlinked", each, f"epoch {each.epoch} does not begin where {epoch} ended, at {seq}")

    def _take_key(self, each: Evidence, fact: Fact | None) -> None:
        body = fact.body if fact is not None else None
        self._key = None
        if not isinstance(body, Genesis | EpochStarted):
            return
        if body.public_key.lower() not in self._keys:
            told = f"key {body.public_key[:16]}… of epoch {each.epoch} is not registered for {self.kiosk}"
            self._found("key_unregistered", each, told)
        try:
            self._key = VerifyingKey(body.public_key)
        except JournalError as error:
            self._found("signature_bad", each, error.message)

    def _row(self, each: Evidence, index: int, row: bytes, digest: bytes) -> tuple[Row, Fact | None]:
        seq = each.first + index
        try:
            fact: Fact | None = decode(row)
        except JournalError:
            fact = None  # the walk says so itself, with the reason
        kind = kind_of(fact) if fact is not None else ""
        signature = each.signature if seq == each.last else None
        return Row(each.epoch, seq, kind, row, digest, signature), fact

    # --- the journal's own walkers -------------------------------------------------------------------------

    def _look(self, row: Row, fact: Fact | None) -> None:
        if not self._whole:
            return
        self._chain.step(row)
        if fact is not None:
            self._books.step(fact)
        before = self._open
        if before is not None:
            self._show(last=before[1] is None or fact is None or before[1].stamp != fact.stamp)
        self._open = (row, fact)
        if row.signature is not None:
            self._show(last=True)

    def _show(self, *, last: bool) -> None:
        """Hand a fact to the books of whole commits.

        A batch is signed at its end alone; within it, the facts of one commit are those that bear one stamp.
        """
        if self._open is None:
            return
        row, fact = self._open
        self._open = None
        self._commits.step(row._replace(signature=b"end" if last else None), fact)


def _verifying(key: str) -> VerifyingKey | None:
    """Return a registered key; None where the registry holds nonsense, which then signs for nobody."""
    try:
        return VerifyingKey(key)
    except JournalError:
        return None


def _check(entry: Entry) -> None:
    """An entry balances, whatever the chart was then."""
    check(entry)
