"""Options of a CCNET host, and the limits of a note's life that follow from them.

Every doubtful point of the CCNET sheet (single sources and question marks) is an option here, with the reason for its
default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.protocols.ccnet.codes import BARCODE_TYPE, BILL_TYPES
from kiosk.protocols.ccnet.frames import BILL_VALIDATOR
from kiosk.protocols.ccnet.payloads import MASK_SIZE
from kiosk.protocols.note_life import Limits

MS = 1_000_000


class CcnetOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a CCNET bill validator.  Times in milliseconds; sources in the CCNET sheet."""

    #: Poll period; 200 is recommended, 100 to 500 are tolerated (sheet §4).
    poll_ms: int = 200
    #: Longest wait for an answer (sheet §4: public hosts use 220 to 5000).
    reply_timeout_ms: int = 300
    #: Rest of the line behind a reply that did not come in time: it may still come, and must not pass for the next one.
    late_ms: int = 500
    #: The same for IDENTIFICATION and the bill table.
    table_timeout_ms: int = 1_500
    #: Rest of the line between an ACK and the next command; at least 20 (sheet §3).
    gap_ms: int = 20
    #: What a damaged reply is answered with: ``nak`` (two sources) or ``silence`` (one), then the command goes again.
    damaged_reply: Literal["nak", "silence"] = "nak"
    #: After our NAK the unit sends the same reply again (only implied by the sources); False asks anew at once.
    resent_after_nak: bool = True
    #: ILLEGAL COMMAND in place of data gets an ACK (single source).
    ack_illegal: bool = False
    #: How often a damaged or refused command goes out in all (sheet §3).
    tries: int = 3
    #: Bad or missing answers in a row after which the unit counts as lost (single source).
    device_lost_after: int = 4
    #: How long the unit itself keeps an undecided note (single source: about 10 s).
    escrow_limit_ms: int = 10_000
    #: An undecided note is sent back this much before that limit.
    escrow_margin_ms: int = 1_500
    #: HOLD is repeated this often; the length of one HOLD is not specified, so well within the escrow limit.
    hold_repeat_ms: int = 3_000
    #: Longest time a note is held at all.
    hold_limit_ms: int = 120_000
    #: SET ESCROW TIMEOUTS for notes and coupons at each set-up (single source); 0 leaves the unit as it is.
    set_escrow_ms: int = 0
    #: STACK is tried this often, each time after a state that shows the note in escrow; then the note is sent back.
    stack_tries: int = 5
    #: An acknowledged STACK or RETURN that shows no effect is repeated after this.
    repeat_ms: int = 1_000
    #: After so long without answers a note in escrow may be another one: it is then not stacked but returned.
    unpolled_limit_ms: int = 3_000
    #: Silence, or only INITIALIZE, a jam or a rejection, for this long makes a note with its stack command out a
    #: dispute; slow models initialise for 40 s (sheet §4).
    resolve_ms: int = 60_000
    #: A note with its stack command out after a plain POWER UP or an INITIALIZE that credits nothing: ``disputed``,
    #: because no source shows whether BILL STACKED outlives a power cut; ``returned`` where a unit is known to tell.
    forgotten_note: Literal["disputed", "returned"] = "disputed"
    #: BILL STACKED without a commit for this long is a finding.
    unconfirmed_ms: int = 20_000
    #: RESET is repeated this often while the unit shows a power-up state; some take 4 s to leave it (sheet §4).
    reset_repeat_ms: int = 5_000
    #: RESET is tried this often while a jam or a failure stands, unless a note is open; staff needs a free hand first.
    #: 0 never tries (sheet §7: "staff needed, then RESET").
    fault_reset_ms: int = 30_000
    #: Rejecting for so long means a note stuck in the mouth (single source: minutes).
    stuck_ms: int = 120_000
    #: A failed set-up is tried again after this.
    setup_retry_ms: int = 10_000
    #: Letters of the bill table that stand for the kiosk's currency, e.g. ["UKR"]; empty means the currency's own
    #: letters and those of its country (sheet §8: many units tell a country).
    country: tuple[str, ...] = ()
    #: A used entry of the bill table with other letters: ``refuse`` to enable (sheet §8), or ``leave_out`` that type.
    foreign_types: Literal["refuse", "leave_out"] = "refuse"
    #: Bit 7 of an exponent is its sign (single source; two others read it as unsigned).
    signed_exponent: bool = True
    #: Bill type of barcode coupons, which always go back (single source); None where the unit has none.
    coupon_type: int | None = BARCODE_TYPE
    #: Bill types that are no notes: some firmwares use 8 to 11 for coins (single source).
    coin_types: tuple[int, ...] = ()
    #: The byte behind BILL STACKED is type and destination, a nibble each (bill-to-bill units, single source).
    destination_nibble: bool = False
    #: Types of SET SECURITY that are read more strictly; None sends none, because the default is not documented.
    security_types: tuple[int, ...] | None = None
    #: Address of the unit: 3 is a bill validator (sheet §2).
    address: int = BILL_VALIDATOR
    #: RTS and DTR lines; one source drops RTS; None leaves them alone.
    rts: bool | None = None
    dtr: bool | None = None

    def __post_init__(self) -> None:
        if not 20 <= self.poll_ms < self.unpolled_limit_ms:
            raise ValueError("poll_ms must be at least 20 and less than unpolled_limit_ms")
        if self.escrow_margin_ms >= self.escrow_limit_ms:
            raise ValueError("escrow_margin_ms must be less than escrow_limit_ms")
        if min(self.tries, self.stack_tries, self.device_lost_after) < 1:
            raise ValueError("tries, stack_tries and device_lost_after must be at least 1")
        if (
            min(self.reply_timeout_ms, self.table_timeout_ms, self.repeat_ms, self.reset_repeat_ms, self.resolve_ms)
            < 20
        ):
            raise ValueError("a time is too short to be meant")
        if min(self.gap_ms, self.hold_repeat_ms, self.fault_reset_ms, self.set_escrow_ms) < 0:
            raise ValueError("a time cannot be negative")
        if self.set_escrow_ms and not self.escrow_margin_ms < self.set_escrow_ms < 1 << 32:
            raise ValueError("set_escrow_ms must be more than escrow_margin_ms and has four bytes")
        types = (*self.coin_types, *(self.security_types or ()), self.coupon_type or 0)
        if any(not 0 <= bill_type < BILL_TYPES for bill_type in types):
            raise ValueError(f"bill types are 0 to {MASK_SIZE * 8 - 1}")
        if any(len(letters) != 3 or not letters.isascii() for letters in self.country):
            raise ValueError("country is a list of three letters each")
        if not 0 <= self.address <= 0xFF:
            raise ValueError("address is a byte")


def limits(options: CcnetOptions) -> Limits:
    """Turn the options into the limits of a note's life."""
    escrow = options.set_escrow_ms or options.escrow_limit_ms
    return Limits(
        decide=max(escrow - options.escrow_margin_ms, 0) * MS,
        hold_repeat=options.hold_repeat_ms * MS,
        hold=options.hold_limit_ms * MS,
        resolve=options.resolve_ms * MS,
        gap=options.unpolled_limit_ms * MS,
        repeat=options.repeat_ms * MS,
        stack_tries=options.stack_tries,
        dispute_forgotten=options.forgotten_note == "disputed",
        unconfirmed=options.unconfirmed_ms * MS,
    )
