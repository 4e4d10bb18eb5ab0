"""The states of the checkout.  Adjectives and participles; each has a deadline, or a reason to have none."""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """Where the person in front stands."""

    IDLE = "idle"
    ENTERING = "entering"
    LOOKING_UP = "looking_up"
    NOTICE = "notice"
    REVIEWING = "reviewing"
    CONSENTING = "consenting"
    ACCEPTING = "accepting"
    NOTE_HELD = "note_held"
    STACKING = "stacking"
    RETURNING = "returning"
    STOPPING = "stopping"
    TIMED_OUT = "timed_out"
    SETTLING = "settling"
    DISPENSING = "dispensing"
    RECEIPTING = "receipting"
    THANKING = "thanking"
    RESUMING = "resuming"
    OUT_OF_SERVICE = "out_of_service"
    SIGNING_IN = "signing_in"
    ATTENDED = "attended"
    EXCHANGING = "exchanging"
    TESTING = "testing"


#: Before the price is frozen: nothing is owed to anybody, everything can be dropped.
BEFORE_MONEY = (State.ENTERING, State.LOOKING_UP, State.NOTICE, State.REVIEWING, State.CONSENTING)

#: Somebody who works here is in front; no citizen's session is open.
OPERATING = (State.SIGNING_IN, State.ATTENDED, State.EXCHANGING, State.TESTING)

#: States that wait for no clock: somebody else ends them.
WITHOUT_DEADLINE = {
    State.IDLE: "the attract screen waits for a person",
    State.OUT_OF_SERVICE: "waits for health; no session is open",
    State.SETTLING: "left within the same step by the internal event Settle",
}
