"""The hub's service unit: as hard as the core's, open to the network where the core is not."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "systemd"
UNIT = UNITS / "kiosk-hub.service"


def settings(path: Path) -> dict[str, str]:
    """The last value of each key of a unit."""
    lines = [line.partition("=") for line in path.read_text(encoding="utf-8").splitlines()]
    return {key: value for key, equals, value in lines if equals and not key.startswith("#")}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (systemd)")
def test_the_hub_is_hardened_to_a_score_of_two_or_better(tmp_path: Path) -> None:
    system = tmp_path / "etc/systemd/system"
    system.mkdir(parents=True)
    shutil.copy(UNIT, system)
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--root={tmp_path}", UNIT.name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
    assert found, answer.stderr
    assert float(found[1]) <= 2.0


def test_the_hub_is_no_softer_than_the_core_but_for_the_network() -> None:
    core, hub = settings(UNITS / "kiosk.service"), settings(UNIT)
    network = {"IPAddressAllow", "IPAddressDeny", "RestrictAddressFamilies"}
    hardening = [key for key in core if key.startswith(("Protect", "Private", "Restrict", "Lock", "Memory", "System"))]
    softer = {key for key in hardening if key not in network | {"RestartSec"} and core[key] != hub.get(key)}
    assert softer == set()
    assert (hub["NoNewPrivileges"], hub["CapabilityBoundingSet"], hub["UMask"]) == ("yes", "", "0077")
    assert hub["PrivateDevices"] == "yes"


def test_the_hub_has_a_user_and_directories_of_its_own() -> None:
    hub = settings(UNIT)
    assert hub["User"] == "kiosk-hub"
    assert (hub["StateDirectory"], hub["RuntimeDirectory"]) == ("kiosk-hub", "kiosk-hub")
    users = (UNITS / "sysusers.d/kiosk.conf").read_text(encoding="utf-8")
    assert re.search(r'^u kiosk-hub +- "[^"]+" +/var/lib/kiosk-hub$', users, re.MULTILINE)
    assert [line for line in users.splitlines() if line.startswith("m kiosk-hub")] == ["m kiosk-hub kiosk"]
