"""One snapshot for every screen, as a kernel would publish it, and a desk that takes note of what is asked of it.

Example data only: Example City and its numbers are invented.
"""

from __future__ import annotations

import time

import msgspec

from kiosk.checkout.intents import AnyIntent
from kiosk.core.snapshot import DeviceView, Health, InvoiceView, LineView, SlipView, Snapshot, SnapshotBoard
from kiosk.model.money import Money
from kiosk.model.texts import text

TOKEN = "a-token-for-tests"


def usd(minor: int) -> Money:
    return Money(minor, "USD")


CITATION = InvoiceView(
    service=text("service.parking_citation"),
    number="26000417",
    lines=(
        LineView(
            text("component.fine"),
            usd(4500),
            text("fee.base.expired_meter", code="01", offence=3),
            "Example City Code 10-4-2",
        ),
        LineView(
            text("component.late_fee"),
            usd(500),
            text("fee.late.step", days=7, since_date="2026-03-10"),
            "Example City Code 10-4-9",
        ),
    ),
    already_paid=usd(0),
    due=usd(5000),
    issued_date="2026-03-02",
    due_date="2026-03-09",
)
WATER = InvoiceView(
    service=text("service.water_bill"),
    number="0212345678",
    lines=(LineView(text("component.usage"), usd(8317), text("fee.base.water")),),
    already_paid=usd(2000),
    due=usd(6317),
    issued_date="2026-02-25",
    due_date="2026-03-20",
    partial_allowed=False,
)
NOTES = tuple(usd(value * 100) for value in (1, 5, 10, 20, 50))
SLIP = SlipView(
    number="K07-1-000412-9f3c",
    kind="receipt",
    state="printing",
    qr="KIOSK1:K07:1:412:9f3c6a51b2:" + "A1b2C3d4" * 20,
    totals=(
        ("due", usd(11317)),
        ("tender", usd(12000)),
        ("applied", usd(11317)),
        ("overpayment", usd(683)),
        ("remaining", usd(0)),
        ("note:2000", usd(6)),
    ),
    progress=60,
)

PLAIN = Snapshot(
    version=1,
    boot="b00t",
    screen="idle",
    session="s-1",
    step=1,
    language="en",
    languages=("en", "es"),
    kiosk="K07",
    realm="demo",
    city="Example City",
    support_phone="555-0100",
    currency="USD",
    due=usd(0),
    inserted=usd(0),
    remaining=usd(0),
    excess=usd(0),
    services=(text("service.parking_citation"), text("service.water_bill")),
    notes_accepted=NOTES,
    data_as_of="2026-03-14T05:30:00-06:00",
    allowed=("begin", "language"),
)


def _with(**changes: object) -> Snapshot:
    return msgspec.structs.replace(PLAIN, **changes)


_CART = {"cart": (CITATION, WATER), "due": usd(11317), "remaining": usd(11317)}
_PAYING = {**_CART, "inserted": usd(6000), "remaining": usd(5317), "notes_accepted": NOTES}

NOTICE_ALLOWS = ("add_another", "back", "cancel", "dismiss", "enter_number", "language")

