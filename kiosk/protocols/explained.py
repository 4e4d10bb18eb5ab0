"""One captured frame, explained for people: what every codec's ``explain`` gives.

Each wire protocol has a module ``explain`` with ``explain(raw, sender, keys)``; `raw` is one frame as it was on the
wire, stuffing included.  ``valid`` speaks of the frame alone: length, checksum, stuffing, decryption.  A code that no
table holds, in a good frame, is valid and named ``unknown``; nothing is ever guessed, and no input raises.
"""

from __future__ import annotations

from importlib import import_module
from typing import Literal

import msgspec

from kiosk.errors import FrameError

#: Who sent the frame.
Sender = Literal["host", "device"]
#: Name of a good frame whose code no table holds.
UNKNOWN = "unknown"
#: What a field can be; bytes are told as hexadecimal text.
Field = str | int | bool | None | list["Field"] | dict[str, "Field"]


class Keys(msgspec.Struct, frozen=True):
    """What must be known beside the bytes."""

    #: AES key of an eSSP session, 16 bytes; None where blocks stay closed.
    essp: bytes | None = None
    #: Six digits of a ccTalk note acceptor; None for frames in clear.
    cctalk: str | None = None
    #: Checksum a ccTalk unit is set to.
    checksum: Literal["simple", "crc"] = "simple"


#: Nothing but the bytes is known.
NO_KEYS = Keys()


class Explained(msgspec.Struct, frozen=True):
    """What a frame says."""

    valid: bool
    #: Name of the command, answer or event, small letters with _; "" where the frame is not valid.
    name: str
    fields: dict[str, Field] = {}
    #: Why it is not valid, "" where it is.
    error: str = ""


def refused(error: str, **fields: Field) -> Explained:
    """Return the explanation of a frame that is not valid."""
    return Explained(False, "", dict(fields), error)


#: Wire protocols whose frames can be explained.
PROTOCOLS = ("id003", "ccnet", "ebds", "ssp", "cctalk", "escpos")


def explain(protocol: str, raw: bytes, sender: Sender, keys: Keys = NO_KEYS) -> Explained:
    """Explain one frame of a protocol by name.

    Raises:
        FrameError: there is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise FrameError(f"no protocol is called {protocol[:40]!r}", hint=f"one of {', '.join(PROTOCOLS)}")
    found: Explained = import_module(f"kiosk.protocols.{protocol}.explain").explain(raw, sender, keys)
    return found
