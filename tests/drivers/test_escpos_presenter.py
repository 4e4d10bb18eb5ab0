"""A slip in a presenter's mouth, driver against virtual printer: taken, drawn back, let fall, jammed (§1.7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.api import DeviceState, Lost, Print, Printed, ProtocolFault, SlipPresented
from kiosk.protocols.escpos.commands import CUSTOM_RESET
from kiosk.protocols.escpos.device_model import CUSTOM
from kiosk.protocols.escpos.profile import Profile
from tests.drivers.escpos_counter import Counter, slip

PRINTERS = Path(__file__).resolve().parents[2] / "config" / "printers"
#: Asked by ``1D 65 06`` after printing, and told by every full status.
BY_QUESTION, BY_FULL_STATUS = (
    msgspec.toml.decode((PRINTERS / f"{name}.toml").read_bytes(), type=Profile)
    for name in ("custom-presenter-80mm", "custom-kpm150-80mm")
)
BOTH = pytest.mark.parametrize("profile", [BY_QUESTION, BY_FULL_STATUS], ids=["question", "full-status"])


def shown(profile: Profile, **changes: Any) -> Counter:
    """A counter with the slip of J1 in the mouth."""
    counter = Counter(CUSTOM, msgspec.structs.replace(profile, **changes))
    counter.run(1_000)
    counter.say(Print("J1", slip("FIRST", 10)))
    counter.run(4_000)
    assert counter.of(Printed) == [Printed("J1")]
    assert counter.printer.presenter.in_mouth
    return counter


def texts(slips: list[Any]) -> list[str]:
    return [piece.text.split("\n")[0] for piece in slips]


@BOTH
def test_a_slip_that_a_hand_takes_is_told_as_taken_once(profile: Profile) -> None:
    counter = shown(profile)
    counter.run(20_000)
    assert not counter.of(SlipPresented)
    assert counter.printer.presenter.take()
    counter.run(60_000)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "taken")]
    assert texts(counter.printer.presenter.taken) == ["FIRST"]
    assert counter.states() == ["ok"] * len(counter.states())
    assert not counter.of(ProtocolFault)


@BOTH
@pytest.mark.parametrize(("untaken", "pile"), [("retract", "retracted"), ("eject", "fallen")])
def test_a_slip_that_nobody_takes_goes_after_its_time_and_is_told(profile: Profile, untaken: str, pile: str) -> None:
    counter = shown(profile, untaken=untaken, retract_after_ms=20_000)
    counter.run(14_000)
    assert counter.printer.presenter.in_mouth
    counter.run(10_000)
    assert texts(getattr(counter.printer.presenter, pile)) == ["FIRST"]
    assert counter.of(SlipPresented) == [SlipPresented("J1", untaken + "ed")]


@BOTH
def test_the_next_slip_waits_until_the_last_one_is_out_of_the_way(profile: Profile) -> None:
    counter = shown(profile)
    counter.say(Print("J2", slip("SECOND", 10)))
    counter.run(5_000)
    assert counter.printer.presenter.in_mouth
    assert len(counter.printer.receipts) == 1, "it would push the first one out, into the wrong hand"
    counter.run(15_000)
    assert texts(counter.printer.presenter.retracted) == ["FIRST"]
    assert counter.of(Printed) == [Printed("J1"), Printed("J2")]
    counter.printer.presenter.take()
    counter.run(3_000)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "retracted"), SlipPresented("J2", "taken")]


@BOTH
def test_the_next_slip_follows_at_once_when_the_last_one_is_taken(profile: Profile) -> None:
    counter = shown(profile)
    counter.say(Print("J2", slip("SECOND", 10)))
    counter.run(1_000)
    counter.printer.presenter.take()
    counter.run(5_000)
    assert counter.of(Printed) == [Printed("J1"), Printed("J2")]


@BOTH
def test_a_slip_that_stays_for_ever_is_pushed_out_by_the_next_one_and_told(profile: Profile) -> None:
    counter = shown(profile, retract_after_ms=0)
    counter.run(200_000)
    assert counter.printer.presenter.in_mouth
    counter.say(Print("J2", slip("SECOND", 10)))
    counter.run(5_000)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "ejected")]
    assert texts(counter.printer.presenter.fallen) == ["FIRST"]


@BOTH
def test_a_jammed_presenter_is_fatal_and_no_slip_is_printed_into_it(profile: Profile) -> None:
    counter = shown(profile, retract_after_ms=20_000)
    counter.printer.presenter.jam(at_next=True)
    counter.run(25_000)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "jammed")]
    assert counter.of(DeviceState)[-1].state == "fatal"
    counter.say(Print("J2", slip("SECOND", 10)))
    counter.run(5_000)
    assert len(counter.printer.receipts) == 1
    counter.printer.presenter.clear()
    counter.run(10_000)
    assert counter.of(Printed) == [Printed("J1"), Printed("J2")]
    assert [event.job for event in counter.of(SlipPresented)] == ["J1"], "a hand in the printer took it, nobody else"
    assert counter.of(DeviceState)[-1].state == "ok"


@BOTH
def test_a_line_that_is_lost_with_a_slip_in_the_mouth_leaves_its_end_unknown(profile: Profile) -> None:
    counter = shown(profile)
    counter.driver.port(Lost("unplugged"), counter.now)
    counter.run(100)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "unknown")]


def test_a_power_cut_does_not_take_the_slip_out_of_the_mouth() -> None:
    counter = shown(BY_QUESTION)
    counter.printer.cut_power()
    counter.printer.restore_power()
    assert counter.printer.presenter.in_mouth


@pytest.mark.parametrize(
    ("hand", "state"),
    [
        (lambda printer: printer.open_cover(), "cover"),
        (lambda printer: printer.paper_out(), "paper_out"),
        (lambda printer: printer.overheat(), "head_hot"),
        (lambda printer: printer.jam_cutter(), "cutter"),
        (lambda printer: printer.break_down(), "fatal"),
        (lambda printer: printer.near_end(), "near_end"),
        (lambda printer: printer.press_feed(True), "offline"),
        (lambda printer: printer.presenter.jam(), "fatal"),
        (lambda printer: printer.mute(), "unknown"),
    ],
    ids=["cover", "paper_out", "head_hot", "cutter", "fatal", "near_end", "offline", "jam", "unknown"],
)
def test_the_full_status_and_the_four_answers_make_one_state(hand: Any, state: str) -> None:
    counter = Counter(CUSTOM, BY_FULL_STATUS)
    counter.run(2_000)
    hand(counter.printer)
    counter.run(5_000)
    assert [event.state for event in counter.of(DeviceState)] == ["ok", state]


def test_a_printer_without_a_full_status_is_unknown_under_a_profile_that_asks_for_one() -> None:
    counter = Counter(msgspec.structs.replace(CUSTOM, full_status=False), BY_FULL_STATUS)
    counter.run(6_000)
    assert set(counter.states()) == {"unknown"}


def test_a_bit_that_the_profile_masks_counts_for_nothing() -> None:
    counter = Counter(CUSTOM, msgspec.structs.replace(BY_FULL_STATUS, full_status_mask=0x4563_09FF))
    counter.printer.presenter.jam()
    counter.run(3_000)
    assert counter.states() == ["ok"]


def test_a_hand_that_tears_takes_the_slip_from_the_mouth() -> None:
    counter = shown(BY_QUESTION)
    piece = counter.printer.tear_off()
    assert piece is not None
    assert texts([piece]) == ["FIRST"]
    assert counter.printer.tear_off() is None
    counter.run(3_000)
    assert counter.of(SlipPresented) == [SlipPresented("J1", "taken")]


def test_the_hardware_reset_of_a_custom_printer_forgets_what_it_holds_and_leaves_the_slip_where_it_is() -> None:
    counter = shown(BY_QUESTION)
    counter.printer.open_cover()
    counter.printer.received(b"half a receipt\n", counter.now)
    counter.printer.close_cover()
    before = counter.printer.used_mm
    counter.printer.received(b"more" + CUSTOM_RESET, counter.now)
    counter.run(1_000)
    assert counter.printer.presenter.in_mouth
    assert not counter.printer.unknown
    assert counter.printer.used_mm - before < 8, "the unfinished line is gone"
