"""Taking kiosks in and shutting them out: the operator compares six words with the technician at the kiosk."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from kiosk.hub.front import approval
from kiosk.hub.store.tables import kiosk, kiosk_key
from kiosk.hub.web.desk import Look, Refused
from kiosk.model.ids import is_kiosk_id

#: Rows that the page lists.
MOST = 500
SHORTEST_REASON = 4


def page(look: Look) -> Response:
    """Draw who waits, and who is known."""
    with look.desk.reader.office.connect() as connection:
        asked = sa.select(kiosk_key.c.kiosk, kiosk_key.c.words, kiosk_key.c.since_ns, kiosk.c.realm)
        waiting = connection.execute(
            asked.select_from(kiosk_key.join(kiosk, kiosk.c.id == kiosk_key.c.kiosk))
            .where(kiosk_key.c.purpose == "transport", kiosk_key.c.state == "pending")
            .order_by(kiosk_key.c.since_ns)
            .limit(MOST)
        )
        # Of several requests of one kiosk the newest is meant.
        pending = {row.kiosk: row for row in waiting}
        known = list(connection.execute(sa.select(kiosk).order_by(kiosk.c.id).limit(MOST)))
    return look.draw("enrolment.html", pending=list(pending.values()), known=known, shortest=SHORTEST_REASON)


def approve_one(look: Look) -> Response:
    """Take a kiosk in under the words that were on the page."""
    name, words = _kiosk(look), look.given("words", 200)
    if look.given("compared") != "yes" or not words:
        raise Refused(400, "Compare the six words first.", hint="the technician reads them from the kiosk")
    with look.desk.writer.office.begin() as connection:
        workers = look.desk.setup.config.hub.workers
        approval.approve(connection, name, look.person.id, workers, look.now_ns, words)
    look.record("approved", f"{name} under {words}")
    return RedirectResponse("/enrolment", 303)


def revoke_one(look: Look) -> Response:
    """Shut a kiosk out with all its keys, from its next message on."""
    name, reason = _kiosk(look), look.given("reason")
    if len(reason) < SHORTEST_REASON:
        raise Refused(400, "Say why, in a few words.", hint="it stays in the access log")
    look.record("revoked", f"{name}: {reason}")
    with look.desk.writer.office.begin() as connection:
        approval.revoke(connection, name, look.person.id, look.now_ns)
    return RedirectResponse("/enrolment", 303)


def _kiosk(look: Look) -> str:
    name = look.given("kiosk")
    if not is_kiosk_id(name):
        raise Refused(404, "There is no such kiosk.")
    return name
