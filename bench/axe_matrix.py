"""Hold every screen against WCAG 2.2 AA with axe: every picture, language, mode and size, in a real Chromium.

The pages are the real screen's application on hand-made snapshots.  Rules of WCAG 2.0, 2.1 and 2.2, levels A and AA;
beside axe each page is measured: nothing wider than the panel, no button cut off, in the large text no letter below a
capital of 7.33 mm (domain sheet §10), in the high contrast no letter below 7:1 on its ground.  The last line
of the output is one JSON object; the exit code is 1 where there is any violation.

    python -m bench.axe_matrix [--languages en,ar] [--modes plain,large,contrast] [--sizes small,…] [--only idle,…]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

from kiosk.core.snapshot import Snapshot
from kiosk.screen.app import build
from kiosk.screen.server import ScreenServer
from kiosk.texts import Catalogue
from tests.screen.all_pictures import ALL_PICTURES, LANGUAGES, MODES, SIZES
from tests.screen.counting_desk import FakeCounting
from tests.screen.pictures import HEALTH, PICTURES, TOKEN, FakeDesk

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: Least font in pixels of the large text on the panel of each size (EN 301 549 5.1.4; domain sheet §10).
LARGE_LETTERS = {"small": 59, "landscape": 62, "portrait": 59}

_MEASURE = """([least, exempt]) => {
  const faults = [];
  const seen = (one) => one.getClientRects().length && !one.closest('.unseen, [aria-hidden=true], .sheet');
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) faults.push(`${over}px too wide`);
  const room = document.getElementById('stage');
  for (const part of [room, document.getElementById('main')])
    if (part && getComputedStyle(part).display !== 'contents' && part.scrollWidth > part.clientWidth + 1)
      faults.push(`${part.id}: ${part.scrollWidth - part.clientWidth}px scroll sideways`);
  for (const one of document.querySelectorAll('.actions .button, .languages .button, .tool')) {
    if (!seen(one)) continue;
    const box = one.getBoundingClientRect();
    const beyond = box.right > innerWidth + 1 || box.left < -1;
    if (beyond || one.scrollWidth > one.clientWidth + 1) faults.push(`${one.id} is cut off`);
  }
  if (least && document.getElementById('kiosk')) {
    const words = document.createTreeWalker(document.getElementById('kiosk'), NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
      const holder = words.currentNode.parentElement;
      if (!words.currentNode.data.trim() || !seen(holder) || holder.closest(exempt)) continue;
      const size = parseFloat(getComputedStyle(holder).fontSize);
      if (size < least) faults.push(`letters of ${size}px: ${words.currentNode.data.trim().slice(0, 30)}`);
    }
  }
  return faults;
}"""
#: axe asks 4.5:1 of letters as large as these; the high contrast promises 7:1 of every one (house rule).
_CONTRAST = """() => {
  const rgb = (told) => told.match(/[\\d.]+/g).map(Number);
  const part = (one) => (one /= 255) <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const solid = (told) => { const [, , , alpha = 1] = rgb(told); return alpha === 1; };
  const faults = [];
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const holder = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !holder.checkVisibility()) continue;
    if (holder.closest('.unseen, :disabled, svg')) continue;
    let ground = holder;
    while (ground && !solid(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
    const under = ground ? light(rgb(getComputedStyle(ground).backgroundColor)) : 1;
    const over = light(rgb(getComputedStyle(holder).color));
    const ratio = (Math.max(under, over) + 0.05) / (Math.min(under, over) + 0.05);
    if (ratio < 7) faults.push(`${ratio.toFixed(1)}:1 for ${words.currentNode.data.trim().slice(0, 30)}`);
  }
  return faults;
}"""
#: Not in the large text: the tools' drawings, and on a small panel the help line (the help sheet repeats it large) and
#: the keyboard's keys, of which ten stand in a row.
_EXEMPT = {
    "small": ".tools, .help, .ribbon, .keyboard",
    "landscape": ".tools, .keyboard",
    "portrait": ".tools, .keyboard",
}


#: Pages beside the checkout: (name, path, how far the count of box session 7 is).
BESIDE = (
    ("health", "/health?lang={language}", ""),
    ("verify", "/verify?lang={language}", ""),
    ("count_list", "/count", "to_receive"),
    ("count_receive", "/count?session=7", "to_receive"),
    ("count_count", "/count?session=7", "to_count"),
    ("count_close", "/count?session=7", "to_close"),
)


class Matrix:
    """Owns the served screen and one page on it."""

    def __init__(self, page: Page, desk: FakeDesk, core: FakeCounting, address: str) -> None:
        self.page = page
        self.desk = desk
        self.core = core
        self.address = address
        self.axe = Axe()
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("console", lambda told: self.faults.append(f"console: {told.text}") if told.type == "error" else None)
        page.goto(f"{address}/?token={TOKEN}")

    def prepare(self, size: str, mode: str) -> None:
        """Set the panel's size and the mode, for the session that all pictures share."""
        width, height = SIZES[size]
        self.page.set_viewport_size({"width": width, "height": height})
        for other in MODES[1:]:
            on = self.page.locator(f"#tool-{other}").get_attribute("aria-pressed") == "true"
            if on != (other == mode):
                self.page.locator(f"#tool-{other}").evaluate("one => one.click()")
                self.page.wait_for_selector(
                    f".kiosk{'' if on else '.is-' + other}{':not(.is-' + other + ')' if on else ''}"
                )

    def check(self, name: str, picture: Snapshot, language: str, mode: str, size: str) -> list[str]:
        """Draw one picture and return what is wrong with it."""
        shot = self.desk.show(picture, language=language, languages=LANGUAGES)
        suffix = "" if mode == "plain" else f":{mode}"
        self.page.wait_for_selector(f'[data-id="b00t:{shot.version}{suffix}"]', timeout=10_000)
        return self._found(f"{name} {language}", mode, size)

    def beside(self, language: str, mode: str, size: str) -> list[str]:
        """Visit the pages beside the checkout, and come back."""
        found = []
        self.desk.show(PICTURES["reviewing"], language=language, languages=LANGUAGES)
        for name, path, state in BESIDE:
            self.core.state = state
            self.page.goto(self.address + path.format(language=language))
            found += self._found(f"{name} {language}", mode, size)
        self.page.goto(self.address)
        return found

    def _found(self, name: str, mode: str, size: str) -> list[str]:
        """Ask axe, measure, and collect what the page's scripts complained about."""
        self.page.evaluate("document.fonts.ready")
        options: dict[str, Any] = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
        told = [
            f"{violation['id']}: {node['target']} {node['html'][:100]}"
            for violation in self.axe.run(self.page, options=options).response["violations"]
            for node in violation["nodes"]
        ]
        least = LARGE_LETTERS[size] if mode == "large" else 0
        told += self.page.evaluate(_MEASURE, [least, _EXEMPT[size]])
        if mode == "contrast" and self.page.locator(".is-contrast").count():
            told += self.page.evaluate(_CONTRAST)
        told += self.faults
        self.faults.clear()
        return [f"{name} {mode} {size}: {fault}" for fault in told]


