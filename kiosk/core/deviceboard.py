"""What the kernel knows of its devices: the last state of each, the notes and coins that they know.

Unknown is not OK: a device counts as ready only after it has said so.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from kiosk.model.device_events import (
    CoinsKnown,
    DeviceState,
    HopperKnown,
    HopperLevel,
    Identified,
    NotesKnown,
    ProtocolFault,
)
from kiosk.model.money import Money

#: Acceptor states in which notes can be taken or are just being taken.
_GOOD = ("ok", "warn")


#: Kinds of line faults counted by name for one device; a driver chooses the names.
FAULT_KINDS = 32


#: What a device tells of itself, and no table of the checkout is asked about.
OF_THE_DEVICE = DeviceState | Identified | NotesKnown | CoinsKnown | HopperKnown | HopperLevel


class DevicePage(msgspec.Struct):
    """One device."""

    name: str
    device_class: str
    driver: str
    state: str = "unknown"
    severity: str = "unknown"
    raw: str = ""
    detail: str = ""
    #: What an acceptor can tell: notes, or coins.
    notes: tuple[Money, ...] = ()
    #: The coin of a hopper, None before it was told; and its level: ``full``, ``ok``, ``low``, ``empty``, ``unknown``.
    coin: Money | None = None
    level: str = "unknown"
    model: str = ""
    firmware: str = ""
    serial: str = ""
    faults: dict[str, int] = {}
    #: Whether it has told a state of its own since the start; before, its silence only means that it is starting.
    spoke: bool = False
    #: What it really is like, while it is held and this page only says why; None where it is not held.
    behind: DevicePage | None = None

    @property
    def ready(self) -> bool:
        """Whether the device has said that it can do its work."""
        if self.device_class in ("BillAcceptor", "CoinAcceptor") and not self.notes:
            return False
        return self.severity in _GOOD and (self.device_class != "CoinDispenser" or self.coin is not None)

    @property
    def told_raw(self) -> str:
        """The device's own words for people: none of an acceptor that is well, they name the note that it holds."""
        return "" if self.device_class == "BillAcceptor" and self.severity in _GOOD else self.raw


class DeviceBoard:
    """All devices, in the order of the configuration."""

    def __init__(
        self, devices: tuple[tuple[str, str, str], ...], follows: Callable[[str], bool] = lambda device: True
    ) -> None:
        """Take (name, class, driver) of each device; `follows` tells whether a device's port follows the unit."""
        self.pages = {name: DevicePage(name, kind, driver) for name, kind, driver in devices}
        self.follows = follows

    def of_class(self, device_class: str) -> list[DevicePage]:
        """Return the devices of a class."""
        return [page for page in self.pages.values() if page.device_class == device_class]

    @property
    def acceptor_ready(self) -> bool:
        """Whether notes can be taken."""
        return any(page.ready for page in self.of_class("BillAcceptor"))

    @property
    def printer_ready(self) -> bool:
        """Whether a paper receipt can be promised."""
        return any(page.ready for page in self.of_class("POSPrinter"))

    @property
    def known_notes(self) -> tuple[Money, ...]:
        """Every value that a ready acceptor can read, ascending."""
        return self._known("BillAcceptor")

    @property
    def known_coins(self) -> tuple[Money, ...]:
        """Every value that a ready coin acceptor can tell, ascending."""
        return self._known("CoinAcceptor")

    def _known(self, device_class: str) -> tuple[Money, ...]:
        values = {value for page in self.of_class(device_class) if page.ready for value in page.notes}
        return tuple(sorted(values, key=lambda value: value.minor))

    def heard(self, device: str, event: object) -> tuple[DevicePage | None, bool]:
        """Take an event in; return the page and whether its generic state changed."""
        page = self.pages.get(device)
        if page is None:
            return None, False
        if page.behind is not None and not isinstance(event, Identified | ProtocolFault):
            _hear(page.behind, event)
            return page, False
        return page, _hear(page, event)

    def hold(self, device: str, state: str, detail: str) -> None:
        """Have the device's page say why it must not be used; what it tells goes on behind it."""
        page = self.pages[device]
        if page.behind is None:
            page.behind = msgspec.structs.replace(page)
        page.state, page.severity, page.raw, page.detail = state, "fault", "", detail
        page.notes, page.coin = (), None

    def let_go(self, device: str) -> None:
        """Have the device's page say again how it is; harmless where it is not held."""
        page = self.pages[device]
        if page.behind is not None:
            own = page.behind
            page.state, page.severity, page.raw, page.detail = own.state, own.severity, own.raw, own.detail
            page.notes, page.coin, page.level = own.notes, own.coin, own.level
            page.behind = None


def _hear(page: DevicePage, event: object) -> bool:
    if isinstance(event, DeviceState):
        changed = (page.state, page.severity) != (event.state, event.severity)
        page.state, page.severity, page.raw, page.detail = event.state, event.severity, event.raw, event.detail
        page.spoke = page.spoke or event.state != "unknown"
        return changed
    if isinstance(event, NotesKnown | CoinsKnown):
        changed = page.notes != event.values
        page.notes = event.values
        return changed
    if isinstance(event, HopperKnown):
        changed = page.coin != event.value
        page.coin = event.value
        return changed
    if isinstance(event, HopperLevel):
        changed = page.level != event.level
        page.level = event.level
        return changed
    if isinstance(event, Identified):
        changed = (page.model, page.firmware, page.serial) != (event.model, event.firmware, event.serial)
        page.model, page.firmware, page.serial = event.model, event.firmware, event.serial
        return changed
    if isinstance(event, ProtocolFault):
        kind = event.kind if event.kind in page.faults or len(page.faults) < FAULT_KINDS else "other"
        page.faults[kind] = page.faults.get(kind, 0) + 1
    return False
