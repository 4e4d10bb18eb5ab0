"""``kiosk hub command``: shutter, close, resend or rotate at a kiosk, and what became of it."""

from __future__ import annotations

import datetime as dt
import getpass
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.options import clean, hub_option, json_option, tell_json, tell_table
from kiosk.errors import HubError

if TYPE_CHECKING:
    from kiosk.hub.store.stores import Stores

#: What a kiosk can be told, with the argument that each takes.
ARGUMENTS = {"shutter": "closed or open", "close": "a business date", "resend": "EPOCH/SEQ", "rotate": ""}
#: Words for the citizen: why and where else to pay, letters; a kiosk takes 400 in all.
SHORTEST_REASON, LONGEST_REASON = 3, 399
#: Commands that are listed.
LISTED = 50
#: Seconds between two looks at a command that waits.
LOOK_S = 0.2
#: Exit code while the kiosk has not done it yet.
WAITS = 3

_STATES = {
    "waiting": "waits to be sent, as soon as the kiosk is connected", "sent": "sent, not done yet", "done": "done",
    "refused": "refused by the kiosk", "withdrawn": "withdrawn",
}  # fmt: skip
_PLACE = re.compile(r"[0-9]{1,10}/[0-9]{1,10}")


@click.command()
@click.argument("kiosk", required=False)
@click.argument("what", required=False, type=click.Choice([*ARGUMENTS, "withdraw"]))
@click.argument("argument", required=False, default="")
@click.option("--reason", default="", help="shutter closed: why, as citizens read it, in the city's language.")
@click.option("--elsewhere", default="", help="shutter closed: the nearest place where they can pay.")
@click.option("--list", "listing", is_flag=True, help="List the last commands, of one kiosk or of all.")
@click.option("--wait", "patience_s", type=click.FloatRange(0, 86_400), default=20, show_default=True,
              help="Seconds to wait for the kiosk's answer.")  # fmt: skip
@hub_option
@json_option
def command(
    kiosk: str | None, what: str | None, argument: str, reason: str, elsewhere: str, listing: bool, patience_s: float,
    config_file: Path, as_json: bool,
) -> None:  # fmt: skip
    """Tell KIOSK one of the four things a hub can ask of it, and wait for its answer.

    \b
    shutter closed|open   no new payments (one that has begun is finished first), or payments again
    close DATE            the Z closing of a business date that is over
    resend EPOCH/SEQ      send the journal again from there
    rotate                take a new transport key
    withdraw ID           take a command back that has not been sent

    Exit code 1 where the kiosk refuses, 3 where it has not answered yet: the command then waits for it.
    """
    from kiosk.app.hubs import load_hub

    stores = load_hub(config_file).stores()
    try:
        if listing:
            _tell_list(stores, kiosk or "", as_json)
            return
        if not kiosk or not what:
            raise click.UsageError("Which kiosk, and what? `kiosk hub command K07 shutter closed --reason …`")
        if what == "withdraw":
            name = withdraw(stores, kiosk, argument)
        else:
            checked = check(what, argument, reason, elsewhere)
            name = ask(stores, kiosk, what, *checked, by=f"system:{getpass.getuser()}", now_ns=time.time_ns())
            _wait(stores, name, patience_s, quiet=as_json)
        row = _row(stores, name)
    finally:
        stores.close()
    _tell(row, as_json)
    click.get_current_context().exit({"refused": 1, "waiting": WAITS, "sent": WAITS}.get(row["state"], 0))


def check(what: str, argument: str, reason: str, elsewhere: str) -> tuple[str, str]:
    """Return argument and words of a command.

    Raises:
        HubError: the kiosk would refuse it.
    """
    words = " ".join(part for part in (reason.strip(), elsewhere.strip()) if part)
    closing = what == "shutter" and argument == "closed"
    if words and not closing:
        raise HubError("only a shutter that closes says something to citizens", hint="leave --reason out")
    if closing and min(len(reason.strip()), len(elsewhere.strip())) < SHORTEST_REASON:
        raise HubError(
            "citizens are told why, and where else they can pay",
            hint=f"give --reason and --elsewhere, each of {SHORTEST_REASON} letters or more",
        )
    if len(words) > LONGEST_REASON or not words.isprintable():
        raise HubError(f"the words stand on a screen: one line of at most {LONGEST_REASON} letters")
    good = {
        "shutter": argument in ("closed", "open"), "close": _is_date(argument),
        "resend": bool(_PLACE.fullmatch(argument)), "rotate": not argument,
    }  # fmt: skip
    if not good[what]:
        wanted = ARGUMENTS[what] or "nothing more"
        raise HubError(f"{what} needs {wanted}, not {argument[:40]!r}", hint="kiosk hub command --help")
    return argument, words


