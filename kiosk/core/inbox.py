"""What reaches the kernel: one bounded queue, three kinds of items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from kiosk.checkout.intents import AnyIntent
from kiosk.core.supervisor import DeviceNews

#: Items that may wait; a line thread with news waits for room, a screen is told to try again.
INBOX_LIMIT = 4096


class IntentPosted(msgspec.Struct, frozen=True):
    """A person's intent, with the session and step it was made in."""

    intent: AnyIntent
    session: str
    step: int


class ControlPosted(msgspec.Struct, frozen=True):
    """A request from the control socket; `reply` is called once, on the kernel's thread."""

    verb: str
    arguments: dict[str, Any]
    #: Numeric user id of the caller, as the kernel of the operating system told it.
    uid: int
    reply: Callable[[dict[str, Any]], None]


class Stop(msgspec.Struct, frozen=True):
    """End the kernel in order."""

    reason: str


Item = DeviceNews | IntentPosted | ControlPosted | Stop
