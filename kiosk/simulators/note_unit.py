"""What every simulated note acceptor offers to hands and to those who count, whatever its protocol.

The device roles live beside their codecs and know nothing of this file; scenario players, workbenches and campaigns
ask for no more than this, so that one campaign can be played against each of them.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kiosk.simulators.role_port import DeviceRole

#: Where a unit stands, in words that every protocol has.  ``credit``: the note is past the point of return and the unit
#: tells its credit point, or will tell it next.  ``starting``: silence while it boots, a power-up status, initialising.
STAGES = (
    "off", "starting", "idle", "inhibited", "accepting", "escrow", "stacking", "credit", "returning", "rejecting",
    "fault",
)  # fmt: skip


@runtime_checkable
class NoteUnit(DeviceRole, Protocol):
    """A simulated note acceptor.  A hand acts at the time last told: callers `tick` first.

    `cashbox`, `collected`, `returned` and `inside` are the observable truth: they outlive power cuts, and nothing on
    the wire can touch them.  Every note fed is, at any time, in exactly one of them.
    """

    #: False while the unit has no power.
    powered: bool
    #: What the unit heard and said, counted; ``replies`` at least.
    counters: dict[str, int]

    @property
    def currency(self) -> str:
        """ISO 4217 code of the unit's note set."""

    @property
    def values(self) -> tuple[int, ...]:
        """Minor values of the notes the unit knows, ascending."""

    @property
    def cashbox(self) -> list[int]:
        """Minor values of the notes in the box that belongs to the unit, in order."""

    @property
    def collected(self) -> list[int]:
        """Minor values of the notes that left with a box that was exchanged for an empty one."""

    @property
    def returned(self) -> list[int]:
        """Minor values of the notes that people got back."""

    @property
    def inside(self) -> int | None:
        """Minor value of the note that is on its way, or None."""

    @property
    def shown(self) -> str:
        """What the unit shows now, in one or two words for people; "no power" without power."""

    @property
    def stage(self) -> str:
        """Where the unit stands now, one of `STAGES`."""

    @property
    def can_insert(self) -> bool:
        """Tell whether the unit would draw a note in now."""

    def insert(self, minor_value: int, *, force: bool = False) -> bool:
        """Feed a note; False where the unit does not take it.  `force` pushes it into a unit that is inhibited."""

    def pull_back(self) -> bool:
        """Pull the note out, or take it from the mouth; False once it cannot come back."""

    def take_rejected(self) -> bool:
        """Take the rejected note, now or as soon as it lies at the mouth; False where none comes."""

    def jam(self, where: str) -> None:
        """Block the path in the ``acceptor`` or in the ``stacker``."""

    def clear_jam(self, outcome: str | None = None) -> None:
        """Open the path.  A note that can still come back is ``return``ed, ``stack``ed (only if it was stacking) or
        ``take``n out by hand; without `outcome` the unit decides."""

    def remove_cashbox(self) -> None:
        """Take the cash box out; its notes stay in it."""

    def insert_cashbox(self, *, empty: bool = False) -> None:
        """Put the same box back, or an empty one in its stead (then its notes count as `collected`)."""

    def fill_stacker(self) -> None:
        """Let the box be full, until an empty one is put in."""

    def cheat(self) -> None:
        """Manipulate the note and be caught; a note that can come out does."""

    def cut_power(self) -> None:
        """Take the power away: what the unit was told is lost, notes stay where they are."""

    def restore_power(self) -> None:
        """Give the power back."""

    def lose_replies(self, count: int) -> None:
        """Carry out the next `count` requests that have a reply, and lose the replies."""

    def garble_replies(self, count: int) -> None:
        """Flip one bit in each of the next `count` replies."""

    def mute(self, on: bool = True) -> None:
        """Hear and act, but say nothing."""

    def lose_acks(self, count: int) -> None:
        """Miss the next `count` acknowledgements of a credit, so that it is told again, where the protocol has any."""

    def stack_by_itself(self) -> bool:
        """Stack the note in escrow without being told to; False where none is there."""
