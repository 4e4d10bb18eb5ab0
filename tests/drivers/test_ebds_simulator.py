"""The driver against the simulated unit through lost replies, power cuts and restarts: books and box agree."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.protocols.ebds.units import EUR_UNIT, USD_UNIT
from tests.drivers.ebds_world import play

LINE = ("lose", "garble", "acks", "none")
#: Every end a note may have; one that was in escrow when the host restarted is ``unknown`` and was promised nothing.
ENDS = {"credited", "returned", "disputed"}
HABITS = {
    "events alone": {"idling_with_event": False},
    "held notes shown in escrow": {"held_shows_escrow": True},
    "no value after power up": {"value_after_power_up": False},
    "blank stacks": {"blank_at_power_up": True, "blank_at_cassette": True},
    "settings kept": {"keeps_settings": True, "mask_reply": True},
    "cheated with stacked": {"cheated_with_stacked": True},
    "no repeats": {"repeats_on_equal_toggle": False},
}


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line_costs_no_note_and_doubles_none(seed: int) -> None:
    assert set(play(seed, USD_UNIT, LINE)) <= {"credited", "returned"}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("policy", ["A", "B", "C"])
def test_power_cuts_end_every_note_once(seed: int, policy: str) -> None:
    assert set(play(seed, EUR_UNIT, (*LINE, "cut"), power_up_policy=policy, mask_bytes=19)) <= ENDS


@pytest.mark.parametrize("seed", range(4))
def test_restarts_of_the_host_end_every_note_once(seed: int) -> None:
    assert set(play(seed, USD_UNIT, (*LINE, "cut", "restart"), start_toggle=seed % 2)) <= {*ENDS, "unknown"}


@pytest.mark.parametrize("habit", HABITS)
def test_every_habit_that_the_sheet_leaves_open_ends_every_note_once(habit: str) -> None:
    unit = msgspec.structs.replace(USD_UNIT, **HABITS[habit])  # type: ignore[arg-type]
    assert set(play(7, unit, (*LINE, "cut", "restart"))) <= {*ENDS, "unknown"}


def test_the_plain_mode_counts_just_as_well() -> None:
    assert set(play(5, USD_UNIT, (*LINE, "cut", "restart"), mode="plain")) <= {*ENDS, "unknown"}
