"""Take the pictures of the documentation anew: real processes, real screens, a real receipt.

Starts the whole demonstration (`kiosk demo`), plays payments on it step by step and photographs with Chromium what
the citizen and the person at the bench see.  The receipt is drawn from the bytes that the printer got.

    .venv/bin/python tools/take-pictures.py [--out docs/pictures] [--only attract,receipt]
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from kiosk.simulators import scenario
from kiosk.simulators.receipt_image import render_png
from kiosk.workbench.bench_server import BenchServer
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import CURRENCY
from kiosk.workbench.screen_hand import amount

ROOT = Path(__file__).resolve().parents[1]
#: An upright panel of 21 inches; its pictures are kept at half the size.
PANEL = {"width": 1080, "height": 1920}
DESK = {"width": 1600, "height": 1000}
#: Nobody wants to clone megabytes of pictures.
LARGEST_BYTES = 250_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]

PAYING = """
wait screen idle within 60 s
touch language {language}
scan {label}
wait screen reviewing
"""


class Photographer:
    """Owns the demonstration, its bench and one browser page on the citizen screen."""

    def __init__(self, demonstration: Demonstration, browser: Browser, out: Path, only: frozenset[str]) -> None:
        self.demonstration = demonstration
        self.out = out
        self.only = only
        self.browser = browser
        self.bench = BenchServer(demonstration)
        self.bench_address = self.bench.start()
        context = browser.new_context(viewport=PANEL, reduced_motion="reduce")
        self.page = context.new_page()
        self.page.goto(demonstration.core.address())

    def play(self, text: str) -> None:
        """Do what a person does, in the language of scenarios."""
        steps = scenario.parse(text, source="pictures", currency=CURRENCY)
        scenario.play(steps, self.demonstration.stage, source="pictures")

    def shoot(self, name: str, page: Page | None = None) -> None:
        """Photograph a page as docs/pictures/NAME.png."""
        if self.only and name not in self.only:
            return
        shown = page or self.page
        if page is None:
            self._settled()
        picture = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
        if page is None:
            picture = picture.resize((PANEL["width"] // 2, PANEL["height"] // 2), Image.Resampling.LANCZOS)
        save(picture, self.out / f"{name}.png")

    def _settled(self) -> None:
        """Wait until the browser shows the newest snapshot."""
        self.page.wait_for_timeout(150)
        shot = self.demonstration.screen.look()
        self.page.wait_for_selector(f'[data-screen="{shot["screen"]}"]', timeout=10_000)
        self.page.evaluate("document.fonts.ready")
        self.page.wait_for_timeout(250)

    def bench_page(self) -> Page:
        """Open the bench beside the screen."""
        page = self.browser.new_context(viewport=DESK, reduced_motion="reduce").new_page()
        page.goto(self.bench_address)
        page.wait_for_timeout(2500)
        return page


def save(picture: Image.Image, path: Path) -> None:
    """Write a small PNG: 128 colours are enough for a screen, two for a receipt."""
    small = picture.quantize(colors=128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, "PNG", optimize=True)
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SystemExit(f"{path} has {size} bytes, more than {LARGEST_BYTES}")
    print(f"  {path.name:<24} {size // 1024:>4} kB")


def screens(camera: Photographer) -> None:
    """A citizen pays a citation, first in English."""
    camera.play("wait screen idle within 60 s")
    camera.shoot("attract")
    camera.play(PAYING.format(language="en", label="260004223"))
    camera.shoot("review")
    camera.play("touch pay\nwait screen consenting")
    camera.shoot("conditions")
    camera.play("touch accept\nwait screen accepting\ninsert USD 20\nwait 3 s\nwait screen accepting")
    camera.shoot("paying")
    bench = camera.bench_page()
    camera.shoot("bench", bench)
    bench.context.close()
    due = amount(camera.demonstration.screen.look()["remaining"]).minor
    camera.play(notes_for(due))
    camera.play("wait screen note_held")
    camera.shoot("consent-to-excess")
    camera.play("touch agree\nwait screen receipting within 30 s")
    camera.shoot("receipt-screen")
    camera.play("wait screen thanking within 30 s")
    camera.shoot("thanking")


def notes_for(due_minor: int) -> str:
    """Return the acts of somebody who feeds tens while they fit, and then a twenty."""
    acts = []
    while due_minor > 1000:
        acts += ["insert USD 10", "wait 2500 ms", "wait screen accepting"]
        due_minor -= 1000
    return "\n".join([*acts, "insert USD 20"])


def receipt(camera: Photographer, name: str = "receipt") -> None:
    """Draw the paper of that payment."""
    if camera.only and name not in camera.only:
        return
    with camera.demonstration.hardware.printer.hands() as printer:
        paper = printer.receipts[-1]
    path = camera.out / f"{name}.png"
    render_png(paper, path)
    picture = Image.open(path).convert("1")
    picture.save(path, "PNG", optimize=True)
    print(f"  {path.name:<24} {path.stat().st_size // 1024:>4} kB")


def spanish(camera: Photographer) -> None:
    """The same city, in Spanish."""
    camera.play(PAYING.format(language="es", label="260004246"))
    camera.shoot("review-es")
    camera.play("touch pay\ntouch accept\nwait screen accepting")
    camera.shoot("paying-es")
    camera.play("touch cancel\nwait screen idle within 60 s")


def arabic(camera: Photographer) -> None:
    """From right to left, on the screen and on paper."""
    camera.play(PAYING.format(language="ar", label="260004246"))
    camera.shoot("review-ar")
    camera.play("touch pay\nwait screen consenting\ntouch accept\nwait screen accepting\ninsert USD 20\nwait 3 s")
    camera.play("wait screen accepting")
    camera.shoot("paying-ar")
    camera.play("touch cancel\nwait screen stopping\ntouch finish\nwait screen thanking within 60 s")
    receipt(camera, "receipt-ar")
    camera.play("wait screen idle within 60 s")


def troubles(camera: Photographer) -> None:
    """What a citizen sees when it does not go well."""
    camera.play("touch language en\nscan 260004356\nwait screen notice")
    camera.shoot("notice")
    camera.play("wait screen idle within 60 s\nremove box\nwait screen out_of_service within 30 s")
    camera.shoot("out-of-service")
    camera.page.set_viewport_size({"width": 900, "height": 760})
    camera.page.goto(f"{origin(camera.page.url)}/health")
    camera.page.wait_for_timeout(500)
    camera.shoot("health", camera.page)


def origin(address: str) -> str:
    """Return the scheme and host of an address."""
    return "/".join(address.split("/")[:3])


SCENES: tuple[Callable[[Photographer], Any], ...] = (screens, receipt, spanish, arabic, troubles)


@contextmanager
def camera_on(out: Path, only: frozenset[str]) -> Iterator[Photographer]:
    """Start the demonstration and the browser; end both."""
    demonstration = Demonstration(quick=False, say=lambda text: print(f"… {text}"))
    try:
        demonstration.start()
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            camera = Photographer(demonstration, browser, out, only)
            try:
                yield camera
            finally:
                browser.close()
                camera.bench.stop()
    finally:
        demonstration.stop()


def main() -> int:
    """Take every picture, or the ones that were asked for."""
    parser = argparse.ArgumentParser(description="Take the pictures of the documentation anew.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--only", default="", help="names, separated by commas; the scenes are played all the same")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with camera_on(asked.out, frozenset(asked.only.split(",")) - {""}) as camera:
        for scene in SCENES:
            scene(camera)
    return 0


if __name__ == "__main__":
    sys.exit(main())
