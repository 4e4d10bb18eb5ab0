"""Run one simulated device alone on a port, with a scenario or with lines typed by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import MODELS
from kiosk.simulators import scenario
from kiosk.simulators.lone_stage import AnyDevice, LoneStage
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.note_units import ACCEPTORS, note_unit
from kiosk.simulators.pty_port import PtyPort
from kiosk.simulators.receipt_image import render_text
from kiosk.simulators.role_port import RolePort
from kiosk.simulators.scanners import LineScannerDevice
from kiosk.simulators.tcp_port import TcpPort

#: What `make_device` can make.
KINDS = (*ACCEPTORS, "escpos", "scanner")


def make_device(kind: str, *, currency: str = "USD", model: str = "epson", aim: bool = False) -> AnyDevice:
    """Build a device role by its kind.

    Raises:
        SimulatorError: there is no such kind, note set or model.
    """
    if kind in ACCEPTORS:
        return note_unit(kind, currency)
    if kind == "escpos":
        if model not in MODELS:
            raise SimulatorError(f"there is no printer model {model[:20]!r}", hint=f"choose of {', '.join(MODELS)}")
        return EscposPrinter(MODELS[model])
    if kind == "scanner":
        return LineScannerDevice(aim=aim)
    raise SimulatorError(f"there is no simulated {kind[:20]!r}", hint=f"choose of {', '.join(KINDS)}")


def serve(
    kind: str,
    pty_path: Path | str | None = None,
    scenario_path: Path | str | None = None,
    *,
    tcp_port: int | None = None,
    lines: Iterable[str] = (),
    until: Callable[[], object] | None = None,
    tell: Callable[[str], None] = lambda text: None,
    currency: str = "USD",
    model: str = "epson",
    aim: bool = False,
) -> int:
    """Serve one device on a pty (or, for a printer, on a TCP port) until the scenario, `lines` and `until` have ended.

    `lines` are scenario lines as a person types them (standard input): a mistake is told and the next line is read.
    ``receipts``, ``state`` and ``help`` are answered too.  `until` is called last and keeps the device
    alive until it returns, e.g. ``signal.pause``.  `tell` gets what a person should see.  Returns how many lines could
    not be carried out.

    Raises:
        SimulatorError: the device or its port cannot be made, or the scenario failed; names file and line.
    """
    device = make_device(kind, currency=currency, model=model, aim=aim)
    port: RolePort[Any]
    if tcp_port is not None:
        port = TcpPort(device, port=tcp_port, name=kind)
    elif pty_path is not None:
        port = PtyPort(device, pty_path, name=kind)
    else:
        raise SimulatorError(f"where shall the simulated {kind} be?", hint="give a path for its pty or a TCP port")
    steps, source = [], "<scenario>"
    if scenario_path is not None:
        path = Path(scenario_path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SimulatorError(f"cannot read {path}: {error}", hint="give a text file") from None
        source = path.name
        steps = scenario.parse(text, source=source, currency=currency)
    with port:
        stage = LoneStage(port)
        tell(f"{kind} on {where(port)}")
        played = scenario.play(steps, stage, source=source)
        if scenario_path is not None:
            tell(f"played {played} lines")
        failed = _listen(stage, lines, tell, currency)
        if until is not None:
            until()
        return failed


def where(port: RolePort[Any]) -> str:
    """Tell where a started port is: a path or an address."""
    if isinstance(port, PtyPort):
        return str(port.path)
    return f"127.0.0.1:{port.port}" if isinstance(port, TcpPort) else port.name


def _listen(stage: LoneStage, lines: Iterable[str], tell: Callable[[str], None], currency: str) -> int:
    failed = 0
    for number, line in enumerate(lines, 1):
        word = line.strip()
        if word in ("quit", "exit"):
            break
        if word == "help":
            tell(scenario.GRAMMAR.rstrip())
        elif word == "state":
            tell(describe(stage.port))
        elif word == "receipts":
            for text in printed(stage.port):
                tell(text)
        else:
            try:
                step = scenario.parse_line(line, line=number, source="line", currency=currency)
                if step is not None:
                    scenario.play([step], stage, source="line")
                    tell(describe(stage.port))
            except SimulatorError as error:
                failed += 1
                tell(str(error))
    return failed


def describe(port: RolePort[Any]) -> str:
    """Tell in one line what the device shows and holds."""
    if port.died is not None:
        return f"the simulator died: {port.died!r}"
    with port.hands() as device:
        if isinstance(device, NoteUnit):
            inside = "" if device.inside is None else f", inside {device.inside}"
            return f"{device.shown}, box {sum(device.cashbox)} in {len(device.cashbox)} notes{inside}"
        if isinstance(device, EscposPrinter):
            bits = " ".join(f"{device.status(kind):02x}" for kind in (1, 2, 3, 4))
            power = "" if device.powered else "no power, "
            return f"{power}status {bits}, {len(device.receipts)} receipts, {device.used_mm} mm used"
        return "ready" if device.powered else "no power"


def printed(port: RolePort[Any]) -> list[str]:
    """Return every receipt of a simulated printer as plain text."""
    with port.hands() as device:
        if not isinstance(device, EscposPrinter):
            return []
        hanging = [device.hanging] if device.hanging.lines else []
        return [render_text(receipt) for receipt in (*device.receipts, *hanging)]
