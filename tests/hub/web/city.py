"""A city for the pages' tests: a hub's database with kiosks, journals and books, written as the hub's parts would.

`Till` writes real facts of one kiosk into a segment and what posting makes of them into the books, so that every page
has something to show and every drill-down ends at real bytes.
"""

from __future__ import annotations

import datetime as dt
import functools
import tempfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from starlette.testclient import TestClient

from kiosk.app.hubs import load_hub
from kiosk.hub.findings import Finding, note
from kiosk.hub.settings import Alerts, Hub, HubConfig, Web
from kiosk.hub.setup import HubSetup
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.hub.web import people
from kiosk.hub.web.app import build
from kiosk.hub.web.sessions import resume
from kiosk.journal.encoding import ROOT_HASH, chain, encode, kind_of
from kiosk.model import facts
from kiosk.model.entry import Entry, Posting
from kiosk.model.ids import NoteId
from kiosk.model.instant import NS, Instant
from kiosk.model.invoice import Quote, QuoteLine
from kiosk.model.money import Money
from kiosk.model.texts import text

ZONE = ZoneInfo("America/Chicago")
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=ZONE)
PASSWORD = "a long enough password"
BASE = "http://127.0.0.1:8090"
DIGESTS = facts.Digests("5f1e0c77a1b2c3d4", "00aa11bb22cc33dd", "9988776655443322", "example-city 2026.1")

@functools.cache
def hashed() -> str:
    """The password's hash, made once."""
    return people.hash_of(PASSWORD)


