"""``kiosk journal``: verify, show and export what was committed.  Reads only, also while the kiosk runs."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.cli.places import journal_of, journal_option

if TYPE_CHECKING:
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
@json_option
def verify(
    config_file: Path, journal_file: Path | None, witnesses: tuple[str, ...], keys: Path | None, as_json: bool
) -> None:
    """Walk the whole chain, check every signature and rebuild every balance."""
    import msgspec

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
    published = {key.public_key for key in load_keys(keys).values() if not key.revoked} if keys else None
    with Reader(path) as reader:
        found = examine(reader, published_keys=published, witnesses=outside, check_entry=_ledger())
    if as_json:
        tell_json("kiosk-journal-verify-1", {"journal": str(path), "sound": found.sound, **msgspec.to_builtins(found)})
    else:
        for finding in found.findings:
            click.secho(clean(str(finding)), fg="red" if finding.severity == "error" else "yellow")
        for account, currency, minor in found.balances:
            click.echo(f"  {account:<28} {Money(minor, currency)}")
        click.echo(f"{found.facts} facts, {found.receipts} slips, head {found.epoch}/{found.seq}:{found.head[:16]}")
        if found.sound:
            click.secho(f"{path} is sound", fg="green")
        else:
            click.secho(f"{path} is NOT sound: keep it as evidence", fg="red")
    click.get_current_context().exit(0 if found.sound else 1)


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
@json_option
def show(
    config_file: Path, journal_file: Path | None, after: int, epoch: int, session: str, kind: str, limit: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show facts in plain words or as JSON."""
    from kiosk.journal.reader import Reader

    with Reader(journal_of(config_file, journal_file)) as reader:
        if not (after or epoch or session or kind or limit):
            newest = reader.last()
            if newest is not None:
                epoch, after = newest.epoch, max(0, newest.seq - 50)
        chosen = itertools.islice(_chosen(reader.read(after, epoch), session, kind), limit)
        if as_json:
            tell_json("kiosk-journal-facts-1", {"facts": [_fact(each) for each in chosen]})
            return
        for each in chosen:
            _tell(each)


def _chosen(facts: Iterator[Committed], session: str, kind: str) -> Iterator[Committed]:
    from kiosk.journal.encoding import kind_of

    for each in facts:
        if (not session or each.fact.stamp.session == session) and (not kind or kind_of(each.fact) == kind):
            yield each


def _fact(each: Committed) -> dict[str, Any]:
    import msgspec

    from kiosk.journal.encoding import kind_of

    told: dict[str, Any] = msgspec.to_builtins(each.fact)
    return {**told, "kind": kind_of(each.fact), "at": each.fact.stamp.at.iso(), "hash": each.hash.hex()}


def _tell(each: Committed) -> None:
    import msgspec

    from kiosk.journal.encoding import kind_of

    fact = each.fact
    body: dict[str, Any] = msgspec.to_builtins(fact.body)
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
def export(config_file: Path, journal_file: Path | None, form: str, after: int, epoch: int) -> None:
    """Write all facts to standard output, for strangers to read and to check."""
    import msgspec

    from kiosk.journal.export import lines_of
    from kiosk.journal.reader import Reader

    out = sys.stdout.buffer
    with Reader(journal_of(config_file, journal_file)) as reader:
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
