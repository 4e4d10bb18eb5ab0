"""Loads plugins, each alone: built-ins and strangers by the same way, strangers found by the entry-point group.

A plugin passes four gates, each under a time limit in a thread of its own: its module is imported, it is
registered and checked against the hooks (`check_pending`), each of its declaring hooks is called, and every
answer is validated.  Whatever fails at a gate sets that plugin aside, whole, with a reason; the others never
notice.  A pluggy manager for each plugin keeps even hook wrappers from reaching across.

In safe mode only an allow-list is loaded, by default the built-ins: a kiosk that lost its acceptor driver to
safe mode would be no safer (devices sheet §3, 23).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import metadata
from itertools import islice
from typing import Any

import msgspec
import pluggy

from kiosk import __version__
from kiosk.errors import PluginError
from kiosk.plugins import validation
from kiosk.plugins.builtins import BUILT_IN, BuiltIn
from kiosk.plugins.declarations import CommandDeclaration, ExporterDeclaration, LayoutDeclaration, ServiceDeclaration
from kiosk.plugins.devices import DriverSpec
from kiosk.plugins.guard import guarded
from kiosk.plugins.hookspecs import PROJECT, KioskHooks

#: Time for each gate of a plugin.
TIME_LIMIT_MS = 5000
#: How many times as long the kiosk's own drivers may take: a cold, slow card must not cost it the acceptor.
BUILT_IN_PATIENCE = 6
#: Declarations of one kind that one plugin may make.
MAX_DECLARATIONS = 256


class PluginReport(msgspec.Struct, frozen=True):
    """What became of one plugin; shown on the health page and by `kiosk doctor`."""

    name: str
    version: str
    #: ``built-in``, or the distribution that brought it.
    origin: str
    #: ``loaded``, ``quarantined`` or ``skipped``.
    status: str
    #: Why it is not loaded; "" when it is.
    reason: str = ""
    #: Names of the drivers it declares.
    drivers: tuple[str, ...] = ()


class Candidate(msgspec.Struct, frozen=True):
    """A plugin that could be loaded."""

    name: str
    version: str
    origin: str
    #: Import it and return the plugin object.
    load: Callable[[], Any]


class Declared(msgspec.Struct):
    """Everything that loaded plugins declare, by name."""

    drivers: dict[str, DriverSpec] = {}
    services: dict[str, ServiceDeclaration] = {}
    layouts: dict[str, LayoutDeclaration] = {}
    exporters: dict[str, ExporterDeclaration] = {}
    commands: dict[str, CommandDeclaration] = {}


class LoadedPlugins(msgspec.Struct, frozen=True):
    """The outcome of loading: what is declared, what became of each plugin, and who listens to facts."""

    declared: Declared
    reports: tuple[PluginReport, ...]
    #: Plugin name -> its hook caller for `kiosk_fact_committed`.
    listeners: Mapping[str, Callable[..., Any]]

    @property
    def drivers(self) -> Mapping[str, DriverSpec]:
        """All declared drivers by name."""
        return self.declared.drivers

    @property
    def quarantined(self) -> list[PluginReport]:
        """The plugins that were set aside."""
        return [report for report in self.reports if report.status == "quarantined"]


#: Hook -> (field of `Declared`, check).
_HOOKS: dict[str, tuple[str, Callable[[object], str]]] = {
    "kiosk_drivers": ("drivers", validation.driver_trouble),
    "kiosk_services": ("services", validation.service_trouble),
    "kiosk_receipt_layouts": ("layouts", validation.layout_trouble),
    "kiosk_exporters": ("exporters", validation.exporter_trouble),
    "kiosk_commands": ("commands", validation.command_trouble),
}


def built_in_plugins() -> list[Candidate]:
    """Return the plugins that come with the kiosk."""
    return [
        Candidate(name, __version__, "built-in", lambda module=module: BuiltIn(module))  # type: ignore[misc]
        for name, module in BUILT_IN.items()
    ]


def installed_plugins() -> list[Candidate]:
    """Return the plugins that other distributions bring, in name order; nothing of them is imported yet."""
    found = []
    for point in metadata.entry_points(group=PROJECT):
        distribution = point.dist
        origin, version = (distribution.name, distribution.version) if distribution is not None else ("?", "?")
        found.append(Candidate(point.name, version, origin, point.load))
    return sorted(found, key=lambda each: (each.name, each.origin))


def load_plugins(
    *,
    safe_mode: bool = False,
    allow: Collection[str] | None = None,
    disabled: Collection[str] = (),
    candidates: Iterable[Candidate] | None = None,
    time_limit_ms: int = TIME_LIMIT_MS,
) -> LoadedPlugins:
    """Load every plugin that may be loaded; never raises for a plugin's sake.

    `allow` is the allow-list of safe mode (None: the built-ins); `disabled` names plugins to skip always.
    """
    listed = [*built_in_plugins(), *installed_plugins()] if candidates is None else list(candidates)
    allowed = set(BUILT_IN if allow is None else allow)
    declared = Declared()
    reports: list[PluginReport] = []
    listeners: dict[str, Callable[..., Any]] = {}
    for each in listed:
        reason = _why_not(each, reports, safe_mode, allowed, disabled)
        if reason:
            reports.append(_report(each, *reason))
            continue
        try:
            patience = BUILT_IN_PATIENCE if each.origin == "built-in" else 1
            hooks, mine = _gates(each, time_limit_ms * patience)
            _merge(declared, mine)
        except PluginError as error:
            reports.append(_report(each, "quarantined", error.message))
            continue
        if hooks.kiosk_fact_committed.get_hookimpls():
            listeners[each.name] = hooks.kiosk_fact_committed
        reports.append(msgspec.structs.replace(_report(each, "loaded"), drivers=tuple(mine.drivers)))
    return LoadedPlugins(declared, tuple(reports), listeners)


def _why_not(
    each: Candidate, before: Iterable[PluginReport], safe_mode: bool, allowed: set[str], disabled: Collection[str]
) -> tuple[str, str] | None:
    if each.name in disabled:
        return "skipped", "disabled in the configuration"
    if safe_mode and each.name not in allowed:
        return "skipped", "safe mode: it is not on the allow-list"
    for other in before:
        if other.name == each.name:
            return "quarantined", f"a plugin of this name was brought by {other.origin} already"
    return None


def _report(each: Candidate, status: str, reason: str = "") -> PluginReport:
    return PluginReport(each.name, each.version, each.origin, status, reason[:500])


def _gates(each: Candidate, time_limit_ms: int) -> tuple[Any, Declared]:
    plugin = guarded("importing it", lambda: _object(each.load()), time_limit_ms)
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(KioskHooks)

    def register() -> None:
        # Registering reads every attribute of the plugin, so a property of it may run.
        manager.register(plugin, each.name)
        manager.check_pending()

    guarded("checking its hooks", register, time_limit_ms)
    mine = Declared()
    for hook, (field, trouble) in _HOOKS.items():
        caller = getattr(manager.hook, hook)
        if caller.get_hookimpls():
            target = getattr(mine, field)
            for item in guarded(hook, lambda caller=caller, t=trouble: _asked(caller, t), time_limit_ms):  # type: ignore[misc]
                if item.name in target:
                    raise PluginError(f"{hook} declares {item.name!r} twice")
                target[item.name] = item
    return manager.hook, mine


def _object(loaded: Any) -> Any:
    return loaded() if inspect.isclass(loaded) else loaded


def _asked(caller: Callable[[], Any], trouble: Callable[[object], str]) -> list[Any]:
    items: list[Any] = []
    for answer in caller():
        # A generator may have no end; it is read here, inside the guard, and no further than the bound.
        items += islice(iter(answer), MAX_DECLARATIONS + 1 - len(items))
        if len(items) > MAX_DECLARATIONS:
            raise PluginError(f"more than {MAX_DECLARATIONS} declarations")
    for item in items:
        if reason := trouble(item):
            raise PluginError(reason)
    return items


def _merge(declared: Declared, mine: Declared) -> None:
    fields = [field for field, _ in _HOOKS.values()]
    for field in fields:
        for name in getattr(mine, field):
            if name in getattr(declared, field):
                raise PluginError(f"{field}: the name {name!r} is taken by another plugin")
    numbers = {layout.number for layout in declared.layouts.values()}
    for layout in mine.layouts.values():
        if layout.number in numbers:
            raise PluginError(f"layouts: the number {layout.number} is taken by another plugin")
        numbers.add(layout.number)
    for field in fields:
        getattr(declared, field).update(getattr(mine, field))
