"""`kiosk devices`: how surely each is named, what is plugged in, and a unit taken as it is."""

from __future__ import annotations

import json
import tomllib

import pytest

from kiosk.cli.root import NOT_REACHED, PROBLEM
from kiosk.transports.plugged import Plugged
from tests.cli.conftest import Run

ADAPTER = Plugged("serial", "/dev/ttyUSB0", "USB Serial", "1a86", "7523", "", "1-2", (), "usbport:1-2", "socket")
PRINTER = Plugged("usb_printer", "1-3", "TM\x1b[2J", "04b8", "0e28", "X7", "1-3", (), "usb:04b8:0e28:X7", "serial")


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.transports.plugged.plugged", lambda: [ADAPTER, PRINTER])


def test_a_scan_prints_lines_that_a_configuration_takes(run: Run, hardware: None) -> None:
    result = run("devices", "scan")
    assert result.exit_code == 0
    lines = result.stdout.split("\n\n", 1)[1]
    devices = tomllib.loads(lines)["device"]
    assert devices[0]["line"] == {"port": "usbport:1-2"}
    assert (devices[1]["driver"], devices[1]["line"]) == ("escpos_printer", {"port": "usb:04b8:0e28:X7"})
    assert "follows the socket, not the device" in lines
    assert "\x1b" not in result.stdout


def test_a_scan_in_json_holds_the_same(run: Run, hardware: None) -> None:
    told = json.loads(run("devices", "scan", "--json").stdout)
    assert told["schema"] == "kiosk-plugged-1"
    assert [each["name"] for each in told["devices"]] == ["usbport:1-2", "usb:04b8:0e28:X7"]


def test_an_empty_machine_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.transports.plugged.plugged", list)
    assert "is plugged in" in run("devices", "scan").stdout


def test_a_running_kiosk_tells_how_each_port_is_named(ask: Run) -> None:
    told = {each["device"]: each for each in json.loads(ask("devices", "--json").stdout)["devices"]}
    assert {each["steady"] for each in told.values()} <= {"unknown", "address"}
    assert "named by" in ask("devices").stdout


def test_what_is_wrong_with_a_device_is_not_marked_as_well(
    run: Run, monkeypatch: pytest.MonkeyPatch, hardware: None
) -> None:
    page = {"state": "misconfigured", "severity": "fault", "detail": "no security bytes"}
    hopper = {"device": "quarters", "device_class": "CoinDispenser", "driver": "cctalk_hopper", "transport": "serial",
              "port": "/dev/kiosk/cctalk0", "state": "in_service", "restarts": 0, "last_error": "",
              "page": page}  # fmt: skip
    monkeypatch.setattr("kiosk.core.control.call", lambda *_: {"devices": [hopper]})
    result = run("devices")
    assert result.exit_code == PROBLEM
    assert "fault   quarters: no security bytes" in result.stdout


def test_a_device_that_is_not_held_cannot_be_accepted(ask: Run) -> None:
    result = ask("devices", "accept", "notes")
    assert result.exit_code == PROBLEM
    assert "is not held" in result.stderr
    assert ask("devices", "accept", "nobody").exit_code == PROBLEM


def test_accepting_needs_a_running_kiosk(run: Run) -> None:
    assert run("devices", "accept", "notes").exit_code in (PROBLEM, NOT_REACHED)
