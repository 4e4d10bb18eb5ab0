"""The rules of the conformance kit, one by one: what each is called, what grade it belongs to, how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from kiosk.plugins.conformance import bronze, gold, silver
from kiosk.plugins.conformance.bench import Finding
from kiosk.plugins.conformance.subject import NotApplicable, Subject

#: Grades from the lowest to the highest; a driver that misses bronze has none.
GRADES = ("bronze", "silver", "gold")
NO_GRADE = "none"


class Rule(msgspec.Struct, frozen=True):
    """One thing that must hold."""

    id: str
    grade: str
    #: What holds, in one sentence.
    sentence: str
    check: Callable[[Subject], Iterable[Finding]]


RULES: tuple[Rule, ...] = (
    Rule("declaration", "bronze", "The declaration is one that a kiosk loads.", bronze.declaration),
    Rule("split", "bronze", "Bytes split at any place tell the same as in one piece.", bronze.split_points),
    Rule("garbage", "bronze", "Garbage before, between and inside messages brings nothing down.", bronze.garbage),
    Rule("silence", "bronze", "Silence is borne, and where answers are due it is not called health.", bronze.silence),
    Rule("unplug", "bronze", "Unplugged at any stage and plugged in again, it begins anew.", bronze.unplugging),
    Rule("orders", "bronze", "Every order at every stage is taken or refused, never an exception.", bronze.orders),
    Rule("deadline", "bronze", "After each tick the deadline moves on; nothing spins.", bronze.deadlines),
    Rule("bounded", "bronze", "What is kept is bounded, however much comes.", bronze.bounded),
    Rule("stalled", "bronze", "A line that takes no more bytes is survived.", bronze.stalled_writes),
    Rule("health", "bronze", "CheckHealth is answered with the state, changed or not.", bronze.health),
    Rule("vectors", "silver", "At least three messages of real life are given.", silver.vectors),
    Rule("states", "silver", "States are declared words with raw codes, and a lost port is none of the good ones.",
         silver.states),
    Rule("departed", "silver", "An order for a departed note is refused by its name and moves nothing.",
         silver.departed_notes),
    Rule("confirm", "silver", "After a money event the consequence on the wire waits for Confirm.",
         silver.waits_for_confirm),
    Rule("recovery", "silver", "Killed at any moment, it comes back with every note booked once, returned or disputed.",
         silver.recovery),
    Rule("disturbed", "silver", "Orders, a stalled line and a pulled cable on a note's way leave the books right.",
         silver.disturbed),
    Rule("turns", "silver", "On a shared line it writes in its turn only, and gives the turn back.", silver.turns),
    Rule("conversation", "gold", "On a line that loses, doubles and garbles, what is booked is what is in the box.",
         gold.conversation),
    Rule("power", "gold", "Over power cuts no note is booked twice, and none in the box is forgotten.",
         gold.power_cuts),
    Rule("rest", "gold", "At rest it polls within its budget.", gold.at_rest_quietly),
    Rule("explained", "gold", "Every message of real life can be explained to people.", gold.explained),
    Rule("device", "gold", "The device role bears split points, garbage and silence itself.", gold.device_role),
)  # fmt: skip


class Outcome(msgspec.Struct, frozen=True):
    """What became of one rule."""

    rule: str
    grade: str
    #: ``held``, ``broken`` or ``not applicable``.
    status: str
    findings: tuple[Finding, ...] = ()
    #: Why it is not applicable.
    reason: str = ""


def examine(subject: Subject, rules: Iterable[Rule] = RULES, *, most_findings: int = 20) -> list[Outcome]:
    """Hold a driver against each rule."""
    return [outcome(subject, rule, most_findings) for rule in rules]


def outcome(subject: Subject, rule: Rule, most_findings: int = 20) -> Outcome:
    """Hold a driver against one rule."""
    findings: list[Finding] = []
    try:
        for finding in rule.check(subject):
            findings.append(finding)
            if len(findings) >= most_findings:
                break
    except NotApplicable as error:
        return Outcome(rule.id, rule.grade, "not applicable", reason=error.message)
    return Outcome(rule.id, rule.grade, "broken" if findings else "held", tuple(findings))


def grade(subject: Subject, outcomes: Iterable[Outcome]) -> str:
    """Return the highest grade whose rules, and those of all grades below, hold; gold only with a device to talk to."""
    broken = {each.grade for each in outcomes if each.status == "broken"}
    reached = NO_GRADE
    for each in GRADES:
        if each in broken:
            break
        reached = each
    return reached if reached != "gold" or subject.rehearsal.device is not None else "silver"
