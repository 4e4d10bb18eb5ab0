"""Another unit under a device's name is held until a person accepts it, where the port does not follow the unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.kernel import Kernel
from kiosk.core.strangers import Identity, is_another
from kiosk.errors import DriverError
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import NOTES, Rig, usd

OURS, OTHER = d.Identified("NV9", "3.21", "1007"), d.Identified("NV9", "3.21", "2044")


class Loose(Rig):
    """A kiosk whose acceptor hangs on a port that is a socket; the printer's follows it."""

    def start(self, *, healthy: bool = True) -> None:
        super().start(healthy=healthy)
        self.kernel.parts.board.follows = lambda device: device == "paper"

    @property
    def page(self) -> tuple[str, str]:
        page = self.kernel.parts.board.pages["notes"]
        return page.state, page.severity

    def known(self, device: str = "notes") -> list[Identity]:
        return [(b.model, b.firmware, b.serial) for b in self.bodies(facts.DeviceIdentified) if b.device == device]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Loose]:
    whole = Loose(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


def reasons(kernel: Kernel) -> list[str]:
    return [reason.id for reason in kernel.model.out_of_service]


def test_the_first_unit_is_taken_as_it_is(rig: Loose) -> None:
    rig.news("notes", OURS)
    assert rig.known() == [("NV9", "3.21", "1007")]
    assert rig.page == ("idling", "ok")


def test_another_unit_behind_a_socket_is_held_and_takes_no_note(rig: Loose) -> None:
    rig.news("notes", OURS)
    rig.pay()
    rig.tap(intents.Cancel())
    rig.wait(120)
    rig.news("notes", OTHER)
    assert rig.page == ("another_device", "fault")
    assert "2044" in rig.kernel.parts.board.pages["notes"].detail
    assert "out.acceptor" in reasons(rig.kernel)
    rig.news("notes", d.DeviceState("idling", "ok"))
    rig.news("notes", d.NotesKnown(tuple(usd(minor) for minor in NOTES)))
    assert rig.page == ("another_device", "fault"), "what it tells of itself changes nothing"
    assert isinstance(rig.devices.orders[-1][1], c.InhibitNotes)
    (told,) = [body for body in rig.bodies(facts.DeviceChanged) if body.state == "another_device"]
    assert (told.device, told.severity) == ("notes", "fault")
    assert rig.known() == [("NV9", "3.21", "1007")], "the journal still knows the old one"


def test_a_held_unit_stays_held_over_a_restart_and_serves_once_accepted(rig: Loose) -> None:
    rig.news("notes", OURS)
    rig.restart(healthy=True)
    rig.news("notes", OTHER)
    rig.restart(healthy=True)
    rig.news("notes", OTHER)
    assert rig.page == ("another_device", "fault")
    rig.kernel.strangers.accept("notes", "admin:0")
    rig.kernel.tick()
    assert rig.page == ("idling", "ok")
    assert rig.known() == [("NV9", "3.21", "1007"), ("NV9", "3.21", "2044")]
    (acted,) = rig.bodies(facts.OperatorActed)
    assert (acted.act, acted.detail) == ("accept_device", "notes: NV9, firmware 3.21, number 2044")
    rig.restart(healthy=True)
    rig.news("notes", OTHER)
    assert rig.page == ("idling", "ok")
    rig.pay()


def test_a_person_at_the_menu_accepts_by_bringing_the_device_back(rig: Loose) -> None:
    rig.news("notes", OURS)
    rig.news("notes", OTHER)
    rig.sign_in()
    rig.tap(intents.Release("notes"))
    assert rig.page == ("idling", "ok")
    assert [body.act for body in rig.bodies(facts.OperatorActed)] == ["release"]
    assert rig.known()[-1] == ("NV9", "3.21", "2044")
    rig.tap(intents.SignOut())
    assert reasons(rig.kernel) == []
    rig.pay()
    assert rig.sent(c.EnableNotes)


def test_the_old_unit_back_in_its_place_needs_nobody(rig: Loose) -> None:
    rig.news("notes", OURS)
    rig.news("notes", OTHER)
    rig.news("notes", OURS)
    assert rig.page == ("idling", "ok")
    assert reasons(rig.kernel) == []
    assert len(rig.known()) == 1


def test_money_that_a_held_unit_tells_of_is_booked_all_the_same(rig: Loose) -> None:
    rig.news("notes", OURS)
    rig.news("notes", OTHER)
    rig.token += 1
    rig.news("notes", d.NoteStacked(rig.token, None, usd(500)))
    assert rig.confirmed(rig.token)
    assert rig.kernel.books.box == {"USD": {500: 1}}


def test_nothing_that_a_held_unit_could_take_is_known_until_it_is_let_go() -> None:
    board = DeviceBoard((("notes", "BillAcceptor", "x"), ("hopper", "CoinDispenser", "x")))
    board.heard("notes", d.NotesKnown((usd(500),)))
    board.heard("hopper", d.HopperKnown(usd(25)))
    for name in ("notes", "hopper"):
        board.heard(name, d.DeviceState("idling", "ok"))
        board.hold(name, "another_device", "")
    assert [(page.notes, page.coin, page.ready) for page in board.pages.values()] == [((), None, False)] * 2
    for name in ("notes", "hopper"):
        board.let_go(name)
    assert [(page.notes, page.coin, page.ready) for page in board.pages.values()] == [
        ((usd(500),), None, True), ((), usd(25), True)
    ]  # fmt: skip


def test_a_port_that_follows_the_unit_holds_nobody(rig: Loose) -> None:
    rig.news("paper", OURS)
    rig.news("paper", OTHER)
    assert rig.kernel.parts.board.pages["paper"].state == "ready"
    assert rig.known("paper") == [("NV9", "3.21", "1007"), ("NV9", "3.21", "2044")]


def test_there_is_nothing_to_accept_where_nobody_is_held(rig: Loose) -> None:
    for device, words in (("notes", "is not held"), ("nobody", "no device is called")):
        with pytest.raises(DriverError, match=words):
            rig.kernel.strangers.accept(device, "admin:0")
    assert rig.bodies(facts.OperatorActed) == []


@pytest.mark.parametrize(
    ("known", "told", "another"),
    [
        (None, ("A", "1", "7"), False),
        (("", "", ""), ("A", "1", "7"), False),
        (("A", "1", "7"), ("A", "1", "7"), False),
        (("A", "1", "7"), ("A", "2", "7"), False),  # new firmware, the same unit
        (("A", "1", "7"), ("A", "1", "8"), True),
        (("A", "1", "7"), ("A", "1", ""), True),  # it told a number before
        (("A", "1", ""), ("A", "1", "7"), False),  # it tells one for the first time
        (("A", "1", ""), ("A", "2", ""), True),  # new firmware or another unit: nobody can tell
        (("A", "1", ""), ("A", "1", ""), False),  # twins without numbers: nobody can tell
        (("A", "1", "7"), ("B", "1", "7"), True),
    ],
)
def test_units_are_told_apart_as_far_as_they_can_be(known: Identity | None, told: Identity, another: bool) -> None:
    assert is_another(known, told) is another
