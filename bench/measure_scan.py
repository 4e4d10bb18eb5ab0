"""Scan to painted review screen, with a million open invoices in the replica of a whole running kiosk.

The label is written to the scanner's pty; a real Chromium follows the screen.  In the page a MutationObserver sees the
reviewing screen come into the document, asks for the next animation frame, and from within it posts itself a message:
that one is delivered after the frame was drawn.  Page time is `NavigationStart + performance.now()`, both of Chromium's
monotonic clock, which on Linux is the machine's CLOCK_MONOTONIC; each run checks that it is, and falls back to the
wall clock (`performance.timeOrigin`) where it is not.  Beside it stands the page's own limit: a bare change of the
document to its painted frame.  Then the replica alone is asked, warm and after its pages were dropped from the cache.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

from bench.measure_citizen import Citizen, running_demonstration
from bench.measure_figures import Aim, percentile, say, spread
from bench.replica_data import SERVICE, number
from kiosk.core.reference import ReferenceData
from kiosk.workbench.demonstration import Demonstration

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
INVOICES = 1_000_000
SCANS = 60
LOOK_UPS = 20_000
COLD_LOOK_UPS = 200

#: Notes in `window.painted` when a reviewing screen was drawn, milliseconds of `performance.now()`.
_WATCH = """() => {
  window.painted = null;
  const drawn = (told) => {
    const line = new MessageChannel();
    line.port1.onmessage = told;
    line.port2.postMessage(0);
  };
  window.afterPaint = (told) => requestAnimationFrame(() => drawn(() => told(performance.now())));
  let before = null;
  new MutationObserver(() => {
    const now = document.getElementById('kiosk').dataset.screen;
    if (now === 'reviewing' && before !== 'reviewing') window.afterPaint((at) => { window.painted = at; });
    before = now;
  }).observe(document.body, { childList: true, subtree: true });
}"""
_BARE = """() => new Promise((told) => {
  const begun = performance.now();
  const say = document.getElementById('say');
  say.textContent = 'bench ' + begun;
  window.afterPaint((at) => told((at - begun) * 1e6));
})"""


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Measure the whole way and the look-up alone; return the figures and both aims."""
    if not Path(CHROMIUM).exists():
        raise RuntimeError(f"there is no {CHROMIUM}: install the Debian package chromium")
    invoices, scans = (2_000, 3) if quick else (INVOICES, SCANS)
    chance = random.Random(7)
    say(f"scan: filling a replica with {invoices} open invoices")
    with running_demonstration(room / "scan", citations=invoices) as demo:
        say(f"scan: {scans} scans in front of a real Chromium")
        times, bare, clock = _in_chromium(demo, [number(at) for at in chance.sample(range(invoices), scans)])
        replica = demo.directory.state / "sync.db"
        say("scan: the replica alone")
        warm = _look_up(replica, invoices, LOOK_UPS // (20 if quick else 1), chance)
        cold = _look_up(replica, invoices, COLD_LOOK_UPS // (20 if quick else 1), chance, drop=True)
    figures = {
        "invoices": invoices, "scan_to_painted": spread(times), "bare_change_to_painted": spread(bare), "clock": clock,
        "look_up_warm": spread(warm), "look_up_cold": spread(cold),
    }  # fmt: skip
    limit = f"a bare change of the page is painted after p95 {percentile(bare, 95) / 1e6:.1f} ms"
    return figures, [
        Aim("scan to painted review screen, p95", 100.0, percentile(times, 95) / 1e6, "ms", limit),
        Aim("replica look-up, p99", 1.0, percentile(warm, 99) / 1e6, "ms", f"{invoices} open invoices, warm"),
    ]


def _in_chromium(demo: Demonstration, labels: list[str]) -> tuple[list[float], list[float], str]:
    """Scan label by label; return scan to painted, bare change to painted (nanoseconds) and the clock that was used."""
    from playwright.sync_api import sync_playwright

    citizen = Citizen(demo)
    times: list[float] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1080, "height": 1920})
        page.goto(demo.core.address())
        clock = _PageClock(page)
        page.evaluate(_WATCH)
        for label in labels:
            demo.screen.wait_for("scan", lambda shot: shot["screen"] == "idle", 20_000)
            page.wait_for_selector('#kiosk[data-screen="idle"]')
            page.evaluate("() => { window.painted = null; }")
            begun = clock.here()
            citizen.scan(label)
            page.wait_for_selector('#kiosk[data-screen="reviewing"]', timeout=20_000)
            painted = None
            while painted is None:
                painted = page.evaluate("() => window.painted")
            times.append(clock.there(painted) - begun)
            demo.screen.touch("cancel", (), 5_000)
        bare = [float(page.evaluate(_BARE)) for _ in labels]
        browser.close()
    return times, bare, clock.kind


class _PageClock:
    """Brings `performance.now()` of a page and this process onto one clock, nanoseconds."""

    def __init__(self, page: Any) -> None:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        before = time.monotonic()
        told = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        self.kind = "monotonic" if before <= told["Timestamp"] <= time.monotonic() else "wall"
        start_s = told["NavigationStart"] if self.kind == "monotonic" else page.evaluate("performance.timeOrigin") / 1e3
        self._start_ns = int(start_s * 1e9)

    def here(self) -> int:
        """Return now."""
        return time.monotonic_ns() if self.kind == "monotonic" else time.time_ns()

    def there(self, page_ms: float) -> float:
        """Return the moment that the page calls `page_ms`."""
        return self._start_ns + page_ms * 1e6


def _look_up(path: Path, invoices: int, count: int, chance: random.Random, *, drop: bool = False) -> list[float]:
    """Look random numbers up, each answered; with `drop` the file leaves the page cache before each of them."""
    source = ReferenceData(path)
    times: list[float] = []
    for _ in range(count):
        wanted = number(chance.randrange(invoices))
        if drop:
            source.close()
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            source = ReferenceData(path)
            source.available  # noqa: B018  opening is not what is measured
        begun = time.perf_counter_ns()
        found = source.find(SERVICE, wanted)
        times.append(time.perf_counter_ns() - begun)
        if found is None:
            raise RuntimeError(f"{wanted} is not in the replica")
    source.close()
    return times
