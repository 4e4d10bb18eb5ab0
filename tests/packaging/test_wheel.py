"""The wheel: whatever a kiosk reads at run time must travel inside it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project built as a wheel, without a network."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
               "--disable-pip-version-check", "--wheel-dir", str(out), str(ROOT)]  # fmt: skip
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (found,) = out.glob("kiosk-*.whl")
    return zipfile.ZipFile(found)


def published(folder: str) -> set[str]:
    """The files below a folder that git tracks; in an unpacked archive, all that lie there."""
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, check=False)
    names = {name for name in listed.stdout.decode().split("\0") if name}
    if not names:
        names = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {name for name in names if "__pycache__" not in name and (ROOT / name).is_file()}


def test_every_file_of_the_package_travels_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert published("kiosk") - set(wheel.namelist()) == set()


def test_the_sample_configuration_and_the_units_travel_inside_the_package(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    for folder, home in (("config", "kiosk/sample_config"), ("systemd", "kiosk/_systemd")):
        wanted = {home + name.removeprefix(folder) for name in published(folder)}
        assert wanted
        assert wanted - inside == set()


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert b"kiosk = kiosk.cli:main" in wheel.read(entry_points)
    assert b"[pytest11]\nkiosk = kiosk.plugins.pytest_plugin" in wheel.read(entry_points)
    assert [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]


def test_tests_and_benchmarks_stay_at_home(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0] for name in wheel.namelist() if ".dist-info" not in name} == {"kiosk"}
