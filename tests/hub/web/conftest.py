"""One example city a module for tests that only look, an empty one of its own for each test that changes something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.web.city import City
from tests.hub.web.example import example


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Yield Example City, which the tests of a module share."""
    made = example(tmp_path_factory.mktemp("town"))
    yield made
    made.close()


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """Yield a city without anything."""
    made = City(tmp_path)
    yield made
    made.close()
