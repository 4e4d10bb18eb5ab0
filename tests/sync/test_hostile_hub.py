"""A hub that is broken or malicious stops nothing here, fills nothing, and is believed nothing that it may not say."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kiosk.errors import ControlError, JournalDamaged, SyncError, WireError
from kiosk.journal.encoding import decode
from kiosk.journal.store import Journal
from kiosk.sync import wire
from kiosk.sync.adoption import AT_ONCE, Adoption
from kiosk.sync.allowance import Allowance
from kiosk.sync.asking import ask
from kiosk.sync.keys import CURRENT, ENROLLING, NEXT, TransportKey, approved_hub, take_into_use
from kiosk.sync.messages import Ack, DataCursor, Done, Enrolment, Hello, Mark, Message, Nack, Nudge, Status, Welcome
from kiosk.sync.orders import MOST_NEW, Keyring
from kiosk.sync.session import Session
from kiosk.sync.traffic import SECOND, Acked, Habits, State
from kiosk.sync.wire import Head
from tests.sync.fake_hub import hub
from tests.sync.journals import KEY, commit
from tests.sync.test_service import MS, Kiosk, everything_is_there, order_of

HEAD = Mark(2, 10, b"h" * 32)


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    made = Kiosk(tmp_path)
    yield made
    made.stop()
    made.journal.close()


@pytest.mark.parametrize("number", wire.TYPES)
def test_arrays_within_arrays_are_a_malformed_message_of_every_type(number: int) -> None:
    kind, way = wire.TYPES[number]
    fields = len(msgspec.structs.fields(kind))
    deep = b"\x91" * 3000 + b"\x00"
    frames = wire.encode(_least(kind), session=0, number=1)
    assert frames[1][0] == 0x90 | fields or frames[1][0] == 0xDC  # an array; fields of a later version follow
    body = frames[1][1:] if frames[1][0] != 0xDC else frames[1][3:]
    with pytest.raises(WireError) as refused:
        wire.decode([frames[0], b"\xdc" + (fields + 1).to_bytes(2, "big") + body + deep], way)
    assert refused.value.code == "malformed"


def _least(kind: type[Message]) -> Message:
    """A message of a kind with the least in it."""
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        for value in (0, "", b"", (), True, Mark(), DataCursor(""), None, "a" * 40, [0, 0, "", False]):
            try:
                values[field.name] = msgspec.convert(msgspec.to_builtins(value, builtin_types=(bytes,)), field.type)
                break
            except msgspec.ValidationError:
                continue
    return kind(**values)


def test_a_row_of_arrays_within_arrays_is_no_fact() -> None:
    with pytest.raises(JournalDamaged):
        decode(b'{"later":' + b"[" * 5000 + b"]" * 5000 + b"}")


def test_a_message_of_a_few_bytes_does_not_become_a_large_one() -> None:
    frames = wire.encode(Nudge(tuple(DataCursor("a") for _ in range(1025))), session=0, number=1, pack=True)
    with pytest.raises(WireError, match="length <= 1024"):
        wire.decode(frames, wire.DOWN)


def test_no_text_holds_what_a_database_cannot() -> None:
    with pytest.raises(WireError, match="matching regex"):
        wire.decode(wire.encode(Nudge((DataCursor("a\0"),)), session=0, number=1), wire.DOWN)


def _session() -> Session:
    session = Session("city", Habits(), Mark(2, 5, b"5" * 32), lambda count: 0)
    session.head = HEAD
    session.opened(0, Hello(1, 1, "K07", "live", 1, HEAD, Mark(), Mark(), _clock(), (), 1, "", 0))
    return session


def _clock() -> object:
    return msgspec.convert([0, 0, "", True], next(f.type for f in msgspec.structs.fields(Hello) if f.name == "clock"))


def _welcome(durable: Mark) -> Welcome:
    return Welcome(1, 7, "city", "i", durable, Mark(), 4, 1 << 20, 1000, 1 << 19, 0, (1,), "")


def test_a_place_without_a_fact_acknowledges_nothing() -> None:
    """A mark of an epoch alone would say that all earlier epochs are there, without one hash to show for it."""
    session = _session()
    told = session.received(Head(1, 2, 7, 1), _welcome(Mark(2**32 - 1, 0)), 0, 0, None)
    assert session.acked == Mark(2, 5, b"5" * 32)
    assert session.state is State.HALTED
    assert not [each for each in told if isinstance(each, Acked)]


def test_an_acknowledgement_of_another_fact_at_the_same_place_is_not_taken() -> None:
    session = _session()
    session.received(Head(1, 2, 7, 1), _welcome(Mark(2, 5, b"5" * 32)), 0, 0, b"5" * 32)
    told = session.received(Head(1, 4, 7, 2), Ack(Mark(2, 5, b"x" * 32), Mark(), 4, 1, b"r" * 64), 1, 0, b"5" * 32)
    assert session.trouble == "parted"
    assert not [each for each in told if isinstance(each, Acked)]


def test_a_signing_key_that_is_none_is_not_kept() -> None:
    answer = Enrolment("approved", "w", hub="city", server_key="k", signing_key="z" * 64)
    with pytest.raises(SyncError, match="no signing key"):
        approved_hub("K07", "f", "k", answer)


def test_a_signing_key_that_was_spoiled_here_is_told_and_ends_nothing(kiosk: Kiosk) -> None:
    with hub() as city:
        kiosk.knows(city, signing_key="z" * 64)
        kiosk.start()
        kiosk.until(lambda: kiosk.trouble() == "not_enrolled" or any("signing key" in line for line in kiosk.said))
        assert not city.came


class _FullDisk:
    """A database whose disk takes nothing."""

    in_transaction = False

    def __init__(self, real: sqlite3.Connection, words: str) -> None:
        self._real, self._words = real, words

    def execute(self, statement: str, *values: object) -> object:
        if statement.startswith(self._words):
            raise sqlite3.OperationalError("database or disk is full")
        return self._real.execute(statement, *values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


@pytest.mark.parametrize("words", [("BEGIN", "INSERT"), "SELECT"])
def test_a_disk_that_takes_or_gives_nothing_keeps_no_fact_from_going_up(
    kiosk: Kiosk, words: str | tuple[str, ...]
) -> None:
    with hub() as city:
        kiosk.knows(city)
        service = kiosk.start()
        service._marks._store = _FullDisk(service._marks._store, words)  # type: ignore[assignment, arg-type]
        kiosk.until(lambda: len(city.model.rows) == len(list(kiosk.journal.rows())))


def test_an_outage_does_not_keep_the_processor_busy(kiosk: Kiosk) -> None:
    with hub() as city:
        kiosk.knows(city)
        service = kiosk.start()
        kiosk.until(lambda: city.of(Status))
    kiosk.until(lambda: kiosk.trouble() != "")
    service._draw = lambda count: count - 1
    service._caller.again(time.monotonic_ns() + 60_000 * MS)
    service._logbook._sent_ns = time.monotonic_ns() - 10_000 * MS  # nothing was told for long
    started, turns = time.monotonic(), 0
    while time.monotonic() - started < 0.3:
        service.turn(100 * MS)
        turns += 1
    assert turns < 30


def test_a_hub_fills_no_journal_with_commands(kiosk: Kiosk) -> None:
    with hub() as city:
        kiosk.knows(city)
        kiosk.start()
        kiosk.until(lambda: city.of(Status))
        for number in range(MOST_NEW + 20):
            city.say(order_of(city, "shutter", "open", f"c{number}"))
        kiosk.until(lambda: any("commands more" in line for line in kiosk.said))
        city.say(order_of(city, "shutter", "open", "c0"))  # one that is known is answered all the same
        kiosk.until(lambda: len([done for done in city.of(Done) if done.id == "c0"]) == 2)  # type: ignore[attr-defined]
        assert len(kiosk.core.commands) == MOST_NEW + 1


def test_an_allowance_comes_back_with_the_time_and_never_grows_beyond_itself() -> None:
    allowance = Allowance(2, 10)
    assert [allowance.take(0), allowance.take(0), allowance.take(9), allowance.take(10)] == [True, True, False, True]
    assert [allowance.take(1000) for _ in range(3)] == [True, True, False]


class _Core:
    """A core that takes documents, or does not."""

    def __init__(self) -> None:
        self.adopted: list[str] = []
        self.away = False

    def adopt(self, name: str) -> None:
        if self.away:
            raise ControlError("no kiosk answers", transient=True)
        self.adopted.append(name)


def test_a_document_that_changes_without_end_reaches_the_core_once_in_a_minute() -> None:
    core = _Core()
    adoption = Adoption(core, lambda code, detail: None)  # type: ignore[arg-type]
    for second in range(600):
        adoption.came("pack", str(second))
        adoption.came("invoices:water_bill", str(second))
        adoption.act(second * SECOND)
    assert core.adopted == ["pack"] * (AT_ONCE + 9)
    adoption.came("people", "another")
    adoption.act(600 * SECOND)
    assert core.adopted[-1] == "people"


def test_a_document_that_the_core_could_not_take_is_told_again() -> None:
    core, told = _Core(), list[str]()
    adoption = Adoption(core, lambda code, detail: told.append(code))  # type: ignore[arg-type]
    core.away = True
    adoption.came("people", "a")
    adoption.act(0)
    core.away = False
    adoption.act(SECOND)
    assert (core.adopted, told) == ([], ["journal_away"])
    adoption.act(10 * SECOND)
    adoption.came("people", "a")
    adoption.act(20 * SECOND)
    assert core.adopted == ["people"]


@pytest.mark.parametrize("replaced", [False, True])
def test_reference_data_that_were_taken_away_begin_anew_with_a_new_start(kiosk: Kiosk, replaced: bool) -> None:
    """An open file without a name would take all that comes, and nobody would see it."""
    kiosk.start()
    path = kiosk.state / "sync.db"
    path.unlink()
    if replaced:
        path.write_bytes(b"")
    assert kiosk.service is not None
    with pytest.raises(SyncError, match="removed or replaced"):
        kiosk.service.run(lambda: False)
    kiosk.service = None
    kiosk.start()
    assert path.stat().st_size > 0


def test_another_journal_in_the_place_of_the_one_that_was_sent_is_kept_apart_and_told(kiosk: Kiosk) -> None:
    path = kiosk.state / "journal-live.db"
    kiosk.journal.close()
    old = path.with_name("old.db")
    shutil.copy(path, old)
    kiosk.journal = Journal.open(path, key=KEY)
    commit(kiosk.journal, 20)
    with hub() as city:
        kiosk.knows(city)
        kiosk.start()
        kiosk.until(lambda: everything_is_there(kiosk.journal, city))
        before = list(city.model.rows)
        kiosk.journal.close()
        for more in ("-wal", "-shm"):
            path.with_name(path.name + more).unlink(missing_ok=True)
        old.replace(path)
        kiosk.journal = Journal.open(path, key=KEY)
        commit(kiosk.journal, 15, 2)  # other facts at the same places, and beyond
        kiosk.until(lambda: kiosk.trouble() in ("fork", "parted", "journal_damaged", "wrong_chain"))
        assert list(city.model.rows)[: len(before)] == before
        ask(kiosk.runtime)
        kiosk.until(lambda: kiosk.trouble() in ("fork", "parted"))
        assert kiosk.standing().unsynced > 0


def test_a_hub_that_turns_a_kiosk_away_keeps_it_from_no_other(kiosk: Kiosk) -> None:
    """Without a second hub the kiosk waits for minutes: nothing changes by trying often."""
    with hub("city-hall") as first, hub("town-hall") as second:
        first.model.receive = lambda session, message: Nack("fenced")  # type: ignore[method-assign, assignment]
        kiosk.knows(first, second)
        kiosk.start()
        kiosk.until(lambda: everything_is_there(kiosk.journal, second))
        assert kiosk.standing().hub == "town-hall"


def test_no_hub_alone_changes_the_key_by_which_two_know_a_kiosk(kiosk: Kiosk) -> None:
    with hub("city-hall") as first, hub("town-hall") as second:
        kiosk.knows(first, second)
        kiosk.start()
        kiosk.until(lambda: first.of(Status))
        first.say(order_of(first, "rotate"))
        kiosk.until(lambda: first.of(Done))
    (done,) = first.of(Done)
    assert isinstance(done, Done)
    assert (done.outcome, done.key) == ("refused", "")
    assert not (kiosk.state / NEXT).exists()


def test_a_key_that_was_announced_before_a_new_enrolment_is_not_tried_again(tmp_path: Path) -> None:
    for name in (CURRENT, NEXT, ENROLLING):
        TransportKey.create(tmp_path / name)
    fresh = TransportKey.load(tmp_path / ENROLLING).public
    assert take_into_use(tmp_path, ENROLLING).public == fresh
    assert Keyring(tmp_path).pair().public == fresh


def test_a_hubs_words_begin_no_line_of_the_log(kiosk: Kiosk) -> None:
    with hub() as city:
        city.model.receive = lambda session, message: Nack("x\nforged", detail="a\r\nkiosk: all is well\x1b[2J")  # type: ignore[method-assign, assignment]
        kiosk.knows(city)
        kiosk.start()
        kiosk.until(lambda: "all is well" in "".join(kiosk.said))
        assert all(line.isprintable() for line in kiosk.said)
        kiosk.until(lambda: kiosk.standing().last is not None)
        assert kiosk.standing().last.detail.isprintable()  # type: ignore[union-attr]
