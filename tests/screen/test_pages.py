"""The health page shows devices and reasons and never a sum; the check page believes only its verifier."""

from __future__ import annotations

import msgspec
import pytest
from starlette.testclient import TestClient

from kiosk.screen.app import build
from kiosk.texts import Catalogue
from tests.screen.conftest import BASE, OURS
from tests.screen.pictures import HEALTH, TOKEN, FakeDesk


def test_the_health_page_shows_devices_and_quarantined_plugins(desk: FakeDesk, stranger: TestClient) -> None:
    desk.board.publish_health(HEALTH)
    page = stranger.get("/health").text
    for told in ("bill0", "paper_low", "quarantined", "raised ImportError", "Needs attention", "1:412"):
        assert told in page
    assert "&lt;b&gt;raw&lt;/b&gt;" in page


def test_a_reason_that_is_a_text_is_told_in_the_language(desk: FakeDesk, stranger: TestClient) -> None:
    desk.board.publish_health(msgspec.structs.replace(HEALTH, reasons=("out.acceptor", "printer0: paper low")))
    page = stranger.get("/health?lang=es").text
    assert "La ranura de billetes no funciona." in page
    assert "printer0: paper low" in page


@pytest.mark.parametrize(("severity", "status"), [("ok", 200), ("warn", 200), ("unknown", 200), ("fault", 503)])
def test_the_health_of_a_kiosk_at_fault_is_an_error_for_a_monitor(
    severity: str, status: int, desk: FakeDesk, stranger: TestClient
) -> None:
    desk.board.publish_health(msgspec.structs.replace(HEALTH, severity=severity))
    answer = stranger.get("/health.json")
    assert (answer.status_code, answer.json()["severity"], answer.json()["schema"]) == (status, severity, 1)


def test_unknown_health_is_not_good_health(stranger: TestClient) -> None:
    assert stranger.get("/health.json").status_code == 503
    assert "Nothing known yet" in stranger.get("/health").text


def test_a_genuine_receipt_is_shown_with_its_facts(stranger: TestClient) -> None:
    page = stranger.post("/verify", data={"receipt": " GOOD\n"}, headers=OURS).text
    assert "This receipt is genuine" in page
    assert "K07-1-000412-9f3c" in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page


def test_anything_else_is_not_confirmed_and_says_why(stranger: TestClient) -> None:
    page = stranger.post("/verify", data={"receipt": "<script>x</script>"}, headers=OURS).text
    assert "cannot be confirmed" in page
    assert "not by a published key" in page
    assert "<script>x" not in page


def test_without_published_keys_nothing_is_confirmed(desk: FakeDesk, catalogue: Catalogue) -> None:
    client = TestClient(build(desk, catalogue, token=TOKEN), base_url=BASE)
    page = client.post("/verify", data={"receipt": "GOOD"}, headers=OURS).text
    assert "No published keys are installed here" in page
    assert "genuine" not in page


def test_the_check_page_speaks_the_language_asked_for(stranger: TestClient) -> None:
    assert "Comprobar un recibo" in stranger.get("/verify?lang=es").text
    assert "Check a receipt" in stranger.get("/verify?lang=<script>").text
