"""Holds a hub against the journals of its kiosks; knows nothing of how either came to be.

What a hub must hold of a kiosk: for each epoch one run of rows without a gap and each once, byte for byte what some
card of that kiosk has on its disk.  A row that is on the kiosk's disk and not accepted by the hub, or the reverse, is a
*difference*; it is explained only by a finding for that kiosk that stands at the first differing place (or at the
place before it, where the journals part), or that tells of a range which begins there.  Whatever is left over is
unexplained, and there must be none of it.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

#: (epoch, seq) -> the row's bytes.
Rows = dict[tuple[int, int], bytes]
#: Kinds of facts that put a note's value into the box.
_NOTES = ("note_credited", "note_suspended")


class Finding(NamedTuple):
    """What the hub says about a place."""

    code: str
    kiosk: str
    epoch: int
    seq: int
    detail: str


class Verdict(NamedTuple):
    """What one kiosk's comparison came to."""

    journalled: int
    accepted: int
    #: Places at which both have the same row.
    same: int
    #: Differences with the finding that names them, and those without one.
    explained: list[str]
    unexplained: list[str]
    #: Minor units of all notes by the kiosk's disk and by the hub's rows.
    kiosk_minor: int
    hub_minor: int


def rows_on_disk(journal: Path) -> Rows:
    """Read every row of a journal file."""
    connection = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    try:
        return {(epoch, seq): row for epoch, seq, row in connection.execute("SELECT epoch, seq, row FROM facts")}
    finally:
        connection.close()


def rows_of_segments(segments: Path) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield (kiosk, epoch, seq, row) of every accepted segment in the order of the workers."""
    connection = sqlite3.connect(f"file:{segments}?mode=ro", uri=True)
    try:
        wanted = "SELECT kiosk, epoch, first, last, codec, body FROM segment ORDER BY worker, number"
        for kiosk, epoch, first, last, codec, body in connection.execute(wanted):
            rows = msgspec.msgpack.decode(zlib.decompress(body) if codec else body)
            if isinstance(rows[0], int):  # a whole message as it came: its rows are the fourth field
                rows = rows[3]
            if len(rows) != last - first + 1:
                raise ValueError(f"segment of {kiosk} {epoch}/{first} to {last} holds {len(rows)} rows")
            for at, row in enumerate(rows):
                yield kiosk, epoch, first + at, row
    finally:
        connection.close()


def accepted_of(segments: Path) -> tuple[dict[str, Rows], list[str]]:
    """Return what a hub accepted by kiosk, and every row that it has twice or out of order."""
    accepted: dict[str, Rows] = {}
    faults: list[str] = []
    for kiosk, epoch, seq, row in rows_of_segments(segments):
        rows = accepted.setdefault(kiosk, {})
        if (epoch, seq) in rows:
            faults.append(f"{kiosk} {epoch}/{seq} is there twice")
        elif seq > 1 and (epoch, seq - 1) not in rows:
            faults.append(f"{kiosk} {epoch}/{seq} came before the fact before it")
        rows[epoch, seq] = row
    return accepted, faults


def findings_of(*databases: tuple[Path, str]) -> list[Finding]:
    """Read findings from (file, table) each."""
    found: list[Finding] = []
    for path, table in databases:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            found += [Finding(*row) for row in
                      connection.execute(f"SELECT code, kiosk, epoch, seq, detail FROM {table}")]  # fmt: skip
        finally:
            connection.close()
    return found


def money_of(rows: Rows) -> int:
    """Add up the notes that facts tell of, minor units."""
    whole = 0
    for row in rows.values():
        fact = json.loads(row)
        body = fact["body"]
        if body["kind"] in _NOTES and body["value"] is not None:
            value = body["value"]
            whole += value["minor"] if isinstance(value, dict) else value[0]
    return whole


def _names(finding: Finding, epoch: int, seq: int) -> bool:
    """Tell whether a finding stands at a place, or at the one before it, or tells of a range that begins there."""
    return (finding.epoch == epoch and finding.seq in (seq, seq - 1)) or f"{epoch}/{seq} to " in finding.detail


def compare(kiosk: str, disk: Rows, other_cards: list[Rows], accepted: Rows, findings: list[Finding]) -> Verdict:
    """Hold what a hub accepted of a kiosk against the kiosk's own disk and every other card it ever had."""
    own = [finding for finding in findings if finding.kiosk == kiosk]
    explained: list[str] = []
    unexplained: list[str] = []
    for place, row in sorted(accepted.items()):
        if disk.get(place) != row and not any(card.get(place) == row for card in other_cards):
            unexplained.append(f"{kiosk} {place[0]}/{place[1]} at the hub was never on a card of this kiosk")
    for epoch in sorted({epoch for epoch, _ in {*disk, *accepted}}):
        differing = sorted(
            seq for at, seq in {*disk, *accepted} if at == epoch and disk.get((at, seq)) != accepted.get((at, seq))
        )
        if not differing:
            continue
        first = differing[0]
        named = [each for each in own if _names(each, epoch, first)]
        told = f"{kiosk} {epoch}/{first}: {len(differing)} facts differ from there on"
        if named:
            explained.append(f"{told}; {', '.join(sorted({each.code for each in named}))}")
        else:
            codes = sorted({f"{each.code}@{each.epoch}/{each.seq}" for each in own})
            unexplained.append(f"{told}; the findings are {codes}")
    same = sum(1 for place, row in accepted.items() if disk.get(place) == row)
    return Verdict(len(disk), len(accepted), same, explained, unexplained, money_of(disk), money_of(accepted))
