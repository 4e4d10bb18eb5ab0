"""What the front last heard of each kiosk: kept in memory, written once a second in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.hub.store.tables import contact
from kiosk.sync.messages import Ping, Status

#: What stands for "nobody knows" in a column of numbers.
UNKNOWN = -1


class Contact(msgspec.Struct):
    """News of one kiosk since the last write."""

    kiosk: str
    seen_ns: int = 0
    #: How far the kiosk's clock is ahead of the hub's; None: not told since the last write.
    offset_ms: int | None = None
    round_trip_ms: int | None = None
    status: Status | None = None

    def take_ping(self, ping: Ping, received_ns: int) -> None:
        """Compare the clocks; half a round trip, where the kiosk knows one, was on the way."""
        way = ping.round_trip_ns // 2 if 0 <= ping.round_trip_ns < 60_000_000_000 else 0
        self.offset_ms = _bounded((ping.sent_ns + way - received_ns) // 1_000_000)
        self.round_trip_ms = way * 2 // 1_000_000 if ping.round_trip_ns >= 0 else UNKNOWN

    def take_status(self, status: Status) -> None:
        """Keep the latest."""
        self.status = status


def status_json(status: Status) -> bytes:
    """Return a STATUS as a JSON object with the names of its fields; devices and clock are objects, too."""
    told = msgspec.structs.asdict(status)
    told["clock"] = msgspec.structs.asdict(status.clock)
    told["devices"] = [msgspec.structs.asdict(each) for each in status.devices]
    return msgspec.json.encode(told)


def write(connection: sa.Connection, news: Sequence[Contact]) -> None:
    """Write the news, within a transaction of `office`; what was not told stays as it was."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(contact)
    full = [_row(each) for each in news if each.status is not None]
    bare = [_row(each) for each in news if each.status is None]
    for rows, columns in (
        (full, ("software", "unsynced", "oldest_unsynced_ns", "state", "paper", "stacker_permille", "status")),
        (bare, ()),
    ):
        if rows:
            put = insert.excluded
            changed = {column: put[column] for column in ("seen_ns", *columns)}
            for column in ("offset_ms", "round_trip_ms"):
                # The smallest number says that nothing was told.
                changed[column] = sa.case((put[column] == _UNTOLD, contact.c[column]), else_=put[column])
            connection.execute(insert.on_conflict_do_update(index_elements=["kiosk"], set_=changed), rows)
    connection.execute(contact.update().where(contact.c.offset_ms == _UNTOLD).values(offset_ms=0))
    connection.execute(contact.update().where(contact.c.round_trip_ms == _UNTOLD).values(round_trip_ms=UNKNOWN))


_UNTOLD = -(2**62)


def _row(news: Contact) -> dict[str, object]:
    status = news.status
    return {
        "kiosk": news.kiosk,
        "seen_ns": news.seen_ns,
        "offset_ms": _UNTOLD if news.offset_ms is None else news.offset_ms,
        "round_trip_ms": _UNTOLD if news.round_trip_ms is None else news.round_trip_ms,
        "software": status.software if status else "",
        "unsynced": status.unsynced if status else 0,
        "oldest_unsynced_ns": _bounded(status.oldest_unsynced_ns) if status else 0,
        "state": status.state if status else "unknown",
        "paper": status.paper if status else "unknown",
        "stacker_permille": UNKNOWN if status is None or status.stacker_permille is None else status.stacker_permille,
        "status": status_json(status) if status else b"",
    }


def _bounded(number: int) -> int:
    return max(-(2**62) + 1, min(2**62, number))
