"""Receipts and the facts behind them: search, one receipt with its session, one fact where it lies."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from kiosk.hub.store.tables import fact, payment, quarantine, receipt
from kiosk.hub.web import evidence
from kiosk.hub.web.desk import Look, Refused
from kiosk.hub.web.fence import Fence
from kiosk.model.ids import ReceiptId, is_kiosk_id

#: Receipts that one page lists, and facts of a session that it follows.
MOST, MOST_FACTS = 100, 200
#: Facts before and after a receipt's own among which those of its session are.
REACH = 2000


def page(look: Look) -> Response:
    """Draw the search and what it found."""
    asked = {name: look.asked(name) for name in ("number", "invoice", "date", "kiosk")}
    number = asked["number"].upper() if "-" not in asked["number"] else asked["number"]
    if (whole := _whole(number)) is not None:
        return RedirectResponse(f"/receipts/{whole}", 303)
    chosen = sa.select(receipt).order_by(receipt.c.position.desc()).limit(MOST)
    if number:
        chosen = chosen.where(receipt.c.id.startswith(number, autoescape=True))
    if asked["kiosk"]:
        chosen = chosen.where(receipt.c.kiosk == asked["kiosk"].upper())
    if asked["date"]:
        chosen = chosen.where(receipt.c.business_date == asked["date"])
    if asked["invoice"]:
        mine = (payment.c.service.in_(look.services())) & (payment.c.number == asked["invoice"])
        sessions = sa.select(payment.c.session).where(mine, payment.c.session != "")
        same = sa.select(payment.c.kiosk).where(mine, payment.c.session == receipt.c.session)
        # The index finds a session's number; two kiosks may have used one, so the kiosk has to fit as well.
        chosen = chosen.where(receipt.c.session.in_(sessions), receipt.c.kiosk.in_(same))
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        rows = list(connection.execute(chosen))
        sums = _sums(connection, rows, fence)
    return look.draw("receipts.html", rows=rows, sums=sums, asked=asked, most=MOST)


def one(look: Look) -> Response:
    """Draw one receipt with the facts of its session."""
    wanted = _whole(str(look.request.path_params["receipt"]))
    if wanted is None:
        raise Refused(404, "This is not the number of a receipt.", hint="it is printed like K07-1-000412-9f3c")
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        row = connection.execute(sa.select(receipt).where(receipt.c.id == str(wanted))).first()
        if row is None:
            raise Refused(404, f"No receipt {wanted} was posted.", hint=_absent(connection, wanted))
        about = _near(fact, row) & (fact.c.session == row.session)
        if not row.session:
            about = (fact.c.kiosk == row.kiosk) & (fact.c.epoch == row.epoch) & (fact.c.seq == row.seq)
        chosen = sa.select(fact).where(about).order_by(fact.c.epoch, fact.c.seq).limit(MOST_FACTS)
        places = list(connection.execute(chosen))
        sealed = fence.seals(row.kiosk, row.position) or any(fence.seals(row.kiosk, one.position) for one in places)
        payments = [] if sealed else _payments(connection, row)
    found: list[evidence.Evidence] = []
    if not sealed:
        with look.desk.reader.segments.connect() as connection:
            found = evidence.at(connection, row.kiosk, [(one.epoch, one.seq) for one in places])
    return look.draw(
        "receipt.html", row=row, sealed=sealed, payments=payments, found=found, told=_told(look, found),
        cut=len(places) == MOST_FACTS,
    )  # fmt: skip


def place(look: Look) -> Response:
    """Draw one fact by kiosk, epoch and number, as it came in."""
    params = look.request.path_params
    name, epoch, seq = str(params["kiosk"]), int(params["epoch"]), int(params["seq"])
    if not is_kiosk_id(name) or not (0 < epoch < 2**32 and 0 < seq < 2**32):
        raise Refused(404, "There is no such place in a journal.")
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        here = (fact.c.kiosk == name) & (fact.c.epoch == epoch) & (fact.c.seq == seq)
        posted = connection.execute(sa.select(fact).where(here)).first()
        apart = (quarantine.c.kiosk == name) & (quarantine.c.epoch == epoch) & (quarantine.c.seq == seq)
        reason = connection.execute(sa.select(quarantine.c.reason).where(apart)).scalar()
        session = posted.session if posted is not None else ""
        slip = None
        if session:
            mine = (receipt.c.session == session) & (receipt.c.kiosk == name)
            slip = connection.execute(sa.select(receipt.c.id).where(mine).limit(1)).scalar()
    with look.desk.reader.segments.connect() as connection:
        found = evidence.at(connection, name, [(epoch, seq)])
    if not found:
        raise Refused(404, f"Fact {epoch}/{seq} of {name} is not here.", hint="it may not have been sent yet")
    sealed = fence.seals(name, posted.position if posted is not None else None)
    return look.draw(
        "fact.html", one=found[0], told={} if sealed else _told(look, found), sealed=sealed, posted=posted, slip=slip,
        reason=fence.words(reason or ""),
    )  # fmt: skip


def _told(look: Look, found: list[evidence.Evidence]) -> dict[int, dict[str, Any]]:
    """Return lines and entry of each fact that can be read, by its place in the list."""
    return {
        at: {"lines": evidence.lines_of(one.fact, look.words), "entry": evidence.entry_of(one.fact)}
        for at, one in enumerate(found)
        if one.fact is not None
    }


def _payments(connection: sa.Connection, row: sa.Row[Any]) -> list[sa.Row[Any]]:
    mine = _near(payment, row) & (payment.c.session == row.session) & (payment.c.session != "")
    return list(connection.execute(sa.select(payment).where(mine).order_by(payment.c.position)))


def _sums(connection: sa.Connection, rows: list[sa.Row[Any]], fence: Fence) -> dict[str, tuple[int, str] | None]:
    """Return what was applied by the session of each receipt; None where it is sealed, nothing where none was."""
    mine = [_near(payment, row) & (payment.c.session == row.session) for row in rows if row.session]
    if not mine:
        return {}
    chosen = sa.select(payment).where(sa.or_(*mine))
    applied: dict[tuple[str, str], tuple[int, str] | None] = {}
    for one in connection.execute(chosen):
        key = (one.kiosk, one.session)
        before = applied.get(key, (0, one.currency))
        sealed = fence.seals(one.kiosk, one.position) or before is None
        applied[key] = None if before is None or sealed else (before[0] + one.minor, one.currency)
    found: dict[str, tuple[int, str] | None] = {}
    for row in rows:
        if fence.seals(row.kiosk, row.position):
            found[row.id] = None
        elif (row.kiosk, row.session) in applied:
            found[row.id] = applied[(row.kiosk, row.session)]
    return found


def _near(table: sa.Table, row: sa.Row[Any]) -> sa.ColumnElement[bool]:
    """Return the places around a receipt where its session lies: a kiosk serves one citizen at a time."""
    here: sa.ColumnElement[bool] = (table.c.kiosk == row.kiosk) & (table.c.epoch == row.epoch)
    return here & table.c.seq.between(row.seq - REACH, row.seq + REACH)


def _absent(connection: sa.Connection, wanted: ReceiptId) -> str:
    mine = (receipt.c.kiosk == wanted.kiosk) & (receipt.c.epoch == wanted.epoch) & (receipt.c.number == wanted.number)
    other = connection.execute(sa.select(receipt.c.id).where(mine)).scalar()
    if other is not None:
        return f"the receipt with this number ends differently: {other}"
    latest = connection.execute(
        sa.select(sa.func.max(receipt.c.number)).where(receipt.c.kiosk == wanted.kiosk, receipt.c.epoch == wanted.epoch)
    ).scalar()
    return f"the newest of this kiosk and epoch is {latest}" if latest else "nothing of this kiosk and epoch is here"


def _whole(text: str) -> ReceiptId | None:
    head, dash, check = text.strip().rpartition("-")
    return ReceiptId.parse(head.upper() + dash + check.lower())


def read_date(text: str, otherwise: dt.date) -> dt.date:
    """Read an ISO date of a query; what is none, or lies where no kiosk ever was, becomes the other one."""
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return otherwise
    return found if 1970 < found.year < 2200 else otherwise
