"""What a driver brings to its own examination: bytes of real life, and the device at the other end of the line.

A driver's declaration may name a function that returns a `Rehearsal`; the conformance kit calls it, a running kiosk
never does, so device roles are imported inside that function.  The drivers that come with the kiosk get theirs from the
module ``rehearsal`` of their wire protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec


class RehearsedDevice(Protocol):
    """The device role on the line, sans-I/O.  What hands do to it depends on its class:

    * whatever handles money has `cut_power` and `restore_power`;
    * a bill acceptor has `values`, `can_insert`, `insert(minor)` and, for the truth, `cashbox`, `collected`, `returned`
      and `inside` (minor values); `take_rejected()` where a rejected note waits for a hand;
    * a coin acceptor has `values`, `can_insert`, `insert_coin(minor)` and, for the truth, `accepted` and `inside`;
    * a hopper has `fill(coins)` and, for the truth, `paid_out`, one value for each coin that left;
    * a scanner has `scan(label)`;
    * a printer has `receipts`.
    """

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host."""

    def tick(self, now: int) -> None:
        """The time is `now`, nanoseconds."""

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next."""

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""


class Rehearsal(msgspec.Struct, frozen=True):
    """Material for the examination of one driver."""

    #: What the device sends in real life, one message each: from its manual, or recorded.
    vectors: tuple[bytes, ...] = ()
    #: What a host sends to it, one message each; tried on the device role.
    host_vectors: tuple[bytes, ...] = ()
    #: Build the device at the other end; None where there is none to talk to.
    device: Callable[[], RehearsedDevice] | None = None
    #: Facts of `Opened` that the driver cannot do without, such as a report descriptor.
    facts: Mapping[str, str] = {}
    #: The driver's options where they must differ from the defaults to fit that device.
    options: Mapping[str, Any] = {}
    #: Currency of the kiosk in the rehearsal, ISO 4217.
    currency: str = "USD"
    #: One read is one message (hidraw): it is never split on the way, only cut off.
    whole_messages: bool = False
    #: The wire has an acknowledgement of what is past the point of return, which waits for `Confirm`.
    acknowledges: bool = True
    #: Most writes a second while nothing happens.
    writes_at_rest: int = 25
