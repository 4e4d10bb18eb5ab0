"""``kiosk hub keys``, ``kiosks``, ``enrol``, ``approve``, ``revoke``, ``rotate``: whom the hub trusts."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.options import clean, hub_option, is_terminal, json_option, tell_json, tell_table
from kiosk.errors import HubError

if TYPE_CHECKING:
    from kiosk.hub.settings import HubConfig
    from kiosk.hub.store.stores import Stores

#: Seconds that a change may take to be seen by a front that runs.
PATIENCE_S = 3.0


@contextmanager
def _office(config_file: Path) -> Iterator[tuple[HubConfig, Stores]]:
    """Open the database of a hub that was founded."""
    from kiosk.app.hubs import read_settings
    from kiosk.hub.store.stores import open_stores

    settings = read_settings(config_file)
    if not settings.hub.database and not (settings.state / "office.db").is_file():
        raise HubError(f"there is no hub in {settings.state}", hint="kiosk hub init")
    stores = open_stores(settings.state, settings.hub.database)
    try:
        yield settings, stores
    finally:
        stores.close()


def _by() -> str:
    return f"system:{getpass.getuser()}"


@click.command()
@hub_option
@json_option
def keys(config_file: Path, as_json: bool) -> None:
    """Show the hub's own keys, their fingerprints and where they answer."""
    from kiosk.hub.front.server_keys import announced_endpoint, signing_key, transport_keys
    from kiosk.sync.keys import fingerprint

    with _office(config_file) as (settings, stores), stores.office.connect() as connection:
        answering = transport_keys(connection)
        signing = signing_key(connection)
    if not answering or not signing:
        raise HubError("this hub has no keys", hint="kiosk hub init")
    told = [
        {
            "key": key.key, "state": key.state, "fingerprint": fingerprint(key.key),
            "endpoint": announced_endpoint(settings.listen, key),
        }
        for key in answering
    ]  # fmt: skip
    if as_json:
        tell_json("kiosk-hub-keys-1", {"hub": settings.hub.id, "transport": told, "signing_key": signing})
        return
    for each in told:
        click.secho(f"{each['state']} CURVE key", bold=True)
        click.echo(f"  key          {each['key']}")
        click.echo(f"  fingerprint  {each['fingerprint']}")
        click.echo(f"  answers at   {each['endpoint']}")
    click.secho("signing key", bold=True)
    click.echo(f"  Ed25519      {signing}")


@click.command()
@click.option("--all", "whole", is_flag=True, help="Also keys whose time is over.")
@hub_option
@json_option
def kiosks(whole: bool, config_file: Path, as_json: bool) -> None:
    """List the kiosks and their keys, those that wait for an approval first."""
    import sqlalchemy as sa

    from kiosk.hub.store.tables import kiosk, kiosk_key

    with _office(config_file) as (_, stores), stores.office.connect() as connection:
        held: dict[str, list[dict[str, Any]]] = {}
        for row in connection.execute(sa.select(kiosk_key).order_by(kiosk_key.c.purpose.desc(), kiosk_key.c.since_ns)):
            if whole or row.state in ("pending", "current", "next"):
                told = {name: getattr(row, name) for name in ("purpose", "key", "epoch", "state", "words")}
                held.setdefault(row.kiosk, []).append(told)
        found = [
            {
                **{name: getattr(row, name) for name in ("id", "state", "realm", "name", "place", "worker")},
                "waits": any(key["state"] == "pending" for key in held.get(row.id, ())), "keys": held.get(row.id, []),
            }
            for row in connection.execute(sa.select(kiosk).order_by(kiosk.c.id))
        ]  # fmt: skip
    found.sort(key=lambda each: not each["waits"])
    if as_json:
        tell_json("kiosk-hub-kiosks-1", {"kiosks": found})
        return
    if not found:
        click.echo("no kiosk is known: kiosk hub enrol ID makes a code for one")
        return
    tell_table(
        [(each["id"], each["state"], each["realm"], each["name"], each["place"]) for each in found],
        ("kiosk", "state", "realm", "name", "place"),
    )
    for each in found:
        for key in each["keys"]:
            words = f"  {key['words']}" if key["state"] == "pending" else ""
            click.echo(f"{each['id']}: {key['state']:<8} {key['purpose']:<9} {key['key']}{words}")


