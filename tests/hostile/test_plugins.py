"""Strangers' plugins that raise, hang, leave or lie in each hook: set apart with a reason, and the kiosk works on."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kiosk.api import hookimpl
from kiosk.app import setup as app_setup
from kiosk.model import facts
from kiosk.plugins import listeners, manager
from kiosk.plugins.builtins import BUILT_IN
from tests.app.live_kiosk import live_kiosk, until

DECLARING = ("kiosk_drivers", "kiosk_services", "kiosk_receipt_layouts", "kiosk_exporters", "kiosk_commands")
LIMIT_MS = 250
_release = threading.Event()


def raises() -> Any:
    raise RuntimeError("on purpose")


def leaves() -> Any:
    sys.exit(3)


def hangs() -> Any:
    _release.wait(60)


def lies() -> Any:
    return [object()]


def floods() -> Any:
    while True:
        yield object()


#: Behaviour -> words of its reason.
WAYS: dict[Callable[[], Any], str] = {
    raises: "RuntimeError: on purpose", leaves: "SystemExit", hangs: "did not return", lies: "object",
    floods: "declarations",
}  # fmt: skip


def plugin(hook: str, act: Callable[[], Any]) -> type:
    """Make a plugin class with one hook that behaves like `act`."""
    return type(f"Bad_{hook}_{act.__name__}", (), {hook: hookimpl(lambda self: act())})


def candidates() -> list[manager.Candidate]:
    made = []
    for act in WAYS:
        for hook in DECLARING:
            name = f"{act.__name__}-{hook.removeprefix('kiosk_')}"
            made.append(manager.Candidate(name, "1", "stranger", lambda hook=hook, act=act: plugin(hook, act)))  # type: ignore[misc]
        if act in (raises, leaves, hangs):
            made.append(manager.Candidate(f"{act.__name__}-import", "1", "stranger", act))
    return made


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[manager.Candidate]], None]]:
    """Have these plugins installed; a hook gets little time."""

    def have(found: list[manager.Candidate]) -> None:
        monkeypatch.setattr(manager, "installed_plugins", lambda: found)
        monkeypatch.setattr(app_setup, "load_plugins", functools.partial(manager.load_plugins, time_limit_ms=LIMIT_MS))

    _release.clear()
    yield have
    _release.set()


def test_a_plugin_that_misbehaves_in_any_hook_is_set_apart_and_a_payment_goes_through(
    strangers: Callable[[list[manager.Candidate]], None],
) -> None:
    bad = candidates()
    strangers(bad)
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        told = {name: (status, reason) for name, status, reason in kiosk.health()["plugins"]}
        for each in bad:
            status, reason = told[each.name]
            way = next(words for act, words in WAYS.items() if act.__name__ == each.name.partition("-")[0])
            assert status == "quarantined", each.name
            assert way in reason, (each.name, reason)
        assert {name for name, (status, _) in told.items() if status == "loaded"} == set(BUILT_IN)
        assert {f"plugin.{each.name}" for each in bad} <= set(kiosk.health()["reasons"])
        page = kiosk.ask("/health")[1]
        assert "raises-drivers" in page
        assert "on purpose" in page
        assert {each.plugin for each in kiosk.bodies(facts.PluginQuarantined)} == {each.name for each in bad}
        kiosk.pay_fifteen()
        assert kiosk.booked() == kiosk.in_box == 1500


class Listening:
    """A well-behaved listener."""

    def __init__(self) -> None:
        self.heard: list[facts.Committed] = []

    @hookimpl
    def kiosk_fact_committed(self, committed: facts.Committed) -> None:
        self.heard.append(committed)


class Raising:
    @hookimpl
    def kiosk_fact_committed(self, committed: facts.Committed) -> None:
        raise RuntimeError("no taste for facts")


class Leaving:
    @hookimpl
    def kiosk_fact_committed(self, committed: facts.Committed) -> None:
        raise SystemExit(3)


class Stuck:
    @hookimpl
    def kiosk_fact_committed(self, committed: facts.Committed) -> None:
        _release.wait(60)


def test_listeners_hear_every_fact_and_neither_a_stuck_nor_a_raising_one_delays_money(
    strangers: Callable[[list[manager.Candidate]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Listening()
    monkeypatch.setattr(
        listeners.FactListeners, "__init__", functools.partialmethod(listeners.FactListeners.__init__, queue_size=3)
    )
    names = {"good": lambda: good, "raising": Raising, "leaving": Leaving, "stuck": Stuck}
    strangers([manager.Candidate(name, "1", "stranger", load) for name, load in names.items()])
    with live_kiosk() as kiosk:
        began = time.monotonic()
        kiosk.pay_fifteen()
        assert time.monotonic() - began < 15  # a listener that was waited for would have taken its minute
        bad = {"raising", "leaving", "stuck"}
        until(
            lambda: bad <= {name for name, status, _ in kiosk.health()["plugins"] if status == "quarantined"},
            "all bad listeners are on the health page",
        )
        reasons = {name: reason for name, status, reason in kiosk.health()["plugins"]}
        assert "no taste for facts" in reasons["raising"]
        assert "SystemExit" in reasons["leaving"]
        assert "too slow" in reasons["stuck"]
        until(lambda: {each.plugin for each in kiosk.bodies(facts.PluginQuarantined)} == bad, "each is a fact")
        until(lambda: [each.hash for each in good.heard] == [each.hash for each in kiosk.facts()[1:]], "all heard")
        assert kiosk.booked() == kiosk.in_box == 1500


def test_safe_mode_loads_the_built_in_drivers_and_takes_money(
    strangers: Callable[[list[manager.Candidate]], None],
) -> None:
    good = Listening()
    strangers([manager.Candidate("stranger", "1", "stranger", lambda: good), *candidates()[:2]])
    with live_kiosk(more="[plugins]\nsafe_mode = true\n") as kiosk:
        kiosk.wait("idle")
        told = {name: status for name, status, _ in kiosk.health()["plugins"]}
        assert [told[name] for name in ("stranger", "raises-drivers")] == ["skipped", "skipped"]
        assert kiosk.health()["safe_mode"] is True
        assert kiosk.to_accepting()["screen"] == "accepting"
        assert good.heard == []
