"""``kiosk cash count`` at a terminal, on the rules of a real kernel; and what is sealed while no kiosk runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.cli import cash
from kiosk.core import control
from kiosk.errors import ControlError
from kiosk.model import facts
from tests.cli.conftest import Run
from tests.core.kernel_rig import Rig
from tests.core.test_verbs_count import CONTENT, HASHES, OTHER, PIN, CountingRoom


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingRoom]:
    """A counting room at a terminal whose kiosk has USD 73.00 in a box that left."""
    rig = Rig(tmp_path)
    found = CountingRoom(rig)

    def call(path: Path, verb: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
        told = found.ask(verb, **(arguments or {}))
        if not told["ok"]:
            raise ControlError(told["error"], hint=told["hint"])
        return told

    monkeypatch.setattr(control, "call", call)
    monkeypatch.setattr(cash, "is_terminal", lambda: True)
    yield found
    rig.close()


def typed(room: CountingRoom, *lines: str | int) -> str:
    """What a person types, one line each."""
    return "".join(f"{line}\n" for line in lines)


def values(room: CountingRoom, counts: dict[int, int]) -> list[int]:
    """The counts in the order in which they are asked for."""
    return [counts.get(value, 0) for _, value in room.ask("count.list")["denominations"]]


def test_a_box_is_received_counted_twice_and_closed_at_a_terminal(room: CountingRoom, run: Run) -> None:
    feed = typed(room, "p03", PIN, "B-1", "S-1", "y", *values(room, {2000: 3}), "n",
                 *values(room, {**CONTENT, 100: 2}), "y", "one note short", "p04", OTHER)  # fmt: skip
    told = run("cash", "count", feed=feed)
    assert told.exit_code == 0, told.output
    before, final, after = told.output.partition("expected 73.00, counted 72.00: 1.00 short")
    assert final, told.output
    assert not re.search(r"73\.00|7300", before)
    assert "is closed" in after
    assert PIN not in told.output
    (closed,) = room.rig.bodies(facts.CountClosed)
    assert (closed.attempt, closed.over_short_minor, closed.reason, closed.second) == (2, -100, "one note short", "p04")


def test_a_count_that_was_left_after_its_final_attempt_is_closed_the_next_time(room: CountingRoom, run: Run) -> None:
    room.receive()
    room.attempt(CONTENT, final=True)
    told = run("cash", "count", feed=typed(room, "p03", PIN))
    assert told.exit_code == 0, told.output
    assert "nothing over or short" in told.output
    assert "no box waits" in run("cash", "count").output


def test_several_boxes_are_not_guessed_at(room: CountingRoom, run: Run) -> None:
    page = room.rig.kernel.books.boxes[1]
    room.rig.kernel.books.boxes[5] = page
    listed = room.ask("count.list")["boxes"]
    assert len(listed) == 2
    page.session = 1
    assert "choose one: --session" in run("cash", "count").output


@pytest.mark.parametrize(("person", "pin", "opens"), [("p05", PIN, True), ("p05", OTHER, False), ("p03", PIN, False)])
def test_a_kiosk_that_does_not_run_is_audited_by_the_same_people(
    tmp_path: Path, run: Run, person: str, pin: str, opens: bool
) -> None:
    rig = Rig(tmp_path)
    CountingRoom(rig)
    rig.close()
    config = tmp_path / "kiosk.toml"
    sections = "".join(
        f'[[people]]\nid = "{who}"\nroles = ["{role}"]\npin = "{HASHES[PIN]}"\n'
        for who, role in (("p03", "count"), ("p05", "audit"))
    )
    config.write_text(f'[paths]\nruntime = "{tmp_path}/run"\nstate = "{tmp_path}"\n{sections}', "utf-8")
    words = ("journal", "export", "--journal", rig.path)
    refused = run(*words, config=config)
    assert (refused.exit_code, refused.stdout) == (1, "")
    told = run(*words, "--person", person, config=config, feed=f"{pin}\n")
    assert (told.exit_code == 0) is opens, told.output
    assert bool(told.stdout) is opens
    assert ("leaves no fact" in told.output) is opens
    assert "note_credited" in run(*words, config=_without_people(config)).stdout  # a raw file


def _without_people(config: Path) -> Path:
    other = config.with_name("raw.toml")
    other.write_text(config.read_text("utf-8").partition("[[people]]")[0], "utf-8")
    return other
