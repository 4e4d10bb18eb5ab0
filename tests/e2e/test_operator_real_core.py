"""People who work at the kiosk, by keyboard alone on a real core: sign in, exchange the box, close the day, count."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kiosk.model import facts
from tests.app.live_kiosk import KioskAtHand, live_kiosk
from tests.e2e.test_operator_screens import fill_in, focused, press_until
from tests.e2e.test_real_core import becomes, on, tab

playwright_api = pytest.importorskip("playwright.sync_api")
Page = playwright_api.Page

pytestmark = pytest.mark.browser


def sign_in(page: Page, person: str = "p01", pin: str = "2580") -> None:
    """Turn the key switch and say who is there."""
    on(page, "idle")
    page.keyboard.press("F12")
    on(page, "signing_in")
    fill_in(page, person, pin)
    page.keyboard.press("Enter")


def choose(page: Page, button: str) -> None:
    """Go to a button and press it."""
    press_until(page, "ArrowDown", button, 40)
    page.keyboard.press("Enter")


def exchange(kiosk: KioskAtHand, page: Page, new_box: str) -> None:
    """Exchange the box from the menu, two people, up to the menu again."""
    choose(page, "act-begin_exchange")
    on(page, "exchanging")
    if not page.input_value("#field-old_box"):
        page.focus("#field-old_box")
        fill_in(page, "b-0042", "")
    fill_in(page, new_box, "s-778102")
    page.keyboard.press("Enter")
    page.wait_for_selector('[aria-current="step"]')
    fill_in(page, "p02", "4711")
    page.keyboard.press("Enter")
    becomes(page, lambda: len(kiosk.bodies(facts.ExchangeAuthorised)) > 0, "authorised")
    page.wait_for_selector("#open-abandon")
    with kiosk.hardware.acceptor.hands() as unit:
        unit.remove_cashbox()
    becomes(page, lambda: page.locator("#open-abandon").count() == 0, "the box is out")
    with kiosk.hardware.acceptor.hands() as unit:
        unit.insert_cashbox(empty=True)
    page.wait_for_selector("#act-confirm_exchange")
    choose(page, "act-confirm_exchange")
    on(page, "attended")


def test_an_exchange_by_two_people_and_the_blind_count_of_the_box_by_keyboard_alone(browser: Any) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        kiosk.pay_fifteen()
        kiosk.wait("thanking")
        page.keyboard.press("Enter")
        sign_in(page)
        on(page, "attended")
        exchange(kiosk, page, "b-0043")
        done = kiosk.bodies(facts.BoxExchanged)[0]
        assert (done.old_box, done.new_box, done.first, done.second) == ("B-0042", "B-0043", "p01", "p02")
        assert done.seen
        assert "B-0043" in page.inner_text("#panel-now")
        assert "$" not in page.inner_text("#kiosk"), "nobody hears a sum before the count"

        choose(page, "go-count")
        page.wait_for_url("**/count*")
        press_until(page, "Tab", f"box-{done.ended_session}")
        page.keyboard.press("Enter")
        page.wait_for_selector("#field-seal")
        fill_in(page, "b-0042", "s-000001", "")
        page.keyboard.press("Space")
        fill_in(page, "", "p03", "8642")
        page.keyboard.press("Enter")
        page.wait_for_selector("#received")
        for final in (False, True):
            page.focus("#title")
            press_until(page, "Tab", "field-notes-USD-1000")
            page.keyboard.type("1" if final else "2")
            press_until(page, "Tab", "field-notes-USD-500")
            page.keyboard.type("1")
            press_until(page, "Tab", "field-person")
            fill_in(page, "p03", "8642", "")
            if final:
                page.keyboard.press("ArrowRight")
            assert "$15.00" not in page.content()
            page.keyboard.press("Enter")
            page.wait_for_selector("#revealed" if final else "#kept")
        assert (page.inner_text("#expected"), page.inner_text("#over-short")) == ("$15.00", "$0.00")
        press_until(page, "Tab", "field-person")
        fill_in(page, "p03", "8642")
        page.keyboard.press("Enter")
        page.wait_for_selector("#closed")
        assert [(one.total_minor, one.final) for one in kiosk.bodies(facts.BoxCounted)] == [(2500, False), (1500, True)]
        assert kiosk.bodies(facts.CountClosed)[0].over_short_minor == 0
        for pin in (b"8642", b"4711"):
            # As a number by itself: four digits stand inside a clock's reading now and then.
            assert re.search(rb"(?<![0-9])" + pin + rb"(?![0-9])", kiosk.everything_written()) is None
        press_until(page, "Tab", "go-home")
        page.keyboard.press("Enter")
        page.wait_for_selector('[role="tab"]')  # the page's scripts are there
        page.keyboard.press("Escape")
        on(page, "idle")


def test_wrong_pins_are_told_in_the_same_words_as_unknown_people_and_lock(browser: Any) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        kiosk.wait("idle")
        sign_in(page, "p77", "9999")
        page.wait_for_selector(".message")
        unknown = page.inner_text(".message")
        page.fill("#field-person", "")
        for count in range(5):
            page.focus("#field-person")
            page.keyboard.press("Control+A")
            fill_in(page, "p01", "9999")
            page.keyboard.press("Enter")
            becomes(page, lambda count=count: len(kiosk.bodies(facts.OperatorRefused)) == count + 2, "refused")
            becomes(page, lambda: page.input_value("#field-pin") == "", "the PIN is gone")
            if count < 4:
                becomes(page, lambda: page.inner_text(".message") == unknown, "the same words")
        page.focus("#field-person")
        page.keyboard.press("Control+A")
        fill_in(page, "p01", "2580")
        page.keyboard.press("Enter")
        becomes(page, lambda: page.inner_text(".message") != unknown, "locked")
        assert kiosk.bodies(facts.OperatorSignedIn) == []


def test_the_day_is_closed_from_the_menu_after_the_question(browser: Any) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        kiosk.wait("idle")
        sign_in(page)
        on(page, "attended")
        choose(page, "open-close_day")
        assert focused(page) == "no-close_day"
        assert kiosk.bodies(facts.DayClosed) == []
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        becomes(page, lambda: len(kiosk.bodies(facts.DayClosed)) == 1, "closed")
        closed = kiosk.bodies(facts.DayClosed)[0]
        assert (closed.number, closed.cause) == (1, "operator")
        choose(page, "act-report_x")
        becomes(page, lambda: [one.slip for one in kiosk.bodies(facts.ReceiptIssued)] == ["z", "x"], "the X report")
