"""The operator's screens draw what the kernel tells, offer what it takes, and show no sum."""

from __future__ import annotations

import re

import msgspec
import pytest
from starlette.testclient import TestClient

from kiosk.checkout.intents import AcknowledgeSlip, EnterPin, ExchangeNumbers, Release, ReprintSlip, Shutter
from kiosk.screen.operator import STAGE_INTENTS, worst
from kiosk.texts import Catalogue
from tests.screen.conftest import OURS
from tests.screen.operator_pictures import ATTENDED, BUSY, OPERATOR_PICTURES
from tests.screen.pictures import PLAIN, FakeDesk, usd
from tests.screen.test_app import JSON, form


def drawn(page: str) -> set[str]:
    """The intents that a page can post."""
    return set(re.findall(r'name="intent" value="([a-z_]+)"', page)) - {"language"}


@pytest.mark.parametrize("language", ["en", "es", "qps"])
@pytest.mark.parametrize("name", sorted(OPERATOR_PICTURES))
def test_every_operator_screen_is_drawn_in_every_language(
    name: str, language: str, desk: FakeDesk, client: TestClient, catalogue: Catalogue
) -> None:
    desk.show(OPERATOR_PICTURES[name], language=language)
    page = client.get("/")
    assert page.status_code == 200
    assert page.text.count("<h1 ") == 1
    assert re.search(r"\[[a-z_]+\.[a-z_.]+\]", page.text) is None, "a text is missing"
    assert not {one for one in catalogue.missing if one[1].startswith(("operator.", "exchange.", "screen."))}


@pytest.mark.parametrize("name", sorted(OPERATOR_PICTURES))
def test_a_screen_draws_no_button_that_is_not_allowed(name: str, desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES[name])
    assert drawn(client.get("/").text) <= set(OPERATOR_PICTURES[name].allowed)
    desk.show(OPERATOR_PICTURES[name], allowed=())
    assert drawn(client.get("/").text) == set()


