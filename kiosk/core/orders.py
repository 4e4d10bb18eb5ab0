"""Sends the kernel's orders to devices and tells what nobody took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.naming import nameless
from kiosk.core.parts import DevicePort
from kiosk.model.commands import (
    Command,
    Confirm,
    Dispense,
    DropPayout,
    EnableCoins,
    EnableNotes,
    InhibitCoins,
    InhibitNotes,
    Print,
)
from kiosk.model.device_events import CommandRefused
from kiosk.model.money import Money
from kiosk.model.slip import Slip


class Orders:
    """Owns what the acceptors were last told; refuses to decide anything."""

    def __init__(
        self,
        devices: DevicePort,
        board: DeviceBoard,
        counts: Counter[str],
        refused: Callable[[CommandRefused, str], None],
    ) -> None:
        """`refused` takes the event of an order that nobody took, and the device's name."""
        self._devices = devices
        self._board = board
        self._counts = counts
        self._refused = refused
        self._accepting: tuple[tuple[Money, ...], tuple[Money, ...]] | None = None
        self._shut = False

    def send(self, device: str, command: Command, generation: int | None = None) -> None:
        """Hand an order to a device; a confirmation reaches only the life of the driver that asked for it."""
        wanted = generation if isinstance(command, Confirm) and generation else None
        if self._devices.post(device, nameless(command), wanted) or isinstance(
            command, Confirm | EnableNotes | InhibitNotes | EnableCoins | InhibitCoins | DropPayout
        ):
            return
        self._counts[f"{device}.order_lost"] += 1
        if isinstance(command, Print):
            self._refused(CommandRefused("print", "no printer driver in service", job=command.job), device)
        if isinstance(command, Dispense):
            self._refused(CommandRefused("dispense", "no driver in service", payout=command.payout), device)

    def accept(self, values: tuple[Money, ...], coins: tuple[Money, ...] = ()) -> None:
        """Have every acceptor take these notes and coins, each those that it knows; nothing is sent twice."""
        values, coins = ((), ()) if self._shut else (values, coins)
        if (values, coins) == self._accepting:
            return
        self._accepting = (values, coins)
        for page in self._board.of_class("CoinAcceptor"):
            known = tuple(coin for coin in coins if coin in page.notes)
            self.send(page.name, EnableCoins(known) if known else InhibitCoins())
        for page in self._board.of_class("BillAcceptor"):
            fits = tuple(value for value in values if value in page.notes)
            self.send(page.name, EnableNotes(fits) if fits else InhibitNotes())

    def shut(self) -> None:
        """Have no acceptor take anything from now on, whatever else is asked: the kiosk is about to end."""
        self._shut = True
        self.accept(())

    def forget_accepted(self) -> None:
        """Have the next `accept` sent whatever it says: an acceptor changed and may have forgotten."""
        self._accepting = None

    @property
    def accepting(self) -> tuple[Money, ...]:
        """The notes that acceptors were last told to take."""
        return self._accepting[0] if self._accepting is not None else ()

    def printing(self, job: str, slip: Slip) -> None:
        """Queue a job on the first printer."""
        printers = self._board.of_class("POSPrinter")
        if printers:
            self.send(printers[0].name, Print(job, slip))
        else:
            self._refused(CommandRefused("print", "no printer is configured", job=job), "")

    def to_printers(self, command: Command) -> None:
        """Send an order to every printer."""
        for page in self._board.of_class("POSPrinter"):
            self.send(page.name, command)
