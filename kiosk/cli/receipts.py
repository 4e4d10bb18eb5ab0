"""``kiosk receipt`` and ``kiosk keys``: find a slip again, check one with the city's keys, print a copy."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.blindness import person_options
from kiosk.cli.options import clean, config_option, json_option, tell_json
from kiosk.cli.places import journal_of, journal_option, places
from kiosk.errors import ReceiptError

if TYPE_CHECKING:
    from kiosk.model.facts import Committed

#: Exit code of a genuine slip that is worth nothing.
SPECIMEN = 5
#: What each verdict means, in words.
VERDICTS = {
    "good": "genuine: the city's kiosk issued it",
    "specimen": "SPECIMEN: genuine, but of training or a demonstration: no real money, worth nothing",
    "unreadable": "not a receipt of any kiosk",
    "unknown_kiosk": "the city publishes no key of this kiosk",
    "unknown_key": "the city publishes no key of this kiosk for this realm and epoch",
    "bad_signature": "FORGED or damaged: the signature is not of the city's key",
    "revoked": "the city has revoked the key: this proves nothing any more, ask the office",
    "out_of_date": "the key was not in use on that date: ask the office",
}


@click.group()
def receipt() -> None:
    """Show, verify or reprint receipts."""


def _number(asked: str) -> tuple[int, int | None, str]:
    """Read ``412`` or ``K07-1-000412-9f3c`` as (number, epoch, check); epoch None for the newest."""
    from kiosk.model.ids import ReceiptId

    if asked.isascii() and asked.isdigit() and len(asked) <= 9:
        return int(asked), None, ""
    found = ReceiptId.parse(asked)
    if found is None:
        raise click.BadParameter(f"{asked[:60]!r} is not a receipt number", param_hint="NUMBER")
    return found.number, found.epoch, found.check


@receipt.command()
@click.argument("number")
@config_option
@journal_option
@person_options
@json_option
def show(
    number: str, config_file: Path, journal_file: Path | None, person: str, pin_file: Path | None, as_json: bool
) -> None:
    """Show the slip NUMBER (412, or the whole K07-1-000412-9f3c) as the journal tells it.

    Where somebody may count boxes, the sums of a slip are sealed until its box was counted; an auditor, or an operator
    who may not count, sees them all the same: --person.
    """
    import msgspec

    from kiosk.cli.blindness import SEALED, may_see
    from kiosk.journal.receipt_seal import describe, receipt_id
    from kiosk.model.facts import ReceiptIssued
    from kiosk.model.money import Money

    path = journal_of(config_file, journal_file)
    wanted, epoch, check = _number(number)
    committed, copies = _find(path, wanted, epoch)
    body = committed.fact.body
    assert isinstance(body, ReceiptIssued)
    printed = str(receipt_id(committed))
    if check and not printed.endswith(check):
        raise ReceiptError(
            f"{number} is not a slip of this journal: it has {printed}", hint="compare the last four digits"
        )
    specimen = committed.fact.realm != "live"
    holds_sums = bool(body.lines or body.totals)
    sealed = (
        holds_sums and _sealed(path, committed) and not may_see(config_file, person, pin_file, "slip", str(body.number))
    )
    if as_json:
        told = {
            "id": printed,
            "printed": copies,
            "specimen": specimen,
            **msgspec.to_builtins(describe(committed)),
            "receipt": msgspec.to_builtins(body),
        }
        if sealed:
            told |= {name: SEALED for name in told if name.endswith("_minor")}
            told["receipt"] |= {"lines": SEALED, "totals": SEALED}
        tell_json("kiosk-receipt-1", told)
        return
    click.secho(printed, bold=True)
    if specimen:
        click.secho(f"  SPECIMEN: of the realm {committed.fact.realm}, no real money", fg="yellow")
    click.echo(f"  {body.slip}, {committed.fact.stamp.at.iso()}, fact {committed.fact.epoch}/{committed.fact.seq}")
    if sealed:
        click.echo(f"  {SEALED}: its box was not counted; --person ID for who may see it")
    for line in () if sealed else body.lines:
        click.echo(f"  {line.service} {line.number}  {line.component:<18} {Money(line.minor, body.currency)}")
    for total in () if sealed else body.totals:
        name, _, value = total.name.partition(":")
        told_amount = (
            f"{total.minor} x {Money(int(value), body.currency)}" if value else str(Money(total.minor, body.currency))
        )
        click.echo(f"  {name:<34} {told_amount}")
    for each in body.particulars:
        click.echo(f"  {each.name:<34} {clean(each.value)}")
    for copy in copies:
        what = "original" if not copy["copy"] else f"copy {copy['copy']}"
        click.echo(f"  {what}: {clean(str(copy['ended']) or 'not ended')}")


def _sealed(path: Path, committed: Committed) -> bool:
    """Tell whether the box that holds a slip's money was not counted yet."""
    from kiosk.cli.blindness import Counted
    from kiosk.journal.reader import Reader

    with Reader(path) as reader:
        return Counted(reader.rows()).seals(committed.fact)


