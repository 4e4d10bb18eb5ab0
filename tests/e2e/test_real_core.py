"""A whole payment in a real browser on a real core with simulated devices: the sum is never wrong (UI2, UI4, UI6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from kiosk.model import facts
from tests.app.live_kiosk import FIFTEEN, KioskAtHand, live_kiosk, process_kiosk
from tests.e2e.conftest import FLAGS

playwright_api = pytest.importorskip("playwright.sync_api")
Page = playwright_api.Page

pytestmark = pytest.mark.browser


@contextmanager
def tab(browser: Any, kiosk: KioskAtHand) -> Iterator[Page]:
    """Open the citizen screen as the kiosk's browser does."""
    context = browser.new_context(has_touch=True, reduced_motion="reduce", viewport={"width": 1080, "height": 1920})
    page = context.new_page()
    page.goto(kiosk.address())
    yield page
    context.close()


def on(page: Page, screen: str, within_s: float = 20) -> None:
    """Wait until the page shows a screen."""
    page.wait_for_selector(f'#kiosk[data-screen="{screen}"]', timeout=within_s * 1000)


def becomes(page: Page, until: Callable[[], bool], what: str, within_s: float = 20) -> None:
    """Wait until it is so."""
    for _ in range(int(within_s * 20)):
        if until():
            return
        page.wait_for_timeout(50)
    pytest.fail(f"it did not become so: {what}")


def cents(shown: str) -> int:
    """Read an amount as either language writes it."""
    return int(re.sub(r"\D", "", shown))


def remaining(page: Page) -> int:
    return cents(page.inner_text("#remaining"))


def inserted(page: Page) -> int:
    return cents(page.inner_text("#inserted"))


def booked_for_good(kiosk: KioskAtHand, page: Page, minor: int) -> None:
    """The total on the screen, the journal and the cash box are the same."""
    becomes(page, lambda: len(kiosk.bodies(facts.Settled)) == 1, "settled")
    assert kiosk.booked() == kiosk.in_box == minor


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_whole_payment_by_touch(browser: Any, language: str) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        on(page, "idle")
        if language == "es":
            page.tap("#language-es")
            becomes(page, lambda: page.evaluate("document.documentElement.lang") == "es", "Spanish")
        if page.query_selector("#do-begin"):  # who chose a language has begun already
            page.tap("#do-begin")
        on(page, "entering")
        for digit in FIFTEEN:
            page.tap(f"#key-{digit}")
        page.tap("#key-ok")
        on(page, "reviewing")
        assert page.evaluate("document.documentElement.lang") == language
        page.tap("#do-pay")
        on(page, "consenting")
        page.tap("#do-accept_conditions")
        on(page, "accepting")
        assert (remaining(page), inserted(page)) == (1500, 0)
        kiosk.insert(10)
        becomes(page, lambda: remaining(page) == 500, "the amount falls")
        assert inserted(page) == kiosk.booked() == 1000
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        booked_for_good(kiosk, page, 1500)
        on(page, "thanking")
        paper = kiosk.hardware.printer.role.receipts[0].text
        number = kiosk.bodies(facts.ReceiptIssued)[0].number
        assert f"K07-1-{number:06d}-" in paper
        assert f"K07-1-{number:06d}-" in page.content()
        assert kiosk.bodies(facts.ReceiptIssued)[0].language == language


def press_until(page: Page, key: str, focused: str) -> None:
    """Move with a key until something has the focus."""
    for _ in range(20):
        if page.evaluate("document.activeElement.id") == focused:
            return
        page.keyboard.press(key)
    pytest.fail(f"{focused} cannot be reached")


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_whole_payment_by_keypad_alone(browser: Any, language: str) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        on(page, "idle")
        if language == "es":
            press_until(page, "8", "language-es")
            page.keyboard.press("5")
            becomes(page, lambda: page.evaluate("document.documentElement.lang") == "es", "Spanish")
        if page.query_selector("#do-begin"):
            press_until(page, "8", "do-begin")
            page.keyboard.press("5")
        on(page, "entering")
        page.keyboard.type(FIFTEEN)
        page.keyboard.press("Enter")
        on(page, "reviewing")
        press_until(page, "8", "do-pay")
        page.keyboard.press("5")
        on(page, "consenting")
        press_until(page, "8", "do-accept_conditions")
        page.keyboard.press("5")
        on(page, "accepting")
        kiosk.insert(10)
        becomes(page, lambda: remaining(page) == 500, "the amount falls")
        spoken = page.inner_text("#say")
        assert "10" in spoken
        assert "5" in spoken
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        booked_for_good(kiosk, page, 1500)


