"""Only the kiosk's own browser, coming from the kiosk's own page, gets anything from the screen."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from kiosk.screen.app import build
from kiosk.screen.guard import LARGEST, Door
from kiosk.screen.settings import ScreenSettings
from kiosk.texts import Catalogue
from tests.screen.conftest import BASE, OURS
from tests.screen.pictures import TOKEN, FakeDesk


@pytest.mark.parametrize("path", ["/", "/session", "/events", "/fragment"])
def test_without_the_start_address_nothing_is_shown(path: str, stranger: TestClient) -> None:
    assert stranger.get(path).status_code == 403


def test_without_the_start_address_nothing_is_taken(desk: FakeDesk, stranger: TestClient) -> None:
    told = {"intent": "begin", "session": "s-1", "step": "1", "key": Door(TOKEN).key}
    assert stranger.post("/intent", data=told, headers=OURS).status_code == 403
    assert stranger.post("/alive", headers=OURS).status_code == 403
    assert desk.asked == []
    assert desk.beats == 0


def test_a_wrong_token_opens_nothing(stranger: TestClient) -> None:
    for token in ("", "x", TOKEN + "x", TOKEN[:-1], "é"):
        assert stranger.get("/", params={"token": token}).status_code == 403
    assert stranger.get("/session").status_code == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(stranger: TestClient) -> None:
    answer = stranger.get(f"/?token={TOKEN}")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in answer.headers["set-cookie"]
    assert answer.headers["location"] == "/"


def test_the_token_of_another_start_does_not_open_this_one(desk: FakeDesk, catalogue: Catalogue) -> None:
    before = TestClient(build(desk, catalogue, token="an-older-token"), base_url=BASE)
    before.get("/?token=an-older-token")
    now = TestClient(build(desk, catalogue, token=TOKEN), base_url=BASE, cookies=before.cookies)
    assert now.get("/").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "127.0.0.1:80x", "[::1"]
)
def test_a_name_that_is_not_ours_is_refused(host: str, client: TestClient) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421
    assert client.get("/health.json", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:8765", "localhost", "[::1]:8765"])
def test_our_own_names_are_known(host: str, stranger: TestClient) -> None:
    assert stranger.get(f"/?token={TOKEN}", headers={"host": host}).status_code == 303


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "", "https://127.0.0.1:8765"]
)
def test_a_post_from_another_page_is_refused(origin: str, desk: FakeDesk, client: TestClient) -> None:
    told = {"intent": "begin", "session": "s-1", "step": "1", "key": Door(TOKEN).key}
    assert client.post("/intent", data=told, headers={"origin": origin}).status_code == 403
    assert client.post("/alive", headers={"origin": origin}).status_code == 403
    assert desk.asked == []


def test_a_post_that_does_not_say_where_it_comes_from_is_refused(desk: FakeDesk, client: TestClient) -> None:
    assert client.post("/alive").status_code == 403
    assert desk.beats == 0


def test_an_oversized_body_is_refused_whether_announced_or_not(desk: FakeDesk, client: TestClient) -> None:
    large = b"text=" + b"9" * LARGEST
    assert client.post("/intent", content=large, headers=OURS).status_code == 413

    def pieces():  # type: ignore[no-untyped-def]
        for _ in range(LARGEST):
            yield b"9" * 16

    assert client.post("/intent", content=pieces(), headers=OURS).status_code == 413
    assert desk.asked == []


@pytest.mark.parametrize("path", ["/", "/health", "/verify", "/static/kiosk.js", "/nowhere", "/look.css"])
def test_every_answer_carries_the_security_headers(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' data:;")
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_refusals_carry_them_too(stranger: TestClient) -> None:
    answer = stranger.get("/")
    assert answer.status_code == 403
    assert answer.headers["cache-control"] == "no-store"


def test_a_bench_may_frame_the_screen_only_where_it_is_named(desk: FakeDesk, catalogue: Catalogue) -> None:
    settings = ScreenSettings(framed_by=("http://127.0.0.1:9000",))
    client = TestClient(build(desk, catalogue, token=TOKEN, settings=settings), base_url=BASE)
    assert "frame-ancestors http://127.0.0.1:9000" in client.get("/health").headers["content-security-policy"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_have_no_business_here(method: str, client: TestClient) -> None:
    assert client.request(method, "/", headers=OURS).status_code == 405


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"])
def test_no_file_outside_the_screens_own_is_served(path: str, client: TestClient) -> None:
    assert client.get(path).status_code in (403, 404)


def test_a_garbled_cookie_is_no_cookie(stranger: TestClient) -> None:
    name = Door(TOKEN).cookie
    for cookie in (f"{name}=", f"{name}=x", "a b;;=,", f"{name}={Door('other').pass_}"):
        assert stranger.get("/", headers={"cookie": cookie}).status_code == 403
