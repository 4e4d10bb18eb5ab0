"""The count page passes on what was typed, keeps what is expected sealed, and never draws a PIN."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from kiosk.screen.app import build
from kiosk.screen.guard import Door
from kiosk.texts import Catalogue
from tests.screen.conftest import BASE, OURS
from tests.screen.counting_desk import EXPECTED_MINOR, FakeCounting
from tests.screen.pictures import PLAIN, TOKEN, FakeDesk

KEY = Door(TOKEN).key
EXPECTED = f"${EXPECTED_MINOR // 100}.{EXPECTED_MINOR % 100:02d}"


@pytest.fixture
def core() -> FakeCounting:
    return FakeCounting()


@pytest.fixture
def page(core: FakeCounting, desk: FakeDesk, catalogue: Catalogue) -> TestClient:
    app = build(desk, catalogue, token=TOKEN, ask=core.ask)
    client = TestClient(app, base_url=BASE, follow_redirects=False)
    assert client.get(f"/?token={TOKEN}").status_code == 303
    return client


def post(page: TestClient, do: str, **fields: str) -> str:
    """Post a form of the page; return what is drawn."""
    told = {"do": do, "key": KEY, "session": "7", "person": "p04", "pin": "2580", **fields}
    answer = page.post("/count", data=told, headers=OURS)
    assert answer.status_code == 200
    return answer.text


def counted(**notes: str) -> dict[str, str]:
    """Counts by value: ``v20="3"`` is three notes of 20."""
    return {f"notes-USD-{int(name[1:]) * 100}": count for name, count in notes.items()}


def test_the_list_names_every_box_and_how_far_it_is(page: TestClient) -> None:
    drawn = page.get("/count").text
    for told in ("B-0042", "Session 7", "to be received", "unknown number", "closed"):
        assert told in drawn
    assert 'id="box-7"' in drawn
    assert 'id="box-5"' not in drawn, "a closed count is not opened again"


def test_a_whole_count_from_the_box_to_its_booking(page: TestClient, core: FakeCounting) -> None:
    assert 'name="seal_whole"' in page.get("/count?session=7").text
    assert "The box is received" in post(page, "receive", box="b-0042", seal="S-778102", seal_whole="no")
    assert core.asked[-2] == (
        "count.receive",
        {"person": "p04", "pin": "2580", "session": 7, "box": "B-0042", "seal": "S-778102", "seal_whole": False},
    )
    kept = post(page, "attempt", **counted(v1="3", v20="8"), final="no")
    assert "Attempt 1 is kept: $163.00" in kept
    assert 'id="field-notes-USD-2000"' in kept
    assert re.search(r'name="notes-USD-2000"[^>]* value=""', kept), "who counts again does not see the first count"
    told = post(page, "attempt", **counted(v1="3", v10="1", v20="8"), final="yes")
    assert core.asked[-2][1]["notes"] == [[100, 3], [200, 0], [500, 0], [1000, 1], [2000, 8], [5000, 0], [10000, 0]]
    assert EXPECTED in told
    assert "No difference" in told
    done = post(page, "close", reason="")
    assert "closed and booked" in done
    assert "who took the box out also counted it" in done
    assert core.state == "closed"
    assert core.attempts == [16_300, 17_300]


def test_before_the_final_count_no_page_holds_what_is_expected(page: TestClient, core: FakeCounting) -> None:
    pages = [page.get("/count").text, page.get("/count?session=7").text]
    pages.append(post(page, "receive", box="B-0042", seal="S1", seal_whole="yes"))
    pages.append(post(page, "attempt", **counted(v5="1"), final="no"))
    pages.append(post(page, "attempt", **counted(v5="x"), final="yes"))
    pages.append(post(page, "attempt", **counted(v5="1"), final="yes", pin="0000"))
    for drawn in pages:
        assert EXPECTED not in drawn
        assert str(EXPECTED_MINOR) not in drawn
        assert "Expected" not in drawn
    assert EXPECTED in post(page, "attempt", **counted(v5="1"), final="yes")


def test_a_difference_needs_a_reason_and_above_the_limit_a_second_person(page: TestClient, core: FakeCounting) -> None:
    core.state = "to_count"
    told = post(page, "attempt", **counted(v20="8"), final="yes")
    assert "Short" in told
    assert "-$13.00" in told
    assert re.search(r'id="field-reason"[^>]* required', told)
    assert 'name="second_pin"' in told
    result = re.search(r'name="counted" value="([^"]+)"', told)
    assert result
    again = post(page, "close", reason="", counted=result[1].replace("&#34;", '"'))
    assert "a difference needs a reason" in again
    assert "say what was found" in again
    assert "-$13.00" in again, "what was told once stays while the count is open"
    refused = post(page, "close", reason="torn note", second="p05", second_pin="9999")
    assert "second signature" in refused
    assert "torn note" in refused
    assert "closed and booked" in post(page, "close", reason="torn note", second="P05", second_pin="4711")
    assert core.closed == {
        "person": "p04", "pin": "2580", "session": 7, "reason": "torn note", "second": "p05", "second_pin": "4711",
    }  # fmt: skip


def test_a_refusal_keeps_what_was_typed_but_never_a_pin(page: TestClient, core: FakeCounting) -> None:
    core.state = "to_count"
    drawn = post(page, "attempt", **counted(v50="12"), pin="98765", second_pin="54321", final="yes")
    assert "the id or the PIN is wrong" in drawn
    assert "five wrong PINs lock a person" in drawn
    assert re.search(r'name="notes-USD-5000"[^>]* value="12"', drawn)
    assert "98765" not in drawn
    assert "54321" not in drawn
    assert core.attempts == []


@pytest.mark.parametrize("count", ["-1", "1.5", "1e3", "٣", "20001", "999999", "0x1"])
def test_a_number_of_notes_that_cannot_be_is_refused_before_the_core_is_asked(
    count: str, page: TestClient, core: FakeCounting
) -> None:
    core.state = "to_count"
    assert "cannot be read" in post(page, "attempt", **counted(v20=count), final="yes")
    assert [verb for verb, _ in core.asked if verb == "count.attempt"] == []


def test_nobody_receives_a_box_without_saying_whether_its_seal_is_whole(page: TestClient, core: FakeCounting) -> None:
    assert "whether the seal is whole" in post(page, "receive", box="B-0042", seal="S1")
    assert core.state == "to_receive"


@pytest.mark.parametrize("session", ["99", "-1", "x", "7 ", "9" * 40, "٧"])
def test_a_box_that_is_not_there_is_told_and_asked_nothing(session: str, page: TestClient, core: FakeCounting) -> None:
    assert "There is no such box" in page.get("/count", params={"session": session}).text
    assert "There is no such box" in post(page, "attempt", session=session)
    assert {verb for verb, _ in core.asked} == {"count.list"}


def test_a_post_needs_the_cookie_the_origin_and_the_pages_key(page: TestClient, core: FakeCounting) -> None:
    told = {
        "do": "receive",
        "session": "7",
        "person": "p04",
        "pin": "2580",
        "box": "B",
        "seal": "S",
        "seal_whole": "yes",
    }
    assert page.post("/count", data={**told, "key": "x"}, headers=OURS).status_code == 403
    assert page.post("/count", data={**told, "key": KEY}, headers={"origin": "http://evil.example"}).status_code == 403
    page.cookies.clear()
    assert page.post("/count", data={**told, "key": KEY}, headers=OURS).status_code == 403
    assert page.get("/count").status_code == 403
    assert core.asked == []


@pytest.mark.parametrize("body", [b"\xff=1", b"&".join(b"a%d=1" % n for n in range(99))])
def test_a_post_that_is_no_form_is_refused(body: bytes, page: TestClient, core: FakeCounting) -> None:
    headers = {**OURS, "content-type": "application/x-www-form-urlencoded"}
    assert page.post("/count", content=body, headers=headers).status_code == 400
    assert page.post("/count", data={"key": KEY, "do": "empty", "session": "7"}, headers=OURS).status_code == 400
    assert core.asked == []


def test_where_the_core_counts_nothing_the_page_says_what_to_do(desk: FakeDesk, catalogue: Catalogue) -> None:
    client = TestClient(build(desk, catalogue, token=TOKEN), base_url=BASE)
    client.get(f"/?token={TOKEN}")
    assert "kiosk cash count" in client.get("/count").text


@pytest.mark.parametrize(
    "answer", [{}, {"ok": "yes"}, {"ok": False, "error": 3}, {"ok": True, "boxes": [{"session": "seven"}]}]
)
def test_an_answer_that_cannot_be_read_is_a_refusal(
    answer: dict[str, Any], desk: FakeDesk, catalogue: Catalogue
) -> None:
    client = TestClient(build(desk, catalogue, token=TOKEN, ask=lambda verb, told: answer), base_url=BASE)
    client.get(f"/?token={TOKEN}")
    drawn = client.get("/count")
    assert drawn.status_code == 200
    assert 'id="refusal"' in drawn.text


@pytest.mark.parametrize("language", ["en", "es", "qps"])
@pytest.mark.parametrize("state", ["to_receive", "to_count", "to_close", "closed", "of_next_year"])
def test_every_step_is_drawn_in_every_language(
    state: str, language: str, page: TestClient, core: FakeCounting, desk: FakeDesk, catalogue: Catalogue
) -> None:
    core.state = state
    desk.show(PLAIN, language=language)
    drawn = page.get("/count?session=7").text
    assert f'<html lang="{catalogue.page_tag(language)}"' in drawn
    assert re.search(r"\[[a-z_]+\.[a-z_.]+\]", drawn) is None
    assert not {one for one in catalogue.missing if one[1].startswith("counting.")}
    assert 'class="ribbon"' in drawn


def test_what_the_core_says_is_shown_as_text(desk: FakeDesk, catalogue: Catalogue) -> None:
    hostile = "<script>alert(1)</script>"
    told = {"ok": False, "error": hostile, "hint": hostile}
    client = TestClient(build(desk, catalogue, token=TOKEN, ask=lambda verb, arguments: told), base_url=BASE)
    client.get(f"/?token={TOKEN}")
    assert "<script>alert" not in client.get("/count").text


def test_a_final_count_is_told_again_to_whoever_left_the_page(page: TestClient, core: FakeCounting) -> None:
    core.state = "to_count"
    post(page, "attempt", **counted(v20="8"), final="yes")
    anew = page.get("/count?session=7").text
    assert EXPECTED not in anew
    assert 'value="reveal"' in anew
    assert EXPECTED not in post(page, "reveal", pin="0000")
    told = post(page, "reveal")
    assert EXPECTED in told
    assert "-$13.00" in told
    assert 'value="reveal"' not in told


def test_notes_of_another_currency_are_counted_and_told_apart(page: TestClient, core: FakeCounting) -> None:
    core.state = "to_count"
    core.denominations.append(["CAD", 500])
    told = post(page, "attempt", **counted(v1="173"), **{"notes-CAD-500": "2"}, final="yes")
    assert core.asked[-2][1]["notes"][-1] == ["CAD", 500, 2]
    assert "CA$10.00" in told
    assert re.search(r'id="field-reason"[^>]* required', told), "a difference in any currency needs a reason"


def test_another_number_on_the_box_is_told(page: TestClient, core: FakeCounting) -> None:
    drawn = post(page, "receive", box="B-0099", seal="S1", seal_whole="yes")
    assert "another number" in drawn
    assert core.state == "to_count"
