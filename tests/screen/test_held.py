"""What the screens show of money that is held for a bill."""

from __future__ import annotations

import msgspec

from kiosk.screen.view import View
from kiosk.texts import Catalogue
from tests.screen.pictures import PICTURES, SLIP, FakeDesk, usd


def view_of(catalogue: Catalogue, screen: str, **changes: object) -> View:
    return View(FakeDesk().show(PICTURES[screen], screen=screen, **changes), catalogue, now_ns=0)


def test_the_way_on_names_what_remains_and_the_voice_what_is_held(catalogue: Catalogue) -> None:
    view = view_of(catalogue, "reviewing", due=usd(12000), held=usd(5000), remaining=usd(7000))
    assert [action.label for action in view.actions if action.intent == "pay"] == ["Pay $70.00"]
    assert "$50.00 is held from before. $70.00 remains to be paid." in view.announcement
    plain = view_of(catalogue, "reviewing", due=usd(12000), remaining=usd(12000))
    assert [action.label for action in plain.actions if action.intent == "pay"] == ["Pay $120.00"]


def test_the_sums_of_a_slip_tell_what_was_held_before_and_what_is_now(catalogue: Catalogue) -> None:
    totals = (("due", usd(12000)), ("tender", usd(1000)), ("used", usd(5000)), ("held", usd(6000)))
    slip = msgspec.structs.replace(SLIP, kind="credit", totals=totals)
    view = view_of(catalogue, "receipting", slips=(slip,))
    assert dict(view.slip_sums) == {
        "Total due": "$120.00", "Held from before": "$50.00", "Inserted in notes": "$10.00", "Held for you": "$60.00",
    }  # fmt: skip
