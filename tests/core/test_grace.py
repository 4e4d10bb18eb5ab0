"""A port that is back within the grace was never gone for people; one that is not is told as the driver told it."""

from __future__ import annotations

from kiosk.core.grace import GRACE_NS, Grace
from kiosk.model.device_events import DeviceState, Scanned
from kiosk.model.instant import NS

WELL, GONE = DeviceState("idling", "ok"), DeviceState("unknown", "unknown", detail="port lost")
JAM = DeviceState("jammed", "fault")


def lost() -> Grace:
    """A device that was well, and whose driver has just said that it is gone."""
    grace = Grace()
    assert grace.sift(WELL) == WELL
    grace.lost(0)
    told = grace.sift(GONE)
    assert told == DeviceState("reconnecting", "warn", detail="port lost")
    return grace


def test_a_device_that_is_back_in_time_was_only_reconnecting() -> None:
    grace = lost()
    grace.back(NS)
    assert grace.over(NS) is None
    assert grace.sift(WELL) == WELL
    assert grace.over(10 * NS) is None
    assert grace.deadline() is None


def test_a_device_that_stays_away_is_told_as_its_driver_told_it_once() -> None:
    grace = lost()
    assert grace.deadline() == GRACE_NS
    assert grace.over(GRACE_NS - 1) is None
    assert grace.over(GRACE_NS) == GONE
    assert grace.over(GRACE_NS) is None
    assert grace.sift(GONE) == GONE


def test_a_port_that_is_back_with_a_silent_device_behind_it_is_unknown_in_the_end() -> None:
    grace = lost()
    grace.back(NS)
    assert grace.over(NS + GRACE_NS - 1) is None
    assert grace.over(NS + GRACE_NS) == GONE


def test_a_fault_of_the_device_itself_never_waits() -> None:
    grace = lost()
    grace.back(NS)
    assert grace.sift(JAM) == JAM
    assert grace.over(10 * NS) is None
    fresh = Grace()
    assert fresh.sift(WELL) == WELL
    assert fresh.sift(JAM) == JAM


def test_a_device_that_was_not_well_before_gets_no_grace() -> None:
    grace = Grace()
    grace.sift(JAM)
    grace.lost(0)
    assert grace.sift(GONE) == GONE
    assert grace.deadline() is None


def test_what_is_no_state_is_told_at_once() -> None:
    grace = lost()
    assert grace.sift(Scanned("4711")) == Scanned("4711")
