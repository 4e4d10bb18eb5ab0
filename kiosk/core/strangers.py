"""Whether the unit that answers under a device's name is the one that the journal knows under that name.

A port that follows the device (a serial number) brings the right unit by itself.  A port that is a socket, a number
or a kind of adapter brings whatever is plugged in there: two equal adapters may have changed places over a repair,
and one unit's orders would reach the other.  So behind such a port a unit that tells another identity than the
journal's last `DeviceIdentified` is held: its page says ``another_device``, it is not ready, and none of its notes
or coins is known, until a person accepts it.  Acceptance is a fact, and it is the new identity that is journaled,
so that a restart in between holds the unit again.

What cannot be told: two units of one model and firmware without serial numbers are one and the same to us.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.core.books import Books
from kiosk.core.deviceboard import DeviceBoard, DevicePage
from kiosk.errors import DriverError
from kiosk.model import facts

#: Model, firmware, serial number; "" for what the unit does not tell.
Identity = tuple[str, str, str]
#: The state of a held device.
ANOTHER = "another_device"


def is_another(known: Identity | None, told: Identity) -> bool:
    """Tell whether these can not be the same unit, as far as it can be told.

    >>> is_another(("NV9", "3.21", "1007"), ("NV9", "4.02", "1007"))
    False
    >>> is_another(("NV9", "3.21", ""), ("NV9", "4.02", ""))
    True
    """
    if known is None or not any(known):
        return False
    if known[0] and known[0] != told[0]:
        return True
    if known[2] or told[2]:
        return bool(known[2]) and known[2] != told[2]
    return bool(known[1]) and known[1] != told[1]


class Strangers:
    """Owns who is held; refuses to decide who may accept."""

    def __init__(
        self, board: DeviceBoard, books: Books, commit: Callable[[Sequence[facts.AnyBody], str], None]
    ) -> None:
        """`commit` journals what a person did: bodies and who it was."""
        self._board = board
        self._books = books
        self._commit = commit

    def met(self, page: DevicePage) -> list[facts.AnyBody]:
        """Compare a unit that has just told who it is; return what is to be committed."""
        known, told = self._books.identities.get(page.name), identity_of(page)
        if is_another(known, told) and not self._board.follows(page.name):
            detail = f"{words(told)} instead of {words(known)}: kiosk devices accept {page.name}"
            self._board.hold(page.name, ANOTHER, detail)
            return [facts.DeviceChanged(page.name, ANOTHER, "fault", "", detail[:160])]
        self._board.let_go(page.name)
        return [] if known == told else [facts.DeviceIdentified(page.name, *told)]

    def accept(self, device: str, by: str) -> Identity:
        """Take the held unit as this device from now on: a person says so.

        Raises:
            DriverError: there is no such device, or it is not held.
            JournalError: it could not be journaled; the device stays held.
        """
        page = self._board.pages.get(device)
        if page is None:
            known = ", ".join(self._board.pages) or "none"
            raise DriverError(f"no device is called {device[:40]!r}", hint=f"there are: {known}")
        if page.behind is None:
            raise DriverError(f"{device} is not held: there is nothing to accept", hint="see `kiosk devices`")
        told = identity_of(page)
        acted = facts.OperatorActed("", "accept_device", f"{device}: {words(told)}"[:80])
        self._commit((acted, facts.DeviceIdentified(device, *told)), by)
        self._board.let_go(device)
        return told

    def released(self, device: str) -> None:
        """Accept the device where it is held: a person at the menu brings it back, which is journaled already."""
        page = self._board.pages.get(device)
        if page is not None and page.behind is not None:
            self._commit((facts.DeviceIdentified(device, *identity_of(page)),), f"device:{device}")
            self._board.let_go(device)


def identity_of(page: DevicePage) -> Identity:
    """Return what the unit told of itself."""
    return page.model, page.firmware, page.serial


def words(identity: Identity | None) -> str:
    """Say an identity in words.

    >>> words(("NV9", "", "1007"))
    'NV9, number 1007'
    """
    model, firmware, serial = identity or ("", "", "")
    parts = (model, f"firmware {firmware}" if firmware else "", f"number {serial}" if serial else "")
    return ", ".join(part for part in parts if part) or "a unit that tells nothing"
