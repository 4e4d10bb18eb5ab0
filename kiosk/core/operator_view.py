"""What a signed-in person sees: numbers, states and names; never a sum of money and never a count of notes."""

from __future__ import annotations

from kiosk.core.kernel import Kernel
from kiosk.core.snapshot import DeviceView, ExchangeView, OperatorView

#: How many of the last slips the menu offers for a copy.
LAST_SLIPS = 8


def operator_view(kernel: Kernel) -> OperatorView | None:
    """Return the picture for the person who is signed in, None where nobody is."""
    model, books, parts = kernel.model, kernel.books, kernel.parts
    if model.attendant is None:
        return None
    exchange = model.exchange
    return OperatorView(
        person=model.attendant.person,
        roles=model.attendant.roles,
        business_date=kernel.business_date.isoformat(),
        last_z=books.last_z,
        box_session=books.box_session,
        box=books.box_number,
        box_present=books.box_present,
        exchange=None if exchange is None else ExchangeView(
            exchange.stage, books.box_number, exchange.old_box, exchange.new_box, exchange.seal
        ),
        alarms=books.alarms,
        slips_open=tuple(
            (number, page.name, page.slip, page.outcome)
            for number in books.slips_open()
            for page in (books.slips[number],)
        ),
        last_slips=tuple(
            (number, page.name, page.slip) for number, page in sorted(books.slips.items(), reverse=True)[:LAST_SLIPS]
        ),
        devices=tuple(
            DeviceView(
                name=page.name, device_class=page.device_class, driver=page.driver, state=page.state,
                severity=page.severity, detail="; ".join(part for part in (page.detail, page.raw) if part),
                level=page.level if page.device_class == "CoinDispenser" else "",
            )
            for page in parts.board.pages.values()
        ),
        shutter_closed=bool(kernel.closed_by),
        shutter_by=kernel.closed_by,
        realms=parts.realms,
        uncounted=tuple((page.session, page.box) for page in books.uncounted()),
        testing=model.testing,
    )  # fmt: skip
