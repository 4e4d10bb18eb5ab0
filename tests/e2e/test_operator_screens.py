"""The operator's screens, the keyboard on the screen and the count page in a real browser; a fake desk behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.checkout.intents import CallOperator, CloseDay, EnterNumber, EnterPin, EnterPlate, ExchangeNumbers
from kiosk.core.snapshot import Snapshot
from kiosk.screen.app import build
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.counting_desk import FakeCounting
from tests.screen.operator_pictures import OPERATOR_PICTURES
from tests.screen.pictures import PICTURES, PLAIN, TOKEN, FakeDesk

playwright_api = pytest.importorskip("playwright.sync_api")
Page = playwright_api.Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"portrait": (1080, 1920), "landscape": (1280, 800), "small": (800, 480)}
#: Least letters in pixels (4.8 mm on the screen of that size), least key and least gap between keys.
LEAST = {"portrait": (39, 72, 15.5), "landscape": (41, 72, 15.5), "small": (39, 56, 7.5)}
OPEN = {"allowed": ("begin", "call_operator", "language")}
AXE = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


class Counter:
    """A served screen with a counting room, the desk behind it, and pages in front of it."""

    def __init__(self, browser: Any, catalogue: Catalogue) -> None:
        self.desk = FakeDesk()
        self.core = FakeCounting()
        self.server = ScreenServer(build(self.desk, catalogue, token=TOKEN, ask=self.core.ask))
        host, port = self.server.start()
        self.address = f"http://{host}:{port}"
        self.context = browser.new_context(has_touch=True, reduced_motion="reduce")
        self.errors: list[str] = []

    def page(self, size: str = "portrait") -> Page:
        page = self.context.new_page()
        page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        page.goto(f"{self.address}/?token={TOKEN}")
        return page

    def show(self, page: Page, picture: str | Snapshot, **changes: object) -> Snapshot:
        shot = self.desk.show(OPERATOR_PICTURES[picture] if isinstance(picture, str) else picture, **changes)
        page.wait_for_selector(f'[data-id^="b00t:{shot.version}"]', timeout=10_000)
        return shot

    def asked(self, page: Page, count: int = 1) -> list[Any]:
        """Wait until so many intents came; return all."""
        wait(page, lambda: len(self.desk.asked) >= count)
        return [one[0] for one in self.desk.asked]


@pytest.fixture
def counter(browser: Any, catalogue: Catalogue) -> Iterator[Counter]:
    standing = Counter(browser, catalogue)
    yield standing
    standing.context.close()
    assert standing.server.stop()
    assert standing.errors == []


def wait(page: Page, until: Callable[[], bool]) -> None:
    """Wait until it is so, ten seconds at most."""
    for _ in range(200):
        if until():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not become so")


def focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id")
    return found


def press_until(page: Page, key: str, wanted: str, times: int = 60) -> None:
    """Press a key until something has the focus."""
    for _ in range(times):
        if focused(page) == wanted:
            return
        page.keyboard.press(key)
    pytest.fail(f"{wanted} cannot be reached with {key}; the focus is on {focused(page)}")


def fill_in(page: Page, *words: str) -> None:
    """Type into one field after another."""
    for at, word in enumerate(words):
        if at:
            page.keyboard.press("Tab")
        page.keyboard.type(word)


# --- for everybody --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["es"])
def test_axe_finds_no_violation_on_any_operator_screen(counter: Counter, language: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = counter.page()
    found = []
    for name in OPERATOR_PICTURES:
        counter.show(page, name, language=language)
        for part in ("now", "slips", "devices", "counter") if name.startswith("attended") else ("",):
            if part:
                page.click(f"#tab-{part}")
            for violation in axe.run(page, options=AXE).response["violations"]:
                found += [(name, part, violation["id"], node["html"][:120]) for node in violation["nodes"]]
    counter.show(page, "attended", language=language)
    page.click("#open-close_day")
    found += [("question", one["id"]) for one in axe.run(page, options=AXE).response["violations"]]
    assert found == []


def test_axe_finds_no_violation_on_any_step_of_the_count(counter: Counter) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = counter.page("landscape")
    found = []
    for where, state in (
        ("/count", "to_receive"), ("/count?session=7", "to_receive"), ("/count?session=7", "to_count"),
        ("/count?session=7", "to_close"), ("/count?session=99", "to_close"),
    ):  # fmt: skip
        counter.core.state = state
        page.goto(counter.address + where)
        for violation in axe.run(page, options=AXE).response["violations"]:
            found += [(where, state, violation["id"], node["html"][:120]) for node in violation["nodes"]]
    assert found == []


_MEASURE = """([letters, key, gap]) => {
  const faults = [];
  const seen = (one) => one.getClientRects().length && one.checkVisibility({checkVisibilityCSS: true})
    && !one.closest('.unseen');
  const keys = [...document.querySelectorAll('.keyboard button')].filter(seen)
    .map((one) => [one, one.getBoundingClientRect()]);
  for (const [one, box] of keys) {
    if (box.width < key || box.height < key) faults.push(`key ${one.id} ${box.width}x${box.height}`);
    if (box.left < 0 || box.right > innerWidth) faults.push(`key ${one.id} lies outside`);
    if (one.scrollWidth > one.clientWidth + 1) faults.push(`the words of ${one.id} do not fit`);
  }
  for (const [a, p] of keys) for (const [b, q] of keys) if (a !== b) {
    const x = Math.max(p.left - q.right, q.left - p.right), y = Math.max(p.top - q.bottom, q.top - p.bottom);
    if (Math.max(x, y) < gap) faults.push(`gap between ${a.id} and ${b.id}: ${Math.max(x, y)}`);
  }
  for (const one of document.querySelectorAll('main button.button, .actions .button, .tabs .button')) if (seen(one)) {
    const box = one.getBoundingClientRect();
    if (box.width < 72 || box.height < 72) faults.push(`target ${one.id} ${box.width}x${box.height}`);
    if (one.scrollWidth > one.clientWidth + 1 || box.right > innerWidth + 1) faults.push(`${one.id} does not fit`);
  }
  const words = document.createTreeWalker(document.getElementById('kiosk'), NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const holder = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !seen(holder)) continue;
    const size = parseFloat(getComputedStyle(holder).fontSize);
    if (size < letters) faults.push(`letters of ${size}px: ${words.currentNode.data.trim().slice(0, 30)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) faults.push('too wide');
  const at = document.activeElement;
  const aimed = at.classList.contains('field') ? at.getBoundingClientRect() : null;
  const board = document.querySelector('.keyboard')?.getBoundingClientRect();
  const covered = aimed && board ? aimed.bottom - board.top : 0;
  if (covered > 0) faults.push(`the keyboard covers ${covered} of ${at.id}`);
  return faults;
}"""


@pytest.mark.parametrize("size", ["small"])
def test_keys_targets_letters_and_the_field_in_use_hold_on_every_screen(counter: Counter, size: str) -> None:
    page = counter.page(size)
    faults = []
    for language in ("en", "es"):
        for name in OPERATOR_PICTURES:
            counter.show(page, name, language=language)
            for part in ("now", "slips", "devices", "counter") if name.startswith("attended") else ("",):
                if part:
                    page.click(f"#tab-{part}")
                page.wait_for_timeout(250)
                faults += [f"{language} {name} {part}: {one}" for one in page.evaluate(_MEASURE, LEAST[size])]
    for state in ("to_receive", "to_count", "to_close"):
        counter.core.state = state
        page.goto(f"{counter.address}/count?session=7")
        page.wait_for_timeout(250)
        faults += [f"count {state}: {one}" for one in page.evaluate(_MEASURE, LEAST[size])]
    assert faults == [], "\n".join(faults)


# --- the way in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", list(SIZES))
def test_five_touches_in_the_top_right_corner_call_the_operators_menu(counter: Counter, size: str) -> None:
    page = counter.page(size)
    wide = SIZES[size][0]
    counter.show(page, PLAIN, **OPEN)
    for _ in range(5):
        page.touchscreen.tap(wide - 24, 24)
    assert counter.asked(page) == [CallOperator()]


def test_four_touches_slow_ones_and_touches_elsewhere_call_nobody(counter: Counter) -> None:
    page = counter.page()
    page.clock.install()
    page.reload()
    counter.show(page, PLAIN, **OPEN)
    for _ in range(4):
        page.touchscreen.tap(1056, 24)
    page.clock.run_for(3100)
    for _ in range(4):
        page.touchscreen.tap(1056, 24)
        page.clock.run_for(900)
    for _ in range(6):
        page.touchscreen.tap(540, 24)
    page.wait_for_timeout(300)
    assert counter.desk.asked == []


def test_where_the_kernel_would_not_take_it_the_gesture_does_nothing(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, PLAIN)
    for _ in range(5):
        page.touchscreen.tap(1056, 24)
    page.keyboard.press("F12")
    page.wait_for_timeout(300)
    assert counter.desk.asked == []


@pytest.mark.parametrize("key", ["F12", "Control+Alt+KeyO"])
def test_a_key_switch_or_a_chord_calls_the_operators_menu(counter: Counter, key: str) -> None:
    page = counter.page()
    counter.show(page, PLAIN, **OPEN)
    page.keyboard.press(key)
    assert counter.asked(page) == [CallOperator()]


# --- the keyboard and the PIN -----------------------------------------------------------------------------------


def test_sign_in_by_touch_alone(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, "signing_in")
    for key in ("P", "0", "2", "rub", "1"):
        page.tap(f"#letter-{key}")
    assert page.input_value("#field-person") == "p01"
    page.tap("#letter-next")
    for key in "2580":
        page.tap(f"#letter-{key}")
    assert focused(page) == "field-pin", "a finger on a key leaves the focus in the field"
    page.tap("#letter-ok")
    assert counter.asked(page) == [EnterPin("p01", "2580")]
    assert page.input_value("#field-pin") == ""
    assert "2580" not in page.url
    assert "2580" not in page.content()


def test_sign_in_on_a_physical_keyboard_alone(counter: Counter) -> None:
    page = counter.page("landscape")
    counter.show(page, "signing_in")
    page.keyboard.type("P01")
    page.keyboard.press("Enter")
    assert focused(page) == "field-pin", "Enter goes to the field that is still empty"
    page.keyboard.type("25a80")
    page.keyboard.press("Enter")
    assert counter.asked(page) == [EnterPin("p01", "2580")]


def test_the_keyboard_on_the_screen_works_with_tab_arrows_and_enter(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, "signing_in")

    def type_on_screen(wanted: str) -> None:
        rows = ("1234567890", "QWERTYUIOP")
        for letter in wanted.upper():
            row, column = next((at, told.index(letter)) for at, told in enumerate(rows) if letter in told)
            for _ in range(12):
                here = focused(page).removeprefix("letter-")
                at, place = next((at, told.index(here)) for at, told in enumerate(rows) if here in told)
                if (at, place) == (row, column):
                    break
                across = "ArrowRight" if column > place else "ArrowLeft"
                page.keyboard.press(across if at == row else "ArrowDown" if row > at else "ArrowUp")
            page.keyboard.press("Enter" if letter.isalpha() else "Space")

    assert focused(page) == "field-person"
    page.keyboard.press("ArrowDown")
    assert focused(page) == "letter-1"
    type_on_screen("p01")
    assert page.input_value("#field-person") == "p01"
    press_until(page, "ArrowDown", "letter-Z", 5)
    press_until(page, "ArrowRight", "letter-next", 12)
    page.keyboard.press("Enter")
    assert focused(page) == "letter-next"
    assert page.inner_text("#say") == "PIN"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    type_on_screen("2580")
    page.keyboard.press("Tab")
    assert focused(page) == "letter-ok", "the whole keyboard is one stop"
    page.keyboard.press("Enter")
    assert counter.asked(page) == [EnterPin("p01", "2580")]


def test_a_pin_is_heard_as_masks(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, "signing_in")
    page.focus("#field-pin")
    page.keyboard.type("258")
    assert page.inner_text("#say") == "dot dot dot"
    page.keyboard.press("Backspace")
    assert page.inner_text("#say") == "dot dot"
    page.tap("#letter-rub")
    page.tap("#letter-rub")
    assert page.inner_text("#say") == "The PIN is empty."


def test_a_pin_is_forgotten_after_half_a_minute_and_with_its_step(counter: Counter) -> None:
    page = counter.page()
    page.clock.install()
    page.reload()
    shot = counter.show(page, "signing_in")
    page.fill("#field-person", "p01")
    page.focus("#field-pin")
    page.keyboard.type("2580")
    counter.show(page, "signing_in", step=shot.step)
    assert page.input_value("#field-pin") == "2580", "a redraw of the same step takes nothing from who types"
    page.clock.run_for(31_000)
    assert page.input_value("#field-pin") == ""
    page.keyboard.type("2580")
    counter.show(page, "signing_in_wrong")
    assert page.input_value("#field-pin") == ""
    assert page.input_value("#field-person") == "p01", "the id need not be typed again"


def test_numbers_are_typed_scanned_and_kept(counter: Counter) -> None:
    """What the kiosk fills in anew wins over what was typed; a scanner that types ends its field with Enter."""
    page = counter.page()
    shot = counter.show(page, "exchange_numbers")
    assert (page.input_value("#field-old_box"), focused(page)) == ("B-0042", "field-new_box")
    page.keyboard.type("b-0043 ü")
    page.keyboard.press("Enter")
    assert (page.input_value("#field-new_box"), focused(page)) == ("B-0043", "field-seal")
    counter.show(page, "exchange_numbers_bad", step=shot.step)
    assert (page.input_value("#field-new_box"), focused(page)) == ("B-0043", "field-seal")
    page.keyboard.type("s-778102")
    page.keyboard.press("Enter")
    assert counter.asked(page) == [ExchangeNumbers("B-0042", "B-0043", "S-778102")]


# --- a citizen's letters ----------------------------------------------------------------------------------------------

PLATES = {"allowed": ("back", "cancel", "enter_number", "enter_plate", "language")}


def test_a_plate_is_typed_on_the_screen(counter: Counter) -> None:
    page = counter.page()
    shot = counter.show(page, PICTURES["entering"], **PLATES)
    page.tap("#way-plate")
    for key in ("K", "7", "rub", "8", "X"):
        page.tap(f"#letter-{key}")
    counter.show(page, PICTURES["entering"], step=shot.step, **PLATES)
    assert page.input_value("#field-text") == "K8X", "what was typed and how stays over a redraw"
    page.tap("#letter-ok")
    assert counter.asked(page) == [EnterPlate("K8X")]


def test_a_number_with_letters_is_typed_by_keys_and_the_keypad_comes_back(counter: Counter) -> None:
    page = counter.page("landscape")
    counter.show(page, PICTURES["entering"], **PLATES)
    page.focus("#way-letters")
    page.keyboard.press("Enter")
    page.keyboard.type("pw-258")
    page.keyboard.press("Enter")
    assert counter.asked(page) == [EnterNumber("PW-258")]
    counter.show(page, "signing_in")
    counter.show(page, PICTURES["entering"], **PLATES)
    assert page.is_visible("#key-1")
    page.keyboard.type("2600")
    assert page.input_value("#digits") == "2600"


def test_where_no_plate_can_be_looked_up_none_is_asked_for(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, PICTURES["entering"])
    assert page.is_hidden("#way-plate")
    page.tap("#way-letters")
    page.tap("#letter-A")
    page.tap("#letter-ok")
    assert counter.asked(page) == [EnterNumber("A")]


# --- the menu ---------------------------------------------------------------------------------------------------


def test_the_parts_of_the_menu_open_by_arrows_and_stay_open_over_a_redraw(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, "attended_busy")
    assert page.is_visible("#panel-now")
    press_until(page, "Tab", "tab-now")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert (focused(page), page.is_visible("#panel-devices"), page.is_visible("#panel-now")) == (
        "tab-devices", True, False,
    )  # fmt: skip
    counter.show(page, "attended_busy")
    assert page.is_visible("#panel-devices")
    assert page.get_attribute("#tab-devices", "aria-selected") == "true"


def test_the_date_is_closed_only_after_the_question(counter: Counter) -> None:
    page = counter.page()
    shot = counter.show(page, "attended")
    page.focus("#open-close_day")
    page.keyboard.press("Enter")
    assert page.is_visible("#ask-close_day")
    assert focused(page) == "no-close_day", "who presses Enter twice has closed nothing"
    counter.show(page, "attended", step=shot.step)
    wait(page, lambda: page.is_visible("#ask-close_day"))
    page.keyboard.press("Escape")
    assert page.is_hidden("#ask-close_day")
    page.focus("#open-close_day")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    assert counter.desk.asked == []
    page.keyboard.press("Enter")
    assert counter.asked(page) == [CloseDay()]


def test_enter_on_the_heading_of_an_open_exchange_gives_nothing_up(counter: Counter) -> None:
    page = counter.page()
    counter.show(page, "exchange_open")
    page.focus("#title")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    assert counter.desk.asked == []


# --- the count --------------------------------------------------------------------------------------------------


def test_a_whole_count_by_keyboard_alone(counter: Counter) -> None:
    page = counter.page("landscape")
    counter.show(page, "attended")
    press_until(page, "ArrowDown", "go-count", 30)
    page.keyboard.press("Enter")
    page.wait_for_url("**/count*")
    press_until(page, "Tab", "box-7")
    page.keyboard.press("Enter")
    page.wait_for_selector("#field-seal")
    fill_in(page, "b-0042", "s-778102", "")
    page.keyboard.press("Space")
    fill_in(page, "", "p04", "2580")
    page.keyboard.press("Enter")
    page.wait_for_selector("#received")
    for final, eights in ((False, "7"), (True, "8")):
        page.focus("#title")
        press_until(page, "Tab", "field-notes-USD-2000")
        page.keyboard.type(eights)
        press_until(page, "Tab", "field-person")
        fill_in(page, "p04", "2580", "")
        if final:
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector("#revealed" if final else "#kept")
    assert page.inner_text("#expected") == "$173.00"
    page.wait_for_selector("#revealed:focus")  # before anything else is asked
    press_until(page, "Tab", "field-reason")
    fill_in(page, "A torn note; 12, not 13", "p04", "2580", "p05", "4711")
    page.keyboard.press("Enter")
    page.wait_for_selector("#closed")
    assert counter.core.state == "closed"
    assert counter.core.attempts == [14_000, 16_000]
    assert counter.core.closed["reason"] == "A torn note; 12, not 13"
    for told in ("2580", "4711"):
        assert told not in page.url + page.content()


def test_the_count_page_keeps_the_heartbeat_and_goes_home_when_it_is_left(counter: Counter) -> None:
    page = counter.page()
    page.clock.install()
    page.goto(f"{counter.address}/count?session=7")
    page.fill("#field-person", "p04")
    beats = counter.desk.beats
    page.clock.run_for(30_000)
    wait(page, lambda: counter.desk.beats >= beats + 5)
    page.clock.run_for(400_000)
    assert page.url.endswith("session=7")
    page.clock.run_for(300_000)
    page.wait_for_url(f"{counter.address}/")


def test_without_scripts_people_sign_in_and_count_all_the_same(browser: Any, counter: Counter) -> None:
    plain = browser.new_context(java_script_enabled=False)
    page = plain.new_page()
    counter.desk.show(OPERATOR_PICTURES["signing_in"])
    page.goto(f"{counter.address}/?token={TOKEN}")
    page.fill("#field-person", "p01")
    page.fill("#field-pin", "2580")
    page.click("#letter-ok")
    assert counter.asked(page) == [EnterPin("p01", "2580")]
    counter.desk.show(OPERATOR_PICTURES["attended"])
    page.goto(counter.address)
    for panel in ("now", "slips", "devices", "counter"):
        assert page.is_visible(f"#panel-{panel}")
    page.click("#open-close_day")
    page.click("#yes-close_day")
    assert counter.asked(page, 2)[1] == CloseDay()
    plain.close()
