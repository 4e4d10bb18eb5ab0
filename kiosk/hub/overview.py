"""The hub at a glance: its processes, its kiosks, how far posting is, and what is wrong.

Only reads, and takes no writer's lock.  What is wrong is said in words, the worst first.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from kiosk.errors import StoreError
from kiosk.hub.running import Parts, running_parts
from kiosk.hub.setup import HubSetup
from kiosk.hub.store import tables
from kiosk.hub.store.stores import GROUPS, Stores

_SECOND = 1_000_000_000
#: Segments that may wait for the projector before it counts as behind.
BEHIND = 500


class KioskLine(msgspec.Struct, frozen=True):
    """One kiosk."""

    kiosk: str
    name: str
    #: Of the registry: ``pending``, ``approved``, ``revoked``.
    standing: str
    realm: str
    worker: int
    #: How far its journal is here; epoch 0: nothing yet.
    epoch: int
    seq: int
    #: Seconds since it was last seen; None: never.
    silent_s: int | None
    #: What it said of itself, "" before.
    state: str
    paper: str
    software: str
    unsynced: int
    #: Seconds that its oldest fact waits; 0 where none does.
    backlog_s: int
    #: Whether keys of it wait for an approval: a kiosk that was only given a code does not.
    asks: bool


class WorkerLine(msgspec.Struct, frozen=True):
    """One worker's segments and how many of them are posted."""

    worker: int
    segments: int
    posted: int


class Overview(msgspec.Struct, frozen=True):
    """Everything at a glance."""

    hub: str
    incarnation: str
    #: None where no hub runs on this machine.
    parts: Parts | None
    workers: tuple[WorkerLine, ...]
    kiosks: tuple[KioskLine, ...]
    #: Findings that nobody has acknowledged, by severity.
    findings: dict[str, int]
    #: What is wrong, in words.
    wrong: tuple[str, ...]


def overview(setup: HubSetup, now_ns: int) -> Overview:
    """Read how the hub is.

    Raises:
        StoreError: its database cannot be read.
    """
    config = setup.config
    if not config.hub.database:
        missing = [group for group in GROUPS if not (config.state / f"{group}.db").is_file()]
        if missing:
            raise StoreError(f"there is no {missing[0]}.db in {config.state}", hint="kiosk hub init makes it")
    stores = setup.stores(readonly=tuple(GROUPS))
    try:
        incarnation = _incarnation(stores)
        workers = _workers(stores)
        kiosks = _kiosks(stores, now_ns)
        findings = _findings(stores)
    except sa.exc.SQLAlchemyError as error:
        raise StoreError(f"the hub's database cannot be read: {str(error)[:200]}", hint="kiosk hub init") from error
    finally:
        stores.close()
    parts = running_parts(config.runtime)
    wrong = (*_wrong_parts(parts), *_wrong_lines(setup, workers, kiosks, findings))
    return Overview(config.hub.id, incarnation, parts, workers, kiosks, findings, wrong)


def _incarnation(stores: Stores) -> str:
    with stores.segments.begin() as connection:
        return str(connection.execute(sa.select(tables.identity.c.incarnation)).scalar() or "")


def _workers(stores: Stores) -> tuple[WorkerLine, ...]:
    segment, cursor = tables.segment.c, tables.cursor.c
    with stores.segments.begin() as connection:
        newest = connection.execute(sa.select(segment.worker, sa.func.max(segment.number)).group_by(segment.worker))
        taken = {row[0]: row[1] for row in newest}
    with stores.books.begin() as connection:
        cursors = connection.execute(sa.select(cursor.worker, cursor.number))
        posted = {row[0]: row[1] for row in cursors}
    return tuple(WorkerLine(worker, taken[worker], posted.get(worker, 0)) for worker in sorted(taken))


def _kiosks(stores: Stores, now_ns: int) -> tuple[KioskLine, ...]:
    marks: dict[str, tuple[int, int]] = {}
    with stores.segments.begin() as connection:
        mark = tables.mark.c
        for kiosk, epoch, seq in connection.execute(sa.select(mark.kiosk, mark.epoch, mark.seq)):
            marks[kiosk] = max(marks.get(kiosk, (0, 0)), (epoch, seq))
    with stores.office.begin() as connection:
        contacts = {row.kiosk: row for row in connection.execute(sa.select(tables.contact))}
        registered = connection.execute(sa.select(tables.kiosk).order_by(tables.kiosk.c.id)).all()
        keys = tables.kiosk_key.c
        asking = set(connection.execute(sa.select(keys.kiosk).where(keys.state == "pending")).scalars())
    lines = []
    for one in registered:
        seen = contacts.get(one.id)
        epoch, seq = marks.get(one.id, (0, 0))
        waits = max(now_ns - seen.oldest_unsynced_ns, 0) // _SECOND if seen and seen.oldest_unsynced_ns else 0
        lines.append(
            KioskLine(
                one.id, one.name, one.state, one.realm, one.worker, epoch, seq,
                max(now_ns - seen.seen_ns, 0) // _SECOND if seen else None, seen.state if seen else "",
                seen.paper if seen else "", seen.software if seen else "", seen.unsynced if seen else 0, waits,
                one.id in asking,
            )
        )  # fmt: skip
    return tuple(lines)


def _findings(stores: Stores) -> dict[str, int]:
    """Count the findings of all three tables that nobody has acknowledged, by severity."""
    with stores.office.begin() as connection:
        done = set(connection.execute(sa.select(tables.acknowledged.c.finding)).scalars())
    counts: dict[str, int] = {}
    for engine, table in (
        (stores.segments, tables.ingest_finding), (stores.office, tables.peer_finding), (stores.books, tables.finding),
    ):  # fmt: skip
        with engine.begin() as connection:
            for number, severity in connection.execute(sa.select(table.c.id, table.c.severity)):
                if number not in done:
                    counts[severity] = counts.get(severity, 0) + 1
    return counts


def _wrong_parts(parts: Parts | None) -> list[str]:
    if parts is None:
        return ["the hub does not run on this machine"]
    return [
        f"{one.title} is {one.state} (ended {one.restarts} times, last with {one.last_exit})"
        for one in parts.parts
        if one.state != "running"
    ]


def _wrong_lines(
    setup: HubSetup, workers: tuple[WorkerLine, ...], kiosks: tuple[KioskLine, ...], findings: dict[str, int]
) -> list[str]:
    limits = setup.config.alerts
    wrong = [f"{count} findings are errors" for severity, count in findings.items() if severity == "error"]
    for line in kiosks:
        if line.asks:
            wrong.append(f"{line.kiosk} waits for approval")
        if line.standing != "approved":
            continue
        if line.silent_s is None:
            wrong.append(f"{line.kiosk} was never seen")
        elif line.silent_s > limits.silence_s:
            wrong.append(f"{line.kiosk} is silent for {line.silent_s} s")
        if line.backlog_s > limits.backlog_minutes * 60:
            wrong.append(f"{line.kiosk} holds facts back for {line.backlog_s // 60} min ({line.unsynced})")
        if line.state == "down":
            wrong.append(f"{line.kiosk}: its core does not answer")
    for worker in workers:
        if worker.segments - worker.posted > BEHIND:
            wrong.append(f"{worker.segments - worker.posted} segments of worker {worker.worker} are not posted")
    return wrong
