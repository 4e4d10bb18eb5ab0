"""Holds the month's journal against the hardware, box by box and note by note, and against both verifiers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.independent_verifier import examine as examine_independently
from kiosk.journal.reader import Reader
from kiosk.journal.verify import examine
from kiosk.ledger.chart import Chart
from kiosk.ledger.entries import check
from kiosk.model import facts


def compare(
    path: Path, notes: list[int], taken_out: list[int], planned: dict[int, int], chart: Chart
) -> dict[str, Any]:
    """Return what both verifiers rebuilt, and under ``differences`` everything that does not fit.

    `notes` are all that ever went into a box, in their order; `taken_out` tells after how many of them the box left;
    `planned` maps a box session to what its count was made over or short, minor units.
    """
    differences: list[str] = []
    told = examine_independently(path)
    differences += [f"independent verifier: {finding}" for finding in told["findings"]]
    with Reader(path) as reader:
        found = examine(reader, check_entry=lambda entry: check(entry, chart))
    differences += [f"journal verify: {finding}" for finding in found.findings]
    edges = [0, *taken_out, len(notes)]
    if told["boxes_ended"] != list(range(1, len(taken_out) + 1)):
        differences.append(f"the box was taken out {len(taken_out)} times, ended are {told['boxes_ended']}")
    for session, (begin, end) in enumerate(pairwise(edges), 1):
        truth = Counter(notes[begin:end])
        books = Counter({value: count for _, value, count in told["boxes"].get(session, [])})
        if truth != books:
            differences.append(f"box {session}: hardware less journal {_less(truth, books)}")
    differences += _closings(told, notes, taken_out)
    differences += _counts(path, planned, len(taken_out))
    return told | {"differences": differences}


def _less(truth: Counter[int], books: Counter[int]) -> dict[int, int]:
    return {value: truth[value] - books[value] for value in sorted(truth | books) if truth[value] != books[value]}


def _closings(told: dict[str, Any], notes: list[int], taken_out: list[int]) -> list[str]:
    """Each Z lies in one box, a box that left holds whole ones, and all together are the grand total."""
    found = []
    sums: Counter[int] = Counter()
    for closing in told["closings"]:
        sums[closing["box_session"]] += closing["taken_minor"]
    for session, (begin, end) in enumerate(pairwise([0, *taken_out]), 1):
        if sums[session] != sum(notes[begin:end]):
            found.append(f"box {session} holds {sum(notes[begin:end])}, its closings sum to {sums[session]}")
    if sum(sums.values()) != told["grand_total_minor"]:
        found.append(f"grand total {told['grand_total_minor']}, the closings sum to {sum(sums.values())}")
    numbers = [closing["number"] for closing in told["closings"]]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append(f"Z numbers are {numbers}")
    return found


def _counts(path: Path, planned: dict[int, int], ended: int) -> list[str]:
    """Every box that left was counted, and is over or short by what was planned."""
    with Reader(path) as reader:
        closed = {
            each.fact.body.box_session: each.fact.body.over_short_minor
            for each in reader.read()
            if isinstance(each.fact.body, facts.CountClosed)
        }
    wanted = {session: planned.get(session, 0) for session in range(1, ended + 1)}
    return [] if closed == wanted else [f"counts are over or short by {closed}, planned was {wanted}"]


def met(path: Path) -> dict[str, int]:
    """Tell how often the month met what it was made for; a month that meets nothing shows nothing."""
    with Reader(path) as reader:
        told = [each.fact for each in reader.read()]
    bodies = [fact.body for fact in told]
    settled = [body for body in bodies if isinstance(body, facts.Settled)]
    kinds = Counter(type(body) for body in bodies)
    return {
        "paid_in_full": sum(body.outcome == "paid" for body in settled),
        "paid_in_part": sum(body.outcome == "partial" for body in settled),
        "overpaid": sum(body.overpayment_minor > 0 for body in settled),
        "held": sum(bool(body.held) for body in settled), "resumed_with_held": sum(bool(body.used) for body in settled),
        "settled_after_interruption": sum(body.by == "recovery" for body in settled),
        "closed_unpaid": kinds[facts.SessionClosed], "agreed_excesses": kinds[facts.ExcessAgreed],
        "notes_recovered": sum(isinstance(body, facts.NoteCredited) and body.recovered for body in bodies),
        "notes_suspended": kinds[facts.NoteSuspended], "notes_disputed": kinds[facts.NoteDisputed],
        "notes_returned": kinds[facts.NoteReturned], "late_facts": sum(fact.stamp.late is not None for fact in told),
        "unclean_starts": sum(isinstance(body, facts.Started) and body.unclean for body in bodies),
        "alarms": kinds[facts.AlarmRaised], "exchanges": kinds[facts.BoxExchanged],
        "exchanges_abandoned": kinds[facts.ExchangeAbandoned], "x_reports": sum(
            isinstance(body, facts.OperatorActed) and body.act == "report_x" for body in bodies
        ),
        "copies": sum(isinstance(body, facts.PrintStarted) and body.copy > 0 for body in bodies),
        "slips_not_printed": sum(isinstance(body, facts.PrintEnded) and body.outcome != "printed" for body in bodies),
    }  # fmt: skip
