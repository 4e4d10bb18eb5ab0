"""The people of a journal: who acted, whether they had proved who they are, and whether they were entitled to it.

An operator acts between signing in to the menu and signing out of it.  A sign-in for the count or for a command
holds for the same person's acts until the run of the core ends or `DESK_NS` have passed.
"""

from __future__ import annotations

import re

from kiosk.journal.commits import Commit, Report, Told, found
from kiosk.model.facts import (
    AlarmAcknowledged,
    AnyBody,
    BoxCounted,
    BoxExchanged,
    BoxReceived,
    Commissioned,
    CountClosed,
    DayClosed,
    EpochStarted,
    ExchangeAbandoned,
    ExchangeAuthorised,
    Genesis,
    HopperEmptied,
    HopperFilled,
    NoteCredited,
    NoteDisputed,
    NoteSuspended,
    OperatorActed,
    OperatorRefused,
    OperatorSignedIn,
    OperatorSignedOut,
    PayoutResolved,
    ReceiptIssued,
    ShutterChanged,
    SlipAcknowledged,
    Started,
)

_SHAPE = re.compile(
    r"kiosk|citizen|device:[a-z0-9_]*|operator:[A-Za-z0-9][A-Za-z0-9_.-]{0,31}|admin:[0-9]{1,10}"
    r"|hub:[a-z][a-z0-9-]{0,30}"
)
_OPERATOR = "operator:"
#: A sign-in away from the menu holds so long, nanoseconds.
DESK_NS = 900 * 1_000_000_000

#: Role that an act needs; who may `admin` may also `operate`.
_ROLES: dict[type, str] = {
    AlarmAcknowledged: "operate", ShutterChanged: "operate", SlipAcknowledged: "operate", ExchangeAuthorised: "collect",
    BoxExchanged: "collect", ExchangeAbandoned: "collect", BoxReceived: "count", BoxCounted: "count",
    CountClosed: "count", Commissioned: "admin", HopperFilled: "collect", HopperEmptied: "collect",
    PayoutResolved: "collect",
}  # fmt: skip
_ACTS = {"realm": "admin", "saw_expected": "audit"}

#: Kinds of fact that no version wrote before there was a commissioning act.
_NEW = (
    AlarmAcknowledged, ShutterChanged, SlipAcknowledged, ExchangeAuthorised, BoxExchanged, ExchangeAbandoned,
    BoxReceived, BoxCounted, CountClosed, DayClosed, OperatorActed, OperatorSignedIn, OperatorRefused,
)  # fmt: skip


class SignedIn:
    """A person who proved who they are, when, and with which roles."""

    def __init__(self, body: OperatorSignedIn, mono_ns: int) -> None:
        self.person = body.person
        self.roles = set(body.roles) | ({"operate"} if "admin" in body.roles else set())
        self.mono_ns = mono_ns


