"""The screen draws what the kernel published and passes on only what fits the screen that is shown."""

from __future__ import annotations

import re

import msgspec
import pytest
from starlette.testclient import TestClient

from kiosk.checkout.intents import Begin, ChooseLanguage, EnterNumber, RemoveInvoice
from kiosk.model.texts import text
from kiosk.screen.app import build
from kiosk.screen.guard import Door
from kiosk.screen.settings import ScreenSettings
from kiosk.texts import Catalogue
from tests.screen.conftest import BASE, OURS
from tests.screen.pictures import CITATION, PICTURES, PLAIN, TOKEN, FakeDesk, usd

KEY = Door(TOKEN).key
JSON = {**OURS, "accept": "application/json"}


def form(desk: FakeDesk, intent: str, **fields: object) -> dict[str, str]:
    """A form as the shown page would post it."""
    shot = desk.board.snapshot()
    assert shot is not None
    told = {"intent": intent, "session": shot.session, "step": shot.step, "key": KEY, **fields}
    return {name: str(value) for name, value in told.items()}


@pytest.mark.parametrize("language", ["en", "es", "qps"])
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_every_screen_is_drawn_in_every_language(
    name: str, language: str, desk: FakeDesk, client: TestClient, catalogue: Catalogue
) -> None:
    desk.show(PICTURES[name], language=language)
    page = client.get("/")
    assert page.status_code == 200
    assert f'<html lang="{catalogue.page_tag(language)}" dir="{catalogue.direction(language)}">' in page.text
    assert page.text.count("<h1 ") == 1
    assert "555-0100" in page.text
    assert "K07" in page.text
    assert re.search(r"\[[a-z_]+\.[a-z_.]+\]", page.text) is None, "a text is missing"
    assert not {(tag, message) for tag, message in catalogue.missing if message.startswith(("screen.", "button."))}


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_screen_draws_no_button_that_the_kernel_would_not_take(name: str, desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES[name])
    drawn = set(re.findall(r'name="intent" value="([a-z_]+)"', client.get("/").text))
    expected = set(PICTURES[name].allowed)
    if name == "unknown":
        expected = set()
    assert drawn <= expected | ({"enter_number"} if PICTURES[name].screen == "entering" else set())


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_nobody_is_left_on_a_screen_without_a_way_on(name: str, desk: FakeDesk, client: TestClient) -> None:
    picture = PICTURES[name]
    desk.show(picture)
    drawn = set(re.findall(r'name="intent" value="([a-z_]+)"', client.get("/").text)) - {"language"}
    offered = set(picture.allowed) - {"language"}
    moving = picture.screen in ("stacking", "returning")
    assert bool(drawn) == (bool(offered) and not moving)


@pytest.mark.parametrize("name", [name for name in sorted(PICTURES) if PICTURES[name].screen == "accepting"])
def test_the_pay_screen_shows_due_inserted_and_remaining(name: str, desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES[name])
    page = client.get("/").text
    picture = PICTURES[name]
    amounts = re.findall(r">(\$[0-9.,]+)<", page)
    assert amounts[0] == f"${picture.remaining.minor // 100}.{picture.remaining.minor % 100:02d}"
    assert "$113.17" in amounts
    assert f"${picture.inserted.minor // 100}.00" in amounts


def test_a_rule_behind_several_lines_is_cited_once_and_a_bar_joins_them(desk: FakeDesk, client: TestClient) -> None:
    lines = tuple(msgspec.structs.replace(line, citation="Example City Code 33-46") for line in CITATION.lines)
    desk.show(PICTURES["reviewing"], cart=(msgspec.structs.replace(CITATION, lines=lines),))
    page = client.get("/").text
    assert page.count('<span class="rule"><bdi>Example City Code 33-46') == 1
    assert page.count('<span class="unseen"><bdi>Example City Code 33-46') == len(lines) - 1
    assert re.findall(r'class="joined[ a-z]*"', page) == [
        'class="joined first"',
        *['class="joined"'] * (len(lines) - 1),
    ]
    desk.show(PICTURES["reviewing"])
    page = client.get("/").text
    assert "Example City Code 10-4-2" in page
    assert "Example City Code 10-4-9" in page


