"""A whole ccTalk bus for demos and tests: bill validator, coin acceptor and hopper on one line.

`CctalkUnits` is what is on the port; `Part` reaches into one unit of it as if it had a port of its own, so that hands
and pages need not know whether a unit shares its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import msgspec

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_bus import CctalkBus
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import USD_DOLLARS, CctalkHopper
from kiosk.protocols.cctalk.device_node import CctalkNode
from kiosk.protocols.cctalk.units import COIN_UNITS
from kiosk.simulators.note_units import note_unit
from kiosk.simulators.role_port import DeviceRole, RolePort

#: What can be on the bus.
UNITS = ("bill", "coin", "hopper")
#: Minor value of the coin in the hopper, in every currency that there is a coin set for.
HOPPER_COIN = 100
#: Coins in a hopper that is served alone; a demonstration fills its own.
FIRST_COINS = 50

Unit = TypeVar("Unit", bound=DeviceRole)


class CctalkUnits(CctalkBus):
    """Owns nothing but the units' common power."""

    def cut_power(self) -> None:
        """Take the power away from every unit."""
        for node in self.nodes:
            node.cut_power()

    def restore_power(self) -> None:
        """Give the power back to every unit."""
        for node in self.nodes:
            node.restore_power()


class Part(Generic[Unit]):
    """One unit of a bus with the bus's cable; refuses to know the other units."""

    def __init__(self, port: RolePort[CctalkUnits], role: Unit, name: str) -> None:
        self.port = port
        self.role = role
        self.name = name

    @property
    def died(self) -> BaseException | None:
        """What ended the thread of the bus, if anything but `stop` did."""
        return self.port.died

    @contextmanager
    def hands(self) -> Iterator[Unit]:
        """Reach into the unit: the whole bus is told the time first."""
        with self.port.hands():
            yield self.role

    def unplug(self) -> None:
        """Pull the cable of the whole bus."""
        self.port.unplug()

    def replug(self) -> None:
        """Put it back."""
        self.port.replug()


def coin_acceptor(currency: str) -> CctalkCoinAcceptor:
    """Build a simulated coin acceptor.

    Raises:
        SimulatorError: there is no such coin set.
    """
    if currency not in COIN_UNITS:
        raise SimulatorError(f"no simulated unit reads {currency[:8]!r}", hint=f"choose of {', '.join(COIN_UNITS)}")
    return CctalkCoinAcceptor(COIN_UNITS[currency])


def hopper(currency: str, coins: int = 0) -> CctalkHopper:
    """Build a simulated hopper of 1-unit coins, with so many of them in it.

    Raises:
        SimulatorError: there is no such coin set.
    """
    country = coin_acceptor(currency).unit.country
    unit = msgspec.structs.replace(USD_DOLLARS, currency=currency, country=country, coin=HOPPER_COIN)
    return CctalkHopper(unit, coins=coins)


def bus(currency: str = "USD", units: tuple[str, ...] = UNITS) -> CctalkUnits:
    """Put new units on a line.

    Raises:
        SimulatorError: there is no such unit or currency.
    """
    nodes: list[CctalkNode] = []
    for name in units:
        if name == "coin":
            nodes.append(coin_acceptor(currency))
        elif name == "hopper":
            nodes.append(hopper(currency, FIRST_COINS))
        elif name == "bill":
            nodes.append(as_node(note_unit("cctalk", currency)))
        else:
            raise SimulatorError(f"there is no simulated ccTalk {name[:20]!r}", hint=f"choose of {', '.join(UNITS)}")
    return CctalkUnits(nodes)


def as_node(unit: Any) -> CctalkNode:
    """Return a unit that can share a line.

    Raises:
        SimulatorError: it speaks another protocol.
    """
    if not isinstance(unit, CctalkNode):
        raise SimulatorError("only ccTalk units share a line", hint="give the unit a port of its own")
    return unit
