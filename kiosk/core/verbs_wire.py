"""The control socket's verbs for field work on a line: switch a recording on and off, and fetch what passed.

What was recorded leaves in pieces, because an answer of the control socket is bounded; a caller asks again from the
last moment it was told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from kiosk.core.inbox import ControlPosted
from kiosk.errors import DriverError
from kiosk.model.facts import OperatorActed

if TYPE_CHECKING:
    from kiosk.core.verbs import Core

#: Bytes of traffic in one answer; hexadecimal and names make about three times that of it.
PIECE = 8 * 1024


def _record(core: Core, request: ControlPosted) -> dict[str, Any]:
    device, on = _device(request), request.arguments.get("on")
    if type(on) is not bool:
        raise DriverError("a recording is switched on or off", hint="say on: true or false")
    supervisor = core.running_supervisor
    prepared, before = supervisor.prepared(device), supervisor.recording(device)
    supervisor.record(device, on)
    if before != on:
        act = OperatorActed("", "record" if on else "record_end", device)
        core.running_kernel.commit((act,), f"admin:{request.uid}")
    return {
        "device": device,
        "was_on": before,
        "class": prepared.spec.device_class,
        "driver": prepared.spec.name,
        "protocol": prepared.spec.protocol,
        "options": msgspec.to_builtins(prepared.options),
        "currency": core.running_kernel.parts.counter.currency,
    }


def _traffic(core: Core, request: ControlPosted) -> dict[str, Any]:
    device, after = _device(request), request.arguments.get("after_ns", 0)
    if type(after) is not int:
        raise DriverError("after_ns is a whole number", hint="0 for all that is there")
    told: list[dict[str, Any]] = []
    size, last = 0, after
    for piece in core.running_supervisor.traffic(device):
        if piece.at_ns <= after:
            continue
        if size + len(piece.data) > PIECE and told and piece.at_ns != last:
            return {"traffic": told, "more": True}
        told.append({"at_ns": piece.at_ns, "way": piece.way, "hex": piece.data.hex()})
        size, last = size + len(piece.data) + 32, piece.at_ns
    return {"traffic": told, "more": False}


def _device(request: ControlPosted) -> str:
    device = request.arguments.get("device")
    if type(device) is not str:
        raise DriverError("name a device", hint="see `kiosk devices`")
    return device


VERBS: dict[str, Callable[[Core, ControlPosted], dict[str, Any]]] = {
    "record": _record,
    "traffic": _traffic,
}
