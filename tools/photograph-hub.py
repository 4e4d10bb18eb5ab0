"""Take the pictures of the operators' pages anew: the tests' example city, served and photographed with Chromium.

    .venv/bin/python tools/photograph-hub.py [--out docs/pictures]
"""

from __future__ import annotations

import argparse
import io
import socket
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from kiosk.hub.findings import finding_id  # noqa: E402
from kiosk.hub.store import tables  # noqa: E402
from tests.hub.web.city import PASSWORD  # noqa: E402
from tests.hub.web.example import example  # noqa: E402

DESK = {"width": 1280, "height": 860}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--hide-scrollbars"]
#: Nobody wants to clone megabytes of pictures.
LARGEST_BYTES = 150_000


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take the pictures of the operators' pages anew.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        city = example(Path(place), busy=True)
        listening = socket.create_server(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(city.app, lifespan="off", ws="none", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        first = city.rows(tables.receipt)[0].id
        wanted = {
            "hub-fleet": ("o-admin", "/fleet"),
            "hub-finding": ("o-audit", f"/findings/{finding_id('fork', 'K11', 1, 4102)}"),
            "hub-receipt": ("o-audit", f"/receipts/{first}"),
            "hub-days": ("o-view", "/days"),
            "hub-days-counter": ("o-count", "/days"),
        }
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for name, (person, path) in wanted.items():
            page = browser.new_context(viewport=DESK).new_page()
            page.goto(f"{address}/sign-in")
            page.fill("#person", person)
            page.fill("#password", PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url("**/fleet")
            page.goto(address + path)
            page.wait_for_timeout(300)  # the letters
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            file = out / f"{name}.webp"
            picture.save(file, quality=82, method=6)
            print(f"{file} {file.stat().st_size}")
            if file.stat().st_size > LARGEST_BYTES:
                print(f"{file} is too large", file=sys.stderr)
                return 1
            page.context.close()
        browser.close()
        server.should_exit = True
        thread.join(10)
        city.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
