"""Run one simulated device alone on a port, with a scenario or with lines typed by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import MODELS
from kiosk.simulators import scenario
from kiosk.simulators.cctalk_units import UNITS, CctalkUnits, Part, bus
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

#: Beginnings of lines of the scenario language that need a screen or a hub.
_OF_A_KIOSK = ("touch", "wait screen", "expect screen", "expect hub", "cut network")
#: Kind of unit → beginnings of the lines that only it understands.
_WORDS: dict[type, tuple[str, ...]] = {
    LineScannerDevice: ("scan",),
    NoteUnit: (
        "insert [", "pull", "jam acceptor", "clear", "remove", "fill stacker", "acceptor", "lose replies", "stack",
        "expect due",
    ),
    CctalkCoinAcceptor: ("insert coin",),
    CctalkHopper: ("fill hopper", "jam hopper", "lose dispense", "expect coins"),
    EscposPrinter: ("tear", "open cover", "expect receipt"),
}  # fmt: skip


def make_device(
    kind: str, *, currency: str = "USD", model: str = "epson", aim: bool = False, device: str = "all"
) -> AnyDevice:
    """Build a device role by its kind; of ccTalk a bus with `device` on it, or with ``all`` units there are.

    Raises:
        SimulatorError: there is no such kind, note set, model or unit.
    """
    if kind == "cctalk":
        return bus(currency, UNITS if device == "all" else (device,))
    if device != "all":
        raise SimulatorError(f"a simulated {kind[:20]!r} is one device", hint="only ccTalk has several on one line")
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
    device: str = "all",
) -> int:
    """Serve one device on a pty (or, for a printer, on a TCP port) until the scenario, `lines` and `until` have ended.

    `lines` are scenario lines as a person types them (standard input): a mistake is told and the next line is read.
    ``receipts``, ``state`` and ``help`` are answered too.  `until` is called last and keeps the device
    alive until it returns, e.g. ``signal.pause``.  `tell` gets what a person should see.  Returns how many lines could
    not be carried out.

    Raises:
        SimulatorError: the device or its port cannot be made, or the scenario failed; names file and line.
    """
    role = make_device(kind, currency=currency, model=model, aim=aim, device=device)
    port: RolePort[Any]
    if tcp_port is not None:
        port = TcpPort(role, port=tcp_port, name=kind)
    elif pty_path is not None:
        port = PtyPort(role, pty_path, name=kind)
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
        stage = LoneStage(port, tell=tell)
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
            tell(words_of(stage.port.role))
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


def words_of(role: AnyDevice) -> str:
    """Return the lines of the scenario language that this device can do anything with, and what is answered besides."""
    units = role.nodes if isinstance(role, CctalkUnits) else (role,)
    deaf = tuple(
        word for kind, words in _WORDS.items() if not any(isinstance(unit, kind) for unit in units) for word in words
    )
    lines = [line for line in scenario.GRAMMAR.splitlines() if not line.startswith((*_OF_A_KIOSK, *deaf))]
    return "\n".join([*lines, "state | receipts | help | quit     of this simulator"])


def describe(port: RolePort[Any] | Part[Any]) -> str:
    """Tell in one line what the device shows and holds."""
    if port.died is not None:
        return f"the simulator died: {port.died!r}"
    with port.hands() as device:
        units = device.nodes if isinstance(device, CctalkUnits) else (device,)
        return "; ".join(_told(unit) for unit in units)


def _told(unit: Any) -> str:
    if isinstance(unit, NoteUnit):
        inside = "" if unit.inside is None else f", inside {unit.inside}"
        return f"{unit.shown}, box {sum(unit.cashbox)} in {len(unit.cashbox)} notes{inside}"
    if isinstance(unit, CctalkCoinAcceptor):
        return f"coin slot {unit.shown}, {sum(unit.accepted)} in {len(unit.accepted)} coins"
    if isinstance(unit, CctalkHopper):
        return f"hopper {unit.shown}, {unit.coins} coins inside, {len(unit.paid_out)} paid out"
    if isinstance(unit, EscposPrinter):
        bits = " ".join(f"{unit.status(kind):02x}" for kind in (1, 2, 3, 4))
        power = "" if unit.powered else "no power, "
        return f"{power}status {bits}, {len(unit.receipts)} receipts, {unit.used_mm} mm used"
    return "ready" if unit.powered else "no power"


def printed(port: RolePort[Any] | Part[Any]) -> list[str]:
    """Return every receipt of a simulated printer as plain text."""
    with port.hands() as device:
        if not isinstance(device, EscposPrinter):
            return []
        hanging = [device.hanging] if device.hanging.lines else []
        return [render_text(receipt) for receipt in (*device.receipts, *hanging)]
