"""The cash boxes as the facts tell them: what is in each, where it is, and what the count said.

What a box should hold is nowhere in `box` before its count was closed: counts are blind.
"""

from __future__ import annotations

from kiosk.hub.posting.batch import Batch
from kiosk.model import facts
from kiosk.model.facts import Fact
from kiosk.model.money import Money

_EMPTY = ("in_kiosk", "", 0, 0, "", None, None, None, "", "", "")


class BoxPages:
    """Follows the box sessions of all kiosks."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        #: Sessions that have a row, and those of which no count is closed.
        self._known: set[tuple[str, int]] = set()
        self._filling: set[tuple[str, int]] = set()

    def note(self, kiosk: str, session: int, value: Money | None) -> None:
        """A note went into the box; None where the wire did not tell its value.

        A kiosk that was restored from an older backup gives the number of a box once more.  A box that was counted and
        takes a note is not counted any more: nothing that is in it now may be told before the next count.
        """
        self._open(kiosk, session)
        if (kiosk, session) not in self._filling:
            self._filling.add((kiosk, session))
            self._batch.pen.change(
                "UPDATE box SET state = 'in_kiosk' WHERE kiosk = ? AND box_session = ? AND state = 'counted'",
                (kiosk, session),
            )
        if value is not None:
            self._batch.box_notes[kiosk, session, value.currency, value.minor] += 1
        else:
            self._set(kiosk, session, "unknown_notes = unknown_notes + 1")

    def moved(self, kiosk: str, fact: Fact) -> None:
        """A box was taken out, exchanged, named or received."""
        body, present = fact.body, fact.stamp.box_session
        match body:
            case facts.Commissioned(box=box) if box:
                self._open(kiosk, present)
                self._set(kiosk, present, "box = ?", box)
            case facts.CashboxChanged(box_session=following) | facts.ExchangeAbandoned(box_session=following):
                if following != present:
                    self._left(kiosk, present, fact, "")
                    self._open(kiosk, following)
            case facts.BoxExchanged():
                self._set(kiosk, body.ended_session, "box = ?", body.old_box)
                self._left(kiosk, body.ended_session, fact, body.first)
                self._open(kiosk, body.box_session)
                self._set(kiosk, body.box_session, "box = ?", body.new_box)
            case facts.BoxReceived():
                self._open(kiosk, body.box_session)
                self._set(kiosk, body.box_session, "state = 'received', box = ?", body.box)
            case _:
                pass

    def counted(self, place: tuple[str, int, int], body: facts.CountClosed) -> None:
        """A count was closed: only now the page tells what the box should have held."""
        kiosk = place[0]
        self._open(kiosk, body.box_session)
        self._filling.discard((kiosk, body.box_session))
        self._set(
            kiosk, body.box_session,
            "state = 'counted', currency = ?, expected_minor = ?, counted_minor = ?, over_short_minor = ?, "
            "counter = ?, second = ?",
            body.currency, body.expected_minor, body.counted_minor, body.over_short_minor, body.by, body.second,
        )  # fmt: skip
        asked = "SELECT sum(value_minor * count) FROM box_note WHERE kiosk = ? AND box_session = ? AND currency = ?"
        ((found,),) = self._batch.pen.ask(asked, (kiosk, body.box_session, body.currency))
        there = int(found or 0)
        if there != body.expected_minor:
            told = f"the count compares with {body.expected_minor}, the notes of box session {body.box_session} sum to "
            self._batch.found("box_differs", *place, f"{told}{there}")

    def _open(self, kiosk: str, session: int) -> None:
        if (kiosk, session) not in self._known:
            self._batch.pen.insert_new("box", [(kiosk, session, *_EMPTY)])
            self._known.add((kiosk, session))

    def _left(self, kiosk: str, session: int, fact: Fact, collector: str) -> None:
        self._open(kiosk, session)
        changes = "state = 'left', left_ns = ?, collector = ?"
        self._set(kiosk, session, changes, fact.stamp.at.wall_ns, collector)

    def _set(self, kiosk: str, session: int, changes: str, *values: object) -> None:
        self._open(kiosk, session)
        self._batch.pen.change(f"UPDATE box SET {changes} WHERE kiosk = ? AND box_session = ?",
                               (*values, kiosk, session))  # fmt: skip
