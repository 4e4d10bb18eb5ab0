"""Change and coins on the screen: what comes out, what is taken, what is owed; how a hopper is filled and counted."""

from __future__ import annotations

import msgspec
from starlette.testclient import TestClient

from kiosk.checkout.intents import CountHopper, FillHopper
from kiosk.core.snapshot import SlipView
from kiosk.model.texts import text
from kiosk.screen.operator import staff_fits
from kiosk.screen.view import View
from kiosk.texts import Catalogue
from tests.screen.operator_pictures import HOPPERS, OPERATOR_PICTURES
from tests.screen.pictures import PICTURES, PLAIN, FakeDesk, usd

SLIP = SlipView(
    number="K07-1-000412-9f3c", kind="receipt", state="printed", qr="x",
    totals=(("tender", usd(8500)), ("applied", usd(8317)), ("overpayment", usd(183)), ("change", usd(175)),
            ("owed", usd(8))),
)  # fmt: skip


def test_the_screen_tells_what_comes_out_and_offers_nothing_to_hit_by_mistake(
    desk: FakeDesk, client: TestClient
) -> None:
    desk.show(PICTURES["dispensing"])
    page = client.get("/").text
    assert "$1.75" in page
    assert "$1.00" in page
    assert 'name="intent" value="finish"' not in page


def test_it_is_heard_as_it_is_seen(catalogue: Catalogue) -> None:
    view = View(FakeDesk().show(PICTURES["dispensing"]), catalogue, now_ns=0)
    assert "$1.75 comes out in coins." in view.announcement


def test_the_last_screen_names_the_coins_and_only_what_is_still_owed(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PLAIN, screen="thanking", slips=(SLIP,))
    page = client.get("/").text
    assert "You got $1.75 back in coins." in page
    assert "$0.08" in page
    assert "$1.83" not in page


def test_a_note_that_brings_change_is_not_said_to_bring_none(desk: FakeDesk, client: TestClient) -> None:
    told = {"screen": "note_held", "note": usd(500), "note_excess": usd(183), "allowed": ("agree_excess",)}
    desk.show(PLAIN, **told, messages=(text("message.excess_change", excess=usd(183), coins=usd(183), credit=usd(0)),))
    assert "No change is given" not in client.get("/").text
    desk.show(PLAIN, **told, messages=(text("message.excess_credit", excess=usd(183)),))
    assert "No change is given" in client.get("/").text


def test_coins_that_are_taken_stand_beside_the_notes(desk: FakeDesk, client: TestClient) -> None:
    desk.show(PICTURES["accepting"], coins_accepted=(usd(25), usd(100)))
    assert "Coins taken now" in client.get("/").text
    desk.show(PICTURES["accepting"])
    assert "Coins taken now" not in client.get("/").text


def test_a_hopper_is_filled_and_counted_by_number_and_no_float_is_told(desk: FakeDesk, client: TestClient) -> None:
    desk.show(OPERATOR_PICTURES["attended_hoppers"])
    page = client.get("/").text
    for act in ("fill_hopper", "count_hopper"):
        assert f'value="{act}"' in page
        assert f'id="field-{act}-quarters"' in page
    assert "Level: low" in page
    assert "Level: level_of_next_year" in page
    desk.show(OPERATOR_PICTURES["attended"])
    assert "panel-hoppers" not in client.get("/").text


def test_only_coins_of_a_hopper_that_is_shown_pass_to_the_kernel() -> None:
    shown = msgspec.structs.replace(PLAIN, screen="attended", operator=HOPPERS)
    assert staff_fits(FillHopper("quarters", 200), shown)
    assert staff_fits(CountHopper("quarters", 0), shown)
    for wrong in (FillHopper("notes", 5), FillHopper("quarters", -1), CountHopper("dollars", 20_001)):
        assert not staff_fits(wrong, shown)
