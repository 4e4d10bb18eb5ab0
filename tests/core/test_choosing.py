"""A typed number that several kinds of bill read: the citizen chooses, and the number is kept no longer than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.checkout import intents
from kiosk.checkout.counter import CityCounter
from kiosk.core import view
from kiosk.model import device_events as d
from tests.core.kernel_rig import PARKING, WATER, Rig
from tests.tariff.example_city import chart, library


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A city with a second kind of bill whose numbers look like citations."""
    whole = Rig(tmp_path)
    twin = msgspec.structs.replace(library().service("parking_citation"), id="twin", name="service.water_bill")
    city = msgspec.structs.replace(library(), services={**library().services, "twin": twin})
    whole.kernel.parts.counter = CityCounter(city, chart(), "USD")
    citation = whole.invoices.rows["parking_citation", PARKING]
    whole.invoices.rows["twin", PARKING] = msgspec.structs.replace(citation, service="twin", offence=5)
    yield whole
    whole.close()


def seen(rig: Rig) -> Any:
    return view.snapshot(rig.kernel, version=1, boot="b")


def asked(rig: Rig) -> list[tuple[str, str]]:
    return [(service, name.id) for service, name in seen(rig).choose_service]


def test_the_citizen_is_asked_which_kind_of_bill_it_is_and_gets_the_chosen_one(rig: Rig) -> None:
    for service in ("twin", "parking_citation"):
        rig.tap(intents.EnterNumber(f"{PARKING[:4]} {PARKING[4:]}"))
        assert (rig.state, [each.id for each in rig.model.messages]) == ("notice", ["notice.which_service"])
        assert asked(rig) == [
            ("parking_citation", "service.parking_citation"),
            ("twin", "service.water_bill"),
            ("water_bill", "service.water_bill"),  # older bills leave out the leading 0
        ]
        assert "enter_number" in seen(rig).allowed
        rig.tap(intents.EnterNumber("", service=service))
        assert rig.state == "reviewing"
        assert (rig.model.cart[-1].invoice.service, rig.model.cart[-1].invoice.number) == (service, PARKING)
        assert (rig.model.typed, rig.model.choosing, asked(rig)) == ("", (), [])


@pytest.mark.parametrize(
    "other", [intents.Back(), intents.Dismiss(), intents.Cancel(), intents.AddAnother(), intents.EnterNumber(WATER)]
)
def test_any_other_step_drops_the_number(rig: Rig, other: intents.AnyIntent) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    assert rig.model.typed == PARKING
    assert rig.tap(other)
    assert (rig.model.typed, rig.model.choosing) == ("", ())


def test_a_scan_answers_the_question_by_itself_and_time_ends_it(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    rig.news("gun", d.Scanned(WATER, ""))
    assert (rig.model.typed, rig.model.choosing) == ("", ())
    rig.tap(intents.Cancel())
    rig.tap(intents.EnterNumber(PARKING))
    rig.wait(600)
    assert (rig.state, rig.model.typed) == ("idle", "")


def test_another_language_keeps_the_question(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    rig.tap(intents.ChooseLanguage("es"))
    assert [service for service, _ in asked(rig)] == ["parking_citation", "twin", "water_bill"]
    rig.tap(intents.EnterNumber("", service="twin"))
    assert rig.model.cart[0].invoice.service == "twin"


@pytest.mark.parametrize("service", ["", "property_tax", "no_such", "x" * 64])
def test_a_choice_that_was_not_offered_finds_nothing(rig: Rig, service: str) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    rig.tap(intents.EnterNumber("", service=service))
    assert rig.state == "notice"
    assert rig.model.cart == ()
    assert asked(rig) == []


def test_the_typed_number_is_in_no_picture(rig: Rig) -> None:
    rig.tap(intents.EnterNumber(PARKING))
    assert PARKING not in repr(seen(rig))
