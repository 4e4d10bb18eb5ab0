"""Why the counter is closed: everything that keeps new payments out, most serious first."""

from __future__ import annotations

from kiosk.core.deviceboard import DeviceBoard
from kiosk.errors import JournalError
from kiosk.journal.store import Journal
from kiosk.model.texts import Text, text

_TROUBLE = {
    "JournalFull": "out.journal_full",
    "JournalReadOnly": "out.journal_readonly",
    "JournalDamaged": "out.journal_damaged",
    "JournalLocked": "out.journal_locked",
}


class DiskWatch:
    """Looks at the journal's disk between commits."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._below_reserve = False

    def look(self) -> None:
        """Measure the free space.

        Raises:
            JournalError: the disk is gone, or the journal met a fault outside of a commit and takes nothing more.
        """
        self._below_reserve = self._journal.below_reserve
        if self._journal.stopped is not None:
            raise self._journal.stopped

    @property
    def low(self) -> bool:
        """Whether no new cash may be taken for want of space."""
        return self._below_reserve or self._journal.low_space


def closed_because(
    board: DeviceBoard,
    *,
    trouble: JournalError | None,
    low_space: bool,
    closed_by: str,
    closed_reason: str = "",
    data_there: bool,
    paper_needed: bool,
    note_stuck: bool = False,
    settled: bool = False,
    exchange: bool = False,
    box_present: bool = True,
    commissioned: bool = True,
) -> tuple[Text, ...]:
    """Return the reasons as texts; empty in service.  Unknown is not OK: a device that has said nothing closes.

    A silent acceptor is "starting" only until it has spoken, and no longer than a start takes (`settled`).
    """
    found: list[Text] = []
    if trouble is not None:
        found.append(text(_TROUBLE.get(type(trouble).__name__, "out.journal_damaged")))
    elif low_space:
        found.append(text("out.low_space"))
    if not commissioned:
        found.append(text("out.not_commissioned"))
    if exchange:
        # Two people took the box out or were about to: until one of them says how it ended, nobody knows what is in.
        found.append(text("out.exchange"))
    if closed_by:
        found.append(text("out.hub", words=closed_reason) if closed_reason else text("out.operator"))
    if not board.acceptor_ready:
        acceptors = board.of_class("BillAcceptor")
        starting = bool(acceptors) and not settled and not any(page.spoke for page in acceptors)
        found.append(text("out.starting" if starting else "out.acceptor"))
    elif note_stuck or not box_present:
        # A note that nobody followed to its end: the acceptor would take no other, so no payment may begin.  Nor may
        # one begin while the box is out, whatever the acceptor says.
        found.append(text("out.acceptor"))
    if paper_needed and not board.printer_ready:
        found.append(text("out.printer"))
    if not data_there:
        found.append(text("out.no_data"))
    return tuple(found)
