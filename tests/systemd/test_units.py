"""The service units as systemd itself reads them, laid out in a tree as an installed system has them."""

from __future__ import annotations

import configparser
import http.client
import importlib.util
import json
import re
import shutil
import subprocess
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from kiosk.model.facts import REALMS

UNITS = Path(__file__).resolve().parents[2] / "systemd"
#: systemd's own units: the targets that ours are ordered against.
SYSTEM_UNITS = Path("/usr/lib/systemd/system")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not SYSTEM_UNITS.is_dir(),
    reason="systemd-analyze is not installed (Debian package: systemd)",
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root directory with our units in it and a stub for each program that they start."""
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.path")]:
        shutil.copy(unit, system)
    shutil.copytree(SYSTEM_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for program in ("usr/bin/kiosk", "usr/bin/systemctl", "usr/bin/python3", "bin/sh"):
        stub = tmp_path / program
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("#!/bin/sh\n")
        stub.chmod(0o755)
    return tmp_path


def verify(root: Path) -> tuple[int, str]:
    """systemd's verdict on all our units: exit code, and everything it had to say."""
    names = sorted(path.name for path in (root / "etc/systemd/system").iterdir())
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=yes", *names]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stdout + answer.stderr


def exposure(root: Path, unit: str) -> str:
    """systemd's overall security score of a unit, 0.0 (closed) to 10.0."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", f"--root={root}", unit]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
    assert found, answer.stderr
    assert (answer.returncode == 0) == (float(found[1]) <= 2.0)
    return found[1]


def keys(unit: str, section: str = "Service") -> list[tuple[str, str]]:
    """All `key=value` lines of a section; a key may come more than once."""
    inside = False
    found = []
    for line in (UNITS / unit).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            inside = line == f"[{section}]"
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append((key, value))
    return found


@needs_systemd
def test_systemd_finds_nothing_to_say_about_our_units(installed: Path) -> None:
    assert verify(installed) == (0, "")


@needs_systemd
def test_systemd_would_have_told_of_a_misspelt_key(installed: Path) -> None:
    unit = installed / "etc/systemd/system/kiosk.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    code, words = verify(installed)
    assert code == 1
    assert "WatchdogSecs" in words


@needs_systemd
def test_the_core_is_hardened_to_a_score_of_two_or_better(installed: Path) -> None:
    assert float(exposure(installed, "kiosk.service")) <= 2.0


@needs_systemd
def test_the_out_of_service_screen_is_hardened_as_well(installed: Path) -> None:
    assert float(exposure(installed, "kiosk-degraded.service")) <= 2.0


@needs_systemd
def test_the_line_to_the_hub_is_hardened_to_a_score_of_two_or_better(installed: Path) -> None:
    assert float(exposure(installed, "kiosk-sync.service")) <= 2.0


def test_the_line_to_the_hub_sees_no_signing_key_and_writes_no_journal() -> None:
    service = keys("kiosk-sync.service")
    hidden = " ".join(value for key, value in service if key == "InaccessiblePaths").split()
    fixed = " ".join(value for key, value in service if key == "ReadOnlyPaths").split()
    for realm in REALMS:
        assert f"-/var/lib/kiosk/journal-{realm}.key" in hidden
        assert f"-/var/lib/kiosk/journal-{realm}.db" in fixed
    assert ("PrivateDevices", "yes") in service


def test_core_and_line_share_a_runtime_directory_that_neither_takes_away() -> None:
    for unit in ("kiosk.service", "kiosk-sync.service"):
        service = dict(keys(unit))
        assert (service["RuntimeDirectory"], service["RuntimeDirectoryPreserve"]) == ("kiosk", "yes")


def test_the_core_says_itself_when_it_is_ready_and_alive() -> None:
    service = dict(keys("kiosk.service"))
    assert service["Type"] == "notify"
    assert service["WatchdogSec"] == "30"
    assert service["Restart"] == "always"
    assert service["Environment"] == "KIOSK_BOOT_ID=%b"
    assert service["ExecStart"] == "/usr/bin/kiosk run --config /etc/kiosk/kiosk.toml"


def test_a_core_that_keeps_failing_ends_in_the_out_of_service_screen() -> None:
    unit = dict(keys("kiosk.service", "Unit"))
    assert unit["OnFailure"] == "kiosk-degraded.service"
    assert (unit["StartLimitIntervalSec"], unit["StartLimitBurst"]) == ("300", "10")
    assert dict(keys("kiosk-degraded.service", "Unit"))["Conflicts"] == "kiosk.service"


def test_the_core_reaches_its_own_machine_and_its_hardware_only() -> None:
    service = keys("kiosk.service")
    assert [value for key, value in service if key == "IPAddressDeny"] == ["any"]
    assert [value for key, value in service if key == "IPAddressAllow"] == ["localhost"]
    assert {value for key, value in service if key == "DeviceAllow"} == {
        "char-usb_device rw", "char-ttyUSB rw", "char-ttyACM rw", "char-ttyAMA rw", "char-hidraw rw", "char-input r",
    }  # fmt: skip
    assert ("DevicePolicy", "closed") in service
    assert not [value for key, value in service if key == "PrivateDevices"]


def test_every_switch_of_the_hardening_is_on() -> None:
    service = dict(keys("kiosk.service"))
    switches = [
        "NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelTunables", "ProtectKernelModules",
        "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock", "ProtectHostname", "RestrictNamespaces",
        "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute", "RemoveIPC",
    ]  # fmt: skip
    assert [switch for switch in switches if service.get(switch) != "yes"] == []
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["UMask"] == "0077"
    assert service["StateDirectoryMode"] == "0700"


def test_the_browser_is_a_stranger_to_the_journal_and_the_devices() -> None:
    assert dict(keys("kiosk-browser.service"))["User"] == "kiosk-screen"
    members = (UNITS / "sysusers.d/kiosk.conf").read_text(encoding="utf-8").splitlines()
    assert [line for line in members if line.startswith("m kiosk-screen")] == []


def test_browser_policy_and_units_name_the_same_address() -> None:
    policy = json.loads((UNITS / "browser/kiosk.json").read_text(encoding="utf-8"))
    assert policy["URLBlocklist"] == ["*"]
    (allowed,) = policy["URLAllowlist"]
    assert ("SetCredential", f"screen-url:{allowed}/") in keys("kiosk-browser.service")
    port = allowed.rpartition(":")[2]
    assert dict(keys("kiosk-degraded.service"))["ExecStart"].endswith(f"--port {port}")


@pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None or shutil.which("systemd-tmpfiles") is None,
    reason="systemd-sysusers is not installed (Debian package: systemd)",
)
@pytest.mark.root
def test_users_and_directories_come_out_as_the_units_expect(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for folder, program in (("sysusers.d", "systemd-sysusers"), ("tmpfiles.d", "systemd-tmpfiles")):
        target = tmp_path / "usr/lib" / folder
        target.mkdir(parents=True)
        shutil.copy(UNITS / folder / "kiosk.conf", target)
        action = ["--create"] if program == "systemd-tmpfiles" else []
        subprocess.run([program, f"--root={tmp_path}", *action, "kiosk.conf"], check=True, capture_output=True)
    groups = (tmp_path / "etc/group").read_text()
    users = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^kiosk:.*:/var/lib/kiosk:/usr/sbin/nologin$", users, flags=re.MULTILINE)
    assert [name for name in ("dialout", "input", "lp") if not re.search(rf"^{name}:.*\bkiosk$", groups, re.M)] == []
    assert oct((tmp_path / "var/lib/kiosk").stat().st_mode)[-3:] == "700"
    assert oct((tmp_path / "etc/kiosk").stat().st_mode)[-3:] == "750"


def test_udev_rules_are_well_formed_and_grant_nothing_to_whoever_sits_there() -> None:
    text = (UNITS / "udev/70-kiosk.rules").read_text(encoding="utf-8")
    term = r'[A-Z_]+(\{[\w./]+\})?(==|!=|\+=|-=|:=|=)"[^"]*"'
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert rules
    assert [line for line in rules if not re.fullmatch(rf"{term}(, {term})*", line)] == []
    assert not re.search(r'TAG\+="uaccess"', text)
    assert {match[1] for match in re.finditer(r'GROUP="(\w+)"', text)} == {"kiosk"}


def test_unit_files_hold_only_sections_that_belong_there() -> None:
    for path in [*UNITS.glob("*.service"), *UNITS.glob("*.path")]:
        parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
        parser.optionxform = str  # type: ignore[assignment]
        parser.read(path, encoding="utf-8")
        assert set(parser.sections()) <= {"Unit", "Service", "Path", "Install"}, path.name
        assert parser["Unit"]["Description"].startswith("Payment kiosk"), path.name


def test_the_out_of_service_screen_answers_every_address_in_both_languages() -> None:
    spec = importlib.util.spec_from_file_location("degraded", UNITS / "degraded.py")
    assert spec is not None
    assert spec.loader is not None
    degraded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(degraded)
    with ThreadingHTTPServer(("127.0.0.1", 0), degraded.OutOfService) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answers = []
        for method, path in (("GET", "/"), ("GET", "/session?x=1"), ("POST", "/intent"), ("HEAD", "/")):
            link = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            link.request(method, path)
            answer = link.getresponse()
            answers.append((answer.status, answer.read().decode()))
            link.close()
        server.shutdown()
    assert {status for status, _ in answers} == {503}
    assert [("Out of service" in body, "Fuera de servicio" in body) for _, body in answers] == [(True, True)] * 3 + [
        (False, False)
    ]
