"""``kiosk doctor``: what is wrong with this machine, how that was found, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.options import clean, config_option, json_option, mark, tell_json


@click.command()
@config_option
@json_option
def doctor(config_file: Path, as_json: bool) -> None:
    """Check configuration, permissions, ports, devices, clock, disk, journal and units. Exit code 1 where one fails."""
    import msgspec

    from kiosk.cli.doctor_checks import examine
    from kiosk.cli.machine import Machine

    checks = examine(Machine(), config_file)
    worst = (
        "fail"
        if any(each.state == "fail" for each in checks)
        else "warn"
        if any(each.state == "warn" for each in checks)
        else "ok"
    )
    if as_json:
        tell_json("kiosk-doctor-1", {"worst": worst, "checks": [msgspec.to_builtins(each) for each in checks]})
    else:
        for each in checks:
            click.echo(f"{mark(each.state)} {click.style(each.id.ljust(16), bold=True)} {clean(each.evidence)}")
            if each.fix and each.state in ("warn", "fail"):
                click.echo(f"{'':<25}→ {clean(each.fix)}")
    click.get_current_context().exit(1 if worst == "fail" else 0)
