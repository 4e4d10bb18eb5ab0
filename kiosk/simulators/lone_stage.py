"""A stage with one device on it, or one ccTalk bus: what a scenario can do to acceptor, printer or scanner alone.

People keep trying: a note is offered until the unit draws it in, at most `PATIENCE_MS`.  A step that needs a device
or a screen that is not there says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kiosk.errors import SimulatorError
from kiosk.model.money import Money
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.simulators.cctalk_units import CctalkUnits, Part
from kiosk.simulators.note_unit import NoteUnit
from kiosk.simulators.role_port import RolePort
from kiosk.simulators.scanners import LineScannerDevice

PATIENCE_MS = 30_000
_TRY_MS = 50
#: A person who waits longer than this is told that something is waited for.
_WORD_MS = 1000

AnyDevice = NoteUnit | EscposPrinter | LineScannerDevice | CctalkUnits


class LoneStage:
    """Owns the hands at one port; refuses screens and other devices."""

    def __init__(
        self, port: RolePort[Any] | Part[Any], *, patience_ms: int = PATIENCE_MS,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:  # fmt: skip
        self.port = port
        self.patience_ms = patience_ms
        self._tell = tell
        self._receipts_seen = 0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Wake a step that waits; it then fails."""
        self._stopped.set()

    def _device(self, kind: type[Any], act: str) -> Any:
        role = self.port.role
        for unit in role.nodes if isinstance(role, CctalkUnits) else (role,):
            if isinstance(unit, kind):
                return unit
        raise SimulatorError(f"{act}: there is no such device here", hint="this is one simulated device alone")

    def _nobody(self, act: str) -> SimulatorError:
        return SimulatorError(f"{act}: there is no screen here", hint="play this scenario with kiosk demo")

    def _no_hub(self, act: str) -> SimulatorError:
        return SimulatorError(f"{act}: there is no hub here", hint="play this scenario with kiosk demo")

    def _until(self, act: str, done: Callable[[], bool]) -> None:
        begun = time.monotonic_ns()
        end = begun + self.patience_ms * 1_000_000
        word = begun + min(_WORD_MS, self.patience_ms // 2) * 1_000_000
        while True:
            with self.port.hands():
                if done():
                    return
            if self._stopped.wait(_TRY_MS / 1000) or time.monotonic_ns() >= end:
                raise SimulatorError(
                    f"{act}: the device did not let it happen",
                    hint='"state" tells why; a host has to enable a unit first',
                )
            if word and time.monotonic_ns() >= word:
                word = 0
                self._tell(f"{act}: waiting for the device, at most {self.patience_ms // 1000} s")

    def _acceptor(self, act: str) -> NoteUnit:
        device: NoteUnit = self._device(NoteUnit, act)
        return device

    def _printer(self, act: str) -> EscposPrinter:
        device: EscposPrinter = self._device(EscposPrinter, act)
        return device

    # --- scanner -------------------------------------------------------------------------------------------------

    def scan(self, label: str) -> None:
        scanner: LineScannerDevice = self._device(LineScannerDevice, "scan")
        with self.port.hands():
            if not scanner.scan(label):
                raise SimulatorError("scan: the scanner has no power", hint="restore power first")

    # --- acceptor ------------------------------------------------------------------------------------------------

    def insert(self, value: Money, force: bool) -> None:
        device = self._acceptor("insert")
        if value.currency != device.currency or value.minor not in device.values:
            raise SimulatorError(f"insert: the unit knows no note of {value}", hint="choose another note or unit")
        self._until(f"insert {value}", lambda: device.insert(value.minor, force=force))

    def pull_back(self) -> None:
        self._until("pull back", self._acceptor("pull back").pull_back)

    def take_note(self) -> None:
        self._until("take note", self._acceptor("take note").take_rejected)

    def jam(self, where: str) -> None:
        device = self._acceptor("jam")
        with self.port.hands():
            device.jam(where)

    def clear_jam(self, outcome: str | None) -> None:
        device = self._acceptor("clear jam")
        with self.port.hands():
            device.clear_jam(outcome)

    def remove_box(self) -> None:
        device = self._acceptor("remove box")
        with self.port.hands():
            device.remove_cashbox()

    def insert_box(self, empty: bool) -> None:
        device = self._acceptor("insert box")
        with self.port.hands():
            device.insert_cashbox(empty=empty)

    def fill_stacker(self) -> None:
        device = self._acceptor("fill stacker")
        with self.port.hands():
            device.fill_stacker()

    def cheat(self) -> None:
        device = self._acceptor("cheat")
        with self.port.hands():
            device.cheat()

    def acceptor_power(self, on: bool) -> None:
        device = self._acceptor("acceptor power")
        with self.port.hands():
            if on:
                device.restore_power()
            else:
                device.cut_power()

    def acceptor_speech(self, on: bool) -> None:
        device = self._acceptor("acceptor mute")
        with self.port.hands():
            device.mute(not on)

    def lose_replies(self, count: int) -> None:
        device = self._acceptor("lose replies")
        with self.port.hands():
            device.lose_replies(count)

    def lose_acks(self, count: int) -> None:
        device = self._acceptor("lose acks")
        with self.port.hands():
            device.lose_acks(count)

    def garble_replies(self, count: int) -> None:
        device = self._acceptor("garble replies")
        with self.port.hands():
            device.garble_replies(count)

    def stack_by_itself(self) -> None:
        self._until("stack by itself", self._acceptor("stack by itself").stack_by_itself)

    def repeat_escrow(self) -> None:
        repeat = getattr(self._acceptor("repeat escrow"), "repeat_escrow", None)
        if repeat is None:
            raise SimulatorError("repeat escrow: this unit cannot do that", hint="only ID003 units fall back so")
        with self.port.hands():
            repeat()

    def expect_box(self, value: Money) -> None:
        device = self._acceptor("expect box")
        with self.port.hands():
            there = Money(sum(device.cashbox), device.currency)
        if there != value:
            raise SimulatorError(f"expect box {value}: there is {there}", hint="look at the notes that came back")

    # --- coins -----------------------------------------------------------------------------------------------------

    def _hopper(self, act: str) -> CctalkHopper:
        hopper: CctalkHopper = self._device(CctalkHopper, act)
        return hopper

    def insert_coin(self, value: Money) -> None:
        unit: CctalkCoinAcceptor = self._device(CctalkCoinAcceptor, "insert coin")
        if value.currency != unit.currency or value.minor not in unit.values:
            raise SimulatorError(f"insert coin: the unit knows no coin of {value}", hint="choose another coin")
        with self.port.hands():
            taken = len(unit.accepted)
        in_hand = True

        def done() -> bool:
            # A coin that fell through is tried again, as people do; in the slot it can only be waited for.
            nonlocal in_hand
            if len(unit.accepted) > taken:
                return True
            in_hand = in_hand or not unit.inside
            if in_hand and unit.can_insert:
                in_hand = not unit.insert_coin(value.minor)
            return False

        self._until(f"insert coin {value}", done)

    def fill_hopper(self, coins: int) -> None:
        hopper = self._hopper("fill hopper")
        with self.port.hands():
            hopper.fill(coins)

    def empty_hopper(self) -> None:
        hopper = self._hopper("empty hopper")
        with self.port.hands():
            hopper.take_out()

    def jam_hopper(self, on: bool) -> None:
        hopper = self._hopper("jam hopper")
        with self.port.hands():
            hopper.jam(on)

    def lose_dispense_reply(self) -> None:
        hopper = self._hopper("lose dispense reply")
        with self.port.hands():
            hopper.lose_dispense_reply()

    def expect_coins(self, value: Money) -> None:
        hopper = self._hopper("expect coins")
        with self.port.hands():
            there = Money(sum(hopper.paid_out), hopper.unit.currency)
        if there != value:
            raise SimulatorError(f"expect coins {value}: {there} came out", hint="look at what the hopper shows")

    # --- hub -------------------------------------------------------------------------------------------------------

    def network(self, mode: str) -> None:
        raise self._no_hub("network")

    def expect_hub(self, complete: bool) -> None:
        raise self._no_hub("expect hub")

    # --- printer ---------------------------------------------------------------------------------------------------

    def tear_paper(self) -> None:
        device = self._printer("tear paper")
        with self.port.hands():
            device.paper_out()

    def load_paper(self) -> None:
        device = self._printer("load paper")
        with self.port.hands():
            device.load_paper()

    def open_cover(self) -> None:
        device = self._printer("open cover")
        with self.port.hands():
            device.open_cover()

    def close_cover(self) -> None:
        device = self._printer("close cover")
        with self.port.hands():
            device.close_cover()

    def expect_receipt(self, present: bool) -> None:
        device = self._printer("expect receipt")
        if present:
            self._until("expect receipt", lambda: len(device.receipts) > self._receipts_seen)
        with self.port.hands():
            came = len(device.receipts) - self._receipts_seen
            self._receipts_seen = len(device.receipts)
        if came and not present:
            raise SimulatorError("expect no receipt: one came out", hint="see what was printed")

    # --- any device ------------------------------------------------------------------------------------------------

    def cut_power(self) -> None:
        with self.port.hands() as device:
            device.cut_power()

    def restore_power(self) -> None:
        with self.port.hands() as device:
            device.restore_power()

    def unplug(self, device: str) -> None:
        self.port.unplug()

    def replug(self, device: str) -> None:
        self.port.replug()

    def wait(self, ms: int) -> None:
        if self._stopped.wait(ms / 1000):
            raise SimulatorError("wait: the simulator was stopped", hint="")

    # --- the screen, which is not here -------------------------------------------------------------------------------

    def touch(self, name: str, args: tuple[str, ...]) -> None:
        raise self._nobody(f"touch {name}")

    def wait_screen(self, name: str, within_ms: int) -> None:
        raise self._nobody("wait screen")

    def expect_screen(self, name: str) -> None:
        raise self._nobody("expect screen")

    def expect_due(self, value: Money) -> None:
        raise self._nobody("expect due")

    def expect_remaining(self, value: Money) -> None:
        raise self._nobody("expect remaining")
