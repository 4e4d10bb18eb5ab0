"""What drivers tell the kernel.  Plain data, in UnifiedPOS and XFS words (devices sheet §4).

A driver never names itself: the core adds the configured device name.  Events that carry a `token` are
*money-critical*: the driver stops before the wire consequence (the acknowledgement, the RESET) until the
core has committed the fact and answers with `commands.Confirm(token)`; "commit before consequence".
`raw` is the status as the device sent it, in hexadecimal, kept beside the generic state (two levels).
"""

from __future__ import annotations

import msgspec

from kiosk.model.ids import NoteId
from kiosk.model.money import Money


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=True):
    """Root of all device events."""


# --- any device ---------------------------------------------------------------------------------------------


class Identified(Event, frozen=True, tag="identified"):
    """The device told who it is."""

    model: str = ""
    firmware: str = ""
    serial: str = ""
    detail: str = ""


class DeviceState(Event, frozen=True, tag="device_state"):
    """The device's condition changed.  Sent on change only."""

    #: Generic state, one of the driver's declared states, e.g. ``idling``, ``paper_out``, ``unknown``.
    state: str
    #: ``ok``, ``warn``, ``fault`` or ``unknown``.  Unknown is not OK.
    severity: str
    #: Raw code(s) in hexadecimal.
    raw: str = ""
    detail: str = ""


class CommandRefused(Event, frozen=True, tag="command_refused"):
    """A command could not be carried out, e.g. it names a note that has departed.  Closes that intent."""

    command: str
    reason: str
    note: NoteId | None = None
    job: str = ""
    payout: str = ""


class ProtocolFault(Event, frozen=True, tag="protocol_fault"):
    """Counted trouble on the line (bad checksum, time-out, unknown code); never dropped silently."""

    #: ``checksum``, ``timeout``, ``unknown_code``, ``unexpected``, ``overflow`` …
    kind: str
    detail: str = ""
    raw: str = ""


# --- Scanner --------------------------------------------------------------------------------------------------


class Scanned(Event, frozen=True, tag="scanned"):
    """A label was read.  The driver does not know what it means."""

    #: Text, bounded by the driver (512 characters at most), control characters kept as they came.
    label: str
    #: AIM identifier such as ``]C0`` or "" when the scanner does not tell.
    symbology: str = ""


class ScanRefused(Event, frozen=True, tag="scan_refused"):
    """A read was thrown away by the driver (too long, too short, broken off).  Its content is not kept."""

    reason: str
    length: int


# --- BillAcceptor ---------------------------------------------------------------------------------------------


class NotesKnown(Event, frozen=True, tag="notes_known"):
    """The acceptor's own table of notes was read and belongs to the configured currency."""

    #: Distinct values the unit can read, ascending.
    values: tuple[Money, ...]


class NoteAccepting(Event, frozen=True, tag="note_accepting"):
    """A note is being drawn in; its value is not known yet."""


class NoteEscrowed(Event, frozen=True, tag="note_escrowed"):
    """A note lies in escrow and waits for a decision.  Not money yet."""

    note: NoteId
    value: Money
    #: Nanoseconds (driver's `now`) until which a decision is useful; HOLD may prolong it.
    decide_by: int
    device_mark: str = ""


class NoteHeld(Event, frozen=True, tag="note_held"):
    """The acceptor confirms that it holds the note longer."""

    note: NoteId


class NoteStacking(Event, frozen=True, tag="note_stacking"):
    """The stack command was taken and the note is moving."""

    note: NoteId


class NoteStacked(Event, frozen=True, tag="note_stacked"):
    """The protocol's credit point.  Money-critical: the driver waits for `Confirm(token)`.

    `note` is None where the wire shows a stacked note that nobody announced (value None where the wire
    does not tell it either): such a note is never given a guessed value.
    """

    token: int
    note: NoteId | None
    value: Money | None
    #: True where it was found at start or power-up rather than seen happening.
    recovered: bool = False
    device_mark: str = ""
    raw: str = ""


class NoteReturned(Event, frozen=True, tag="note_returned"):
    """The note went back to the person.  Final: a returned note is never credited.

    Money-critical where `token` is not 0 (a power-up status that RESET makes the unit forget).
    """

    note: NoteId | None
    #: ``commanded``, ``rejected:79``, ``power_up_in_acceptor``, ``idle_after_restart`` …
    reason: str
    token: int = 0
    raw: str = ""


class NoteRejected(Event, frozen=True, tag="note_rejected"):
    """A note that never reached escrow was pushed back by the unit."""

    #: Generic: ``insertion``, ``recognition``, ``denomination_inhibited``, ``transport``, ``length``, ``unknown`` …
    reason: str
    raw: str = ""


class NoteDisputed(Event, frozen=True, tag="note_disputed"):
    """The wire cannot tell what became of a note whose stack command was sent.  Money-critical."""

    token: int
    note: NoteId
    value: Money
    reason: str
    raw: str = ""
    device_mark: str = ""


class NoteGone(Event, frozen=True, tag="note_gone"):
    """The life of a credited note ended on the wire (STACKED, IDLING after the acknowledgement)."""

    note: NoteId


class CashboxRemoved(Event, frozen=True, tag="cashbox_removed"):
    """The cash box was taken out of the unit."""

    raw: str = ""
    #: The unit's event counter with this event, stored with the fact, so that a restart does not tell it again.
    device_mark: str = ""


