"""Each injected fault gives its id, its state and a line that mends it (screens sheet §6, CL1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk import app
from kiosk.cli import doctor_checks
from kiosk.cli.doctor_checks import examine
from kiosk.cli.machine import Machine
from kiosk.cli.machine_checks import Check

TOML = """\
[kiosk]
id = "K07"
[paths]
state = "state"
runtime = "run"
[[device]]
name = "notes"
driver = "id003_acceptor"
line = { port = "/dev/kiosk/bill0" }
[[device]]
name = "receipt"
driver = "escpos_printer"
transport = "usb_printer"
line = { port = "usb:04b8:0e28" }
"""


class Doctored(Machine):
    """A machine in a directory."""

    free = 10 << 30

    def free_bytes(self, path: Path) -> int:
        """Return what the test says."""
        return self.free


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a live kiosk that has not been started yet."""
    file = tmp_path / "kiosk.toml"
    file.write_text(TOML, "utf-8")
    (tmp_path / "state").mkdir(mode=0o700)
    return file


@pytest.fixture
def machine(tmp_path: Path) -> Doctored:
    """A machine on which everything is as it should be."""
    root = tmp_path / "root"
    for folder in ("etc/chromium/policies/managed", "proc/1", "dev/kiosk", "run/systemd/system", "run/systemd/timesync",
                   "lib/systemd/system", "usr/bin"):  # fmt: skip
        (root / folder).mkdir(parents=True)
    (root / "etc/passwd").write_text("kiosk:x:990:980::/:/bin/false\n", "utf-8")
    (root / "etc/group").write_text("dialout:x:20:kiosk\ninput:x:21:kiosk\nlp:x:7:kiosk\n", "utf-8")
    (root / "proc/modules").write_text("ftdi_sio 61440 0 - Live 0x0\n", "utf-8")
    (root / "proc/1/comm").write_text("systemd\n", "utf-8")
    (root / "proc/mounts").write_text("/dev/mmcblk0p3 / ext4 rw,relatime 0 0\n", "utf-8")
    (root / "dev/kiosk/bill0").touch()
    (root / "run/systemd/timesync/synchronized").touch()
    (root / "usr/bin/chromium").touch()
    (root / "etc/chromium/policies/managed/kiosk.json").write_text(
        '{"URLAllowlist": ["http://127.0.0.1:8080"]}', "utf-8"
    )
    unit = "[Service]\nType=notify\nWatchdogSec=30\nRestart=always\n"
    (root / "lib/systemd/system/kiosk.service").write_text(unit, "utf-8")
    return Doctored(root)


def of(checks: list[Check], name: str) -> list[str]:
    """Return the states of the checks with an id."""
    return [each.state for each in checks if each.id == name]


def test_a_good_machine_lacks_only_its_data_and_its_start(machine: Doctored, config: Path) -> None:
    checks = examine(machine, config)
    wrong = {each.id for each in checks if each.state in ("warn", "fail")}
    assert wrong == {"running", "replica", "commissioned"}


def _text(path: str, text: str) -> object:
    def spoil(machine: Doctored) -> None:
        file = machine.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    return spoil


FAULTS = [
    ("groups", "fail", "usermod", _text("etc/group", "dialout:x:20:kiosk\n")),
    ("ports", "fail", "udev", lambda machine: (machine.root / "dev/kiosk/bill0").unlink()),
    ("usblp", "fail", "modprobe", _text("proc/modules", "usblp 24576 0 - Live 0x0\n")),
    ("modemmanager", "fail", "systemctl", _text("proc/77/comm", "ModemManager\n")),
    ("brltty", "fail", "systemctl", _text("proc/78/comm", "brltty\n")),
    ("cups", "warn", "systemctl", _text("proc/79/comm", "cupsd\n")),
    ("disk", "fail", "space", lambda machine: setattr(machine, "free", 1 << 20)),
    ("filesystem", "fail", "remount", _text("proc/mounts", "/dev/mmcblk0p3 / ext4 ro 0 0\n")),
    ("filesystem", "fail", "fstab", _text("proc/mounts", "/dev/mmcblk0p3 / ext4 rw,nobarrier 0 0\n")),
    ("filesystem", "fail", "disk", _text("proc/mounts", "none / tmpfs rw 0 0\n")),
    ("clock_sync", "warn", "chrony", lambda machine: (machine.root / "run/systemd/timesync/synchronized").unlink()),
    ("policy", "fail", "port", _text("etc/chromium/policies/managed/kiosk.json", "{}")),
    ("units", "fail", "unit", _text("lib/systemd/system/kiosk.service", "[Service]\nType=simple\n")),
]


