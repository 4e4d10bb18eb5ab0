"""Whoever may count a box finds no page from which the content of an uncounted one follows."""

from __future__ import annotations

import re
from collections import deque
from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa

from kiosk.hub.store import tables
from kiosk.hub.web import days
from kiosk.hub.web.fence import fence_for
from kiosk.hub.web.people import Person
from tests.hub.web.city import Browser, City
from tests.hub.web.example import K07_INSIDE, K07_LEFT, K08_INSIDE

#: What the uncounted boxes took, payment by payment and in all, minor units; also what one of them came above another.
SECRETS = (
    K07_LEFT, K07_INSIDE, K08_INSIDE, K07_LEFT + K07_INSIDE, 61_700, 60_300, 62_000, 50_100, 37_800, 99_500,
    61_700 + 60_300, 61_700 + 60_300 + 41_300, 103_000, 50_100 + 37_800,
)  # fmt: skip
MOST_PAGES = 400


def written(minor: int) -> set[str]:
    """An amount as anything might write it."""
    whole, rest = divmod(minor, 100)
    return {f"{whole:,}.{rest:02d}", f"{whole}.{rest:02d}", f"{whole}{rest:02d}", f"{whole:,}", f"{whole},{rest:02d}"}


def told(text: str) -> set[int]:
    """The secrets that stand in a text as numbers by themselves."""
    # Hashes and times are no amounts: a short number stands inside them now and then.
    plain = re.sub(r"<(code|time)\b.*?</\1>", " ", text, flags=re.S)
    plain = re.sub(r'\b(?:x|y|y1|y2|x1|x2|width|height|viewBox|d|datetime|value)="[^"]*"', " ", plain)
    numbers = set(re.findall(r"(?<![\w.,/-])\d[\d.,]*\d(?![\w/-])", plain))
    numbers |= {number.strip(".,") for number in numbers}
    return {secret for secret in SECRETS if written(secret) & numbers}


def crawl(browser: Browser) -> dict[str, str]:
    """Every page that can be reached by links and by the searches that a person would try."""
    waiting = deque(["/fleet", "/findings", "/days", "/receipts", "/invoices", "/cases", "/enrolment", "/looks"])
    waiting += [
        "/days?from=2026-11-01&to=2026-11-30", "/days?kiosk=K07", "/days?kiosk=K08",
        "/days?from=2026-11-20&to=2026-11-20",
        "/receipts?kiosk=K07", "/receipts?date=2026-11-20", "/receipts?invoice=260009001", "/receipts?number=K07",
        "/invoices?number=260009001", "/invoices?number=11009002", "/invoices?number=77009004",
        "/cases?kind=overpayment", "/findings?kiosk=K08", "/fleet/rows",
    ]  # fmt: skip
    seen: dict[str, str] = {}
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.popleft()
        if path in seen:
            continue
        answer = browser.get(path)
        seen[path] = answer.text
        links = re.findall(r'href="(/[^"#]*)', answer.text)
        if "location" in answer.headers:
            links.append(answer.headers["location"])
        for link in links:
            parts = urlsplit(urljoin(path, link.replace("&amp;", "&")))
            found = parts.path + (f"?{parts.query}" if parts.query else "")
            if not found.startswith(("/static", "/sign")) and found not in seen:
                waiting.append(found)
    assert len(seen) < MOST_PAGES, "the crawl was cut"
    return seen


def test_no_page_tells_a_counter_what_an_uncounted_box_should_hold(town: City) -> None:
    pages = crawl(town.browser("o-count"))
    assert {path: sorted(found) for path, page in pages.items() if (found := told(page))} == {}
    assert sum("sealed" in page for page in pages.values()) > 20


def test_the_same_search_finds_every_secret_on_an_auditors_pages(town: City) -> None:
    """Holds the test above honest: what it looks for does stand on these pages."""
    pages = crawl(town.browser("o-audit"))
    found = set().union(*(told(page) for page in pages.values()))
    assert found >= {K07_LEFT, K07_INSIDE, K08_INSIDE, 61_700, 60_300, 62_000, 50_100, 37_800, 99_500}


