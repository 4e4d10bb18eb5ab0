"""A number that fits several kinds of bill: one button for each, which posts the choice and not the number."""

from __future__ import annotations

import re

import msgspec
import pytest
from starlette.testclient import TestClient

from kiosk.checkout.intents import EnterNumber
from kiosk.core.snapshot import Snapshot
from kiosk.model.texts import text
from kiosk.screen.guard import Door
from tests.screen.conftest import OURS
from tests.screen.pictures import PICTURES, TOKEN, FakeDesk

KINDS = (("parking_citation", text("service.parking_citation")), ("water_bill", text("service.water_bill")))


def asking() -> Snapshot:
    """The question as the kernel publishes it."""
    notice = next(shot for shot in PICTURES.values() if shot.screen == "notice" and "enter_number" in shot.allowed)
    return msgspec.structs.replace(notice, messages=(text("notice.which_service"),), choose_service=KINDS)


def post(desk: FakeDesk, client: TestClient, service: str) -> int:
    shot = desk.board.snapshot()
    assert shot is not None
    fields = {"intent": "enter_number", "session": shot.session, "step": shot.step, "key": Door(TOKEN).key,
              "text": "", "service": service}  # fmt: skip
    answer = client.post("/intent", data=fields, headers={**OURS, "accept": "application/json"})
    return int(answer.status_code)


@pytest.mark.parametrize("language", ["en", "es", "qps"])
def test_each_kind_of_bill_has_its_button_in_its_language(language: str, desk: FakeDesk, client: TestClient) -> None:
    desk.show(asking(), language=language)
    page = client.get("/").text
    named = re.findall(r'name="service" value="([a-z_]+)"', page)
    assert named == ["parking_citation", "water_bill"]
    assert re.search(r"\[[a-z_]+\.[a-z_.]+\]", page) is None, "a text is missing"


def test_a_chosen_kind_is_passed_on_and_one_that_was_not_offered_is_not(desk: FakeDesk, client: TestClient) -> None:
    desk.show(asking())
    assert post(desk, client, "water_bill") < 400
    assert [asked[0] for asked in desk.asked] == [EnterNumber("", service="water_bill")]
    desk.show(asking())
    for service in ("property_tax", "", "x" * 99):
        assert post(desk, client, service) >= 400
    assert len(desk.asked) == 1


def test_without_the_question_an_empty_number_is_refused(desk: FakeDesk, client: TestClient) -> None:
    desk.show(msgspec.structs.replace(asking(), choose_service=()))
    assert post(desk, client, "water_bill") >= 400
    assert desk.asked == []