@pytest.mark.parametrize(("name", "state", "fix", "spoil"), FAULTS, ids=[f"{each[0]}-{each[2]}" for each in FAULTS])
def test_a_fault_is_found_with_a_line_that_mends_it(
    name: str, state: str, fix: str, spoil: object, machine: Doctored, config: Path
) -> None:
    assert callable(spoil)
    assert state not in of(examine(machine, config), name)
    spoil(machine)
    found = [each for each in examine(machine, config) if each.id == name and each.state == state]
    assert found
    assert fix in found[0].fix


@pytest.mark.parametrize(
    ("port", "state"), [("dev/ttyUSB0", "warn"), ("dev/serial/by-path/pci-0-usb-0:1:1.0-port0", "ok")]
)
def test_a_port_that_changes_places_is_found(machine: Doctored, config: Path, port: str, state: str) -> None:
    (machine.root / port).parent.mkdir(parents=True, exist_ok=True)
    (machine.root / port).touch()
    config.write_text(config.read_text("utf-8").replace("/dev/kiosk/bill0", f"/{port}"), "utf-8")
    found = [each for each in examine(machine, config) if each.id == "ports" and port in each.evidence]
    assert [each.state for each in found] == [state]


def test_a_device_in_the_network_is_told_by_its_whole_address(machine: Doctored, config: Path) -> None:
    there = config.read_text("utf-8").replace('port = "/dev/kiosk/bill0"', 'host = "192.0.2.40", port = 9100')
    config.write_text(
        there.replace('driver = "id003_acceptor"', 'driver = "id003_acceptor"\ntransport = "tcp"'), "utf-8"
    )
    found = [each for each in examine(machine, config) if each.id == "ports" and "192.0.2.40:9100" in each.evidence]
    assert [each.state for each in found] == ["skip"]


@pytest.mark.parametrize(
    ("state", "cure"), [("misconfigured", "section of notes"), ("another_device", "devices accept notes")]
)
def test_a_device_that_a_person_has_to_decide_about_is_told_with_what_to_do(
    machine: Doctored, config: Path, monkeypatch: pytest.MonkeyPatch, state: str, cure: str
) -> None:
    page = {"state": state, "severity": "fault", "detail": "another set of notes", "raw": ""}
    told = {"out_of_service": [], "trouble": "", "status": "ready",
            "devices": [{"device": "notes", "state": "in_service", "last_error": "", "page": page}]}  # fmt: skip
    monkeypatch.setattr("kiosk.core.control.call", lambda *_, **__: told)
    (found,) = (each for each in examine(machine, config) if each.id == "devices")
    assert found.evidence == f"notes: {state}, another set of notes"
    assert cure in found.fix


def test_a_clock_before_the_software_is_found(machine: Doctored, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_checks.time, "time_ns", lambda: 946_684_800 * 1_000_000_000)
    assert of(examine(machine, config), "clock") == ["fail"]


def test_an_open_state_directory_is_found(machine: Doctored, config: Path) -> None:
    (config.parent / "state").chmod(0o755)
    assert of(examine(machine, config), "state") == ["fail"]


def test_a_file_that_is_no_journal_is_found(machine: Doctored, config: Path) -> None:
    app.load(config).journal_path.write_bytes(b"this is not a journal" * 100)
    assert "fail" in of(examine(machine, config), "journal")


def test_a_broken_configuration_is_the_first_finding_and_the_machine_is_looked_at_all_the_same(
    machine: Doctored, config: Path
) -> None:
    config.write_text(TOML.replace("[paths]", "[path]"), "utf-8")
    checks = examine(machine, config)
    assert (checks[0].id, checks[0].state) == ("config", "fail")
    assert of(checks, "usblp") == ["ok"]