#: Every screen the kernel names, some in several forms.
PICTURES: dict[str, Snapshot] = {
    "idle": PLAIN,
    "idle_partly": _with(messages=(text("message.paper_out"),), time_unsure=True),
    "entering": _with(screen="entering", allowed=("back", "cancel", "enter_number", "language"), ends_in_ms=60_000),
    "looking_up": _with(screen="looking_up", allowed=("cancel", "language")),
    "notice": _with(
        screen="notice",
        messages=(text("notice.not_found", as_of_date="2026-03-14", count=5, counter="default"),),
        allowed=NOTICE_ALLOWS,
        ends_in_ms=30_000,
    ),
    "notice_state": _with(
        screen="notice", messages=(text("refused.state.in_court", counter="court"),), allowed=("dismiss", "language")
    ),
    "reviewing": _with(
        screen="reviewing",
        cart=(CITATION,),
        due=usd(5000),
        remaining=usd(5000),
        allowed=("add_another", "cancel", "enter_number", "language", "pay", "remove_invoice"),
        ends_in_ms=60_000,
    ),
    "reviewing_several": _with(
        screen="reviewing",
        **_CART,
        allowed=("add_another", "cancel", "enter_number", "language", "pay", "remove_invoice"),
        ends_in_ms=60_000,
    ),
    "consenting": _with(
        screen="consenting",
        **_CART,
        conditions=(
            text("condition.notes", accepted_notes="USD 100 500 1000 2000"),
            *(
                text(one)
                for one in (
                    "condition.no_change",
                    "condition.excess_credit",
                    "condition.shortage_partial",
                    "condition.pay_blocks_appeal",
                    "condition.frozen",
                )
            ),
        ),
        no_paper=True,
        allowed=("accept_conditions", "back", "cancel", "language"),
        ends_in_ms=60_000,
    ),
    "accepting_empty": _with(screen="accepting", **_CART, allowed=("cancel", "finish", "language"), ends_in_ms=60_000),
    "accepting": _with(screen="accepting", **_PAYING, allowed=("finish", "cancel", "language")),
    "accepting_refused": _with(
        screen="accepting",
        **_PAYING,
        messages=(text("message.note_rejected.unread"),),
        allowed=("finish", "cancel", "language"),
    ),
    "accepting_jam": _with(
        screen="accepting",
        **{**_PAYING, "notes_accepted": ()},
        messages=(text("message.jam"),),
        allowed=("finish", "cancel"),
    ),
    "note_held": _with(screen="note_held", **_PAYING, note=usd(2000), allowed=("cancel", "finish", "language")),
    "note_held_excess": _with(
        screen="note_held",
        **{**_PAYING, "inserted": usd(10000), "remaining": usd(1317)},
        note=usd(2000),
        note_excess=usd(683),
        allowed=("agree_excess", "cancel", "decline_excess", "finish", "language"),
        ends_in_ms=30_000,
    ),
    "stacking": _with(screen="stacking", **_PAYING, note=usd(2000), allowed=("cancel", "finish", "language")),
    "returning": _with(screen="returning", **_PAYING, note=usd(2000), allowed=("cancel", "finish", "language")),
    "stopping": _with(
        screen="stopping",
        **_PAYING,
        allowed=("cancel", "finish", "keep_paying", "language", "more_time"),
        ends_in_ms=20_000,
    ),
    "timed_out": _with(
        screen="timed_out",
        **_PAYING,
        allowed=("cancel", "finish", "keep_paying", "language", "more_time"),
        ends_in_ms=20_000,
    ),
    "settling": _with(screen="settling", **_PAYING, allowed=()),
    "dispensing": _with(
        screen="dispensing",
        **_PAYING,
        allowed=(),
        change=usd(175),
        change_paid=usd(100),
        messages=(text("message.take_change"),),
    ),
    "receipting": _with(
        screen="receipting", slips=(SLIP,), inserted=usd(12000), due=usd(11317), ends_in_ms=20_000, allowed=()
    ),
    "receipting_dropped": _with(
        screen="receipting",
        slips=(msgspec.structs.replace(SLIP, state="dropped", kind="credit"),),
        messages=(text("message.not_printed"),),
        allowed=("dismiss",),
    ),
    "thanking": _with(
        screen="thanking",
        slips=(msgspec.structs.replace(SLIP, state="printed"),),
        allowed=("dismiss",),
        ends_in_ms=10_000,
    ),
    "resuming": _with(
        screen="resuming",
        **_PAYING,
        messages=(text("message.interrupted"),),
        allowed=("cancel", "finish", "keep_paying", "language"),
    ),
    "out_of_service": _with(screen="out_of_service", messages=(text("out.acceptor"), text("out.no_data")), allowed=()),
    "unknown": _with(screen="a_screen_of_next_year", messages=(text("out.starting"),), allowed=()),
}

HEALTH = Health(
    severity="warn",
    reasons=("printer0: paper is near its end",),
    devices=(
        DeviceView("bill0", "BillAcceptor", "id003_acceptor", "idling", "ok", "firmware 1.0", 0),
        DeviceView("printer0", "POSPrinter", "escpos_printer", "paper_low", "warn", "<b>raw</b> 0c", 2),
    ),
    plugins=(("kiosk.builtins", "loaded", ""), ("stranger", "quarantined", "raised ImportError")),
    journal_seq=412,
    journal_epoch=1,
    realm="demo",
    data_as_of="2026-03-14T05:30:00-06:00",
    started="2026-03-14T06:00:00-06:00",
)


class FakeDesk:
    """A desk without a kernel: publishes what a test puts up and remembers what was asked."""

    def __init__(self, picture: Snapshot = PLAIN) -> None:
        self.board = SnapshotBoard()
        self.asked: list[tuple[AnyIntent, str, int]] = []
        self.beats = 0
        self.takes = True
        self.show(picture)

    def show(self, picture: Snapshot, **changes: object) -> Snapshot:
        """Publish a picture as the next version."""
        last = self.board.snapshot()
        version = last.version + 1 if last else 1
        changes.setdefault("step", version)
        shot = msgspec.structs.replace(picture, version=version, published_ns=time.monotonic_ns(), **changes)
        self.board.publish(shot)
        return shot

    def post_intent(self, intent: AnyIntent, *, session: str, step: int) -> bool:
        """Take note of an intent."""
        if self.takes:
            self.asked.append((intent, session, step))
        return self.takes

    def screen_seen(self) -> None:
        """Count a heartbeat."""
        self.beats += 1
