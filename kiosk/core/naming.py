"""Puts device names on notes: a driver never names itself, so on its side every note's device is "".

Inbound events get the configured name, outbound commands and remembered notes lose it again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from kiosk.model.ids import NoteId

T = TypeVar("T", bound=msgspec.Struct)


def named(event: T, device: str) -> T:
    """Return a driver's event with the device's name in its note or coin."""
    for field in ("note", "coin"):
        seen = getattr(event, field, None)
        if isinstance(seen, NoteId):
            return msgspec.structs.replace(event, **{field: NoteId(device, seen.serial)})
    return event


def nameless(order: T) -> T:
    """Return a command or a remembered note as the driver knows it."""
    note = getattr(order, "note", None)
    return msgspec.structs.replace(order, note=NoteId("", note.serial)) if isinstance(note, NoteId) else order
