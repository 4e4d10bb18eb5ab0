"""Carries out what the table asks for beyond a commit: orders, slips, look-ups, the check of a PIN, the shutter.

It decides nothing; whatever has an answer gets it as an event that is handled right after the step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from kiosk.checkout.effects import (
    AcceptNotes,
    AnyEffect,
    CheckPin,
    CloseShutter,
    DropPrint,
    LookUp,
    Order,
    PrintReceipt,
    Raise,
    Release,
    Restart,
)
from kiosk.checkout.events import PinChecked
from kiosk.checkout.steps import job_name
from kiosk.core import lookups
from kiosk.core.orders import Orders
from kiosk.core.parts import KernelParts
from kiosk.core.platelimit import PlateLimit
from kiosk.errors import DriverError, ReceiptError
from kiosk.journal.receipt_seal import seal
from kiosk.model import facts
from kiosk.model.commands import DropJob
from kiosk.model.device_events import CommandRefused


class Performer:
    """Owns nothing but the way to whoever does the work."""

    def __init__(
        self,
        parts: KernelParts,
        orders: Orders,
        *,
        counts: Counter[str],
        now: Callable[[Any], None],
        later: Callable[[Any], None],
        look_at_data: Callable[[], None],
        slip: Callable[[int], facts.Committed],
        close_shutter: Callable[[str], None],
        released: Callable[[str], None],
        fault: Callable[[str], None],
    ) -> None:
        """`now` has an event handled before all that wait, `later` after them; `fault` is told what went wrong.

        `released` accepts a device that is held because another unit answers.
        """
        self._parts = parts
        self._orders = orders
        self._counts = counts
        self._now = now
        self._later = later
        self._look_at_data = look_at_data
        self._slip = slip
        self._close_shutter = close_shutter
        self._released = released
        self._fault = fault
        self._plates = PlateLimit(parts.settings)

    def perform(self, effect: AnyEffect, generation: int) -> None:
        """Carry out one effect.

        Raises:
            JournalError: reference data changed before a look-up and that could not be committed.
        """
        match effect:
            case Order(device, command):
                self._orders.send(device, command, generation)
            case AcceptNotes(values, coins):
                self._orders.accept(values, coins)
            case PrintReceipt(number, copy):
                self._print(number, copy)
            case DropPrint(job):
                self._orders.to_printers(DropJob(job))
            case LookUp():
                self._look_up(effect)
            case CheckPin():
                self._check_pin(effect)
            case Release(device):
                self._release(device)
            case CloseShutter(by):
                self._close_shutter(by)
            case Restart(realm):
                self._parts.restart(realm)
            case Raise(event):
                self._now(event)

    def _look_up(self, effect: LookUp) -> None:
        self._look_at_data()
        parts = self._parts
        if effect.plate and not self._plates.allows(parts.clock.now_ns(), parts.books.payments):
            self._counts["lookup.plates_refused"] += 1
            self._now(lookups.too_many_plates())
            return
        found, fault = lookups.look_up(effect, parts.counter, parts.source, parts.books, parts.clock.today())
        if parts.source is not None and parts.source.digest() != parts.digests.data:
            # The data changed between the look at them and the look into them: the price is told with what is there.
            self._look_at_data()
            found, fault = lookups.look_up(effect, parts.counter, parts.source, parts.books, parts.clock.today())
        if fault:
            self._fault(fault)
            self._counts["lookup.faults"] += 1
        self._now(found)

    def _check_pin(self, effect: CheckPin) -> None:
        parts = self._parts
        if parts.people is None:
            self._now(PinChecked("", (), effect.purpose, "unknown"))
            return
        told = parts.people.judge(effect.person, effect.pin, parts.books.pin_failures, parts.clock.trusted_wall_ns())
        self._counts[f"pin.{told.problem or 'right'}"] += 1
        self._now(PinChecked(told.person, told.roles, effect.purpose, told.problem))

    def _release(self, device: str) -> None:
        self._released(device)
        try:
            self._parts.release(device)
        except DriverError as error:
            self._fault(str(error))

    def _print(self, number: int, copy: int) -> None:
        job = job_name(number, copy)
        try:
            committed = self._slip(number)
            slip = self._parts.slips.lay_out(committed, seal(committed, self._parts.key), copy=copy)
        except ReceiptError as error:
            self._fault(str(error))
            self._later(CommandRefused("print", error.message, job=job))
            return
        self._orders.printing(job, slip)
