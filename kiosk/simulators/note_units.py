"""The simulated note acceptors by protocol, and which driver of ours drives each; loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from kiosk.errors import SimulatorError
from kiosk.simulators.note_unit import NoteUnit

#: Protocol -> (module of the device role, class, driver).  The units by currency are in the protocol's ``units``.
ACCEPTORS = {
    "id003": ("id003.device", "Id003Device", "id003_acceptor"),
    "ccnet": ("ccnet.device", "CcnetDevice", "ccnet_acceptor"),
    "ebds": ("ebds.device", "EbdsDevice", "ebds_acceptor"),
    "ssp": ("ssp.device", "SspDevice", "ssp_acceptor"),
    "cctalk": ("cctalk.device_bill", "CctalkBillValidator", "cctalk_bill_validator"),
}
#: Most milliseconds of each move in a scenario that nobody watches; the way of a note into the box stays as it is.
QUICK = {
    "boot_ms": 100, "initialize_ms": 300, "accepting_ms": 150, "returning_ms": 200, "rejecting_ms": 150,
    "cheated_ms": 800,
}  # fmt: skip


def note_unit(
    protocol: str, currency: str = "USD", *, quick: bool = False, habits: Mapping[str, Any] | None = None
) -> NoteUnit:
    """Build a simulated acceptor; `habits` are fields of the protocol's ``Unit`` that differ from the usual model.

    Raises:
        SimulatorError: there is no such protocol or note set.
    """
    if protocol not in ACCEPTORS:
        raise SimulatorError(f"no acceptor speaks {protocol[:20]!r}", hint=f"choose of {', '.join(ACCEPTORS)}")
    module, name, _ = ACCEPTORS[protocol]
    units = import_module(f"kiosk.protocols.{protocol}.units").UNITS
    if currency not in units:
        raise SimulatorError(f"no simulated unit reads {currency[:8]!r}", hint=f"choose of {', '.join(units)}")
    unit = msgspec.structs.replace(units[currency], **(habits or {}))
    if quick:
        slow = msgspec.structs.asdict(unit.speeds)
        speeds = {key: min(slow[key], most) for key, most in QUICK.items() if key in slow}
        unit = msgspec.structs.replace(unit, speeds=msgspec.structs.replace(unit.speeds, **speeds))
    found: NoteUnit = getattr(import_module(f"kiosk.protocols.{module}"), name)(unit)
    return found
