"""What each fact does to the books, one function a kind of fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kiosk.checkout.model import OpenExchange
from kiosk.core.change_bookkeeping import CHANGE
from kiosk.core.pages import (
    Applied,
    CommandPage,
    DisputePage,
    OpenSession,
    PeriodPage,
    PinFailures,
)  # fmt: skip
from kiosk.model import facts
from kiosk.model.invoice import Quote

if TYPE_CHECKING:
    from kiosk.core.books import Books

#: The last closings of dates that are remembered; older ones are found in the journal.
CLOSINGS_KEPT = 64
#: Commands of a hub that are remembered; older ones are found in the journal.
COMMANDS_KEPT = 256


def _genesis(books: Books, fact: facts.Fact, body: facts.Genesis) -> None:
    books.running = False


def _epoch(books: Books, fact: facts.Fact, body: facts.EpochStarted) -> None:
    books.last_receipt = 0
    books.of_kind = {}
    books.slips = {}
    books.period.slips = {}  # numbers begin anew: a span over two epochs would run backwards
    books.deferred = None  # a slip tells of a fact of its own epoch
    books.running = False


def _started(books: Books, fact: facts.Fact, body: facts.Started) -> None:
    books.running = True
    books.digests = (fact.stamp.digests.software, fact.stamp.digests.configuration, fact.stamp.digests.data)


def _stopped(books: Books, fact: facts.Fact, body: facts.Stopped) -> None:
    books.running = False


def _configuration(books: Books, fact: facts.Fact, body: facts.ConfigurationChanged) -> None:
    books.digests = (body.software, body.configuration, body.data)


def _frozen(books: Books, fact: facts.Fact, body: facts.TenderFrozen) -> None:
    books.open_session = OpenSession(fact.stamp.session, body.quotes, body.due_minor, body.language, held=body.held)


def _intended(books: Books, fact: facts.Fact, body: facts.StackIntended) -> None:
    books.take_note(body.note, body.value, "intended", fact.stamp.session)
    if body.device_mark:
        books.device_marks[body.note.device] = body.device_mark


def _returning(books: Books, fact: facts.Fact, body: facts.ReturnIntended) -> None:
    books.take_note(body.note, body.value, "returning", fact.stamp.session)


def _credited(books: Books, fact: facts.Fact, body: facts.NoteCredited) -> None:
    books.commissioned = True  # a journal from before there was a commissioning act
    books.take_note(body.note, body.value, "credited", fact.stamp.session)
    books.post(body.entry)
    books.into_box(body.value)
    if body.means == "coin":
        books.box_coins += 1
        books.notes[str(body.note)].gone = True  # past the point of return there is nothing left to be followed
    if body.device_mark:
        books.device_marks[body.note.device] = body.device_mark
    if books.open_session is not None and books.open_session.session == fact.stamp.session:
        books.open_session.credited.append(body.value)
        books.open_session.coins += [body.value] if body.means == "coin" else []


def _suspended(books: Books, fact: facts.Fact, body: facts.NoteSuspended) -> None:
    if body.note is not None and body.value is not None:
        books.take_note(body.note, body.value, "suspended", "")
    elif body.note is not None and str(body.note) in books.notes:
        books.notes[str(body.note)].outcome = "suspended"
    books.post(body.entry)
    if body.value is not None:
        books.into_box(body.value)
    else:
        books.box_unknown += 1
        books.period.unknown_notes += 1
    if body.note is not None:
        books.disputes.pop(str(body.note), None)
    if body.device_mark:
        books.device_marks[body.device] = body.device_mark


def _returned(books: Books, fact: facts.Fact, body: facts.NoteReturned) -> None:
    if body.note is None:
        return
    page = books.notes.get(str(body.note))
    if page is not None:
        page.outcome = "returned"
        page.gone = True
    books.disputes.pop(str(body.note), None)
    books.note_serials[body.note.device] = max(body.note.serial, books.note_serials.get(body.note.device, 0))


def _disputed(books: Books, fact: facts.Fact, body: facts.NoteDisputed) -> None:
    books.take_note(body.note, body.value, "disputed", fact.stamp.session)
    books.post(body.entry)
    books.disputes[str(body.note)] = DisputePage(body.note, fact.epoch, fact.seq, body.entry)
    if body.device_mark:
        books.device_marks[body.note.device] = body.device_mark


def _gone(books: Books, fact: facts.Fact, body: facts.NoteGone) -> None:
    page = books.notes.get(str(body.note))
    if page is not None:
        page.gone = True


def _settled(books: Books, fact: facts.Fact, body: facts.Settled) -> None:
    books.post(body.entry)
    books.payments += 1
    books.period.payments += 1
    for held, sign in [(each, -1) for each in body.used] + [(each, 1) for each in body.held]:
        _hold(books, held, sign * held.minor)
    for part in body.allocations:
        if part.minor:
            rows = books.applied.setdefault(f"{part.service}/{part.number}", [])
            quote = _quote_of(books, part)
            full_on = quote.priced_on.isoformat() if quote and part.outcome == "full" else ""
            bill = quote.issued.isoformat() if quote and quote.issued else ""
            rows.append(Applied(fact.epoch, fact.seq, part.minor, full_on, bill))
    _close(books, fact)


def _hold(books: Books, part: facts.Held, minor: int) -> None:
    name = f"{part.service}/{part.number}"
    left = books.held.pop(name, 0) + minor
    if left:
        books.held[name] = left


def _quote_of(books: Books, part: facts.Allocation) -> Quote | None:
    """Return the price that stood for a payment: the day of it is when the fee clock stopped, if it paid the whole."""
    quotes = books.open_session.quotes if books.open_session is not None else ()
    return next((quote for quote in quotes if (quote.service, quote.number) == (part.service, part.number)), None)


def _closed(books: Books, fact: facts.Fact, body: facts.SessionClosed) -> None:
    _close(books, fact)


def _close(books: Books, fact: facts.Fact) -> None:
    if books.open_session is not None and books.open_session.session == fact.stamp.session:
        books.open_session = None


def _issued(books: Books, fact: facts.Fact, body: facts.ReceiptIssued) -> None:
    books.last_receipt = body.number
    if body.of_kind:
        books.of_kind[body.slip] = body.of_kind
        first, _ = books.period.slips.get(body.slip, (body.of_kind, 0))
        books.period.slips[body.slip] = (first, body.of_kind)
    if books.deferred is not None and books.deferred.draft.settled_seq == body.about_seq:
        books.deferred = None
    name = f"{fact.kiosk}-{fact.epoch}-{body.number:06d}-{books.head[:4]}"
    books.take_slip(body.number, fact, body.slip, name)


def _print_started(books: Books, fact: facts.Fact, body: facts.PrintStarted) -> None:
    if body.copy:
        books.period.reprints += 1
    page = books.slips.get(body.number)
    if page is not None:
        page.copy, page.printing = body.copy, "printing"


def _print_ended(books: Books, fact: facts.Fact, body: facts.PrintEnded) -> None:
    page = books.slips.get(body.number)
    if page is not None:
        page.printing = "ended"
        if page.outcome != "printed":  # a copy that fails takes no paper out of anybody's hand
            page.outcome = body.outcome


def _slip_presented(books: Books, fact: facts.Fact, body: facts.SlipPresented) -> None:
    page = books.slips.get(body.number)
    if page is None:
        return
    page.shown = max(page.shown, body.copy)
    page.taken = page.taken or body.outcome == "taken"
    if page.taken:
        page.outcome = "printed"
    elif page.outcome == "printed":
        page.outcome = body.outcome  # on paper and in nobody's hand: staff print a copy


def _reversed(books: Books, fact: facts.Fact, body: facts.Reversed) -> None:
    books.post(body.entry)
    undone = (body.original_epoch, body.original_seq)
    for name, rows in list(books.applied.items()):
        left = [row for row in rows if (row.epoch, row.seq) != undone]
        if left:
            books.applied[name] = left
        else:
            del books.applied[name]


def _cashbox(books: Books, fact: facts.Fact, body: facts.CashboxChanged) -> None:
    books.box_present = not body.removed
    if body.device_mark:
        books.device_marks[body.device] = body.device_mark
    if books.exchange is not None and body.authority == "exchange":
        was_out = books.exchange.removed or body.removed
        books.exchange = msgspec.structs.replace(books.exchange, removed=was_out, inserted=not body.removed)
    if body.box_session != books.box_session:
        books.end_box(body.box_session, ended_by="removal")


def _authorised(books: Books, fact: facts.Fact, body: facts.ExchangeAuthorised) -> None:
    books.exchange = OpenExchange(
        device=body.device, old_box=body.old_box, new_box=body.new_box, seal=body.seal, first=body.first,
        second=body.second,
    )  # fmt: skip


def _exchanged(books: Books, fact: facts.Fact, body: facts.BoxExchanged) -> None:
    books.box_number = body.old_box
    books.end_box(body.box_session, ended_by="exchange", first=body.first, second=body.second)
    books.box_number = body.new_box
    books.exchange = None


def _abandoned(books: Books, fact: facts.Fact, body: facts.ExchangeAbandoned) -> None:
    books.exchange = None
    if body.box_session != books.box_session:
        box = books.box_number
        books.end_box(body.box_session, ended_by="removal")
        books.box_number = box


def _alarmed(books: Books, fact: facts.Fact, body: facts.AlarmRaised) -> None:
    if body.alarm == "cashbox_unwatched":
        books.away_ns = 0
    books.alarms = tuple(dict.fromkeys((*books.alarms, body.alarm)))


def _alarms_seen(books: Books, fact: facts.Fact, body: facts.AlarmAcknowledged) -> None:
    books.alarms = tuple(alarm for alarm in books.alarms if alarm not in body.alarms)


def _day_closed(books: Books, fact: facts.Fact, body: facts.DayClosed) -> None:
    books.last_z, books.grand_total_minor = body.number, body.grand_total_minor
    books.period = PeriodPage()
    books.box_closings = (*books.box_closings, body.number)
    if body.closes_through is not None:
        books.closed_through = body.closes_through
        books.date_closings = [*books.date_closings, (body.closes_through, body.number)][-CLOSINGS_KEPT:]
        books.first_open = None


def _received(books: Books, fact: facts.Fact, body: facts.BoxReceived) -> None:
    page = books.boxes.get(body.box_session)
    if page is not None:
        page.received = body


def _counted(books: Books, fact: facts.Fact, body: facts.BoxCounted) -> None:
    page = books.boxes.get(body.box_session)
    if page is not None:
        page.attempts.append(body)


def _count_closed(books: Books, fact: facts.Fact, body: facts.CountClosed) -> None:
    books.post(body.entry)
    page = books.boxes.get(body.box_session)
    if page is not None:
        page.closed = body


def _signed_in(books: Books, fact: facts.Fact, body: facts.OperatorSignedIn) -> None:
    books.pin_failures.pop(body.person, None)


def _refused(books: Books, fact: facts.Fact, body: facts.OperatorRefused) -> None:
    if body.reason == "pin" and body.person:
        before = books.pin_failures.get(body.person)
        books.pin_failures[body.person] = PinFailures((before.count if before else 0) + 1, books.trusted_wall_ns)


def _acted(books: Books, fact: facts.Fact, body: facts.OperatorActed) -> None:
    if body.act == "realm":
        books.away_ns = fact.stamp.at.wall_ns


def _shutter(books: Books, fact: facts.Fact, body: facts.ShutterChanged) -> None:
    books.shutter, books.shutter_reason = (body.by, body.reason) if body.closed else ("", "")


def _commanded(books: Books, fact: facts.Fact, body: facts.HubCommanded) -> None:
    books.hub_commands[body.id] = CommandPage(body.outcome, body.detail)
    for oldest in list(books.hub_commands)[: max(0, len(books.hub_commands) - COMMANDS_KEPT)]:
        del books.hub_commands[oldest]
    if body.outcome == "waiting":
        books.hub_waiting = body
    elif books.hub_waiting is not None and books.hub_waiting.id == body.id:
        books.hub_waiting = None


def _people(books: Books, fact: facts.Fact, body: facts.PeopleAdopted) -> None:
    books.hub_people = (body.version, body.digest, body.refused)


def _pack(books: Books, fact: facts.Fact, body: facts.PackAdopted) -> None:
    books.hub_pack = body.version


def _commissioned(books: Books, fact: facts.Fact, body: facts.Commissioned) -> None:
    books.commissioned = True
    books.box_number = body.box or books.box_number


def _acknowledged(books: Books, fact: facts.Fact, body: facts.SlipAcknowledged) -> None:
    page = books.slips.get(body.number)
    if page is not None:
        page.acknowledged = True


def _identified(books: Books, fact: facts.Fact, body: facts.DeviceIdentified) -> None:
    books.identities[body.device] = (body.model, body.firmware, body.serial)


def _service(books: Books, fact: facts.Fact, body: facts.ServiceChanged) -> None:
    books.out_of_service = body.reasons


APPLY: dict[type, Any] = {
    facts.Genesis: _genesis, facts.EpochStarted: _epoch, facts.Started: _started, facts.Stopped: _stopped,
    facts.ConfigurationChanged: _configuration, facts.TenderFrozen: _frozen, facts.StackIntended: _intended,
    facts.ReturnIntended: _returning,
    facts.NoteCredited: _credited, facts.NoteSuspended: _suspended, facts.NoteReturned: _returned,
    facts.NoteDisputed: _disputed, facts.NoteGone: _gone, facts.Settled: _settled, facts.SessionClosed: _closed,
    facts.ReceiptIssued: _issued, facts.PrintStarted: _print_started, facts.PrintEnded: _print_ended,
    facts.Reversed: _reversed, facts.CashboxChanged: _cashbox, facts.DeviceIdentified: _identified,
    facts.ServiceChanged: _service, facts.ExchangeAuthorised: _authorised, facts.BoxExchanged: _exchanged,
    facts.ExchangeAbandoned: _abandoned, facts.AlarmRaised: _alarmed, facts.AlarmAcknowledged: _alarms_seen,
    facts.DayClosed: _day_closed, facts.BoxReceived: _received, facts.BoxCounted: _counted,
    facts.CountClosed: _count_closed, facts.OperatorSignedIn: _signed_in, facts.OperatorRefused: _refused,
    facts.OperatorActed: _acted,
    facts.ShutterChanged: _shutter, facts.Commissioned: _commissioned, facts.SlipAcknowledged: _acknowledged,
    facts.SlipPresented: _slip_presented,
    **CHANGE,
    facts.HubCommanded: _commanded, facts.PeopleAdopted: _people, facts.PackAdopted: _pack,
}  # fmt: skip
