"""What a driver leaves unanswered when it dies: print jobs, and orders that it was never given.

Nobody may wait for ever for an answer that cannot come.  A job of which bytes may have gone out ends as
*unknown*; one that was never confirmed has left no byte and is refused.  A note in flight and a payout that was let
go are no orphans: the next driver gets them through `remember` and asks the wire.
"""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.model.commands import Confirm, DeviceCommand, Dispense, HoldNote, Print, ReturnNote, StackNote
from kiosk.model.device_events import (
    CommandRefused,
    DeviceEvent,
    Printed,
    PrintProgress,
    PrintReady,
    PrintUnknown,
)
from kiosk.model.ids import NoteId


class OpenJobs:
    """Owns the list of print jobs that one driver has taken and not ended."""

    def __init__(self) -> None:
        #: Job -> (confirmed, bytes sent, bytes in all).
        self._jobs: dict[str, tuple[bool, int, int]] = {}
        self._tokens: dict[int, str] = {}

    def ordered(self, cmd: DeviceCommand) -> None:
        """Note an order that the driver is given."""
        if isinstance(cmd, Print):
            self._jobs[cmd.job] = (False, 0, 0)
        elif isinstance(cmd, Confirm) and cmd.token in self._tokens:
            job = self._tokens.pop(cmd.token)
            if job in self._jobs:
                self._jobs[job] = (True, *self._jobs[job][1:])

    def told(self, event: DeviceEvent) -> None:
        """Note an answer of the driver."""
        if isinstance(event, PrintReady):
            self._tokens[event.token] = event.job
        elif isinstance(event, PrintProgress) and event.job in self._jobs:
            self._jobs[event.job] = (True, event.sent, event.total)
        elif isinstance(event, Printed | PrintUnknown) or (isinstance(event, CommandRefused) and event.job):
            self._jobs.pop(event.job, None)

    def orphans(self, reason: str) -> list[DeviceEvent]:
        """Return how each open job ends when its driver is dead."""
        return [
            PrintUnknown(job, reason, sent, total) if confirmed else CommandRefused("print", reason, job=job)
            for job, (confirmed, sent, total) in list(self._jobs.items())
        ]


def refusal(cmd: DeviceCommand, reason: str) -> CommandRefused:
    """Build the refusal of a command, naming its note, job or payout so that its intent can be closed."""
    note = getattr(cmd, "note", None)
    return CommandRefused(
        command=str(cmd.__struct_config__.tag),
        reason=reason,
        note=note if isinstance(note, NoteId) else None,
        job=str(getattr(cmd, "job", "")),
        payout=str(getattr(cmd, "payout", "")),
    )


def refusals(never_given: Iterable[DeviceCommand], reason: str) -> list[DeviceEvent]:
    """Return the refusals of orders that a dead driver was never given; others nobody waits for."""
    waited_for = StackNote | ReturnNote | HoldNote | Print | Dispense
    return [refusal(cmd, reason) for cmd in never_given if isinstance(cmd, waited_for)]
