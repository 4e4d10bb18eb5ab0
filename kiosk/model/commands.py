"""What the kernel orders a device to do: imperatives, plain data.  None is sent before its fact is committed."""

from __future__ import annotations

import msgspec

from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from kiosk.model.slip import Slip


class Command(msgspec.Struct, frozen=True, tag_field="command", tag=True):
    """Root of all commands."""


class Confirm(Command, frozen=True, tag="confirm"):
    """The fact of the money-critical event `token` is committed: go on with the wire consequence."""

    token: int


class EnableNotes(Command, frozen=True, tag="enable_notes"):
    """Accept exactly these values; everything else is inhibited at the device."""

    values: tuple[Money, ...]


class InhibitNotes(Command, frozen=True, tag="inhibit_notes"):
    """Accept nothing.  A note already inside is still followed to its end."""


class StackNote(Command, frozen=True, tag="stack_note"):
    """Move the escrowed note to the cash box.  Its intent is committed."""

    note: NoteId


class ReturnNote(Command, frozen=True, tag="return_note"):
    """Give the escrowed note back."""

    note: NoteId


class HoldNote(Command, frozen=True, tag="hold_note"):
    """Keep the note in escrow beyond the unit's own limit, until stacked or returned."""

    note: NoteId


class Print(Command, frozen=True, tag="print"):
    """Print one job: preflight, `PrintReady`, then (after `Confirm`) the bytes and the barrier."""

    job: str
    slip: Slip


class DropJob(Command, frozen=True, tag="drop_job"):
    """Forget a job of which no byte has gone out."""

    job: str


class CheckHealth(Command, frozen=True, tag="check_health"):
    """Report the present state again, even if unchanged.  No side effect on paper or notes."""


class EnableCoins(Command, frozen=True, tag="enable_coins"):
    """Take exactly these coins; everything else falls through to the return cup.  Coins have no escrow."""

    values: tuple[Money, ...]


class InhibitCoins(Command, frozen=True, tag="inhibit_coins"):
    """Take no coin."""


class Dispense(Command, frozen=True, tag="dispense"):
    """Pay out coins of a hopper; its intent is committed.

    The hopper first tells where its counters stand (`PayoutReady`), and moves a coin only after `Confirm`.
    """

    #: Id of the payout, never used twice; the same id again is the same payout.
    payout: str
    #: How many coins, at least 1.
    coins: int


class DropPayout(Command, frozen=True, tag="drop_payout"):
    """Forget a payout whose order has not gone out: it will never be confirmed.  Any other goes on to its end."""

    payout: str


DeviceCommand = (
    Confirm | EnableNotes | InhibitNotes | StackNote | ReturnNote | HoldNote | Print | DropJob | CheckHealth
    | EnableCoins | InhibitCoins | Dispense | DropPayout
)  # fmt: skip
