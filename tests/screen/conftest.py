"""Fixtures of the screen's tests: the texts, a fake desk, and a client that came in by the start address."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kiosk.screen.app import build
from kiosk.screen.pages import Verdict
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.pictures import TOKEN, FakeDesk

BASE = "http://127.0.0.1:8765"
OURS = {"origin": BASE}


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load([Path(__file__).resolve().parents[2] / "config" / "texts"])


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


def verify(told: str) -> Verdict:
    """Accept one receipt and no other."""
    if told == "GOOD":
        return Verdict(True, facts=(("number", "K07-1-000412-9f3c"), ("total", "$113.17"), ("stamp", "<i>x</i>")))
    return Verdict(False, reason="the signature is not by a published key")


@pytest.fixture
def stranger(desk: FakeDesk, catalogue: Catalogue) -> TestClient:
    """A browser that knows the address and not the token."""
    return TestClient(build(desk, catalogue, token=TOKEN, verify=verify), base_url=BASE, follow_redirects=False)


@pytest.fixture
def client(stranger: TestClient) -> TestClient:
    """The kiosk's own browser."""
    assert stranger.get(f"/?token={TOKEN}").status_code == 303
    return stranger


@pytest.fixture
def served(desk: FakeDesk, catalogue: Catalogue) -> Iterator[tuple[str, int]]:
    """The screen on a real port."""
    server = ScreenServer(build(desk, catalogue, token=TOKEN))
    yield server.start()
    assert server.stop()
