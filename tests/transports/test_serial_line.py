"""Serial ports on real ptys: exclusive, hung up, put back a hundred times, and never a leaked descriptor."""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path
from kiosk.transports.path import BytePath
from kiosk.transports.serial_line import SerialPath, SerialSettings
from tests.descriptors import no_more_than, open_descriptors


class Line:
    """A pty whose far end is a device; the node is reached through a link, like one below by-id."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.master = -1

    def plug(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        self.link.unlink()
        os.close(self.master)
        self.master = -1


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "usb-Example_Acceptor_0001-if00")
    made.plug()
    yield made
    if made.master >= 0:
        os.close(made.master)


def path_to(line: Line, **settings: object) -> BytePath:
    return make_path("serial", {"port": str(line.link), **settings})


def read_some(path: BytePath, limit_ms: int = 5000) -> bytes:
    poll = select.poll()
    poll.register(path.fileno(), select.POLLIN)
    assert poll.poll(limit_ms), "nothing came"
    return path.read()


def test_bytes_go_both_ways_and_nothing_to_read_is_not_an_error(line: Line) -> None:
    path = path_to(line)
    assert path.open() == {"path": str(line.link), "kind": "serial"}
    assert path.read() == b""
    os.write(line.master, b"\xfc\x05\x11")
    assert read_some(path) == b"\xfc\x05\x11"
    assert path.write(b"\x00\x03\x11\x13") == 4
    assert os.read(line.master, 10) == b"\x00\x03\x11\x13"
    path.close()
    path.close()


def test_even_parity_opens_again_on_the_same_pty_where_the_kernel_calls_it_invalid(line: Line) -> None:
    path = path_to(line, parity="E", baud=9600)
    for _ in range(3):
        path.open()
        os.write(line.master, b"x")
        assert read_some(path) == b"x"
        path.close()


def test_a_second_process_on_the_port_gets_a_clear_error(line: Line) -> None:
    first, second = path_to(line), path_to(line)
    first.open()
    with pytest.raises(TransportError) as caught:
        second.open()
    assert "another program holds this port" in caught.value.message
    assert "fuser" in caught.value.hint
    assert caught.value.transient
    assert first.write(b"still ours") == 10
    first.close()
    second.open()
    second.close()


def test_a_port_that_is_not_there_says_so_and_may_come(line: Line) -> None:
    path = path_to(line)
    line.unplug()
    assert path.present() is False
    with pytest.raises(TransportError, match="no such device") as caught:
        path.open()
    assert caught.value.transient


def test_a_hang_up_is_told_by_reading_and_by_writing(line: Line) -> None:
    path = path_to(line)
    path.open()
    line.unplug()
    with pytest.raises(TransportError, match=r"hung up|unplugged|Input/output"):
        read_some(path)
    with pytest.raises(TransportError):
        path.write(b"x")
    path.close()


def test_what_came_before_the_hang_up_is_still_read(line: Line) -> None:
    path = path_to(line)
    path.open()
    os.write(line.master, b"last words")
    assert read_some(path) == b"last words"
    line.unplug()
    with pytest.raises(TransportError):
        read_some(path)
    path.close()


def test_a_hundred_replugs_leak_no_descriptor(line: Line) -> None:
    path = path_to(line, parity="E")
    path.open()
    before = open_descriptors()
    for _ in range(100):
        line.unplug()
        with pytest.raises(TransportError):
            read_some(path)
        path.close()
        with pytest.raises(TransportError):
            path.open()
        line.plug()
        path.open()
        os.write(line.master, b"y")
        assert read_some(path) == b"y"
    assert no_more_than(before)
    path.close()


def test_a_full_line_takes_nothing_more_and_forgets_what_it_is_told_to(line: Line) -> None:
    path = path_to(line)
    path.open()
    total = 0
    while count := path.write(b"z" * 4096):
        total += count
    assert total > 0
    path.drop_output()
    path.close()


def test_modem_lines_that_are_missing_are_an_answer_and_not_a_fault(line: Line) -> None:
    path = path_to(line)
    path.open()
    assert not path.request(PortRequest(1, "modem_lines", b"\x03")).ok
    assert not path.request(PortRequest(2, "usb_class_in", b"")).ok
    assert path.write(b"alive") == 5
    path.close()


@pytest.mark.parametrize(("lines_in", "told"), [(True, b"\x03"), (False, b"")])
def test_modem_lines_are_set_and_read_back_where_they_can_be(line: Line, lines_in: bool, told: bytes) -> None:
    class Adapter:
        """A port with RTS and DTR, and perhaps with CTS and DSR."""

        rts = dtr = False
        dsr, cd = True, False

        @property
        def cts(self) -> bool:
            if not lines_in:
                raise OSError(25, "Inappropriate ioctl for device")
            return True

    path = SerialPath(SerialSettings(port=str(line.link)))
    adapter = Adapter()
    path._port = adapter  # type: ignore[assignment]
    reply = path.request(PortRequest(1, "modem_lines", b"\x02"))
    assert (adapter.rts, adapter.dtr) == (False, True)
    assert (reply.ok, reply.data) == (True, told)


def test_flushing_throws_the_input_away(line: Line) -> None:
    path = path_to(line)
    path.open()
    os.write(line.master, b"boot banner")
    select.select([path.fileno()], [], [], 5)
    assert path.request(PortRequest(1, "flush_input")).ok
    assert path.read() == b""
    path.close()


@pytest.mark.parametrize("port", ["ttyUSB0", "usb:12:34", "serial:", ""])
def test_a_port_written_in_no_known_way_is_refused(port: str) -> None:
    with pytest.raises(TransportError, match="is not a port"):
        SerialPath(SerialSettings(port=port)).open()


def test_a_file_that_is_no_port_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(TransportError):
        SerialPath(SerialSettings(port=str(tmp_path / "file"))).open()


@pytest.mark.parametrize("wrong", [{"parity": "X"}, {"bits": 9}, {"stop": 3}, {"baud": 0}])
def test_a_setting_that_no_port_has_is_refused_when_the_configuration_is_read(
    line: Line, wrong: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        path_to(line, **wrong)