def half_paid(kiosk: KioskAtHand, page: Page) -> None:
    """Come to the pay screen with 10 of 15 fed."""
    kiosk.to_accepting()
    on(page, "accepting")
    kiosk.insert(10)
    becomes(page, lambda: remaining(page) == 500, "the first note")


def test_reloads_double_taps_and_a_second_tab_change_no_sum(browser: Any) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page, tab(browser, kiosk) as other:
        kiosk.wait("idle")
        kiosk.stage.scan(FIFTEEN)
        on(page, "reviewing")
        on(other, "reviewing")
        page.evaluate("() => { const one = document.getElementById('do-pay'); one.click(); one.click(); one.click(); }")
        other.evaluate("() => document.getElementById('do-pay')?.click()")
        on(page, "consenting")
        page.reload()
        on(page, "consenting")
        page.tap("#do-accept_conditions")
        on(page, "accepting")
        on(other, "accepting")
        kiosk.insert(10)
        becomes(page, lambda: remaining(page) == remaining(other) == 500, "both count the same")
        for each in (page, other, page):
            each.reload()
            on(each, "accepting")
            assert (remaining(each), inserted(each)) == (500, 1000)
        page.go_back()
        page.goto(kiosk.address())
        on(page, "accepting")
        assert remaining(page) == 500
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        booked_for_good(kiosk, page, 1500)
        assert len(kiosk.bodies(facts.TenderFrozen)) == 1


def test_a_dropped_event_stream_resumes_and_the_total_equals_the_journal(browser: Any) -> None:
    with live_kiosk() as kiosk, tab(browser, kiosk) as page:
        half_paid(kiosk, page)
        # The line is gone while the last note goes in; what is shown meanwhile is old and says so, and never more
        # than the journal holds.
        page.context.set_offline(True)
        page.route("**/events*", lambda route: route.abort())
        page.route("**/fragment", lambda route: route.abort())
        page.evaluate("() => { stop(); }")
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        shown = page.locator("#inserted")
        if shown.count():
            assert cents(shown.inner_text()) <= kiosk.booked()
        page.unroute("**/events*")
        page.unroute("**/fragment")
        page.context.set_offline(False)
        becomes(
            page,
            lambda: page.get_attribute("#kiosk", "data-screen") in ("receipting", "thanking", "idle"),
            "the page is up to date again", 30,
        )  # fmt: skip
        booked_for_good(kiosk, page, 1500)


def test_ten_tabs_show_one_sum_also_the_ones_without_a_stream(browser: Any) -> None:
    """Eight streams are served; the pages beyond that ask again and again instead."""
    with live_kiosk() as kiosk, ExitStack() as stack:
        # A context each: a browser keeps only six lines to one server.
        pages = [stack.enter_context(tab(browser, kiosk)) for _ in range(10)]
        kiosk.to_accepting()
        kiosk.insert(10)
        for page in pages:
            becomes(page, lambda page=page: page.locator("#inserted").count() == 1, "accepting", 30)
            becomes(page, lambda page=page: inserted(page) == 1000, "the note", 30)
            assert remaining(page) == 500
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        booked_for_good(kiosk, pages[0], 1500)


def test_the_core_is_killed_in_a_payment_and_the_screen_comes_back_with_the_same_credit(browser: Any) -> None:
    from kiosk.workbench.directory import free_ports

    with process_kiosk(port=free_ports(1)[0]) as kiosk, tab(browser, kiosk) as page:
        half_paid(kiosk, page)
        kiosk.kill()
        page.wait_for_selector("#lost:not([hidden])", timeout=20_000)
        kiosk.start()
        kiosk.wait("resuming")
        # The kiosk's browser is started anew with the new start address, or finds its way back by itself.
        on_page = page.get_attribute("#kiosk", "data-screen")
        if on_page != "resuming":
            page.goto(kiosk.address())
        on(page, "resuming")
        assert "$10.00" in page.inner_text(".lead")
        assert remaining(page) == 500
        assert kiosk.booked() == 1000
        page.tap("#do-keep_paying")
        on(page, "accepting")
        assert remaining(page) == 500
        kiosk.insert(5)
        kiosk.stage.expect_receipt(True)
        booked_for_good(kiosk, page, 1500)


def test_chromium_is_killed_in_a_payment_and_the_same_screen_shows_the_same_credit(driver: Any) -> None:
    with live_kiosk() as kiosk:
        first = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        with tab(first, kiosk) as page:
            half_paid(kiosk, page)
            session = page.get_attribute("#kiosk", "data-session")
            first.close()
            again = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            with tab(again, kiosk) as other:
                on(other, "accepting", 10)
                assert other.get_attribute("#kiosk", "data-session") == session
                assert (remaining(other), inserted(other)) == (500, 1000)
                kiosk.insert(5)
                kiosk.stage.expect_receipt(True)
                booked_for_good(kiosk, other, 1500)
            again.close()
