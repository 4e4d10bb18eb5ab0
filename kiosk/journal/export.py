"""The journal as text for strangers: one line a fact, checkable with SHA-256 and a JSON reader alone.

    HASH SPACE SIGNATURE-or-hyphen SPACE ROW LF

Hash and signature are hexadecimal; the row is the exact JSON text that was hashed, which never holds a line end.
`docs/journal-format.md` has a verifier for this form that imports nothing of this project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kiosk.errors import JournalDamaged
from kiosk.journal.encoding import Row, decode, kind_of


def lines_of(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield one line for each row, its end included."""
    for row in rows:
        signature = row.signature.hex().encode() if row.signature else b"-"
        yield b" ".join((row.hash.hex().encode(), signature, row.row)) + b"\n"


def rows_of(lines: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows of an export again.

    Raises:
        JournalDamaged: a line is not one of an export, or its row is not a fact.
    """
    for number, line in enumerate(lines, 1):
        digest, _, rest = line.rstrip(b"\n").partition(b" ")
        signature, _, text = rest.partition(b" ")
        try:
            hash_, signed = bytes.fromhex(digest.decode()), None
            if signature != b"-":
                signed = bytes.fromhex(signature.decode())
        except ValueError:
            raise JournalDamaged(f"line {number} is not of a journal export", hint="export it again") from None
        fact = decode(text)
        yield Row(fact.epoch, fact.seq, kind_of(fact), text, hash_, signed)
