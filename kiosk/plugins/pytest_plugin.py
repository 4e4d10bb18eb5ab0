"""``pytest --kiosk-driver NAME``: the conformance kit as tests, one for each rule, for a driver of any distribution.

The name is that of an installed plugin's driver, or ``module:NAME`` for a declaration that is not installed.  Where no
test files are named the rules are all that is run.  A rule that does not concern the driver is skipped with its reason.
pytest loads this module by the entry-point group ``pytest11``; it imports nothing of the kiosk until a driver is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kiosk.plugins.conformance import Finding, Rule, Subject


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the kit."""
    group = parser.getgroup("kiosk", "conformance of device drivers")
    group.addoption(
        "--kiosk-driver", action="append", default=[], metavar="NAME",
        help="hold this driver against the rules of the conformance kit (may be given more than once)",
    )  # fmt: skip
    group.addoption(
        "--kiosk-rounds", type=int, default=1, metavar="N", help="try N times as many bad lines and moments; default 1"
    )
    group.addoption(
        "--kiosk-grade",
        choices=("bronze", "silver", "gold"),
        default="gold",
        help="rules up to this grade; default gold",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Look for no other tests where drivers are named and files are not."""
    return True if _alone(config) else None


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the rules of each driver that was named."""
    for name in config.getoption("--kiosk-driver"):
        items.extend(DriverRules.from_parent(session, name=name).collect())


def _alone(config: pytest.Config) -> bool:
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return bool(config.getoption("--kiosk-driver")) and not named


class BrokenRuleError(AssertionError):
    """A rule does not hold; carries what was found."""

    def __init__(self, rule: Rule, findings: tuple[Finding, ...]) -> None:
        super().__init__(rule.sentence)
        self.rule = rule
        self.findings = findings


class DriverRules(pytest.Collector):
    """All rules of one driver."""

    def collect(self) -> Iterator[RuleItem]:
        """Give one test for each rule up to the wanted grade."""
        from kiosk.plugins.conformance import GRADES, RULES, Subject

        try:
            subject = Subject(spec_of(self.name), rounds=max(1, self.config.getoption("--kiosk-rounds")))
        except Exception as error:
            raise pytest.UsageError(f"--kiosk-driver {self.name}: {type(error).__name__}: {error}") from error
        most = GRADES.index(self.config.getoption("--kiosk-grade"))
        for rule in RULES:
            if GRADES.index(rule.grade) <= most:
                yield RuleItem.from_parent(self, name=f"{rule.grade}-{rule.id}", rule=rule, subject=subject)


class RuleItem(pytest.Item):
    """One rule held against one driver."""

    def __init__(self, *, rule: Rule, subject: Subject, **more: Any) -> None:
        super().__init__(**more)
        self.rule = rule
        self.subject = subject

    def runtest(self) -> None:
        """Hold the driver against the rule."""
        from kiosk.plugins.conformance import examine

        (outcome,) = examine(self.subject, [self.rule])
        if outcome.status == "not applicable":
            pytest.skip(outcome.reason)
        if outcome.findings:
            raise BrokenRuleError(self.rule, outcome.findings)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Tell a broken rule by its sentence and findings, not by where in the kit it was found."""
        error = excinfo.value
        if isinstance(error, BrokenRuleError):
            lines = [f"{error.rule.grade} rule {error.rule.id}: {error.rule.sentence}", "This does not hold:"]
            return "\n".join([*lines, *(f"  {each.situation}: {each.message}" for each in error.findings)])
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the test by its rule."""
        return Path(self.subject.spec.name), None, f"{self.rule.grade}: {self.rule.sentence}"


def spec_of(name: str) -> Any:
    """Return the declaration of a driver by its name, or as ``module:NAME``."""
    if ":" in name:
        module, _, attribute = name.partition(":")
        return getattr(import_module(module), attribute)
    from kiosk.plugins.manager import load_plugins

    loaded = load_plugins()
    if name not in loaded.drivers:
        aside = "; ".join(f"{each.name} is set aside: {each.reason}" for each in loaded.quarantined)
        raise LookupError(f"there is no such driver among {', '.join(sorted(loaded.drivers))}. {aside}".rstrip())
    return loaded.drivers[name]
