"""The boxes of a journal: every note in exactly one box session, and every change of it explained and closed.

A session ends with an authorised exchange, with a removal that nobody was authorised for, or with an exchange
that was given up after the box had been out; each time a Z closing stands before it in the same commit.  A commit
has one stamp, made before it: it names the session that was current at its start.
"""

from __future__ import annotations

from collections import Counter

from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.facts import (
    AlarmRaised,
    BoxExchanged,
    CashboxChanged,
    Commissioned,
    DayClosed,
    EpochStarted,
    ExchangeAbandoned,
    ExchangeAuthorised,
    NoteCredited,
    NoteSuspended,
    ReceiptIssued,
)


class EndedBox:
    """A box that left the kiosk: what it holds, and who took it."""

    def __init__(self, box: str, seal: str, ended_by: str, people: tuple[str, ...]) -> None:
        #: Its number and that of its seal; "" where nobody told it.
        self.box = box
        self.seal = seal
        #: ``exchange``, ``removal`` or "" (of a time before this was known).
        self.ended_by = ended_by
        self.people = people


class BoxBook:
    """Follows the box sessions; owns what each of them holds."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.session = 1
        #: Notes by session, then by currency and minor units.
        self.content: dict[int, Counter[tuple[str, int]]] = {}
        self.ended: dict[int, EndedBox] = {}
        #: Accounts that hold a box's cash, as the credits' entries name them, by currency.
        self.cash_accounts: dict[str, str] = {}
        self._box = ""
        self._seal = ""
        self._exchange: ExchangeAuthorised | None = None

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        before = self.session
        for at, told in enumerate(commit):
            # A new epoch is stamped by whoever restored, with the number that the last fact of the old one bore.
            if told.fact.stamp.box_session != before and not isinstance(told.body, EpochStarted):
                detail = f"stamped with box session {told.fact.stamp.box_session}, the present one is {before}"
                found(self._report, "box_session_differs", told, detail)
            self._step(told, commit, at)

    def end(self) -> None:
        """An exchange may stand open at the end: the kiosk is out of service until somebody says what is in it."""

    def content_minor(self, session: int, currency: str) -> int:
        """Return what the box of a session holds in one currency, minor units."""
        notes = self.content.get(session, Counter())
        return sum(value * count for (code, value), count in notes.items() if code == currency)

    def _step(self, told: Told, commit: Commit, at: int) -> None:
        body = told.body
        match body:
            case NoteCredited() | NoteSuspended():
                self._note(told, body)
            case CashboxChanged():
                self._moved(told, body, commit, at)
            case ExchangeAuthorised():
                self._authorise(told, body)
            case BoxExchanged():
                self._exchanged(told, body, commit, at)
            case ExchangeAbandoned():
                self._abandoned(told, body, commit, at)
            case Commissioned():
                self._box = body.box or self._box
            case _:
                pass

    def _note(self, told: Told, body: NoteCredited | NoteSuspended) -> None:
        if isinstance(body, NoteCredited) and self._exchange is not None:
            found(self._report, "note_during_exchange", told, f"note {body.note} was credited while the box was open")
        if body.value is None or body.entry is None:
            return
        self.content.setdefault(self.session, Counter())[body.value.currency, body.value.minor] += 1
        for posting in body.entry.postings:
            if posting.minor > 0:
                self.cash_accounts[body.entry.currency] = posting.account

    # --- the end of a session ------------------------------------------------------------------------------

    def _moved(self, told: Told, body: CashboxChanged, commit: Commit, at: int) -> None:
        if not body.authority:
            # Written before anybody was asked: the session changed when a box came in.
            if body.box_session not in (self.session, self.session + (not body.removed)):
                self._unexplained(told, body.box_session)
            if body.box_session != self.session:
                self._end(body.box_session, "", ())
            return
        if body.authority == "exchange":
            if self._exchange is None:
                found(self._report, "exchange_unauthorised", told, "the box moved in an exchange nobody signed for")
            if body.box_session != self.session:
                self._unexplained(told, body.box_session)
        elif body.removed:
            self._ends(told, body.box_session, "removal", commit, at)
            if not any(isinstance(each.body, AlarmRaised) for each in commit):
                found(self._report, "removal_unalarmed", told, "the box was taken out and no alarm was raised")
            self._end(body.box_session, "removal", ())
        elif body.box_session != self.session:
            self._unexplained(told, body.box_session)

    def _authorise(self, told: Told, body: ExchangeAuthorised) -> None:
        if self._exchange is not None:
            found(self._report, "exchange_unauthorised", told, "another exchange had not ended")
        if not body.first or not body.second or body.first == body.second:
            detail = f"signed by {body.first!r} and {body.second!r}: an exchange needs two people"
            found(self._report, "same_person", told, detail)
        if body.box_session != self.session:
            self._unexplained(told, body.box_session)
        self._exchange = body

    def _exchanged(self, told: Told, body: BoxExchanged, commit: Commit, at: int) -> None:
        signed, self._exchange = self._exchange, None
        if signed is None:
            found(self._report, "exchange_unauthorised", told, "nobody had signed for this exchange")
        else:
            want = (signed.old_box, signed.new_box, signed.seal, signed.first, signed.second)
            if want != (body.old_box, body.new_box, body.seal, body.first, body.second):
                found(self._report, "exchange_differs", told, f"authorised were {', '.join(want)}")
        if body.ended_session != self.session:
            self._unexplained(told, body.ended_session)
        self._ends(told, body.box_session, "exchange", commit, at)
        slips = {each.body.slip for each in commit if isinstance(each.body, ReceiptIssued)}
        if not {"box_exchange", "z"} <= slips:
            found(self._report, "receipt_missing", told, "an exchange has a slip, and its Z closing has one")
        self._box = body.old_box
        self._end(body.box_session, "exchange", (body.first, body.second))
        self._box, self._seal = body.new_box, body.seal

    def _abandoned(self, told: Told, body: ExchangeAbandoned, commit: Commit, at: int) -> None:
        signed, self._exchange = self._exchange, None
        if signed is None:
            found(self._report, "exchange_unauthorised", told, "there was no exchange to give up")
        if not body.was_removed:
            if body.box_session != self.session:
                self._unexplained(told, body.box_session)
            return
        self._ends(told, body.box_session, "removal", commit, at)
        if not any(isinstance(each.body, AlarmRaised) for each in commit):
            found(self._report, "removal_unalarmed", told, "the box had been out and no alarm was raised")
        box, seal = self._box, self._seal
        self._end(body.box_session, "removal", ())
        self._box, self._seal = box, seal

    def _ends(self, told: Told, following: int, cause: str, commit: Commit, at: int) -> None:
        """Hold the end of the present session against its number and its Z closing."""
        if following != self.session + 1:
            self._unexplained(told, following)
        before = [each.body for each in commit[:at] if isinstance(each.body, DayClosed)]
        if [(each.cause, each.box_session) for each in before] != [(cause, self.session)]:
            detail = f"box session {self.session} ended without a Z closing by {cause} in the same commit"
            found(self._report, "box_not_closed", told, detail)
            return
        start = next(place for place, each in enumerate(commit) if isinstance(each.body, DayClosed))
        if any(isinstance(each.body, NoteCredited | NoteSuspended) for each in commit[start:at]):
            found(self._report, "z_in_two_boxes", told, "notes stand between the Z closing and the end of the session")

    def _unexplained(self, told: Told, number: int) -> None:
        detail = f"tells of box session {number}, the present one is {self.session}"
        found(self._report, "box_session_unexplained", told, detail)

    def _end(self, following: int, ended_by: str, people: tuple[str, ...]) -> None:
        self.ended[self.session] = EndedBox(self._box, self._seal, ended_by, people)
        self.session, self._box, self._seal = following, "", ""
