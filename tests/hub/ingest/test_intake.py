"""A worker without a network: what it stores, whom it answers, and when."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from kiosk.errors import StoreError
from kiosk.hub.ingest import answering, intake
from kiosk.hub.ingest.known import RegisteredKey
from kiosk.hub.ingest.segments import SegmentStore
from kiosk.hub.revisions import bump
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.journal.keys import verify
from kiosk.model.facts import DayClosed
from kiosk.sync.messages import Ack, Mark, Nack, Ping, Seen, Welcome
from kiosk.sync.receipts import next_key_message, receipt_message
from tests.hub.ingest.conftest import HUB, HUB_KEY, approve, findings_here, make_worker, rows_here
from tests.hub.ingest.journals import (
    NOW,
    SECOND,
    Kiosk,
    ahead_of,
    answer_of,
    envelope_of,
    frames,
    make_clone,
    make_kiosk,
    make_restored,
)  # fmt: skip


@pytest.fixture(scope="module")
def kiosks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kiosk]:
    room = tmp_path_factory.mktemp("journals")
    return {name: make_kiosk(room, name, (1, 2, 1, 3)) for name in ("K07", "K08", "K09")}


@pytest.fixture
def kiosk(kiosks: dict[str, Kiosk], stores: Stores) -> Kiosk:
    approve(stores, kiosks["K07"])
    return kiosks["K07"]


def greet(worker: intake.Intake, kiosk: Kiosk, **more: Any) -> Welcome:
    """Say HELLO; return the WELCOME."""
    peer = more.pop("peer", b"peer1")
    told = worker.take([frames(kiosk, kiosk.hello(**more), peer=peer)], NOW)
    welcome = answer_of(told[0])
    assert isinstance(welcome, Welcome)
    return welcome


def test_a_kiosk_is_welcomed_taken_in_and_acknowledged(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores)
    welcome = greet(worker, kiosk)
    assert (welcome.session, welcome.hub, welcome.incarnation) == (1, HUB, "incarnation-1")
    assert (welcome.durable, welcome.batches, welcome.bytes) == (Mark(), 4, 2 << 20)
    assert welcome.signing_key == HUB_KEY.public_hex
    told = worker.take([frames(kiosk, batch, 1) for batch in kiosk.whole()], NOW)
    acks = [answer_of(one) for one in told]
    assert [ack.durable.seq for ack in acks if isinstance(ack, Ack)] == [1, 2, 4, 5, 8]
    assert rows_here(stores, "K07") == [row.row for row in kiosk.rows]
    again = greet(make_worker(stores), kiosk)
    assert (again.durable, again.session) == (Mark(1, 8, kiosk.rows[-1].hash), 2)


def test_everything_that_waits_is_one_commit_and_no_answer_leaves_before_it(
    stores: Stores, kiosks: dict[str, Kiosk], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker(stores)
    for kiosk in kiosks.values():
        approve(stores, kiosk)
        greet(worker, kiosk)
    order: list[str] = []
    commit, answer = SegmentStore.commit, answering.Answering.answer
    monkeypatch.setattr(SegmentStore, "commit", lambda *told: (commit(*told), order.append("commit"))[0])
    monkeypatch.setattr(answering.Answering, "answer", lambda *told: (order.append("answer"), answer(*told))[1])
    worker.take([frames(kiosk, batch, 1) for kiosk in kiosks.values() for batch in kiosk.whole()], NOW)
    assert order == ["commit"] + ["answer"] * 15


def test_wild_deliveries_of_several_kiosks_end_in_exactly_their_journals(
    both_stores: Stores, kiosks: dict[str, Kiosk]
) -> None:
    chance = random.Random(4711)
    for kiosk in kiosks.values():
        approve(both_stores, kiosk)
    worker = make_worker(both_stores)
    sessions = {name: greet(worker, kiosk).session for name, kiosk in kiosks.items()}
    for round_ in range(12):
        messages = []
        for _ in range(chance.randrange(1, 8)):
            kiosk = chance.choice(list(kiosks.values()))
            end = chance.choice(kiosk.ends)
            batch = kiosk.batch(chance.randrange(end + 1), end)
            message = ahead_of(batch) if chance.random() < 0.2 else batch
            messages.append(frames(kiosk, message, sessions[kiosk.name], pack_it=chance.random() < 0.5))
        assert len(worker.take(messages, NOW)) == len(messages)
        if round_ % 4 == 3:  # a worker that was started anew knows the same
            worker = make_worker(both_stores)
    for name, kiosk in kiosks.items():
        worker.take([frames(kiosk, kiosk.batch(0, 7), sessions[name])], NOW)
        assert rows_here(both_stores, name) == [row.row for row in kiosk.rows]
    assert findings_here(both_stores) == {}
    with both_stores.segments.begin() as connection:
        numbers = list(
            connection.execute(sa.select(tables.segment.c.number).order_by(tables.segment.c.number)).scalars()
        )
    assert numbers == list(range(1, len(numbers) + 1)), "a reader's cursor waits for ever at a gap"


def test_the_connection_of_the_session_before_is_told_that_it_is_fenced(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk, peer=b"old")
    told = worker.take([frames(kiosk, kiosk.hello(), peer=b"new")], NOW)
    assert [(envelope_of(one).peer, envelope_of(one).ended, type(answer_of(one))) for one in told] == [
        (b"new", False, Welcome),
        (b"old", True, Nack),
    ]


def test_a_guessed_session_on_another_connection_is_not_heard(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk, peer=b"true")
    (told,) = worker.take([frames(kiosk, kiosk.batch(0, 0), 1, peer=b"other")], NOW)
    nack = answer_of(told)
    assert isinstance(nack, Nack)
    assert nack.code == "fenced"
    assert rows_here(stores, "K07") == []


def test_a_worker_that_was_started_anew_goes_on_with_the_running_session(stores: Stores, kiosk: Kiosk) -> None:
    greet(make_worker(stores), kiosk)
    worker = make_worker(stores)
    (told,) = worker.take([frames(kiosk, kiosk.batch(0, 0), 1)], NOW)
    assert isinstance(answer_of(told), Ack)


def test_a_fork_keeps_both_journals_and_posts_neither_twice(stores: Stores, kiosk: Kiosk, tmp_path: Path) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk)
    clone = make_clone(tmp_path, "K07", (1, 2, 1, 3))
    told = worker.take([frames(kiosk, batch, 1) for batch in (kiosk.batch(0, 7), clone.batch(2, 4))], NOW)
    nack = answer_of(told[1])
    assert isinstance(nack, Nack)
    assert (nack.code, nack.mark) == ("fork", Mark(1, 3, kiosk.rows[2].hash))
    assert rows_here(stores, "K07") == [row.row for row in kiosk.rows]
    with stores.segments.begin() as connection:
        kept = connection.execute(sa.select(tables.kept_apart)).all()
    assert [(row.first, row.last, row.reason) for row in kept] == [(3, 5, "fork")]
    assert findings_here(stores) == {"fork": 1}
    worker.take([frames(kiosk, clone.batch(2, 4), 1)], NOW)
    assert findings_here(stores) == {"fork": 2}


def test_a_restored_kiosk_goes_on_in_its_new_epoch(stores: Stores, tmp_path: Path) -> None:
    old, kiosk = make_restored(tmp_path)
    approve(stores, kiosk)
    worker = make_worker(stores)
    greet(worker, old)
    worker.take([frames(old, batch, 1) for batch in old.whole()], NOW)
    welcome = greet(worker, kiosk, boot=2)
    assert welcome.durable == Mark(1, 6, old.rows[-1].hash)
    (told,) = worker.take([frames(kiosk, kiosk.batch(4, 6), welcome.session)], NOW)
    ack = answer_of(told)
    assert isinstance(ack, Ack)
    assert ack.durable == Mark(2, 3, kiosk.rows[-1].hash)
    assert findings_here(stores) == {"epoch_cuts_facts": 1}
    assert rows_here(stores, "K07") == [row.row for row in (*old.rows, *kiosk.rows[4:])]


def test_fresh_rows_are_told_as_seen_and_never_stored_twice(both_stores: Stores, kiosks: dict[str, Kiosk]) -> None:
    kiosk = kiosks["K07"]
    approve(both_stores, kiosk)
    worker = make_worker(both_stores)
    greet(worker, kiosk)
    told = worker.take([frames(kiosk, ahead_of(kiosk.batch(4, 7)), 1), frames(kiosk, kiosk.batch(0, 7), 1)], NOW)
    assert [type(answer_of(one)) for one in told] == [Seen, Ack]
    assert rows_here(both_stores, "K07") == [row.row for row in kiosk.rows]
    with both_stores.segments.begin() as connection:
        assert connection.execute(sa.select(tables.ahead)).all() == []


def test_a_store_that_takes_nothing_leaves_everything_unacknowledged_and_later_takes_it(
    stores: Stores, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    worker = make_worker(stores, said=said)
    greet(worker, kiosk)
    with monkeypatch.context() as broken:
        broken.setattr(SegmentStore, "commit", lambda *_: (_ for _ in ()).throw(StoreError("the disk is full")))
        told = worker.take([frames(kiosk, kiosk.batch(0, 3), 1), frames(kiosk, kiosk.batch(4, 7), 1)], NOW)
    assert [(nack.code, nack.after_ms) for nack in map(answer_of, told) if isinstance(nack, Nack)] == [
        ("busy", intake.AFTER_FAULT_MS)
    ] * 2
    assert "the disk is full" in said[0]
    told = worker.take([frames(kiosk, kiosk.batch(0, 7), 1)], NOW)
    assert isinstance(answer_of(told[0]), Ack)
    assert rows_here(stores, "K07") == [row.row for row in kiosk.rows]
    with stores.segments.begin() as connection:
        assert list(connection.execute(sa.select(tables.segment.c.number)).scalars()) == [1]


def test_a_message_that_cannot_be_decided_harms_no_other_kiosk(
    stores: Stores, kiosks: dict[str, Kiosk], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = make_worker(stores)
    for kiosk in kiosks.values():
        approve(stores, kiosk)
        greet(worker, kiosk)
    decide = intake.decide_journal

    def broken(known: Any, *more: Any) -> Any:
        if known.kiosk == "K08":
            raise ZeroDivisionError("a fault of ours")
        return decide(known, *more)

    monkeypatch.setattr(intake, "decide_journal", broken)
    told = worker.take([frames(kiosk, kiosk.batch(0, 7), 1) for kiosk in kiosks.values()], NOW)
    answers = {envelope_of(one).kiosk: answer_of(one) for one in told}
    assert isinstance(answers["K07"], Ack)
    assert isinstance(answers["K09"], Ack)
    assert isinstance(answers["K08"], Nack)
    assert answers["K08"].code == "busy"
    assert findings_here(stores) == {"internal": 1}
    assert rows_here(stores, "K08") == []


def test_bytes_that_are_no_message_are_a_finding_and_a_refusal(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk)
    good = frames(kiosk, kiosk.batch(0, 0), 1)
    told = worker.take(
        [[b"\xff"], [], [good[0]], [good[0], good[1], b"\xff"], [good[0], b"\xff", good[2]],
         frames(kiosk, Ping(1), 1), good],
        NOW,
    )  # fmt: skip
    codes = [nack.code for nack in map(answer_of, told) if isinstance(nack, Nack)]
    assert codes == ["malformed"] * 4
    assert isinstance(answer_of(told[-1]), Ack)
    assert findings_here(stores) == {"malformed": 4}


def test_what_a_row_quotes_holds_up_no_other_kiosk(both_stores: Stores, kiosks: dict[str, Kiosk]) -> None:
    """A NUL in words that a finding repeats: no column of a PostgreSQL hub takes it, and all share one commit."""
    for each in (kiosks["K07"], kiosks["K08"]):
        approve(both_stores, each)
    worker = make_worker(both_stores)
    greet(worker, kiosks["K07"])
    greet(worker, kiosks["K08"], peer=b"peer2")
    good = kiosks["K07"].batch(0, 0)
    strange = good.rows[0].replace(b'"K07"', b'"K\\u0000"')
    assert strange != good.rows[0]
    told = worker.take(
        [frames(kiosks["K07"], replace(good, rows=(strange,)), 1),
         frames(kiosks["K08"], kiosks["K08"].batch(0, 0), 1, peer=b"peer2")],
        NOW,
    )  # fmt: skip
    assert [type(answer_of(each)) for each in told] == [Nack, Ack]
    assert findings_here(both_stores) == {"unknown_epoch": 1}


@pytest.mark.parametrize("state", ["pending", "revoked"])
def test_a_kiosk_that_is_not_approved_is_refused(stores: Stores, kiosk: Kiosk, state: str) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk)
    approve(stores, kiosk, state=state)
    later = NOW + SECOND
    (told,) = worker.take([frames(kiosk, kiosk.batch(0, 0), 1)], later)
    nack = answer_of(told)
    assert isinstance(nack, Nack)
    assert (nack.code, envelope_of(told).ended) == ("revoked", True)
    assert rows_here(stores, "K07") == []


def test_a_kiosk_that_was_approved_just_now_is_welcome(stores: Stores, kiosks: dict[str, Kiosk]) -> None:
    worker = make_worker(stores)
    (told,) = worker.take([frames(kiosks["K08"], kiosks["K08"].hello())], NOW)
    assert isinstance(answer_of(told), Nack)
    approve(stores, kiosks["K08"])
    assert greet(worker, kiosks["K08"]).session == 1


def test_a_worker_refuses_kiosks_that_are_pinned_to_another(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores, number=1)
    (told,) = worker.take([frames(kiosk, kiosk.hello())], NOW)
    nack = answer_of(told)
    assert isinstance(nack, Nack)
    assert nack.code == "busy"
    assert findings_here(stores) == {"wrong_worker": 1}


def test_receipts_are_signed_at_closings_at_intervals_and_after_a_while(
    stores: Stores, kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "RECEIPT_EVERY", 3)
    worker = make_worker(stores)
    greet(worker, kiosk)

    def receipt_of(begin: int, end: int, now: int = NOW) -> bytes:
        (told,) = worker.take([frames(kiosk, kiosk.batch(begin, end), 1)], now)
        ack = answer_of(told)
        assert isinstance(ack, Ack)
        message = receipt_message(HUB, "K07", ack.durable)
        assert not ack.receipt or verify(HUB_KEY.public_hex, message, ack.receipt)
        return ack.receipt

    assert [bool(receipt_of(0, 0)) for _ in range(6)] == [False, False, True] * 2
    assert receipt_of(1, 1, NOW + answering.RECEIPT_NS)
    assert not receipt_of(2, 3, NOW + answering.RECEIPT_NS)
    monkeypatch.setattr(intake, "CLOSING", b'"kind":"started"')
    assert receipt_of(4, 4, NOW + answering.RECEIPT_NS)


def test_the_mark_of_a_closing_is_how_a_closing_is_stored() -> None:
    tag = DayClosed.__struct_config__.tag
    assert f'"kind":"{tag}"'.encode() == intake.CLOSING


def test_many_kiosks_share_what_the_hub_takes_at_once(
    stores: Stores, kiosks: dict[str, Kiosk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "BUDGET_BYTES", 3 << 20)
    worker = make_worker(stores)
    for kiosk in kiosks.values():
        approve(stores, kiosk)
        greet(worker, kiosk)
    (told,) = worker.take([frames(kiosks["K07"], kiosks["K07"].batch(0, 0), 1)], NOW + SECOND)
    ack = answer_of(told)
    assert isinstance(ack, Ack)
    assert ack.bytes == 1 << 20


def test_welcome_announces_the_next_key_signed(stores: Stores, kiosk: Kiosk) -> None:
    with stores.office.begin() as connection:
        connection.execute(
            tables.server_key.insert().values(
                purpose="transport", key="n" * 40, state="next", endpoint="tcp://hub.example:7800", since_ns=1
            )
        )
        bump(connection, "registry")
    welcome = greet(make_worker(stores), kiosk)
    assert (welcome.next_key, welcome.next_endpoint) == ("n" * 40, "tcp://hub.example:7800")
    message = next_key_message(HUB, welcome.next_key, welcome.next_endpoint)
    assert verify(HUB_KEY.public_hex, message, welcome.next_signature)


def test_a_journal_key_that_was_revoked_counts_at_the_next_look(stores: Stores, kiosk: Kiosk) -> None:
    worker = make_worker(stores)
    greet(worker, kiosk)
    worker.take([frames(kiosk, kiosk.batch(0, 0), 1)], NOW)
    revoked = Kiosk(kiosk.name, kiosk.rows, {key: RegisteredKey(1, "revoked") for key in kiosk.keys})
    approve(stores, revoked)
    (told,) = worker.take([frames(kiosk, kiosk.batch(1, 1), 1)], NOW + SECOND)
    nack = answer_of(told)
    assert isinstance(nack, Nack)
    assert nack.code == "unknown_key"


def test_two_workers_of_one_number_cannot_both_write(stores: Stores, kiosk: Kiosk) -> None:
    first, second = make_worker(stores), make_worker(stores)
    greet(first, kiosk)
    first.take([frames(kiosk, kiosk.batch(0, 0), 1)], NOW)
    second.take([frames(kiosk, kiosk.batch(1, 1), 1)], NOW)
    (told,) = first.take([frames(kiosk, kiosk.batch(1, 3), 1)], NOW)
    nack = answer_of(told)
    assert isinstance(nack, Nack)
    assert nack.code == "busy"
    (told,) = first.take([frames(kiosk, kiosk.batch(1, 3), 1)], NOW)
    assert isinstance(answer_of(told), Ack)
    assert rows_here(stores, "K07") == [row.row for row in kiosk.rows[:4]]
