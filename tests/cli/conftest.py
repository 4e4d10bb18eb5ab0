"""A whole kiosk in its own process, on simulated devices, with one citation paid: for commands to ask and to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kiosk.cli.root import kiosk
from kiosk.simulators import scenario
from kiosk.workbench.demonstration import Demonstration

PAYMENT = """\
wait screen idle within 30 s
scan 260004329
touch pay
touch accept
wait screen accepting
insert USD 20
expect receipt
wait screen idle within 30 s
"""
Run = Callable[..., Result]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A kiosk that has taken one payment."""
    demonstration = Demonstration(tmp_path_factory.mktemp("kiosk") / "demo", quick=True)
    try:
        demonstration.start()
        scenario.play(scenario.parse(PAYMENT), demonstration.stage)
        yield demonstration
    finally:
        demonstration.stop()


@pytest.fixture
def run() -> Run:
    """Run a command line in this process, as a person without colours would."""

    def call(*words: str | Path, config: Path | None = None, feed: str = "") -> Result:
        environment: dict[str, Any] = {"NO_COLOR": "1", "KIOSK_CONFIG": str(config) if config else None}
        return CliRunner().invoke(kiosk, [str(word) for word in words], env=environment, input=feed)

    return call


@pytest.fixture
def ask(run: Run, running: Demonstration) -> Run:
    """Run a command line for the kiosk that is running."""

    def call(*words: str | Path, feed: str = "") -> Result:
        return run(*words, config=running.directory.config, feed=feed)

    return call
