"""The short form of `make powercut`: crash states of a recorded disk, and faults under the system calls."""

from __future__ import annotations

import shutil

import pytest

from bench import powercut, powercut_disk, powercut_faults


@pytest.mark.root
@pytest.mark.slow
def test_no_acknowledged_fact_is_lost_in_any_crash_state_and_the_rig_would_see_it() -> None:
    if lacking := powercut_disk.missing():
        pytest.skip(lacking)
    result = powercut.run(states=40, seed=20, commits=200)
    assert result["differed"] == []
    assert result["differences"] == 0
    lost = result["control_differences"]
    assert isinstance(lost, int)
    assert lost > 0, "synchronous=NORMAL must lose facts, or the rig sees nothing"


def test_injected_disk_errors_are_told_and_lose_nothing() -> None:
    if shutil.which("fiu-run") is None:
        pytest.skip("needs fiu-run (Debian package: fiu-utils)")
    result = powercut_faults.run(seed=3, runs=3)
    assert result["runs"] == 3 * len(powercut_faults.FAULTS)
    assert result.get("differed") == []


def test_a_machine_that_cannot_record_a_disk_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert powercut_disk.missing() == "needs root"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda command: None)
    assert powercut_disk.missing() == "needs qemu-storage-daemon (Debian package: qemu-system-common)"
