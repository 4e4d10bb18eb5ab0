"""Sessions of the pages: who is signed in, until when, and the token that each of their forms carries.

The table holds the SHA-256 of a cookie, never the cookie, so that whoever reads the database cannot become anybody.
A session ends by signing out, after the idle time, after `LONGEST_NS`, and with every change of the person; roles are
read anew for each request.  What a page asks by itself (the fleet's refresh) does not count as a sign of life.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

import msgspec
import sqlalchemy as sa

from kiosk.hub.store.tables import web_session
from kiosk.hub.web.people import Person, find
from kiosk.model.instant import NS

#: However busy: after a working day a person signs in again.
LONGEST_NS = 12 * 3600 * NS
#: A sign of life is written down at most this often.
_SPARE_NS = 20 * NS


class Session(msgspec.Struct, frozen=True):
    """A signed-in person, as one request sees them."""

    id: str
    csrf: str
    person: Person

    def knows(self, token: str) -> bool:
        """Tell whether a form carried this session's token."""
        return hmac.compare_digest(token.encode(), self.csrf.encode())


def begin(engine: sa.Engine, person: Person, now_ns: int, idle_ns: int) -> str:
    """Sign a person in; return the cookie.  Sessions that ended are swept away on the way."""
    cookie = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        ended = (web_session.c.seen_ns < now_ns - idle_ns) | (web_session.c.made_ns < now_ns - LONGEST_NS)
        connection.execute(sa.delete(web_session).where(ended))
        connection.execute(
            web_session.insert().values(
                id=_id(cookie), operator=person.id, csrf=secrets.token_urlsafe(24), made_ns=now_ns, seen_ns=now_ns
            )
        )
    return cookie


def resume(
    reader: sa.Engine, writer: sa.Engine, cookie: str, now_ns: int, idle_ns: int, *, alive: bool = True
) -> Session | None:
    """Return the session of a cookie; None where there is none any more."""
    with reader.connect() as connection:
        row = connection.execute(sa.select(web_session).where(web_session.c.id == _id(cookie))).first()
        person = find(connection, row.operator) if row is not None else None
    if row is None or person is None or person.state != "open":
        return None
    # A clock that was set back must not make a session endless.
    if not 0 <= now_ns - row.made_ns < LONGEST_NS or now_ns - row.seen_ns >= idle_ns:
        return None
    if alive and now_ns - row.seen_ns > _SPARE_NS:
        with writer.begin() as connection:
            connection.execute(sa.update(web_session).where(web_session.c.id == row.id).values(seen_ns=now_ns))
    return Session(row.id, row.csrf, person)


def end(writer: sa.Engine, session: Session) -> None:
    """Sign out."""
    with writer.begin() as connection:
        connection.execute(sa.delete(web_session).where(web_session.c.id == session.id))


def _id(cookie: str) -> str:
    return sha256(b"kiosk-hub-session-v1\0" + cookie.encode()).hexdigest()
