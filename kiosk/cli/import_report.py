"""How an import ended, in words: the same at a kiosk and at the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def tell_import(report: Any, service: str, rejects: Path, made: str) -> None:
    """Say what was taken and refused; `made` tells of a key that the import made, "" where it made none."""
    click.echo(f"{report.taken} rows of {service} taken, {report.unchanged} were there, {report.removed} removed")
    if report.dropped_columns:
        click.echo(f"not stored: column {', '.join(report.dropped_columns)}")
    if made:
        click.echo(made)
    if report.rejected:
        click.secho(f"{report.rejected} rows refused: {rejects}", fg="yellow")
        for line, reason in report.first_rejects[:5]:
            click.echo(f"  line {line}: {reason}")
