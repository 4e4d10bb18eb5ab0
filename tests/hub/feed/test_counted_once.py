"""However payments, posting, publishing, lines and deaths interleave, a kiosk counts its own payments exactly once."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kiosk.hub.feed import answers
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.sync.replica import Replica
from tests.hub.feed.feeding import SERVICE, SET, FedHub, FedKiosk

KIOSKS = ("K01", "K02")
NUMBERS = ("1", "2", "3", "4")

kiosks, numbers = st.sampled_from(KIOSKS), st.sampled_from(NUMBERS)
acts = st.one_of(
    st.tuples(st.just("pay"), kiosks, numbers),
    st.tuples(st.just("post"), kiosks),
    st.tuples(st.just("publish"), st.integers(1, 4)),
    st.tuples(st.just("sync"), kiosks, st.sampled_from((1, 2, 3, 4, 100))),
    st.tuples(st.just("kill"), kiosks),
    st.tuples(st.just("import"), numbers),
    st.tuples(st.just("gone"), numbers),
    st.tuples(st.just("rebuild")),
)


class World:
    """Two kiosks and a hub, and beside them what everybody really paid."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.hub = FedHub(stores)
        self.kiosks = {name: FedKiosk(folder / f"{name}.db", self.hub, name) for name in KIOSKS}
        #: By kiosk: number and amount of its n-th fact.
        self.paid: dict[str, list[tuple[str, int]]] = {name: [] for name in KIOSKS}
        self.counted = dict.fromkeys(KIOSKS, 0)
        #: By state of the data set: how far its balances had counted each kiosk.
        self.told: dict[tuple[int, int], dict[str, int]] = {}
        for number in NUMBERS[:3]:
            self.hub.imported(number)

    def act(self, name: str, *more: object) -> None:
        """Let one thing happen."""
        hub, kiosk = self.hub, self.kiosks.get(str(more[0])) if more else None
        if name == "pay":
            facts = self.paid[str(more[0])]
            facts.append((str(more[1]), 10 ** len(facts) if len(facts) < 6 else 7))
        elif name == "post":
            at = self.counted[str(more[0])]
            if at < len(self.paid[str(more[0])]):
                self.counted[str(more[0])] = at + 1
                hub.posted(str(more[0]), at + 1, *self.paid[str(more[0])][at])
        elif name == "publish":
            hub.publish(most=int(str(more[0])))
            for data in hub.librarian.holdings():
                self.told[data.generation, data.cursor] = dict(self.counted)
        elif name == "sync" and kiosk is not None:
            kiosk.asks_again()
            kiosk.sync(most=int(str(more[1])))
        elif name == "kill" and kiosk is not None:
            kiosk.kill()
            kiosk.start()
        elif name == "import":
            hub.imported(str(more[0]), held_days=hub.now_ns // 10**9 % 1000)
        elif name == "gone":
            hub.imported(str(more[0]), gone=True)
        elif name == "rebuild":
            with hub.stores.books.begin() as books:
                for table in (tables.published, tables.publication, tables.published_through, tables.state):
                    books.execute(sa.delete(table))

    def check(self) -> None:
        """Hold what each kiosk would show against what was paid."""
        for name, kiosk in self.kiosks.items():
            with closing(Replica.open(kiosk.path)) as replica:
                held = replica.dataset(SET)
                if held is None:
                    continue
                told = self.told[held.generation, held.cursor]
                for number in NUMBERS:
                    found = replica.find(SERVICE, number)
                    if found is None:
                        continue
                    own = [minor for paid, minor in self.paid[name] if paid == number]
                    later = self.paid[name][found.posted_through.seq :]
                    shown = found.paid_minor + sum(minor for paid, minor in later if paid == number)
                    others = sum(
                        minor
                        for other in KIOSKS if other != name
                        for paid, minor in self.paid[other][: told[other]] if paid == number
                    )  # fmt: skip
                    assert shown == sum(own) + others, (name, number, shown, own, others)


@example([("pay", "K01", "1"), ("publish", 4), ("post", "K01"), ("sync", "K01", 100)])  # counted later
@example([("publish", 4), ("sync", "K01", 100), ("pay", "K01", "1"), ("post", "K01"), ("sync", "K01", 100)])
@example([("pay", "K01", "1"), ("post", "K01"), ("publish", 4), ("sync", "K01", 2), ("pay", "K01", "1"),
          ("post", "K01"), ("publish", 4), ("kill", "K01"), ("sync", "K01", 100)])  # counted while a snapshot was cut
@example([("publish", 4), ("sync", "K01", 100), ("gone", "1"), ("gone", "2"), ("gone", "3"), ("rebuild",)])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(acts, min_size=8, max_size=40))
def test_no_kiosk_ever_subtracts_its_own_payment_twice_or_forgets_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, happened: list[tuple[object, ...]]
) -> None:
    monkeypatch.setattr(answers, "_ROWS", 2)  # so that three rows make a run of several parts
    for group in ("office", "books"):
        with stores.engine(group).begin() as connection:
            for table in reversed(getattr(tables, group).sorted_tables):
                connection.execute(sa.delete(table))
    with tempfile.TemporaryDirectory() as folder:
        world = World(stores, Path(folder))
        try:
            for act in happened:
                world.act(str(act[0]), *act[1:])
                world.check()
            for name in KIOSKS:  # and in the end everybody has everything
                while world.counted[name] < len(world.paid[name]):
                    world.act("post", name)
            for _ in range(20):
                world.act("publish", 1)
            for name, kiosk in world.kiosks.items():
                world.act("sync", name, 100)
                assert kiosk.feed.cursors() == world.hub.librarian.holdings()
                assert kiosk.feed.troubles == {}
            world.check()
        finally:
            for kiosk in world.kiosks.values():
                kiosk.kill()
