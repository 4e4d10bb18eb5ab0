"""The ccTalk drivers as they are, on one pty, with a bus of simulated units at its other end."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kiosk.core.supervisor import DeviceConfig, DeviceNews, Supervisor
from kiosk.model.commands import Confirm, EnableCoins
from kiosk.model.device_events import CoinAccepted, CoinsKnown, DeviceState, HopperKnown, ProtocolFault
from kiosk.plugins.devices import DriverTools
from kiosk.protocols.cctalk.device_bill import CctalkBillValidator
from kiosk.protocols.cctalk.device_bus import CctalkBus
from kiosk.protocols.cctalk.device_coin import CctalkCoinAcceptor
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from kiosk.simulators.pty_port import PtyPort

DRIVERS = {"coins": "cctalk_coin_acceptor", "notes": "cctalk_bill_validator", "hopper": "cctalk_hopper"}
OPTIONS = {"hopper": {"security": "serial"}}


@pytest.mark.parametrize("echo", [False, True], ids=["no echo", "echo"])
def test_coins_notes_and_a_hopper_speak_on_one_wire_and_a_coin_is_credited_once(tmp_path: Path, echo: bool) -> None:
    acceptor, hopper = CctalkCoinAcceptor(), CctalkHopper(coins=40)
    port = PtyPort(CctalkBus((acceptor, CctalkBillValidator(), hopper), echo=echo), tmp_path / "bus", name="bus")
    specs = {name: import_module(f"kiosk.drivers.{name}").SPEC for name in DRIVERS.values()}
    news: queue.Queue[DeviceNews] = queue.Queue()
    with port:
        supervisor = Supervisor(
            [DeviceConfig(name=name, driver=driver, line={"port": str(port.path)}, options=OPTIONS.get(name, {}))
             for name, driver in DRIVERS.items()],
            specs, DriverTools("USD"), news.put, lambda device: ({}, None, bytes(32)), hotplug=False,
        )  # fmt: skip
        supervisor.start()

        def told(device: str, kind: type) -> list[Any]:
            return [each.event for each in list(news.queue) if each.device == device and isinstance(each.event, kind)]

        def well(device: str) -> bool:
            states = told(device, DeviceState)
            return bool(states) and states[-1].severity in ("ok", "warn")

        try:
            until(lambda: all(well(name) for name in DRIVERS), lambda: _last(news))
            until(lambda: bool(told("coins", CoinsKnown)) and bool(told("hopper", HopperKnown)), lambda: _last(news))
            supervisor.post("coins", EnableCoins(told("coins", CoinsKnown)[-1].values))

            def inserted() -> bool:
                with port.hands():
                    return acceptor.insert_coin(25)

            until(inserted, lambda: _last(news))
            until(lambda: bool(told("coins", CoinAccepted)), lambda: _last(news))
            (credit,) = told("coins", CoinAccepted)
            assert credit.value is not None
            assert credit.value.minor == 25
            supervisor.post("coins", Confirm(credit.token))
            until(lambda: all(each.counters.get("BytesReceivedCount", 0) > 100 for each in supervisor.status()), str)
            assert {each.state for each in supervisor.status()} == {"in_service"}
            assert told("coins", CoinAccepted) == [credit]
            faults = [each for name in DRIVERS for each in told(name, ProtocolFault)]
            assert not [each for each in faults if each.kind in ("checksum", "stray", "turn")], faults
            assert all("TurnLostCount" not in each.counters for each in supervisor.status())
        finally:
            assert supervisor.stop() == []


def _last(news: queue.Queue[DeviceNews]) -> str:
    return "; ".join(f"{each.device}: {each.event}" for each in list(news.queue)[-6:])


def until(true: Callable[[], bool], why: Callable[[], str]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, why()
        time.sleep(0.005)
