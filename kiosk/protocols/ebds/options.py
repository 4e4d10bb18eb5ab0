"""Options of an EBDS host, and the limits of a note's life that follow from them.

Every doubtful point of the EBDS sheet (§9, and each ``?``) is an option here, with the reason for its default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.protocols.ebds.codes import (
    LONG_MASK,
    LONG_MASK_NOTES,
    MAX_NOTE_VALUE,
    ORIENTATION_SHIFT,
    POWER_UP_POLICY_SHIFT,
    SHORT_MASK,
    SHORT_MASK_NOTES,
    Operation,
    PowerUpPolicy,
    Setting,
)
from kiosk.protocols.ebds.payloads import Command
from kiosk.protocols.note_life import Limits

MS = 1_000_000
_MASK_NOTES = {SHORT_MASK: SHORT_MASK_NOTES, LONG_MASK: LONG_MASK_NOTES}


class EbdsOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of an EBDS acceptor.  Times in milliseconds; sources in the EBDS sheet, §9 for the doubtful points."""

    #: ``extended``: notes by their records; ``plain``: seven values, whose meaning the unit tells or `bill_set` says.
    mode: Literal["extended", "plain"] = "extended"
    #: Minor units of the values 1 to 7 in plain mode, 0 for a value without a note; empty asks the unit (sheet §6).
    #: The values depend on the unit's bill set, so there is no default for them.
    bill_set: tuple[int, ...] = ()
    #: Poll period; one unit never came up at 500, so 100 to 200 (sheet §3).
    poll_ms: int = 150
    #: Longest wait for a reply; public hosts use 50 to 300 (sheet §3).
    reply_timeout_ms: int = 300
    #: Each repeat of a message waits this much longer for its reply (sheet §3).
    backoff_ms: int = 50
    #: Rest of the line between a reply and the next message.
    gap_ms: int = 10
    #: Toggle of the first message; the unit's last one is not known after a start (sheet §3).
    start_toggle: Literal[0, 1] = 0
    #: Flip that once where the first replies carry the other toggle (sheet §3, single source).
    flip_at_start: bool = True
    #: What a unit does with a note that a power cut caught (sheet §8): B names the note that was past escrow, A and C
    #: do not; what A does at escrow is not established.
    power_up_policy: Literal["A", "B", "C"] = "B"
    #: A stacked event without a value, after a power cut or trouble, for a note whose STACK went out: ``credit`` it,
    #: ``dispute`` it, or ``policy``: dispute with B, which names its notes (inferred, §8), credit with A and C.
    blank_stack: Literal["policy", "credit", "dispute"] = "policy"
    #: A note with its STACK out when the unit lost its memory and then rests without a stacked event (sheet §8).
    forgotten_note: Literal["returned", "disputed"] = "disputed"
    #: The same when it was the host that restarted: its first toggle may have acknowledged a stacked event that nobody
    #: read (§8 ``?``), so a unit at rest proves nothing.
    restarted_note: Literal["returned", "disputed"] = "disputed"
    #: A note with its STACK out that the unit rejects, without a jam or a manipulation: ``returned``, because a note
    #: ends stacked, returned or rejected and never in two of them (sheet §5), or ``disputed``, because the life of a
    #: note in the sheet (§8) knows a rejection only before escrow.
    rejected_note: Literal["returned", "disputed"] = "returned"
    #: A reply was lost behind STACK and the unit rests without an event: ``trusted``, it would have repeated the event,
    #: so the note was returned; ``doubted``, repeating rests on one written source (§9), so it is a dispute.
    lost_reply: Literal["trusted", "doubted"] = "doubted"
    #: STACK is sent this often in all, each time with a fresh toggle; 1 never repeats it (sheet §8, design advice).
    stack_tries: int = 3
    #: Polls that must show the note in escrow, and nothing else, before STACK or RETURN is sent again.
    restack_polls: int = 2
    #: A unit that is out of service behind a power-up may hold a note at escrow (B and C, §8): RETURN is tried then.
    free_held: bool = True
    #: What goes out while a stacked event waits for its commit: the same toggle ``repeat``ed, so that the unit repeats
    #: its reply, or nothing (``silent``); the longest legal gap between polls is not established.
    unconfirmed: Literal["repeat", "silent"] = "repeat"
    #: Undecided notes are sent back after this; the unit itself sets no limit by default (sheet §8).
    escrow_limit_ms: int = 10_000
    #: The unit's own limit for a note in escrow, seconds (0x04); 0 leaves it off, so that only ours counts.
    note_timeout_s: int = 0
    #: An undecided note is sent back this much before the unit's own limit.
    escrow_margin_ms: int = 1_500
    #: Longest time a note is held at all.
    hold_limit_ms: int = 120_000
    #: Without an answer for this long STACK is not repeated any more and a note in escrow goes back.
    unpolled_limit_ms: int = 3_000
    #: Silence, or only power-up, for this long makes a note with its STACK out a dispute; that takes up to 19 s (§8).
    resolve_ms: int = 30_000
    #: A stacked event without a commit for this long is a finding.
    unconfirmed_ms: int = 20_000
    #: Silent exchanges after which the unit counts as lost.
    device_lost_after: int = 5
    #: Tries for a query or a setting.
    tries: int = 3
    #: A failed set-up is tried again after this.
    setup_retry_ms: int = 10_000
    #: Bytes of the enable mask: 8 on CashFlow SC, 19 on SC Advanced and SCR (sheet §6).
    mask_bytes: Literal[8, 19] = 8
    #: Read every row of the note table; otherwise it ends at the first blank one (sheet §6: sources differ).
    whole_table: bool = False
    #: 0 one way, 1 two ways, 2 or 3 all four.
    orientation: int = 3
    #: NO PUSH of the command; what it does is not told by any source, so it stays off.
    no_push: bool = False
    #: Ask the unit to tell when a returned note was taken (0x0B).
    note_retrieved: bool = False
    #: Ask the unit who it is; a unit that lacks a query answers with its software CRC (sheet §7).
    identify: bool = True

    def __post_init__(self) -> None:
        if not 20 <= self.poll_ms < self.unpolled_limit_ms:
            raise ValueError("poll_ms must be at least 20 and less than unpolled_limit_ms")
        if len(self.bill_set) > MAX_NOTE_VALUE or any(value < 0 for value in self.bill_set):
            raise ValueError(f"bill_set holds at most {MAX_NOTE_VALUE} values in minor units, 0 for none")
        if not 0 <= self.note_timeout_s <= 0x7F or not 0 <= self.orientation <= 3:
            raise ValueError("note_timeout_s is 0 to 127, orientation 0 to 3")
        if self.note_timeout_s and self.escrow_margin_ms >= 1_000 * self.note_timeout_s:
            raise ValueError("escrow_margin_ms must be less than note_timeout_s")
        if min(self.tries, self.stack_tries, self.device_lost_after) < 1 or self.restack_polls < 0:
            raise ValueError("tries, stack_tries and device_lost_after must be at least 1, restack_polls at least 0")
        if min(self.reply_timeout_ms, self.resolve_ms) < 20 or min(self.gap_ms, self.backoff_ms) < 0:
            raise ValueError("a time is too short to be meant")

    @property
    def extended(self) -> bool:
        """True where notes are told by their records."""
        return self.mode == "extended"

    @property
    def table_rows(self) -> int:
        """Return the highest row of the note table that the mask has a bit for."""
        return _MASK_NOTES[self.mask_bytes]


