"""Plugins are loaded alone: whatever a stranger does at any gate, the others and the kiosk never notice."""

from __future__ import annotations

import itertools
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.plugins import manager
from kiosk.plugins.builtins import BUILT_IN
from kiosk.plugins.listeners import FactListeners
from kiosk.plugins.manager import LoadedPlugins, PluginReport, load_plugins

#: Short, because each hanging plugin costs it; long enough for an import on a busy machine.
LIMIT_MS = 500

HEAD = """
import time
import msgspec
from kiosk.api import DriverSpec, hookimpl

class Options(msgspec.Struct, frozen=True):
    speed: int = 9600

class Quiet:
    def remember(self, marks, open_note, entropy): pass
    def port(self, event, now): pass
    def received(self, data, now): pass
    def tick(self, now): pass
    def command(self, cmd, now): pass
    def deadline(self): return None
    def take_outbound(self): return []
    def take_events(self): return []

def spec(**changes):
    fields = dict(name="quiet", device_class="Scanner", transports=("serial",), options=Options,
                  build=lambda options, tools: Quiet())
    fields.update(changes)
    return DriverSpec(**fields)
"""
GOOD = "@hookimpl\ndef kiosk_drivers():\n    return [spec()]\n"
_number = itertools.count()
HOOKS = ("kiosk_drivers", "kiosk_services", "kiosk_receipt_layouts", "kiosk_exporters", "kiosk_commands")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place on the import path where `install` puts distributions."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("stranger_"):
            del sys.modules[name]


def install(site: Path, name: str, body: str, *, point: str = "", attribute: str = "") -> str:
    """Put a one-module distribution there, with its entry point, as pip would; return the module's name.

    Each module has a name of its own: one that hangs while it is imported holds the lock of that name.
    """
    module = f"stranger_{name}_{next(_number)}"
    (site / f"{module}.py").write_text(HEAD + textwrap.dedent(body))
    info = site / f"stranger_{name}-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stranger-{name}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(f"[kiosk]\n{point or name} = {module}{attribute}\n")
    return module


def load(**more: Any) -> LoadedPlugins:
    """Load what is installed there, without the built-ins."""
    found = [each for each in manager.installed_plugins() if each.origin.startswith("stranger-")]
    return load_plugins(candidates=found, time_limit_ms=LIMIT_MS, **more)


def report_of(loaded: LoadedPlugins, name: str) -> PluginReport:
    return next(report for report in loaded.reports if report.name == name)


def test_a_stranger_is_found_by_its_entry_point_and_its_driver_declared(site: Path) -> None:
    install(site, "good", GOOD)
    loaded = load()
    assert report_of(loaded, "good") == PluginReport("good", "2.5", "stranger-good", "loaded", "", ("quiet",))
    assert loaded.drivers["quiet"].device_class == "Scanner"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("misdeed", "reason"),
    [
        ("raise RuntimeError('on purpose')", "on purpose"),
        ("raise SystemExit(3)", "SystemExit"),
        ("while True: time.sleep(0.05)", "did not return"),
        ("return 5", "not iterable"),
        ("return ['a text']", "str"),
        ("yield from iter(int, 1)", "more than"),
    ],
)
def test_a_plugin_that_fails_in_a_hook_is_set_aside_and_its_neighbour_works(
    site: Path, hook: str, misdeed: str, reason: str
) -> None:
    install(site, "bad", f"@hookimpl\ndef {hook}():\n    {misdeed}\n")
    install(site, "good", GOOD)
    loaded = load()
    bad = report_of(loaded, "bad")
    assert bad.status == "quarantined"
    assert reason in bad.reason
    assert report_of(loaded, "good").status == "loaded"
    assert list(loaded.drivers) == ["quiet"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ImportError('no such library')", "no such library"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("time.sleep(60)", "did not return"),
        ("def (:", "SyntaxError"),
        ("@hookimpl\ndef kiosk_divers():\n    return []\n", "unknown hook"),
        ("@hookimpl\ndef kiosk_drivers(self_made):\n    return []\n", "self_made"),
    ],
)
def test_a_plugin_that_cannot_be_imported_or_knows_no_such_hook_is_set_aside(
    site: Path, body: str, reason: str
) -> None:
    install(site, "bad", body)
    install(site, "good", GOOD)
    loaded = load()
    bad = report_of(loaded, "bad")
    assert bad.status == "quarantined"
    assert reason in bad.reason
    assert list(loaded.drivers) == ["quiet"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("name='Not A Name'", "not a driver name"),
        ("name=7", "not a driver name"),
        ("device_class='Toaster'", "not a device class"),
        ("transports=()", "at least one"),
        ("transports=('telepathy',)", "not a transport"),
        ("options=dict", "msgspec struct"),
        ("options=msgspec.defstruct('O', [('port', str)], frozen=True)", "'port'"),
        ("options=msgspec.defstruct('O', [])", "frozen"),
        ("build=None", "cannot be called"),
        ("build=lambda options, tools: object()", "remember"),
        ("build=lambda options, tools: 1 / 0", "division"),
        ("line={'usb_printer': {}}", "line must map"),
        ("capabilities=None", "capabilities"),
        ("states='ok'", "states"),
    ],
)
def test_a_driver_declaration_that_breaks_the_contract_is_refused_with_the_reason(
    site: Path, change: str, reason: str
) -> None:
    install(site, "bad", f"@hookimpl\ndef kiosk_drivers():\n    return [spec({change})]\n")
    bad = report_of(load(), "bad")
    assert bad.status == "quarantined"
    assert reason.strip("'") in bad.reason


