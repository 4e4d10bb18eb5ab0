"""For everybody: axe over a cross-section, everything by keys, the focus never lost, modes that end with the person.

The whole matrix (every screen, language, mode and size) is `make axe`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout.intents import AcceptConditions, Begin, Cancel, EnterNumber, Finish, KeepPaying, MoreTime, Pay
from kiosk.core.snapshot import Snapshot
from kiosk.screen.app import build
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.all_pictures import ALL_PICTURES, LANGUAGES, MODES, SIZES
from tests.screen.pictures import PICTURES, TOKEN, FakeDesk

playwright_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python.sync_playwright")
Page = playwright_api.Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]


def test_axe_finds_no_violation_on_a_cross_section_of_screens_languages_modes_and_sizes() -> None:
    """Every screen once; the order of languages and modes turns against the screens, so that all of them meet."""
    from bench.axe_matrix import matrix

    settings = list(itertools.product(SIZES, MODES))
    found: list[str] = []
    with matrix() as running:
        for turn, (size, mode) in enumerate(settings):
            running.prepare(size, mode)
            for place, (name, picture) in enumerate(ALL_PICTURES.items()):
                if place % len(settings) == turn:
                    language = LANGUAGES[(place // len(settings) + turn) % len(LANGUAGES)]
                    found += running.check(name, picture, language, mode, size)
            if turn % len(MODES) == turn // len(MODES):  # each size and each mode once
                found += running.beside(LANGUAGES[turn % len(LANGUAGES)], mode, size)
    assert found == [], "\n".join(found)


class Stage:
    """A served screen, the desk behind it, and one page in front of it."""

    def __init__(self, page: Page, desk: FakeDesk, address: str) -> None:
        self.page = page
        self.desk = desk
        page.goto(f"{address}/?token={TOKEN}")

    def show(self, picture: str | Snapshot, **changes: object) -> Snapshot:
        shot = self.desk.show(PICTURES[picture] if isinstance(picture, str) else picture, **changes)
        self.page.wait_for_selector(f'[data-id^="b00t:{shot.version}"]', timeout=10_000)
        return shot

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement && document.activeElement.id"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def asked(self, number: int) -> None:
        """Wait until so many intents have been posted."""
        for _ in range(200):
            if len(self.desk.asked) >= number:
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"only {self.desk.asked}")

    def go_to(self, where: str) -> None:
        """Press 8 until that control has the focus."""
        for _ in range(30):
            if self.focused() == where:
                return
            self.press("8")
        pytest.fail(f"{where} cannot be reached by key 8")


@pytest.fixture
def stage(browser: object) -> Iterator[Stage]:
    desk = FakeDesk()
    server = ScreenServer(build(desk, Catalogue.load([ROOT / "config" / "texts"]), token=TOKEN))
    host, port = server.start()
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")  # type: ignore[attr-defined]
    yield Stage(context.new_page(), desk, f"http://{host}:{port}")
    context.close()
    assert server.stop()


def test_a_payment_is_made_by_keypad_alone(stage: Stage) -> None:
    """2, 8, 5, Enter, digits and Cancel; no Tab and no pointer (screens sheet §1.4)."""
    stage.press("Enter")
    stage.asked(1)
    stage.show("entering")
    stage.press(*"26000417", "Enter")
    stage.asked(2)
    stage.show("reviewing")
    stage.go_to("do-pay")
    stage.press("5")
    stage.asked(3)
    stage.show("consenting")
    stage.go_to("do-accept_conditions")
    stage.press("Enter")
    stage.asked(4)
    stage.show("accepting")
    stage.press("Escape")
    stage.asked(5)
    stage.show("stopping")
    stage.go_to("do-keep_paying")
    stage.press("2")
    assert stage.focused() == "do-finish"
    stage.press("8", "5")
    stage.asked(6)
    stage.show("stopping")
    stage.go_to("do-finish")
    stage.press("5")
    stage.asked(7)
    assert [asked[0] for asked in stage.desk.asked] == [
        Begin(), EnterNumber("26000417"), Pay(), AcceptConditions(), Cancel(), KeepPaying(), Finish(),
    ]  # fmt: skip


def test_key_four_says_the_screen_again(stage: Stage) -> None:
    stage.show("accepting")
    region = stage.page.locator("#say")
    words = region.inner_text()
    assert words.startswith("Insert your cash. Inserted $60.00. Still to pay $53.17.")
    stage.page.evaluate(
        "() => { const say = document.getElementById('say'); window.told = [];"
        " new MutationObserver(() => window.told.push(say.textContent)).observe(say, {childList: true}); }"
    )
    stage.press("4")
    stage.page.wait_for_timeout(200)
    assert stage.page.evaluate("window.told")[-1] == words
    assert "" in stage.page.evaluate("window.told")


def test_in_a_field_keys_type_and_arrows_move(stage: Stage) -> None:
    stage.show("entering")
    assert stage.focused() == "digits"
    stage.press("2", "4", "5", "8")
    assert stage.page.input_value("#digits") == "2458"
    stage.press("ArrowDown")
    assert stage.focused() != "digits"
    stage.press("6")
    assert stage.page.input_value("#digits") == "24586"
    assert stage.focused() == "digits"


@pytest.mark.parametrize("key", ["Enter", "5", "7", "0", "x", " "])
def test_any_key_gives_more_time_and_does_so_ten_times(stage: Stage, key: str) -> None:
    for time in range(1, 11):
        stage.show("timed_out")
        stage.press(key)
        stage.asked(time)
    assert [asked[0] for asked in stage.desk.asked] == [MoreTime()] * 10


def test_cancel_on_the_question_for_more_time_is_no_answer_for_more(stage: Stage) -> None:
    stage.show("timed_out")
    stage.press("Escape")
    stage.asked(1)
    assert stage.desk.asked[0][0] == Cancel()


def test_every_control_of_every_screen_is_reached_by_key_eight(stage: Stage) -> None:
    for name in ("idle", "reviewing_several", "accepting", "note_held_excess", "thanking", "out_of_service"):
        stage.show(name)
        wanted = set(
            stage.page.evaluate(
                "[...document.querySelectorAll('#kiosk button, #kiosk summary')]"
                ".filter(e => !e.disabled && e.offsetParent && !e.closest('.sheet')).map(e => e.id)"
            )
        )
        reached = set()
        for _ in range(len(wanted) + 1):
            stage.press("8")
            reached.add(stage.focused())
        assert reached >= wanted, name


def test_the_focus_is_never_lost_whatever_is_drawn_next(stage: Stage) -> None:
    for first, second in itertools.pairwise([*ALL_PICTURES, "idle"]):
        stage.show(ALL_PICTURES[first])
        stage.press("8", "8", "8")
        stage.show(ALL_PICTURES[second])
        stage.page.wait_for_timeout(20)
        inside = stage.page.evaluate(
            "document.activeElement !== document.body && document.contains(document.activeElement)"
        )
        assert inside, f"{first} -> {second}"


def test_a_redraw_leaves_the_focus_on_a_mode_on_the_scrolling_button_and_in_an_open_sheet(stage: Stage) -> None:
    stage.page.set_viewport_size({"width": 800, "height": 480})
    stage.show("reviewing_several")
    for control in ("tool-contrast", "further"):
        stage.page.focus(f"#{control}")
        stage.show("reviewing_several")
        assert stage.focused() == control
    stage.page.click("#tool-help")
    stage.page.focus("#close-help")
    stage.show("reviewing_several")
    assert stage.focused() == "close-help"
    assert stage.page.is_visible("#sheet-help .sheet")


def test_a_sheet_takes_the_focus_gives_it_back_and_never_covers_a_new_screen(stage: Stage) -> None:
    stage.show("accepting")
    stage.go_to("tool-help")
    stage.press("5")
    stage.page.wait_for_selector("#sheet-help .sheet", state="visible")
    stage.page.wait_for_timeout(50)
    assert stage.focused() == "sheet-help-title"
    assert "555-0100" in stage.page.inner_text("#sheet-help .sheet")
    assert "Insert one note at a time." in stage.page.inner_text("#sheet-help .sheet")
    assert stage.page.evaluate("document.getElementById('main').inert")
    stage.press("Escape")
    assert stage.focused() == "tool-help"
    assert stage.desk.asked == []
    stage.press("5")
    stage.page.wait_for_selector("#sheet-help .sheet", state="visible")
    stage.show("note_held")
    assert not stage.page.is_visible("#sheet-help .sheet")


def test_a_language_is_chosen_by_its_own_name_on_any_screen(stage: Stage) -> None:
    stage.show("accepting", languages=LANGUAGES)
    stage.page.click("#tool-language")
    assert stage.page.inner_text("#choose-ar") == "العربية"
    assert stage.page.get_attribute("#choose-ar", "lang") == "ar"
    stage.page.click("#choose-ar")
    stage.asked(1)
    assert getattr(stage.desk.asked[0][0], "language", "") == "ar"
    stage.show("accepting", language="ar", languages=LANGUAGES)
    assert stage.page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    heading, stop = stage.page.locator("#title").bounding_box(), stage.page.locator(".tools").bounding_box()
    assert heading is not None
    assert stop is not None
    assert stop["x"] > heading["x"] + heading["width"] / 2


def test_a_mode_is_shown_at_once_kept_over_a_reload_and_gone_with_the_person(stage: Stage) -> None:
    stage.show("accepting")
    before = stage.page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    stage.page.click("#tool-large")
    stage.page.wait_for_selector(".kiosk.is-large")
    assert stage.focused() == "tool-large"
    assert stage.page.get_attribute("#tool-large", "aria-pressed") == "true"
    after = stage.page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")
    assert after >= before * 1.5
    stage.page.reload()
    stage.page.wait_for_selector(".kiosk.is-large")
    stage.show("thanking")
    stage.page.wait_for_selector(".kiosk.is-large")
    stage.show("idle", session="")
    stage.page.wait_for_selector(".kiosk:not(.is-large)")


def test_with_large_text_on_the_smallest_panel_every_button_is_reached_by_the_scrolling_button(stage: Stage) -> None:
    stage.page.set_viewport_size({"width": 800, "height": 480})
    stage.show("reviewing_several", language="es")
    stage.page.click("#tool-large")
    stage.page.wait_for_selector(".kiosk.is-large")
    for _ in range(40):
        if stage.page.inner_text("#further") == "↑":
            break
        stage.page.click("#further")
        stage.page.wait_for_timeout(30)
    box = stage.page.locator("#do-pay").bounding_box()
    other = stage.page.locator("#further").bounding_box()
    assert box is not None
    assert other is not None
    assert box["y"] + box["height"] <= 481
    assert box["x"] + box["width"] <= other["x"] or box["y"] + box["height"] <= other["y"]
