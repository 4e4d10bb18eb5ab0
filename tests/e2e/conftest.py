"""A real Chromium for the tests of the screens, one a module, and the texts that they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.texts import Catalogue

#: The flags keep a machine without a network from looking for one many times a second.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """Yield a running Playwright."""
    playwright_api = pytest.importorskip("playwright.sync_api")
    with playwright_api.sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(driver: Any) -> Iterator[Any]:
    """Yield a running Chromium."""
    running = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    yield running
    running.close()


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the texts that ship with the software."""
    return Catalogue.load([Path(__file__).resolve().parents[2] / "config" / "texts"])