def test_a_driver_name_that_is_taken_goes_to_the_first_and_nothing_of_the_second_is_used(site: Path) -> None:
    install(site, "alpha", GOOD)
    install(site, "beta", "@hookimpl\ndef kiosk_drivers():\n    return [spec(name='another'), spec()]\n")
    loaded = load()
    assert report_of(loaded, "alpha").status == "loaded"
    assert "taken" in report_of(loaded, "beta").reason
    assert list(loaded.drivers) == ["quiet"]


def test_a_plugin_name_that_is_taken_is_refused(site: Path) -> None:
    install(site, "alpha", GOOD, point="same")
    install(site, "beta", "@hookimpl\ndef kiosk_drivers():\n    return [spec(name='another')]\n", point="same")
    loaded = load()
    assert [report.status for report in loaded.reports] == ["loaded", "quarantined"]
    assert "stranger-alpha" in loaded.reports[1].reason


def test_safe_mode_loads_the_allow_list_only_and_imports_nothing_else(site: Path) -> None:
    module = install(site, "good", GOOD)
    loaded = load(safe_mode=True)
    assert report_of(loaded, "good").status == "skipped"
    assert module not in sys.modules
    assert loaded.drivers == {}
    assert list(load(safe_mode=True, allow=["good"]).drivers) == ["quiet"]


def test_a_plugin_disabled_in_the_configuration_is_not_imported(site: Path) -> None:
    module = install(site, "good", GOOD)
    assert report_of(load(disabled=["good"]), "good").status == "skipped"
    assert module not in sys.modules


def test_a_hook_wrapper_of_one_plugin_does_not_reach_another(site: Path) -> None:
    install(site, "evil", "@hookimpl(wrapper=True)\ndef kiosk_drivers():\n    yield\n    return []\n")
    install(site, "good", GOOD)
    assert list(load().drivers) == ["quiet"]


def test_a_plugin_class_is_made_into_an_object(site: Path) -> None:
    body = "class Plugin:\n    @hookimpl\n    def kiosk_drivers(self):\n        return [spec()]\n"
    install(site, "classy", body, attribute=":Plugin")
    assert list(load().drivers) == ["quiet"]


def test_all_built_in_drivers_come_through_the_same_door() -> None:
    loaded = load_plugins(candidates=manager.built_in_plugins())
    assert [(report.name, report.status, report.reason) for report in loaded.reports] == [
        (name, "loaded", "") for name in BUILT_IN
    ]
    assert set(loaded.drivers) == set(BUILT_IN)


def test_a_plugin_left_behind_in_a_hook_keeps_no_thread_that_would_stop_the_end_of_the_process(site: Path) -> None:
    install(site, "bad", "@hookimpl\ndef kiosk_drivers():\n    while True: time.sleep(0.05)\n")
    load()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("plugin ")]
    assert left
    assert all(thread.daemon for thread in left)


@pytest.mark.parametrize(
    ("misdeed", "reason"), [("raise SystemExit(1)", "SystemExit"), ("while True: time.sleep(0.05)", "too slow")]
)
def test_a_plugin_that_fails_while_it_hears_of_facts_is_set_aside_and_its_neighbour_hears_all(
    site: Path, misdeed: str, reason: str
) -> None:
    install(site, "bad", f"@hookimpl\ndef kiosk_fact_committed(committed):\n    {misdeed}\n")
    good = "heard = []\n@hookimpl\ndef kiosk_fact_committed(committed):\n    heard.append(committed)\n"
    module = install(site, "good", good)
    loaded = load()
    assert [report.status for report in loaded.reports] == ["loaded", "loaded"]
    listeners = FactListeners(loaded.listeners, queue_size=10)
    listeners.start()
    heard = sys.modules[module].heard
    for number in range(30):
        listeners.tell(number)  # type: ignore[arg-type]  the listeners never look inside
        for _ in range(2000):
            if len(heard) > number:
                break
            time.sleep(0.005)
    set_aside = listeners.take_quarantined()
    assert [(each.plugin, reason in each.quarantined) for each in set_aside] == [("bad", True)]
    assert heard == list(range(30))
    listeners.stop(timeout_ms=10)
