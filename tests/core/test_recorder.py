"""Counters always, bytes only when asked, and never more than the ring holds."""

from __future__ import annotations

from kiosk.core.recorder import LineRecorder


def test_traffic_is_not_kept_unless_asked_for_but_counted() -> None:
    recorder = LineRecorder()
    recorder.received(b"secret scan", 1)
    assert recorder.traffic() == []
    assert recorder.counters() == {"BytesReceivedCount": 11}


def test_the_ring_keeps_the_newest_within_its_bounds_and_off_forgets() -> None:
    recorder = LineRecorder(recording=True, capacity=1000)
    for number in range(500):
        recorder.sent(bytes([number % 256]) * 10, number)
    kept = recorder.traffic()
    assert kept[-1].at_ns == 499
    assert sum(len(entry.data) for entry in kept) <= 1000
    assert len(kept) < 30
    recorder.record(False)
    assert recorder.traffic() == []


def test_of_a_discreet_device_only_the_lengths_are_kept() -> None:
    recorder = LineRecorder(recording=True, discreet=True)
    recorder.received(b"@\n\x1e\rANSI 6360", 1)
    recorder.sent(b"\x05", 2)
    recorder.port("opened", 3)
    told = [(each.way, each.data, each.withheld) for each in recorder.traffic()]
    assert told == [("<", b"", 13), (">", b"\x05", 0), ("!", b"opened", 0)]
    assert recorder.counters()["BytesReceivedCount"] == 13


def test_empty_entries_do_not_fill_the_memory() -> None:
    recorder = LineRecorder(recording=True, capacity=1000)
    for number in range(500):
        recorder.port("", number)
    assert len(recorder.traffic()) < 40
