"""House rules for the tests themselves: where they lie and how they are named."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: Folders of tests that mirror no room: each is about the whole.
ABOUT_THE_WHOLE = {"house", "systemd", "vectors", "scenarios", "databases", "crash", "conformance", "outside", "e2e",
                   "bench", "hostile", "powercut", "docs", "packaging", "vm"}  # fmt: skip


def files_of_tests() -> list[Path]:
    """Every file of tests that pytest collects."""
    return sorted((ROOT / "tests").rglob("test_*.py"))


def test_every_folder_of_tests_mirrors_a_room() -> None:
    rooms = {path.stem for path in (ROOT / "kiosk").iterdir() if path.is_dir() or path.suffix == ".py"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - rooms - ABOUT_THE_WHOLE == set()


def test_every_single_file_of_tests_mirrors_a_module() -> None:
    modules = {path.stem for path in (ROOT / "kiosk").glob("*.py")} | {path.name for path in (ROOT / "kiosk").iterdir()}
    alone = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert alone - modules == set()


def test_every_test_is_a_sentence() -> None:
    short = []
    for path in files_of_tests():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and node.name.count("_") < 3:
                short.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}")
    assert short == []


def judges(node: ast.AST, helpers: set[str]) -> bool:
    """Whether something in the code can find fault: an assertion, an expected exception, or a call of one that can."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Assert, ast.Raise)):
            return True
        if isinstance(inner, ast.Call):
            name = getattr(inner.func, "attr", getattr(inner.func, "id", ""))
            if name in helpers or name in ("raises", "fail", "warns", "until", "wait_for", "run_state_machine_as_test"):
                return True
            if any(word in name for word in ("assert", "check", "expect")):
                return True
    return False


def test_every_test_can_fail() -> None:
    """A test that cannot find fault proves nothing."""
    idle = []
    for path in files_of_tests():
        functions = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
        ]
        helpers: set[str] = set()
        while True:  # a helper of a helper may hold the assertion
            more = {node.name for node in functions if not node.name.startswith("test_") and judges(node, helpers)}
            if more <= helpers:
                break
            helpers |= more
        for node in functions:
            if node.name.startswith("test_") and not judges(node, helpers):
                idle.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}")
    assert idle == []
