"""Two programs want the same port, journal, socket or screen: one keeps working, the other ends with a clear line."""

from __future__ import annotations

import os

import pytest

from kiosk.errors import TransportError
from kiosk.model import facts
from kiosk.transports.serial_line import SerialPath, SerialSettings
from tests.app.live_kiosk import FIFTEEN, live_kiosk, run_kiosk, until


def test_a_second_kiosk_on_the_same_journal_names_the_holder_and_the_first_is_unharmed() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting(FIFTEEN)
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        # Another runtime directory and another port: only the journal is shared.
        text = kiosk.directory.config.read_text("utf-8")
        other = kiosk.root / "other.toml"
        other.write_text(text.replace(str(kiosk.directory.runtime), str(kiosk.root / "other-run")), "utf-8")
        done = run_kiosk("run", "--config", str(other))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert f"is in use by process {os.getpid()}" in done.stderr
        left = {path.name for path in (kiosk.root / "other-run").iterdir()}
        assert not left & {"core.sock", "screen.url"}  # neither socket nor start address stays behind
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        assert kiosk.in_box == kiosk.booked() == 1500
        assert len(kiosk.bodies(facts.Started)) == 1


def test_a_second_kiosk_in_the_same_runtime_directory_is_refused_and_the_socket_stays() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        done = run_kiosk("run", "--config", str(kiosk.directory.config))
        assert done.returncode == 1
        assert "another kiosk answers on" in done.stderr
        assert "Traceback" not in done.stderr
        assert kiosk.status()["state"] == "idle"
        assert kiosk.address() == kiosk.directory.screen_url.read_text().strip()


def test_a_socket_that_a_dead_kiosk_left_behind_is_in_nobodys_way() -> None:
    import socket

    with live_kiosk() as kiosk:
        kiosk.stop()
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(kiosk.socket))
        left.close()
        kiosk.start()
        assert kiosk.status()["kiosk"] == "K07"


def test_a_second_program_on_a_device_port_is_refused_and_the_kiosk_keeps_it() -> None:
    with live_kiosk() as kiosk:
        kiosk.to_accepting(FIFTEEN)
        port = str(kiosk.directory.ports["notes"])
        line = SerialPath(SerialSettings(port=port, baud=9600, parity="E"))
        with pytest.raises(TransportError) as told:
            line.open()
        assert port in told.value.message
        assert told.value.hint
        line.close()
        kiosk.insert(10)
        kiosk.wait_inserted(1000)
        assert [device["severity"] for device in kiosk.health()["devices"]] == ["ok", "ok", "ok"]


def test_a_port_that_another_program_holds_is_told_and_taken_when_it_is_free() -> None:
    with live_kiosk() as kiosk:
        kiosk.wait("idle")
        kiosk.stop()
        line = SerialPath(SerialSettings(port=str(kiosk.directory.ports["notes"]), baud=9600, parity="E"))
        line.open()
        kiosk.start()
        shot = kiosk.wait("out_of_service")
        assert shot["allowed"] == [] or "pay" not in shot["allowed"]
        notes = until(
            lambda: [each for each in kiosk.health()["devices"] if each["name"] == "notes" and each["detail"]],
            "the trouble is on the health page",
        )[0]
        assert notes["severity"] == "fault"
        assert "use" in notes["detail"] or "busy" in notes["detail"]
        line.close()
        assert kiosk.wait("idle")["screen"] == "idle"


def test_the_screens_port_taken_by_another_program_stops_the_start_with_a_clear_line() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, live_kiosk() as kiosk:
        port = taken.getsockname()[1]
        kiosk.stop()
        text = kiosk.directory.config.read_text("utf-8")
        kiosk.directory.config.write_text(text.replace("port = 0", f"port = {port}"), "utf-8")
        done = run_kiosk("run", "--config", str(kiosk.directory.config))
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
        assert "Traceback" not in done.stderr
        assert not kiosk.socket.exists()
