"""Options of an SSP host, and what follows from them.  Every doubtful point of the SSP sheet is one of them."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from kiosk.protocols.note_life import Limits
from kiosk.protocols.ssp.frames import MAX_ADDRESS

MS = 1_000_000
#: Protocol versions whose events this host can size for units that take notes (sheet §7); 9 is one device's own.
SIZED_VERSIONS = range(4, 9)


class SspOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of an SSP acceptor.  Times in milliseconds; sources in the SSP sheet."""

    #: Note validators have 0 (sheet §4); several units may share a line.
    address: int = 0
    #: eSSP is optional for units that only take notes, and units in eSSP mode demand it (sheet §13): ``prefer`` asks
    #: for a key and goes on in clear where the unit has none, ``require`` keeps such a unit inhibited.
    encryption: Literal["prefer", "require", "never"] = "prefer"
    #: Fixed half of the key, 16 hexadecimal digits; units leave the factory with this one.
    fixed_key: str = "0123456701234567"
    #: Poll With Ack repeats a credit until it is acknowledged; one source says that it must be encrypted, so ``auto``
    #: uses it in an encrypted session only.  A unit that does not know it is polled plainly.
    poll_with_ack: Literal["auto", "always", "never"] = "auto"
    #: Protocol versions to ask for, in this order; F8 and F4 both mean "not supported" (sheet §7).
    versions: tuple[int, ...] = (8, 7, 6)
    #: Poll period; the vendor wants 200 to 300 (sheet §1).
    poll_ms: int = 250
    #: Rest of the line between an answer and the next command: the vendor's guidance for the NV9 class (sheet §1).
    gap_ms: int = 200
    #: Longest wait for an answer, then the same packet goes out again (sheet §1).
    reply_timeout_ms: int = 1000
    #: How often it is repeated before the unit is dead and everything begins with Sync (sheet §1).
    repeats: int = 20
    #: Unanswered packets after which the unit counts as lost and people are told.
    device_lost_after: int = 4
    #: A note in escrow is kept by a Hold this often while nothing is decided; the unit gives up after 10 s (sheet §9).
    hold_repeat_ms: int = 1000
    #: How long the unit itself keeps a note without a command.
    escrow_limit_ms: int = 10_000
    #: An undecided note is sent back this much before that limit.
    escrow_margin_ms: int = 1_500
    #: Longest time a note is held at all.
    hold_limit_ms: int = 120_000
    #: Polls that should take a note and leave it in escrow, before it is sent back.
    stack_tries: int = 5
    #: Time between them; and how long a unit may say that it is disabled before it is enabled again.
    repeat_ms: int = 1_000
    #: Silence, or a jam that stands, for this long makes a note that was ordered in a dispute.
    resolve_ms: int = 30_000
    #: Polls that show no note for this long end a note's life; the counters then say which way it went.
    rest_ms: int = 1_500
    #: The same after Slave Reset: a note found on the path is told of some time later (sheet §10).
    power_up_ms: int = 5_000
    #: A credit without a commit for this long is a finding.
    unconfirmed_ms: int = 20_000
    #: Compare the unit's own counter of stacked notes with the credits (sheet §10).
    counters: bool = True
    #: Units that may store notes for payout count those apart: stacked and stored together are then compared.
    count_stored: bool = False
    #: Which of two figures turns dataset values into minor units, where they differ (a product that one source gives,
    #: sheet §7): ``agree`` refuses such a unit.
    value_scale: Literal["agree", "real_multiplier", "currency"] = "agree"
    #: Country code that stands for the kiosk's currency in the dataset; "" is the currency's own code.
    country: str = ""
    #: Bytes of Set Inhibits; older units take 1 or 2, the NV200 up to 3.  0: as the channels need, at least 2.
    inhibit_bytes: int = 0
    #: Byte of the barcode inhibit register, a set bit refuses: FE takes notes only.  Units without a reader refuse the
    #: command, and one library has the bits inverted, so None sends none: tickets in escrow go back anyway.
    barcode_inhibit: int | None = None
    #: Fraud events tell money instead of a channel: units with a payout below and from protocol 6 on (sheet §8).
    fraud_as_money: bool = False
    #: Bytes behind Note Stored: none in the manual's example, 8 in one table (sheet §8); a pay-in unit never sends it.
    stored_bytes: Literal[0, 8] = 0
    #: Flag of the Sync packet; hosts use either (sheet §3).
    sync_flag: int = 1
    #: A failed set-up is tried again after this.
    setup_retry_ms: int = 10_000

    def __post_init__(self) -> None:
        if not 0 <= self.address <= MAX_ADDRESS:
            raise ValueError(f"address must be 0 to {MAX_ADDRESS}")
        if not re.fullmatch(r"[0-9A-Fa-f]{16}", self.fixed_key):
            raise ValueError("fixed_key must be 16 hexadecimal digits")
        if not self.versions or any(version not in SIZED_VERSIONS for version in self.versions):
            raise ValueError("versions must name protocol versions 4 to 8")
        if self.sync_flag not in (0, 1) or not 0 <= self.inhibit_bytes <= 3:
            raise ValueError("sync_flag must be 0 or 1, inhibit_bytes 0 to 3")
        if self.barcode_inhibit is not None and not 0 <= self.barcode_inhibit <= 0xFF:
            raise ValueError("barcode_inhibit is a byte, 0 to 255")
        if self.escrow_margin_ms >= self.escrow_limit_ms or self.hold_repeat_ms >= self.escrow_limit_ms:
            raise ValueError("escrow_margin_ms and hold_repeat_ms must be less than escrow_limit_ms")
        if not 20 <= self.poll_ms < self.escrow_limit_ms:
            raise ValueError("poll_ms must be at least 20 and less than escrow_limit_ms")
        if min(self.device_lost_after, self.stack_tries) < 1 or self.repeats < 0:
            raise ValueError("device_lost_after and stack_tries must be at least 1, repeats at least 0")
        times = (self.reply_timeout_ms, self.hold_repeat_ms, self.repeat_ms, self.resolve_ms, self.setup_retry_ms)
        if min(times) < 20 or min(self.gap_ms, self.rest_ms, self.power_up_ms) < 0:
            raise ValueError("a time is too short to be meant")

    @property
    def fixed(self) -> int:
        """Return the fixed half of the key as a number."""
        return int(self.fixed_key, 16)


def limits(options: SspOptions) -> Limits:
    """Turn the options into the limits of a note's life.

    A note that the unit forgot is a dispute here: where the counters can tell, they are asked first.
    """
    decide = (options.escrow_limit_ms - options.escrow_margin_ms) * MS
    return Limits(
        decide=decide,
        hold_repeat=options.hold_repeat_ms * MS,
        hold=options.hold_limit_ms * MS,
        resolve=options.resolve_ms * MS,
        gap=decide,
        repeat=options.repeat_ms * MS,
        stack_tries=options.stack_tries,
        dispute_forgotten=True,
        unconfirmed=options.unconfirmed_ms * MS,
    )
