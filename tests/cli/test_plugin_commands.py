"""Commands that plugins bring: listed, run, and a broken one is that plugin's fault alone."""

from __future__ import annotations

import click
import pytest

from kiosk.errors import PluginError
from kiosk.plugins import manager
from kiosk.plugins.declarations import CommandDeclaration
from kiosk.plugins.hookspecs import hookimpl
from kiosk.plugins.manager import Candidate, LoadedPlugins, load_plugins
from tests.cli.conftest import Run


class Brings:
    """A plugin with a good and two bad commands."""

    @hookimpl
    def kiosk_commands(self) -> list[CommandDeclaration]:
        """Declare them."""

        def good() -> click.Command:
            @click.command()
            @click.argument("name")
            def greet(name: str) -> None:
                """Greet somebody."""
                click.echo(f"good day, {name}")

            return greet

        def raises() -> click.Command:
            raise PluginError("no licence")

        return [
            CommandDeclaration("greet", good, "greets"),
            CommandDeclaration("raises", raises),
            CommandDeclaration("lies", lambda: "this is no command"),
        ]


@pytest.fixture(autouse=True)
def brought(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let that plugin be installed."""

    def loaded() -> LoadedPlugins:
        return load_plugins(candidates=[Candidate("brings", "1", "test", Brings)])

    monkeypatch.setattr(manager, "load_plugins", loaded)


def test_a_command_of_a_plugin_is_listed_and_runs(run: Run) -> None:
    assert "greets" in run("plugin", "--help").stdout
    result = run("plugin", "greet", "Ada")
    assert (result.exit_code, result.stdout) == (0, "good day, Ada\n")


@pytest.mark.parametrize("name", ["raises", "lies"])
def test_a_broken_command_is_one_clear_error(name: str, run: Run) -> None:
    result = run("plugin", name)
    assert result.exit_code == 1
    assert name in result.stderr
    assert "Traceback" not in result.output


def test_a_command_that_no_plugin_brings_is_wrong_use(run: Run) -> None:
    assert run("plugin", "fly").exit_code == 2