def test_the_menu_offers_all_that_is_allowed(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended_busy"])
    assert drawn(client.get("/").text) == set(ATTENDED)
    desk.show(OPERATOR_PICTURES["attended"])
    # Nothing stands that could be acknowledged.
    assert drawn(client.get("/").text) == set(ATTENDED) - {"acknowledge_alarms", "acknowledge_slip"}


@pytest.mark.parametrize("stage", sorted(STAGE_INTENTS))
def test_each_stage_of_an_exchange_offers_its_own_acts_alone(stage: str, desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES[f"exchange_{stage}"])
    way_back = {"back"} if stage in ("numbers", "second") else set()
    assert drawn(client.get("/").text) == {*STAGE_INTENTS[stage], *way_back}


def test_a_stage_of_a_later_version_is_drawn_as_an_interruption(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["exchange_of_next_year"])
    page = client.get("/").text
    assert "An exchange was interrupted" in page
    assert drawn(page) == {"confirm_exchange", "abandon_exchange"}


@pytest.mark.parametrize("name", sorted(OPERATOR_PICTURES))
def test_no_operator_screen_shows_a_sum(name: str, desk: FakeDesk, client: TestClient) -> None:
    """Sums in the snapshot are the citizen's; a count is blind, so nothing that looks like money stands here."""
    shot = msgspec.structs.replace(
        OPERATOR_PICTURES[name], due=usd(76_543), inserted=usd(76_543), remaining=usd(76_543), excess=usd(76_543)
    )
    desk.show(shot)
    page = client.get("/").text
    assert "765" not in page
    assert "$" not in page


def test_the_pin_is_masked_and_no_browser_keeps_it(desk: FakeDesk, client: TestClient) -> None:
    for name in ("signing_in", "exchange_second"):
        desk.show(OPERATOR_PICTURES[name])
        page = client.get("/").text
        field = re.search(r'<input[^>]*name="pin"[^>]*>', page)
        assert field
        for told in ('type="password"', 'autocomplete="off"', 'value=""', 'inputmode="none"', "data-mask="):
            assert told in field[0]
        assert re.search(r'<form method="post"[^>]*>(?:(?!</form>).)*name="pin"', page, re.DOTALL)


def test_a_pin_goes_to_the_kernel_and_into_no_address(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["signing_in"])
    answer = client.post("/intent", data=form(desk, "enter_pin", person="p01", pin="2580"), headers=OURS)
    assert desk.asked[0][0] == EnterPin("p01", "2580")
    assert "2580" not in answer.headers["location"] + answer.text
    assert client.get("/intent", params={"intent": "enter_pin", "pin": "2580"}).status_code == 405


def test_a_pin_that_comes_to_a_screen_that_asked_for_none_is_not_repeated(desk: FakeDesk, client: TestClient) -> None:
    answer = client.post("/intent", data=form(desk, "enter_pin", person="p01", pin="2580"), headers=JSON)
    assert answer.status_code == 409
    assert "2580" not in answer.text
    assert desk.asked == []


def test_wrong_and_unknown_are_told_in_the_same_words(catalogue: Catalogue) -> None:
    from kiosk.checkout.attended_rules import refusal_words

    assert refusal_words("pin") == refusal_words("unknown")


def test_the_way_in_is_there_only_where_the_kernel_would_take_it(desk: FakeDesk, client: TestClient) -> None:
    assert "call-operator" not in client.get("/").text
    desk.show(PLAIN, allowed=("begin", "call_operator", "language"))
    page = client.get("/").text
    assert '<div id="call-operator" hidden>' in page
    assert "do-call_operator" not in page, "no button gives the way in away"


def test_fields_of_an_operators_intent_come_in_their_types(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended_busy"])
    for intent, fields in (
        ("shutter", {"closed": "false"}), ("release", {"device": "tickets"}), ("reprint_slip", {"number": 411}),
        ("acknowledge_slip", {"number": 410}),
    ):  # fmt: skip
        assert client.post("/intent", data=form(desk, intent, **fields), headers=JSON).status_code == 202
    asked = [one[0] for one in desk.asked]
    assert asked == [Shutter(False), Release("tickets"), ReprintSlip(411), AcknowledgeSlip(410)]


@pytest.mark.parametrize(
    ("name", "intent", "fields"),
    [
        ("attended_busy", "release", {"device": "safe"}),
        ("attended_busy", "reprint_slip", {"number": 1}),
        ("attended_busy", "acknowledge_slip", {"number": 412}),
        ("attended_busy", "change_realm", {"realm": "live"}),
        ("signing_in", "enter_pin", {"person": "p01", "pin": "1" * 65}),
        ("signing_in", "enter_pin", {"person": "", "pin": "2580"}),
        ("signing_in", "enter_pin", {"person": "p" * 99, "pin": "2580"}),
        ("exchange_numbers", "exchange_numbers", {"old_box": "B" * 25, "new_box": "C", "seal": "S"}),
        ("exchange_numbers", "exchange_numbers", {"old_box": "B", "new_box": "", "seal": "S"}),
    ],
)
def test_what_does_not_stand_on_the_screen_is_refused(
    name: str, intent: str, fields: dict[str, object], desk: FakeDesk, client: TestClient
) -> None:
    desk.show(OPERATOR_PICTURES[name])
    assert client.post("/intent", data=form(desk, intent, **fields), headers=JSON).status_code == 409
    assert desk.asked == []


def test_numbers_of_an_exchange_are_passed_on_as_typed(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["exchange_numbers"])
    numbers = {"old_box": "B-0042", "new_box": "B-0043", "seal": "S-778102"}
    assert client.post("/intent", data=form(desk, "exchange_numbers", **numbers), headers=JSON).status_code == 202
    assert desk.asked[0][0] == ExchangeNumbers(**numbers)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_the_number_of_a_box_stays_on_one_line_of_a_sentence_or_button(
    desk: FakeDesk, client: TestClient, language: str
) -> None:
    desk.show(OPERATOR_PICTURES["exchange_inserted"], language=language)
    button = re.search(r'id="act-confirm_exchange".*?</button>', client.get("/").text, re.DOTALL)
    assert button
    assert "B-\N{WORD JOINER}0043" in button[0]
    assert "B-0043" not in button[0]


def test_a_group_of_devices_is_as_well_as_its_worst(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended"])
    page = client.get("/").text
    printers = page[page.index("Printers") :]
    assert printers.index("Fault") < printers.index("receipt")
    assert "&lt;b&gt;no answer&lt;/b&gt;" in page
    assert worst(("ok", "ok")) == "ok"
    assert worst(("ok", "of_next_year", "warn")) == "unknown"


def test_closing_the_date_is_asked_before_it_is_posted(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended"])
    page = client.get("/").text
    question = re.search(r'<div class="question" id="ask-close_day" popover.*?</div>\s*</div>', page, re.DOTALL)
    assert question
    assert "Close 2026-03-14?" not in page
    assert "Close March 14, 2026?" in question[0]
    assert page.count('value="close_day"') == question[0].count('value="close_day"') == 1


def test_a_menu_without_its_picture_still_lets_people_out(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended"], operator=None)
    assert drawn(client.get("/").text) == {"sign_out"}


def test_an_open_slip_or_a_missing_box_is_told(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended_busy"])
    page = client.get("/").text
    for told in ("K07-1-000410-77aa", "may not be on paper", "not in place", "taken out without an exchange"):
        assert told in page
    assert BUSY.alarms[1] in page, "an alarm of a later version is shown by its name"
