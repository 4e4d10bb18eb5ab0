"""Rebuilds the books at start: from the last checkpoint that fits the chain, then from every fact after it."""

from __future__ import annotations

import msgspec

from kiosk.core.books import BOOKS_VERSION, Books
from kiosk.journal.store import Journal

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Books)


def save(journal: Journal, books: Books) -> None:
    """Keep the books as a checkpoint; a cache that the journal binds to the hash at its place."""
    journal.save_checkpoint(books.seq, _encoder.encode(books))


def replay(journal: Journal) -> Books:
    """Return the books of everything in the journal.

    Raises:
        JournalDamaged: a fact after the checkpoint is not what was written.
    """
    books = Books()
    held = journal.load_checkpoint()
    if held is not None:
        try:
            kept = _decoder.decode(held[1])
        except msgspec.DecodeError:
            kept = None  # made by another version of this software: everything is read again
        if kept is not None and kept.version == BOOKS_VERSION and (kept.epoch, kept.seq) == (journal.epoch, held[0]):
            books = kept
    facts = journal.read(books.seq, books.epoch) if books.seq else journal.read()
    for committed in facts:
        books.apply(committed)
    return books