@click.command()
@click.argument("kiosk", metavar="ID")
@click.option("--realm", default="", help="live, training or demo: that of the hub's books, as without this option.")
@click.option("--name", default="", help="What people call it.")
@click.option("--place", default="", help="Where it stands.")
@hub_option
@json_option
def enrol(kiosk: str, realm: str, name: str, place: str, config_file: Path, as_json: bool) -> None:
    """Make a one-time code by which a kiosk is taken in within a day; an older code of it is good no more."""
    from kiosk.hub.front.approval import CODE_NS, make_code
    from kiosk.hub.front.server_keys import announced_endpoint, enrol_endpoint, transport_keys
    from kiosk.hub.revisions import current
    from kiosk.model.facts import REALMS
    from kiosk.sync.enrolment import write_code
    from kiosk.sync.keys import fingerprint

    now = time.time_ns()
    with _office(config_file) as (settings, stores):
        ours_only = settings.hub.realm
        if realm in REALMS and realm != ours_only:
            raise HubError(
                f"the books of this hub are of realm {ours_only}", hint=f"enrol {kiosk} at a hub of realm {realm}"
            )
        with stores.office.begin() as connection:
            answering = transport_keys(connection)
            if not answering:
                raise HubError("this hub has no keys", hint="kiosk hub init")
            code = write_code(make_code(connection, kiosk, realm or ours_only, name, place, _by(), now))
            number = current(connection, "registry")
        seen = _seen(stores, number)
    ours = answering[0]
    told: dict[str, Any] = {
        "kiosk": kiosk, "code": code, "expires_ns": now + CODE_NS, "hub_key": ours.key,
        "fingerprint": fingerprint(ours.key), "endpoint": announced_endpoint(settings.listen, ours),
        "enrol": enrol_endpoint(settings.listen), "seen_by_front": seen,
    }  # fmt: skip
    if as_json:
        tell_json("kiosk-hub-enrol-1", told)
        return
    click.echo("To the technician's configuration (kiosk.toml), by a way of its own:\n")
    click.echo(f'[[sync.hub]]\nendpoint = "{told["endpoint"]}"\nenrol = "{told["enrol"]}"')
    click.echo(f'fingerprint = "{told["fingerprint"]}"\n')
    if "//0.0.0.0:" in told["endpoint"] or "//[::]:" in told["endpoint"]:
        click.secho("Put this machine's name for the address above, or set listen.announced.\n", fg="yellow")
    click.echo("To the technician at the kiosk, good once and for 24 hours:\n")
    click.echo(f"kiosk sync enrol --hub-key='{ours.key}' --code {code}\n")
    if not seen:
        click.secho("The hub does not seem to run: start it before the technician comes.\n", fg="yellow")
    click.echo(f"Then compare the six words: kiosk hub approve {kiosk}")


@click.command()
@click.argument("kiosk", metavar="ID")
@click.option("--words", default="", help="The six words that the kiosk shows, instead of the question.")
@hub_option
@json_option
def approve(kiosk: str, words: str, config_file: Path, as_json: bool) -> None:
    """Take a kiosk in, after comparing six words with those that it shows."""
    from kiosk.hub.front import approval
    from kiosk.sync.words import same_words

    with _office(config_file) as (settings, stores):
        with stores.office.connect() as connection:
            waiting = approval.pending_words(connection, kiosk)
        if not words and not is_terminal():
            raise HubError("nobody is here to compare the words", hint="--words 'the six words that the kiosk shows'")
        if words:
            good = same_words(words, waiting)
        else:
            click.echo(f"{kiosk} waits under the words\n\n    {waiting}\n")
            good = click.confirm("Does the kiosk show the same words?", err=True)
        if not good:
            raise HubError(
                "these are other words: somebody else asked, or the kiosk has made other keys",
                hint="look at the kiosk again; if it is not the one, kiosk hub revoke it",
            )
        with stores.office.begin() as connection:
            worker = approval.approve(connection, kiosk, _by(), settings.hub.workers, time.time_ns(), waiting)
    if as_json:
        tell_json("kiosk-hub-approve-1", {"kiosk": kiosk, "words": waiting, "worker": worker})
    else:
        click.secho(f"{kiosk} is taken in; it hears of it within a minute", fg="green")


