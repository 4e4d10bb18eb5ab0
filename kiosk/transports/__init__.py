"""The only hardware imports of the project: byte paths to devices, all with one manner (see `path`).

`make_path` builds a path from a transport kind and its settings; a library that only one kind needs is
imported when that kind is asked for, so that a kiosk without such a device runs without the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from kiosk.errors import ConfigError
from kiosk.transports.path import BytePath

__all__ = ["BytePath", "make_path", "settings_type"]


#: Transport kind -> (module, settings, path); the module is imported when the kind is asked for.
_KINDS = {
    "serial": ("serial_line", "SerialSettings", "SerialPath"),
    "tcp": ("tcp", "TcpSettings", "TcpPath"),
    "usb_printer": ("usb_printer", "UsbSettings", "UsbPrinterPath"),
    "evdev": ("evdev_nodes", "EvdevSettings", "EvdevPath"),
    "hidraw": ("hidraw", "HidrawSettings", "HidrawPath"),
}


def settings_type(kind: str) -> type[msgspec.Struct]:
    """Return the struct that holds the line settings of a transport kind.

    Raises:
        ConfigError: there is no such kind.
    """
    found: type[msgspec.Struct] = getattr(*_module(kind)[:2])
    return found


def make_path(kind: str, settings: Mapping[str, Any], *, where: str = "line") -> BytePath:
    """Build a closed byte path; `where` names the place in the configuration for errors.

    Raises:
        ConfigError: the kind or a setting is unknown or of the wrong type.
    """
    module, settings_name, path_name = _module(kind)
    try:
        checked = msgspec.convert(dict(settings), getattr(module, settings_name), strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}", hint=f"these are settings of the {kind} transport") from error
    path: BytePath = getattr(module, path_name)(checked)
    return path


def _module(kind: str) -> tuple[Any, str, str]:
    if kind not in _KINDS:
        raise ConfigError(f"transport {kind!r} is not known", hint=f"use one of {', '.join(_KINDS)}")
    name, settings_name, path_name = _KINDS[kind]
    return import_module(f"kiosk.transports.{name}"), settings_name, path_name
