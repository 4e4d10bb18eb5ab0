"""A journal to write to, and facts to put into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model.facts import Digests, Stamp
from kiosk.model.instant import Instant


def stamp_at(
    second: int = 0, *, session: str = "s-1", boot: str = "boot-1", date: dt.date = dt.date(2026, 3, 9)
) -> Stamp:
    """An example stamp, `second` seconds after an example start."""
    ns = second * 1_000_000_000
    return Stamp(
        at=Instant(1_773_000_000_000_000_000 + ns, -18_000, 7_000_000_000 + ns, boot),
        business_date=date,
        actor="citizen",
        session=session,
        box_session=1,
        digests=Digests("0123456789abcdef", "1123456789abcdef", "2123456789abcdef"),
    )


@pytest.fixture
def stamp() -> Stamp:
    return stamp_at()


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey.from_seed(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path, key: SigningKey, stamp: Stamp) -> Iterator[Journal]:
    with new_journal(path, key, stamp) as opened:
        yield opened


def new_journal(path: Path, key: SigningKey, stamp: Stamp) -> Journal:
    """Make an example journal with a small ballast."""
    return Journal.create(
        path, kiosk="K07", realm="demo", key=key, stamp=stamp, ballast_bytes=64 << 10, reserve_bytes=64 << 10
    )


@pytest.fixture
def reopen(path: Path, key: SigningKey) -> Callable[[], Journal]:
    return lambda: Journal.open(path, key=key, ballast_bytes=64 << 10, reserve_bytes=64 << 10)
