"""Checks what a plugin declares, before anything of it is used.

Each check returns the reason why a declaration cannot be taken, "" for none.  A struct does not check its own
fields when a stranger builds it, so everything is looked at here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from kiosk.plugins.declarations import CommandDeclaration, ExporterDeclaration, LayoutDeclaration, ServiceDeclaration
from kiosk.plugins.devices import (
    DEVICE_CLASSES,
    TRANSPORT_KINDS,
    Capabilities,
    Driver,
    DriverSpec,
    DriverTools,
)

_NAME = re.compile(r"[a-z][a-z0-9_-]{1,39}")
_SUFFIX = re.compile(r"[a-z0-9]{1,8}")
#: Bytes of TOML text in one service.
_MAX_TOML = 262_144


def driver_trouble(spec: object) -> str:
    """Say why this cannot be a driver; builds one from its default options to see its eight names."""
    if not isinstance(spec, DriverSpec):
        return f"{_kind(spec)} is no DriverSpec"
    return _spec_fields(spec) or _options(spec) or _built(spec)


def _spec_fields(spec: DriverSpec) -> str:
    name: object = spec.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"{_short(name)} is not a driver name (small letters, digits, _)"
    if spec.device_class not in DEVICE_CLASSES:
        return f"driver {name}: {_short(spec.device_class)} is not a device class ({', '.join(DEVICE_CLASSES)})"
    kinds: object = spec.transports
    if not isinstance(kinds, tuple) or not kinds:
        return f"driver {name}: transports must be a tuple with at least one kind"
    for kind in kinds:
        if kind not in TRANSPORT_KINDS:
            return f"driver {name}: {_short(kind)} is not a transport ({', '.join(TRANSPORT_KINDS)})"
    line: object = spec.line
    if not isinstance(line, dict) or not all(k in kinds and isinstance(v, dict) for k, v in line.items()):
        return f"driver {name}: line must map some of its transports to their default settings"
    states: object = spec.states
    if not isinstance(states, tuple) or not all(isinstance(state, str) for state in states):
        return f"driver {name}: states must be a tuple of words"
    if spec.rehearsal is not None and not callable(spec.rehearsal):
        return f"driver {name}: rehearsal must be a function"
    if not isinstance(spec.capabilities, Capabilities):
        return f"driver {name}: capabilities must be Capabilities(...)"
    return "" if isinstance(spec.summary, str) else f"driver {name}: summary must be one line of text"


def _options(spec: DriverSpec) -> str:
    options: object = spec.options
    if not isinstance(options, type) or not issubclass(options, msgspec.Struct):
        return f"driver {spec.name}: options must be a msgspec struct type"
    if not options.__struct_config__.frozen:
        return f"driver {spec.name}: options must be frozen"
    required = [field.name for field in msgspec.structs.fields(options) if field.required]
    return f"driver {spec.name}: option {required[0]} needs a default" if required else ""


def _built(spec: DriverSpec) -> str:
    if not callable(spec.build):
        return f"driver {spec.name}: build cannot be called"
    driver: object = spec.build(spec.options(), DriverTools(currency="USD"))
    if isinstance(driver, Driver):
        return ""
    missing = [name for name in EIGHT_NAMES if not callable(getattr(driver, name, None))]
    return f"driver {spec.name}: what it builds lacks {', '.join(missing)}"


#: What a driver is made of.
EIGHT_NAMES = ("remember", "port", "received", "tick", "command", "deadline", "take_outbound", "take_events")


def service_trouble(service: object) -> str:
    """Say why this cannot be a service; the text itself is read by the room that uses it."""
    if not isinstance(service, ServiceDeclaration):
        return f"{_kind(service)} is no ServiceDeclaration"
    toml: object = service.toml
    if not isinstance(toml, str) or not 0 < len(toml) <= _MAX_TOML:
        return f"service {_short(service.name)}: toml must be the text of a service file"
    return _name("service", service.name)


def layout_trouble(layout: object) -> str:
    """Say why this cannot be a receipt layout."""
    if not isinstance(layout, LayoutDeclaration):
        return f"{_kind(layout)} is no LayoutDeclaration"
    number: object = layout.number
    if not isinstance(number, int) or number < 1000:
        return f"layout {_short(layout.name)}: number must be 1000 or above"
    return _name("layout", layout.name) or _callable("layout", layout.name, layout.lay_out)


def exporter_trouble(exporter: object) -> str:
    """Say why this cannot be an exporter."""
    if not isinstance(exporter, ExporterDeclaration):
        return f"{_kind(exporter)} is no ExporterDeclaration"
    suffix: object = exporter.suffix
    if not isinstance(suffix, str) or not _SUFFIX.fullmatch(suffix):
        return f"exporter {_short(exporter.name)}: {_short(suffix)} is not a file suffix"
    return _name("exporter", exporter.name) or _callable("exporter", exporter.name, exporter.export)


def command_trouble(command: object) -> str:
    """Say why this cannot be a command."""
    if not isinstance(command, CommandDeclaration):
        return f"{_kind(command)} is no CommandDeclaration"
    return _name("command", command.name) or _callable("command", command.name, command.load)


def _name(what: str, name: object) -> str:
    good = isinstance(name, str) and _NAME.fullmatch(name)
    return "" if good else f"{_short(name)} is not a {what} name (small letters, digits, _ and -)"


def _callable(what: str, name: str, function: object) -> str:
    return "" if callable(function) else f"{what} {name}: its function cannot be called"


def _kind(value: object) -> str:
    return f"a declaration of type {type(value).__name__}"


def _short(value: Any) -> str:
    return repr(value)[:60]
