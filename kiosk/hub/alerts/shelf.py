"""The alerts on the disk: what stands, what is over, and who has still to be told.

An alert and the messages that tell of it are written in one transaction, so a restart neither repeats nor forgets one.
A message is told at least once: where the process dies between the telling and its note, it is told again under the
same id, by which whoever receives it can tell.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from kiosk.hub.alerts.watching import Condition
from kiosk.hub.store.tables import alert, alert_message, kiosk
from kiosk.model.instant import NS

#: Messages of one channel that wait; more are not told but stand on the page.
MOST_WAITING = 5000
#: How long what is over and told is kept.
KEPT_NS = 90 * 86_400 * NS
#: First wait before another try, and the longest.
FIRST_NS, LONGEST_NS = 5 * NS, 300 * NS
NOBODY = "nobody is told: hub.toml names neither webhook nor mail"


class Message(msgspec.Struct, frozen=True):
    """Something to tell over one channel."""

    alert: str
    #: ``raised`` or ``cleared``.
    event: str
    channel: str
    tries: int
    kind: str
    kiosk: str
    place: str
    detail: str
    raised_ns: int
    cleared_ns: int


def standing(connection: sa.Connection) -> dict[str, str]:
    """Return the alerts that stand: name of the event -> id."""
    ids = connection.execute(sa.select(alert.c.id).where(alert.c.cleared_ns == 0)).scalars()
    return {number.rpartition(".")[0]: number for number in ids}


def write(
    engine: sa.Engine, begins: Iterable[Condition], over: Iterable[str], channels: tuple[str, ...], now_ns: int
) -> int:
    """Write what begins and what is over with the messages that tell it; return how many alerts changed."""
    changed = 0
    with engine.begin() as connection:
        stands = standing(connection)
        room = {channel: MOST_WAITING - _waiting(connection, channel) for channel in channels}
        for one in begins:
            if one.event in stands:
                continue
            number = f"{one.event}.{now_ns}"
            connection.execute(
                alert.insert().values(
                    id=number, kind=one.kind, kiosk=one.kiosk, detail=one.detail[:400], raised_ns=one.since_ns,
                    cleared_ns=0, sent_ns=0, tries=0, trouble="" if channels else NOBODY,
                )
            )  # fmt: skip
            stands[one.event] = number
            changed += 1
            _queue(connection, number, "raised", room, now_ns)
        for event in over:
            found = stands.pop(event, None)
            if found is None:
                continue
            connection.execute(sa.update(alert).where(alert.c.id == found).values(cleared_ns=now_ns))
            changed += 1
            _queue(connection, found, "cleared", room, now_ns)
    return changed


def next_message(connection: sa.Connection, channel: str, now_ns: int) -> Message | None:
    """Return the oldest message that is due; that an alert is over waits until it was told to have begun."""
    earlier = alert_message.alias()
    first = sa.exists().where(
        earlier.c.alert == alert_message.c.alert, earlier.c.channel == channel, earlier.c.event == "raised",
        earlier.c.sent_ns == 0,
    )  # fmt: skip
    chosen = (
        sa.select(
            alert_message.c.alert, alert_message.c.event, alert_message.c.channel, alert_message.c.tries, alert.c.kind,
            alert.c.kiosk, sa.func.coalesce(kiosk.c.place, "").label("place"), alert.c.detail, alert.c.raised_ns,
            alert.c.cleared_ns,
        )
        .select_from(
            alert_message.join(alert, alert.c.id == alert_message.c.alert).outerjoin(kiosk, kiosk.c.id == alert.c.kiosk)
        )
        .where(
            alert_message.c.channel == channel, alert_message.c.sent_ns == 0, alert_message.c.due_ns <= now_ns,
            (alert_message.c.event == "raised") | ~first,
        )
        .order_by(alert_message.c.due_ns, alert_message.c.alert)
        .limit(1)
    )  # fmt: skip
    row = connection.execute(chosen).first()
    return Message(**row._asdict()) if row is not None else None


def told(engine: sa.Engine, message: Message, now_ns: int, trouble: str = "") -> None:
    """Note that a message arrived; an alert is sent when all its channels know that it began."""
    with engine.begin() as connection:
        connection.execute(_this(message).values(sent_ns=now_ns, tries=message.tries + 1))
        mine = (alert_message.c.alert == message.alert) & (alert_message.c.event == "raised")
        rest = connection.execute(
            sa.select(sa.func.count()).select_from(alert_message).where(mine, alert_message.c.sent_ns == 0)
        ).scalar_one()
        if rest == 0:
            done = sa.update(alert).where(alert.c.id == message.alert, alert.c.sent_ns == 0)
            connection.execute(done.values(sent_ns=now_ns, trouble=trouble[:200]))


def failed(engine: sa.Engine, message: Message, trouble: str, now_ns: int) -> int:
    """Note that a message did not arrive; return when it is tried again."""
    due = now_ns + min(LONGEST_NS, FIRST_NS << min(message.tries, 10))
    with engine.begin() as connection:
        connection.execute(_this(message).values(due_ns=due, tries=message.tries + 1))
        connection.execute(
            sa.update(alert).where(alert.c.id == message.alert)
            .values(tries=alert.c.tries + 1, trouble=f"{message.channel}: {trouble[:200]}")
        )  # fmt: skip
    return due


def sweep(engine: sa.Engine, now_ns: int) -> None:
    """Forget what is over and told for long."""
    with engine.begin() as connection:
        gone = sa.select(alert.c.id).where(alert.c.cleared_ns > 0, alert.c.cleared_ns < now_ns - KEPT_NS)
        waiting = sa.select(alert_message.c.alert).where(alert_message.c.sent_ns == 0)
        ids = connection.execute(gone.where(alert.c.id.not_in(waiting)).limit(1000)).scalars().all()
        connection.execute(sa.delete(alert_message).where(alert_message.c.alert.in_(ids)))
        connection.execute(sa.delete(alert).where(alert.c.id.in_(ids)))


def _queue(connection: sa.Connection, number: str, event: str, room: dict[str, int], now_ns: int) -> None:
    for channel in room:
        if room[channel] <= 0:
            full = f"{channel}: too many messages wait, this one is not told"
            connection.execute(sa.update(alert).where(alert.c.id == number).values(trouble=full))
            continue
        room[channel] -= 1
        connection.execute(
            alert_message.insert().values(
                alert=number, event=event, channel=channel, due_ns=now_ns, sent_ns=0, tries=0
            )
        )


def _waiting(connection: sa.Connection, channel: str) -> int:
    mine = (alert_message.c.channel == channel) & (alert_message.c.sent_ns == 0)
    return int(connection.execute(sa.select(sa.func.count()).select_from(alert_message).where(mine)).scalar_one())


def _this(message: Message) -> sa.Update:
    return sa.update(alert_message).where(
        alert_message.c.alert == message.alert, alert_message.c.event == message.event,
        alert_message.c.channel == message.channel,
    )  # fmt: skip
