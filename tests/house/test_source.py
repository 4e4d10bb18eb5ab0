"""House rules that are read from the syntax tree: purity, money without floats, size, names, prose.

What an import can tell is import-linter's part (pyproject.toml); this file holds what only the code itself can tell.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Rooms that touch no clock and no file.
PURE = ("errors", "model", "protocols", "tariff", "ledger", "checkout", "drivers")
#: Rooms where an amount is worked out: a true division would make a float out of whole minor units.
MONEY = ("model", "tariff", "ledger", "checkout")
#: A module's length: more than this asks for a second noun.
HARD_LIMIT = 400
#: Names that say nothing about the trade.
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc", "manager", "stuff"}
#: House decision: one module may be a manager, the one that loads plugins.
NAMED_IN_THE_HOUSE = {"kiosk/plugins/manager.py"}

CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def modules(*rooms: str) -> list[Path]:
    """All modules of the package, or of the rooms named."""
    found = sorted((ROOT / "kiosk").rglob("*.py"))
    if rooms:
        found = [path for path in found if path.relative_to(ROOT / "kiosk").parts[0].removesuffix(".py") in rooms]
    return found


def name_of(path: Path) -> str:
    """The path as people say it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of one module, read once."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def clock_reads(tree: ast.AST) -> Iterator[int]:
    """The lines where a clock is asked."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            if (owner, node.attr) in CLOCKS:
                yield node.lineno


def opened_files(tree: ast.AST) -> Iterator[int]:
    """The lines where a file is opened, read or written."""
    reading = {"open", "read_text", "read_bytes", "write_text", "write_bytes"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", None)
            if name == "open" or (isinstance(node.func, ast.Attribute) and node.func.attr in reading):
                yield node.lineno


def floats(tree: ast.AST) -> Iterator[int]:
    """The lines with a float literal or the name `float`, annotations included."""
    for node in ast.walk(tree):
        literal = isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))
        if literal or (isinstance(node, ast.Name) and node.id == "float"):
            yield node.lineno  # type: ignore[attr-defined]


def true_divisions(tree: ast.AST) -> Iterator[int]:
    """The lines that divide with `/` or `/=`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield node.lineno


def findings(paths: list[Path], rule: object) -> list[str]:
    """`file:line` for every hit of a rule in the files."""
    assert callable(rule)
    return [f"{name_of(path)}:{line}" for path in paths for line in rule(tree_of(path))]


def test_pure_rooms_read_no_clock() -> None:
    assert findings(modules(*PURE), clock_reads) == []


def test_pure_rooms_open_no_file() -> None:
    assert findings(modules(*PURE), opened_files) == []


def test_pure_rooms_hold_no_float() -> None:
    assert findings(modules(*PURE), floats) == []


def test_money_is_never_divided_into_fractions() -> None:
    assert findings(modules(*MONEY), true_divisions) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (clock_reads, "import datetime\nx = datetime.datetime.now()"),
        (clock_reads, "from datetime import date\nx = date.today()"),
        (opened_files, "x = open('f')"),
        (opened_files, "x = path.read_text()"),
        (floats, "x = 0.5"),
        (floats, "def f(x: float) -> None: ..."),
        (floats, "x = float('1')"),
        (true_divisions, "x = 3 / 2"),
        (true_divisions, "x /= 2"),
    ],
)
def test_each_rule_of_purity_catches_what_it_is_for(rule: object, code: str) -> None:
    assert callable(rule)
    assert list(rule(ast.parse(code)))


def test_whole_numbers_and_floor_division_are_welcome() -> None:
    tree = ast.parse("def fee(minor: int) -> int:\n    return minor * 15 // 100")
    assert not list(floats(tree))
    assert not list(true_divisions(tree))


def test_no_module_grows_past_the_hard_limit() -> None:
    sources = modules() + sorted((ROOT / "bench").rglob("*.py"))
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}
    assert {name: length for name, length in lengths.items() if length > HARD_LIMIT} == {}


def test_modules_are_named_after_things_of_the_trade() -> None:
    sources = [*modules(), *sorted((ROOT / "bench").rglob("*.py"))]
    named = [name_of(path) for path in sources if {path.stem, path.parent.name} & EMPTY_NAMES]
    assert [name for name in named if name not in NAMED_IN_THE_HOUSE] == []


def test_every_module_says_what_it_is_for() -> None:
    sources = [*modules(), *sorted((ROOT / "bench").rglob("*.py")), *sorted((ROOT / "tests").rglob("test_*.py"))]
    assert [name_of(path) for path in sources if not ast.get_docstring(tree_of(path))] == []


def test_every_public_class_and_function_says_what_it_is_for() -> None:
    silent = []
    for path in modules():
        for node in tree_of(path).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                overload = any(getattr(mark, "id", "") == "overload" for mark in node.decorator_list)
                if not node.name.startswith("_") and not overload and not ast.get_docstring(node):
                    silent.append(f"{name_of(path)}:{node.lineno} {node.name}")
    assert silent == []


def test_annotations_are_postponed_everywhere() -> None:
    without = []
    for path in modules():
        tree = tree_of(path)
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        code = [node for node in tree.body if not isinstance(node, ast.Expr)]
        if code and not any(alias.name == "annotations" for node in imports for alias in node.names):
            without.append(name_of(path))
    assert without == []


def test_nothing_is_left_for_later() -> None:
    marker = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    left = []
    for path in [*modules(), *sorted((ROOT / "bench").rglob("*.py"))]:
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING) and marker.search(token.string):
                left.append(f"{name_of(path)}:{token.start[0]}")
    assert left == []


def test_importing_the_package_needs_no_hardware_library() -> None:
    """evdev is absent where it could not be built, so whoever uses it imports it late or expects its absence."""
    top_level = []
    for path in modules():
        for node in tree_of(path).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            top_level += [f"{name_of(path)}:{node.lineno}" for name in names if name.split(".")[0] == "evdev"]
    assert top_level == []