def test_what_was_counted_is_told_to_a_counter(town: City) -> None:
    browser = town.browser("o-count")
    days = browser.page("/days?kiosk=K07")
    assert "$43.21" in days
    counted = next(row for row in town.rows(tables.box) if row.state == "counted")
    assert f"${counted.expected_minor // 100}.00" in days
    first = min((row for row in town.rows(tables.receipt) if row.kiosk == "K07"), key=lambda row: row.number)
    assert "$20.00" in browser.page(f"/receipts/{first.id}")


def test_a_day_that_two_boxes_share_stays_sealed_until_both_are_counted(town: City) -> None:
    counter = Person("o-count", "", ("count",), "open")
    with town.stores.books.connect() as connection:
        sealed = fence_for(counter, connection).sealed_days(connection, "2026-11-01", "2026-11-30")
    assert ("K07", "2026-11-20") in sealed
    assert ("K07", "2026-11-19") not in sealed
    assert {("K08", "2026-11-19"), ("K08", "2026-11-20")} <= sealed


@pytest.mark.parametrize(
    ("counted", "horizon"), [(set(), -1), ({1}, 10), ({2}, -1), ({1, 2}, 20), ({1, 3}, 10), ({1, 2, 3}, 30)]
)
def test_a_counted_box_behind_an_uncounted_one_opens_nothing(city: City, counted: set[int], horizon: int) -> None:
    for session in (1, 2, 3):
        city.put(
            tables.box,
            {
                "kiosk": "K07", "box_session": session, "state": "counted" if session in counted else "received",
                "box": "", "left_ns": 1, "unknown_notes": 0, "currency": "USD", "collector": "", "counter": "",
                "second": "",
            },
        )  # fmt: skip
        for step, seq in enumerate((session * 10 - 5, session * 10)):
            city.put(
                tables.closing,
                {
                    "kiosk": "K07", "number": session * 2 + step, "epoch": 1, "seq": seq, "cause": "cut_off",
                    "box_session": session, "currency": "USD", "taken_minor": 1, "grand_total_minor": 1, "at_ns": 1,
                },
            )  # fmt: skip
            city.put(
                tables.fact,
                {
                    "kiosk": "K07", "epoch": 1, "seq": seq, "position": seq, "kind": "day_closed", "at_ns": 1,
                    "business_date": "2026-11-20", "session": "", "worker": 0, "segment": 1, "row": 0,
                },
            )  # fmt: skip
    with city.stores.books.connect() as connection:
        fence = fence_for(Person("o", "", ("view", "count"), "open"), connection)
        everything = fence_for(Person("o", "", ("view",), "open"), connection)
    assert [fence.seals("K07", at) for at in (horizon, horizon + 1)] == [False, True]
    assert fence.seals("K07", None)
    assert fence.seals("K99", 1)
    assert not everything.seals("K99", 10**9)


def test_counting_beside_any_other_role_still_seals(town: City) -> None:
    with town.stores.books.connect() as connection:
        for roles in (("count",), ("view", "count"), ("count", "admin"), ("view", "count", "audit")):
            assert not fence_for(Person("o", "", roles, "open"), connection).open


def test_a_sealed_day_carries_no_sum_to_whoever_draws_it_and_seals_the_bar_of_all_kiosks(town: City) -> None:
    chart = town.setup.chart
    with town.stores.books.connect() as connection:
        for sealed in ({("K07", "2026-11-19")}, {("K08", "2026-11-19")}):
            found = days.sums(connection, chart, sealed, "2026-11-19", "2026-11-19")
            assert {(day.kiosk, day.date) for day in found if day.sealed} == sealed
            assert len(found) == 2
            assert all(not day.applied and not day.overpaid_minor for day in found if day.sealed)
            (bar,) = days.by_date(found)
            assert (bar.sealed, bar.parts) == (True, {})


def test_an_uncounted_boxes_facts_are_sealed_even_by_their_place(town: City) -> None:
    with town.stores.books.connect() as connection:
        rows = list(connection.execute(sa.select(tables.fact).where(tables.fact.c.kiosk == "K08")))
    browser = town.browser("o-count")
    for row in rows:
        page = browser.page(f"/facts/K08/1/{row.seq}")
        assert "You see this when the box" in page, row
        assert "$" not in page