@click.command()
@click.argument("subject", metavar="ID|KEY")
@click.option("--yes", is_flag=True, help="Do not ask.")
@hub_option
@json_option
def revoke(subject: str, yes: bool, config_file: Path, as_json: bool) -> None:
    """Shut out a kiosk with all its keys, or one key, from its next message on."""
    from kiosk.hub.front import approval

    with _office(config_file) as (_, stores):
        if not yes:
            if not is_terminal():
                raise HubError("nobody is here to confirm it", hint="--yes")
            click.confirm(f"Shut out {clean(subject)} at once?", abort=True, err=True)
        with stores.office.begin() as connection:
            revoked = approval.revoke(connection, subject, _by(), time.time_ns())
        seen = _seen(stores, revoked.revision)
    if as_json:
        tell_json(
            "kiosk-hub-revoke-1", {"kiosk": revoked.kiosk, "keys": revoked.keys, "seen_by_front": seen}
        )  # fmt: skip
        return
    click.echo(f"{revoked.kiosk}: {len(revoked.keys)} keys are shut out")
    if seen:
        click.secho("the hub refuses them now, on open connections, too", fg="green")
    else:
        click.secho("the hub has not said that it knows; where it does not run, it will refuse them at its start",
                    fg="yellow")  # fmt: skip


def _seen(stores: Stores, number: int) -> bool:
    """Wait until the front goes by this revision of the registry; False where none answers."""
    from kiosk.hub.front.registry import SEEN
    from kiosk.hub.revisions import current

    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with stores.office.connect() as connection:
            if current(connection, SEEN) >= number:
                return True
        time.sleep(0.1)
    return False


@click.command()
@click.argument("subject", metavar="hub|ID")
@click.option("--port", type=click.IntRange(1, 65535), help="hub: where the next key answers, beside the current one.")
@click.option("--finish", is_flag=True, help="hub: the next key becomes the only one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@hub_option
@json_option
def rotate(subject: str, port: int | None, finish: bool, yes: bool, config_file: Path, as_json: bool) -> None:
    """Change the hub's CURVE key, in two steps months apart, or have a kiosk make itself a new one."""
    from kiosk.hub.front import server_keys
    from kiosk.sync.keys import fingerprint

    if (subject == "hub") != bool(port or finish) or (port and finish):
        raise click.UsageError("`rotate hub --port PORT` begins, `rotate hub --finish` ends; a kiosk takes neither.")
    with _office(config_file) as (settings, stores):
        if subject != "hub":
            name = _ask_kiosk(stores, subject)
            if as_json:
                tell_json("kiosk-hub-rotate-1", {"kiosk": subject, "command": name})
            else:
                click.echo(f"{subject} is asked for a new key (command {name}); the old one ends when the new is used")
            return
        if finish and not yes:
            if not is_terminal():
                raise HubError("nobody is here to confirm it", hint="--yes")
            click.echo(
                "Kiosks that were not connected since the next key was announced must be enrolled again.", err=True
            )
            click.confirm("End the current key now?", abort=True, err=True)
        with stores.office.begin() as connection:
            key = server_keys.finish_rotation(connection) if finish else None
            key = key or server_keys.begin_rotation(connection, settings, port or 0)
    told = {"key": key.key, "state": key.state, "endpoint": key.endpoint, "fingerprint": fingerprint(key.key)}
    if as_json:
        tell_json("kiosk-hub-rotate-1", {"hub": settings.hub.id, **told})
    elif finish:
        click.secho(f"the hub answers at {key.endpoint} only, with {key.key}", fg="green")
        click.echo(f"new kiosks need its fingerprint: {told['fingerprint']}")
    else:
        click.secho(f"the next key is announced and answers at {key.endpoint}", fg="green")
        click.echo("give it months: every kiosk must have been connected before --finish")


def _ask_kiosk(stores: Stores, kiosk: str) -> str:
    from kiosk.cli.hub_commands import ask

    return ask(stores, kiosk, "rotate", "", "", by=_by(), now_ns=time.time_ns())
