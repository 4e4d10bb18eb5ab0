"""``kiosk people``: PINs, and whether a set of people is enough to run a kiosk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kiosk.cli.options import config_option, json_option, tell_json, tell_table
from kiosk.cli.places import people_of
from kiosk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kiosk.core.people import Person

#: Role -> how many people must hold it, and what stands still without them.
NEEDED = {
    "operate": (1, "nobody can open the operator's menu"),
    "collect": (2, "the box cannot be exchanged: that takes two people"),
    "close": (1, "nobody can make a Z closing; they come by themselves at the cut-off alone"),
    "count": (1, "nobody can count a box"),
    "admin": (1, "nobody can put a journal into service or change the realm"),
}


@click.group()
def people() -> None:
    """The people who work at the kiosk, and their PINs."""


@people.command()
@click.argument("person", default="", metavar="[ID]")
@click.option("--role", "roles", multiple=True, help="A role of the person; may be given again.")
def pin(person: str, roles: tuple[str, ...]) -> None:
    """Ask twice for a PIN and print the lines of kiosk.toml for it; the PIN itself is kept nowhere."""
    from kiosk.core.people import Person, hash_of

    told: str = click.prompt("PIN", hide_input=True, confirmation_prompt="once more", err=True)
    hashed = hash_of(told.strip())
    if person:
        checked = Person(person, roles or ("operate",), hashed)
        listed = ", ".join(f'"{role}"' for role in checked.roles)
        click.echo(f'[[people]]\nid = "{checked.id}"\nroles = [{listed}]')
    click.echo(f'pin = "{hashed}"')


@people.command("list")
@config_option
@json_option
def list_(config_file: Path, as_json: bool) -> None:
    """List the people of the configuration with their roles; never a PIN's hash."""
    found = people_of(config_file)
    if as_json:
        tell_json("kiosk-people-1", {"people": [{"id": each.id, "roles": list(each.duties)} for each in found]})
    elif found:
        tell_table([(each.id, ", ".join(each.duties)) for each in found], ("person", "may"))
    else:
        click.echo("nobody is configured: kiosk people pin ID makes the lines")


@people.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@config_option
@json_option
def check(file: Path | None, config_file: Path, as_json: bool) -> None:
    """Say what the people of FILE, else of the kiosk's configuration, lack. Exit code 1 where something is missing."""
    file = file or config_file
    if not file.is_file():
        raise ConfigError(f"there is no {file}", hint="name the kiosk's configuration: kiosk people check FILE")
    found = people_of(file)
    problems = list(_lacking(found))
    if found and file.stat().st_mode & 0o007:
        problems.append("everybody on this machine can read the PINs' hashes: chmod 640, chown root:kiosk")
    if as_json:
        tell_json("kiosk-people-check-1", {"good": not problems, "people": len(found), "problems": problems})
    else:
        for problem in problems:
            click.secho(problem, fg="yellow")
        if not problems:
            click.secho(f"{len(found)} people: every duty has its person", fg="green")
    click.get_current_context().exit(1 if problems else 0)


def _lacking(found: tuple[Person, ...]) -> Iterator[str]:
    holders = {role: {each.id for each in found if role in each.duties} for role in (*NEEDED, "audit")}
    for role, (many, told) in NEEDED.items():
        if len(holders[role]) < many:
            yield f"{role}: {told}"
    if holders["count"] and holders["count"] <= holders["collect"]:
        yield "count: whoever counts also takes the box out: every count will be recorded as an exception"
    if holders["count"] and not holders["audit"]:
        yield "audit: nobody can see or export what is sealed"
    if len(holders["count"] | holders["close"] | holders["audit"] | holders["admin"]) < 2:
        yield "count: nobody is there to sign a difference beside the counter"
    if holders["operate"] & holders["count"]:
        both = ", ".join(sorted(holders["operate"] & holders["count"]))
        yield f"count: {both} may also operate, and can learn of payments by printing slips again"
