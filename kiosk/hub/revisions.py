"""Numbers that grow with every change of a subject, so that a process that waits for news reads one row.

Subjects: ``registry`` (kiosks, keys, codes), ``invoices``, ``documents``, ``commands``.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from kiosk.hub.store.tables import revision


def bump(connection: sa.Connection, subject: str) -> int:
    """Count a change of the subject within the running transaction of `office`; return its number."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(revision)
    changed = insert.values(subject=subject, number=1).on_conflict_do_update(
        index_elements=["subject"], set_={"number": revision.c.number + 1}
    )
    return int(connection.execute(changed.returning(revision.c.number)).scalar_one())


def current(connection: sa.Connection, subject: str) -> int:
    """Return the number of the subject's last change; 0 where nothing ever changed."""
    return connection.execute(sa.select(revision.c.number).where(revision.c.subject == subject)).scalar() or 0
