"""The demonstration as a whole: what is paid at the screen stands at the hub, and the hub's word at the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from kiosk.app.hubs import load_hub
from kiosk.cli.hub_commands import ask
from kiosk.hub.store.tables import command, fact
from kiosk.model.money import Money
from kiosk.workbench import picture
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import KIOSK
from kiosk.workbench.hands import Hands
from kiosk.workbench.hub_beside import HubBeside

PATIENCE_S = 60.0
FIFTEEN, TWENTY = "260004355", "260004329"
WORDS = "Water in the hall. City Hall, Main Street 1, is open until 6 pm."


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A kiosk, its hub and the network between them."""
    demonstration = Demonstration(tmp_path_factory.mktemp("demo") / "here", quick=True, load_hub=load_hub)
    try:
        demonstration.start()
        demonstration.stage.wait_screen("idle", 30_000)
        yield demonstration
    finally:
        demonstration.stop()


@pytest.fixture
def hub(demo: Demonstration) -> HubBeside:
    assert demo.hub is not None
    return demo.hub


def until(done: Callable[[], bool], what: str) -> float:
    """Wait until it is so; return the seconds that it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < PATIENCE_S, what
        time.sleep(0.02)
    return time.monotonic() - began


def pay(demo: Demonstration, label: str, *notes: int) -> None:
    stage = demo.stage
    stage.wait_screen("idle", 30_000)
    stage.scan(label)
    stage.wait_screen("reviewing", 10_000)
    stage.touch("pay", ())
    stage.touch("accept", ())
    stage.wait_screen("accepting", 10_000)
    left = sum(notes)
    for dollars in notes:
        stage.expect_remaining(Money(left * 100, "USD"))
        stage.insert(Money(dollars * 100, "USD"), False)
        left -= dollars
    stage.expect_receipt(True)


def posted(hub: HubBeside, kind: str) -> int:
    """How many facts of a kind the hub's books hold."""
    counted = sa.select(sa.func.count()).select_from(fact).where(fact.c.kiosk == KIOSK, fact.c.kind == kind)
    with hub.stores.books.connect() as connection:
        return int(connection.execute(counted).scalar_one())


def test_a_payment_at_the_screen_stands_in_the_hubs_books(demo: Demonstration, hub: HubBeside) -> None:
    before = posted(hub, "settled")
    pay(demo, FIFTEEN, 10, 5)
    until(lambda: hub.behind() == 0, "the hub's disk holds every fact")
    until(lambda: posted(hub, "settled") == before + 1, "the hub's books hold the payment")
    assert hub.look().unsynced == 0
    assert picture.state(demo, 0)["hub"]["network"] == "joined"


def test_without_the_network_the_kiosk_goes_on_and_catches_up(demo: Demonstration, hub: HubBeside) -> None:
    hands = Hands(demo)
    assert hands.act("network", "cut") == "cut the network to the hub"
    before = posted(hub, "settled")
    pay(demo, TWENTY, 20)
    told = picture.state(demo, 0)["hub"]
    assert told["network"] == "cut"
    assert told["unsynced"] > 0
    assert told["committed"] > told["unsynced"]
    assert posted(hub, "settled") == before
    hands.act("network", "joined")
    until(lambda: hub.behind() == 0, "the hub holds what happened meanwhile")
    until(lambda: posted(hub, "settled") == before + 1, "the hub's books hold the payment")


def test_the_hub_closes_the_counter_with_its_own_words(demo: Demonstration, hub: HubBeside) -> None:
    demo.stage.wait_screen("idle", 30_000)
    order(hub, "closed", WORDS)
    demo.stage.wait_screen("out_of_service", 10_000)
    assert WORDS in str(demo.screen.look()["messages"])
    order(hub, "open", "")
    demo.stage.wait_screen("idle", 10_000)


def order(hub: HubBeside, argument: str, words: str) -> None:
    name = ask(hub.stores, KIOSK, "shutter", argument, words, by="system:test", now_ns=time.time_ns())
    wanted = sa.select(command.c.state).where(command.c.id == name)

    def done() -> bool:
        with hub.stores.office.connect() as connection:
            return connection.execute(wanted).scalar() == "done"

    until(done, f"the kiosk answers the shutter {argument}")


def test_a_power_cut_takes_the_line_and_the_hub_is_told_of_the_next_start(demo: Demonstration, hub: HubBeside) -> None:
    before = posted(hub, "started")
    demo.cut_power()
    assert not hub.sync.running
    assert hub.hub.running
    demo.restore_power()
    until(lambda: posted(hub, "started") == before + 1, "the hub hears of the start")
