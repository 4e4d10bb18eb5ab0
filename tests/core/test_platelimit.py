"""Nobody asks for one plate after the other: the choice closes after some searches without a payment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.checkout.settings import CheckoutSettings
from tests.core.kernel_rig import PARKING, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path, CheckoutSettings(plate_searches=3, plate_minutes=10))
    whole.invoices.plates["MINE"] = (("parking_citation", PARKING),)
    yield whole
    whole.close()


def search(rig: Rig, plate: str) -> str:
    """Type a plate; return what the notice says, "" where something was found."""
    rig.tap(intents.Begin())
    rig.tap(intents.EnterPlate(plate))
    told = rig.model.messages[0].id if rig.state == "notice" else ""
    rig.tap(intents.Cancel())
    return told


def test_after_some_plates_without_a_payment_no_further_one_is_answered(rig: Rig) -> None:
    assert [search(rig, plate) for plate in ("ABC1", "ABC2", "MINE")] == ["notice.not_found", "notice.not_found", ""]
    assert search(rig, "MINE") == search(rig, "ABC3") == "notice.plate_closed"
    rig.pay(PARKING)  # a number on paper finds its bill as ever
    rig.tap(intents.Cancel())


def test_the_choice_opens_again_after_its_time_and_refused_tries_do_not_lengthen_it(rig: Rig) -> None:
    for plate in ("ABC1", "ABC2", "ABC3"):
        search(rig, plate)
    rig.wait(9 * 60)
    assert search(rig, "MINE") == "notice.plate_closed"
    rig.wait(61)
    assert search(rig, "MINE") == ""


def test_a_payment_opens_the_choice_for_the_next_person(rig: Rig) -> None:
    for plate in ("ABC1", "ABC2", "MINE"):
        search(rig, plate)
    rig.pay(PARKING)
    rig.feed(1000)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    assert search(rig, "MINE") == ""
