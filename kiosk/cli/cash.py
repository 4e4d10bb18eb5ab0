"""``kiosk cash``: receive and count a box blind.  ``kiosk day``: the Z closings.

A count asks the running kiosk for every step, so it can be left and taken up again anywhere; what is expected is told
by the kiosk after the final attempt and not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kiosk.cli.blindness import SEALED, Counted, pin_of
from kiosk.cli.options import clean, config_option, is_terminal, json_option, tell_json, tell_table
from kiosk.cli.places import journal_of, journal_option, places
from kiosk.errors import CountError
from kiosk.model.money import Money, plain

if TYPE_CHECKING:
    from kiosk.model.facts import DayClosed

#: The states of a box in words.
STATES = {"to_receive": "is to be received", "to_count": "is to be counted", "to_close": "is counted, to be closed",
          "closed": "is closed"}  # fmt: skip
_PIN_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def cash() -> None:
    """Count boxes that left the kiosk: blind, by denomination."""


@cash.command()
@config_option
@json_option
def boxes(config_file: Path, as_json: bool) -> None:
    """List the boxes that left the kiosk and how far their counts are."""
    told = _ask(config_file, "count.list")
    if as_json:
        tell_json("kiosk-cash-boxes-1", {"boxes": told["boxes"]})
    elif told["boxes"]:
        rows = [(str(each["session"]), each["box"] or "?", STATES[each["state"]]) for each in told["boxes"]]
        tell_table(rows, ("session", "box", "state"))
    else:
        click.echo("no box has left the kiosk")


@cash.command()
@config_option
@click.option("--person", required=True, help="An auditor's id.")
@click.option("--pin-file", type=_PIN_FILE, help="Read the PIN from this private file instead of asking.")
@click.option("--session", type=click.IntRange(1), help="Only the box of this session.")
@json_option
def expected(config_file: Path, person: str, pin_file: Path | None, session: int | None, as_json: bool) -> None:
    """Tell an auditor what boxes should hold that were not counted. The look is a fact."""
    asked = {"person": person, "pin": pin_of(person, pin_file), "what": "expected"}
    found = [each for each in _ask(config_file, "audit.look", asked)["expected"] if session in (None, each["session"])]
    if as_json:
        tell_json("kiosk-cash-expected-1", {"boxes": found})
        return
    for each in found:
        place = "in the kiosk" if each["in_kiosk"] else "left the kiosk"
        click.secho(f"session {each['session']}, box {each['box'] or '?'}, {place}", bold=True)
        sums: dict[str, int] = {}
        for currency, value, count in each["notes"]:
            sums[currency] = sums.get(currency, 0) + value * count
            click.echo(f"  {count:>5} x {Money(value, currency)}")
        for currency, minor in sums.items():
            click.echo(f"  {'':>5}   {Money(minor, currency)} in all")
        if each["unknown_notes"]:
            click.echo(f"  {each['unknown_notes']:>5} x a note of unknown value")
        elif not each["notes"]:
            click.echo("  no note")


@cash.command()
@config_option
@click.option("--session", type=click.IntRange(1), help="The box of this session; without it the one that waits.")
@click.option("--person", default="", help="Who counts.")
@click.option("--pin-file", type=_PIN_FILE, help="Read the PIN from this private file instead of asking.")
@click.option("--box", default="", help="The number on the box that arrived.")
@click.option("--seal", default="", help="The number on its seal.")
@click.option("--seal-whole/--seal-broken", default=None, help="How the seal arrived.")
@click.option("--notes", multiple=True, metavar="[CURRENCY:]VALUE=COUNT", help="Notes of one value, in minor units: "
              "2000=3 is three notes of 20.00; may be given again.")  # fmt: skip
@click.option("--none", is_flag=True, help="The box is empty.")
@click.option("--final/--not-final", default=None, help="This attempt is compared with the journal; there is no other.")
@click.option("--reason", default=None, help="Why there is a difference.")
@click.option("--second", default=None, help="Who signs a large difference beside the counter.")
@click.option("--second-pin-file", type=_PIN_FILE, help="The second person's PIN.")
@json_option
def count(
    config_file: Path, session: int | None, person: str, pin_file: Path | None, box: str, seal: str,
    seal_whole: bool | None, notes: tuple[str, ...], none: bool, final: bool | None, reason: str | None,
    second: str | None, second_pin_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Receive a box, count it without knowing what it should hold, and close the count.

    Asks for what the options leave open. Without a terminal it stops where an option is missing, and goes on there
    the next time.
    """
    listed = _ask(config_file, "count.list")
    chosen = _choose(listed["boxes"], session)
    person = person or click.prompt("Your id", err=True)
    proof = {"person": person, "pin": pin_of(person, pin_file), "session": chosen["session"]}
    state, told = chosen["state"], {}
    if state == "to_receive":
        box = box or _prompt("Number on the box", "--box")
        seal = seal or _prompt("Number on its seal", "--seal")
        if seal_whole is None:
            seal_whole = _confirm("Is the seal whole?", "--seal-whole or --seal-broken")
        told = _ask(config_file, "count.receive", {**proof, "box": box, "seal": seal, "seal_whole": seal_whole})
        if told.get("box_differs"):
            click.secho("this is not the box that left: it is recorded, tell a supervisor", fg="yellow", err=True)
        state = "to_count"
    while state == "to_count":
        counted = [_note(each) for each in notes] if notes or none else _by_hand(listed["denominations"])
        if final is None and not is_terminal() and (notes or none):
            final = False
        last = final if final is not None else _confirm("Is this the final count?", "--final or --not-final")
        told = _ask(config_file, "count.attempt", {**proof, "notes": counted, "final": last})
        click.echo(f"attempt {told['attempt']}: {plain(told['counted_minor'], _own(listed))}", err=True)
        if last:
            state = "to_close"
        elif final is not None or notes or none:
            break
    if state == "to_close":
        told = told if "expected_minor" in told else _ask(config_file, "count.reveal", proof)
        told |= _close(config_file, proof, told, reason, second, second_pin_file)
    told.pop("ok", None)
    if as_json:
        tell_json("kiosk-cash-count-1", {"session": chosen["session"], **told})


