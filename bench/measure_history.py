"""A long journal, quickly: the facts of one real citizen, told again and again with numbers of their own.

The pattern is what the core really committed for one paid citation (see `measure_rig`), so a history is as realistic as
the software that is measured; its facts go through `Journal.append` in large commits.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from bench.crash_core import EPOCH_NS
from bench.measure_rig import MeasuredCore
from bench.replica_data import number
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.facts import AnyBody, Committed, Digests, NoteCredited, PrintEnded, ReceiptIssued, Stamp, TenderFrozen
from kiosk.model.instant import Instant

#: Citizens that go into one commit.
A_COMMIT = 50
#: From one citizen to the next.
_STEP_NS = 240 * 1_000_000_000
_BODY = msgspec.json.Decoder(AnyBody)


def pattern(room: Path) -> list[Committed]:
    """Return the facts of one citizen who paid example citation 0 in full."""
    core = MeasuredCore(room, 1)
    core.begin()
    core.pay(0)
    core.end()
    kinds = [type(fact.fact.body) for fact in core.facts]
    if not {TenderFrozen, NoteCredited, ReceiptIssued, PrintEnded} <= set(kinds):
        raise RuntimeError(f"the pattern is no whole payment: {[kind.__name__ for kind in kinds]}")
    return core.facts[kinds.index(TenderFrozen) : kinds.index(PrintEnded) + 1]


def write(path: Path, key: SigningKey, room: Path, count: int, *, kiosk: str, realm: str) -> int:
    """Make a journal of at least `count` facts that end now; return how many there are."""
    told = pattern(room)
    first = told[0].fact.seq
    texts = [msgspec.json.encode(each.fact.body).decode() for each in told]
    notes = sum(isinstance(each.fact.body, NoteCredited) for each in told)
    citizens = -(-count // len(told))
    wall = EPOCH_NS - citizens * _STEP_NS
    digests = Digests("0" * 16, "1" * 16, "2" * 16)

    def stamp(session: str, at: int) -> Stamp:
        day = dt.datetime.fromtimestamp(at // 1_000_000_000, dt.UTC).date()
        return Stamp(Instant(at, -21_600, 1 + at - wall, "bench"), day, "citizen", session, 1, digests)

    with Journal.create(path, kiosk=kiosk, realm=realm, key=key, stamp=stamp("", wall)) as journal:
        for begin in range(0, citizens, A_COMMIT):
            for citizen in range(begin, min(begin + A_COMMIT, citizens)):
                by = journal.seq + 1 - first
                bodies = [_moved(text, citizen, citizen * notes, by) for text in texts]
                journal.append(bodies, stamp(f"bench-{citizen}", wall + citizen * _STEP_NS))
            journal.tidy()
        return journal.seq


def _moved(text: str, citizen: int, notes: int, facts: int) -> AnyBody:
    """Return a body of the pattern as the one of the n-th citizen."""
    told = msgspec.json.decode(text.replace(number(0), number(citizen)))
    for name, by in (("number", citizen), ("of_kind", citizen), ("about_seq", facts)):
        if isinstance(told.get(name), int):
            told[name] += by
    if "job" in told:
        told["job"] = f"slip-{told['number']}-{told['copy']}"
    if told.get("note"):
        told["note"][1] += notes
    body: AnyBody = _BODY.decode(msgspec.json.encode(told))
    return body
