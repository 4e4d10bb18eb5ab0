"""kiosk-sync whole, on a real port and a real journal, with everything that can happen to a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.errors import ControlError
from kiosk.journal.store import Journal
from kiosk.sync import caller, standing
from kiosk.sync.asking import ask
from kiosk.sync.keys import CURRENT, NEXT, KnownHub, TransportKey, fingerprint, keep_hub, load_hubs
from kiosk.sync.marks import STARTS, Marks, next_start
from kiosk.sync.messages import (
    Ahead,
    Clock,
    Command,
    DataCursor,
    Done,
    End,
    Hello,
    Mark,
    Message,
    Nack,
    Nudge,
    Pull,
)  # fmt: skip
from kiosk.sync.messages import (
    Journal as Rows,
)
from kiosk.sync.parts import SyncParts
from kiosk.sync.receipts import command_message
from kiosk.sync.service import SyncService
from kiosk.sync.settings import HubAddress, SyncSettings
from kiosk.sync.standing import Standing
from tests.sync.fake_hub import FakeHub, hub, until
from tests.sync.journals import commit, new_journal, spoil

MS = 1_000_000


class CoreView(msgspec.Struct):
    """What a core would tell."""

    state: str = "open"
    reasons: tuple[str, ...] = ()
    devices: tuple[Any, ...] = ()
    paper: str = "plenty"
    stacker_permille: int | None = 120
    clock: Clock = Clock(1, 2, "boot-1", True)
    alarms: tuple[str, ...] = ()
    commands: tuple[Any, ...] = ()


class Answered(msgspec.Struct):
    """How a command stands."""

    id: str
    outcome: str
    detail: str = ""


class FakeCore:
    """A core that can be down, and keeps what it was asked."""

    def __init__(self) -> None:
        self.view: CoreView | None = CoreView()
        self.commands: list[tuple[str, str]] = []
        self.outcome = "done"
        self.signed: list[bytes] = []
        self.adopted: list[str] = []

    def state(self) -> CoreView | None:
        return self.view

    def command(self, message: Command, hub: str = "") -> Done:
        if self.view is None:
            raise ControlError("no kiosk answers", transient=True)
        self.commands.append((message.command, hub))
        return Done(message.id, self.outcome)

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return b"s" * 64

    def adopt(self, name: str) -> None:
        self.adopted.append(name)


class FakeFeed:
    """Reference data that asks once and keeps what came."""

    def __init__(self) -> None:
        self.troubles: dict[str, str] = {}
        self.came: list[Message] = []
        self.asks: list[Message] = []
        self.digest = "a"
        self.closed = False

    def connected(self, hub: str, signing_key: str) -> None:
        self.asks = [Pull(DataCursor("people"))]

    def cursors(self, hub: str = "") -> tuple[DataCursor, ...]:
        return (DataCursor("people", 1, 1, self.digest),)

    def wants(self, now_ns: int) -> list[Message]:
        asked, self.asks = self.asks, []
        return asked

    def received(self, message: Message, now_ns: int) -> list[Message]:
        self.came.append(message)
        self.digest = "b"
        return []

    def close(self) -> None:
        self.closed = True


class Kiosk:
    """A state directory with a journal, keys and known hubs, and kiosk-sync on it."""

    def __init__(self, directory: Path) -> None:
        self.state, self.runtime = directory / "state", directory / "run"
        self.state.mkdir(mode=0o700)
        self.journal = new_journal(self.state / "journal-live.db")
        self.key = TransportKey.create(self.state / CURRENT)
        self.core, self.feed = FakeCore(), FakeFeed()
        self.said: list[str] = []
        self.service: SyncService | None = None
        self.addresses: list[HubAddress] = []

    def knows(self, *hubs: FakeHub, **changes: str) -> None:
        """Enrol at hubs, in their order of preference."""
        for each in hubs:
            pinned = fingerprint(each.key.public)
            self.addresses.append(HubAddress(each.endpoint, each.endpoint, pinned))
            known = KnownHub(
                hub=each.model.hub, fingerprint=pinned, kiosk="K07", server_key=each.key.public,
                signing_key=each.signer.public_hex,
            )  # fmt: skip
            keep_hub(self.state, msgspec.structs.replace(known, **changes))

    def start(self, **settings: Any) -> SyncService:
        """Start kiosk-sync."""
        parts = SyncParts(
            kiosk="K07", realm="live", software="test", state=self.state, runtime=self.runtime,
            journal=self.state / "journal-live.db", replica=self.state / "sync.db",
            settings=SyncSettings(hub=tuple(self.addresses), **settings), core=self.core, feed=self.feed,
            give_way_ns=200 * MS, look_back_ns=200 * MS,
        )  # fmt: skip
        # Chance that always wins: the shortest wait.
        self.service = SyncService(parts, self.said.append, lambda count: 0)
        return self.service

    def until(self, done: Callable[[], object]) -> None:
        """Let kiosk-sync work until something is so."""
        service = self.service
        assert service is not None
        until(lambda: service.turn(20 * MS), done)

    def stop(self) -> None:
        """End kiosk-sync."""
        if self.service is not None:
            self.service.close()
        self.service = None

    def standing(self) -> Standing:
        """What the file for people says."""
        found = standing.read(self.runtime)
        assert found is not None
        return found

    def trouble(self) -> str:
        """What is wrong, by the file."""
        found = standing.read(self.runtime)
        return found.trouble.code if found and found.trouble else ""


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.stop()
    made.journal.close()


@pytest.fixture
def city() -> Iterator[FakeHub]:
    with hub() as made:
        yield made


def everything_is_there(journal: Journal, hub: FakeHub) -> bool:
    """Whether a hub holds the whole journal, byte for byte."""
    return [row[2] for row in list(hub.model.rows)] == [row.row for row in journal.rows()]


def order_of(hub: FakeHub, command: str, argument: str = "", number: str = "c1") -> Command:
    """A command that the hub signed."""
    bare = Command(number, command, argument, "", "p01")
    return msgspec.structs.replace(bare, signature=hub.signer.sign(command_message(hub.model.hub, "K07", bare)))


def test_a_whole_journal_arrives_byte_for_byte_and_news_follow(kiosk: Kiosk, city: FakeHub) -> None:
    commit(kiosk.journal, 40, 3)
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))
    commit(kiosk.journal)
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))
    (hello,) = city.of(Hello)
    assert isinstance(hello, Hello)
    assert (hello.kiosk, hello.realm, hello.boot, hello.oldest_kept.seq) == ("K07", "live", 1, 1)
    kiosk.until(lambda: kiosk.standing().unsynced == 0 and kiosk.standing().acked == kiosk.standing().head)
    assert (kiosk.standing().state, kiosk.standing().hub) == ("streaming", "city-hall")
    assert kiosk.trouble() == ""


def test_a_start_knows_how_far_the_hub_was_and_counts_itself(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    for number in (1, 2):
        kiosk.start()
        kiosk.until(lambda: len(city.of(Hello)) == number)  # noqa: B023 (run at once)
        kiosk.until(lambda: everything_is_there(kiosk.journal, city) and kiosk.standing().unsynced == 0)
        kiosk.stop()
    first, second = city.of(Hello)
    assert isinstance(first, Hello)
    assert isinstance(second, Hello)
    assert (first.boot, first.acked, second.boot) == (1, Mark(), 2)
    assert second.acked == second.head
    assert kiosk.feed.closed


def test_after_a_cut_only_what_is_missing_goes_again(kiosk: Kiosk, tmp_path: Path) -> None:
    commit(kiosk.journal, 5)
    with hub() as city:
        kiosk.knows(city)
        kiosk.start()
        kiosk.until(lambda: everything_is_there(kiosk.journal, city))
        kiosk.until(lambda: kiosk.standing().unsynced == 0)
    kiosk.until(lambda: kiosk.trouble() in ("cut", "unreachable"))
    commit(kiosk.journal, 5)
    kiosk.until(lambda: kiosk.standing().unsynced == 5)
    with hub(port=city.port, key=city.key) as again:
        again.model.rows = city.model.rows
        kiosk.until(lambda: everything_is_there(kiosk.journal, again))
        (rows,) = again.of(Rows)
        assert isinstance(rows, Rows)
        assert rows.first == 7


def test_a_line_that_is_open_at_one_end_only_is_given_up(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: everything_is_there(kiosk.journal, city) and kiosk.standing().unsynced == 0)
    city.silent = True
    commit(kiosk.journal)
    kiosk.until(lambda: kiosk.trouble() == "silent")
    city.silent = False
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))


def test_whoever_holds_another_key_than_the_pinned_one_gets_its_own_words(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city, server_key=TransportKey.generate().public)
    kiosk.start()
    kiosk.until(lambda: kiosk.trouble() == "other_key")
    trouble = kiosk.standing().trouble
    assert trouble is not None
    assert "does not hold the key that is pinned here" in trouble.words
    assert "enrol again" in trouble.cure
    assert city.came == []


def test_a_hub_that_announced_its_next_key_may_answer_with_it(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city, server_key=TransportKey.generate().public, next_key=city.key.public)
    kiosk.start()
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))
    (known,) = load_hubs(kiosk.state).values()
    assert (known.server_key, known.next_key) == (city.key.public, "")


def test_the_second_hub_takes_over_and_the_first_gets_everything_when_it_is_back(kiosk: Kiosk) -> None:
    with hub("first") as first:
        pass
    with hub("second") as second:
        kiosk.knows(first, second)
        kiosk.start()
        commit(kiosk.journal, 3)
        kiosk.until(lambda: everything_is_there(kiosk.journal, second))
        with hub("first", port=first.port, key=first.key) as back:
            commit(kiosk.journal, 3)
            kiosk.until(lambda: everything_is_there(kiosk.journal, back))
            kiosk.until(lambda: kiosk.standing().hub == "first" and kiosk.standing().unsynced == 0)
    kiosk.stop()
    marks = Marks(kiosk.state / "sync.db")
    assert marks.acked("first").seq == 7
    assert marks.acked("second").seq >= 4
    marks.close()


def test_a_kiosk_that_nobody_took_in_waits_and_says_so(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.addresses.append(HubAddress(city.endpoint, city.endpoint, fingerprint(city.key.public)))
    kiosk.start()
    kiosk.until(lambda: kiosk.trouble() == "not_enrolled")
    kiosk.addresses.clear()
    kiosk.knows(city)
    ask(kiosk.runtime)
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))


def test_status_goes_at_once_when_something_changed(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: city.last_status() is not None)
    kiosk.core.view = CoreView(state="closed", reasons=("no_paper",), paper="out")
    kiosk.until(lambda: (told := city.last_status()) is not None and told.paper == "out")
    kiosk.core.view = None
    kiosk.until(lambda: (told := city.last_status()) is not None and told.state == "down")
    told = city.last_status()
    assert told is not None
    assert (told.devices, told.stacker_permille, told.alarms) == ((), None, ("core_down",))


def test_a_journal_that_is_not_there_keeps_the_status_going(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    path = kiosk.state / "journal-live.db"
    path.rename(kiosk.state / "aside.db")
    kiosk.core.view = None
    kiosk.start()
    kiosk.until(lambda: (told := city.last_status()) is not None and told.state == "down")
    (kiosk.state / "aside.db").rename(path)
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))


def test_damage_in_the_journal_is_told_and_fresh_facts_still_arrive(kiosk: Kiosk, city: FakeHub) -> None:
    commit(kiosk.journal, 8)
    kiosk.journal.close()
    spoil(kiosk.state / "journal-live.db", 6)
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: (1, 9) in city.model.beside)
    assert city.model.durable.seq == 5
    assert min(city.model.beside) == (1, 7)
    kiosk.until(lambda: (told := city.last_status()) is not None and "sync_journal_damaged" in told.alarms)
    kiosk.until(lambda: kiosk.trouble() == "journal_damaged")
    assert not [message for message in city.of(Rows) if isinstance(message, Rows) and message.first > 5]
    assert city.of(Ahead)


def test_a_command_is_followed_only_when_the_hub_signed_it(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: kiosk.service is not None and city.last_status() is not None)
    city.say(msgspec.structs.replace(order_of(city, "shutter", "closed"), argument="open"))
    kiosk.until(lambda: city.of(Done))
    city.say(order_of(city, "shutter", "closed", "c2"))
    kiosk.until(lambda: len(city.of(Done)) == 2)
    assert city.of(Done) == [Done("c1", "refused", "the signature is not the hub's"), Done("c2", "done")]
    assert kiosk.core.commands == [("shutter", "city-hall")]


def test_a_command_waits_for_a_core_that_is_down_and_its_end_is_told(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.core.view = None
    kiosk.start()
    kiosk.until(lambda: city.last_status() is not None)
    city.say(order_of(city, "close"))
    city.say(Nudge((DataCursor("people"),)))
    kiosk.until(lambda: [message for message in kiosk.feed.came if isinstance(message, Nudge)])
    assert city.of(Done) == []
    kiosk.core.view, kiosk.core.outcome = CoreView(), "waiting"
    kiosk.until(lambda: city.of(Done) == [Done("c1", "waiting")])
    kiosk.core.view = CoreView(commands=(Answered("c1", "done", "2026-11-22"),))
    kiosk.until(lambda: city.of(Done)[1:] == [Done("c1", "done", "2026-11-22")])


def test_rows_are_sent_again_when_the_hub_commands_it(kiosk: Kiosk, city: FakeHub) -> None:
    commit(kiosk.journal, 5)
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: everything_is_there(kiosk.journal, city) and kiosk.standing().unsynced == 0)
    before = len(city.of(Rows))
    city.say(order_of(city, "resend", "1/3"))
    kiosk.until(lambda: len(city.of(Rows)) > before)
    again = city.of(Rows)[before]
    assert isinstance(again, Rows)
    assert again.first == 3
    assert everything_is_there(kiosk.journal, city)


def test_the_kiosks_next_key_is_announced_and_comes_into_use(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: city.last_status() is not None)
    city.say(order_of(city, "rotate"))
    kiosk.until(lambda: city.of(Done))
    (done,) = city.of(Done)
    assert isinstance(done, Done)
    assert (done.outcome, done.signature) == ("done", b"s" * 64)
    assert done.key.encode() in kiosk.core.signed[0]
    kiosk.until(lambda: len(city.of(Hello)) == 2 and not (kiosk.state / NEXT).exists())
    assert TransportKey.load(kiosk.state / CURRENT).public == done.key != kiosk.key.public


def test_signed_receipts_are_kept_and_false_ones_told(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    city.signs = True
    kiosk.start()
    kiosk.until(lambda: everything_is_there(kiosk.journal, city) and kiosk.standing().unsynced == 0)
    city.model.hub = "somebody-else"
    commit(kiosk.journal)
    kiosk.until(lambda: (last := kiosk.standing().last) is not None and last.code == "bad_receipt")
    kiosk.stop()
    marks = Marks(kiosk.state / "sync.db")
    assert [receipt.mark.seq for receipt in marks.receipts("city-hall")] == [1]
    assert marks.sessions()[0][0] == "city-hall"
    marks.close()


def test_documents_of_the_hub_are_adopted_once_they_are_whole(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: city.of(Pull))
    city.say(End(DataCursor("people", 1, 2, "b"), 1, 1, 0, b""))
    kiosk.until(lambda: kiosk.core.adopted)
    assert kiosk.core.adopted == ["people"]


def test_a_line_is_opened_anew_once_a_day_because_a_hub_tells_its_next_key_with_it(
    kiosk: Kiosk, city: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "RENEW_NS", 300 * MS)
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: len(city.of(Hello)) >= 2)
    assert any("opened anew" in line for line in kiosk.said)


def test_a_second_machine_with_this_identity_ends_the_line_and_says_so(kiosk: Kiosk, city: FakeHub) -> None:
    kiosk.knows(city)
    kiosk.start()
    kiosk.until(lambda: city.last_status() is not None)
    city.say(Nack("fenced"))
    kiosk.until(lambda: kiosk.trouble() == "fenced")
    assert "another machine speaks for this kiosk" in "".join(kiosk.said)
    assert kiosk.standing().state == "closed"


def test_a_line_that_is_paid_by_volume_carries_compressed_rows(kiosk: Kiosk, city: FakeHub) -> None:
    commit(kiosk.journal, 20, 10)
    kiosk.knows(city)
    kiosk.start(metered=True, kilobits=100_000)
    kiosk.until(lambda: everything_is_there(kiosk.journal, city))


def test_the_number_of_a_start_outlives_the_reference_data(tmp_path: Path) -> None:
    assert [next_start(tmp_path) for _ in range(3)] == [1, 2, 3]
    (tmp_path / "sync.db").unlink(missing_ok=True)
    assert next_start(tmp_path) == 4
    assert (tmp_path / STARTS).stat().st_mode & 0o777 == 0o600