def _close(
    config_file: Path, proof: dict[str, Any], told: dict[str, Any], reason: str | None, second: str | None,
    second_pin_file: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """Show the final count beside what was expected, and close it."""
    currency, off = told["currency"], told["over_short_minor"]
    words = "nothing over or short" if not off else f"{plain(abs(off), currency)} {'over' if off > 0 else 'short'}"
    click.echo(f"expected {plain(told['expected_minor'], currency)}, counted {plain(told['counted_minor'], currency)}: "
               f"{words}", err=True)  # fmt: skip
    if told["unknown_notes"]:
        click.echo(f"the unit took {told['unknown_notes']} notes without telling their value", err=True)
    for code, should, found in told["apart"]:
        click.echo(f"apart, {code}: expected {plain(should, code)}, counted {plain(found, code)}", err=True)
    differs = bool(off) or any(should != found for _, should, found in told["apart"])
    if reason is None:
        reason = _prompt("Reason of the difference", "--reason") if differs else ""
    signed: dict[str, Any] = {"second": "", "second_pin": ""}
    if told["second_needed"]:
        second = second or _prompt("Id of the second person, who signs", "--second")
        signed = {"second": second, "second_pin": pin_of(second, second_pin_file)}
    closed = _ask(config_file, "count.close", {**proof, "reason": reason, **signed})
    click.echo(f"the count of session {proof['session']} is closed", err=True)
    for name in closed["separation"]:
        click.secho(f"recorded as an exception: {name}", fg="yellow", err=True)
    return closed


def _ask(config_file: Path, verb: str, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    from kiosk.core.control import call

    return call(places(config_file).control, verb, arguments)


def _choose(listed: list[dict[str, Any]], session: int | None) -> dict[str, Any]:
    waiting = [each for each in listed if each["state"] != "closed"]
    found = [each for each in waiting if session in (None, each["session"])]
    if not found:
        raise CountError("no box waits for its count" + (f" with session {session}" if session else ""),
                         hint="kiosk cash boxes")  # fmt: skip
    if len(found) > 1:
        numbers = ", ".join(str(each["session"]) for each in found)
        raise CountError(f"several boxes wait for their count: sessions {numbers}", hint="choose one: --session")
    return found[0]


def _note(told: str) -> list[int | str]:
    """Read ``2000=3`` or ``CAD:2000=3``."""
    currency, _, rest = told.rpartition(":")
    value, equals, many = rest.partition("=")
    if not equals or not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in (value, many)):
        raise click.BadParameter(f"{told[:40]!r} is not VALUE=COUNT, e.g. 2000=3", param_hint="--notes")
    return [*([currency] if currency else []), int(value), int(many)]


def _own(listed: dict[str, Any]) -> str:
    return str(listed["denominations"][0][0]) if listed["denominations"] else "USD"


def _by_hand(denominations: list[list[Any]]) -> list[list[int | str]]:
    """Ask for each value how many notes there are."""
    if not is_terminal():
        raise CountError("nothing was counted", hint="--notes VALUE=COUNT, or --none for an empty box")
    return [
        [currency, value, click.prompt(f"{Money(value, currency)} x", type=click.IntRange(0), default=0, err=True)]
        for currency, value in denominations
    ]


def _prompt(words: str, option: str) -> str:
    if not is_terminal():
        raise CountError(f"{option} is missing", hint=f"give {option}, or run this at a terminal")
    told: str = click.prompt(words, err=True)
    return told


def _confirm(words: str, option: str) -> bool:
    if not is_terminal():
        raise CountError(f"{option} is missing", hint=f"give {option}, or run this at a terminal")
    return click.confirm(words, err=True)


# --- the day --------------------------------------------------------------------------------------------------


@click.group()
def day() -> None:
    """The business days and their Z closings."""


@day.command()
@click.argument("number", type=click.IntRange(1), required=False)
@config_option
@journal_option
@json_option
def show(number: int | None, config_file: Path, journal_file: Path | None, as_json: bool) -> None:
    """Show the Z closings, or the one of this NUMBER. Sums are sealed until the period's box was counted."""
    from kiosk.journal.encoding import decode
    from kiosk.journal.reader import Reader
    from kiosk.model.facts import DayClosed

    found: list[dict[str, Any]] = []
    with Reader(journal_of(config_file, journal_file)) as reader:
        counted = Counted(reader.rows())
        for row in reader.rows():
            body = decode(row.row).body if row.kind == "day_closed" else None
            if isinstance(body, DayClosed) and number in (None, body.number):
                found.append(_closing(body, decode(row.row).stamp.at.iso(), counted))
    if number is not None and not found:
        raise CountError(f"there is no Z closing {number}", hint="kiosk day show")
    if as_json:
        tell_json("kiosk-day-1", {"closings": found})
    elif not found:
        click.echo("no day was closed yet")
    else:
        _tell(found, whole=number is not None)


def _closing(body: DayClosed, at: str, counted: Counted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": body.number, "at": at, "cause": body.cause, "box_session": body.box_session,
        "closes_through": body.closes_through.isoformat() if body.closes_through else "",
        "through": f"{body.through_epoch}/{body.through_seq}:{body.through_hash[:16]}", "currency": body.currency,
    }  # fmt: skip
    open_, all_open = body.box_session in counted.sessions, counted.all_before(body.box_session)
    period = body.period
    return told | {
        "taken_minor": period.taken_minor if open_ else SEALED,
        "payments": period.payments,
        "notes": [[each.currency, each.value_minor, each.count] for each in period.notes] if open_ else SEALED,
        "accounts": [[each.currency, each.account, each.minor] for each in period.accounts] if open_ else SEALED,
        "unknown_notes": period.unknown_notes if open_ else SEALED,
        "reprints": period.reprints,
        "slips": [[each.slip, each.first, each.last] for each in period.slips],
        "grand_total_minor": body.grand_total_minor if all_open else SEALED,
    }


def _tell(found: list[dict[str, Any]], *, whole: bool) -> None:
    rows = [
        (f"Z {each['number']}", each["at"], each["cause"], each["closes_through"] or "-", str(each["box_session"]),
         _amount(each["taken_minor"], each["currency"]), _amount(each["grand_total_minor"], each["currency"]))
        for each in found
    ]  # fmt: skip
    tell_table(rows, ("Z", "made", "cause", "closes through", "box session", "taken", "grand total"))
    for each in found if whole else ():
        click.echo(f"head     {each['through']}")
        click.echo(f"payments {each['payments']}, reprints {each['reprints']}")
        for slip, first, last in each["slips"]:
            click.echo(f"slips    {clean(slip)} {first} to {last}")
        for currency, value, many in each["notes"] if each["notes"] != SEALED else ():
            click.echo(f"  {many:>5} x {Money(value, currency)}")
        for currency, account, minor in each["accounts"] if each["accounts"] != SEALED else ():
            click.echo(f"  {clean(account):<12} {Money(minor, currency)}")


def _amount(minor: int | str, currency: str) -> str:
    return minor if isinstance(minor, str) else plain(minor, currency)
