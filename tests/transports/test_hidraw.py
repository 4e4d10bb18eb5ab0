"""hidraw nodes: one report a read, locked, lost when they go.  A named pipe stands in for the node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kiosk.errors import ConfigError, TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path


@pytest.fixture
def node(tmp_path: Path) -> Path:
    made = tmp_path / "hidraw0"
    os.mkfifo(made)
    return made


def test_reports_are_read_and_flushed_and_a_second_opening_is_refused(node: Path) -> None:
    path = make_path("hidraw", {"port": str(node)})
    assert path.open()["kind"] == "hidraw"
    assert path.read() == b""
    assert path.write(b"\x02\x0fPK-4711") == 9
    assert path.read() == b"\x02\x0fPK-4711"
    path.write(b"old")
    assert path.request(PortRequest(1, "flush_input")).ok
    assert path.read() == b""
    assert not path.request(PortRequest(2, "modem_lines")).ok
    with pytest.raises(TransportError, match="opening failed") as caught:
        make_path("hidraw", {"port": str(node)}).open()
    assert "another program" in caught.value.hint
    path.close()
    assert path.fileno() == -1


def test_a_missing_node_may_come_and_a_number_is_no_path(node: Path) -> None:
    node.unlink()
    path = make_path("hidraw", {"port": str(node)})
    assert path.present() is False
    with pytest.raises(TransportError, match="no such device"):
        path.open()
    with pytest.raises(ConfigError, match="not a path"):
        make_path("hidraw", {"port": "hidraw0"})
