"""The root of all fact bodies."""

from __future__ import annotations

import msgspec


class Body(msgspec.Struct, frozen=True, tag_field="kind", tag=True):
    """What happened, without who and when; the envelope is `facts.Stamp`."""
