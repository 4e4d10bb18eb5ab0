"""The simulated hardware of a demonstration: acceptor, printer and scanner on three ptys, and the wall socket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import EPSON
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.note_units import note_unit
from kiosk.simulators.pty_port import PtyPort
from kiosk.simulators.role_port import RolePort
from kiosk.simulators.scanners import LineScannerDevice


class Hardware:
    """Owns the three devices and their cables."""

    def __init__(
        self, paths: Mapping[str, Path], currency: str, *, quick: bool = False, acceptor: str = "id003"
    ) -> None:
        """Put the hardware together; `acceptor` is the protocol of the note acceptor."""
        model = msgspec.structs.replace(EPSON, dots_per_second=6000, cut_ms=50) if quick else EPSON
        unit = note_unit(acceptor, currency, quick=quick)
        self.acceptor: PtyPort[NoteUnit] = PtyPort(unit, paths["notes"], name="notes")
        self.printer = PtyPort(EscposPrinter(model), paths["receipt"], name="receipt")
        self.scanner = PtyPort(LineScannerDevice(), paths["scanner"], name="scanner")
        self.powered = True

    @property
    def ports(self) -> dict[str, RolePort[Any]]:
        """The devices' ports by their configured names."""
        return {"notes": self.acceptor, "receipt": self.printer, "scanner": self.scanner}

    def port(self, device: str) -> RolePort[Any]:
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
        return isinstance(port, PtyPort) and port.plugged

    def start(self) -> None:
        """Give every device its port."""
        for port in self.ports.values():
            port.start()

    def stop(self) -> None:
        """Take all ports away."""
        for port in self.ports.values():
            port.stop()

    def cut_power(self) -> None:
        """Let the socket go dead for every device."""
        self.powered = False
        for port in self.ports.values():
            with port.hands() as device:
                device.cut_power()

    def restore_power(self) -> None:
        """Give the power back to every device."""
        self.powered = True
        for port in self.ports.values():
            with port.hands() as device:
                device.restore_power()

    def trouble(self) -> str:
        """Tell which simulator died and why; "" for none."""
        dead = [f"{name}: {port.died!r}" for name, port in self.ports.items() if port.died is not None]
        return "; ".join(dead)
