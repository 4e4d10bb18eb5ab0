"""Every cash protocol as the campaigns use it: its driver with options, its simulated unit, its line.

One row a way in which a unit can be set up; campaigns play the same story against each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import msgspec

from kiosk.api import DriverSpec
from kiosk.protocols.explained import explain
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.note_units import note_unit

#: Nanoseconds of one byte at 9600 baud with eleven bits: start, eight, parity, stop.
BYTE_NS = 1_145_833


class Rig(msgspec.Struct, frozen=True, kw_only=True):
    """One row."""

    name: str
    #: Name of the wire protocol; several rows may speak one.
    protocol: str
    #: Module in `kiosk.drivers`.
    driver: str
    options: dict[str, Any] = {}
    #: Build the unit; every one reads US dollars.
    unit: Callable[[], Any]
    #: Stories that this unit does not let happen.
    lacks: frozenset[str] = frozenset()
    #: Stories whose outcome this protocol does not tell, so that a dispute is the right end.
    untold: frozenset[str] = frozenset()
    #: The first message of a killed host may acknowledge an event that nobody read: a dispute is right then too.
    skips_unread: bool = False
    #: What the frame that orders a note back is called, and what its fields say.
    back: tuple[str, dict[str, Any]] = ("return", {})

    @property
    def spec(self) -> DriverSpec:
        """Return the driver's declaration."""
        found: DriverSpec = import_module(f"kiosk.drivers.{self.driver}").SPEC
        return found

    def settled(self) -> Any:
        """Return the driver's options."""
        return msgspec.convert(self.options, self.spec.options, strict=True)

    def gives_back(self, frame: bytes) -> bool:
        """Tell whether a frame of the host orders a note back."""
        told = explain(self.protocol, frame, "host")
        name, fields = self.back
        return told.name == name and all(told.fields.get(key) == value for key, value in fields.items())

    def make(self) -> NoteUnit:
        """Return a fresh unit."""
        unit: NoteUnit = self.unit()
        return unit


def _unit(protocol: str, **habits: Any) -> Callable[[], NoteUnit]:
    """Return how to build a unit of a protocol whose model differs in some habits."""

    def make() -> NoteUnit:
        return note_unit(protocol, "USD", habits=habits)

    return make


#: A note that met trouble on its way to the box stays open for an operator, whatever the unit does next (CCNET §7).
_CCNET_UNTOLD = frozenset({"jam-then-stacked", "jam-then-returned", "jam-for-long", "box-removed"})
#: A disabled unit pushes back whatever is fed by force.
_EBDS_LACKS = frozenset({"stacked-outside-a-session"})
#: There are no detailed codes (EBDS sheet §5): a unit that rests behind a power cut or a jam has told nothing.
_EBDS_UNTOLD = frozenset({"power-up-in-acceptor", "jam-then-returned"})


def _bills(framing: dict[str, Any]) -> Callable[[], NoteUnit]:
    """Return how to build a ccTalk bill validator that is set to another form of frames."""

    def make() -> NoteUnit:
        from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
        from kiosk.protocols.cctalk.frames import Framing

        return CctalkBillValidator(framing=Framing(**framing))

    return make


#: Events are told at their beginning and lost by a reset (ccTalk sheet §6): behind one, rest proves nothing.
_CCTALK_UNTOLD = frozenset({"jam-for-long", "power-up-in-acceptor", "power-up-in-stacker"})

RIGS: tuple[Rig, ...] = (
    Rig(name="id003", protocol="id003", driver="id003_acceptor", unit=_unit("id003")),
    Rig(
        name="ccnet", protocol="ccnet", driver="ccnet_acceptor", unit=_unit("ccnet"), untold=_CCNET_UNTOLD,
        lacks=frozenset({"stacked-outside-a-session"}),
    ),
    Rig(
        name="ebds", protocol="ebds", driver="ebds_acceptor", unit=_unit("ebds"), lacks=_EBDS_LACKS,
        untold=_EBDS_UNTOLD, skips_unread=True,
    ),
    Rig(
        name="ebds-plain", protocol="ebds", driver="ebds_acceptor", unit=_unit("ebds"), options={"mode": "plain"},
        lacks=_EBDS_LACKS, untold=_EBDS_UNTOLD, skips_unread=True,
    ),
    Rig(
        name="ssp", protocol="ssp", driver="ssp_acceptor", unit=_unit("ssp"), options={"encryption": "never"},
        back=("reject", {}),
    ),
    Rig(
        name="essp", protocol="ssp", driver="ssp_acceptor", unit=_unit("ssp"), options={"encryption": "require"},
        back=("reject", {}),
    ),
    Rig(
        name="cctalk", protocol="cctalk", driver="cctalk_bill_validator", unit=_unit("cctalk"),
        back=("route_bill", {"route": 0}), untold=_CCTALK_UNTOLD, lacks=frozenset({"stacked-outside-a-session"}),
    ),
    Rig(
        name="cctalk-crc", protocol="cctalk", driver="cctalk_bill_validator", options={"checksum": "crc"},
        unit=_bills({"checksum": "crc"}), untold=_CCTALK_UNTOLD, lacks=frozenset({"stacked-outside-a-session"}),
    ),
    Rig(
        name="cctalk-bnv", protocol="cctalk", driver="cctalk_bill_validator", options={"encryption_key": "123456"},
        unit=_bills({"key": "123456"}), untold=_CCTALK_UNTOLD, lacks=frozenset({"stacked-outside-a-session"}),
    ),
)  # fmt: skip
BY_NAME = {rig.name: rig for rig in RIGS}
