"""A finding: something that does not add up, with an id that stays the same however often it is found.

Three tables hold findings, because each has one owner: what the workers refused (`segments`), what the front refused
(`office`), what posting found (`books`).  They have the same columns, and the pages show them as one list.  The same
thing found again only counts: `times` grows, `first_ns` stays.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

#: Longest words about a finding; whatever a stranger sent is cut here.
LONGEST_DETAIL = 400
SEVERITIES = ("error", "warning", "note")


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not add up."""

    #: What it is, from the tables of codes of ingest, front and posting; documented in docs/hub-findings.md.
    code: str
    severity: str
    #: Kiosk that it is about, "" where nobody authenticated is.
    kiosk: str
    epoch: int
    #: Fact that it is about; 0 where it is about none.
    seq: int
    detail: str

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits over what makes it the same finding: everything but its words."""
        return finding_id(self.code, self.kiosk, self.epoch, self.seq)


def finding_id(code: str, kiosk: str, epoch: int = 0, seq: int = 0, more: str = "") -> str:
    """Return the id of a finding; `more` tells apart what has no fact, e.g. a stranger's key."""
    return sha256(f"{code}\0{kiosk}\0{epoch}\0{seq}\0{more}".encode()).hexdigest()[:12]


def words_of(detail: str) -> str:
    """Return what of a finding's words is stored: they may quote a stranger, and no database takes a NUL."""
    return detail[:LONGEST_DETAIL].replace("\0", "\N{REPLACEMENT CHARACTER}")


def note(
    connection: sa.Connection, table: sa.Table, finding: Finding, now_ns: int, *, more: str = "", times: int = 1
) -> str:
    """Write a finding into one of the three tables, or count it once more (or `times` more); return its id."""
    number = finding_id(finding.code, finding.kiosk, finding.epoch, finding.seq, more)
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    connection.execute(
        insert.values(
            id=number, code=finding.code, severity=finding.severity, kiosk=finding.kiosk, epoch=finding.epoch,
            seq=finding.seq, detail=words_of(finding.detail), first_ns=now_ns, last_ns=now_ns, times=times,
        ).on_conflict_do_update(index_elements=["id"], set_={"last_ns": now_ns, "times": table.c.times + times})
    )  # fmt: skip
    return number
