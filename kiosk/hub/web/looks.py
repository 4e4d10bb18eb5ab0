"""Who looked at what, and who did what: the access log, for auditors."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.responses import Response

from kiosk.hub.store.tables import access
from kiosk.hub.web.desk import Look

#: Rows of one page.
MOST = 100


def page(look: Look) -> Response:
    """Draw the log, the latest first."""
    asked = {"person": look.asked("person"), "act": look.asked("act")}
    before = look.asked("before", 18)
    chosen = sa.select(access).order_by(access.c.id.desc()).limit(MOST)
    if asked["person"]:
        chosen = chosen.where(access.c.operator == asked["person"])
    if asked["act"]:
        chosen = chosen.where(access.c.act == asked["act"])
    if before.isascii() and before.isdigit():
        chosen = chosen.where(access.c.id < int(before))
    with look.desk.reader.office.connect() as connection:
        rows = list(connection.execute(chosen))
        acts = sorted(connection.execute(sa.select(access.c.act).distinct()).scalars())
    return look.draw("looks.html", rows=rows, asked=asked, acts=acts, more=rows[-1].id if len(rows) == MOST else 0)
