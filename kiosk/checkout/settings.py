"""The `[checkout]` section of the configuration.  Periods are seconds; sources: screens sheet §1.2, house defaults."""

from __future__ import annotations

import msgspec

from kiosk.checkout.states import State


class Periods(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a screen waits, in seconds."""

    #: Typing a number (find the invoice: 60 s idle).
    entering: int = 60
    #: A local look-up takes milliseconds; this is the stop against silence.
    looking_up: int = 10
    #: Not found, already paid and the like.
    notice: int = 30
    reviewing: int = 60
    consenting: int = 60
    #: Without any note or touch while paying; then the question, then settlement.
    accepting: int = 90
    #: "Need more time?" and "Stop here?": at least 20 s to answer (WCAG 2.2.1).
    question: int = 20
    #: A note above what is due waits for the answer on the screen; the unit is told to hold it.
    note_held: int = 30
    #: A moving note; normally 2 s.  Afterwards the session ends with a slip that names the note as pending.
    stacking: int = 60
    #: A note being given back.
    returning: int = 30
    #: Change is being paid out, since the last coin that was seen to leave.
    dispensing: int = 60
    #: A job in print.
    receipting: int = 30
    #: A slip that did not print stays until it is dismissed, at most so long; then staff see it as open.
    unprinted: int = 300
    thanking: int = 10
    #: An interrupted payment is offered again (domain sheet: three minutes).
    resuming: int = 180
    #: A person who works here types a PIN.
    signing_in: int = 60
    #: The operator's menu (screens sheet §1.2: 120 s).
    attended: int = 120
    #: One step of an exchange of the cash box.
    exchanging: int = 300
    #: A test of scanner or acceptor.
    testing: int = 60


class CheckoutSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules of the screen that are not tariff."""

    periods: Periods = Periods()
    #: Invoices in one cart at most.
    cart_limit: int = 8
    #: What to do when no paper receipt can be promised: ``refuse`` new cash or ``ask`` the citizen.
    without_paper: str = "refuse"
    #: After so many refused notes in a row the screen points to a person.
    refused_notes_help: int = 3
    #: Plates that may be looked up within `plate_minutes` without a payment; then that choice is closed for a while.
    plate_searches: int = 10
    #: See `plate_searches`, minutes.
    plate_minutes: int = 10
    #: Days within which money owed to a citizen can be claimed; each slip names the last one.
    claim_days: int = 365

    def __post_init__(self) -> None:
        if self.without_paper not in ("refuse", "ask"):
            raise ValueError("checkout.without_paper is 'refuse' or 'ask'")
        if not 1 <= self.cart_limit <= 20:
            raise ValueError("checkout.cart_limit is 1 to 20")
        if not 1 <= self.claim_days <= 36_500:
            raise ValueError("checkout.claim_days is 1 to 36500")
        if not 1 <= self.plate_searches <= 1000:
            raise ValueError("checkout.plate_searches is 1 to 1000")
        if not 1 <= self.plate_minutes <= 1440:
            raise ValueError("checkout.plate_minutes is 1 to 1440")
        if self.periods.question < 20:
            raise ValueError("checkout.periods.question is at least 20 (WCAG 2.2.1)")
        for name in self.periods.__struct_fields__:
            if getattr(self.periods, name) < 1:
                raise ValueError(f"checkout.periods.{name} is at least 1")


#: Which period each state waits (states of `WITHOUT_DEADLINE` are absent).
PERIOD_OF = {
    State.ENTERING: "entering",
    State.LOOKING_UP: "looking_up",
    State.NOTICE: "notice",
    State.REVIEWING: "reviewing",
    State.CONSENTING: "consenting",
    State.ACCEPTING: "accepting",
    State.NOTE_HELD: "note_held",
    State.STACKING: "stacking",
    State.RETURNING: "returning",
    State.STOPPING: "question",
    State.TIMED_OUT: "question",
    State.DISPENSING: "dispensing",
    State.RECEIPTING: "receipting",
    State.THANKING: "thanking",
    State.RESUMING: "resuming",
    State.SIGNING_IN: "signing_in",
    State.ATTENDED: "attended",
    State.EXCHANGING: "exchanging",
    State.TESTING: "testing",
}
