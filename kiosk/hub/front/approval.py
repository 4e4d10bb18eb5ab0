"""What operators decide about kiosks: codes, approvals, revocations.  Each within a transaction of `office`."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.front.registry import NO_WORKER
from kiosk.hub.revisions import bump
from kiosk.hub.store.tables import code, kiosk, kiosk_key
from kiosk.model.facts import REALMS
from kiosk.model.ids import is_kiosk_id
from kiosk.sync.enrolment import new_code

#: How long a one-time code lives.
CODE_NS = 24 * 3600 * 1_000_000_000


class Revoked(msgspec.Struct, frozen=True):
    """What a revocation shut out."""

    kiosk: str
    keys: tuple[str, ...]
    #: Revision of `registry` from which it holds.
    revision: int


def make_code(
    connection: sa.Connection, name: str, realm: str, title: str, place: str, by: str, now_ns: int,
    lives_ns: int = CODE_NS,
) -> bytes:  # fmt: skip
    """Make a one-time code for a kiosk, new or known; codes that it had are withdrawn.

    Raises:
        HubError: the id or the realm cannot be one, or the kiosk sent keys in another realm.
    """
    if not is_kiosk_id(name):
        raise HubError(f"{name[:40]!r} cannot name a kiosk", hint="a capital letter, then 1 to 11 capitals or digits")
    if realm not in REALMS:
        raise HubError(f"{realm[:40]!r} is not a realm", hint=f"one of {', '.join(REALMS)}")
    known = connection.execute(sa.select(kiosk).where(kiosk.c.id == name)).first()
    if known is None:
        connection.execute(
            kiosk.insert().values(
                id=name, state="pending", realm=realm, name=title or name, place=place, changed_ns=now_ns,
                changed_by=by, worker=NO_WORKER,
            )
        )  # fmt: skip
    elif known.realm != realm and _has_asked(connection, name):
        raise HubError(
            f"{name} is known in realm {known.realm}", hint="a kiosk of another realm needs an id of its own"
        )
    else:
        told = {
            "realm": realm, "name": title or known.name, "place": place or known.place, "changed_ns": now_ns,
            "changed_by": by,
        }  # fmt: skip
        if known.state == "revoked":
            told["state"] = "pending"
        connection.execute(kiosk.update().where(kiosk.c.id == name).values(**told))
    connection.execute(code.delete().where(code.c.kiosk == name, code.c.used_ns == 0))
    fresh = new_code()
    connection.execute(
        code.insert().values(
            id=sha256(fresh).hexdigest()[:16], kiosk=name, secret=fresh.hex(), expires_ns=now_ns + lives_ns, used_ns=0,
            failures=0, made_by=by,
        )
    )  # fmt: skip
    bump(connection, "registry")
    return fresh


def _has_asked(connection: sa.Connection, name: str) -> bool:
    asked = sa.select(kiosk_key.c.kiosk).where(kiosk_key.c.kiosk == name).limit(1)
    return connection.execute(asked).first() is not None


def pending_words(connection: sa.Connection, name: str) -> str:
    """Return the six words under which a kiosk waits for its approval.

    Raises:
        HubError: it does not wait, or it is not known.
    """
    rows = connection.execute(
        sa.select(kiosk_key)
        .where(kiosk_key.c.kiosk == name, kiosk_key.c.state == "pending")
        .order_by(kiosk_key.c.since_ns)
    ).all()
    if rows:
        words: str = rows[-1].words
        return words
    if connection.execute(sa.select(kiosk.c.id).where(kiosk.c.id == name)).first() is None:
        raise HubError(f"{name[:40]!r} is not known", hint="kiosk hub kiosks lists them; kiosk hub enrol takes one in")
    raise HubError(f"{name} has not asked to be taken in", hint="kiosk sync enrol at the kiosk, with its code")


def approve(connection: sa.Connection, name: str, by: str, workers: int, now_ns: int, words: str = "") -> int:
    """Take a kiosk in with the keys that wait under these words; return its worker, which it keeps for ever.

    Keys that it had before are retired: they prove what they signed, and open no connection.

    Raises:
        HubError: nothing waits, or other words than these.
    """
    waiting = pending_words(connection, name)
    if words and words != waiting:
        raise HubError("the kiosk asked again with other keys in the meantime", hint="compare the words once more")
    row = connection.execute(sa.select(kiosk).where(kiosk.c.id == name)).one()
    worker: int = row.worker if row.worker != NO_WORKER else _least_loaded(connection, workers)
    mine = kiosk_key.c.kiosk == name
    # Of several requests the newest is meant: older ones that still wait are refused for good.
    fresh = sa.and_(mine, kiosk_key.c.state == "pending", kiosk_key.c.words == waiting)
    purposes = [found.purpose for found in connection.execute(sa.select(kiosk_key.c.purpose).where(fresh))]
    connection.execute(
        kiosk_key.update()
        .where(mine, kiosk_key.c.state.in_(("current", "next")), kiosk_key.c.purpose.in_(purposes))
        .values(state="retired", since_ns=now_ns)
    )
    connection.execute(kiosk_key.update().where(fresh).values(state="current", since_ns=now_ns))
    connection.execute(
        kiosk_key.update().where(mine, kiosk_key.c.state == "pending").values(state="revoked", since_ns=now_ns)
    )
    connection.execute(
        kiosk.update()
        .where(kiosk.c.id == name)
        .values(state="approved", worker=worker, changed_ns=now_ns, changed_by=by)
    )
    bump(connection, "registry")
    return worker


def _least_loaded(connection: sa.Connection, workers: int) -> int:
    loads = dict.fromkeys(range(workers), 0)
    for row in connection.execute(
        sa.select(kiosk.c.worker, sa.func.count().label("kiosks")).where(kiosk.c.worker >= 0).group_by(kiosk.c.worker)
    ):
        if row.worker in loads:
            loads[row.worker] = row.kiosks
    return min(loads, key=lambda worker: (loads[worker], worker))


def revoke(connection: sa.Connection, subject: str, by: str, now_ns: int) -> Revoked:
    """Shut out a kiosk with all its keys and codes, or one key.

    Raises:
        HubError: neither a kiosk nor a key is called so.
    """
    of_key = connection.execute(
        sa.select(kiosk_key).where(kiosk_key.c.key == subject, kiosk_key.c.state != "revoked")
    ).first()
    if of_key is not None:
        name, chosen = of_key.kiosk, kiosk_key.c.key == subject
    elif connection.execute(sa.select(kiosk.c.id).where(kiosk.c.id == subject)).first() is not None:
        name, chosen = subject, sa.and_(kiosk_key.c.kiosk == subject, kiosk_key.c.state != "retired")
        connection.execute(
            kiosk.update().where(kiosk.c.id == name).values(state="revoked", changed_ns=now_ns, changed_by=by)
        )
        connection.execute(code.delete().where(code.c.kiosk == name, code.c.used_ns == 0))
    else:
        raise HubError(f"no kiosk and no key in force is called {subject[:80]!r}", hint="kiosk hub kiosks lists both")
    chosen = sa.and_(chosen, kiosk_key.c.state != "revoked")
    keys = tuple(row.key for row in connection.execute(sa.select(kiosk_key.c.key).where(chosen)))
    connection.execute(kiosk_key.update().where(chosen).values(state="revoked", since_ns=now_ns))
    return Revoked(name, keys, bump(connection, "registry"))
