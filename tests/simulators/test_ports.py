"""Simulated devices on real ports: a real pty with parity, a real socket."""

from __future__ import annotations

import os
import select
import socket
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from kiosk.errors import SimulatorError
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.protocols.escpos.device_model import PrinterModel
from kiosk.protocols.escpos.device_print import TextLine
from kiosk.protocols.id003.codes import DeviceStatus, HostCommand
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.frames import Decoder, Frame, encode
from kiosk.simulators.pty_port import PtyPort
from kiosk.simulators.scanners import LineScannerDevice
from kiosk.simulators.tcp_port import TcpPort
from tests.descriptors import no_more_than, open_descriptors

PATIENCE_S = 5


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort[Id003Device]]:
    port = PtyPort(Id003Device(), tmp_path / "acceptor", name="acceptor")
    with port:
        yield port
    assert port.died is None


def opened(path: Path) -> serial.Serial:
    return serial.Serial(str(path), 9600, parity="E", timeout=0, exclusive=True)


def read(line: serial.Serial, until: int) -> bytes:
    data, end = b"", time.monotonic() + PATIENCE_S
    while len(data) < until and time.monotonic() < end:
        select.select([line.fileno()], [], [], 0.05)
        data += line.read(256)
    return data


def use(line: serial.Serial) -> None:
    for _ in range(100):
        line.write(b"x")
        line.read(1)
        time.sleep(0.01)


def ask(line: serial.Serial, cmd: int, data: bytes = b"") -> int:
    line.write(encode(cmd, data))
    decoder, end = Decoder(), time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        for item in decoder.feed(read(line, 1)):
            assert isinstance(item, Frame)
            return item.cmd
    raise AssertionError("no answer")


def test_a_program_with_even_parity_talks_to_the_unit(port: PtyPort[Id003Device]) -> None:
    with opened(port.path) as line:
        assert ask(line, HostCommand.STATUS_REQUEST) == DeviceStatus.POWER_UP
        assert ask(line, HostCommand.RESET) == DeviceStatus.ACK


def test_a_restarted_program_can_open_the_same_port_again(port: PtyPort[Id003Device]) -> None:
    for _ in range(5):
        with opened(port.path) as line:
            assert ask(line, HostCommand.STATUS_REQUEST) == DeviceStatus.POWER_UP


def test_hands_act_at_once_and_the_unit_lives_on_between_programs(port: PtyPort[Id003Device]) -> None:
    with opened(port.path) as line:
        ask(line, HostCommand.RESET)
    with port.hands() as device:
        device.cut_power()
        device.restore_power()
        assert device.status is None
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and port.role.status is None:
        time.sleep(0.01)
    with opened(port.path) as line:
        assert ask(line, HostCommand.STATUS_REQUEST) == DeviceStatus.POWER_UP


def test_unplug_hangs_up_and_replug_brings_the_path_back(port: PtyPort[Id003Device]) -> None:
    line = opened(port.path)
    assert ask(line, HostCommand.STATUS_REQUEST) == DeviceStatus.POWER_UP
    port.unplug()
    assert not port.path.exists()
    with pytest.raises((OSError, termios.error)):
        use(line)
    line.close()
    port.replug()
    with opened(port.path) as line:
        assert ask(line, HostCommand.STATUS_REQUEST) == DeviceStatus.POWER_UP


def test_a_hundred_replugs_leak_no_descriptor(port: PtyPort[Id003Device]) -> None:
    before = open_descriptors()
    for _ in range(100):
        port.unplug()
        port.replug()
    assert no_more_than(before + 1)


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    with pytest.raises(SimulatorError):
        PtyPort(LineScannerDevice(), path).start()
    assert path.read_text() == "mine"


def test_stop_takes_the_path_away(tmp_path: Path) -> None:
    port = PtyPort(LineScannerDevice(), tmp_path / "scanner")
    port.start()
    assert port.path.exists()
    port.stop()
    assert not port.path.is_symlink()


def test_a_scan_reaches_the_program(tmp_path: Path) -> None:
    with PtyPort(LineScannerDevice(), tmp_path / "scanner") as port, serial.Serial(str(port.path), timeout=0) as line:
        time.sleep(0.1)  # the port looks for a program every 20 ms
        with port.hands() as scanner:
            assert scanner.scan("2600041712")
        assert read(line, 11) == b"2600041712\r"


def test_a_role_behind_tcp_answers_one_program_after_another() -> None:
    with TcpPort(Id003Device()) as port:
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port.port), PATIENCE_S) as line:
                line.sendall(encode(HostCommand.STATUS_REQUEST))
                assert line.recv(64) == encode(DeviceStatus.POWER_UP)
        port.unplug()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port.port), PATIENCE_S)
        port.replug()
        with socket.create_connection(("127.0.0.1", port.port), PATIENCE_S) as line:
            line.sendall(encode(HostCommand.STATUS_REQUEST))
            assert line.recv(64) == encode(DeviceStatus.POWER_UP)
    assert port.died is None


def test_a_printer_without_paper_stops_reading_and_goes_on_with_a_new_roll(tmp_path: Path) -> None:
    printer = EscposPrinter(PrinterModel(dots_per_second=0, roll_mm=10_000_000))
    with PtyPort(printer, tmp_path / "printer") as port, serial.Serial(str(port.path), timeout=0) as line:
        with port.hands() as device:
            device.paper_out()
        job = b"0123456789\n" * 3000
        os.set_blocking(line.fileno(), False)
        sent, end = 0, time.monotonic() + PATIENCE_S
        while sent < len(job) and time.monotonic() < end:
            try:
                sent += os.write(line.fileno(), job[sent:])
            except BlockingIOError:
                if port.role.room() == 0:
                    break
            time.sleep(0.005)
        assert sent < len(job), "somebody must have stopped reading"
        with port.hands() as device:
            assert device.room() == 0
            device.load_paper()
        while sent < len(job) and time.monotonic() < end:
            try:
                sent += os.write(line.fileno(), job[sent:])
            except BlockingIOError:
                time.sleep(0.005)
        while len(port.role.hanging.lines) < 3000 and time.monotonic() < end:
            time.sleep(0.01)
        assert {line.text for line in port.role.hanging.lines if isinstance(line, TextLine)} == {"0123456789"}
        assert len(port.role.hanging.lines) == 3000
        assert port.role.counters["overrun"] == 0
