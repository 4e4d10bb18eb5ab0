"""``kiosk sync enrol``: make this kiosk known to a hub."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.errors import SyncError

if TYPE_CHECKING:
    from kiosk.sync.keys import TransportKey
    from kiosk.sync.messages import Enrol, Enrolment
    from kiosk.sync.settings import HubAddress

#: Exit code while the operator has not approved it yet.
PENDING = 3


class Applicant(msgspec.Struct, frozen=True):
    """What a kiosk has to say of itself."""

    kiosk: str
    realm: str
    state: Path
    hubs: tuple[HubAddress, ...]


@click.command()
@click.option(
    "--hub-key", default="", help="The hub's CURVE key as the operator gave it; known from an earlier time else."
)
@click.option("--code", default="", help="The one-time code; not needed while an enrolment is under way.")
@click.option("--new-key", is_flag=True, help="Make a new transport key, e.g. after the old one was revoked.")
@click.option(
    "--once", is_flag=True, help=f"Ask once instead of waiting for the approval; exit code {PENDING} while it waits."
)
@config_option
@json_option
def enrol(hub_key: str, code: str, new_key: bool, once: bool, config_file: Path, as_json: bool) -> None:
    """Make this kiosk known to a hub of its configuration, and wait for the operator's approval.

    Run it as the kiosk's user: it signs with the journal's key.  The hub's key must have the fingerprint that stands
    in [[sync.hub]].  Compare the six words with the operator's.
    """
    from kiosk.sync.keys import ENROLLING, approved_hub, keep_hub, take_into_use

    applicant = _applicant(config_file)
    address, hub_key = _hub(applicant, hub_key)
    key, fresh = _key(applicant.state, new_key)
    request = _request(applicant, key, hub_key, code)
    answer = _asked(address, hub_key, key, request, once=once, quiet=as_json)
    if answer.state == "approved":
        keep_hub(applicant.state, approved_hub(applicant.kiosk, address.fingerprint, hub_key, answer))
        if fresh:
            take_into_use(applicant.state, ENROLLING)
    if as_json:
        told = {"state": answer.state, "hub": answer.hub, "words": answer.words, "detail": answer.detail}
        tell_json("kiosk-sync-enrol-1", told)
    elif answer.state == "approved":
        click.secho(f"{applicant.kiosk} belongs to hub {clean(answer.hub)} now", fg="green")
    elif answer.state == "refused":
        raise SyncError(f"the hub refused it: {clean(answer.detail)}", hint="ask the operator for a new code")
    click.get_current_context().exit({"approved": 0, "pending": PENDING}.get(answer.state, 1))


def _applicant(config_file: Path) -> Applicant:
    from kiosk import config
    from kiosk.cli.places import REALM, places
    from kiosk.sync.settings import SyncSettings

    source = config.read_text(config_file)
    raw = config.table(source, str(config_file))
    section, identity = raw.get("sync", {}), raw.get("kiosk")
    if not isinstance(identity, dict) or not isinstance(identity.get("id"), str):
        raise SyncError(f"{config_file} names no kiosk.id", hint="kiosk config check tells more")
    settings = config.convert(section, str(config_file), SyncSettings, source=source)
    if not settings.hub:
        raise SyncError(f"{config_file} names no hub", hint="`kiosk hub enrol` at the hub prints the lines")
    state = places(config_file).state
    if state.is_dir() and state.stat().st_uid != os.geteuid():
        raise SyncError(
            f"{state} belongs to another user", hint="run it as that one: runuser -u kiosk -- kiosk sync enrol …"
        )
    return Applicant(identity["id"], str(identity.get("realm", REALM)), state, settings.hub)


def _hub(applicant: Applicant, hub_key: str) -> tuple[HubAddress, str]:
    """Return the hub that a key belongs to, by its fingerprint; without a key, the first one that is known."""
    from kiosk.sync.enrolment import checked_hub_key
    from kiosk.sync.keys import fingerprint, load_hubs

    if not hub_key:
        known = load_hubs(applicant.state)
        for address in applicant.hubs:
            if address.fingerprint in known:
                return address, known[address.fingerprint].server_key
        raise SyncError("the hub's key is not known yet", hint="--hub-key KEY, as `kiosk hub enrol` prints it")
    told = fingerprint(hub_key)
    for address in applicant.hubs:
        if address.fingerprint == told:
            return address, hub_key
    return applicant.hubs[0], checked_hub_key(hub_key, applicant.hubs[0].fingerprint)


def _key(state: Path, new_key: bool) -> tuple[TransportKey, bool]:
    """Return the transport key to enrol, and whether it is one that is not in use yet."""
    from kiosk.sync.keys import CURRENT, ENROLLING, TransportKey

    under_way = state / ENROLLING
    if new_key:
        under_way.unlink(missing_ok=True)
    elif under_way.exists():
        return TransportKey.load(under_way), True
    elif (state / CURRENT).exists():
        return TransportKey.load(state / CURRENT), False
    return TransportKey.create(under_way), True


def _request(applicant: Applicant, key: TransportKey, hub_key: str, code: str) -> Enrol:
    import kiosk
    from kiosk.journal.keys import SigningKey
    from kiosk.journal.reader import Reader
    from kiosk.sync.enrolment import CODE_BYTES, read_code, request_of

    # Without a code only a key is answered that the hub has already.
    secret = read_code(code) if code else bytes(CODE_BYTES)
    journal = applicant.state / f"journal-{applicant.realm}.db"
    signing = SigningKey.load(journal.with_suffix(".key"))
    with Reader(journal) as reader:
        epoch, public = max(reader.public_keys().items())
    if public != signing.public_hex:
        raise SyncError(f"{journal.with_suffix('.key')} is not the key of epoch {epoch}", hint="kiosk journal verify")
    return request_of(
        applicant.kiosk, applicant.realm, key.public, public, epoch,
        hub_key=hub_key, code=secret, sign=signing.sign, software=kiosk.__version__,
    )  # fmt: skip


def _asked(
    address: HubAddress, hub_key: str, key: TransportKey, request: Enrol, *, once: bool, quiet: bool
) -> Enrolment:
    from kiosk.sync.enrolment import ask, wait_ms
    from kiosk.sync.words import words_of

    words = words_of(request.kiosk, request.transport_key, request.journal_key)
    if not quiet:
        click.echo(f"six words of this kiosk:\n\n    {words}\n")
    told = ""
    tries = 0
    while True:
        try:
            answer = ask(address.enrol, hub_key, key, request)
            if answer.state == "pending" and answer.words != words:
                raise SyncError("the hub has other words for this kiosk", hint="do not approve it; ask for a new code")
            if once or answer.state != "pending":
                return answer
            news = "the operator has to compare the words and approve it: kiosk hub approve " + request.kiosk
        except SyncError as error:
            if once or not error.transient:
                raise
            news = f"{error.message}; it is asked again"
        if news != told and not quiet:
            click.echo(news, err=True)
        told = news
        time.sleep(wait_ms(tries, random.random()) / 1000)
        tries += 1