def test_outside_live_every_screen_says_specimen(desk: FakeDesk, client: TestClient) -> None:
    for realm in ("demo", "training"):
        for picture in PICTURES.values():
            desk.show(picture, realm=realm)
            assert "SPECIMEN" in client.get("/").text
    desk.show(PLAIN, realm="live")
    assert "SPECIMEN" not in client.get("/").text


def test_hostile_texts_are_shown_as_text(desk: FakeDesk, client: TestClient) -> None:
    hostile = '"><script>alert(1)</script>'
    invoice = msgspec.structs.replace(CITATION, number=hostile, service=text(hostile))
    desk.show(
        PICTURES["reviewing"],
        cart=(invoice,),
        city=hostile,
        kiosk=hostile,
        support_phone=hostile,
        messages=(text(hostile), text("notice.already_paid", number=hostile)),
        session=hostile,
    )
    for page in (client.get("/").text, client.get("/fragment").json()["html"]):
        assert "<script>alert" not in page
        assert page.count("&lt;script&gt;alert(1)") >= 5


def test_a_screen_of_a_later_version_is_drawn_as_out_of_service(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["unknown"])
    assert "Out of service" in client.get("/").text


def test_before_the_first_snapshot_the_kiosk_is_starting(catalogue: Catalogue) -> None:
    desk = FakeDesk()
    desk.board = type(desk.board)()
    settings = ScreenSettings(kiosk="K07", support_phone="555-0100", city="Example City")
    client = TestClient(build(desk, catalogue, token=TOKEN, settings=settings), base_url=BASE)
    page = client.get(f"/?token={TOKEN}")
    assert "The kiosk is starting" in page.text
    assert "555-0100" in page.text


def test_an_intent_of_the_shown_screen_is_passed_on(desk: FakeDesk, client: TestClient) -> None:
    answer = client.post("/intent", data=form(desk, "begin"), headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert desk.asked == [(Begin(), "s-1", 1)]


def test_an_intent_may_come_as_json(desk: FakeDesk, client: TestClient) -> None:
    told = {"intent": "begin", "session": "s-1", "step": 1, "key": KEY}
    assert client.post("/intent", json=told, headers=JSON).status_code == 202
    assert desk.asked == [(Begin(), "s-1", 1)]


def test_fields_reach_the_intent_in_their_types(desk: FakeDesk, client: TestClient) -> None:
    client.post("/intent", data=form(desk, "language", language="es"), headers=JSON)
    desk.show(PICTURES["entering"])
    client.post("/intent", data=form(desk, "enter_number", text="26000417"), headers=JSON)
    desk.show(PICTURES["reviewing_several"])
    client.post("/intent", data=form(desk, "remove_invoice", index=1), headers=JSON)
    assert [asked[0] for asked in desk.asked] == [ChooseLanguage("es"), EnterNumber("26000417"), RemoveInvoice(1)]


@pytest.mark.parametrize(
    ("intent", "changes"),
    [
        ("begin", {"step": 99}),
        ("begin", {"session": "s-0"}),
        ("pay", {}),
        ("language", {"language": "fr"}),
    ],
)
def test_an_intent_that_does_not_fit_the_shown_screen_is_dropped(
    intent: str, changes: dict[str, object], desk: FakeDesk, client: TestClient
) -> None:
    told = form(desk, intent, **changes)
    assert client.post("/intent", data=told, headers=JSON).status_code == 409
    plain = client.post("/intent", data=told, headers=OURS)
    assert (plain.status_code, plain.headers["location"]) == (303, "/")
    assert desk.asked == []


def test_a_double_tap_acts_once(desk: FakeDesk, client: TestClient) -> None:
    told = form(desk, "begin")
    client.post("/intent", data=told, headers=OURS)
    desk.show(PICTURES["entering"])
    assert client.post("/intent", data=told, headers=JSON).status_code == 409
    assert len(desk.asked) == 1


def test_a_place_outside_the_cart_is_dropped(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["reviewing"])
    for index in (-1, 1, 10**9):
        assert client.post("/intent", data=form(desk, "remove_invoice", index=index), headers=JSON).status_code == 409
    assert desk.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"intent=begin",
        b"intent=rob&session=s-1&step=1",
        b"intent=begin&session=s-1&step=one",
        b"\xff\xfe",
        b"intent=enter_number&session=s-1&step=1&text=" + b"9" * 65,
        b"intent=enter_number&session=s-1&step=1&text=",
        b"&".join(b"a=%d" % n for n in range(40)),
    ],
)
def test_a_post_that_is_no_intent_is_refused(body: bytes, desk: FakeDesk, client: TestClient) -> None:
    headers = {**JSON, "content-type": "application/x-www-form-urlencoded"}
    assert client.post("/intent", content=body, headers=headers).status_code == 400
    assert desk.asked == []


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"intent": {"a": 1}}', b"null", b"[" * 2000])
def test_json_that_is_no_intent_is_refused(body: bytes, desk: FakeDesk, client: TestClient) -> None:
    headers = {**JSON, "content-type": "application/json"}
    assert client.post("/intent", content=body, headers=headers).status_code == 400
    assert desk.asked == []