def _find(path: Path, number: int, epoch: int | None) -> tuple[Committed, list[dict[str, Any]]]:
    """Return the fact of a slip (the newest epoch's where none is named) and how its printing went."""
    from kiosk.journal.reader import Reader
    from kiosk.model.facts import PrintEnded, PrintStarted, ReceiptIssued

    found: Committed | None = None
    copies: list[dict[str, Any]] = []
    with Reader(path) as reader:
        for each in reader.read():
            body = each.fact.body
            if epoch is not None and each.fact.epoch != epoch:
                continue
            if isinstance(body, ReceiptIssued) and body.number == number:
                found, copies = each, []
            elif isinstance(body, PrintStarted) and body.number == number:
                copies.append({"copy": body.copy, "job": body.job, "ended": ""})
            elif isinstance(body, PrintEnded):
                for copy in copies:
                    if copy["job"] == body.job:
                        copy["ended"] = body.outcome
    if found is None:
        raise ReceiptError(f"there is no slip {number} in {path}", hint="kiosk journal show --kind receipt_issued")
    return found, copies


@receipt.command()
@click.argument("text")
@click.option(
    "--keys", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The keys that the city publishes."
)
@json_option
def verify(text: str, keys: Path, as_json: bool) -> None:
    """Check the TEXT of a receipt's square code ("-" reads it from standard input).

    Exit code 0 for a genuine receipt, 5 for a genuine specimen of training or a demonstration, 1 for anything else.
    """
    import msgspec

    from kiosk.journal.receipt_seal import LONGEST, check, load_keys
    from kiosk.model.money import MINOR_DIGITS, plain

    line = sys.stdin.read(LONGEST + 1).strip() if text == "-" else text
    verdict = check(line, load_keys(keys))
    if as_json:
        tell_json("kiosk-receipt-verify-1", msgspec.to_builtins(verdict))
    else:
        colour = "green" if verdict.good else "yellow" if verdict.reason == "specimen" else "red"
        click.secho(VERDICTS[verdict.reason], fg=colour)
    held = verdict.receipt
    if held is not None and not as_json:
        for name in ("receipt_id", "kind", "issued", "realm"):
            click.echo(f"  {name:<12} {clean(str(getattr(held, name)))}")
        for name in ("tender_minor", "applied_minor", "overpayment_minor", "remaining_minor"):
            minor = getattr(held, name)
            # A forged code may name any currency; only one that is known has digits behind a point.
            amount = plain(minor, held.currency) if held.currency in MINOR_DIGITS else f"{minor} minor units"
            click.echo(f"  {name.removesuffix('_minor'):<12} {clean(held.currency)} {amount}")
        if verdict.specimen and verdict.reason != "specimen":
            click.secho(f"  SPECIMEN: it says itself that it is of the realm {clean(held.realm)}", fg="yellow")
    click.get_current_context().exit(0 if verdict.good else SPECIMEN if verdict.reason == "specimen" else 1)


@receipt.command()
@click.argument("number")
@config_option
@json_option
def reprint(number: str, config_file: Path, as_json: bool) -> None:
    """Have the running kiosk print slip NUMBER again, marked and counted as a copy."""
    from kiosk.core.control import call

    wanted, _, _ = _number(number)
    told = call(places(config_file).control, "reprint", {"number": wanted})
    if as_json:
        tell_json("kiosk-reprint-1", {"number": told["number"], "copy": told["copy"]})
    else:
        click.echo(f"slip {told['number']} is printed as copy {told['copy']}")


@click.group()
def keys() -> None:
    """Publish the keys that receipts are checked with."""


@keys.command()
@config_option
@journal_option
@click.option("--city", required=True, help="Name of the city, as it publishes the list.")
@click.option(
    "--add-to", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take over this list, of the city's other kiosks and earlier epochs, and add what it lacks.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of standard output."
)
def publish(config_file: Path, journal_file: Path | None, city: str, add_to: Path | None, out: Path | None) -> None:
    """Write the list of public keys, one for each epoch of the journal."""
    import msgspec

    from kiosk.journal.encoding import decode
    from kiosk.journal.reader import Reader
    from kiosk.journal.receipt_seal import PublishedKey, PublishedKeys, load_list

    with Reader(journal_of(config_file, journal_file)) as reader:
        newest = reader.last()
        if newest is None:
            raise ReceiptError("the journal is empty", hint="start the kiosk once")
        fact = decode(newest.row)
        ours = [
            PublishedKey(fact.kiosk, epoch, key, realm=fact.realm)
            for epoch, key in sorted(reader.public_keys().items())
        ]
    listed = {key.place: key for key in load_list(add_to).keys} if add_to else {}
    for key in ours:
        old = listed.setdefault(key.place, key)
        if old.public_key != key.public_key:
            raise ReceiptError(
                f"{add_to} lists another key for {key.kiosk} {key.realm} epoch {key.epoch}",
                hint="one of the two is not this kiosk's: find out which before anything is published",
            )
    text = msgspec.json.format(msgspec.json.encode(PublishedKeys(city, tuple(listed.values())))) + b"\n"
    if out is None:
        sys.stdout.buffer.write(text)
    else:
        out.write_bytes(text)
        click.echo(
            f"{len(ours)} keys of {fact.kiosk} ({fact.realm}) are in {out}; hold them against the kiosk's own words "
            "before publishing"
        )
