"""One snapshot for every form of the screens of people who work here.  Example data only."""

from __future__ import annotations

import msgspec

from kiosk.core.snapshot import DeviceView, ExchangeView, OperatorView, Snapshot
from kiosk.model.texts import text
from tests.screen.pictures import PLAIN

#: What the checkout allows on each screen to somebody who holds every role.
ATTENDED = (
    "acknowledge_alarms", "acknowledge_slip", "begin_exchange", "change_realm", "close_day", "release", "report_x",
    "reprint_slip", "shutter", "sign_out", "test_note", "test_print", "test_scan",
)  # fmt: skip
EXCHANGING = ("abandon_exchange", "back", "cancel", "confirm_exchange", "enter_pin", "exchange_numbers")

OPERATOR = OperatorView(
    person="p01",
    roles=("operate", "collect", "close", "admin"),
    business_date="2026-03-14",
    last_z=73,
    box_session=7,
    box="B-0042",
    devices=(
        DeviceView("notes", "BillAcceptor", "id003_acceptor", "idling", "ok", "firmware 1.0"),
        DeviceView("receipt", "POSPrinter", "escpos_printer", "paper_low", "warn", "paper is near its end; 12 0c", 1),
        DeviceView("tickets", "POSPrinter", "escpos_printer", "offline", "fault", "<b>no answer</b>", 12),
        DeviceView("reader", "Scanner", "wedge_scanner", "sleepy", "of_next_year"),
    ),
    last_slips=((412, "K07-1-000412-9f3c", "receipt"), (411, "K07-1-000411-01ab", "z")),
    realms=("training",),
)
BUSY = msgspec.structs.replace(
    OPERATOR,
    alarms=("cashbox_removed", "alarm_of_next_year"),
    box="",
    box_present=False,
    slips_open=((410, "K07-1-000410-77aa", "credit", "unknown"), (409, "K07-1-000409-10cc", "receipt", "dropped")),
    shutter_closed=True,
    uncounted=((5, "B-0040"), (6, "B-0041")),
)


#: Two hoppers, one of which has not told its coin.
HOPPERS = msgspec.structs.replace(
    OPERATOR,
    devices=(
        *OPERATOR.devices,
        DeviceView("quarters", "CoinDispenser", "cctalk_hopper", "ready", "ok", level="low"),
        DeviceView("dollars", "CoinDispenser", "cctalk_hopper", "unknown", "unknown", level="level_of_next_year"),
    ),
)


def _with(screen: str, operator: OperatorView | None = OPERATOR, **changes: object) -> Snapshot:
    return msgspec.structs.replace(PLAIN, screen=screen, operator=operator, **{"allowed": (), **changes})


def _exchange(stage: str, **changes: object) -> Snapshot:
    numbers = {} if stage == "numbers" else {"old_box": "B-0042", "new_box": "B-0043", "seal": "S-778102"}
    view = ExchangeView(stage=stage, known_box="B-0042", **numbers)
    operator = msgspec.structs.replace(OPERATOR, exchange=view)
    return _with("exchanging", operator, allowed=EXCHANGING, **changes)


SIGNING = {"operator": None, "allowed": ("cancel", "enter_pin", "language")}
OPERATOR_PICTURES: dict[str, Snapshot] = {
    "signing_in": _with("signing_in", **SIGNING),
    "signing_in_wrong": _with("signing_in", **SIGNING, messages=(text("operator.wrong"),)),
    "signing_in_locked": _with("signing_in", **SIGNING, messages=(text("operator.locked"),)),
    "attended": _with("attended", allowed=ATTENDED),
    "attended_busy": _with("attended", BUSY, allowed=ATTENDED, messages=(text("operator.printing"),)),
    "attended_hoppers": _with(
        "attended", HOPPERS, allowed=(*ATTENDED, "fill_hopper", "count_hopper"),
        messages=(text("hopper.filled", device="quarters", coins=200),),
    ),
    "attended_collector": _with("attended", allowed=("begin_exchange", "sign_out")),
    "exchange_numbers": _exchange("numbers"),
    "exchange_numbers_bad": _exchange("numbers", messages=(text("exchange.bad_number"),)),
    "exchange_second": _exchange("second"),
    "exchange_second_same": _exchange("second", messages=(text("operator.same_person"),)),
    "exchange_open": _exchange("open"),
    "exchange_removed": _exchange("removed"),
    "exchange_inserted": _exchange("inserted"),
    "exchange_unfinished": _exchange("unfinished"),
    "exchange_of_next_year": _exchange("sealing"),
    "testing_scan": _with(
        "testing", msgspec.structs.replace(OPERATOR, testing="scan"), allowed=("back", "cancel"),
        messages=(text("operator.scan_read", symbology="code39", length=9),),
    ),
    "testing_note": _with(
        "testing", msgspec.structs.replace(OPERATOR, testing="note"), allowed=("back", "cancel"),
        messages=(text("operator.insert_now"),),
    ),
}  # fmt: skip
