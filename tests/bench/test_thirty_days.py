"""The short form of `make thirty-days`, and two controls: a month in which a note goes astray is never a good one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bench.thirty_days import Month, campaign
from bench.thirty_days_plan import CALENDAR, SHORT_CALENDAR
from kiosk.checkout import money_rules, table
from kiosk.checkout.effects import Record
from kiosk.model.facts import NoteCredited


@pytest.mark.slow
def test_every_note_of_two_days_is_explained_box_by_box() -> None:
    """Domain sheet §9, all invariants that concern a kiosk: two verifiers and the hardware agree."""
    told = campaign(days=2, payments=60, seed=1)
    assert told["differences"] == 0, told["differing"]
    assert told["payments"] >= 60
    assert told["boxes"] == 4, "two exchanges and a removal"
    assert told["counts"] == 3
    assert told["closings"] >= 5, "two exchanges, a removal, an operator's and a cut-off"
    assert told["kills"] >= 2
    assert told["met"]["notes_suspended"] == 1
    assert told["met"]["late_facts"] > 0


@pytest.mark.slow
def test_hardware_that_swallows_one_note_is_found() -> None:
    swallowed: list[int] = []

    def swallow(month: Month) -> None:
        path = month.kiosk.acceptor._path
        into_box = path._into_box

        def lose_the_fifth() -> None:
            into_box()
            if len(path.cashbox) == 5 and not swallowed:
                swallowed.append(path.cashbox.pop())

        path._into_box = lose_the_fifth  # type: ignore[method-assign]

    told = campaign(days=1, payments=10, seed=2, before=swallow)
    assert swallowed
    assert any("hardware less journal" in each for each in told["differing"]), told["differing"]


@pytest.mark.slow
def test_a_kernel_that_skips_one_credit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rule, skipped = money_rules.stacked, []

    def forget_the_fifth(model: Any, event: Any, ctx: Any) -> Any:
        after, effects = rule(model, event, ctx)
        credits = [each for each in effects if isinstance(each, Record) and isinstance(each.bodies[0], NoteCredited)]
        skipped.extend(credits)
        if len(skipped) != 5 or not credits:
            return after, effects
        after = msgspec.structs.replace(after, credited=model.credited)
        return after, [each for each in effects if each not in credits]

    for key, row in list(table.TRANSITIONS.items()):
        if row.call is rule:
            monkeypatch.setitem(table.TRANSITIONS, key, table.Row(forget_the_fifth, row.to))
    told = campaign(days=1, payments=10, seed=2)
    assert len(skipped) > 5
    assert any("hardware less journal" in each for each in told["differing"]), told["differing"]


def test_the_month_holds_everything_that_can_interrupt_an_exchange() -> None:
    acts = [(name, *arguments) for day in CALENDAR.values() for _, name, *arguments in day]
    steps = {each[1] for each in acts if each[0] == "exchange" and len(each) > 1}
    assert steps >= {
        "signed in", "at the signature", "authorised", "taken out", "put in", "at the confirmation", "confirmed",
        "given up", "given up outside", "without power",
    }  # fmt: skip
    for calendar in (CALENDAR, SHORT_CALENDAR):
        assert all(hasattr(Month, str(name)) for day in calendar.values() for _, name, *_ in day)
