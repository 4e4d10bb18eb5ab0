"""A live journal with everything in it that happens around the box, the day and the people, to be broken in one place.

Commits are named; `broken` changes one of them and tells which findings that gives.  Places and hashes that a fact
tells of others (`about_seq` below zero, a closing without `through_hash`) are filled in while the rows are chained, so
that a change never brings a second fault along.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from kiosk.journal.encoding import ROOT_HASH, Row, chain, encode, head_message, kind_of
from kiosk.journal.findings import CODES, Finding
from kiosk.journal.keys import SigningKey
from kiosk.journal.verify import commit_books
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.facts import AnyBody, Fact, Genesis, Stamp
from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.texts import text
from tests.journal.conftest import stamp_at
from tests.journal.examples import credited, intended, moved, settled

KEY = SigningKey.from_seed(bytes(range(32)))
NINTH, TENTH, ELEVENTH = dt.date(2026, 3, 9), dt.date(2026, 3, 10), dt.date(2026, 3, 11)
COUNTER_ROLES, COLLECTOR_ROLES = ("count",), ("operate", "collect", "close")


class Step(msgspec.Struct, frozen=True):
    """One commit and what its stamp says."""

    bodies: tuple[AnyBody, ...]
    date: dt.date = NINTH
    actor: str = "kiosk"
    box_session: int = 1
    late: facts.Late | None = None
    #: Seconds that the clock goes on before this commit.
    after_s: int = 1


Story = dict[str, Step]


def slip(kind: str, number: int, of_kind: int, about: int, *totals: tuple[str, int]) -> facts.ReceiptIssued:
    """A slip about the fact `-about` places before it."""
    sums = tuple(facts.ReceiptTotal(*total) for total in totals)
    return facts.ReceiptIssued(number, kind, 1, "en", (), sums, "USD", about, of_kind)


def paid(serial: int, number: int, of_kind: int, minor: int = 2000) -> tuple[AnyBody, ...]:
    """A payment with one note, as one commit; each pays an invoice of its own."""
    sums = (("tender", minor), ("applied", minor), ("overpayment", 0))
    line = QuoteLine("fine", minor, text("fee.base", code="EXP"), "expired-meter@2026-01-01")
    quote = Quote("parking_citation", f"PC{serial}", "USD", (line,), NINTH)
    allocation = facts.Allocation("parking_citation", f"PC{serial}", minor, 0, "full")
    return (
        facts.TenderFrozen((quote,), minor, "USD", "en"), intended(serial, minor), credited(serial, minor),
        msgspec.structs.replace(settled(minor, minor), allocations=(allocation,)),
        slip("receipt", number, of_kind, -1, *sums),
    )  # fmt: skip


def z(
    number: int, cause: str, session: int, total: int, *, through: dt.date | None = None, taken: int = 0,
    slips: tuple[tuple[str, int, int], ...] = (), extra: tuple[tuple[str, int], ...] = (),
) -> facts.DayClosed:  # fmt: skip
    """A closing whose period took `taken` in 20-dollar notes, one to a payment."""
    accounts = {"cash_box": taken, "fines": -taken, **dict(extra)}
    period = facts.Period(
        notes=(facts.NoteCount("USD", 2000, taken // 2000),) if taken else (),
        taken_minor=taken, payments=taken // 2000,
        accounts=tuple(facts.AccountSum("USD", name, minor) for name, minor in sorted(accounts.items()) if minor),
        slips=tuple(facts.SlipRange(*each) for each in slips),
    )  # fmt: skip
    return facts.DayClosed(number, cause, through, session, 0, 0, "", "USD", period, total)


def signed_in(person: str, roles: tuple[str, ...], purpose: str = "menu") -> facts.OperatorSignedIn:
    return facts.OperatorSignedIn(person, roles, purpose)


def counted(attempt: int, notes: int, *, final: bool = False) -> facts.BoxCounted:
    return facts.BoxCounted(1, attempt, (facts.NoteCount("USD", 2000, notes),), notes * 2000, "USD", "p03", final)


COUNT_ENTRY = Entry(
    "USD", (Posting("cash_box", -4000), Posting("cash_counted", 2000), Posting("over_short", 2000)), "count"
)


def story() -> Story:
    """Return the sound story: two days and a bit of one kiosk."""
    p01 = {"actor": "operator:p01"}
    exchange = facts.ExchangeAuthorised("acceptor", 1, "B1", "B2", "S-17", "p01", "p02")
    done = facts.BoxExchanged("acceptor", 1, 2, "B1", "B2", "S-17", "p01", "p02")
    alarm = facts.AlarmRaised("cashbox_removed", "acceptor", 3)
    received = facts.BoxReceived(1, "B1", "S-16", True, "p03")
    closed = facts.CountClosed(1, 2, 4000, 2000, -2000, "USD", "a note is missing", "p03", "p04", (), COUNT_ENTRY)
    return {
        "start": Step((facts.Started(False), facts.Commissioned("admin:0", "example-city 2026.1", "B1"))),
        "first": Step(paid(1, 1, 1), actor="citizen"),
        "in": Step((signed_in("p01", COLLECTOR_ROLES),), **p01),
        "x": Step((facts.OperatorActed("p01", "report_x"), slip("x", 2, 1, -1)), **p01),
        "out": Step((facts.OperatorSignedOut("p01", "person"),), **p01),
        "midnight": Step(
            (z(1, "cut_off", 1, 2000, through=NINTH, taken=2000, slips=(("receipt", 1, 1), ("x", 1, 1))),
             slip("z", 3, 1, -1)), TENTH),
        "second": Step(paid(2, 4, 2), TENTH, "citizen"),
        "collector": Step((signed_in("p01", COLLECTOR_ROLES),), TENTH, **p01),
        "authorised": Step((signed_in("p02", COLLECTOR_ROLES, "second"), exchange), TENTH, **p01),
        "removed": Step((facts.CashboxChanged("acceptor", True, 1, "exchange"),), TENTH, "device:acceptor"),
        "inserted": Step((facts.CashboxChanged("acceptor", False, 1, "exchange"),), TENTH, "device:acceptor"),
        "exchanged": Step(
            (z(2, "exchange", 1, 4000, taken=2000, slips=(("receipt", 2, 2), ("z", 1, 1))), done,
             slip("box_exchange", 5, 1, -1), slip("z", 6, 2, -3)), TENTH, **p01),
        "collected": Step((facts.OperatorSignedOut("p01", "person"),), TENTH, "operator:p01", 2),
        "counter": Step((signed_in("p03", COUNTER_ROLES, "count"), received), TENTH, "operator:p03", 2),
        "counted": Step((counted(1, 2), counted(2, 1, final=True)), TENTH, "operator:p03", 2),
        "compared": Step((signed_in("p04", COUNTER_ROLES, "count"), closed), TENTH, "operator:p03", 2),
        "third": Step(paid(3, 7, 3), TENTH, "citizen", 2),
        "closer": Step((signed_in("p01", COLLECTOR_ROLES),), TENTH, "operator:p01", 2),
        "closed": Step(
            (z(3, "operator", 2, 6000, through=TENTH, taken=2000, slips=(("box_exchange", 1, 1), ("receipt", 3, 3),
               ("z", 2, 2)), extra=(("cash_box", -2000), ("cash_counted", 2000), ("over_short", 2000))),
             slip("z", 8, 3, -1)), TENTH, "operator:p01", 2),
        "late": Step(paid(4, 9, 4), TENTH, "citizen", 2, facts.Late(ELEVENTH, 3)),
        "taken": Step(
            (z(4, "removal", 2, 8000, taken=2000, slips=(("receipt", 4, 4), ("z", 3, 3))),
             facts.CashboxChanged("acceptor", True, 3, "none"), alarm), ELEVENTH, "device:acceptor", 2),
        "back": Step((facts.CashboxChanged("acceptor", False, 3, "none"),), ELEVENTH, "device:acceptor", 3),
        "looker": Step((signed_in("p01", COLLECTOR_ROLES),), ELEVENTH, "operator:p01", 3),
        "seen": Step((facts.AlarmAcknowledged(("cashbox_removed",)),), ELEVENTH, "operator:p01", 3),
        "fourth": Step(paid(5, 10, 5), ELEVENTH, "citizen", 3),
    }  # fmt: skip


def rows_of(told: Mapping[str, Step], realm: str = "live") -> list[Row]:
    """Chain the story's commits after a genesis, each signed at its end."""
    rows: list[Row] = []
    head, second = ROOT_HASH, 0
    for step in (Step((Genesis(KEY.public_hex),)), *told.values()):
        second += step.after_s
        stamp = msgspec.structs.replace(
            stamp_at(second, date=step.date), actor=step.actor, box_session=step.box_session, late=step.late
        )
        for at, body in enumerate(step.bodies, 1):
            head = _add(rows, head, _filled(body, len(rows), head), stamp, realm, signed=at == len(step.bodies))
    return rows


