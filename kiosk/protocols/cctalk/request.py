"""One thing that a host asks or orders, and how it may be repeated."""

from __future__ import annotations

import msgspec

#: Sizes of a reply that is nothing but an ACK.
ACK = (0,)


class Request(msgspec.Struct, frozen=True):
    """One thing to ask or order."""

    header: int
    data: bytes = b""
    #: Lengths its reply can have; None for any.
    sizes: tuple[int, ...] | None = None
    #: How often it may be written; 0 for as often as is configured.  1 for what must never be repeated blindly.
    tries: int = 0
    #: It moves something, so the reply may take seconds.
    slow: bool = False


class Step(msgspec.Struct, frozen=True):
    """One step of a set-up."""

    request: Request
    #: What it is for, in words for people.
    name: str
    #: Without a reply to it the unit must not be used.
    needed: bool = True
