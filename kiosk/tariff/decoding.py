"""How the data files of a city are read: strictly, like the configuration, but told as `PolicyError`.

Shared by services, policies, cash rules, the chart and import mappings, so that every mistake in data is told
in the same words.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from kiosk import config
from kiosk.errors import PolicyError

T = TypeVar("T", bound=msgspec.Struct)

_ID = re.compile(r"[a-z][a-z0-9_]{0,31}")


def is_id(text: str) -> bool:
    """Tell whether `text` may name a service: a lower-case letter, then letters, digits, underscores, 32 at most."""
    return _ID.fullmatch(text) is not None


def decode(text: str, file: str, into: type[T]) -> T:
    """Read one TOML file into a struct.

    Raises:
        PolicyError: not TOML, an unknown key, a wrong type or a value that the struct refuses.
    """
    return config.decode(text, file, into, PolicyError)
