"""The evidence half of `hub verify`: bytes, chain, signatures, numbering and keys of every journal, from the segments.

The journal's own walkers (`kiosk.journal.verify`) look at the facts as they do at the kiosk.  Where the bytes of a
journal cannot be trusted any more they are not asked: what they would say of it follows from that.

A kiosk that was restored from a backup begins an epoch at a fact with later ones behind it here.  Those happened and
stay; the walkers go on as the kiosk's own did, from the fact that the new epoch follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
#: Yields the kiosk's segments once more, from the first.
Again = Callable[[], Iterable[Evidence]]


class JournalWalk:
    """Follows one kiosk's journal segment by segment; owns what it knows of it so far."""

    def __init__(
        self, kiosk: str, keys: set[str], report: Report, limits: CountLimits | None = None, again: Again = tuple
    ) -> None:
        self.kiosk = kiosk
        self._limits = limits
        self._again = again
        #: Hashes of all rows by epoch, 32 bytes each: a new epoch may follow any of them.
        self._hashes: dict[int, bytearray] = {}
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

    def step(self, each: Evidence, through: int = 0) -> None:
        """Take the next segment, or its rows up to one of them."""
        self._link(each)
        rows = true_rows(each)
        where = f"segment {each.number} of worker {each.worker}"
        if rows is None:
            self._found("segment_altered", each, f"{where} ({each.first} to {each.last}) is not what was acknowledged")
            self._whole = False
        else:
            rows = rows[: through - each.first + 1] if through else rows
            self.facts += len(rows)
            self._hashes.setdefault(each.epoch, bytearray()).extend(b"".join(digest for _, digest in rows))
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
            self._branch(each, epoch, seq)

    def _branch(self, each: Evidence, epoch: int, seq: int) -> None:
        """Go on from the fact that a new epoch follows, where later ones are here."""
        place = self._place_of(each.previous)
        if place is None:
            self._whole = False
            self._found("segment_unlinked", each, f"epoch {each.epoch} does not begin where {epoch} ended, at {seq}")
            return
        told = f"epoch {each.epoch} follows {place[0]}/{place[1]}; {epoch}/{seq} was here already and stays"
        self._found("epoch_cuts_facts", each, told)
        if not self._whole:
            return
        walk = JournalWalk(self.kiosk, self._keys, _unheard, self._limits, self._again)
        for one in self._again():
            if (one.epoch, one.first) > place:
                break
            walk.step(one, place[1] if one.epoch == place[0] and one.last > place[1] else 0)
        walk._show(last=True)
        walk._report = self._report
        self._chain, self._books, self._commits = walk._chain, walk._books, walk._commits
        self._open = None

    def _place_of(self, digest: bytes) -> tuple[int, int] | None:
        """Return the newest place whose hash this is."""
        for epoch in sorted(self._hashes, reverse=True):
            told, at = self._hashes[epoch], -1
            while (at := told.find(digest, at + 1)) >= 0:
                if at % 32 == 0:
                    return epoch, at // 32 + 1
        return None

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


def _unheard(_: Finding) -> None:
    """What a journal says once more was told the first time."""


def _verifying(key: str) -> VerifyingKey | None:
    """Return a registered key; None where the registry holds nonsense, which then signs for nobody."""
    try:
        return VerifyingKey(key)
    except JournalError:
        return None


def _check(entry: Entry) -> None:
    """An entry balances, whatever the chart was then."""
    check(entry)
