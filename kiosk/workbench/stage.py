"""The stage of a whole kiosk: device acts go to the simulated devices, touches to the real screen.

An act of a person is tried for as long as a person would try; an expectation may take a moment to come true, because
between a note and the screen there are real wires and a real commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kiosk.errors import SimulatorError
from kiosk.model.money import Money
from kiosk.simulators.lone_stage import LoneStage
from kiosk.workbench.hardware import Hardware
from kiosk.workbench.screen_hand import ScreenHand, amount

if TYPE_CHECKING:
    from kiosk.workbench.hub_beside import HubBeside

#: How long an expectation may take to come true.
SETTLE_MS = 8_000
#: How long facts may take to the hub after the network came back: kiosk-sync tries again in growing steps.
SYNC_MS = 60_000
#: How long a hand waits for a note to move before it jams the stacker.
_MOVES_S = 2.0


class WholeStage:
    """Carries out every step of the scenario language."""

    def __init__(
        self, hardware: Hardware, screen: ScreenHand, *, cut: Callable[[], None], restore: Callable[[], None],
        hub: HubBeside | None = None,
    ) -> None:  # fmt: skip
        self.hardware = hardware
        self.screen = screen
        self._cut = cut
        self._restore = restore
        self._hub = hub
        self._notes = LoneStage(hardware.acceptor)
        self._paper = LoneStage(hardware.printer)
        self._labels = LoneStage(hardware.scanner)
        self._coins = LoneStage(hardware.coins.bus) if hardware.coins is not None else None

    def stop(self) -> None:
        """Wake a step that waits; it then fails."""
        for stage in (self._notes, self._paper, self._labels, self._coins):
            if stage is not None:
                stage.stop()

    # --- devices -------------------------------------------------------------------------------------------------

    def scan(self, label: str) -> None:
        self._labels.scan(label)

    def insert(self, value: Money, force: bool) -> None:
        self._notes.insert(value, force)

    def pull_back(self) -> None:
        self._notes.pull_back()

    def take_note(self) -> None:
        self._notes.take_note()

    def jam(self, where: str) -> None:
        # The screen says that a note is stacked before the command has reached the unit: a hand would see it move.
        end = time.monotonic() + _MOVES_S
        role = self.hardware.acceptor.role
        while where == "stacker" and role.stage == "escrow" and time.monotonic() < end:
            time.sleep(0.01)
        self._notes.jam(where)

    def clear_jam(self, outcome: str | None) -> None:
        self._notes.clear_jam(outcome)

    def remove_box(self) -> None:
        self._notes.remove_box()

    def insert_box(self, empty: bool) -> None:
        self._notes.insert_box(empty)

    def fill_stacker(self) -> None:
        self._notes.fill_stacker()

    def cheat(self) -> None:
        self._notes.cheat()

    def acceptor_power(self, on: bool) -> None:
        self._notes.acceptor_power(on)

    def acceptor_speech(self, on: bool) -> None:
        self._notes.acceptor_speech(on)

    def lose_replies(self, count: int) -> None:
        self._notes.lose_replies(count)

    def lose_acks(self, count: int) -> None:
        self._notes.lose_acks(count)

    def garble_replies(self, count: int) -> None:
        self._notes.garble_replies(count)

    def stack_by_itself(self) -> None:
        """Let the unit say ESCROW once and then stack, before the kiosk's answer can arrive."""
        device = self.hardware.acceptor.role
        end = time.monotonic_ns() + SETTLE_MS * 1_000_000
        said: int | None = None
        while time.monotonic_ns() < end:
            with self.hardware.acceptor.hands():
                if device.stage == "escrow":
                    said = device.counters["replies"] if said is None else said
                    if device.counters["replies"] > said and device.stack_by_itself():
                        return
            time.sleep(0.001)
        raise SimulatorError("stack by itself: no note came into escrow", hint="feed one first")

    def repeat_escrow(self) -> None:
        self._notes.repeat_escrow()

    def tear_paper(self) -> None:
        self._paper.tear_paper()

    def load_paper(self) -> None:
        self._paper.load_paper()

    def open_cover(self) -> None:
        self._paper.open_cover()

    def close_cover(self) -> None:
        self._paper.close_cover()

    def expect_receipt(self, present: bool) -> None:
        self._paper.expect_receipt(present)

    def unplug(self, device: str) -> None:
        self.hardware.port(device).unplug()

    def replug(self, device: str) -> None:
        self.hardware.port(device).replug()

    def cut_power(self) -> None:
        self._cut()

    def restore_power(self) -> None:
        self._restore()

    # --- coins -----------------------------------------------------------------------------------------------------

    def insert_coin(self, value: Money) -> None:
        self._slot().insert_coin(value)

    def fill_hopper(self, coins: int) -> None:
        self._slot().fill_hopper(coins)

    def empty_hopper(self) -> None:
        self._slot().empty_hopper()

    def jam_hopper(self, on: bool) -> None:
        self._slot().jam_hopper(on)

    def lose_dispense_reply(self) -> None:
        self._slot().lose_dispense_reply()

    def expect_coins(self, value: Money) -> None:
        self._comes_true(lambda: self._slot().expect_coins(value))

    def _slot(self) -> LoneStage:
        if self._coins is None:
            raise SimulatorError("there are no coins here", hint="start the demonstration with --coins")
        return self._coins

    # --- the hub ---------------------------------------------------------------------------------------------------

    def network(self, mode: str) -> None:
        self._there().set_network(mode)

    def expect_hub(self, complete: bool) -> None:
        hub = self._there()
        end = time.monotonic_ns() + (SYNC_MS if complete else SETTLE_MS) * 1_000_000
        while (hub.behind() == 0) is not complete:
            if time.monotonic_ns() >= end:
                told = f"{hub.behind()} facts are not there: {hub.look().words}"
                raise SimulatorError(f"expect hub: {told}" if complete else "expect hub behind: it holds every fact")
            time.sleep(0.05)

    def _there(self) -> HubBeside:
        if self._hub is None:
            raise SimulatorError("there is no hub here", hint="start the demonstration with --hub")
        return self._hub

    # --- the screen ------------------------------------------------------------------------------------------------

    def touch(self, name: str, args: tuple[str, ...]) -> None:
        self.screen.touch(name, args)

    def wait(self, ms: int) -> None:
        self._notes.wait(ms)

    def wait_screen(self, name: str, within_ms: int) -> None:
        self.screen.wait_for(f"wait screen {name}", lambda shot: shot["screen"] == name, within_ms)

    def expect_screen(self, name: str) -> None:
        self.screen.wait_for(f"expect screen {name}", lambda shot: shot["screen"] == name, SETTLE_MS)

    def expect_due(self, value: Money) -> None:
        self.screen.wait_for(f"expect due {value}", lambda shot: amount(shot["due"]) == value, SETTLE_MS)

    def expect_remaining(self, value: Money) -> None:
        self.screen.wait_for(f"expect remaining {value}", lambda shot: amount(shot["remaining"]) == value, SETTLE_MS)

    def expect_box(self, value: Money) -> None:
        self._comes_true(lambda: self._notes.expect_box(value))

    def _comes_true(self, expectation: Callable[[], None]) -> None:
        end = time.monotonic_ns() + SETTLE_MS * 1_000_000
        while True:
            try:
                expectation()
                return
            except SimulatorError:
                if time.monotonic_ns() >= end:
                    raise
            time.sleep(0.05)
