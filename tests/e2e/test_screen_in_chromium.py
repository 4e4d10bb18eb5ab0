"""The citizen screen in a real browser: accessible on every screen, deaf to double taps, honest about a lost line.

A fake desk stands in for the kernel, so that each test decides what is published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.checkout.intents import Begin, Cancel, EnterNumber, MoreTime, Pay
from kiosk.core.snapshot import Snapshot
from kiosk.screen.app import build
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.pictures import PICTURES, TOKEN, FakeDesk, usd

playwright_api = pytest.importorskip("playwright.sync_api")
Page = playwright_api.Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"portrait": (1080, 1920), "landscape": (1280, 800), "small": (800, 480)}
#: Least font in pixels for a capital of 4.8 mm on the screen of that size (domain sheet, accessibility numbers).
LETTERS = {"portrait": 39, "landscape": 41, "small": 39}
class Stage:
    """A served screen, the desk behind it, and pages in front of it."""

    def __init__(self, browser: object, catalogue: Catalogue) -> None:
        self.desk = FakeDesk()
        self.catalogue = catalogue
        self.server = ScreenServer(build(self.desk, catalogue, token=TOKEN))
        self.host, self.port = self.server.start()
        self.context = browser.new_context(has_touch=True, reduced_motion="reduce")  # type: ignore[attr-defined]
        self.errors: list[str] = []

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def page(self, size: str = "portrait") -> Page:
        page = self.context.new_page()
        page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        page.goto(f"{self.address}/?token={TOKEN}")
        return page

    def show(self, page: Page, picture: str | Snapshot, **changes: object) -> Snapshot:
        shot = self.desk.show(PICTURES[picture] if isinstance(picture, str) else picture, **changes)
        page.wait_for_selector(f'[data-id="b00t:{shot.version}"]', timeout=10_000)
        return shot


@pytest.fixture
def stage(browser: object, catalogue: Catalogue) -> Iterator[Stage]:
    standing = Stage(browser, catalogue)
    yield standing
    standing.context.close()
    assert standing.server.stop()


@pytest.mark.parametrize("path", ["/health", "/verify?lang=es"])
def test_axe_finds_no_violation_on_the_pages_beside(stage: Stage, path: str) -> None:
    from tests.screen.pictures import HEALTH

    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    stage.desk.board.publish_health(HEALTH)
    page = stage.page("landscape")
    page.goto(stage.address + path)
    found = axe.run(page).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("size", list(SIZES))
def test_targets_letters_and_edges_hold_on_every_screen(stage: Stage, size: str) -> None:
    """Targets at least 72 px with 16 px between them, letters of at least 4.8 mm, nothing beyond the edge."""
    page = stage.page(size)
    faults = []
    for language in ("es", "qps"):
        for name in PICTURES:
            stage.show(page, name, language=language)
            told = page.evaluate(_MEASURE, LETTERS[size])
            faults += [f"{language} {name}: {fault}" for fault in told]
    assert faults == [], "\n".join(faults)


_MEASURE = """(least) => {
  const faults = [];
  const seen = (one) => one.getClientRects().length && !one.closest('.unseen');
  const targets = [...document.querySelectorAll('button, input:not([type=hidden])')].filter(seen);
  const boxes = targets.map((one) => [one, one.getBoundingClientRect()]);
  for (const [one, box] of boxes)
    if (box.width < 72 || box.height < 72) faults.push(`target ${one.id} ${box.width}x${box.height}`);
  const row = (one) => one.closest('.keypad, .actions, .languages');
  for (const [a, p] of boxes) for (const [b, q] of boxes) if (a !== b && row(a) && row(a) === row(b)) {
    const x = Math.max(p.left - q.right, q.left - p.right), y = Math.max(p.top - q.bottom, q.top - p.bottom);
    if (Math.max(x, y) < 15.5) faults.push(`gap between ${a.id} and ${b.id}: ${Math.max(x, y)}`);
  }
  const words = document.createTreeWalker(document.getElementById('kiosk'), NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const holder = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !seen(holder)) continue;
    const size = parseFloat(getComputedStyle(holder).fontSize);
    if (size < least) faults.push(`letters of ${size}px: ${words.currentNode.data.trim().slice(0, 30)}`);
  }
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) faults.push(`${over}px too wide`);
  for (const one of document.querySelectorAll('.actions .button, .languages .button')) {
    const box = one.getBoundingClientRect();
    if (box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || one.scrollWidth > one.clientWidth + 1)
      faults.push(`${one.id} does not fit`);
  }
  return faults;
}"""


def test_the_remaining_amount_is_the_largest_text_of_the_pay_screen(stage: Stage) -> None:
    for size in SIZES:
        page = stage.page(size)
        stage.show(page, "accepting")
        sizes = page.evaluate(
            "[...document.querySelectorAll('#kiosk *')]"
            ".filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))"
            ".map(e => [e.id, parseFloat(getComputedStyle(e).fontSize)])"
        )
        largest = max(sizes, key=lambda pair: pair[1])
        assert largest[0] == "remaining"
        assert sorted(pair[1] for pair in sizes)[-2] < largest[1]
        page.close()


def test_a_way_through_by_touch(stage: Stage) -> None:
    page = stage.page()
    page.tap("#do-begin")
    wait(page, lambda: len(stage.desk.asked) == 1)
    stage.show(page, "entering")
    for digit in "26000417":
        page.tap(f"#key-{digit}")
    page.tap("#key-erase")
    page.tap("#key-9")
    page.tap("#key-ok")
    wait(page, lambda: len(stage.desk.asked) == 2)
    stage.show(page, "reviewing")
    page.tap("#do-pay")
    wait(page, lambda: len(stage.desk.asked) == 3)
    assert [asked[0] for asked in stage.desk.asked] == [Begin(), EnterNumber("26000419"), Pay()]
    assert stage.errors == []


def test_a_way_through_by_keypad_alone(stage: Stage) -> None:
    """5 or Enter chooses, 2 and 8 move, Backspace erases, Escape leaves (screens sheet, speech and keypad)."""
    page = stage.page()
    page.keyboard.press("Enter")
    wait(page, lambda: len(stage.desk.asked) == 1)
    stage.show(page, "entering")
    page.keyboard.type("260004179")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    wait(page, lambda: len(stage.desk.asked) == 2)
    stage.show(page, "reviewing")
    for _ in range(12):
        page.keyboard.press("8")
        if page.evaluate("document.activeElement.id") == "do-pay":
            break
    page.keyboard.press("5")
    wait(page, lambda: len(stage.desk.asked) == 3)
    stage.show(page, "timed_out")
    page.keyboard.press("Enter")
    wait(page, lambda: len(stage.desk.asked) == 4)
    stage.show(page, "accepting_empty")
    page.keyboard.press("Escape")
    wait(page, lambda: len(stage.desk.asked) == 5)
    assert [asked[0] for asked in stage.desk.asked] == [Begin(), EnterNumber("26000417"), Pay(), MoreTime(), Cancel()]


def test_what_was_typed_survives_a_redraw_of_the_same_step(stage: Stage) -> None:
    page = stage.page()
    shot = stage.show(page, "entering")
    page.keyboard.type("2600")
    stage.show(page, "entering", step=shot.step)
    assert page.input_value("#digits") == "2600"
    stage.show(page, "entering")
    assert page.input_value("#digits") == ""


def test_a_double_tap_asks_once(stage: Stage) -> None:
    page = stage.page()
    shot = stage.show(page, "reviewing")
    page.evaluate("() => { const one = document.getElementById('do-pay'); one.click(); one.click(); one.click(); }")
    wait(page, lambda: len(stage.desk.asked) >= 1)
    page.wait_for_timeout(300)
    assert stage.desk.asked == [(Pay(), "s-1", shot.step)]


def test_a_reload_changes_nothing_and_shows_the_same_sum(stage: Stage) -> None:
    page = stage.page()
    stage.show(page, "accepting")
    page.reload()
    assert page.inner_text("#remaining") == "$53.17"
    assert page.inner_text("#inserted") == "$60.00"
    assert stage.desk.asked == []


def test_a_second_tab_shows_the_same_and_its_old_button_is_deaf(stage: Stage) -> None:
    one, other = stage.page(), stage.page()
    shot = stage.show(one, "reviewing")
    other.wait_for_selector(f'[data-id="b00t:{shot.version}"]')
    # The other tab misses what follows: its stream is cut and it still shows the review.
    other.route("**/events*", lambda route: route.abort())
    other.evaluate("() => { window.stop(); }")
    stage.desk.show(PICTURES["accepting"])
    status = other.evaluate(
        """async (step) => {
          const fields = new URLSearchParams(new FormData(document.getElementById('do-pay').closest('form')));
          fields.set('step', step);
          const answer = await fetch('/intent', {method: 'POST', body: fields, headers: {Accept: 'application/json'}});
          return answer.status; }""",
        shot.step,
    )
    assert status == 409
    assert stage.desk.asked == []


def test_a_lost_line_is_shown_and_the_sum_is_right_again_when_it_is_back(stage: Stage) -> None:
    page = stage.page()
    stage.show(page, "accepting_empty")
    assert page.is_hidden("#lost")
    stage.server.stop()
    page.wait_for_selector("#lost:not([hidden])", timeout=20_000)
    stage.desk.show(PICTURES["accepting"], inserted=usd(6000))
    again = ScreenServer(build(stage.desk, stage.catalogue, token=TOKEN), port=stage.port)
    again.start()
    stage.server = again
    page.wait_for_selector("#lost", state="hidden", timeout=20_000)
    wait(page, lambda: page.inner_text("#remaining") == "$53.17")
    assert stage.desk.asked == []


def test_the_question_for_more_time_counts_down_and_is_heard(stage: Stage) -> None:
    page = stage.page()
    stage.show(page, "timed_out", ends_in_ms=20_000)
    assert page.get_attribute("html", "data-beeps") == "1"
    first = int(page.inner_text("[data-seconds]"))
    wait(page, lambda: int(page.inner_text("[data-seconds]")) < first)
    wait(page, lambda: page.inner_text("#alarm") != "")
    assert page.get_attribute("html", "data-beeps") == "1"


def test_a_screen_reader_hears_what_was_inserted_and_what_remains(stage: Stage) -> None:
    page = stage.page()
    stage.show(page, "accepting_empty")
    stage.show(page, "accepting")
    assert page.inner_text("#say") == "Insert your cash. Inserted $60.00. Still to pay $53.17."
    assert page.get_attribute("#say", "aria-live") == "polite"


def test_the_heading_has_the_focus_on_a_new_screen(stage: Stage) -> None:
    page = stage.page()
    for name, focused in (("reviewing", "title"), ("entering", "digits"), ("notice", "title")):
        stage.show(page, name)
        assert page.evaluate("document.activeElement.id") == focused


def test_the_focus_stays_on_a_button_while_the_same_screen_is_redrawn(stage: Stage) -> None:
    page = stage.page()
    stage.show(page, "accepting_empty")
    page.focus("#do-cancel")
    stage.show(page, "accepting")
    assert page.evaluate("document.activeElement.id") == "do-cancel"


def test_hostile_data_runs_nothing(stage: Stage) -> None:
    page = stage.page()
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    stage.show(page, "reviewing", city=hostile, kiosk=hostile)
    page.wait_for_timeout(200)
    assert page.title() == "What you owe"
    assert page.inner_text(".city") == hostile


def test_the_qr_code_on_the_screen_can_be_read(stage: Stage) -> None:
    reader = pytest.importorskip("zxingcpp")
    image = pytest.importorskip("PIL.Image")
    import io

    for size in SIZES:
        page = stage.page(size)
        stage.show(page, "receipting")
        shot = page.locator(".qr").screenshot()
        codes = reader.read_barcodes(image.open(io.BytesIO(shot)))
        assert [code.text for code in codes] == [PICTURES["receipting"].slips[0].qr]
        page.close()


def test_without_scripts_the_same_forms_work(browser: object, stage: Stage) -> None:
    plain = browser.new_context(java_script_enabled=False)  # type: ignore[attr-defined]
    page = plain.new_page()
    page.goto(f"{stage.address}/?token={TOKEN}")
    page.click("#do-begin")
    wait(page, lambda: len(stage.desk.asked) == 1)
    stage.desk.show(PICTURES["entering"])
    page.goto(stage.address)
    page.fill("#digits", "26000417")
    page.click("#key-ok")
    wait(page, lambda: len(stage.desk.asked) == 2)
    assert re.fullmatch(rf"{stage.address}/", page.url)
    assert stage.desk.asked[1][0] == EnterNumber("26000417")
    plain.close()


def wait(page: Page, until: Callable[[], bool]) -> None:
    """Wait until it is so, ten seconds at most.  The page forbids the browser's own way, which needs eval."""
    for _ in range(200):
        if until():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not become so")