def base_command(options: EbdsOptions, enabled: int) -> Command:
    """Return the command that every message to the unit carries: escrow always on, the policy from the first one."""
    policy = PowerUpPolicy[options.power_up_policy] << POWER_UP_POLICY_SHIFT
    setting = Setting(policy) | (Setting.EXTENDED_NOTE if options.extended else Setting(0))
    operation = Operation.ESCROW | Operation(options.orientation << ORIENTATION_SHIFT)
    return Command(enabled, operation, setting | (Setting.NO_PUSH if options.no_push else Setting(0)))


def limits(options: EbdsOptions) -> Limits:
    """Turn the options into the limits of a note's life."""
    decide = options.escrow_limit_ms
    if options.note_timeout_s:
        decide = min(decide, 1_000 * options.note_timeout_s - options.escrow_margin_ms)
    return Limits(
        decide=decide * MS,
        hold_repeat=options.poll_ms * MS,
        hold=options.hold_limit_ms * MS,
        resolve=options.resolve_ms * MS,
        gap=options.unpolled_limit_ms * MS,
        repeat=0,
        stack_tries=options.stack_tries,
        dispute_forgotten=options.forgotten_note == "disputed",
        unconfirmed=options.unconfirmed_ms * MS,
        restack_moved=False,
        dispute_blank=options.blank_stack == "dispute"
        or (options.blank_stack == "policy" and options.power_up_policy == "B"),
    )
