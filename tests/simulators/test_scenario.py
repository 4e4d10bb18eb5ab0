"""The scenario language: every line is understood, every mistake names its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import SimulatorError
from kiosk.model.money import Money
from kiosk.simulators import steps as do
from kiosk.simulators.scenario import GRAMMAR, ScenarioError, parse, parse_line, play, write

GRAMMAR_FILE = Path(__file__).with_name("grammar.txt")


class Recorder:
    """A stage that writes down what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.calls.append((name, *args))


def step_kinds() -> set[str]:
    return {kind.__name__ for kind in do.Step.__subclasses__()}


def test_the_grammar_file_uses_every_kind_of_step() -> None:
    steps = parse(GRAMMAR_FILE.read_text("utf-8"), source="grammar.txt")
    assert {type(step).__name__ for step in steps} == step_kinds()


def test_every_step_calls_its_own_method_of_the_stage() -> None:
    steps, stage = parse(GRAMMAR_FILE.read_text("utf-8")), Recorder()
    assert play(steps, stage) == len(stage.calls) == len(steps)
    methods = {name for name in vars(do.Stage) if not name.startswith("_")}
    assert {call[0] for call in stage.calls} == methods
    assert ("insert", Money(1000, "USD"), True) in stage.calls
    assert ("scan", "two words \x1d\\") in stage.calls
    assert ("touch", "type", ("2600041712",)) in stage.calls
    assert ("wait", 3000) in stage.calls
    assert ("wait_screen", "done", 30_000) in stage.calls
    assert ("expect_remaining", Money(500, "USD")) in stage.calls
    assert ("expect_receipt", False) in stage.calls


@pytest.mark.parametrize(
    "line",
    ["sing", "insert", "insert twenty", "insert USD 20.001", "wait", "wait 3", "wait 3 h", "wait screen a b c", "touch",
     "expect", "expect magic", "expect due", "lose 3", "lose replies many", "unplug", "jam printer", "scan",
     'touch type "open', "insert coin", "fill hopper", "fill hopper many", "fill box 3", "expect coins"],
)  # fmt: skip
def test_a_line_that_means_nothing_names_file_and_line(line: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse(f"# first\n\n{line}\n", source="story.txt")
    assert caught.value.message.startswith("story.txt:3: ")
    assert caught.value.hint


def test_a_failing_step_names_file_and_line() -> None:
    class Refusing(Recorder):
        def cheat(self) -> None:
            raise SimulatorError("nobody cheats here", hint="be honest")

    with pytest.raises(ScenarioError, match=r"story.txt:2: nobody cheats here"):
        play(parse("pull back\ncheat\n"), Refusing(), source="story.txt")


def test_comments_and_empty_lines_are_no_steps() -> None:
    assert parse("# all\n\n   # of this\n") == []
    step = parse_line("scan A#1 # but this is one", line=7)
    assert step == do.Scan(7, "A#1")
    assert write(step) == "Scan A#1"


def test_the_grammar_names_every_verb() -> None:
    for line in GRAMMAR_FILE.read_text("utf-8").splitlines()[1:]:
        assert line.split()[0] in GRAMMAR


@given(st.text(max_size=60))
def test_no_text_does_anything_but_parse_or_name_its_line(text: str) -> None:
    said = ""
    try:
        parse(text)
    except ScenarioError as error:
        said = error.message
    assert said == "" or said.startswith("<scenario>:")
