"""Options of an ID003 host, and what follows from them: the limits of a note's life, the steps of a set-up.

Every doubtful point of the ID003 sheet (§10) is an option here, with the reason for its default.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.protocols.id003.codes import HostCommand
from kiosk.protocols.id003.settings import Step
from kiosk.protocols.note_life import Limits

MS = 1_000_000
STACK_COMMANDS = {1: HostCommand.STACK_1, 2: HostCommand.STACK_2, 3: HostCommand.STACK_3}


class Id003Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of an ID003 acceptor.  Times in milliseconds; sources in the ID003 sheet, §10 for the doubtful points."""

    #: Poll period; public hosts use 100 to 300 (sheet §3).
    poll_ms: int = 200
    #: Longest wait for an answer; firmware differs, public hosts use 50 to 2000.
    reply_timeout_ms: int = 300
    #: The same for RESET and until the unit has initialised.
    reset_timeout_ms: int = 1000
    #: Rest of the line between an answer and the next request; none is specified, units of old firmware need a little.
    gap_ms: int = 10
    #: How long the unit itself keeps an undecided note (single source: about 10 s).
    escrow_limit_ms: int = 10_000
    #: An undecided note is sent back this much before that limit.
    escrow_margin_ms: int = 1_500
    #: HOLD is repeated this often; the length of one HOLD is not specified.
    hold_repeat_ms: int = 1_000
    #: Longest time a note is held at all.
    hold_limit_ms: int = 120_000
    #: 1: VEND VALID at the stacker lever, 2: when the note is fully in the stacker (for cash), 3: some recyclers.
    stack_command: int = 2
    #: STACK is tried this often, each time after a status that shows the note in escrow; then the note is sent back.
    stack_tries: int = 5
    #: An acknowledged STACK or RETURN that shows no effect is repeated after this.
    repeat_ms: int = 1_000
    #: Tries for a setting or a query.
    tries: int = 3
    #: Unpolled for this long the unit gives a note back unreported (single source): it is then not stacked any more.
    unpolled_limit_ms: int = 3_000
    #: Silence, or only INITIALIZE, for this long makes a note with its stack command out a dispute.
    resolve_ms: int = 30_000
    #: A note with its stack command out that the unit has forgotten (plain POWER UP, INITIALIZE) and does not credit:
    #: ``returned`` (design rule of the sheet, §7) or ``disputed`` where units are known to lose notes that way.
    forgotten_note: Literal["returned", "disputed"] = "returned"
    #: VEND VALID without a commit for this long is a finding; a unit left so for a minute went mute (single source).
    unconfirmed_ms: int = 20_000
    #: Silent polls after which the unit counts as lost.
    device_lost_after: int = 5
    #: Silence after which RESET is tried, unless the fate of a note is open; 0 never tries.
    offline_after_ms: int = 2_000
    #: RESET is repeated this often while the unit is silent.
    offline_reset_ms: int = 10_000
    #: RESET is repeated this often while the unit shows a power-up status; initialising takes 2 to 10 s.
    reset_repeat_ms: int = 3_000
    #: A failed set-up is tried again after this.
    setup_retry_ms: int = 10_000
    #: Country bytes that stand for the kiosk's currency; empty means those the sheet knows.
    country: tuple[int, ...] = ()
    #: Two bytes of SET SECURITY, a set bit is high security; empty sends none.
    security: tuple[int, ...] = (0, 0)
    #: SET DIRECTION, a set bit refuses a direction; None sends none.
    direction: int | None = 0
    #: Bytes of SET OPTIONAL FUNCTION: some units take one, most two; 02 (power recovery) changes 0x42, so it is off.
    optional_function: tuple[int, ...] = (0, 0)
    #: SET BAR INHIBIT; the unused bits differ between hosts, so None sends none: tickets in escrow go back anyway.
    bar_inhibit: int | None = None
    #: RTS and DTR lines: a bezel light on some units, needed by others; None leaves them alone.
    rts: bool | None = None
    dtr: bool | None = None
    #: The line repeats what we write (some two-wire adapters); found out by itself where it is not said.
    echo: bool = False

    def __post_init__(self) -> None:
        if self.stack_command not in STACK_COMMANDS:
            raise ValueError("stack_command must be 1, 2 or 3")
        if not 20 <= self.poll_ms < self.unpolled_limit_ms:
            raise ValueError("poll_ms must be at least 20 and less than unpolled_limit_ms")
        if self.escrow_margin_ms >= self.escrow_limit_ms:
            raise ValueError("escrow_margin_ms must be less than escrow_limit_ms")
        single = (self.direction or 0, self.bar_inhibit or 0)
        if any(not 0 <= byte <= 0xFF for byte in (*self.security, *self.optional_function, *self.country, *single)):
            raise ValueError("security, optional_function, country, direction and bar_inhibit are bytes, 0 to 255")
        if min(self.tries, self.stack_tries, self.device_lost_after) < 1:
            raise ValueError("tries, stack_tries and device_lost_after must be at least 1")
        times = (self.reply_timeout_ms, self.reset_timeout_ms, self.repeat_ms, self.reset_repeat_ms, self.resolve_ms)
        if min(times) < 20 or min(self.gap_ms, self.hold_repeat_ms, self.offline_after_ms, self.offline_reset_ms) < 0:
            raise ValueError("a time is too short to be meant")


def limits(options: Id003Options) -> Limits:
    """Turn the options into the limits of a note's life."""
    return Limits(
        decide=max(options.escrow_limit_ms - options.escrow_margin_ms, 0) * MS,
        hold_repeat=options.hold_repeat_ms * MS,
        hold=options.hold_limit_ms * MS,
        resolve=options.resolve_ms * MS,
        gap=options.unpolled_limit_ms * MS,
        repeat=options.repeat_ms * MS,
        stack_tries=options.stack_tries,
        dispute_forgotten=options.forgotten_note == "disputed",
        unconfirmed=options.unconfirmed_ms * MS,
    )


def setup_steps(options: Id003Options, identified: bool) -> list[Step]:
    """List the whole set-up: inhibit first, so that nothing is drawn in while the rest is sent."""
    steps = [
        Step(HostCommand.SET_INHIBIT, b"\x01", "inhibit"),
        Step(HostCommand.SET_COMMUNICATION_MODE, b"\x00", "polled mode", needed=False),
        Step(HostCommand.SET_DENOMINATION, b"\xff\xff", "denominations"),
    ]
    if options.security:
        steps.append(Step(HostCommand.SET_SECURITY, bytes(options.security), "security", needed=False))
    if options.direction is not None:
        steps.append(Step(HostCommand.SET_DIRECTION, bytes((options.direction,)), "direction", needed=False))
    if options.optional_function:
        function = bytes(options.optional_function)
        steps.append(Step(HostCommand.SET_OPTIONAL_FUNCTION, function, "optional function", needed=False))
    if options.bar_inhibit is not None:
        steps.append(Step(HostCommand.SET_BAR_INHIBIT, bytes((options.bar_inhibit,)), "bar inhibit", needed=False))
    if not identified:
        steps.append(Step(HostCommand.VERSION_REQUEST, b"", "version", needed=False))
    steps.append(Step(HostCommand.CURRENCY_ASSIGN_REQUEST, b"", "currency table"))
    return steps
