"""The pages over books that the projector wrote from real journals: every page opens, and nothing uncounted is told."""

from __future__ import annotations

import re
from pathlib import Path

from bench.posted_fleet import City as Fleet
from kiosk.hub.posting.projector import Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.store import tables
from tests.hub.posting.street import Street
from tests.hub.web.city import City
from tests.hub.web.test_blindness import crawl


def test_while_no_box_was_counted_no_page_tells_a_counter_any_amount_at_all(tmp_path: Path) -> None:
    city = City(tmp_path)
    try:
        fleet = Fleet(city.setup.chart, city.setup.library.services, city.setup.pack)
        street = Street(fleet, 11)
        street.walk(26)
        street.send_all(city.stores)
        projector = Projector(city.stores, Rules.of(city.setup), workers=1, digest="rules-1")
        while projector.turn():
            pass
        for machine in street.machines:
            city.kiosk(machine.name, "Somewhere")
            city.contact(machine.name)
        city.person("o-count", "view", "count")
        city.person("o-audit", "audit")
        assert len({row.kiosk for row in city.rows(tables.receipt)}) == 3
        assert any(row.state == "left" for row in city.rows(tables.box))
        city.now_ns = max(row.at_ns for row in city.rows(tables.fact))

        blind, open_ = crawl(city.browser("o-count")), crawl(city.browser("o-audit"))
        # The drawing's scale is a scale and tells nothing.
        bare = {path: re.sub(r"<svg.*?</svg>", "", page, flags=re.S) for path, page in blind.items()}
        told = {path: re.findall(r"\$[\d.,]+", page) for path, page in bare.items()}
        assert {path: found for path, found in told.items() if found} == {}
        assert sum("$" in page for page in open_.values()) > 20
        wrong = [path for path, page in open_.items() if "This did not work" in page and not path.startswith("/enrol")]
        assert [path for path in wrong if not re.fullmatch(r"/facts/K\d+/1/\d+", path)] == []
        ends = {f"/facts/{machine.name}/1/{machine.seq + 1}" for machine in street.machines}
        assert set(wrong) <= ends, "only what comes after the last fact is not there"
    finally:
        city.close()
