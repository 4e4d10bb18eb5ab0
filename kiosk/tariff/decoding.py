"""TOML text to frozen structs, strictly: an unknown key or a wrong type names file and key and stops the load.

Shared by services, policies, cash rules, the chart and import mappings, so that every mistake in data is told
in the same words.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import Any, TypeVar

import msgspec

from kiosk.errors import PolicyError

T = TypeVar("T", bound=msgspec.Struct)

_UNKNOWN = re.compile(r"unknown field `([^`]*)`")
_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")


def is_id(text: str) -> bool:
    """Tell whether `text` may name a service: a lower-case letter, then letters, digits, underscores, 32 at most."""
    return _ID.fullmatch(text) is not None


def decode(text: str, file: str, into: type[T]) -> T:
    """Read one TOML file into a struct.

    Raises:
        PolicyError: not TOML, an unknown key, a wrong type or a value that the struct refuses.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise PolicyError(f"{file} is not TOML: {fault}", hint="mend the line that it names") from None
    return convert(raw, file, into)


def convert(raw: Any, file: str, into: type[T]) -> T:
    """Put decoded TOML into a struct that forbids unknown keys.

    Raises:
        PolicyError: see `decode`.
    """
    try:
        return msgspec.convert(raw, into, strict=True)
    except PolicyError as fault:
        raise PolicyError(f"{file}: {fault.message}", hint=fault.hint) from None
    except msgspec.ValidationError as fault:
        raise PolicyError(f"{file}: {_told(str(fault))}", hint=_hint(str(fault), into)) from None


def _told(fault: str) -> str:
    place = _PLACE.search(fault)
    said = _PLACE.sub("", fault)
    return f"{place[1]}: {said}" if place and place[1] else said


def _hint(fault: str, into: type[msgspec.Struct]) -> str:
    unknown = _UNKNOWN.search(fault)
    if not unknown:
        return "compare the key with the commented example of this file"
    near = difflib.get_close_matches(unknown[1], sorted(_keys(into, set())), n=1)
    return f"did you mean `{near[0]}`?" if near else "remove the key; nothing reads it"


def _keys(kind: Any, seen: set[Any]) -> set[str]:
    """All field names of a struct and of the structs inside it."""
    if kind in seen:
        return set()
    seen.add(kind)
    found: set[str] = set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            found.add(field.encode_name)
            found |= _keys(field.type, seen)
    for inner in getattr(kind, "__args__", ()):
        found |= _keys(inner, seen)
    return found
