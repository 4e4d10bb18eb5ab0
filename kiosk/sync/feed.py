"""Reference data on their way down: names of the data sets, bytes of a row, digests, and what the hub signs.

**Data sets.**  ``invoices:SERVICE`` holds what is owed, one row an invoice.  A document (`DOCUMENTS`) is a small thing
that is sent whole: people, the city's pack, revoked keys.

**Runs.**  Every change of an invoice gets a cursor of its own, which only grows.  What a kiosk lacks comes in a run:
`Snap` parts hold what is not newer than the cursor at which the run began, `Delta` parts what changed since, both in
the order of their cursors, and `End` says which state the set is in now.  A row that changes while a run is under way
moves behind everything and comes again, so at `End` the kiosk holds exactly the hub's state, however long the run took
and wherever it was cut: the run goes on from the last cursor that came whole.  A run without `Snap` parts only tells
what changed.  Documents have no changes: their rows are pieces of one body.

**Digest.**  The sum of SHA-256 over each row's bytes, modulo 2^256, in hexadecimal.  It can be kept while rows come, go
and change, on both sides and in any order, which a hash over the whole cannot: a change of ten rows among a million
costs ten hashes.  A sum resists chance, not a clever author: somebody who may choose rows can look for others with the
same sum.  That is enough here, because nobody else chooses rows.  They come through an authenticated line from a hub
that signs the manifest (`manifest`); the digest has to show what was lost, doubled or damaged on the way or on a disk.

**Counted.**  A row is the same for all kiosks: what was imported and what the hub has posted to it.  With the state of
a set, `End` tells the asking kiosk up to which of its own facts that state has counted.  What it applied later, and
only that, it subtracts itself.  The mark belongs to the state of the set and is stored in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated

import msgspec

from kiosk.errors import SyncError
from kiosk.model.invoice import STATES
from kiosk.sync.messages import DataCursor, Mark
from kiosk.sync.replica import Row
from kiosk.tariff.decoding import is_id

#: Documents, smallest first: the order in which they are asked for.
DOCUMENTS = ("keys_revoked", "people", "plates", "meters", "services", "policies", "pack")
#: Bytes of rows in one part, about.
PART_BYTES = 256 << 10
#: Bytes of a document.
LARGEST_DOCUMENT = 16 << 20
#: Bytes of one piece of it.
PIECE_BYTES = 64 << 10
#: Changes that are worth a run without a snapshot.
MOST_CHANGES = 50_000
_PREFIX = "invoices:"
_MODULUS = 1 << 256

_Minor = Annotated[int, msgspec.Meta(ge=-(10**13), le=10**13)]
_Day = Annotated[int, msgspec.Meta(ge=1, le=3_652_059)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_InvoiceRow = tuple[
    Annotated[str, msgspec.Meta(min_length=1, max_length=64)],
    Annotated[str, msgspec.Meta(min_length=3, max_length=3)],
    _Minor | None,
    _Minor,
    Annotated[int, msgspec.Meta(ge=0, lt=len(STATES))],
    _Day,
    _Day | None,
    Annotated[str, msgspec.Meta(max_length=16)],
    _Number,
    _Number,
    Annotated[bytes, msgspec.Meta(max_length=32)] | None,
    _Number,
    _Number,
]
_encoder = msgspec.msgpack.Encoder()
_rows = msgspec.msgpack.Decoder(_InvoiceRow)
_pieces = msgspec.msgpack.Decoder(tuple[_Number, Annotated[bytes, msgspec.Meta(max_length=PIECE_BYTES)]])


def service_of(name: str) -> str:
    """Return the service of a data set of invoices, "" for any other name.

    >>> service_of("invoices:water_bill"), service_of("people")
    ('water_bill', '')
    """
    service = name.removeprefix(_PREFIX)
    return service if name.startswith(_PREFIX) and is_id(service) else ""


def row_bytes(row: Row) -> bytes:
    """Return the bytes of an invoice's row: a MessagePack array in the order of the replica's columns."""
    return _encoder.encode(row)


def read_row(data: bytes) -> Row:
    """Read the bytes of a row.

    Raises:
        SyncError: they are no row, or one that no invoice can have.
    """
    try:
        row: Row = _rows.decode(data)
        return row
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise SyncError(f"a row of reference data cannot be read: {str(fault)[:120]}") from fault


def weight(row: bytes) -> int:
    """Return what a row adds to its set's digest."""
    return int.from_bytes(sha256(row).digest(), "big")


def digest_of(total: int) -> str:
    """Return the digest of a set whose rows weigh so much together.

    >>> digest_of(weight(b"a") + weight(b"b")) == digest_of(weight(b"b") + weight(b"a"))
    True
    """
    return f"{total % _MODULUS:064x}"


def total_of(digest: str) -> int:
    """Return the sum behind a digest.

    Raises:
        SyncError: the text is none.
    """
    try:
        return int(digest, 16)
    except ValueError:
        raise SyncError(f"{digest[:70]!r} is not the digest of a data set") from None


def manifest(
    hub: str, data: DataCursor, rows: int, taken_at_ns: int, *, kiosk: str = "", counted: Mark | None = None
) -> bytes:
    """Return the bytes by which a hub vouches for the state of a data set, and for what it counted of one kiosk."""
    counted = counted or Mark()
    numbers = (data.generation, data.cursor, rows, taken_at_ns, counted.epoch, counted.seq)
    texts = (hub, kiosk, data.name, data.digest)
    return (
        b"kiosk-hub-data-v1\0"
        + b"".join(text.encode() + b"\0" for text in texts)
        + b"".join(number.to_bytes(8, "big") for number in numbers)
    )


def document_rows(body: bytes) -> tuple[bytes, ...]:
    """Return a document's rows: numbered pieces."""
    pieces = range(0, len(body), PIECE_BYTES)
    return tuple(_encoder.encode((at // PIECE_BYTES, body[at : at + PIECE_BYTES])) for at in pieces)


def document_body(rows: Iterable[bytes]) -> bytes:
    """Put a document together again.

    Raises:
        SyncError: a piece is missing, doubled, or no piece.
    """
    found = bytearray()
    for expected, row in enumerate(rows):
        try:
            number, piece = _pieces.decode(row)
        except msgspec.DecodeError as fault:
            raise SyncError(f"a piece of a document cannot be read: {str(fault)[:120]}") from fault
        if number != expected:
            raise SyncError(f"piece {number} of a document came where {expected} was due")
        found += piece
    return bytes(found)


def document_digest(body: bytes) -> str:
    """Return a document's digest as a data set."""
    return digest_of(sum(weight(row) for row in document_rows(body)))


def pack_body(texts: Mapping[str, str]) -> bytes:
    """Return a pack as a document: its texts by name, always in the same order.  A logo stays with each kiosk."""
    return _encoder.encode({name: texts[name] for name in sorted(texts)})
