"""What the kernel lends: the world of one step to the checkout, the past to a driver that starts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from functools import partial

from kiosk.checkout.model import Checkout, Context, Dispute, Hopper
from kiosk.core.books import CITIZEN_SLIPS, Books
from kiosk.core.day import day_of
from kiosk.core.naming import nameless
from kiosk.core.parts import KernelParts
from kiosk.model.device_events import CommandRefused, NoteReturned
from kiosk.plugins.devices import OpenNote

#: As `job_name` writes it.
_JOB = re.compile(r"slip-([1-9][0-9]{0,9})-([0-9]{1,5})")


def context_of(parts: KernelParts, date: dt.date, device: str, *, journal_works: bool) -> Context:
    """Return the context of a step taken now, on a business date, for an event of `device` ("" for none)."""
    clock, books = parts.clock, parts.books
    acceptors = parts.board.of_class("BillAcceptor")
    return Context(
        now_ns=clock.now_ns(),
        today=clock.today(),
        fresh_session=parts.fresh_session(),
        next_seq=books.seq + 1,
        next_receipt=books.last_receipt + 1,
        epoch=books.epoch,
        last_of_kind=books.of_kind,
        device=device,
        known_notes=parts.board.known_notes,
        acceptor_ready=parts.board.acceptor_ready and journal_works and books.box_present,
        printer_ready=parts.board.printer_ready,
        note_outcome=books.outcomes(),
        disputes={page.note: Dispute(page.epoch, page.seq, page.entry) for page in books.disputes.values()},
        known_coins=parts.board.known_coins if journal_works and books.box_present else (),
        hoppers=hoppers_of(parts),
        payouts=books.payouts,
        counter=parts.counter,
        settings=parts.settings,
        languages=parts.languages,
        realms=parts.realms,
        day=partial(day_of, books, date, parts.counter.currency),
        acceptor=acceptors[0].name if acceptors else "",
        box_present=books.box_present,
        exchange=books.exchange,
        alarms=books.alarms,
        slips_open=books.slips_open,
        next_copy=partial(next_copy, books),
        awaited_in_mouth=partial(awaited_in_mouth, books),
        of_citizen=lambda number: number in books.slips and books.slips[number].slip in CITIZEN_SLIPS,
    )  # fmt: skip


def hoppers_of(parts: KernelParts) -> tuple[Hopper, ...]:
    """Return every hopper with its float, and whether change can be planned with it.

    Not with one that is silent or broken, says that it is empty, holds another coin than the journal says, or of which
    a payout is not over or not clear: nobody knows then what is in it.
    """
    books, found = parts.books, []
    unclear = {page.device for page in books.payouts.values() if page.phase != "ended"}
    for page in parts.board.of_class("CoinDispenser"):
        held = books.hoppers.get(page.name)
        coins = held.coins if held is not None else 0
        value = held.value if held is not None and (coins or page.name in unclear) else page.coin
        fits = page.coin is not None and page.coin == value and page.name not in unclear
        found.append(Hopper(page.name, value, coins, fits and page.ready and page.level != "empty"))
    return tuple(found)


def next_copy(books: Books, number: int) -> int | None:
    """Return the number of the next copy of a slip that is at hand; the original is copy 0."""
    page = books.slips.get(number)
    return None if page is None else max(1, page.copy + 1)


def awaited_in_mouth(books: Books, job: str) -> tuple[int, int] | None:
    """Return number and copy of the slip that a job put on paper; None where no presenter can tell of it, or has."""
    match = _JOB.fullmatch(job)
    page = books.slips.get(int(match[1])) if match else None
    if match is None or page is None or not page.shown < (copy := int(match[2])) <= page.copy:
        return None
    return None if copy == page.copy and page.printing != "ended" else (int(match[1]), copy)


def memory_of(
    parts: KernelParts, device: str, model: Checkout, over: Callable[[NoteReturned | CommandRefused], None]
) -> tuple[dict[str, str], OpenNote | None, bytes]:
    """Return marks, the note whose end the journal does not know, and 32 random bytes for a driver's start.

    `over` is told of a note that the driver before held in escrow: no intent of it is committed, so the new one
    gives back whatever lies there, under another serial.  And of a payout that the driver before was asked for and
    that was never let go: it is over, and the new one hears nothing of it.
    """
    flight = model.flight
    payouts = model.dispensing.payouts if model.dispensing is not None else ()
    for payout in payouts:
        if payout.device == device and payout.phase == "ordered":
            over(CommandRefused("dispense", "driver_restarted", payout=payout.payout))
    if flight is not None and flight.note.device == device and flight.phase == "escrow":
        over(NoteReturned(flight.note, "driver_restarted"))
    serial = parts.books.note_serials.get(device, 0)
    if flight is not None and flight.note.device == device:
        serial = max(serial, flight.note.serial)  # in escrow there may be no fact of it yet, but its serial is taken
    marks = {"note_serial": str(serial)}
    if device in parts.books.device_marks:
        marks["device_mark"] = parts.books.device_marks[device]
    for page in parts.books.payouts.values():
        if page.device == device and page.phase == "started":
            marks |= {
                "payout": page.payout, "payout_coins": str(page.coins), "payout_phase": page.phase,
                "payout_mark": page.mark,
            }  # fmt: skip
    found = parts.books.open_note(device)
    return marks, nameless(OpenNote(*found)) if found is not None else None, parts.entropy()
