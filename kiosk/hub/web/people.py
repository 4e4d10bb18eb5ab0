"""The people who may sign in to the hub's pages: ids, roles, passwords, and the lock after wrong ones.

A password is kept as an argon2id hash alone (OWASP's second choice, 19 MiB and two passes, as for a kiosk's PINs).
Judging costs the same whatever is wrong: for an id that is nobody's, a hash that fits no password is tried, and the
answer is the same.  Wrong passwords in a row are counted in the table, so that a restart forgives nothing.

Who counts boxes must not learn what is expected in them, so `count` never stands together with `audit` or `export`, and
every page treats whoever holds it as a counter, whatever else they hold (`web.fence`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from threading import BoundedSemaphore

import msgspec
import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from kiosk.errors import HubError, OperatorError
from kiosk.hub.store.tables import operator, web_session
from kiosk.model.instant import NS

#: Role -> what it may, in the words of `kiosk hub operators`.
ROLES = {
    "view": "looks at the fleet, findings, days, receipts and invoices",
    "count": "the same, without anything that tells what an uncounted box should hold",
    "audit": "looks at everything, acknowledges findings, and sees who looked at what",
    "admin": "commands kiosks, takes them in and shuts them out",
    "export": "looks at the days and exports them",
}
#: Roles that would tell a counter what to find.
APART = ("audit", "export")

#: Wrong passwords in a row that lock a person out, and for how long.
MOST_FAILURES, LOCK_NS = 5, 15 * 60 * NS
SHORTEST, LONGEST = 12, 256
#: Hashes worked out at the same time: each takes 19 MiB, and a flood of sign-ins must not take the machine.
_AT_ONCE = BoundedSemaphore(2)
PATIENCE_S = 5

_ID = re.compile(r"[a-z][a-z0-9_-]{1,15}")
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
#: A hash of the same cost that no password fits: of random bytes that nobody kept.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$l3jxAxcAF7XV981DMop7vQ$8QayNLyQqkIeYLRlukzlJecYedLq8EP7WaTNC/6Ayg8"


class Person(msgspec.Struct, frozen=True):
    """Somebody who may sign in."""

    id: str
    #: What the pages call them; "" for the id.
    name: str
    roles: tuple[str, ...]
    #: ``open`` or ``locked`` (by a person, until a person unlocks).
    state: str
    #: Wrong passwords in a row, and until when they lock, nanoseconds since 1970; 0 for not at all.
    failures: int = 0
    locked_until_ns: int = 0

    def may(self, *roles: str) -> bool:
        """Tell whether the person holds one of these roles."""
        return any(role in self.roles for role in roles)


def check_roles(roles: Iterable[str]) -> tuple[str, ...]:
    """Return the roles in the order of the table.

    Raises:
        OperatorError: one is not known, or two of them must lie with two people.
    """
    asked = set(roles)
    if unknown := sorted(asked - set(ROLES)):
        raise OperatorError(f"there is no role {unknown[0][:40]!r}", hint=f"of {', '.join(ROLES)}")
    if not asked:
        raise OperatorError("a person without a role may do nothing", hint=f"--roles {','.join(ROLES)}")
    if "count" in asked and asked & set(APART):
        raise OperatorError(
            f"count and {' and '.join(sorted(asked & set(APART)))} lie with two people",
            hint="who counts a box must not see what is expected in it",
        )
    return tuple(role for role in ROLES if role in asked)


def hash_of(password: str) -> str:
    """Return the hash that is stored.

    Raises:
        OperatorError: the password is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise OperatorError("this cannot be a password", hint=f"{SHORTEST} to {LONGEST} characters")
    return _hasher.hash(password)


def add(connection: sa.Connection, person: str, name: str, roles: Iterable[str], password: str, now_ns: int) -> Person:
    """Write a new person within the running transaction of `office`.

    Raises:
        OperatorError: id, roles or password cannot be used, or the id is taken.
    """
    if not _ID.fullmatch(person):
        raise OperatorError(f"{person[:40]!r} cannot be a person's id", hint="e.g. o01: small letters, digits, _ and -")
    if find(connection, person) is not None:
        raise OperatorError(f"{person} is there already", hint=f"kiosk hub operators password {person}")
    made = Person(person, name[:80], check_roles(roles), "open")
    connection.execute(
        operator.insert().values(
            id=person, name=made.name, password=hash_of(password), roles=",".join(made.roles), state="open",
            failures=0, locked_until_ns=0, changed_ns=now_ns,
        )
    )  # fmt: skip
    return made


def change(
    connection: sa.Connection, person: str, now_ns: int, *, password: str = "", roles: Iterable[str] = (),
    state: str = "",
) -> None:  # fmt: skip
    """Change what is given; every session of the person ends.

    Raises:
        OperatorError: there is no such person, or the value cannot be used.
    """
    values: dict[str, object] = {"changed_ns": now_ns}
    if password:
        values |= {"password": hash_of(password), "failures": 0, "locked_until_ns": 0}
    if roles:
        values["roles"] = ",".join(check_roles(roles))
    if state:
        values |= {"state": state, "failures": 0, "locked_until_ns": 0}
    if not connection.execute(sa.update(operator).where(operator.c.id == person).values(values)).rowcount:
        raise OperatorError(f"there is no operator {person[:40]!r}", hint="kiosk hub operators list")
    end_sessions(connection, person)


def end_sessions(connection: sa.Connection, person: str) -> int:
    """Sign a person out everywhere; return of how many sessions."""
    return int(connection.execute(sa.delete(web_session).where(web_session.c.operator == person)).rowcount)


def find(connection: sa.Connection, person: str) -> Person | None:
    """Return a person by id."""
    row = connection.execute(sa.select(operator).where(operator.c.id == person)).first()
    return _person(row) if row is not None else None


def everybody(connection: sa.Connection) -> list[Person]:
    """Return all people by id."""
    return [_person(row) for row in connection.execute(sa.select(operator).order_by(operator.c.id))]


def judge(engine: sa.Engine, person: str, password: str, now_ns: int) -> tuple[Person | None, str]:
    """Tell who signs in with this password; else None and why, for the access log alone.

    Raises:
        HubError: too many sign-ins are judged at the same time.
    """
    with engine.connect() as connection:
        row = connection.execute(sa.select(operator).where(operator.c.id == person)).first()
    fits = _fits(row.password if row is not None else _NOBODY, password)
    with engine.begin() as connection:
        # Read again: other sign-ins were judged in the meantime.
        found = find(connection, person)
        if row is None or found is None:
            return None, "nobody"
        if found.state != "open" or found.locked_until_ns > now_ns:
            return None, "locked"
        changed = sa.update(operator).where(operator.c.id == person)
        if not fits:
            failures = found.failures + 1
            until = now_ns + LOCK_NS if failures % MOST_FAILURES == 0 else 0
            connection.execute(changed.values(failures=failures, locked_until_ns=until))
            return None, "locked out" if until else "wrong password"
        connection.execute(changed.values(failures=0, locked_until_ns=0))
        return found, ""


def _fits(hashed: str, password: str) -> bool:
    if not _AT_ONCE.acquire(timeout=PATIENCE_S):
        raise HubError("too many people sign in at this moment", hint="try again in a moment", transient=True)
    try:
        return _hasher.verify(hashed, password[: LONGEST + 1])
    except (Argon2Error, InvalidHashError):
        return False
    finally:
        _AT_ONCE.release()


def _person(row: sa.Row[tuple[object, ...]]) -> Person:
    return Person(
        row.id, row.name, tuple(filter(None, row.roles.split(","))), row.state, row.failures, row.locked_until_ns
    )
