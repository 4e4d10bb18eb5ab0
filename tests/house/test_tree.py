"""House rules for the files that are published: nothing of the machine they were written on, locks that lock."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


@cache
def published_files() -> list[Path]:
    """What git tracks; in an unpacked archive, what lies there."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    skipped = {".venv", ".git", "build", "dist", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not skipped & set(path.parts)]


@cache
def texts() -> dict[str, str]:
    """The published files that are text, by their name."""
    found = {}
    for path in published_files():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def lines_with(pattern: str) -> list[str]:
    """`file:line` wherever the pattern stands in a published text."""
    wanted = re.compile(pattern)
    return [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if wanted.search(line)
    ]


def test_no_path_of_the_machine_it_was_written_on_is_published() -> None:
    # Put together here, so that this file does not find itself; a path begins after no letter or full stop.
    assert lines_with(r"(?<![\w.])/" + r"work/") == []
    assert lines_with(r"/" + r"root/(?!\.?\w*\$)") == []


def test_no_package_index_is_named() -> None:
    """Where packages come from is the affair of each machine's own pip, npm and apt."""
    named = lines_with(r"^\s*(--|-i\b|PIP_)?(extra-)?(index-url|find-links|trusted-host)\b")
    assert named == []
    hosts = ("files.python" + "hosted", "pypi" + r"\.org/simple", "registry" + r"\.npmjs", "deb" + r"\.debian\.org")
    assert lines_with("|".join(hosts)) == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_a_hash(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    assert [line.split()[0] for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


def names_in(lock: str) -> set[str]:
    """The packages that a lock file holds."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, flags=re.MULTILINE))


def declared(requirements: list[str]) -> set[str]:
    """The package names of requirement lines, as a lock spells them."""
    return {re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0].lower().replace("_", "-") for line in requirements}


def test_the_locks_hold_everything_that_the_project_declares() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert declared(project["dependencies"]) <= names_in("run.txt")
    assert declared(project["optional-dependencies"]["test"]) <= names_in("test.txt")
    assert declared(project["optional-dependencies"]["check"]) <= names_in("check.txt")


def test_one_environment_holds_all_locks_without_a_quarrel() -> None:
    """The same package has the same version in every lock that goes into .venv."""
    versions: dict[str, set[str]] = {}
    for lock in ("run.txt", "test.txt", "check.txt", "build.txt"):
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, flags=re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_nothing_needed_only_for_tests_runs_in_a_kiosk() -> None:
    assert names_in("run.txt") & {"pytest", "hypothesis", "playwright", "python-escpos", "zxing-cpp", "evdev"} == set()


def test_scripts_can_be_run_and_are_plain_sh() -> None:
    scripts = [*sorted((ROOT / "tools").glob("*.sh")), ROOT / ".ci" / "run"]
    assert [path.name for path in scripts if not os.access(path, os.X_OK)] == []
    for script in scripts:
        shell = "bash" if "bash" in script.read_text(encoding="utf-8").splitlines()[0] else "sh"
        parsed = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
        assert (parsed.returncode, parsed.stderr) == (0, ""), script.name
