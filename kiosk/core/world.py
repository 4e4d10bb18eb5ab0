"""The world of one step of the checkout, gathered from clock, books and devices."""

from __future__ import annotations

from kiosk.checkout.model import Context, Dispute
from kiosk.core.parts import KernelParts


def context_of(parts: KernelParts, device: str, *, journal_works: bool) -> Context:
    """Return the context of a step that is taken now for an event of `device` ("" for none)."""
    clock, books = parts.clock, parts.books
    return Context(
        now_ns=clock.now_ns(),
        today=clock.today(),
        fresh_session=parts.fresh_session(),
        next_seq=books.seq + 1,
        next_receipt=books.last_receipt + 1,
        device=device,
        known_notes=parts.board.known_notes,
        acceptor_ready=parts.board.acceptor_ready and journal_works,
        printer_ready=parts.board.printer_ready,
        note_outcome=books.outcomes(),
        disputes={page.note: Dispute(page.epoch, page.seq, page.entry) for page in books.disputes.values()},
        counter=parts.counter,
        settings=parts.settings,
        languages=parts.languages,
    )
