"""The core's thread from start to end: whatever fails at the end is told, and nothing keeps it from ending."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from kiosk.app.running import exit_code
from kiosk.checkout import intents
from kiosk.core.service import Core
from kiosk.core.supervisor import DeviceNews, Supervisor
from kiosk.errors import JournalDamaged, JournalFull
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import NS, Rig


class NoLines:
    """A supervisor without a line."""

    generation = 1

    def start(self) -> None: ...

    def stop(self) -> list[str]:
        return []

    def tend(self) -> int:
        return time.monotonic_ns() + NS // 50

    def is_current(self, news: DeviceNews) -> bool:
        return news.generation == self.generation

    def all_ticked(self, since_ns: int) -> bool:
        return True

    def status(self) -> list[Any]:
        return []


class Kiosk:
    """A core around a rig's kernel, which its thread owns from `run` on."""

    def __init__(self, where: Path) -> None:
        self.rig = Rig(where)
        self.rig.time.mono = time.monotonic_ns()
        self.lines = NoLines()
        self.core = Core()

    def run(self) -> None:
        clock = self.rig.kernel.parts.clock
        clock._mono = time.monotonic_ns
        clock._wall = lambda: time.monotonic_ns() + self.rig.time.offset
        self.rig.kernel.start = lambda: None  # type: ignore[method-assign]  # the rig has started it
        self.core.run(lambda core: (self.rig.kernel, cast("Supervisor", self.lines)))

    def news(self, device: str, event: Any, generation: int = 1) -> None:
        self.core.post_news(DeviceNews(device, event, time.monotonic_ns(), generation))


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path)


def until(done: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("error", [JournalFull("full", hint=""), JournalDamaged("I/O error", hint="")])
def test_a_stop_that_cannot_be_committed_still_ends_in_order(kiosk: Kiosk, error: Any) -> None:
    kiosk.run()
    kiosk.rig.journal.error = error
    assert kiosk.core.stop("test")
    assert kiosk.core.fault is None
    assert not kiosk.rig.journal._lock.held


def test_a_checkpoint_that_cannot_be_kept_does_not_keep_the_stop_from_the_journal(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(seq: int, blob: bytes) -> None:
        raise JournalFull("full", hint="")

    kiosk.run()
    kiosk.core._checkpoint_seq = 0
    monkeypatch.setattr(kiosk.rig.journal, "save_checkpoint", full, raising=False)
    assert kiosk.core.stop("test")
    assert kiosk.core.fault is None
    assert any(isinstance(committed.fact.body, facts.Stopped) for committed in kiosk.rig.committed)


def test_a_supervisor_that_cannot_be_stopped_leaves_no_journal_locked_and_nobody_waiting(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[str]:
        raise RuntimeError("a thread that cannot be joined")

    kiosk.run()
    monkeypatch.setattr(kiosk.lines, "stop", broken)
    assert kiosk.core.stop("test", wait_s=5)
    assert isinstance(kiosk.core.fault, RuntimeError)
    assert not kiosk.rig.journal._lock.held


def test_a_partition_that_cannot_be_asked_for_its_space_takes_the_kiosk_out_of_service_and_not_down(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk.run()

    def broken(path: object) -> os.statvfs_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "statvfs", broken)
    until(lambda: kiosk.core.ended.is_set() or "out.low_space" in str(kiosk.rig.model.out_of_service))
    assert kiosk.core.fault is None
    monkeypatch.undo()
    until(lambda: "out.low_space" not in str(kiosk.rig.model.out_of_service))
    kiosk.core.stop("test")


def test_the_end_of_a_print_that_a_driver_told_before_it_died_still_counts(kiosk: Kiosk) -> None:
    rig = kiosk.rig
    rig.pay()
    rig.feed(5000)
    rig.tap(intents.Finish())
    rig.tap(intents.Finish())
    (job,) = rig.model.jobs
    rig.news("paper", d.PrintReady(7, job.job))
    kiosk.run()
    kiosk.lines.generation = 2  # the supervisor noticed the death before the kernel came to the news
    kiosk.news("paper", d.Printed(job.job))
    until(lambda: not kiosk.core._inbox.qsize())
    kiosk.core.stop("test")
    ends = [committed.fact.body for committed in rig.committed if isinstance(committed.fact.body, facts.PrintEnded)]
    assert [end.outcome for end in ends] == ["printed"]


@pytest.mark.parametrize(
    ("fault", "done", "code"),
    [(None, True, 0), (RuntimeError("x"), True, 1), (None, False, 1), (KeyError("y"), False, 1)],
)
def test_only_an_orderly_end_is_a_good_one(fault: BaseException | None, done: bool, code: int) -> None:
    said: list[str] = []
    assert exit_code(fault, done, said.append) == code
    assert bool(said) == bool(code)