class CashboxInserted(Event, frozen=True, tag="cashbox_inserted"):
    """A cash box is in the unit again."""

    device_mark: str = ""


# --- CoinAcceptor ---------------------------------------------------------------------------------------------


class CoinsKnown(Event, frozen=True, tag="coins_known"):
    """The coin acceptor's own table of coins was read and belongs to the configured currency."""

    #: Distinct values the unit can tell, ascending.
    values: tuple[Money, ...]


class CoinAccepted(Event, frozen=True, tag="coin_accepted"):
    """A coin is past the point of return: the credit point.  Money-critical: waits for `Confirm(token)`.

    A coin has no escrow, so no intent comes before it.  `value` is None where the wire does not tell it: such a coin
    is never given a guessed value.  The unit goes on taking coins while one waits for its commit; they are told one
    after the other, in order.
    """

    token: int
    #: Names the coin like a note: device and serial.
    coin: NoteId
    value: Money | None
    #: True where it fell while nobody listened (found by the unit's counter at start or after silence).
    recovered: bool = False
    #: The unit's counter after this coin; stored in the same fact as the credit.
    device_mark: str = ""
    raw: str = ""


class CoinRejected(Event, frozen=True, tag="coin_rejected"):
    """A coin fell through to the return cup."""

    #: Generic: ``recognition``, ``denomination_inhibited``, ``transport``, ``fraud``, ``unknown`` …
    reason: str
    raw: str = ""


# --- CoinDispenser --------------------------------------------------------------------------------------------


class HopperKnown(Event, frozen=True, tag="hopper_known"):
    """The hopper told which coin it holds, or its configuration did."""

    value: Money


class HopperLevel(Event, frozen=True, tag="hopper_level"):
    """The level sensors of the hopper changed: ``full``, ``ok``, ``low``, ``empty`` or ``unknown``."""

    level: str
    raw: str = ""


class PayoutReady(Event, frozen=True, tag="payout_ready"):
    """The counters before the payout are read; no coin has moved.  Money-critical: the order to pay goes out after
    `Confirm(token)`, because the counters must be on disk before it."""

    token: int
    payout: str
    #: The hopper's counters before the order, as the driver wants them back by `remember`.
    device_mark: str


class PayoutProgress(Event, frozen=True, tag="payout_progress"):
    """Coins paid so far."""

    payout: str
    paid: int
    coins: int


class PayoutEnded(Event, frozen=True, tag="payout_ended"):
    """The payout is over and its figures are certain.  Money-critical: waits for `Confirm(token)`.

    paid + unpaid is what was asked for.  `paid` is 0 where the order was provably never carried out.
    """

    token: int
    payout: str
    paid: int
    unpaid: int
    #: ``done``, ``empty``, ``jammed``, ``not_executed``, ``stopped``, ``power_lost``, ``refused`` …
    reason: str
    recovered: bool = False
    device_mark: str = ""
    raw: str = ""


class PayoutDisputed(Event, frozen=True, tag="payout_disputed"):
    """The counters cannot tell how many coins left the hopper.  Money-critical."""

    token: int
    payout: str
    #: Coins that left for certain.
    at_least: int
    #: Coins that may have left.
    at_most: int
    reason: str
    raw: str = ""


# --- POSPrinter -----------------------------------------------------------------------------------------------


class PrintReady(Event, frozen=True, tag="print_ready"):
    """Preflight passed; no byte of the job has gone out.  Money-critical: waits for `Confirm(token)`,
    because `PrintStarted` must be committed before the first byte."""

    token: int
    job: str


class PrintHeld(Event, frozen=True, tag="print_held"):
    """The job stays queued: preflight failed.  Sent on change of the reason.  No byte has gone out."""

    job: str
    #: The printer state of the devices sheet §1.4.
    state: str


class PrintProgress(Event, frozen=True, tag="print_progress"):
    """Bytes handed to the line so far."""

    job: str
    sent: int
    total: int


class Printed(Event, frozen=True, tag="printed"):
    """The barrier was answered: every byte was consumed by the printer."""

    job: str


class PrintUnknown(Event, frozen=True, tag="print_unknown"):
    """Bytes went out and the barrier was not passed.  Final; the job is never re-sent by itself."""

    job: str
    reason: str
    sent: int = 0
    total: int = 0


class SlipPresented(Event, frozen=True, tag="slip_presented"):
    """What became of a printed slip that was shown in a presenter's mouth.  Once for each slip, after `Printed`.

    A slip that its owner does not have can be printed again, as a COPY.
    """

    job: str
    #: ``taken``, ``retracted`` or ``ejected`` (nobody took it in time), ``jammed``, ``unknown`` (the line was lost).
    outcome: str
    raw: str = ""


DeviceEvent = (
    Identified | DeviceState | CommandRefused | ProtocolFault | Scanned | ScanRefused | NotesKnown | NoteAccepting
    | NoteEscrowed | NoteHeld | NoteStacking | NoteStacked | NoteReturned | NoteRejected | NoteDisputed | NoteGone
    | CashboxRemoved | CashboxInserted | CoinsKnown | CoinAccepted | CoinRejected | HopperKnown | HopperLevel
    | PayoutReady | PayoutProgress | PayoutEnded | PayoutDisputed | PrintReady | PrintHeld | PrintProgress | Printed
    | PrintUnknown | SlipPresented
)  # fmt: skip
