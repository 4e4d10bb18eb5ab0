"""Examine every driver that comes with the kiosk, and write down what grade it reaches.

Writes kiosk/plugins/grades.py, which `kiosk devices` shows, and docs/driver-grades.md, which people read.  Tests hold
both against the drivers, so that neither can promise what a driver no longer keeps.

    .venv/bin/python tools/driver-page.py
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from kiosk.plugins.builtins import BUILT_IN
from kiosk.plugins.conformance import GRADES, RULES, Outcome, Subject, examine, grade
from kiosk.plugins.devices import DriverSpec

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "kiosk" / "plugins" / "grades.py"
PAGE = ROOT / "docs" / "driver-grades.md"

TABLE_HEAD = '''\
"""What the conformance kit found of the drivers that come with the kiosk.

Written by tools/driver-page.py; do not edit.  A test examines each driver again and compares.
"""

from __future__ import annotations

import msgspec


class Recorded(msgspec.Struct, frozen=True):
    """The outcome of one examination."""

    #: ``gold``, ``silver``, ``bronze`` or ``none``.
    grade: str
    #: Rules that do not hold.
    broken: tuple[str, ...] = ()
    #: Rules that do not concern such a device, or for which there is no material.
    not_applicable: tuple[str, ...] = ()


'''
PAGE_HEAD = """\
# The drivers, and what they have proved

<!-- Written by tools/driver-page.py from the conformance kit; do not edit. -->

Every driver is held against the same rules, whoever wrote it. A driver that keeps all rules of a grade, and of the
grades below, has that grade. What is above bronze needs material of the driver's own: messages of real life, and a
device to talk to. `kiosk devices` shows the grade beside each device; [drivers.md](drivers.md) tells how to examine
a driver of your own.
"""
NOT_PROVED = """\
A grade says how a driver behaves with a device that keeps to its manual. It does not say that the manual is right, nor
that a driver has met your unit: for that, see the hardware notes and your own bench.
"""


def specs() -> dict[str, DriverSpec]:
    """Return the declarations of all drivers that come with the kiosk."""
    return {name: import_module(module).SPEC for name, module in BUILT_IN.items()}


def recorded(subject: Subject, outcomes: list[Outcome]) -> dict[str, Any]:
    """Return what is written down of one examination."""
    kinds = {status: tuple(each.rule for each in outcomes if each.status == status) for status in
             ("broken", "not applicable")}  # fmt: skip
    return {"grade": grade(subject, outcomes), "broken": kinds["broken"], "not_applicable": kinds["not applicable"]}


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of the module that holds the grades."""
    lines = ["#: Driver -> what was found.", "RECORDED: dict[str, Recorded] = {"]
    for name, found in results.items():
        lines.append(f'    "{name}": Recorded(')
        lines.append(f'        "{found["grade"]}",')
        for field in ("broken", "not_applicable"):
            if found[field]:
                single = len(found[field]) == 1
                lines += [f'        {field}=("{found[field][0]}",),'] if single else [
                    f"        {field}=(", *(f'            "{rule}",' for rule in found[field]), "        ),"
                ]  # fmt: skip
        lines.append("    ),")
    return TABLE_HEAD + "\n".join([*lines, "}", ""])


def page(declared: Mapping[str, DriverSpec], results: Mapping[str, Any]) -> str:
    """Return the text of the page."""
    parts = [PAGE_HEAD, "## Drivers\n", "| driver | drives | over | grade |", "|---|---|---|---|"]
    for name, spec in declared.items():
        over = ", ".join(spec.transports)
        parts.append(f"| `{name}` | {spec.summary} | {over} | **{results[name].grade}** |")
    parts += ["", NOT_PROVED, "## Rules\n", "| grade | rule | what holds | does not concern | broken by |",
              "|---|---|---|---|---|"]  # fmt: skip
    for rule in RULES:
        spared = _names(name for name, found in results.items() if rule.id in found.not_applicable)
        broken = _names(name for name, found in results.items() if rule.id in found.broken)
        parts.append(f"| {rule.grade} | {rule.id} | {rule.sentence} | {spared} | {broken} |")
    return "\n".join(parts) + "\n"


def _names(found: Any) -> str:
    return ", ".join(f"`{name}`" for name in found)


def main() -> None:
    """Examine, and write both."""
    results = {}
    for name, spec in specs().items():
        subject = Subject(spec)
        outcomes = examine(subject)
        results[name] = recorded(subject, outcomes)
        print(f"{name}: {results[name]['grade']}")
        for each in outcomes:
            for finding in each.findings[:3]:
                print(f"  {each.rule}: {finding.situation}: {finding.message}")
    assert set(GRADES) | {"none"} >= {found["grade"] for found in results.values()}
    TABLE.write_text(table(results), encoding="utf-8")
    import kiosk.plugins.grades as written

    PAGE.write_text(page(specs(), written.RECORDED), encoding="utf-8")


if __name__ == "__main__":
    main()