@functools.cache
def loaded() -> HubSetup:
    """A hub's set-up with the city's pack, read once; each city has settings of its own."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "hub.toml"
        file.write_text('[hub]\nid = "city-hall"\n', "utf-8")
        return load_hub(file)


@functools.cache
def prepared() -> dict[str, bytes]:
    """The files of an empty database, made once."""
    with tempfile.TemporaryDirectory() as place:
        stores = open_stores(Path(place))
        prepare(stores)
        stores.close()
        return {path.name: path.read_bytes() for path in Path(place).glob("*.db")}


def nanoseconds(when: dt.datetime) -> int:
    return int(when.timestamp()) * NS


class City:
    """A configured hub with prepared stores and a clock that stands still until it is moved."""

    def __init__(self, place: Path, *, alerts: Alerts | None = None, database: str = "") -> None:
        config = HubConfig(
            hub=Hub("city-hall", state=str(place / "state"), runtime=str(place / "run"), database=database),
            web=Web(port=0, tls=False), alerts=alerts or Alerts(),
        )  # fmt: skip
        self.setup = msgspec.structs.replace(loaded(), config=config)
        config.state.mkdir()
        for name, body in prepared().items():
            (config.state / name).write_bytes(body)
        self.stores: Stores = self.setup.stores()
        if database:
            prepare(self.stores)
        self.now_ns = nanoseconds(NOON + dt.timedelta(hours=2, minutes=5, seconds=9))
        self.position = 0
        self.segment = 0
        self.app, self.desk = build(self.setup, lambda: self.now_ns)

    def close(self) -> None:
        self.desk.close()
        self.stores.close()

    def put(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        """Write rows into whichever group has the table."""
        group = {id(tables.segments): "segments", id(tables.office): "office", id(tables.books): "books"}
        with self.stores.engine(group[id(table.metadata)]).begin() as connection:
            connection.execute(table.insert(), list(rows))

    def rows(self, table: sa.Table) -> list[Any]:
        group = {id(tables.segments): "segments", id(tables.office): "office", id(tables.books): "books"}
        with self.stores.engine(group[id(table.metadata)]).connect() as connection:
            return list(connection.execute(sa.select(table)))

    def find(self, table: sa.Table, finding: Finding) -> str:
        """Write a finding; return its id."""
        group = {"ingest_finding": "segments", "peer_finding": "office", "finding": "books"}[table.name]
        with self.stores.engine(group).begin() as connection:
            return note(connection, table, finding, self.now_ns)

    def person(self, person: str, *roles: str, name: str = "") -> str:
        """Let somebody sign in with `PASSWORD`."""
        self.put(
            tables.operator,
            {
                "id": person, "name": name, "password": hashed(), "roles": ",".join(roles), "state": "open",
                "failures": 0, "locked_until_ns": 0, "changed_ns": self.now_ns,
            },
        )  # fmt: skip
        return person

    def browser(self, person: str = "") -> Browser:
        """A browser; with a person one that is signed in."""
        browser = Browser(self)
        if person:
            assert browser.sign_in(person).status_code == 303
        return browser

    def kiosk(self, name: str, place: str = "", state: str = "approved", **contact: Any) -> None:
        """Take a kiosk in; with any word about its contact, it was there."""
        self.put(
            tables.kiosk,
            {
                "id": name, "state": state, "realm": "live", "name": "", "place": place, "changed_ns": self.now_ns,
                "changed_by": "o-admin", "worker": 0,
            },
        )  # fmt: skip
        if contact:
            self.contact(name, **contact)

    def contact(self, name: str, *, ago_s: int = 2, **told: Any) -> None:
        """Write what the front last heard of a kiosk."""
        seen = self.now_ns - ago_s * NS
        status = {
            "at_ns": seen, "reasons": told.pop("reasons", ()), "devices": told.pop("devices", healthy()),
            "alarms": told.pop("alarms", ()),
            "clock": {"wall_ns": seen, "mono_ns": 1, "boot_id": "b", "trusted": told.pop("trusted", True)},
        }  # fmt: skip
        row = {
            "kiosk": name, "seen_ns": seen, "offset_ms": 12, "round_trip_ms": 31, "software": "0.1.0",
            "unsynced": 0, "oldest_unsynced_ns": 0, "state": "open", "paper": "plenty", "stacker_permille": 310,
            "status": msgspec.json.encode(status),
        } | told  # fmt: skip
        with self.stores.office.begin() as connection:
            connection.execute(sa.delete(tables.contact).where(tables.contact.c.kiosk == name))
            connection.execute(tables.contact.insert().values(row))


def healthy() -> list[dict[str, str]]:
    return [
        {"name": "acceptor", "device_class": "BillAcceptor", "state": "idle", "severity": "ok", "detail": ""},
        {"name": "printer", "device_class": "POSPrinter", "state": "ready", "severity": "ok", "detail": ""},
        {"name": "scanner", "device_class": "Scanner", "state": "ready", "severity": "ok", "detail": ""},
    ]


class Browser:
    """One browser in front of the pages."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.client = TestClient(city.app, base_url=BASE, follow_redirects=False, raise_server_exceptions=True)
        self.headers = {"origin": BASE}

    def sign_in(self, person: str, password: str = PASSWORD, **more: str) -> Any:
        data = {"person": person, "password": password, **more}
        return self.client.post("/sign-in", data=data, headers=self.headers)

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def page(self, path: str, status: int = 200) -> str:
        answer = self.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        told: str = answer.text
        return told

    @property
    def token(self) -> str:
        """The token that forms of this session carry."""
        cookie = self.client.cookies.get(self.city.desk.cookie)
        session = self.city.desk
        found = resume(session.reader.office, session.writer.office, str(cookie), self.city.now_ns, session.idle_ns)
        return found.csrf if found is not None else ""

    def post(self, path: str, *, token: str | None = None, headers: dict[str, str] | None = None, **data: str) -> Any:
        form = {"token": self.token if token is None else token, **data}
        return self.client.post(path, data=form, headers=self.headers if headers is None else headers)


