"""One simulated device alone: served, scripted, and driven by typed lines, with a real program at the other end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.frames import Framing
from kiosk.protocols.cctalk.headers import Header
from kiosk.protocols.id003.codes import DeviceStatus, HostCommand
from kiosk.protocols.id003.device import Id003Device
from kiosk.protocols.id003.frames import Decoder, Frame, encode
from kiosk.protocols.id003.units import USD_UNIT
from kiosk.simulators import scenario
from kiosk.simulators.lone_stage import LoneStage
from kiosk.simulators.pty_port import PtyPort
from kiosk.simulators.serve import KINDS, describe, make_device, serve, words_of
from kiosk.simulators.tcp_port import TcpPort


class TinyHost(threading.Thread):
    """Brings an acceptor into service and stacks every note; the least a program can be."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.line = serial.Serial(str(path), 9600, parity="E", timeout=0)
        self.done = threading.Event()

    def run(self) -> None:
        decoder = Decoder()
        while not self.done.wait(0.02):
            self.line.write(encode(HostCommand.STATUS_REQUEST))
            time.sleep(0.02)
            for item in decoder.feed(self.line.read(256)):
                if isinstance(item, Frame):
                    self.react(item.cmd)
        self.line.close()

    def react(self, status: int) -> None:
        answers = {
            DeviceStatus.POWER_UP: encode(HostCommand.RESET),
            DeviceStatus.DISABLED: encode(HostCommand.SET_INHIBIT, b"\x00"),
            DeviceStatus.ESCROW: encode(HostCommand.STACK_2),
            DeviceStatus.VEND_VALID: encode(HostCommand.ACK),
        }
        if status in answers:
            self.line.write(answers[DeviceStatus(status)])


@pytest.fixture
def acceptor(tmp_path: Path) -> Iterator[LoneStage]:
    with PtyPort(Id003Device(USD_UNIT), tmp_path / "acceptor") as port:
        host = TinyHost(port.path)
        host.start()
        yield LoneStage(port, patience_ms=10_000)
        host.done.set()
        host.join(5)


def test_a_scenario_feeds_an_acceptor_that_a_real_program_drives(acceptor: LoneStage) -> None:
    story = "insert USD 20\nwait 100 ms\ninsert 5\nexpect box 20.00\n"
    scenario.play(scenario.parse(story), acceptor)
    with pytest.raises(scenario.ScenarioError, match=r"story:1: expect box USD 99.00: there is USD"):
        scenario.play(scenario.parse("expect box 99", source="story"), acceptor, source="story")


def test_a_step_without_its_device_or_screen_says_so(acceptor: LoneStage) -> None:
    for line in ("scan 123", "touch pay", "expect receipt", "expect due 5", "insert EUR 5"):
        with pytest.raises(scenario.ScenarioError, match=line.split()[0]):
            scenario.play(scenario.parse(line), acceptor)


def test_a_stopped_stage_lets_go_of_a_step_that_waits(acceptor: LoneStage) -> None:
    threading.Timer(0.1, acceptor.stop).start()
    with pytest.raises(scenario.ScenarioError):
        scenario.play(scenario.parse("wait 60 s"), acceptor)


def test_typed_lines_are_carried_out_and_mistakes_told(tmp_path: Path) -> None:
    told: list[str] = []
    lines = ["help", "state", "jam stacker", "sing", "fill stacker", "clear jam", "quit", "cheat"]
    assert serve("id003", tmp_path / "unit", lines=lines, tell=told.append) == 1
    assert told[0] == f"id003 on {tmp_path / 'unit'}"
    assert any("means nothing here" in text for text in told)
    assert any(text.startswith("POWER_UP, box 0") for text in told)


def test_help_names_only_what_the_device_can_do() -> None:
    printer, acceptor, hopper = (words_of(make_device(*each)) for each in (("escpos",), ("id003",), ("cctalk",)))
    assert "tear paper" in printer
    assert "insert" not in printer
    assert "lose replies" in acceptor
    assert "hopper" not in acceptor
    assert "insert coin" in hopper
    assert not any("touch" in each or "hub" in each for each in (printer, acceptor, hopper))


def test_who_waits_for_a_unit_that_no_host_enables_is_told_so(tmp_path: Path) -> None:
    told: list[str] = []
    with PtyPort(make_device("ccnet"), tmp_path / "unit") as port:
        stage = LoneStage(port, patience_ms=200, tell=told.append)
        with pytest.raises(scenario.ScenarioError, match="did not let it happen") as caught:
            scenario.play(scenario.parse("insert 20"), stage)
    assert "enable" in caught.value.hint
    assert [text for text in told if "waiting" in text] == told != []


