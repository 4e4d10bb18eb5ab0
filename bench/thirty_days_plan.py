"""What happens on which day of `make thirty-days`, and what the next citizen wants."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bench.thirty_days_kiosk import Kiosk
from bench.thirty_days_people import Trouble, Visit
from kiosk.checkout.states import State
from kiosk.protocols.id003.codes import DeviceStatus

if TYPE_CHECKING:
    from bench.thirty_days import Month

#: Day (from 0) -> local time, name of what `Month` does, arguments.
CALENDAR: dict[int, tuple[tuple[str | int, ...], ...]] = {
    0: (("06:50", "tests"),),
    1: (("13:07", "exchange"),),
    2: (("18:00", "close_day"),),
    3: (("06:48", "training"), ("06:55", "stray_note")),
    4: (("23:57", "exchange", "", 300),),
    5: (("02:31", "exchange", "signed in"), ("23:59:53", "at_midnight")),
    6: (("15:20", "removal"),),
    7: (("12:00", "shutter"),),
    8: (("03:15", "exchange", "authorised"),),
    9: (("20:00", "close_day"),),
    10: (("23:59:53", "at_midnight"), ("11:59", "exchange", "at the signature")),
    11: (("22:45", "power_away"),),
    12: (("12:00", "closed_all_day"),),
    13: (("12:00", "closed_all_day"),),
    14: (("06:10", "exchange", "taken out"),),
    15: (("19:30", "exchange", "given up"),),
    16: (("04:44", "exchange", "put in"), ("23:59:53", "at_midnight")),
    17: (("06:56", "stray_note"), ("14:14", "theft")),
    18: (("21:00", "exchange", "without power"),),
    19: (("00:20", "exchange", "at the confirmation"),),
    20: (("01:58", "at_midnight"), ("03:01", "at_midnight"), ("16:00", "exchange", "given up outside")),
    21: (("06:30", "paper_ends"), ("12:00", "closed_all_day"), ("12:05", "turned_away"), ("23:30", "configure", "ask")),
    23: (("23:58", "exchange", "confirmed", 180),),
    26: (("05:55", "exchange", "", 600),),
    28: (("06:30", "paper_comes"),),
    29: (("12:34", "exchange"), ("21:00", "close_day")),
}  # fmt: skip
SHORT_CALENDAR: dict[int, tuple[tuple[str | int, ...], ...]] = {
    0: (("06:50", "tests"), ("06:55", "stray_note"), ("12:00", "exchange", "taken out"), ("17:00", "removal"),
        ("23:59:53", "at_midnight")),
    1: (("10:00", "exchange", "at the confirmation"), ("13:00", "training"), ("20:00", "close_day")),
}  # fmt: skip


def visit_of(month: Month, *, plain: bool = False) -> Visit:
    """Return what the next citizen wants; `plain`: nothing goes wrong and nobody leaves."""
    chance = month.chance
    labels, tax = _labels(month)
    if plain:
        return Visit(labels=labels)
    fate = chance.random()
    if fate < 0.03:
        return Visit(labels=labels, cancel_at=chance.choice((State.REVIEWING, State.CONSENTING)))
    if fate < 0.05:
        return Visit(labels=labels, style="short", stop_after=0)
    if fate < 0.07:
        _come_back(month, labels)
        return Visit(labels=labels, style="short", stop_after=chance.randrange(3), walks_away=True)
    style = "short" if fate < (0.55 if tax else 0.15) else "over" if fate < 0.45 else "exact"
    if style == "short":
        _come_back(month, labels)
    agree = {0: False, 1: None}.get(chance.randrange(14), True)
    return Visit(
        labels=labels, style=style, agree=agree, stop_after=chance.randrange(1, 4),
        keeps_paying=chance.random() < 0.7, trouble=_trouble(chance) if chance.random() < 0.08 else None,
    )  # fmt: skip


def _labels(month: Month) -> tuple[tuple[str, ...], bool]:
    """Choose what is paid: something to come back for first, else an open invoice, sometimes two."""
    chance, open_ones = month.chance, month.city.open
    due = [each for each in month.returning if each[0] <= month.day]
    if due and chance.random() < 0.6:
        month.returning.remove(due[0])
        return (due[0][1],), len(due[0][1]) == 12
    kinds = ["parking_citation", "water_bill", "property_tax"]
    kind = chance.choices(kinds, (62, 30, 8))[0]
    if chance.random() < 0.05:
        return (open_ones["parking_citation"].pop(), open_ones["water_bill"].pop()), False
    if not open_ones[kind]:
        kind = "parking_citation"
    return (open_ones[kind].pop(),), kind == "property_tax"


def _come_back(month: Month, labels: tuple[str, ...]) -> None:
    month.returning.append((month.day + month.chance.randrange(1, 6), labels[0]))


# --- what goes wrong ------------------------------------------------------------------------------------------


def _stacking(kiosk: Kiosk) -> bool:
    return kiosk.acceptor.status is DeviceStatus.STACKING


def _paying(kiosk: Kiosk) -> bool:
    return kiosk.state in (State.ACCEPTING, State.STACKING, State.NOTE_HELD)


def _printing(kiosk: Kiosk) -> bool:
    return kiosk.kernel is not None and any(job.state == "printing" for job in kiosk.kernel.model.jobs)


def _trouble(chance: random.Random) -> Trouble:
    """Return something that goes wrong."""
    kind = chance.randrange(10)
    if kind < 3:
        outcome = chance.choice(("stack", "return"))
        return Trouble(
            "jam", _stacking, lambda kiosk: kiosk.acceptor.jam("stacker"), 9_000,
            lambda kiosk: kiosk.acceptor.clear_jam(outcome),
        )  # fmt: skip
    if kind < 5:
        effects = chance.randrange(1, 25)
        return Trouble("killed at an effect", _paying, lambda kiosk: setattr(kiosk, "dies_in_effects", effects))
    if kind < 7:
        passed = chance.randrange(1, 700)
        return Trouble("killed within a note", _stacking, lambda kiosk: setattr(kiosk, "dies_in_bytes", passed))
    if kind == 7:
        when = chance.choice((_stacking, _paying, _printing))
        away = chance.randrange(3_000, 1_200_000)
        return Trouble("power cut", when, lambda kiosk: kiosk.cut_power(), away, lambda kiosk: kiosk.restore_power())
    if kind == 8:
        return Trouble(
            "acceptor without power", _stacking, lambda kiosk: kiosk.acceptor.cut_power(), 2_500,
            lambda kiosk: kiosk.acceptor.restore_power(),
        )  # fmt: skip
    return Trouble("killed while printing", _printing, lambda kiosk: kiosk.kill())
