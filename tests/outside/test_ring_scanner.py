"""A plugin in its own distribution: built, installed elsewhere, found by its entry point, and driven over a pty."""

from __future__ import annotations

import ast
import json
import os
import queue
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from kiosk.plugins.conformance import RULES
from kiosk.plugins.pytest_plugin import spec_of

HERE = Path(__file__).parent / "kiosk_ring_scanner"

ASK = """
import json, sys
from kiosk.plugins.manager import load_plugins
from kiosk.plugins.conformance import check_driver
loaded = load_plugins()
report = next(each for each in loaded.reports if each.name == "ring_scanner")
import kiosk_ring_scanner as plugin
vectors = [b"\\x02" + text + b"\\x03" + bytes([plugin.checksum(text)]) for text in (b"PK-4711", b"!Ring 5")]
print(json.dumps({
    "status": report.status, "reason": report.reason, "origin": report.origin, "version": report.version,
    "drivers": report.drivers, "file": plugin.__file__,
    "findings": [str(each) for each in check_driver(loaded.drivers["ring_scanner"], vectors)],
}))
"""

#: The example with one line more: it keeps all that it hears.
HOARDER = """
import msgspec
import kiosk_ring_scanner as example

class Hoarder(example.RingScanner):
    heard = b""

    def received(self, data, now):
        self.heard += data
        super().received(data, now)

SPEC = msgspec.structs.replace(example.SPEC, build=lambda options, tools: Hoarder(options))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the distribution and install it into a folder of its own, without a network."""
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install"]
    flags = ["--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--target", str(target)]
    done = subprocess.run([*pip, *flags, str(HERE)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_a_driver_in_a_distribution_of_its_own_is_found_loaded_and_keeps_the_contract(site: Path) -> None:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(site), str(root)])
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, timeout=60, check=False, cwd=site,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told.pop("file")).parent == site
    assert told == {
        "status": "loaded", "reason": "", "origin": "kiosk-ring-scanner", "version": "1.2.0",
        "drivers": ["ring_scanner"], "findings": [],
    }  # fmt: skip


def examine(where: Path, *words: str, more: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest as a stranger would, in a directory with nothing in it but the installed plugin."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *words]
    if not [point for point in metadata.entry_points(group="pytest11") if point.name == "kiosk"]:
        command += ["-p", "kiosk.plugins.pytest_plugin"]  # this environment was installed before the kit was there
    places = [more, str(where), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, places))
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=where,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""},
    )  # fmt: skip


def test_a_stranger_examines_drivers_with_pytest_and_is_told_what_is_broken_in_words(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "hoarder.py").write_text(HOARDER, encoding="utf-8")
    done = examine(site, "--kiosk-driver", "ring_scanner", "--kiosk-driver", "hoarder:SPEC", "-v", more=str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    for driver, worst in (("ring_scanner", ["PASSED", "SKIPPED"]), ("hoarder:SPEC", ["PASSED", "SKIPPED", "FAILED"])):
        told = [line for line in done.stdout.splitlines() if f"{driver}::" in line and "%" in line]
        rules = [line.partition("::")[2].partition("::")[2].split()[0] for line in told]
        assert rules == [f"{rule.grade}-{rule.id}" for rule in RULES]
        assert {line.split()[1] for line in told} == set(worst)
    assert "bronze rule bounded: What is kept is bounded, however much comes." in done.stdout
    assert "bytes more after" in done.stdout


def test_a_name_that_nobody_declares_is_answered_with_those_there_are() -> None:
    with pytest.raises(LookupError, match="among .*line_scanner"):
        spec_of("nobody")


def test_the_plugin_imports_nothing_of_the_kiosk_but_its_public_door() -> None:
    tree = ast.parse((HERE / "kiosk_ring_scanner.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert {name for name in modules if name and name.startswith("kiosk")} == {"kiosk.api"}


def test_the_supervisor_runs_the_strangers_driver_on_a_real_pty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    import kiosk_ring_scanner as plugin  # type: ignore[import-not-found]

    from kiosk.core.supervisor import DeviceConfig, DeviceNews, Supervisor
    from kiosk.model.device_events import Identified, Scanned
    from kiosk.plugins.devices import DriverTools

    news: queue.SimpleQueue[DeviceNews] = queue.SimpleQueue()
    master, slave = os.openpty()
    boss = Supervisor(
        [DeviceConfig(name="front", driver="ring_scanner", line={"port": os.ttyname(slave)})],
        {"ring_scanner": plugin.SPEC}, DriverTools(currency="USD"), news.put, lambda device: ({}, None, bytes(32)),
        hotplug=False,
    )  # fmt: skip
    boss.start()
    try:
        assert os.read(master, 10) == b"\x05"
        for text in (b"!Ring 5", b"PK-4711"):
            os.write(master, b"\x02" + text + b"\x03" + bytes([plugin.checksum(text)]))
            assert os.read(master, 10) == b"\x06"
        told = []
        while not told or not isinstance(told[-1], Scanned):
            told.append(news.get(timeout=10).event)
        assert Identified(model="Ring 5") in told
        assert told[-1] == Scanned("PK-4711")
    finally:
        assert boss.stop() == []
        os.close(master)
        os.close(slave)
