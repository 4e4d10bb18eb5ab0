"""The only hardware imports of the project: byte paths to devices, all with one manner (see `path`).

`make_path` builds a path from a transport kind and its settings; a library that only one kind needs is
imported when that kind is asked for, so that a kiosk without such a device runs without the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kiosk.errors import ConfigError
from kiosk.transports.path import BytePath

__all__ = ["BytePath", "make_path", "settings_type"]


def settings_type(kind: str) -> type[msgspec.Struct]:
    """Return the struct that holds the line settings of a transport kind.

    Raises:
        ConfigError: there is no such kind.
    """
    match kind:
        case "serial":
            from kiosk.transports.serial_line import SerialSettings

            return SerialSettings
        case _:
            raise ConfigError(f"transport {kind!r} is not known", hint="use serial, tcp, usb_printer, evdev or hidraw")


def make_path(kind: str, settings: Mapping[str, Any], *, where: str = "line") -> BytePath:
    """Build a closed byte path; `where` names the place in the configuration for errors.

    Raises:
        ConfigError: the kind or a setting is unknown or of the wrong type.
    """
    try:
        checked: Any = msgspec.convert(dict(settings), settings_type(kind), strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}", hint=f"these are settings of the {kind} transport") from error
    match kind:
        case "serial":
            from kiosk.transports.serial_line import SerialPath

            return SerialPath(checked)
        case _:
            raise ConfigError(f"transport {kind!r} is not known", hint="use serial, tcp, usb_printer, evdev or hidraw")
