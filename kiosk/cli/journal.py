"""``kiosk journal``: verify, show and export what was committed.  Reads only, also while the kiosk runs."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.blindness import person_options
from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.cli.places import journal_of, journal_option, limits_of

if TYPE_CHECKING:
    from kiosk.cli.blindness import Counted
    from kiosk.journal.reader import Reader
    from kiosk.model.facts import Committed


@click.group()
def journal() -> None:
    """Verify, show or export the journal."""


@journal.command()
@config_option
@journal_option
@click.option(
    "--witness", "witnesses", multiple=True, metavar="[EPOCH/]SEQ:HASH",
    help="A head that was kept outside, e.g. the last line of a receipt; may be given again.",
)  # fmt: skip
@click.option(
    "--keys", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The city's published keys; without them the journal's own word is taken for its keys.",
)  # fmt: skip
@person_options
@json_option
def verify(
    config_file: Path, journal_file: Path | None, witnesses: tuple[str, ...], keys: Path | None, person: str,
    pin_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Walk the whole chain, check every signature and rebuild every balance.

    Where somebody may count boxes, balances and amounts are for an auditor alone: --person.
    """
    import msgspec

    from kiosk.cli.blindness import may_see, without_amounts
    from kiosk.journal.reader import Reader
    from kiosk.journal.receipt_seal import load_keys
    from kiosk.journal.verify import Witness, examine
    from kiosk.model.money import Money

    outside = []
    for told in witnesses:
        witness = Witness.parse(":".join(told.split()))  # as on paper, "1/16 d87f…", or with a colon
        if witness is None:
            raise click.BadParameter(f"{told[:80]!r} is not SEQ:HASH or EPOCH/SEQ:HASH", param_hint="--witness")
        outside.append(witness)
    path = journal_of(config_file, journal_file)
    with Reader(path) as reader:
        kiosk, realm = _identity(reader)
        listed = load_keys(keys).values() if keys else ()
        ours = {key.public_key for key in listed if not key.revoked and (key.kiosk, key.realm) == (kiosk, realm)}
        published = ours if keys else None
        found = examine(
            reader, published_keys=published, witnesses=outside, check_entry=_ledger(), limits=limits_of(config_file)
        )
    open_ = may_see(config_file, person, pin_file, "journal", "verify")
    if not open_:
        plain = [without_amounts(finding) for finding in found.findings]
        found = msgspec.structs.replace(found, findings=plain, balances=[])
    if as_json:
        head = {"journal": str(path), "sound": found.sound, "realm": realm, "specimen": realm != "live"}
        tell_json("kiosk-journal-verify-1", {**head, **msgspec.to_builtins(found)})
    else:
        if realm != "live":
            click.secho(f"SPECIMEN: a journal of the realm {realm or 'unknown'}, no real money", fg="yellow")
        for finding in found.findings:
            click.secho(clean(str(finding)), fg="red" if finding.severity == "error" else "yellow")
        for account, currency, minor in found.balances:
            click.echo(f"  {account:<28} {Money(minor, currency)}")
        if not open_:
            click.echo("balances were held against the entries, and are told to an auditor alone: --person ID")
        click.echo(f"{found.facts} facts, {found.receipts} slips, head {found.epoch}/{found.seq}:{found.head[:16]}")
        if found.sound:
            click.secho(f"{path} is sound", fg="green")
        else:
            click.secho(f"{path} is NOT sound: keep it as evidence", fg="red")
    click.get_current_context().exit(0 if found.sound else 1)


def _identity(reader: Reader) -> tuple[str, str]:
    """Return kiosk and realm of the first fact that can be read, "" where none can."""
    from kiosk.errors import JournalError

    try:
        for first in reader.read(limit=1):
            return first.fact.kiosk, first.fact.realm
    except JournalError:
        pass  # the walk over the whole journal tells of it
    return "", ""


def _ledger() -> Any:
    """Return the ledger's own check of an entry: it balances, whatever the chart was then."""
    from kiosk.ledger.entries import check

    return lambda entry: check(entry)