class Till:
    """The journal of one kiosk, and what posting makes of it."""

    def __init__(self, city: City, kiosk: str, at: dt.datetime = NOON) -> None:
        self.city = city
        self.kiosk = kiosk
        self.at = at
        self.box_session = 1
        self.seq = self.session = self.receipts = self.notes = self.closings = 0
        self.taken = self.grand_total = self.box_minor = 0
        self.hash = ROOT_HASH
        self._facts: list[facts.Fact] = []
        self._first = 1
        self._previous = ROOT_HASH
        self._sums: dict[tuple[str, str, str], list[int]] = {}

    def date(self) -> str:
        return self.at.date().isoformat()

    def tell(self, body: Any, session: str = "", actor: str = "kiosk", services: dict[str, str] | None = None) -> int:
        """Add a fact; an entry in it is posted, `services` names the service of an account."""
        self.seq += 1
        self.at += dt.timedelta(seconds=2)
        offset = self.at.utcoffset() or dt.timedelta()
        instant = Instant(nanoseconds(self.at), int(offset.total_seconds()), self.seq, "boot-1")
        stamp = facts.Stamp(instant, self.at.date(), actor, session, self.box_session, DIGESTS)
        fact = facts.Fact(1, self.kiosk, 1, self.seq, "live", stamp, body)
        self._facts.append(fact)
        self.hash = chain(self.hash, encode(fact))
        city = self.city
        city.position += 1
        city.put(
            tables.fact,
            {
                "kiosk": self.kiosk, "epoch": 1, "seq": self.seq, "position": city.position, "kind": kind_of(fact),
                "at_ns": instant.wall_ns, "business_date": self.date(), "session": session, "worker": 0,
                "segment": city.segment + 1, "row": len(self._facts) - 1,
            },
        )  # fmt: skip
        entry: Entry | None = getattr(body, "entry", None)
        if entry is not None:
            self._post(entry, services or {})
        return self.seq

    def _post(self, entry: Entry, services: dict[str, str]) -> None:
        city = self.city
        rows = [
            {
                "kiosk": self.kiosk, "epoch": 1, "seq": self.seq, "line": line, "position": city.position,
                "posts_on": self.date(), "business_date": self.date(), "reason": entry.reason,
                "currency": entry.currency, "account": one.account, "minor": one.minor,
                "service": services.get(one.account, ""),
            }
            for line, one in enumerate(entry.postings)
        ]  # fmt: skip
        city.put(tables.posting, *rows)
        for row in rows:
            sums = self._sums.setdefault((row["posts_on"], row["service"], row["account"]), [0, 0])
            sums[0] += row["minor"]
            sums[1] += 1

    def pay(self, service: str, number: str, due: int, *notes: int, account: str = "A2610", excess: int = 0) -> str:
        """A citizen pays an invoice with notes; return the receipt's number."""
        self.session += 1
        session = f"s{self.session:04d}"
        line = QuoteLine("fine", due, text("fee.base"), "expired-meter@2026-01-01", "Ord. 12-3")
        quote = Quote(service, number, "USD", (line,), self.at.date())
        self.tell(facts.TenderFrozen((quote,), due, "USD", "en"), session, "citizen")
        for value in notes:
            self.notes += 1
            note_id, money = NoteId("acceptor", self.notes), Money(value, "USD")
            self.tell(facts.StackIntended(note_id, money), session)
            entry = Entry("USD", (Posting("A200", value), Posting("A698", -value)), "note")
            self.tell(facts.NoteCredited(note_id, money, entry), session, "device:acceptor")
        tender = sum(notes)
        over = tender - due
        self.taken += tender
        self.box_minor += tender
        postings = [Posting("A698", tender), Posting(account, -due), *([Posting("A690", -over)] if over else [])]
        allocation = facts.Allocation(service, number, due, 0, "full")
        settled = facts.Settled(
            tender, "USD", (allocation,), over, Entry("USD", tuple(postings), "settlement"), "paid", "citizen"
        )
        seq = self.tell(settled, session, "citizen", {account: service})
        self.city.put(
            tables.payment,
            {
                "kiosk": self.kiosk, "epoch": 1, "seq": seq, "service": service, "number": number,
                "position": self.city.position, "currency": "USD", "minor": due, "remaining_minor": 0,
                "outcome": "full", "business_date": self.date(), "session": session, "excess_minor": excess,
            },
        )  # fmt: skip
        self.receipts += 1
        totals = tuple(facts.ReceiptTotal(*one) for one in (("due", due), ("tender", tender), ("applied", due)))
        lines = (facts.ReceiptLine(service, number, "fine", due, text("fee.base"), "Ord. 12-3"),)
        issued = facts.ReceiptIssued(self.receipts, "receipt", 1, "en", lines, totals, "USD", seq)
        at = self.tell(issued, session)
        receipt = f"{self.kiosk}-1-{self.receipts:06d}-{self.hash.hex()[:4]}"
        self.city.put(
            tables.receipt,
            {
                "id": receipt, "kiosk": self.kiosk, "epoch": 1, "seq": at, "slip": "receipt", "number": self.receipts,
                "session": session, "business_date": self.date(), "at_ns": nanoseconds(self.at), "language": "en",
                "position": self.city.position,
            },
        )  # fmt: skip
        job = f"j{self.receipts}"
        self.tell(facts.PrintStarted(self.receipts, job, 0, "printer"), session)
        self.tell(facts.PrintEnded(self.receipts, job, 0, "printed"), session, "device:printer")
        self.tell(facts.SessionClosed("thanked"), session)
        return receipt

    def close_day(self, cause: str = "cut_off") -> None:
        """A Z closing."""
        self.closings += 1
        self.grand_total += self.taken
        period = facts.Period(taken_minor=self.taken)
        through = self.at.date() if cause == "cut_off" else None
        seq = self.tell(
            facts.DayClosed(
                self.closings, cause, through, self.box_session, 1, self.seq, self.hash.hex(), "USD", period,
                self.grand_total,
            )
        )  # fmt: skip
        self.city.put(
            tables.closing,
            {
                "kiosk": self.kiosk, "number": self.closings, "epoch": 1, "seq": seq, "cause": cause,
                "closes_through": through.isoformat() if through else None, "box_session": self.box_session,
                "currency": "USD", "taken_minor": self.taken, "grand_total_minor": self.grand_total,
                "at_ns": nanoseconds(self.at),
            },
        )  # fmt: skip
        self.taken = 0

    def exchange(self, box: str, *, counted: bool, found: int | None = None) -> None:
        """The box leaves with its session; it is counted or waits."""
        self.close_day("exchange")
        self._box(box, "counted" if counted else "left", found)
        self.tell(
            facts.BoxExchanged(
                "acceptor", self.box_session, self.box_session + 1, box, "B-0900", "S-778102", "p01", "p02"
            )
        )
        self.box_session += 1
        self.box_minor = 0

    def _box(self, box: str, state: str, found: int | None = None) -> None:
        counted = state == "counted"
        total = self.box_minor if found is None else found
        self.city.put(
            tables.box,
            {
                "kiosk": self.kiosk, "box_session": self.box_session, "state": state, "box": box,
                "left_ns": 0 if state == "in_kiosk" else nanoseconds(self.at), "unknown_notes": 0, "currency": "USD",
                "expected_minor": self.box_minor, "counted_minor": total if counted else None,
                "over_short_minor": total - self.box_minor if counted else None,
                "collector": "" if state == "in_kiosk" else "p01", "counter": "p03" if counted else "", "second": "",
            },
        )  # fmt: skip

    def send(self) -> None:
        """Bring everything to the hub: one segment, the mark, the sums, and the box that is in the kiosk."""
        city = self.city
        city.segment += 1
        rows = [encode(one) for one in self._facts]
        city.put(
            tables.segment,
            {
                "worker": 0, "number": city.segment, "kiosk": self.kiosk, "epoch": 1, "first": self._first,
                "last": self.seq, "previous": self._previous, "hash": self.hash, "signature": b"s" * 64,
                "received_ns": nanoseconds(self.at) + NS, "codec": 0, "body": msgspec.msgpack.encode(rows),
            },
        )  # fmt: skip
        city.put(
            tables.mark,
            {
                "kiosk": self.kiosk, "epoch": 1, "seq": self.seq, "hash": self.hash, "journal_key": "00" * 32,
                "updated_ns": nanoseconds(self.at),
            },
        )  # fmt: skip
        city.put(
            tables.day_sum,
            *(
                {
                    "posts_on": date, "kiosk": self.kiosk, "service": service, "currency": "USD", "account": account,
                    "minor": minor, "entries": entries,
                }
                for (date, service, account), (minor, entries) in self._sums.items()
            ),
        )  # fmt: skip
        self._box("B-0901", "in_kiosk")
        self._facts, self._first, self._previous = [], self.seq + 1, self.hash
