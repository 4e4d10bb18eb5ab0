"""A projector that is killed at any statement goes on, and its books are those of one that never was."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from bench.posted_fleet import City
from kiosk.errors import HubError
from kiosk.hub.posting import projector as module
from kiosk.hub.posting.projector import Projector
from kiosk.hub.posting.rules import Rules
from kiosk.hub.posting.sole import sole
from kiosk.hub.store.stores import GROUPS, Stores, open_stores
from tests.hub.posting.conftest import DIGEST, books_of, post
from tests.hub.posting.street import Street


@contextmanager
def _when_free(stores: Stores, state: Path) -> Iterator[None]:
    """Wait until the server has noticed that the projector before is dead."""
    end = time.monotonic() + 30
    while True:
        try:
            with sole(stores, state):
                yield
            return
        except HubError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def _work_until_killed(state: Path, address: str, rules: Rules, statement: int) -> None:
    """Post what waits; die at the given statement, whatever it is."""
    stores = open_stores(state, address)
    left = [statement]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    module.SEGMENTS_AT_ONCE = 2
    with _when_free(stores, state):
        for engine in {stores.engine(group) for group in GROUPS}:
            sa.event.listen(engine, "before_cursor_execute", count)
            sa.event.listen(engine, "commit", count)
        projector = Projector(stores, rules, workers=1, digest=DIGEST)
        while projector.turn():
            pass


def test_a_projector_that_is_killed_goes_on_as_if_it_had_not_been(
    both_stores: Stores, rules: Rules, city: City, tmp_path: Path
) -> None:
    pick = Random(2)
    street = Street(city, 2)
    fork = multiprocessing.get_context("fork")
    address = both_stores.books.url.render_as_string(hide_password=False) if both_stores.postgresql else ""
    ends = []
    for _ in range(7):
        for _ in range(3):
            street.walk(4)
            street.send(both_stores)
        both_stores.close()
        # Short of nothing, short of a turn, and far beyond: most die, some come to their end.
        statement = pick.choice((pick.randint(0, 25), pick.randint(20, 90), 10_000))
        child = fork.Process(target=_work_until_killed, args=(tmp_path / "hub", address, rules, statement))
        child.start()
        child.join(60)
        ends.append(child.exitcode)
    assert -signal.SIGKILL in ends
    assert set(ends) <= {0, -signal.SIGKILL}
    street.send_all(both_stores)
    post(both_stores, rules)
    survived = books_of(both_stores)
    post(both_stores, rules, "other rules")
    assert books_of(both_stores) == survived
    assert sum(row["minor"] for row in survived["posting"]) == 0


def test_a_second_projector_is_refused(both_stores: Stores, tmp_path: Path) -> None:
    state = tmp_path / "hub"
    with sole(both_stores, state):
        other = open_stores(state, both_stores.books.url.render_as_string(hide_password=False)
                            if both_stores.postgresql else "")  # fmt: skip
        with pytest.raises(HubError, match="another projector"), sole(other, state):
            pass
        other.close()
    with sole(both_stores, state):
        pass
