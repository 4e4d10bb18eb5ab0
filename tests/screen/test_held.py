"""What the screens show of money that is held for a bill."""

from __future__ import annotations

import msgspec

from kiosk.core.snapshot import InvoiceView
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


def test_who_stops_short_of_a_bill_in_full_only_reads_that_the_money_is_held(catalogue: Catalogue) -> None:
    (bill,) = PICTURES["reviewing"].cart[:1]
    whole = msgspec.structs.replace(bill, due=usd(12000), partial_allowed=False)
    part = msgspec.structs.replace(bill, due=usd(2000), partial_allowed=True)

    def told(cart: tuple[InvoiceView, ...], inserted: int, held: int | None = None) -> bool:
        view = view_of(
            catalogue, "stopping", cart=cart, inserted=usd(inserted), remaining=usd(100),
            held=None if held is None else usd(held),
        )  # fmt: skip
        spoken = "is held for it" in view.announcement
        assert spoken is view.would_be_held
        return spoken

    assert told((whole,), 5000)
    assert told((whole,), 0, held=5000)
    assert told((part, whole), 2100)
    assert not told((part, whole), 2000), "the first bill took it all"
    assert not told((whole, part), 12500), "the second bill takes the rest"
    assert not told((part,), 1000)
    assert not told((whole,), 0)
