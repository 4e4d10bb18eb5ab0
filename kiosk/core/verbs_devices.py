"""What the control socket can ask of devices beyond their state: that a unit is taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kiosk.checkout.events import AcceptorChanged
from kiosk.core.inbox import ControlPosted
from kiosk.core.strangers import words
from kiosk.errors import DriverError

if TYPE_CHECKING:
    from kiosk.core.verbs import Core


def _accept(core: Core, request: ControlPosted) -> dict[str, Any]:
    device = request.arguments.get("device")
    if type(device) is not str:
        raise DriverError("accepting needs the name of a device", hint="see `kiosk devices`")
    kernel = core.running_kernel
    told = kernel.strangers.accept(device, f"admin:{request.uid}")
    kernel.handle_event(AcceptorChanged())
    return {"device": device, "identity": words(told)}


VERBS: dict[str, Callable[[Core, ControlPosted], dict[str, Any]]] = {"accept-device": _accept}
