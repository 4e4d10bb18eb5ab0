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
from tests.screen.pictures import PLAIN, FakeDesk
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
