"""The numbers of each kind of slip and of its copies, without a gap; and no sum where a count must stay blind."""

from __future__ import annotations

from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.facts import EpochStarted, PrintStarted, ReceiptIssued, SlipPresented

#: Slips that people read who may have to count the box.
BLIND = ("box_exchange", "x", "z", "test")


class NumberBook:
    """Follows the numbers of each kind of slip through an epoch."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._last: dict[str, int] = {}
        #: True from the first slip on that has a number of its kind: older ones had none.
        self._numbered = False
        #: Last copy of each slip that was started; the original is copy 0.
        self._copies: dict[int, int] = {}
        #: Last copy of each slip of which a presenter told the end.
        self._shown: dict[int, int] = {}

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        for told in commit:
            if isinstance(told.body, EpochStarted):
                self._last, self._copies, self._shown = {}, {}, {}
            elif isinstance(told.body, ReceiptIssued):
                self._slip(told, told.body)
            elif isinstance(told.body, PrintStarted):
                self._print(told, told.body)
            elif isinstance(told.body, SlipPresented):
                self._present(told, told.body)

    def end(self) -> None:
        """Nothing can be missing: a gap shows at the next number."""

    def _slip(self, told: Told, body: ReceiptIssued) -> None:
        if body.slip in BLIND and (body.totals or body.lines):
            sums = ", ".join(total.name for total in body.totals) or "lines"
            found(self._report, "slip_tells_sums", told, f"slip {body.number} ({body.slip}) tells {sums}"[:200])
        if not body.of_kind and not self._numbered:
            return
        self._numbered = True
        following = self._last.get(body.slip, 0) + 1
        if body.of_kind != following:
            detail = f"{body.slip} slip {body.of_kind} where {following} comes next"
            found(self._report, "slip_kind_gap", told, detail)
        self._last[body.slip] = body.of_kind

    def _print(self, told: Told, body: PrintStarted) -> None:
        """The original is printed once; a copy of one that was never started is the first."""
        last = self._copies.get(body.number, -1)
        if body.copy != last + 1 and (last, body.copy) != (-1, 1):
            what = "original" if body.copy == 0 else f"copy {body.copy}"
            detail = f"{what} of slip {body.number} was started after copy {last}"
            found(self._report, "copy_differs", told, detail)
        self._copies[body.number] = max(last, body.copy)

    def _present(self, told: Told, body: SlipPresented) -> None:
        """A presenter holds out what was printed, and each piece of paper leaves its mouth once."""
        if not self._shown.get(body.number, -1) < body.copy <= self._copies.get(body.number, -1):
            detail = f"copy {body.copy} of slip {body.number} left a mouth that it was not in"
            found(self._report, "presented_differs", told, detail)
        self._shown[body.number] = max(self._shown.get(body.number, -1), body.copy)
