"""The conformance kit: holds any driver against the contract, rule by rule, and says what grade it reaches.

``pytest --kiosk-driver NAME`` runs it on an installed driver, one test a rule; `check_driver` runs its bronze rules in
a test of one's own.  Material for the rules above bronze is the driver's `Rehearsal`.  What the device means is for the
driver's own tests.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kiosk.plugins.conformance.bench import Finding
from kiosk.plugins.conformance.rules import GRADES, RULES, Outcome, Rule, examine, grade
from kiosk.plugins.conformance.subject import Subject, rehearsal_of
from kiosk.plugins.devices import DriverSpec, DriverTools
from kiosk.protocols.rehearsal import Rehearsal

__all__ = ["GRADES", "RULES", "Finding", "Outcome", "Rule", "Subject", "check_driver", "examine", "grade"]


def check_driver(spec: DriverSpec, vectors: Sequence[bytes] = (), *, tools: DriverTools | None = None) -> list[Finding]:
    """Hold a driver against the bronze rules, with these vectors beside its own; an empty list: nothing was found."""
    try:
        own = rehearsal_of(spec) or Rehearsal()
    except AttributeError:
        own = Rehearsal()  # no DriverSpec at all: the first rule says so
    subject = Subject(spec, msgspec.structs.replace(own, vectors=(*own.vectors, *vectors)), tools)
    findings: list[Finding] = []
    for rule in RULES:
        if rule.grade == "bronze":
            findings += [each for told in examine(subject, [rule]) for each in told.findings]
            if findings and rule.id == "declaration":
                break
    return findings
