"""``kiosk commission``: a person puts the live journal of a stopped kiosk into service."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.blindness import pin_of
from kiosk.cli.options import clean, config_option, json_option, mark, tell_json


@click.command()
@config_option
@click.option("--person", default="", help="Who does it: an id of [[people]] with the role admin.")
@click.option("--box", default="", help="Number of the cash box that is in the kiosk.")
@click.option(
    "--pin-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the PIN from this private file instead of asking.",
)  # fmt: skip
@click.option("--check", "only_check", is_flag=True, help="Look, and change nothing but begin a missing journal.")
@json_option
def commission(
    config_file: Path, person: str, box: str, pin_file: Path | None, only_check: bool, as_json: bool
) -> None:
    """Put the live journal of this stopped kiosk into service: before, it takes no money.

    Looks at pack, people, devices, clock, keys and journal, and begins the journal with its key where there is none.
    Exit code 1 where a check fails or the person is not let in.
    """
    import msgspec

    from kiosk import app
    from kiosk.app.commissioning import Commissioning

    if not person and not only_check:
        raise click.UsageError("name who does it with --person, or only look with --check")
    with Commissioning(app.load(config_file)) as stopped:
        if stopped.commissioned:
            _end(as_json, "this journal is in service", good=True, checks=[])
        checks = stopped.checks(box)
        told = [msgspec.to_builtins(each) for each in checks]
        if not as_json:
            for each in checks:
                click.echo(f"{mark(each.state)} {click.style(each.id.ljust(10), bold=True)} {clean(each.evidence)}")
                if each.fix and each.state != "ok":
                    click.echo(f"{'':<19}→ {clean(each.fix)}")
        if any(each.state == "fail" for each in checks):
            _end(as_json, "not in service: mend what failed", good=False, checks=told)
        if only_check:
            _end(as_json, "nothing stands against it", good=True, checks=told)
        proved = stopped.let_in(person, pin_of(person, pin_file))
        if proved.problem:
            why = {
                "role": f"{clean(person)} has not the role admin",
                "locked": f"{clean(person)} is locked out for now",
            }.get(proved.problem, f"the id {clean(person)} or the PIN is wrong")
            _end(as_json, f"not in service: {why}", good=False, checks=told)
        stopped.put_into_service(proved, box)
    _end(as_json, f"in service, by {clean(person)}: start the kiosk", good=True, checks=told)


def _end(as_json: bool, words: str, *, good: bool, checks: list[object]) -> None:
    if as_json:
        tell_json("kiosk-commission-1", {"good": good, "told": words, "checks": checks})
    else:
        click.secho(words, fg="green" if good else "red")
    click.get_current_context().exit(0 if good else 1)