@journal.command()
@config_option
@journal_option
@click.option("--after", type=click.IntRange(0), default=0, help="Begin behind this fact.")
@click.option("--epoch", type=click.IntRange(0), default=0, help="Of this epoch (with --after).")
@click.option("--session", default="", help="Only facts of this session.")
@click.option("--kind", default="", help="Only facts of this kind, e.g. note_credited.")
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="At most so many; the last 50 where nothing is asked."
)
@person_options
@json_option
def show(
    config_file: Path, journal_file: Path | None, after: int, epoch: int, session: str, kind: str, limit: int | None,
    person: str, pin_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Show facts in plain words or as JSON.

    Where somebody may count boxes, the amounts of boxes that were not counted are for an auditor alone: --person.
    """
    from kiosk.cli.blindness import Counted, may_see
    from kiosk.journal.reader import Reader

    whole = may_see(config_file, person, pin_file, "journal", "show")
    with Reader(journal_of(config_file, journal_file)) as reader:
        counted = None if whole else Counted(reader.rows())
        if not (after or epoch or session or kind or limit):
            newest = reader.last()
            if newest is not None:
                epoch, after = newest.epoch, max(0, newest.seq - 50)
        chosen = itertools.islice(_chosen(reader.read(after, epoch), session, kind), limit)
        if as_json:
            tell_json("kiosk-journal-facts-1", {"facts": [_fact(each, counted) for each in chosen]})
            return
        kiosk, realm = _identity(reader)
        if realm != "live":
            click.secho(f"SPECIMEN: {kiosk}'s journal of the realm {realm or 'unknown'}, no real money", fg="yellow")
        for each in chosen:
            _tell(each, counted)


def _chosen(facts: Iterator[Committed], session: str, kind: str) -> Iterator[Committed]:
    from kiosk.journal.encoding import kind_of

    for each in facts:
        if (not session or each.fact.stamp.session == session) and (not kind or kind_of(each.fact) == kind):
            yield each


def _fact(each: Committed, counted: Counted | None) -> dict[str, Any]:
    import msgspec

    from kiosk.journal.encoding import kind_of

    told: dict[str, Any] = msgspec.to_builtins(each.fact)
    if counted is not None:
        told["body"] = counted.told(each.fact)
    return {**told, "kind": kind_of(each.fact), "at": each.fact.stamp.at.iso(), "hash": each.hash.hex()}


def _tell(each: Committed, counted: Counted | None) -> None:
    import msgspec

    from kiosk.journal.encoding import kind_of

    fact = each.fact
    body: dict[str, Any] = counted.told(fact) if counted is not None else msgspec.to_builtins(fact.body)
    words = " ".join(
        f"{name}={_short(value)}" for name, value in body.items() if name not in ("type", "kind") and value
    )
    place = f"{fact.epoch}/{fact.seq}"
    click.echo(
        f"{place:>9}  {fact.stamp.at.iso()}  " + click.style(kind_of(fact), bold=True) + f"  {clean(words)[:400]}"
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


@journal.command()
@config_option
@journal_option
@click.option(
    "--format", "form", type=click.Choice(["jsonl", "lines"]), default="jsonl", show_default=True,
    help="jsonl: one JSON object a fact; lines: hash, signature and the very bytes that were hashed.",
)  # fmt: skip
@click.option("--after", type=click.IntRange(0), default=0, help="Begin behind this fact.")
@click.option("--epoch", type=click.IntRange(0), default=0, help="Of this epoch (with --after).")
@person_options
def export(
    config_file: Path, journal_file: Path | None, form: str, after: int, epoch: int, person: str, pin_file: Path | None
) -> None:
    """Write all facts to standard output, for strangers to read and to check.

    Where somebody may count boxes, only an auditor exports a journal: --person.
    """
    import msgspec

    from kiosk.cli.blindness import may_see, refuse_export
    from kiosk.journal.export import lines_of
    from kiosk.journal.reader import Reader

    if not may_see(config_file, person, pin_file, "journal", "export"):
        refuse_export()
    out = sys.stdout.buffer
    with Reader(journal_of(config_file, journal_file)) as reader:
        kiosk, realm = _identity(reader)
        if realm != "live":  # each fact says so as well; this is for the person who hands the file on
            told = f"SPECIMEN: facts of {kiosk}'s journal of the realm {realm or 'unknown'}, no real money"
            click.secho(told, fg="yellow", err=True)
        if form == "lines":
            for line in lines_of(reader.rows(after, epoch)):
                out.write(line)
            return
        for row in reader.rows(after, epoch):
            signature = row.signature.hex() if row.signature else ""
            whole = {
                "schema": "kiosk-fact-1",
                "hash": row.hash.hex(),
                "signature": signature,
                "fact": msgspec.Raw(row.row),
            }
            out.write(msgspec.json.encode(whole) + b"\n")