def test_a_post_without_the_pages_key_is_refused(desk: FakeDesk, client: TestClient) -> None:
    assert client.post("/intent", data=form(desk, "begin", key="x"), headers=OURS).status_code == 403
    assert desk.asked == []


def test_a_busy_kernel_is_told_to_the_page(desk: FakeDesk, client: TestClient) -> None:
    desk.takes = False
    assert client.post("/intent", data=form(desk, "begin"), headers=JSON).status_code == 503


def test_the_heartbeat_reaches_the_desk(desk: FakeDesk, client: TestClient) -> None:
    assert client.post("/alive", headers=OURS).status_code == 204
    assert desk.beats == 1


def test_the_session_is_told_as_json_with_the_time_that_is_left(desk: FakeDesk, catalogue: Catalogue) -> None:
    shot = desk.show(PICTURES["reviewing"])
    app = build(desk, catalogue, token=TOKEN, now_ns=lambda: shot.published_ns + 5_000_000_000)
    client = TestClient(app, base_url=BASE)
    client.get(f"/?token={TOKEN}")
    told = client.get("/session").json()
    assert (told["screen"], told["due"], told["ends_in_ms"]) == ("reviewing", [5000, "USD"], 55_000)


def test_the_time_left_never_falls_below_nothing(desk: FakeDesk, catalogue: Catalogue) -> None:
    shot = desk.show(PICTURES["timed_out"])
    app = build(desk, catalogue, token=TOKEN, now_ns=lambda: shot.published_ns + 90_000_000_000)
    client = TestClient(app, base_url=BASE)
    assert "<span data-seconds>0</span>" in client.get(f"/?token={TOKEN}").text


def test_a_measured_screen_gets_letters_of_its_size(desk: FakeDesk, catalogue: Catalogue) -> None:
    measured = TestClient(build(desk, catalogue, token=TOKEN, settings=ScreenSettings(px_per_100mm=900)), base_url=BASE)
    assert measured.get("/look.css").text == ":root { --letter: 62px; }\n:root { --large-letter: 95px; }\n"
    assert ScreenSettings(px_per_100mm=563).letter_px == 39
    plain = TestClient(build(desk, catalogue, token=TOKEN), base_url=BASE)
    assert plain.get("/look.css").text == ""


def test_a_qr_code_stands_on_the_receipt_screen(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["receipting"])
    page = client.get("/").text
    assert 'class="qr-code"' in page
    assert "K07-1-000412-9f3c" in page
    assert 'value="60"' in page


def test_a_slip_state_of_a_later_version_is_never_shown_as_printed(desk: FakeDesk, client: TestClient) -> None:
    slip = msgspec.structs.replace(PICTURES["receipting"].slips[0], state="half_printed")
    desk.show(PICTURES["receipting"], slips=(slip,))
    page = client.get("/").text
    assert "may not have been printed" in page
    assert "Photograph this screen" in page


def test_an_excess_is_asked_with_its_amount(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["note_held_excess"])
    page = client.get("/").text
    assert "Your $20 note is $6.83 too much" in page
    assert page.index("do-decline_excess") < page.index("do-agree_excess")
    desk.show(PICTURES["note_held_excess"], note_excess=usd(0), allowed=())
    assert "too much" not in client.get("/").text


def test_the_page_works_without_scripts(desk: FakeDesk, client: TestClient) -> None:
    page = client.get("/").text
    assert "<noscript><meta http-equiv=" in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert set(re.findall(r"<script[^>]*>([^<]*)</script>", page)) == {""}
