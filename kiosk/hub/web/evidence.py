"""Facts as they came in: a row's bytes from its segment, its hash recomputed, and what it says in words.

The segments alone decide: a fact that could not be posted is found here as well.  Nothing here trusts the bytes; what
cannot be read is shown as what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from kiosk.errors import JournalError
from kiosk.hub.ingest.segments import rows_of
from kiosk.hub.store.tables import segment
from kiosk.hub.web.wording import Wording
from kiosk.journal.encoding import chain, decode
from kiosk.model.entry import Entry
from kiosk.model.facts import AccountSum, Fact, NoteCount, ReceiptTotal
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.model.texts import Text

#: Most lines that one fact is told in.
MOST_LINES = 120


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One row where it lies."""

    kiosk: str
    epoch: int
    seq: int
    worker: int
    segment: int
    #: From 0 within the segment.
    row: int
    received_ns: int
    #: Hexadecimal, recomputed from the hash before the segment on.
    hash: str
    #: Whether the recomputed chain ends at the hash that the kiosk signed.
    chained: bool
    raw: bytes
    #: None where the bytes are not a fact that this software reads; `trouble` says why.
    fact: Fact | None
    trouble: str = ""


def at(connection: sa.Connection, kiosk: str, places: Sequence[tuple[int, int]]) -> list[Evidence]:
    """Return the rows of a kiosk at (epoch, seq) places, in that order; places that are not here are left out.

    Raises:
        StoreError: a segment is not what the hub wrote.
    """
    opened: dict[tuple[int, int], list[Evidence]] = {}
    found = []
    for epoch, seq in places:
        within = (segment.c.kiosk == kiosk) & (segment.c.epoch == epoch)
        holds = within & (segment.c.first <= seq) & (segment.c.last >= seq)
        number = connection.execute(
            sa.select(segment.c.worker, segment.c.number).where(holds).order_by(segment.c.first.desc()).limit(1)
        ).first()
        if number is None:
            continue
        key = (number.worker, number.number)
        if key not in opened:
            opened[key] = _open(connection, *key)
        found += [one for one in opened[key] if one.seq == seq]
    return found


def _open(connection: sa.Connection, worker: int, number: int) -> list[Evidence]:
    row = connection.execute(
        sa.select(segment).where(segment.c.worker == worker, segment.c.number == number)
    ).one()
    before, made = row.previous, []
    for index, raw in enumerate(rows_of(row.codec, row.body)):
        before = chain(before, raw)
        made.append((index, raw, before))
    return [
        Evidence(
            kiosk=row.kiosk, epoch=row.epoch, seq=row.first + index, worker=worker, segment=number, row=index,
            received_ns=row.received_ns, hash=digest.hex(), chained=before == row.hash, raw=raw, **_read(raw),
        )
        for index, raw, digest in made
    ]  # fmt: skip


def _read(raw: bytes) -> dict[str, Any]:
    try:
        return {"fact": decode(raw)}
    except JournalError as error:
        return {"fact": None, "trouble": error.message}


def entry_of(fact: Fact) -> Entry | None:
    """Return the balanced entry that a fact posted."""
    found = getattr(fact.body, "entry", None)
    return found if isinstance(found, Entry) else None


def lines_of(fact: Fact, words: Wording) -> list[tuple[int, str, str]]:
    """Return what a fact says as (depth, name, value), its entry left out: that is told as postings."""
    currency = str(getattr(fact.body, "currency", ""))
    told = [line for line in _walk(fact.body, 0, currency, words) if line[1] != "entry"]
    if len(told) > MOST_LINES:
        told = [*told[:MOST_LINES], (0, "more", f"{len(told) - MOST_LINES} lines")]
    return told


def _walk(value: Any, depth: int, currency: str, words: Wording) -> Iterator[tuple[int, str, str]]:
    for field in msgspec.structs.fields(value):
        part = getattr(value, field.name)
        if part is None or part in ("", ()) or isinstance(part, Entry):
            continue
        yield from _line(field.name, part, depth, currency, words)


def _line(name: str, part: Any, depth: int, currency: str, words: Wording) -> Iterator[tuple[int, str, str]]:
    shown = name.removesuffix("_minor").replace("_", " ")
    if isinstance(part, Money):
        yield depth, shown, words.money(part.minor, part.currency)
    elif isinstance(part, bool):
        yield depth, shown, "yes" if part else "no"
    elif isinstance(part, int) and currency and (name.endswith("_minor") or name == "minor"):
        yield depth, shown if shown != "minor" else "amount", words.money(part, currency)
    elif isinstance(part, NoteId):
        yield depth, shown, str(part)
    elif isinstance(part, Text):
        yield depth, shown, words.say(part)
    elif isinstance(part, ReceiptTotal):
        note, _, value = part.name.partition(":")
        if value.isdigit():
            yield depth, f"{note}s of {words.money(int(value), currency)}", str(part.minor)
        else:
            yield depth, part.name, words.money(part.minor, currency)
    elif isinstance(part, NoteCount):
        yield depth, f"notes of {words.money(part.value_minor, part.currency)}", str(part.count)
    elif isinstance(part, AccountSum):
        yield depth, f"account {part.account}", words.money(part.minor, part.currency)
    elif isinstance(part, msgspec.Struct):
        yield depth, shown, ""
        yield from _walk(part, depth + 1, str(getattr(part, "currency", "") or currency), words)
    elif isinstance(part, tuple) and part and isinstance(part[0], msgspec.Struct):
        for one in part:
            yield from _line(name, one, depth, currency, words)
    elif isinstance(part, tuple):
        yield depth, shown, ", ".join(str(one) for one in part)[:400]
    else:
        yield depth, shown, str(part)[:400]
