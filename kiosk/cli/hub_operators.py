"""``kiosk hub operators``: who may sign in to the hub's pages, and what each may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import hub_option, json_option, tell_json, tell_table
from kiosk.errors import OperatorError

if TYPE_CHECKING:
    import sqlalchemy as sa


@click.group()
def operators() -> None:
    """Who may sign in to the pages, and what each may."""


@operators.command("list")
@hub_option
@json_option
def list_(config_file: Path, as_json: bool) -> None:
    """List everybody with roles and state; never a password's hash."""
    from kiosk.hub.web.people import everybody

    now_ns = time.time_ns()
    with _office(config_file) as connection:
        found = [(one, _state(one.state, one.locked_until_ns, now_ns)) for one in everybody(connection)]
    if as_json:
        told = [{"id": one.id, "name": one.name, "roles": list(one.roles), "state": state} for one, state in found]
        tell_json("kiosk-hub-operators-1", {"operators": told})
    elif found:
        rows = [(one.id, one.name, ", ".join(one.roles), state) for one, state in found]
        tell_table(rows, ("operator", "name", "may", "state"))
    else:
        click.echo("nobody may sign in: kiosk hub operators add ID --roles view")


@operators.command()
@click.argument("operator", metavar="ID")
@click.option("--name", default="", help="What the pages call the person; the id where it is left out.")
@click.option("--roles", required=True, help="Of view, count, audit, admin, export; with commas between.")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Read the password from this file, which nobody else may read, instead of asking.")  # fmt: skip
@hub_option
def add(operator: str, name: str, roles: str, password_file: Path | None, config_file: Path) -> None:
    """Let somebody sign in. Who counts boxes (count) never holds audit or export."""
    from kiosk.hub.web import people

    wanted = people.check_roles(_split(roles))
    password = _password(operator, password_file)
    with _office(config_file) as connection:
        made = people.add(connection, operator, name, wanted, password, time.time_ns())
    click.echo(f"{made.id} may sign in: {', '.join(made.roles)}")


@operators.command()
@click.argument("operator", metavar="ID")
@click.option("--roles", required=True, help="Of view, count, audit, admin, export; with commas between.")
@hub_option
def roles(operator: str, roles: str, config_file: Path) -> None:
    """Change what somebody may; their sessions end."""
    from kiosk.hub.web import people

    with _office(config_file) as connection:
        people.change(connection, operator, time.time_ns(), roles=people.check_roles(_split(roles)))
    click.echo(f"{operator} may from now on: {roles}")


@operators.command()
@click.argument("operator", metavar="ID")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Read the password from this file, which nobody else may read, instead of asking.")  # fmt: skip
@hub_option
def password(operator: str, password_file: Path | None, config_file: Path) -> None:
    """Give somebody a new password; their sessions end and their lock opens."""
    from kiosk.hub.web import people

    told = _password(operator, password_file)
    with _office(config_file) as connection:
        people.change(connection, operator, time.time_ns(), password=told)
    click.echo(f"{operator} has a new password and is signed out everywhere")


@operators.command()
@click.argument("operator", metavar="ID")
@hub_option
def lock(operator: str, config_file: Path) -> None:
    """Lock somebody out until they are unlocked; their sessions end now."""
    from kiosk.hub.web import people

    with _office(config_file) as connection:
        people.change(connection, operator, time.time_ns(), state="locked")
    click.echo(f"{operator} is locked out")


@operators.command()
@click.argument("operator", metavar="ID")
@hub_option
def unlock(operator: str, config_file: Path) -> None:
    """Open a lock, a person's or that of wrong passwords."""
    from kiosk.hub.web import people

    with _office(config_file) as connection:
        people.change(connection, operator, time.time_ns(), state="open")
    click.echo(f"{operator} may sign in again")


@operators.command("sign-out")
@click.argument("operator", metavar="ID")
@hub_option
def sign_out(operator: str, config_file: Path) -> None:
    """End all sessions of somebody."""
    from kiosk.hub.web import people

    with _office(config_file) as connection:
        if people.find(connection, operator) is None:
            raise OperatorError(f"there is no operator {operator[:40]!r}", hint="kiosk hub operators list")
        ended = people.end_sessions(connection, operator)
    click.echo(f"{ended} session{'s' if ended != 1 else ''} of {operator} ended")


@contextmanager
def _office(config_file: Path) -> Iterator[sa.Connection]:
    """One short transaction of `office`, with its tables there."""
    from kiosk.app.hubs import load_hub
    from kiosk.hub.store.migrating import prepare

    stores = load_hub(config_file).stores()
    try:
        prepare(stores)
        with stores.office.begin() as connection:
            yield connection
    finally:
        stores.close()


def _password(operator: str, password_file: Path | None) -> str:
    if password_file is None:
        asked = f"Password of {operator}"
        told: str = click.prompt(asked, hide_input=True, confirmation_prompt="once more", err=True)
        return told
    if password_file.stat().st_mode & 0o077:
        raise OperatorError(f"others may read {password_file}", hint=f"chmod 600 {password_file}")
    return password_file.read_text("utf-8").rstrip("\r\n")


def _split(roles: str) -> list[str]:
    return [role.strip() for role in roles.split(",") if role.strip()]


def _state(state: str, locked_until_ns: int, now_ns: int) -> str:
    if state == "open" and locked_until_ns > now_ns:
        return f"open, locked for {-(-(locked_until_ns - now_ns) // 60_000_000_000)} minutes after wrong passwords"
    return state