def test_a_cctalk_bus_has_every_unit_at_its_usual_address_or_only_the_one_asked_for(tmp_path: Path) -> None:
    asked = Framing()
    for device, there in (("all", [2, 3, 40]), ("hopper", [3]), ("coin", [2]), ("bill", [40])):
        with PtyPort(make_device("cctalk", device=device), tmp_path / device) as port:
            heard = []
            with serial.Serial(str(port.path), 9600, timeout=2) as line:
                for address in there:
                    request = asked.encode(address, Header.SIMPLE_POLL, b"", source=1)
                    for _ in range(40):  # a unit is silent until it has booted
                        line.timeout = 0.1
                        line.write(request)
                        answer = line.read(5)
                        if answer:
                            heard.append(answer[2])
                            break
            assert heard == there
            assert len(describe(port).split("; ")) == len(there)


def test_coins_in_a_hopper_are_what_hands_put_in_and_took_out(tmp_path: Path) -> None:
    told: list[str] = []
    lines = ["empty hopper", "fill hopper 7", "jam hopper", "free hopper", "expect coins 0", "expect coins 1"]
    assert serve("cctalk", tmp_path / "bus", lines=lines, tell=told.append) == 1
    assert "7 coins inside" in told[-2]
    assert told[-1].startswith("line:6: expect coins USD 1.00: USD 0.00 came out")
    alone = LoneStage(PtyPort(make_device("cctalk", device="bill"), tmp_path / "bill"))
    with pytest.raises(scenario.ScenarioError, match="there is no such device here"):
        scenario.play(scenario.parse("fill hopper 1"), alone)


def test_a_coin_is_put_in_again_until_the_unit_takes_it(tmp_path: Path) -> None:
    with PtyPort(make_device("cctalk", device="coin"), tmp_path / "coin") as port:
        stage = LoneStage(port, patience_ms=300)
        with pytest.raises(scenario.ScenarioError, match="did not let it happen"):
            scenario.play(scenario.parse("insert coin 0.25"), stage)  # nobody polls it
        with pytest.raises(scenario.ScenarioError, match="knows no coin"):
            scenario.play(scenario.parse("insert coin 0.03"), stage)


def test_a_printer_on_a_socket_prints_and_shows_its_receipts() -> None:
    with TcpPort(make_device("escpos")) as port:
        with socket.create_connection(("127.0.0.1", port.port), 5) as line:
            line.sendall(b"\x1b@hello\n\x1dVB\x10\x1dr\x01")
            assert line.recv(8) == b"\x00"
        stage = LoneStage(port, patience_ms=5_000)
        scenario.play(scenario.parse("expect receipt\nexpect no receipt\nopen cover\n"), stage)
        assert "status 1a 16 12 12, 1 receipts" in describe(port)


def test_a_scanner_plays_its_file_to_a_program(tmp_path: Path) -> None:
    story = tmp_path / "scan.txt"
    story.write_text("wait 300 ms\nscan 2600041712\nwait 300 ms\n")
    heard = bytearray()

    def listen() -> None:
        end = time.monotonic() + 5
        while not (tmp_path / "gun").exists() and time.monotonic() < end:
            time.sleep(0.01)
        with serial.Serial(str(tmp_path / "gun"), timeout=0.05) as line:
            while not heard.endswith(b"\r") and time.monotonic() < end:
                heard.extend(line.read(64))

    program = threading.Thread(target=listen)
    program.start()
    assert serve("scanner", tmp_path / "gun", story) == 0
    program.join(6)
    assert bytes(heard) == b"2600041712\r"


def test_a_device_stays_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    seen: list[bool] = []
    serve("scanner", tmp_path / "gun", until=lambda: seen.append((tmp_path / "gun").exists()))
    assert seen == [True]
    assert not (tmp_path / "gun").is_symlink()


def test_what_cannot_be_served_is_told_with_a_hint(tmp_path: Path) -> None:
    for call in (
        lambda: make_device("toaster"),
        lambda: make_device("id003", currency="XXX"),
        lambda: make_device("escpos", model="laser"),
        lambda: make_device("cctalk", device="slot"),
        lambda: make_device("cctalk", currency="XXX"),
        lambda: make_device("id003", device="coin"),
        lambda: serve("id003"),
        lambda: serve("id003", tmp_path / "unit", tmp_path / "missing.txt"),
    ):
        with pytest.raises(SimulatorError) as caught:
            call()
        assert caught.value.hint
    assert set(KINDS) == {"id003", "ccnet", "ebds", "ssp", "cctalk", "escpos", "scanner"}
