"""Strict configuration: TOML text to frozen structs.

An unknown key, a wrong type or a value that a struct refuses stops the load, names file, line and key, and
suggests the nearest key there is.  Each room declares its own section as a msgspec struct with
``forbid_unknown_fields``; the composition root puts the sections together.
"""

from __future__ import annotations

import difflib
import re
import sysconfig
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kiosk.errors import ConfigError, KioskError

T = TypeVar("T", bound=msgspec.Struct)

_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
#: More parts of a dotted key than this are refused: the reader's memory grows with their square.
_LONG_KEY = re.compile(
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){16}"""
)  # fmt: skip
#: Largest configuration file that is read, bytes.
LARGEST = 1 << 20


def table(source: str, file: str, error: type[KioskError] = ConfigError) -> dict[str, Any]:
    """Read the text of one TOML file into plain values.

    Raises:
        KioskError: of the class `error`, when the text is not TOML.
    """
    if _LONG_KEY.search(source):
        raise error(f"{file} holds a key of more than 16 parts", hint="no section lies so deep")
    try:
        return tomllib.loads(source)
    except (ValueError, RecursionError) as fault:  # not TOML; a number too long to read; arrays within arrays
        raise error(f"{file} is not TOML: {fault}", hint="mend the line that it names") from None


def decode(source: str, file: str, into: type[T], error: type[KioskError] = ConfigError) -> T:
    """Read the text of one TOML file into a struct.

    Raises:
        KioskError: of the class `error`, when the text is not TOML or does not fit the struct.
    """
    return convert(table(source, file, error), file, into, error, source)


def convert(raw: Any, file: str, into: type[T], error: type[KioskError] = ConfigError, source: str = "") -> T:
    """Put decoded TOML into a struct that forbids unknown keys; see `decode`."""
    try:
        return msgspec.convert(raw, into, strict=True)
    except KioskError as fault:
        # What a struct refuses names its key first: `colours.accent ...`, `cut_off ...`.
        named = re.match(r"[a-z_]+(\.[a-z_]+)?\b", fault.message)
        place = _line(f" - at `$.{named[0]}`", source) if named else ""
        raise error(f"{file}{place}: {fault.message}", hint=fault.hint) from None
    except msgspec.ValidationError as fault:
        raise error(f"{file}{_line(str(fault), source)}: {_told(str(fault))}", hint=_hint(str(fault), into)) from None


def read(path: Path, into: type[T]) -> T:
    """Read one configuration file.

    Raises:
        ConfigError: missing, unreadable, too large, not UTF-8, not TOML, or not what the struct says.
    """
    return decode(read_text(path), str(path), into)


def read_text(path: Path) -> str:
    """Return the text of a configuration file.

    Raises:
        ConfigError: missing, unreadable, too large or not UTF-8.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path} is larger than {LARGEST} bytes", hint="this is not a configuration file")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise ConfigError(f"{path} is not UTF-8 text (byte {fault.start})", hint="save it as UTF-8") from None
    except OSError as fault:
        raise ConfigError(
            f"{path} cannot be read: {fault.strerror}", hint="check the path and its permissions"
        ) from None


def sample_dir() -> Path:
    """Return the directory of the configuration that ships with the software: of the source tree, else installed.

    Raises:
        ConfigError: neither is there.
    """
    here = Path(__file__).resolve().parent
    for place in (
        here.parent / "config",
        here / "sample_config",
        Path(sysconfig.get_path("data")) / "share/kiosk/config",
    ):
        if (place / "chart.toml").is_file():
            return place
    raise ConfigError("the configuration that ships with the software is missing", hint="install the package again")


def _told(fault: str) -> str:
    place = _PLACE.search(fault)
    said = _PLACE.sub("", fault)
    return f"{place[1]}: {said}" if place and place[1] else said


def _line(fault: str, source: str) -> str:
    """Return ``, line N`` for the first line whose key the fault names; "" where it cannot be told."""
    unknown, place = _UNKNOWN.search(fault), _PLACE.search(fault)
    path = re.sub(r"\[.*?\]", "", place[1]).split(".") if place and place[1] else []
    key = unknown[1] if unknown else path[-1] if path else ""
    section = path if unknown else path[:-1]
    # Of several `[[name]]` sections the one that the fault counts, from 0.
    counted = re.search(r"\[(\d+)\]", place[1]) if place and place[1] else None
    left = int(counted[1]) if counted else 0
    inside = not section
    for number, line in enumerate(source.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([\w.\-\"]+)\s*\]\]?", line)
        if header:
            name = header[1].replace('"', "")
            inside = name == ".".join(section)
            if inside and left and line.lstrip().startswith("[["):
                inside, left = False, left - 1
            whole = ".".join([*section, key])
            if key and (name == whole or name.startswith(f"{whole}.")):
                return f", line {number}"
        elif key and inside and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
            return f", line {number}"
    return ""


def _hint(fault: str, into: type[msgspec.Struct]) -> str:
    unknown = _UNKNOWN.search(fault)
    if not unknown:
        return "compare the key with the commented example of this file"
    near = difflib.get_close_matches(unknown[1], sorted(keys(into)), n=1)
    return f"did you mean `{near[0]}`?" if near else "remove the key; nothing reads it"


def keys(kind: Any, seen: set[Any] | None = None) -> set[str]:
    """Return all field names of a struct and of the structs inside it."""
    seen = set() if seen is None else seen
    if kind in seen:
        return set()
    seen.add(kind)
    found: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            found.add(field.encode_name)
            found |= keys(field.type, seen)
    for inner in getattr(kind, "__args__", ()):
        found |= keys(inner, seen)
    return found
