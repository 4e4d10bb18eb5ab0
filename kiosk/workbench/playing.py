"""A scenario played against the real processes: each step with a tick, then the receipt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kiosk.errors import SimulatorError
from kiosk.simulators import scenario
from kiosk.simulators.steps import Step
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import CURRENCY


def read_scenario(path: Path) -> list[Step]:
    """Read a scenario file.

    Raises:
        SimulatorError: it cannot be read, or a line means nothing; names file and line.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulatorError(f"cannot read {path}: {error}", hint="give a text file") from None
    return scenario.parse(text, source=path.name, currency=CURRENCY)


def play(demonstration: Demonstration, steps: Sequence[Step], path: Path, say: Callable[[str], None]) -> int:
    """Play the steps one by one, telling each; print the receipts; return 0, or 1 where a line failed."""
    lines = path.read_text("utf-8").splitlines()
    code = 0
    for step in steps:
        words = " ".join(lines[step.line - 1].partition("#")[0].split())
        try:
            scenario.play([step], demonstration.stage, source=path.name)
        except SimulatorError as error:
            say(f"  ✗ {words}")
            say(f"failed: {error}")
            for line in demonstration.diagnosis():
                say(f"  {line}")
            code = 1
            break
        say(f"  ✓ {words}")
    receipts = demonstration.receipts()
    for receipt in receipts:
        say("")
        say(receipt.rstrip())
    if not receipts:
        say("(nothing was printed)")
    if code == 0:
        say("")
        say(f"{path.name}: {len(steps)} steps, all came true")
    return code
