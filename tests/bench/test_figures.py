"""Figures of the benches: percentiles are measured values, and an aim is met on the right side of its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measure_disk import BLOCK, BareDisk
from bench.measure_figures import Aim, file_system_of, percentile, room_on_disk, spread


@pytest.mark.parametrize(
    ("values", "part", "expected"), [([7], 99, 7), (range(1, 101), 99, 99), (range(1, 101), 50, 50), ([3, 1, 2], 95, 3)]
)
def test_a_percentile_is_a_value_that_was_measured(values: list[int], part: int, expected: int) -> None:
    assert percentile(list(values), part) == expected


def test_a_spread_is_told_in_milliseconds() -> None:
    assert spread([1_500_000, 2_500_000]) == {
        "count": 2, "p50_ms": 1.5, "p95_ms": 2.5, "p99_ms": 2.5, "max_ms": 2.5,
    }  # fmt: skip


def test_an_aim_is_missed_above_a_limit_and_below_a_floor() -> None:
    assert Aim("p99", 10, 9.9, "ms").told()["met"] is True
    assert Aim("p99", 10, 10.1, "ms").told()["met"] is False
    assert Aim("ratio", 0.6, 0.59, "", at_least=True).told()["met"] is False
    assert Aim("ratio", 0.6, 0.61, "", at_least=True).told()["met"] is True


def test_the_bare_disk_stays_within_its_file_and_leaves_nothing(tmp_path: Path) -> None:
    with BareDisk(tmp_path) as disk:
        for _ in range(300):
            assert disk.write() > 0
        assert disk.append() > 0
        assert (tmp_path / "bare-disk").stat().st_size == 256 * BLOCK
        assert (tmp_path / "bare-disk-growing").stat().st_size == BLOCK
    assert list(tmp_path.iterdir()) == []


def test_the_room_is_on_the_asked_disk_and_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIOSK_BENCH_DIR", str(tmp_path))
    with room_on_disk() as room:
        assert room.parent == tmp_path
        assert file_system_of(room)
    assert list(tmp_path.iterdir()) == []
