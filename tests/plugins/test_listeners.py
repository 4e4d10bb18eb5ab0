"""A listener hears of facts on its own thread; slow or broken, it harms nobody."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable

from kiosk.model.facts import Committed, Digests, Fact, Stamp, Stopped
from kiosk.model.instant import Instant
from kiosk.plugins.listeners import PATIENCE, FactListeners


def fact(seq: int) -> Committed:
    at = Instant(1_700_000_000_000_000_000, 0, 5, "boot")
    stamp = Stamp(at, dt.date(2026, 3, 9), "kiosk", "", 1, Digests("a", "b", "c"))
    return Committed(Fact(1, "K07", 1, seq, "demo", stamp, Stopped("test")), bytes(32))


def wait_for(ask: Callable[[], bool]) -> None:
    for _ in range(2000):
        if ask():
            return
        time.sleep(0.005)
    raise AssertionError("did not happen in ten seconds")


def test_a_listener_hears_every_fact_in_order_on_another_thread() -> None:
    heard: list[tuple[int, bool]] = []
    here = threading.current_thread()
    told = lambda committed: heard.append((committed.fact.seq, threading.current_thread() is here))  # noqa: E731
    listeners = FactListeners({"good": told})
    listeners.start()
    for seq in range(1, 50):
        listeners.tell(fact(seq))
    listeners.stop()
    assert heard == [(seq, False) for seq in range(1, 50)]


def test_a_listener_that_raises_again_and_again_is_set_aside_and_the_other_hears_all() -> None:
    heard: list[int] = []

    def bad(committed: Committed) -> None:
        raise SystemExit("on purpose")

    listeners = FactListeners({"bad": bad, "good": lambda committed: heard.append(committed.fact.seq)})
    listeners.start()
    for seq in range(1, PATIENCE + 2):
        listeners.tell(fact(seq))
    wait_for(lambda: bool(listeners.reports()[0].quarantined))
    fresh = listeners.take_quarantined()
    assert [(each.plugin, "on purpose" in each.quarantined) for each in fresh] == [("bad", True)]
    assert listeners.take_quarantined() == []
    listeners.stop()
    assert heard == list(range(1, PATIENCE + 2))


def test_a_listener_that_hangs_loses_news_and_is_set_aside_while_telling_never_waits() -> None:
    stuck, release = threading.Event(), threading.Event()

    def slow(committed: Committed) -> None:
        stuck.set()
        release.wait(30)

    listeners = FactListeners({"slow": slow}, queue_size=5)
    listeners.start()
    listeners.tell(fact(1))
    assert stuck.wait(10)
    for seq in range(2, 30):
        listeners.tell(fact(seq))
    report = listeners.take_quarantined()[0]
    assert report.lost == 5
    assert "too slow" in report.quarantined
    release.set()
    listeners.stop()