class ActorBook:
    """Holds every act against the sign-ins before it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._menu: SignedIn | None = None
        #: Sign-ins away from the menu, by person.
        self._desk: dict[str, SignedIn] = {}
        #: Second signatures given since the menu was opened.
        self._seconds: dict[str, SignedIn] = {}
        self._commissioned = False
        #: First money of this run of the core before anybody commissioned the journal.
        self._early: Told | None = None
        self._new_run = False

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        for told in commit:
            if _SHAPE.fullmatch(told.fact.stamp.actor) is None:
                found(self._report, "actor_unknown", told, f"nobody is called {told.fact.stamp.actor[:40]!r}")
            self._commissioning(told)
            match told.body:
                case OperatorSignedIn():
                    self._sign_in(told, told.body)
                case OperatorSignedOut():
                    self._sign_out(told.body)
                case OperatorRefused():
                    pass
                case Started() | Genesis() | EpochStarted():
                    self._menu, self._desk, self._seconds = None, {}, {}
                case _:
                    self._act(told)

    def end(self) -> None:
        """Report money that a journal took before it was commissioned."""
        self._end_run()

    # --- sign-ins ------------------------------------------------------------------------------------------

    def _sign_in(self, told: Told, body: OperatorSignedIn) -> None:
        person = SignedIn(body, told.fact.stamp.at.mono_ns)
        if body.purpose == "menu":
            self._menu, self._seconds = person, {}
        elif body.purpose == "second":
            if self._menu is not None and self._menu.person == body.person:
                found(self._report, "same_person", told, f"{body.person} is in the menu and signs as the second, too")
            self._seconds[body.person] = person
        else:
            self._desk[body.person] = person

    def _sign_out(self, body: OperatorSignedOut) -> None:
        self._desk.pop(body.person, None)
        if self._menu is not None and self._menu.person == body.person:
            self._menu, self._seconds = None, {}

    def _proved(self, person: str, told: Told) -> SignedIn | None:
        """Return the sign-in under which a person acts now, with the roles of all that hold."""
        if self._menu is not None and self._menu.person == person:
            return self._menu
        desk = self._desk.get(person)
        return desk if desk is not None and told.fact.stamp.at.mono_ns - desk.mono_ns <= DESK_NS else None

    # --- acts ----------------------------------------------------------------------------------------------

    def _act(self, told: Told) -> None:
        body, actor = told.body, told.fact.stamp.actor
        acting = actor.removeprefix(_OPERATOR) if actor.startswith(_OPERATOR) else ""
        named = _person(body)
        if acting and named and acting != named:
            found(self._report, "actor_differs", told, f"{acting} acted, the fact names {named}")
        need = _need(body)
        if isinstance(body, DayClosed) and body.cause == "operator" and not acting:
            found(self._report, "actor_absent", told, "a closing by an operator has no operator")
        person = acting or named
        if person:
            self._entitled(told, person, need)
        if isinstance(body, ExchangeAuthorised):
            self._second(told, self._seconds.get(body.second), body.second, need)
        if isinstance(body, CountClosed) and body.second:
            second = body.second.removeprefix(_OPERATOR)
            self._second(told, self._seconds.get(second) or self._proved(second, told), second, "")

    def _entitled(self, told: Told, person: str, need: str) -> None:
        proved = self._proved(person, told)
        if proved is None:
            found(self._report, "actor_absent", told, f"{person} acted without having signed in")
        elif proved is not None and need and need not in proved.roles:
            found(self._report, "actor_unentitled", told, f"{person} acted without the role {need}")

    def _second(self, told: Told, proved: SignedIn | None, person: str, need: str) -> None:
        if proved is None:
            found(self._report, "actor_absent", told, f"{person} is named as the second and did not sign")
        elif need and need not in proved.roles:
            found(self._report, "actor_unentitled", told, f"{person} signed without the role {need}")

    # --- commissioning -------------------------------------------------------------------------------------

    def _commissioning(self, told: Told) -> None:
        """Software does not change within a run of the core: one new fact in it tells that the rule was known."""
        body = told.body
        if isinstance(body, Started):
            self._end_run()
        if isinstance(body, Commissioned):
            self._commissioned = True
        of_kind = isinstance(body, ReceiptIssued) and body.of_kind > 0
        self._new_run = self._new_run or of_kind or isinstance(body, _NEW)
        money = isinstance(body, NoteCredited | NoteSuspended | NoteDisputed)
        if money and told.fact.realm == "live" and not self._commissioned and self._early is None:
            self._early = told

    def _end_run(self) -> None:
        if self._early is not None:
            severity = "error" if self._new_run else "warning"
            detail = "a live journal took money before anybody put it into service"
            found(self._report, "not_commissioned", self._early, detail, severity)
        self._early, self._new_run = None, False


def _person(body: AnyBody) -> str:
    """Return who acted, as the fact itself says; "" where it names nobody or no operator."""
    match body:
        case OperatorActed():
            return body.person
        case ExchangeAuthorised():
            return body.first
        case BoxReceived() | BoxCounted() | CountClosed() | HopperFilled() | HopperEmptied() | PayoutResolved():
            return body.by.removeprefix(_OPERATOR)
        case ShutterChanged() | SlipAcknowledged() | Commissioned():
            return body.by.removeprefix(_OPERATOR) if body.by.startswith(_OPERATOR) else ""
        case _:
            return ""


def _need(body: AnyBody) -> str:
    if isinstance(body, OperatorActed):
        return _ACTS.get(body.act, "operate")
    if isinstance(body, DayClosed):
        return "close" if body.cause == "operator" else ""
    return _ROLES.get(type(body), "")
