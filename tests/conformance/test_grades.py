"""The grades that are written down are those the drivers reach: each is examined again here."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from kiosk.plugins.builtins import BUILT_IN
from kiosk.plugins.conformance import Subject, examine
from kiosk.plugins.grades import RECORDED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The tool that writes them."""
    spec = importlib.util.spec_from_file_location("driver_page", ROOT / "tools" / "driver-page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_driver_reaches_the_grade_that_is_written_down(name: str, tool: ModuleType) -> None:
    subject = Subject(import_module(BUILT_IN[name]).SPEC)
    outcomes = examine(subject)
    found = [f"{each.rule}: {told.situation}: {told.message}" for each in outcomes for told in each.findings]
    recorded = RECORDED[name]
    expected = {"grade": recorded.grade, "broken": recorded.broken, "not_applicable": recorded.not_applicable}
    assert tool.recorded(subject, outcomes) == expected, found or "run tools/driver-page.py"


def test_every_driver_that_comes_with_the_kiosk_is_silver_at_least() -> None:
    assert list(RECORDED) == list(BUILT_IN)
    assert {each.grade for each in RECORDED.values()} <= {"silver", "gold"}


def test_page_and_table_are_what_the_tool_writes(tool: ModuleType) -> None:
    results = {
        name: {"grade": each.grade, "broken": each.broken, "not_applicable": each.not_applicable}
        for name, each in RECORDED.items()
    }
    assert (ROOT / "kiosk" / "plugins" / "grades.py").read_text() == tool.table(results)
    assert (ROOT / "docs" / "driver-grades.md").read_text() == tool.page(tool.specs(), RECORDED), (
        "run tools/driver-page.py"
    )
