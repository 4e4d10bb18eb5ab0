"""The counts in a journal: blind, every attempt kept, compared once with what the box must hold."""

from __future__ import annotations

import msgspec

from kiosk.journal.boxes import BoxBook
from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.entry import Entry
from kiosk.model.facts import BoxCounted, BoxReceived, CountClosed


class CountLimits(msgspec.Struct, frozen=True):
    """From which difference on a second person signs (domain sheet §9, invariant 19): the lesser of the two."""

    minor: int = 500
    #: Tenths of a percent of what the box should hold.
    per_mille: int = 5

    def above(self, over_short_minor: int, expected_minor: int) -> bool:
        """Tell whether a difference is above the limit."""
        off = abs(over_short_minor)
        return off > self.minor or off * 1_000 > expected_minor * self.per_mille


class CountBook:
    """Holds each count against the box book's content of its session.  Stands after the box book in a commit."""

    def __init__(self, report: Report, boxes: BoxBook, limits: CountLimits | None = None) -> None:
        self._report = report
        self._boxes = boxes
        self._limits = limits or CountLimits()
        self._received: set[int] = set()
        self._attempts: dict[int, list[BoxCounted]] = {}
        self._closed: set[int] = set()

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        for told in commit:
            match told.body:
                case BoxReceived():
                    self._receive(told, told.body)
                case BoxCounted():
                    self._count(told, told.body)
                case CountClosed():
                    self._close(told, told.body)
                case _:
                    pass

    def end(self) -> None:
        """Nothing can be missing: a box may wait for its count."""

    def _placed(self, told: Told, session: int) -> None:
        if session not in self._boxes.ended:
            found(self._report, "count_misplaced", told, f"box session {session} has not left the kiosk")
        elif session in self._closed:
            found(self._report, "count_misplaced", told, f"the count of box session {session} was closed before")

    def _receive(self, told: Told, body: BoxReceived) -> None:
        self._placed(told, body.box_session)
        if body.box_session in self._received:
            found(self._report, "count_misplaced", told, f"the box of session {body.box_session} arrived before")
        self._received.add(body.box_session)
        left = self._boxes.ended.get(body.box_session)
        if left is None:
            return
        if left.box and body.box != left.box:
            detail = f"box {body.box} arrived, box {left.box} had left"
            found(self._report, "seal_differs", told, detail, "warning")
        elif not body.seal_whole or (left.seal and body.seal != left.seal):
            whole = "whole" if body.seal_whole else "broken"
            detail = f"seal {body.seal} arrived {whole}, seal {left.seal or '(untold)'} had left"
            found(self._report, "seal_differs", told, detail, "warning")

    def _count(self, told: Told, body: BoxCounted) -> None:
        self._placed(told, body.box_session)
        if body.box_session not in self._received:
            found(self._report, "count_misplaced", told, f"the box of session {body.box_session} has not arrived")
        attempts = self._attempts.setdefault(body.box_session, [])
        if attempts and attempts[-1].final:
            found(self._report, "count_misplaced", told, f"attempt {attempts[-1].attempt} had been the final one")
        if body.attempt != len(attempts) + 1:
            detail = f"attempt {body.attempt} where {len(attempts) + 1} comes next"
            found(self._report, "count_attempt_gap", told, detail)
        total = sum(each.value_minor * each.count for each in body.notes if each.currency == body.currency)
        if total != body.total_minor:
            found(self._report, "count_differs", told, f"its notes sum to {total}, it says {body.total_minor}")
        attempts.append(body)

    def _close(self, told: Told, body: CountClosed) -> None:
        session = body.box_session
        self._placed(told, session)
        self._closed.add(session)
        attempts = self._attempts.get(session, [])
        last = attempts[-1] if attempts else None
        if last is None or last.attempt != body.attempt or not last.final:
            found(
                self._report,
                "count_attempt_gap",
                told,
                f"attempt {body.attempt} of {len(attempts)} is not the final one",
            )
        elif (last.total_minor, last.currency) != (body.counted_minor, body.currency):
            detail = f"attempt {last.attempt} counted {last.total_minor}, compared is {body.counted_minor}"
            found(self._report, "count_differs", told, detail)
        expected = self._boxes.content_minor(session, body.currency)
        if body.expected_minor != expected:
            detail = f"expected {body.expected_minor}, the notes of box session {session} sum to {expected}"
            found(self._report, "count_differs", told, detail)
        if body.over_short_minor != body.counted_minor - body.expected_minor:
            detail = f"{body.counted_minor} less {body.expected_minor} is not {body.over_short_minor}"
            found(self._report, "count_differs", told, detail)
        if (why := self._entry_fault(body, body.entry)) != "":
            found(self._report, "entry_differs", told, why)
        self._people(told, body, attempts)

    def _entry_fault(self, body: CountClosed, entry: Entry | None) -> str:
        """Return what is wrong with the booking of a count; "" for nothing."""
        if entry is None:
            return "" if not body.expected_minor and not body.counted_minor else "the count has no entry"
        if entry.currency != body.currency:
            return f"entry in {entry.currency}, count in {body.currency}"
        box = self._boxes.cash_accounts.get(body.currency, "")
        out = sum(each.minor for each in entry.postings if each.account == box)
        if body.expected_minor and -out != body.expected_minor:
            return f"takes {-out} out of the box's account {box}, the box should hold {body.expected_minor}"
        rest = sorted(each.minor for each in entry.postings if each.account != box)
        if rest != sorted(minor for minor in (body.counted_minor, -body.over_short_minor) if minor):
            return f"books {rest}, counted {body.counted_minor}, over/short {body.over_short_minor}"
        return ""

    def _people(self, told: Told, body: CountClosed, attempts: list[BoxCounted]) -> None:
        counters = {body.by, *(each.by for each in attempts)}
        if self._limits.above(body.over_short_minor, body.expected_minor) and not body.second:
            detail = f"a difference of {body.over_short_minor} at {body.expected_minor} has no second signature"
            found(self._report, "count_unsigned", told, detail)
        if body.second and body.second == body.by:
            found(self._report, "same_person", told, f"{body.by} signed twice")
        left = self._boxes.ended.get(body.box_session)
        collectors = set(left.people) if left is not None else set()
        held = {"collector_counted": bool(collectors & counters), "collector_signed": body.second in collectors,
                "counter_signed": body.second in counters - {body.by}}  # fmt: skip
        for duty in (name for name, true in held.items() if true):
            if duty not in body.separation:
                found(self._report, "duties_untold", told, f"{duty} is not recorded as an exception")
