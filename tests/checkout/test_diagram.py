"""The page that is drawn from the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kiosk.checkout.diagram import page
from kiosk.checkout.states import State
from kiosk.checkout.table import TRANSITIONS

DOC = Path(__file__).parents[2] / "docs" / "checkout.md"


def test_the_page_in_the_docs_is_the_one_the_table_draws() -> None:
    told = DOC.read_text(encoding="utf-8")
    assert told == page().rstrip("\n") + "\n", "run: python -m kiosk.checkout.diagram > docs/checkout.md"


def test_the_command_prints_the_page() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kiosk.checkout.diagram"], capture_output=True, check=True, timeout=60, encoding="utf-8"
    )
    assert done.stdout == DOC.read_text(encoding="utf-8")


def test_every_state_and_every_row_is_on_the_page() -> None:
    told = page()
    for state in State:
        assert f"## {state}\n" in told
    for _, event in TRANSITIONS:
        assert f" {event.__name__} |" in told


def test_every_rule_says_what_it_does() -> None:
    assert [row.call for row in TRANSITIONS.values() if not row.call.__doc__] == []
