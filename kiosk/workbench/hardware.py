"""The simulated hardware of a demonstration: note acceptor, printer, scanner and coins, and the wall socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import CUSTOM, EPSON
from kiosk.simulators import cctalk_units
from kiosk.simulators.cctalk_units import CctalkUnits, Part
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.note_units import note_unit
from kiosk.simulators.pty_port import PtyPort
from kiosk.simulators.role_port import RolePort
from kiosk.simulators.scanners import LineScannerDevice


class Coins:
    """The coin acceptor and the hopper of a demonstration, and the bus on which they are."""

    def __init__(self, path: Path, currency: str, notes: NoteUnit | None) -> None:
        """Put them on one line, with the note acceptor where it is given."""
        slot, hopper = cctalk_units.coin_acceptor(currency), cctalk_units.hopper(currency)
        nodes = [slot, hopper, *([cctalk_units.as_node(notes)] if notes is not None else [])]
        self.bus: PtyPort[CctalkUnits] = PtyPort(CctalkUnits(nodes), path, name="bus")
        self.slot = Part(self.bus, slot, "coins")
        self.hopper = Part(self.bus, hopper, "hopper")


class Hardware:
    """Owns the devices and their cables."""

    def __init__(
        self, paths: Mapping[str, Path], currency: str, *, quick: bool = False, acceptor: str = "id003",
        coins: bool = False, presenter: bool = False,
    ) -> None:  # fmt: skip
        """Put the hardware together; `acceptor` is the protocol of the note acceptor.

        With `coins` there are a coin acceptor and a hopper on one ccTalk bus, and a ccTalk acceptor is on it too.
        """
        model = CUSTOM if presenter else EPSON
        if quick:
            model = msgspec.structs.replace(model, dots_per_second=6000, cut_ms=50)
        unit = note_unit(acceptor, currency, quick=quick)
        shared = coins and acceptor == "cctalk"
        self.coins = Coins(paths["bus"], currency, unit if shared else None) if coins else None
        self.acceptor: PtyPort[NoteUnit] | Part[NoteUnit] = (
            Part(self.coins.bus, unit, "notes")
            if self.coins is not None and shared
            else PtyPort(unit, paths["notes"], name="notes")
        )
        self.printer = PtyPort(EscposPrinter(model), paths["receipt"], name="receipt")
        self.scanner = PtyPort(LineScannerDevice(), paths["scanner"], name="scanner")
        self.powered = True

    @property
    def ports(self) -> dict[str, RolePort[Any] | Part[Any]]:
        """The devices' ports by their configured names; those on the bus share theirs."""
        found: dict[str, RolePort[Any] | Part[Any]] = {
            "notes": self.acceptor, "receipt": self.printer, "scanner": self.scanner
        }  # fmt: skip
        return found if self.coins is None else {**found, "coins": self.coins.slot, "hopper": self.coins.hopper}

    @property
    def cables(self) -> tuple[RolePort[Any], ...]:
        """Every port once."""
        alone = tuple(port for port in self.ports.values() if isinstance(port, RolePort))
        return alone if self.coins is None else (*alone, self.coins.bus)

    def port(self, device: str) -> RolePort[Any] | Part[Any]:
        """Return the port of one device.

        Raises:
            SimulatorError: there is no such device.
        """
        try:
            return self.ports[device]
        except KeyError:
            raise SimulatorError(
                f"no device is called {device[:40]!r}", hint=f"one of {', '.join(self.ports)}"
            ) from None

    def plugged(self, device: str) -> bool:
        """Tell whether a device's cable is in."""
        port = self.port(device)
        cable = port.port if isinstance(port, Part) else port
        return isinstance(cable, PtyPort) and cable.plugged

    def start(self) -> None:
        """Give every device its port."""
        for port in self.cables:
            port.start()

    def stop(self) -> None:
        """Take all ports away."""
        for port in self.cables:
            port.stop()

    def cut_power(self) -> None:
        """Let the socket go dead for every device."""
        self.powered = False
        for port in self.cables:
            with port.hands() as device:
                device.cut_power()

    def restore_power(self) -> None:
        """Give the power back to every device."""
        self.powered = True
        for port in self.cables:
            with port.hands() as device:
                device.restore_power()

    def trouble(self) -> str:
        """Tell which simulator died and why; "" for none."""
        dead = [f"{name}: {port.died!r}" for name, port in self.ports.items() if port.died is not None]
        return "; ".join(dead)