def _is_date(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def ask(stores: Stores, kiosk: str, what: str, argument: str, words: str, *, by: str, now_ns: int) -> str:
    """Put a command into the table, from where the front sends it; return its id.

    Raises:
        HubError: there is no such kiosk, or it is not taken in.
    """
    import sqlalchemy as sa

    from kiosk.hub.revisions import bump
    from kiosk.hub.store import tables

    name = f"c{secrets.token_hex(10)}"
    with stores.office.begin() as connection:
        state = connection.execute(sa.select(tables.kiosk.c.state).where(tables.kiosk.c.id == kiosk)).scalar()
        if state != "approved":
            known = "is " + str(state) if state else "is not known"
            raise HubError(f"kiosk {kiosk[:20]!r} {known} here", hint="kiosk hub kiosks lists them")
        connection.execute(
            tables.command.insert().values(
                id=name, kiosk=kiosk, command=what, argument=argument, reason=words, asked_by=by[:64], asked_ns=now_ns,
                state="waiting", answer="", answered_ns=0,
            )
        )  # fmt: skip
        bump(connection, "commands")
    return name


def withdraw(stores: Stores, kiosk: str, name: str) -> str:
    """Take a command back that has not been sent; return its id.

    Raises:
        HubError: there is none, or it is on its way: the kiosk may have done it.
    """
    import sqlalchemy as sa

    from kiosk.hub.revisions import bump
    from kiosk.hub.store import tables

    found = sa.and_(tables.command.c.id == name, tables.command.c.kiosk == kiosk)
    with stores.office.begin() as connection:
        state = connection.execute(sa.select(tables.command.c.state).where(found)).scalar()
        if state is None:
            raise HubError(f"there is no command {name[:64]!r} for {kiosk[:20]}", hint="--list names them")
        if state != "waiting":
            raise HubError(f"the command is {state} and cannot be taken back", hint="give the opposite one")
        connection.execute(tables.command.update().where(found).values(state="withdrawn"))
        bump(connection, "commands")
    return name


def _wait(stores: Stores, name: str, patience_s: float, *, quiet: bool) -> None:
    """Wait for the kiosk's answer, telling each change."""
    end, told = time.monotonic() + patience_s, ""
    while True:
        row = _row(stores, name)
        if row["state"] not in ("waiting", "sent"):
            return
        words = row["answer"] or _STATES[row["state"]]
        if words != told and not quiet:
            click.echo(f"… {row['kiosk']}: {clean(words)}", err=True)
            told = words
        if time.monotonic() >= end:
            return
        time.sleep(LOOK_S)


def _row(stores: Stores, name: str) -> dict[str, Any]:
    import sqlalchemy as sa

    from kiosk.hub.store import tables

    with stores.office.connect() as connection:
        return dict(connection.execute(sa.select(tables.command).where(tables.command.c.id == name)).one()._mapping)


def _tell(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        tell_json("kiosk-hub-command-1", row)
        return
    answer = f" ({clean(row['answer'])})" if row["answer"] else ""
    click.echo(f"{row['kiosk']} {row['command']} {row['argument']}".rstrip() + f": {_STATES[row['state']]}{answer}")
    if row["state"] in ("waiting", "sent"):
        click.echo(f"It stands as {row['id']} and is done as soon as the kiosk can; `kiosk hub command --list` tells.")


def _tell_list(stores: Stores, kiosk: str, as_json: bool) -> None:
    rows = _listed(stores, kiosk)
    if as_json:
        tell_json("kiosk-hub-commands-1", {"commands": rows})
        return
    tell_table(
        [
            (row["id"], row["kiosk"], f"{row['command']} {row['argument']}".rstrip(), row["asked_by"],
             _local(row["asked_ns"]), row["state"], row["answer"])
            for row in rows
        ],
        ("id", "kiosk", "command", "by", "asked", "state", "answer"),
    )  # fmt: skip


def _listed(stores: Stores, kiosk: str) -> list[dict[str, Any]]:
    import sqlalchemy as sa

    from kiosk.hub.store.tables import command as table

    chosen: sa.Select[Any] = sa.select(table).order_by(table.c.asked_ns.desc()).limit(LISTED)
    if kiosk:
        chosen = chosen.where(table.c.kiosk == kiosk)
    with stores.office.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(chosen)]


def _local(wall_ns: int) -> str:
    return dt.datetime.fromtimestamp(wall_ns // 1_000_000_000, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