def _filled(body: AnyBody, seq: int, head: bytes) -> AnyBody:
    if isinstance(body, facts.DayClosed) and not body.through_hash:
        return msgspec.structs.replace(body, through_epoch=1, through_seq=seq, through_hash=head.hex())
    if isinstance(body, facts.ReceiptIssued) and body.about_seq < 0:
        return msgspec.structs.replace(body, about_seq=seq + 1 + body.about_seq)
    return body


def _add(rows: list[Row], head: bytes, body: AnyBody, stamp: Stamp, realm: str, *, signed: bool) -> bytes:
    seq = len(rows) + 1
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=seq, realm=realm, stamp=stamp, body=body)
    row = encode(fact)
    digest = chain(head, row)
    signature = KEY.sign(head_message("K07", 1, seq, digest)) if signed else None
    rows.append(Row(1, seq, kind_of(fact), row, digest, signature))
    return digest


def change(told: Story, name: str, kind: type | None = None, **fields: Any) -> Story:
    """Change fields of one commit, or of the first body of a kind in it."""
    step = told[name]
    if kind is None:
        return {**told, name: msgspec.structs.replace(step, **fields)}
    at = next(at for at, body in enumerate(step.bodies) if isinstance(body, kind))
    bodies = (*step.bodies[:at], msgspec.structs.replace(step.bodies[at], **fields), *step.bodies[at + 1 :])
    return {**told, name: msgspec.structs.replace(step, bodies=bodies)}


def without(told: Story, name: str, kind: type) -> Story:
    """Leave the bodies of a kind out of one commit."""
    left = tuple(body for body in told[name].bodies if not isinstance(body, kind))
    return change(told, name, bodies=left) if left else {each: step for each, step in told.items() if each != name}


def inserted(told: Story, before: str, name: str, step: Step) -> Story:
    """Put a commit in front of another one."""
    new: Story = {}
    for each, old in told.items():
        if each == before:
            new[name] = step
        new[each] = old
    return new


def up_to(told: Story, name: str) -> Story:
    """Return the story up to and with one commit."""
    names = list(told)
    return {each: told[each] for each in names[: names.index(name) + 1]}


def findings(told: Story, realm: str = "live") -> list[Finding]:
    """Walk a story with everything that `examine` looks at."""
    from tests.journal.test_verify import walk

    found = walk(rows_of(told, realm))
    assert all(finding.code in CODES for finding in found)
    return found


def codes(told: Story, realm: str = "live") -> set[str]:
    """Return the codes of all findings."""
    return {finding.code for finding in findings(told, realm)}


__all__ = ["Step", "Story", "change", "codes", "commit_books", "findings", "moved", "rows_of", "story"]
