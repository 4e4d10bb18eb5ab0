"""The operators' pages in a real browser: a morning's way through them, axe on each, and a fleet that never lies.

The pages stand on a database of the tests' example city; a real server in a thread of its own serves them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from kiosk.hub.findings import finding_id
from kiosk.hub.store import tables
from tests.hub.web.city import PASSWORD, City
from tests.hub.web.example import example

playwright_api = pytest.importorskip("playwright.sync_api")
Page = playwright_api.Page

pytestmark = pytest.mark.browser

AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
FORK = finding_id("fork", "K11", 1, 4102)


class Office:
    """A served hub and desks in front of it."""

    def __init__(self, browser: Any, city: City) -> None:
        self.city = city
        self._browser = browser
        city.desk.refresh_ms = 400
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.server = uvicorn.Server(uvicorn.Config(city.app, lifespan="off", ws="none", log_config=None))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listening]}, daemon=True)
        self.thread.start()
        self.errors: list[str] = []

    def desk(self, person: str, **more: Any) -> Page:
        """A browser in which somebody signed in."""
        page = self._browser.new_context(viewport={"width": 1280, "height": 900}, **more).new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        page.goto(f"{self.address}/sign-in")
        page.fill("#person", person)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/fleet")
        return page

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


@pytest.fixture(scope="module")
def office(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    city = example(tmp_path_factory.mktemp("city"))
    made = Office(browser, city)
    yield made
    made.stop()
    city.close()
    assert made.errors == []


def test_from_the_fleet_over_a_finding_to_the_fact_behind_a_receipt(office: Office) -> None:
    page = office.desk("o-audit")
    assert page.inner_text("h1") == "Fleet"
    assert page.inner_text("tbody tr:first-child th a") == "K09"
    page.click("nav >> text=Findings")
    page.click("text=fork")
    assert "signed two different facts" in page.inner_text("main")
    page.fill("#note", "Two cards; the older one is in the safe.")
    page.click("main form button")
    page.wait_for_selector("text=Two cards; the older one is in the safe.")
    page.click("nav >> text=Receipts")
    number = page.inner_text("tbody tr:last-child th a")
    page.fill("#number", number)
    page.click("main button")
    page.wait_for_url(f"**/receipts/{number}")
    page.click("summary:has-text('Note credited') >> nth=0")
    assert page.is_visible("text=Tender not applied yet")
    page.click("li:has(details[open]) >> text=Where it lies >> nth=0")
    page.wait_for_url("**/facts/K07/1/*")
    assert len(page.inner_text(".hash")) == 64


def test_axe_finds_no_violation_on_any_page(office: Office) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    receipts = [row.id for row in office.city.rows(tables.receipt)]
    ways = {
        "o-admin": ("/fleet", "/kiosks/K09", "/kiosks/K10", "/enrolment", "/days"),
        "o-audit": (
            "/findings", f"/findings/{FORK}", "/receipts", f"/receipts/{receipts[0]}", "/facts/K07/1/3", "/looks",
        ),
        "o-count": ("/days", f"/receipts/{receipts[-1]}", "/invoices", "/cases"),
        "o-view": ("/days", "/invoices/parking_citation/260009001"),
    }  # fmt: skip
    found = []
    for person, paths in ways.items():
        page = office.desk(person)
        for path in paths:
            refused = (person, path) == ("o-admin", "/days")
            assert page.goto(office.address + path).status == (403 if refused else 200)
            for violation in axe.run(page, options=AXE).response["violations"]:
                found += [(path, violation["id"], node["html"][:120]) for node in violation["nodes"]]
        page.context.close()
    office.errors[:] = [error for error in office.errors if "403" not in error]
    stranger = office._browser.new_context().new_page()
    stranger.goto(f"{office.address}/sign-in")
    found += [("/sign-in", one["id"], "") for one in axe.run(stranger, options=AXE).response["violations"]]
    assert found == []


def test_the_fleet_follows_by_itself_and_says_so_when_it_cannot(office: Office) -> None:
    page = office.desk("o-view")
    office.city.contact("K07", alarms=("cashbox_removed",))
    page.wait_for_selector("text=box removed without an exchange", timeout=20_000)
    assert page.inner_text("tbody tr:first-child th a") == "K07"
    page.route("**/fleet/rows", lambda route: route.abort())
    page.wait_for_selector("text=The hub does not answer", timeout=20_000)
    assert "stale" in str(page.get_attribute("#rows", "class"))
    page.unroute("**/fleet/rows")
    page.wait_for_selector("#lost", state="hidden", timeout=20_000)
    page.context.clear_cookies()
    page.wait_for_selector("text=Your session ended", timeout=20_000)
    office.city.contact("K07")
    office.errors[:] = [error for error in office.errors if "ERR_FAILED" not in error and "401" not in error]
    page.context.close()


def test_every_page_reads_without_scripts_and_on_a_phone(office: Office) -> None:
    page = office.desk("o-audit", java_script_enabled=False)
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/fleet", "/kiosks/K10", f"/findings/{FORK}", "/receipts", "/days", "/looks"):
        assert page.goto(office.address + path).status == 200
        assert page.is_visible("h1")
        box = page.locator("html").bounding_box()
        assert box is not None
        assert box["width"] <= 390, path
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in")
