"""Example City as the pages show it: six kiosks in all states, two weeks of days, counted and uncounted boxes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from kiosk.hub.findings import Finding
from kiosk.hub.store import tables
from kiosk.model.instant import NS
from tests.hub.web.city import NOON, City, Till, healthy

PEOPLE = {
    "o-view": ("view",), "o-count": ("view", "count"), "o-audit": ("audit",), "o-admin": ("admin",),
    "o-export": ("export",),
}  # fmt: skip
#: What the uncounted boxes hold: of K07 its second one, which left, and its third; of K08 its only one. Minor units.
K07_LEFT, K07_INSIDE, K08_INSIDE = 123_700, 41_300, 87_900


def example(place: Path, *, days: int = 3, busy: bool = False, database: str = "") -> City:
    """Return the city; `busy` fills two weeks, for pictures."""
    city = City(place, database=database)
    for person, roles in PEOPLE.items():
        city.person(person, *roles, name={"o-audit": "Auditor"}.get(person, ""))
    _fleet(city)
    _k07(city, days if not busy else 12)
    _k08(city)
    _trouble(city)
    return city


def _fleet(city: City) -> None:
    city.kiosk("K07", "City Hall, lobby", unsynced=0)
    city.kiosk("K08", "Library, ground floor", paper="low", stacker_permille=870)
    jam = [*healthy()[1:], {"name": "acceptor", "device_class": "BillAcceptor", "state": "jammed", "severity": "error",
                            "detail": "a note is stuck at the entry"}]  # fmt: skip
    city.kiosk("K09", "Water Works, entrance")
    city.contact("K09", state="closed", reasons=("acceptor_fault",), devices=jam)
    city.kiosk("K10", "Bus Station, hall 2", ago_s=5400, unsynced=7)
    late = city.now_ns - 1300 * NS
    city.kiosk("K11", "Police Headquarters", unsynced=412, oldest_unsynced_ns=late, offset_ms=-4100)
    city.kiosk("K12", "Community Center")
    city.kiosk("K14", "", state="pending")
    city.put(
        tables.kiosk_key,
        {
            "purpose": "transport", "key": "k" * 40, "kiosk": "K14", "epoch": 1, "state": "pending",
            "since_ns": city.now_ns - 90 * NS, "words": "amber canoe river planet violin seven",
        },
    )  # fmt: skip
    city.put(
        tables.alert,
        {
            "id": f"silence:K10.{city.now_ns - 5355 * NS}", "kind": "silence", "kiosk": "K10", "detail": "",
            "raised_ns": city.now_ns - 5400 * NS, "cleared_ns": 0, "sent_ns": city.now_ns - 5354 * NS, "tries": 1,
            "trouble": "",
        },
    )  # fmt: skip


def _k07(city: City, days: int) -> None:
    till = Till(city, "K07", NOON - dt.timedelta(days=days - 1))
    for day in range(days - 1):
        # What was counted: nobody minds that it is told.
        till.pay("parking_citation", f"2600043{day:02d}", 6500 + 1500 * (day % 4), 2000, 2000, 2000, 2000, 2000, 2000)
        till.pay("water_bill", f"1100{day:04d}", 4321, 2000, 2000, 500, account="F2140")
        if day % 3 == 0:
            till.pay("property_tax", f"7700{day:04d}", 25_000, 10_000, 10_000, 5000, account="A1001")
        till.close_day()
        till.at += dt.timedelta(days=1)
        till.at = till.at.replace(hour=12, minute=0, second=0)
    till.exchange("B-0041", counted=True)
    till.at += dt.timedelta(minutes=10)
    till.pay("parking_citation", "260009001", 61_700, 10_000, 10_000, 10_000, 10_000, 10_000, 10_000, 1700)
    till.pay("water_bill", "11009002", 60_300, *(10_000,) * 6, 2000, account="F2140")
    # Held against what is above: 617.00 and 603.00 are paid, 620.00 and 617.00 are in the box.
    assert till.box_minor == K07_LEFT, till.box_minor
    till.exchange("B-0042", counted=False)
    till.at += dt.timedelta(minutes=10)
    till.pay("parking_citation", "260009003", 41_300, 10_000, 10_000, 10_000, 10_000, 1300)
    assert till.box_minor == K07_INSIDE
    till.send()


def _k08(city: City) -> None:
    till = Till(city, "K08", NOON - dt.timedelta(days=1))
    till.pay("property_tax", "77009004", 50_100, *(10_000,) * 5, 100, account="A1001")
    till.close_day()
    till.at += dt.timedelta(days=1)
    till.pay("parking_citation", "260009001", 37_800, 10_000, 10_000, 10_000, 7800, excess=37_800)
    city.put(
        tables.case,
        {
            "id": "c1", "kind": "overpayment", "kiosk": "K08", "epoch": 1, "seq": till.seq,
            "service": "parking_citation", "number": "260009001", "currency": "USD", "minor": 37_800,
            "state": "open", "position": city.position, "detail": "paid at K07 first; 378.00 came second",
        },
    )  # fmt: skip
    assert till.box_minor == K08_INSIDE, till.box_minor
    till.send()
    city.put(
        tables.invoice,
        {
            "service": "parking_citation", "number": "260009001", "currency": "USD", "amount_minor": 61_700,
            "paid_minor": 0, "state": "open", "issued": "2026-10-01", "due": "2026-11-01", "code": "21",
            "offence": 1, "held_days": 0, "plate_hash": "", "changed": 1, "gone": False,
        },
    )  # fmt: skip
    city.put(
        tables.invoice_balance,
        {
            "service": "parking_citation", "number": "260009001", "currency": "USD", "paid_minor": 99_500,
            "held_minor": 0, "owed_minor": 61_700, "changed": 1,
        },
    )  # fmt: skip


def _trouble(city: City) -> None:
    city.find(tables.ingest_finding, Finding("fork", "error", "K11", 1, 4102, "two rows for 1/4102, both signed"))
    city.find(tables.peer_finding, Finding("unknown_key", "warning", "", 0, 0, "a key that nobody enrolled"))
    city.find(
        tables.finding, Finding("sum_differs", "error", "K08", 1, 3, "the entry says 501.00, the notes say 879.00")
    )
    city.put(
        tables.kept_apart,
        {
            "id": "a1", "kiosk": "K11", "epoch": 1, "first": 4102, "last": 4140, "previous": b"p" * 32,
            "hash": b"\xab" * 32, "signature": b"s" * 64, "reason": "fork", "received_ns": city.now_ns,
            "body": b"x" * 900,
        },
    )  # fmt: skip