@contextmanager
def matrix() -> Iterator[Matrix]:
    """Serve the screen, open a page on it, and end both."""
    desk, core = FakeDesk(), FakeCounting()
    desk.board.publish_health(HEALTH)
    app = build(desk, Catalogue.load([ROOT / "config" / "texts"]), token=TOKEN, ask=core.ask)
    server = ScreenServer(app)
    host, port = server.start()
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_context(reduced_motion="reduce").new_page()
            yield Matrix(page, desk, core, f"http://{host}:{port}")
            browser.close()
    finally:
        server.stop()


def main() -> int:
    """Run the matrix, or the part of it that was asked for."""
    parser = argparse.ArgumentParser(description="Hold every screen against WCAG 2.2 AA.")
    for name, every in (
        ("languages", LANGUAGES),
        ("modes", MODES),
        ("sizes", tuple(SIZES)),
        ("only", tuple(ALL_PICTURES)),
    ):
        parser.add_argument(f"--{name}", default=",".join(every))
    asked = parser.parse_args()
    began, pages, found = time.monotonic(), 0, []
    with matrix() as running:
        for size in asked.sizes.split(","):
            for mode in asked.modes.split(","):
                running.prepare(size, mode)
                for language in asked.languages.split(","):
                    for name in asked.only.split(","):
                        told = running.check(name, ALL_PICTURES[name], language, mode, size)
                        pages += 1
                        found += told
                        for fault in told:
                            print(fault)
                    if asked.only == ",".join(ALL_PICTURES):
                        told = running.beside(language, mode, size)
                        pages += len(BESIDE)
                        found += told
                        for fault in told:
                            print(fault)
                print(
                    f"… {size} {mode}: {pages} pages, {len(found)} violations, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    print(json.dumps({"pages": pages, "violations": len(found)}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
