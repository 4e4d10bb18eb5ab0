"""The fleet: every kiosk at a glance, the worst first, and nothing shown as good that nobody knows.

What a kiosk told last says nothing about now: past the limit of silence its paper, stacker and devices are unknown, and
what it told is on its own page as what was known at that time.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.responses import Response

from kiosk.hub.alerts.shelf import NOBODY
from kiosk.hub.alerts.watching import WORDS
from kiosk.hub.store.tables import alert, contact, kiosk
from kiosk.hub.web.desk import Look
from kiosk.hub.web.wording import age, share, signed
from kiosk.model.instant import NS

#: From the worst to the best; each has a word and a sign, so that colour is never the only one.
SEVERITIES = {"fault": "Fault", "unknown": "Unknown", "warn": "Warning", "ok": "In service"}
#: A clock that is off by more than this is worth a look, milliseconds.
OFF_MS = 2000
#: Fill of the stacker, thousandths, from which it is worth a walk, and from which it takes no more.
NEARLY_FULL, FULL = 850, 1000

_ALARMS = {
    "cashbox_removed": "box removed without an exchange", "cashbox_unattended": "box out and nobody signed for it",
    "cashbox_unwatched": "box changed while the power was off", "exchange_abandoned": "exchange was given up",
    "payout_disputed": "coins of the change in doubt",
}  # fmt: skip


class Device(msgspec.Struct, frozen=True):
    """One device in a STATUS, as the front writes it down."""

    name: str
    device_class: str
    state: str
    #: ``ok``, ``warning``, ``error``, ``unknown``.
    severity: str
    detail: str = ""


class Clock(msgspec.Struct, frozen=True):
    """What of the clock in a STATUS the pages need."""

    trusted: bool


class Status(msgspec.Struct, frozen=True):
    """What of a STATUS stands nowhere but in its JSON."""

    at_ns: int
    reasons: tuple[str, ...]
    devices: tuple[Device, ...]
    clock: Clock
    alarms: tuple[str, ...] = ()


_reader = msgspec.json.Decoder(Status)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One kiosk as the hub sees it now."""

    id: str
    name: str
    place: str
    #: One of `SEVERITIES`.
    severity: str
    #: What is wrong, the worst first: (severity, words).
    reasons: tuple[tuple[str, str], ...]
    #: 0 where it never came.
    seen_ns: int
    silent: bool
    #: ``open``, ``closed``, ``down``; "" where nobody knows.
    state: str
    unsynced: int
    oldest_unsynced_ns: int
    #: ``plenty``, ``low``, ``out``, ``unknown``.
    paper: str
    #: -1 where nobody knows.
    stacker_permille: int
    offset_ms: int
    round_trip_ms: int
    software: str
    devices: tuple[Device, ...]
    alarms: tuple[str, ...]
    #: As it was told last, whatever it is worth.
    told: Status | None

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands in the list."""
        return list(SEVERITIES).index(self.severity), self.id


def alarm_words(alarm: str) -> str:
    """Write an alarm.

    >>> alarm_words("cashbox_removed"), alarm_words("door_open")
    ('box removed without an exchange', 'door open')
    """
    return _ALARMS.get(alarm, alarm.replace("_", " "))


def fleet(connection: sa.Connection, now_ns: int, silence_s: int, only: str = "") -> list[Seen]:
    """Return the approved kiosks, or the one that is asked for whatever its state, the worst first."""
    wanted = kiosk.c.id == only if only else kiosk.c.state == "approved"
    joined = kiosk.outerjoin(contact, kiosk.c.id == contact.c.kiosk)
    columns = [kiosk.c.id, kiosk.c.name, kiosk.c.place, *[one for one in contact.c if one.name != "kiosk"]]
    rows = connection.execute(sa.select(*columns).select_from(joined).where(wanted))
    return sorted((_seen(row, now_ns, silence_s) for row in rows), key=lambda one: one.rank)


def _seen(row: sa.Row[tuple[object, ...]], now_ns: int, silence_s: int) -> Seen:
    if row.seen_ns is None:
        return Seen(
            id=row.id, name=row.name, place=row.place, severity="unknown", seen_ns=0, silent=True, state="",
            reasons=(("unknown", "never connected"),), unsynced=0, oldest_unsynced_ns=0, paper="unknown",
            stacker_permille=-1, offset_ms=0, round_trip_ms=0, software="", devices=(), alarms=(), told=None,
        )  # fmt: skip
    told = _told(row.status)
    silent = now_ns - row.seen_ns > silence_s * NS
    reasons = [("fault", f"silent for {age(now_ns - row.seen_ns)}")] if silent else list(_reasons(row, told, now_ns))
    reasons.sort(key=lambda one: list(SEVERITIES).index(one[0]))
    return Seen(
        id=row.id, name=row.name, place=row.place, seen_ns=row.seen_ns, silent=silent, reasons=tuple(reasons),
        severity=reasons[0][0] if reasons else "ok", state="" if silent else row.state, unsynced=row.unsynced,
        oldest_unsynced_ns=row.oldest_unsynced_ns, paper="unknown" if silent else row.paper,
        stacker_permille=-1 if silent else row.stacker_permille, offset_ms=row.offset_ms,
        round_trip_ms=row.round_trip_ms, software=row.software, devices=told.devices if told and not silent else (),
        alarms=told.alarms if told and not silent else (), told=told,
    )  # fmt: skip


def _told(body: bytes) -> Status | None:
    try:
        return _reader.decode(body)
    except msgspec.DecodeError:
        return None  # the list says that its status cannot be read


def _reasons(row: sa.Row[tuple[object, ...]], told: Status | None, now_ns: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if told is None:
        found.append(("unknown", "its status cannot be read" if row.status else "has told no status yet"))
    else:
        found += [("fault", alarm_words(alarm)) for alarm in told.alarms]
        worst = {"error": "fault", "warning": "warn", "unknown": "unknown"}
        for device in told.devices:
            if device.severity in worst:
                found.append((worst[device.severity], f"{device.name}: {device.detail or device.state}"))
            elif device.severity != "ok":
                found.append(("unknown", f"{device.name}: {device.state}"))
        if not told.clock.trusted:
            found.append(("warn", "does not trust its clock"))
    match row.state:
        case "open":
            pass
        case "closed":
            why = ", ".join(told.reasons).replace("_", " ") if told and told.reasons else "no reason told"
            found.append(("fault", f"out of service: {why}"))
        case "down":
            found.append(("fault", "its core does not answer"))
        case _:
            found.append(("unknown", "nobody knows whether it is in service"))
    paper = {"plenty": None, "low": ("warn", "paper low"), "out": ("fault", "paper out")}
    if (word := paper.get(row.paper, ("unknown", "paper unknown"))) is not None:
        found.append(word)
    if row.stacker_permille < 0:
        found.append(("unknown", "stacker fill unknown"))
    elif row.stacker_permille >= NEARLY_FULL:
        full = row.stacker_permille >= FULL
        words = "stacker full" if full else f"stacker {share(row.stacker_permille)} full"
        found.append(("fault" if full else "warn", words))
    if row.unsynced and row.oldest_unsynced_ns and now_ns - row.oldest_unsynced_ns > 60 * NS:
        found.append(("warn", f"{row.unsynced} facts wait for {age(now_ns - row.oldest_unsynced_ns)}"))
    if abs(row.offset_ms) > OFF_MS:
        found.append(("warn", f"clock off by {signed(row.offset_ms)}"))
    return found


def standing_alerts(connection: sa.Connection) -> list[sa.Row[tuple[object, ...]]]:
    """Return the alerts that are not over, the newest first."""
    chosen = sa.select(alert).where(alert.c.cleared_ns == 0).order_by(alert.c.raised_ns.desc()).limit(50)
    return list(connection.execute(chosen))


def page(look: Look) -> Response:
    """Draw the fleet."""
    return look.draw("fleet.html", **_drawn(look))


def rows(look: Look) -> Response:
    """Draw what changes of it: the page asks for this by itself."""
    return look.draw("fleet-rows.html", **_drawn(look))


def _drawn(look: Look) -> dict[str, Any]:
    desk = look.desk
    with desk.reader.office.connect() as connection:
        found = fleet(connection, look.now_ns, desk.setup.config.alerts.silence_s)
        alerts = standing_alerts(connection)
        waiting = connection.execute(
            sa.select(sa.func.count()).select_from(kiosk).where(kiosk.c.state == "pending")
        ).scalar_one()
    counts = {severity: sum(one.severity == severity for one in found) for severity in SEVERITIES}
    return {
        "what": {kind: words for kind, (words, _) in WORDS.items()}, "told_to_nobody": NOBODY,
        "fleet": found, "counts": counts, "alerts": alerts, "waiting": waiting, "severities": SEVERITIES,
        "refresh_ms": desk.refresh_ms,
    }  # fmt: skip
