"""From the configuration of a device to what its line thread needs: checked driver options and line settings.

Everything a person can get wrong in a device's section is found here, before any port is opened: an unknown
driver, a transport that the driver cannot use, an unknown or mistyped option, a port given to two devices.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec

from kiosk.errors import ConfigError
from kiosk.plugins.devices import DriverSpec
from kiosk.transports import settings_type

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")


class DeviceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device as the configuration names it."""

    #: How the kiosk calls it, e.g. ``notes`` or ``receipt``; appears in facts, so it should not change.
    name: str
    #: Name of a declared driver, e.g. ``id003_acceptor``.
    driver: str
    #: Transport kind; "" for the first one that the driver can use.
    transport: str = ""
    #: Settings of the line, such as ``port`` and ``baud``; the driver's own defaults come first.
    line: dict[str, Any] = {}
    #: Options of the driver.
    options: dict[str, Any] = {}
    #: Milliseconds after which a line that takes no byte is given up on.
    write_timeout_ms: int = 5000
    #: Keep the traffic of the line in memory (it may hold the content of scans).
    record: bool = False


class PreparedDevice(msgspec.Struct, frozen=True):
    """A device whose section has been checked."""

    config: DeviceConfig
    spec: DriverSpec
    #: The driver's options, as its own struct.
    options: Any
    transport: str
    #: Settings of the line, defaults of the driver included.
    line: dict[str, Any]
    #: The port, where other devices are on it as well; "" for a line of its own.
    shared: str = ""

    @property
    def where(self) -> str:
        """Name the section for errors."""
        return f"device {self.config.name!r}"


def prepare(devices: Sequence[DeviceConfig], specs: Mapping[str, DriverSpec]) -> list[PreparedDevice]:
    """Check all devices against the declared drivers.

    Raises:
        ConfigError: names the device and what is wrong with it.
    """
    prepared: list[PreparedDevice] = []
    for device in devices:
        ready = _prepare_one(device, specs)
        if device.name in (other.config.name for other in prepared):
            raise ConfigError(f"two devices are called {device.name!r}", hint="give each its own name")
        for other in prepared:
            if _port_of(other) and _port_of(other) == _port_of(ready):
                _check_shared(other, ready)
        prepared.append(ready)
    uses = Counter(map(_port_of, prepared))
    return [
        msgspec.structs.replace(each, shared=port) if (port := _port_of(each)) and uses[port] > 1 else each
        for each in prepared
    ]


def _port_of(device: PreparedDevice) -> str:
    return ":".join(str(device.line[key]) for key in ("host", "port") if key in device.line)


def _check_shared(one: PreparedDevice, other: PreparedDevice) -> None:
    both = f"{other.where} and {one.where} both use port {_port_of(one)}"
    alone = [each.spec.name for each in (one, other) if not each.spec.capabilities.shares_line]
    if alone:
        raise ConfigError(both, hint=f"driver {alone[0]} wants a line of its own; a line carries one device")
    if one.transport != other.transport:
        raise ConfigError(both, hint=f"by {one.transport} and by {other.transport}: write the same transport")
    kind = settings_type(one.transport)
    mine, yours = (msgspec.to_builtins(msgspec.convert(each.line, kind, strict=True)) for each in (one, other))
    different = [key for key, value in mine.items() if yours[key] != value]
    if different:
        raise ConfigError(
            f"{both}, with different line settings", hint=f"they must be equal on a shared line: {', '.join(different)}"
        )
    addresses = [getattr(each.options, "address", None) for each in (one, other)]
    if addresses[0] is not None and addresses[0] == addresses[1]:
        raise ConfigError(
            f"{both} at the same address {addresses[0]}", hint="give each unit on the line an address of its own"
        )


def _prepare_one(device: DeviceConfig, specs: Mapping[str, DriverSpec]) -> PreparedDevice:
    where = f"device {device.name!r}"
    if not _NAME.fullmatch(device.name):
        raise ConfigError(f"{where}: not a name", hint="use small letters, digits and _, a letter first, 32 at most")
    spec = specs.get(device.driver)
    if spec is None:
        raise ConfigError(f"{where}: no driver is called {device.driver!r}", hint=_nearest(device.driver, specs))
    kind = device.transport or spec.transports[0]
    if kind not in spec.transports:
        raise ConfigError(
            f"{where}: driver {spec.name} does not work on transport {kind!r}", hint=_nearest(kind, spec.transports)
        )
    if device.write_timeout_ms <= 0:
        raise ConfigError(f"{where}: write_timeout_ms is {device.write_timeout_ms}", hint="write a positive number")
    line = {**spec.line.get(kind, {}), **device.line}
    _check(line, settings_type(kind), f"{where}, line")
    options = _check(device.options, spec.options, f"{where}, options")
    return PreparedDevice(device, spec, options, kind, line)


def _check(values: Mapping[str, Any], wanted: type[Any], where: str) -> Any:
    known = [field.encode_name for field in msgspec.structs.fields(wanted)]
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}: {key!r} is not known", hint=_nearest(key, known))
    try:
        return msgspec.convert(dict(values), wanted, strict=True)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise ConfigError(f"{where}: {error}", hint=_choice(str(error), wanted)) from error


def _choice(fault: str, wanted: type[Any]) -> str:
    """Name the words that a key takes, where a value is none of them."""
    named = re.search(r"`\$\.(\w+)`", fault)
    for field in msgspec.structs.fields(wanted):
        if named and field.encode_name == named[1] and get_origin(field.type) is Literal:
            return f"there are: {', '.join(repr(word) for word in get_args(field.type))}"
    return "correct the value in the configuration"


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(names)}" if names else "there are none"
