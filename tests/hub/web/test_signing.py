"""Signing in: locks, sessions that end, forms that carry a token, and a door that knows its own name."""

from __future__ import annotations

import msgspec
import pytest
import sqlalchemy as sa

from kiosk.errors import OperatorError
from kiosk.hub.store import tables
from kiosk.hub.web import people
from kiosk.hub.web.app import build
from kiosk.hub.web.signing import WRONG
from kiosk.model.instant import NS
from tests.hub.web.city import BASE, PASSWORD, City

MINUTE = 60 * NS


def test_whoever_is_not_signed_in_sees_no_page_and_comes_back_to_it_afterwards(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser()
    answer = browser.get("/days?kiosk=K07")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?back=%2Fdays%3Fkiosk%3DK07")
    signed = browser.sign_in("o-view", back="/days?kiosk=K07")
    assert (signed.status_code, signed.headers["location"]) == (303, "/days?kiosk=K07")
    assert browser.get("/fleet/rows", headers={"accept": "text/x-fragment"}).status_code == 200
    assert city.browser().get("/fleet/rows", headers={"accept": "text/x-fragment"}).status_code == 401


def test_an_address_of_somebody_else_is_never_gone_back_to(city: City) -> None:
    city.person("o-view", "view")
    for foreign in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        assert city.browser().sign_in("o-view", back=foreign).headers["location"] == "/fleet"


def test_an_unknown_person_a_wrong_password_and_a_lock_are_told_in_the_same_words(city: City) -> None:
    city.person("o-view", "view")
    city.person("o-gone", "view")
    with city.stores.office.begin() as connection:
        people.change(connection, "o-gone", city.now_ns, state="locked")
    browser = city.browser()
    answers = [
        browser.sign_in("o-nobody"), browser.sign_in("o-view", "a wrong password"), browser.sign_in("o-gone"),
        browser.sign_in("o-view", "x" * 900),
    ]  # fmt: skip
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1
    assert WRONG[:20] in answers[0].text


def test_five_wrong_passwords_lock_out_even_the_right_one_until_the_time_is_over(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser()
    for _ in range(people.MOST_FAILURES):
        assert browser.sign_in("o-view", "a wrong password").status_code == 403
    assert browser.sign_in("o-view").status_code == 403
    city.now_ns += people.LOCK_NS - MINUTE
    assert browser.sign_in("o-view").status_code == 403
    city.now_ns += 2 * MINUTE
    assert browser.sign_in("o-view").status_code == 303
    acts = [(row.act, row.subject) for row in city.rows(tables.access)]
    assert acts.count(("sign-in refused", "wrong password")) == people.MOST_FAILURES - 1
    assert ("sign-in refused", "locked out") in acts
    assert acts[-1] == ("signed in", "")


def test_a_flood_of_refusals_fills_no_table(city: City) -> None:
    browser = city.browser()
    for at in range(12):
        browser.sign_in(f"o-x{at}", "a wrong password")
        city.now_ns += NS
    assert [(row.operator, row.subject) for row in city.rows(tables.access)] == [("", "nobody")] * 2


def test_a_session_ends_after_the_idle_time_and_what_a_page_asks_by_itself_does_not_count(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser("o-view")
    for _ in range(4):  # a page that refreshes itself, and nobody in front of it
        city.now_ns += 7 * MINUTE
        assert browser.get("/fleet/rows").status_code == 200
    city.now_ns += 3 * MINUTE
    assert browser.get("/fleet/rows", headers={"accept": "text/x-fragment"}).status_code == 401
    assert browser.get("/fleet").status_code == 303


def test_a_session_that_is_used_lives_on_but_no_longer_than_a_working_day(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser("o-view")
    for _ in range(12 * 60 // 25):
        city.now_ns += 25 * MINUTE
        assert browser.get("/fleet").status_code == 200
    city.now_ns += 25 * MINUTE
    assert browser.get("/fleet").status_code == 303


def test_signing_out_a_new_password_and_a_lock_end_every_session(city: City) -> None:
    city.person("o-view", "view")
    first, second = city.browser("o-view"), city.browser("o-view")
    cookie = first.client.cookies[city.desk.cookie]
    assert first.post("/sign-out").status_code == 303
    stolen = city.browser()
    stolen.client.cookies.set(city.desk.cookie, cookie)
    assert stolen.get("/fleet").status_code == 303
    assert second.get("/fleet").status_code == 200
    with city.stores.office.begin() as connection:
        people.change(connection, "o-view", city.now_ns, password="another long password")
    assert second.get("/fleet").status_code == 303
    assert second.sign_in("o-view").status_code == 403
    assert second.sign_in("o-view", "another long password").status_code == 303
    with city.stores.office.begin() as connection:
        people.change(connection, "o-view", city.now_ns, state="locked")
    assert second.get("/fleet").status_code == 303


def test_a_role_that_was_taken_away_is_gone_at_the_next_request(city: City) -> None:
    city.person("o-audit", "audit")
    browser = city.browser("o-audit")
    assert browser.get("/looks").status_code == 200
    with city.stores.office.begin() as connection:
        changed = sa.update(tables.operator).where(tables.operator.c.id == "o-audit").values(roles="admin")
        connection.execute(changed)
    assert browser.get("/looks").status_code == 403


def test_the_database_never_holds_a_cookie_or_a_password(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser("o-view")
    cookie = browser.client.cookies[city.desk.cookie]
    kept = repr(city.rows(tables.web_session)) + repr(city.rows(tables.operator)) + repr(city.rows(tables.access))
    assert cookie not in kept
    assert PASSWORD not in kept


def test_the_cookie_is_for_this_site_alone_and_with_tls_for_tls_alone(city: City) -> None:
    city.person("o-view", "view")
    plain = city.browser().sign_in("o-view").headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=strict" in plain
    assert "secure" not in plain
    web = msgspec.structs.replace(city.setup.config.web, tls=True)
    config = msgspec.structs.replace(city.setup.config, web=web)
    city.app, desk = build(msgspec.structs.replace(city.setup, config=config), lambda: city.now_ns)
    try:
        browser = city.browser()
        browser.headers = {"origin": BASE.replace("http", "https")}
        answer = browser.sign_in("o-view")
        told = answer.headers["set-cookie"]
        assert told.startswith("__Host-hub-city-hall=")
        assert "; secure" in told.lower()
        assert "strict-transport-security" in answer.headers
    finally:
        desk.close()


def test_a_post_without_the_sessions_token_or_from_another_page_changes_nothing(city: City) -> None:
    city.person("o-admin", "admin")
    city.kiosk("K07")
    browser, other = city.browser("o-admin"), city.browser("o-admin")
    order = {"command": "shutter", "argument": "open", "once": "w" + "0" * 20}
    for token in ("", "x" * 32, other.token):
        assert browser.post("/kiosks/K07/command", token=token, **order).status_code == 403
    for origin in ("", "http://evil.example", "null", BASE.replace("http", "https")):
        headers = {"origin": origin} if origin else {}
        assert browser.post("/kiosks/K07/command", headers=headers, **order).status_code == 403
    assert city.rows(tables.command) == []
    assert browser.post("/kiosks/K07/command", **order).status_code == 303
    assert len(city.rows(tables.command)) == 1


def test_another_host_name_a_large_body_and_a_strange_method_are_refused_before_anything_looks(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser("o-view")
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost:x", ""):
        assert browser.get("/fleet", headers={"host": host}).status_code == 421
    assert browser.get("/fleet", headers={"host": "LOCALHOST:8090"}).status_code == 200
    assert browser.client.put("/fleet").status_code == 405
    assert browser.client.post("/sign-in", content=b"x" * 9000, headers=browser.headers).status_code == 413
    assert browser.get("/receipts?number=" + "9" * 3000).status_code == 414


def test_every_answer_carries_the_headers_and_may_not_be_kept(city: City) -> None:
    city.person("o-view", "view")
    browser = city.browser("o-view")
    for answer in (browser.get("/fleet"), browser.get("/nothing"), browser.get("/sign-in")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert browser.get("/static/hub.css").headers["cache-control"].startswith("private")


def test_a_person_who_counts_cannot_hold_a_role_that_tells_what_is_expected() -> None:
    for roles in (("count", "audit"), ("count", "export"), ("view", "count", "audit")):
        with pytest.raises(OperatorError, match="two people"):
            people.check_roles(roles)
    assert people.check_roles(("count", "view")) == ("view", "count")
    for wrong in ((), ("root",)):
        with pytest.raises(OperatorError):
            people.check_roles(wrong)
