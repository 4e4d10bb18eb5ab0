"""One kiosk: how it is, what it was told to do, and the forms that tell it.

A command is a row of `command`; the front signs and sends it, and the kiosk's own core obeys.  Each form carries the
id of the command that it would make, so that a double press makes one.  Nothing here moves money: a kiosk knows four
commands and none of them changes a fact.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from kiosk.hub import revisions
from kiosk.hub.store.tables import command, kiosk, mark
from kiosk.hub.web.desk import Look, Refused
from kiosk.hub.web.fleet import SEVERITIES, fleet
from kiosk.model.ids import is_kiosk_id
from kiosk.model.instant import business_date

#: Shortest words for the citizen, and the longest why and where: together what a kiosk shows, 200 characters.
SHORTEST_REASON, LONGEST_WHY, LONGEST_WHERE = 3, 120, 79
_ONCE = re.compile(r"w[0-9a-f]{20}")
_PLACE = re.compile(r"[0-9]{1,9}/[0-9]{1,10}")
#: A kiosk that was out of service this long has not been told; more than this many waiting commands make no sense.
MOST_WAITING = 20

#: State of a command -> its words; the same words in the table and beside the button.
STATES = {
    "waiting": "waiting until the kiosk is there", "sent": "sent, the kiosk has not answered", "done": "done",
    "refused": "refused by the kiosk", "withdrawn": "withdrawn",
}  # fmt: skip


def page(look: Look) -> Response:
    """Draw one kiosk."""
    name = _kiosk(look)
    desk = look.desk
    with desk.reader.office.connect() as connection:
        found = fleet(connection, look.now_ns, desk.setup.config.alerts.silence_s, name)
        if not found:
            raise Refused(404, f"There is no kiosk {name}.")
        row = connection.execute(sa.select(kiosk).where(kiosk.c.id == name)).one()
        chosen = sa.select(command).where(command.c.kiosk == name).order_by(command.c.asked_ns.desc()).limit(20)
        commands = list(connection.execute(chosen))
    with desk.reader.segments.connect() as connection:
        marks = list(connection.execute(sa.select(mark).where(mark.c.kiosk == name).order_by(mark.c.epoch)))
    return look.draw(
        "kiosk.html", one=found[0], row=row, commands=commands, marks=marks, severities=SEVERITIES, states=STATES,
        over=_today(look) - dt.timedelta(days=1), once="w" + secrets.token_hex(10),
        may_command=look.person.may("admin"),
    )  # fmt: skip


def order(look: Look) -> Response:
    """Take a command for one kiosk."""
    name = _kiosk(look)
    wanted = look.given("command")
    once = look.given("once")
    if not _ONCE.fullmatch(once):
        raise Refused(400, "This form is not whole.", hint="open the page again")
    argument, reason = _checked(look, wanted)
    with look.desk.writer.office.begin() as connection:
        state = connection.execute(sa.select(kiosk.c.state).where(kiosk.c.id == name)).scalar()
        if state != "approved":
            raise Refused(409, f"{name} is not taken in, so it takes no command.")
        waiting = connection.execute(
            sa.select(sa.func.count()).select_from(command).where(command.c.kiosk == name, command.c.state == "waiting")
        ).scalar_one()
        if waiting >= MOST_WAITING:
            raise Refused(409, f"{waiting} commands wait for {name} already.", hint="it has to come back first")
        if connection.execute(sa.select(command.c.id).where(command.c.id == once)).first() is None:
            connection.execute(
                command.insert().values(
                    id=once, kiosk=name, command=wanted, argument=argument, reason=reason, asked_by=look.person.id,
                    asked_ns=look.now_ns, state="waiting", answer="", answered_ns=0,
                )
            )  # fmt: skip
            revisions.bump(connection, "commands")
    look.record("command", f"{name} {wanted} {argument}".strip())
    return RedirectResponse(f"/kiosks/{name}#commands", 303)


def _checked(look: Look, wanted: str) -> tuple[str, str]:
    """Return argument and reason of a command."""
    match wanted:
        case "shutter":
            argument = look.given("argument")
            if argument not in ("open", "closed"):
                raise Refused(400, "A counter is opened or closed.")
            why, elsewhere = look.given("reason", LONGEST_WHY), look.given("elsewhere", LONGEST_WHERE)
            reason = f"{why} {elsewhere}".strip()
            if argument == "closed" and (len(why) < SHORTEST_REASON or len(elsewhere) < SHORTEST_REASON):
                raise Refused(400, "Citizens are told why, and where else they can pay.", hint="fill in both fields")
            return argument, reason if argument == "closed" else ""
        case "close":
            try:
                day = dt.date.fromisoformat(look.given("argument"))
            except ValueError:
                raise Refused(400, "A business date is written like 2026-11-22.") from None
            if day >= _today(look):
                raise Refused(400, f"{day} is not over.", hint="a kiosk closes dates that are over")
            return day.isoformat(), ""
        case "resend":
            place = look.given("argument")
            if not _PLACE.fullmatch(place):
                raise Refused(400, "A place in a journal is written EPOCH/SEQ, for example 1/412.")
            return place, ""
        case _:
            raise Refused(400, "There is no such command.")


def _today(look: Look) -> dt.date:
    return business_date(look.words.local(look.now_ns), dt.time.fromisoformat(look.desk.setup.cut_off))


def _kiosk(look: Look) -> str:
    name = str(look.request.path_params["kiosk"])
    if not is_kiosk_id(name):
        raise Refused(404, "There is no such kiosk.")
    return name
