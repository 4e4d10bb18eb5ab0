"""The evidence half of `verify`: bytes, hashes, signatures, numbers, identity and clocks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection

from kiosk.errors import JournalError
from kiosk.journal.encoding import ROOT_HASH, Row, chain, decode, head_message, kind_of
from kiosk.journal.findings import Finding
from kiosk.journal.keys import VerifyingKey
from kiosk.model.facts import ClockJumped, ClockTrusted, EpochStarted, Fact, Genesis, Stamp

#: A wall clock is disciplined by small steps all the time; from here on it is a jump (as in the core's clock).
WALL_FALL_NS = 2_000_000_000

Report = Callable[[Finding], None]


class ChainWalk:
    """Follows the rows in order and reports whatever a sound journal cannot contain."""

    def __init__(self, report: Report, published_keys: Collection[str] | None) -> None:
        self._report = report
        self._published = None if published_keys is None else {key.lower() for key in published_keys}
        self._key: VerifyingKey | None = None
        self._previous: Row | None = None
        self._identity: tuple[str, str] | None = None
        self._stamp: Stamp | None = None
        #: Last business date of a fact that was not late.
        self._date: dt.date | None = None
        #: Whether the fact before ended a doubt about the clock.
        self._believed = False

    def step(self, row: Row) -> Fact | None:
        """Check one row against all rows before it; return its fact where the bytes are one."""
        before = self._previous.hash if self._previous else ROOT_HASH
        if chain(before, row.row) != row.hash:
            self._found(
                "chain_broken",
                row,
                f"stored hash {row.hash.hex()[:16]}… is not the one over the row before and this one",
            )
        self._place(row)
        fact: Fact | None = None
        try:
            fact = decode(row.row)
        except JournalError as error:
            self._found("row_unreadable", row, error.message)
        if fact is not None:
            self._match(row, fact)
        if fact is None or row.seq == 1 or isinstance(fact.body, Genesis | EpochStarted):
            self._epoch(row, fact)
        if fact is not None:
            self._clocks(row, fact)
        self._signature(row, fact)
        self._previous = row
        return fact

    def end(self) -> Row | None:
        """Check the end of the journal; return its last row."""
        if self._previous is not None and self._previous.signature is None:
            self._found("tail_unsigned", self._previous, "the last commit has lost its signed end")
        return self._previous

    def _found(self, code: str, row: Row, detail: str, severity: str = "error") -> None:
        self._report(Finding(code, severity, row.epoch, row.seq, detail))

    def _place(self, row: Row) -> None:
        last = self._previous
        if last is None:
            expected = row.epoch == 1 and row.seq == 1
        elif row.epoch == last.epoch:
            expected = row.seq == last.seq + 1
        else:
            expected = row.epoch > last.epoch and row.seq == 1
        if not expected:
            told = f"after {last.epoch}/{last.seq}" if last else "at the very start"
            self._found("gap", row, f"stands {told}: facts between are missing")

    def _match(self, row: Row, fact: Fact) -> None:
        if (fact.epoch, fact.seq, kind_of(fact)) != (row.epoch, row.seq, row.kind):
            self._found("row_misplaced", row, f"its bytes say {fact.epoch}/{fact.seq} {kind_of(fact)}, not {row.kind}")
        if self._identity is None:
            self._identity = (fact.kiosk, fact.realm)
        elif self._identity != (fact.kiosk, fact.realm):
            kiosk, realm = self._identity
            if fact.kiosk != kiosk:
                self._found("identity_changed", row, f"{fact.kiosk} in a journal of {kiosk}")
            if fact.realm != realm:
                self._found("realm_changed", row, f"{fact.realm} in a journal of {realm}")

    def _epoch(self, row: Row, fact: Fact | None) -> None:
        """Take over the key at the start of an epoch."""
        body = fact.body if fact else None
        last = self._previous
        if row.seq != 1:
            if isinstance(body, Genesis | EpochStarted):
                self._found("genesis_misplaced", row, "a new key in the middle of an epoch does not count")
            return
        self._key = None
        if isinstance(body, Genesis) and last is None:
            public_key = body.public_key
        elif isinstance(body, EpochStarted) and last is not None:
            public_key = body.public_key
            if (body.previous_epoch, body.previous_seq, body.previous_hash) != (last.epoch, last.seq, last.hash.hex()):
                self._found(
                    "epoch_unlinked",
                    row,
                    f"names {body.previous_epoch}/{body.previous_seq}, not {last.epoch}/{last.seq}",
                )
        else:
            self._found("genesis_misplaced", row, "the epoch does not begin with its key")
            return
        if self._published is not None and public_key.lower() not in self._published:
            self._found("key_unpublished", row, f"key {public_key[:16]}… of epoch {row.epoch} was not published")
        try:
            self._key = VerifyingKey(public_key)
        except JournalError as error:
            self._found("signature_bad", row, error.message)

    def _signature(self, row: Row, fact: Fact | None) -> None:
        if row.signature is None or self._key is None:
            return
        kiosk = fact.kiosk if fact else (self._identity or ("",))[0]
        if not self._key.verifies(head_message(kiosk, row.epoch, row.seq, row.hash), row.signature):
            self._found("signature_bad", row, "not made over this head by the key of its epoch")

    def _clocks(self, row: Row, fact: Fact) -> None:
        now, was = fact.stamp, self._stamp
        # The trusted time may have been ahead of the clock that is believed from here on.
        believed, self._believed = self._believed, isinstance(fact.body, ClockTrusted)
        self._stamp = now
        date = self._date
        if now.late is None:
            # A late fact keeps the date of its tender, which lies before the present one.
            self._date = now.business_date
        if was is None:
            return
        jumped, fell = isinstance(fact.body, ClockJumped), was.at.wall_ns - now.at.wall_ns
        if now.at.boot_id == was.at.boot_id:
            if now.at.mono_ns < was.at.mono_ns:
                self._found(
                    "clock_fell", row, f"monotonic clock fell by {was.at.mono_ns - now.at.mono_ns} ns within a boot"
                )
            if fell >= WALL_FALL_NS and not jumped:
                told = f"wall clock fell by {fell // 1_000_000} ms and no ClockJumped tells of it"
                self._found("wall_clock_fell", row, told, "warning")
        if now.late is None and date is not None and now.business_date < date:
            told = f"{now.business_date} after {date}"
            self._found("business_date_fell", row, told, "warning" if fell > 0 or believed else "error")
