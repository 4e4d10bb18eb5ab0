"""The front: in whose name messages go on, what it answers itself, commands, news, keys of both sides."""

from __future__ import annotations

import json
import resource
import time

import pytest
import zmq

from kiosk.errors import HubError
from kiosk.hub import bus
from kiosk.hub.front.registry import SEEN
from kiosk.hub.front.server_keys import begin_rotation, finish_rotation, next_key
from kiosk.hub.front.service import SPARE_FILES, Front, make_room
from kiosk.hub.store import tables
from kiosk.journal.keys import verify
from kiosk.sync import wire
from kiosk.sync.keys import TransportKey
from kiosk.sync.messages import (
    Clock,
    Command,
    DataCursor,
    DeviceState,
    Done,
    Journal,
    Nack,
    Nudge,
    Ping,
    Pong,
    Pull,
    Snap,
    Status,
)
from kiosk.sync.receipts import command_message, kiosk_key_message, next_key_message
from tests.hub.front.conftest import HubInThread, free_ports, until


def status(**more: object) -> Status:
    device = DeviceState("acceptor", "BillAcceptor", "enabled", "ok")
    told = {
        "at_ns": 5, "state": "open", "reasons": (), "devices": (device,), "paper": "low", "stacker_permille": 120,
        "unsynced": 3, "oldest_unsynced_ns": 4, "clock": Clock(5, 5, "b", True), "software": "1.2",
    }  # fmt: skip
    return Status(**{**told, **more})  # type: ignore[arg-type]


def ask_for(hub: HubInThread, kiosk: str, command: str, number: str = "c1") -> None:
    hub.change(
        tables.command.insert().values(
            id=number, kiosk=kiosk, command=command, argument="closed", reason="flood", asked_by="ana", asked_ns=1,
            state="waiting", answer="", answered_ns=0,
        ),
        "commands",
    )  # fmt: skip


def test_a_registered_kiosk_reaches_its_worker_in_its_own_name(hub: HubInThread) -> None:
    kiosk = hub.connect("K07")
    assert kiosk.greet().session == 7
    kiosk.works()
    envelopes = [told for told, _, _ in hub.worker.got]
    assert {(told.kiosk, told.realm, told.key) for told in envelopes} == {("K07", "live", kiosk.key.public)}
    assert hub.findings() == {}


def test_numbers_of_the_hub_grow_on_a_connection_whoever_answered(hub: HubInThread) -> None:
    kiosk = hub.connect("K07")
    kiosk.greet()
    for _ in range(3):
        kiosk.works()
    assert [head.number for head, _ in kiosk.got] == [1, 2, 3, 4, 5, 6, 7]
    assert {head.session for head, _ in kiosk.got} == {7}


def test_clocks_and_states_are_kept_once_a_second_and_the_latest_wins(hub: HubInThread) -> None:
    kiosk = hub.connect("K07")
    ahead = 60_000_000_000
    kiosk.send(Ping(time.time_ns() + ahead, round_trip_ns=2_000_000_000))
    pong = kiosk.expect(Pong)
    assert 0 < pong.received_ns <= pong.answered_ns
    kiosk.send(status(unsynced=9))
    kiosk.send(status())
    row = until(lambda: (found := hub.row(tables.contact, kiosk="K07")) and found.software and found)
    assert (row.state, row.paper, row.stacker_permille, row.unsynced, row.software) == ("open", "low", 120, 3, "1.2")
    assert 59_000 <= row.offset_ms <= 61_000
    assert row.round_trip_ms == 2000
    assert json.loads(row.status)["devices"][0]["device_class"] == "BillAcceptor"
    kiosk.send(status(stacker_permille=None))
    row = until(lambda: (found := hub.row(tables.contact, kiosk="K07")) and found.stacker_permille < 0 and found)
    assert 59_000 <= row.offset_ms <= 61_000  # what was not told again stays


def test_a_command_waits_for_its_kiosk_is_signed_and_ends_with_its_answer(hub: HubInThread) -> None:
    kiosk, other = hub.connect("K07"), hub.connect("K08")
    other.greet()
    ask_for(hub, "K07", "shutter")
    kiosk.greet()
    told = kiosk.expect(Command)
    assert (told.id, told.command, told.argument, told.by) == ("c1", "shutter", "closed", "ana")
    assert verify(hub.signing.public_hex, command_message("hub", "K07", told), told.signature)
    until(lambda: hub.row(tables.command, id="c1").state == "sent")
    other.send(Done("c1", "done"))
    hub.found("unknown_command", "K08")
    assert hub.row(tables.command, id="c1").state == "sent"
    kiosk.send(Done("c1", "done", "shut"))
    row = until(lambda: (found := hub.row(tables.command, id="c1")).state == "done" and found)
    assert row.answer == "shut"
    assert row.answered_ns

    def forgotten() -> bool:
        again = hub.connect("K07", kiosk.key)
        again.greet()
        return again.silence()

    until(forgotten)  # what the front read just before the answer was written may go out once more


def test_a_command_goes_out_again_on_a_new_connection_until_it_is_answered(hub: HubInThread) -> None:
    kiosk = hub.connect("K07")
    ask_for(hub, "K07", "close")
    kiosk.greet()
    kiosk.expect(Command)
    again = hub.connect("K07", kiosk.key)
    again.greet()
    assert again.expect(Command).id == "c1"


def test_news_are_told_to_the_kiosks_that_are_connected(hub: HubInThread) -> None:
    kiosk = hub.connect("K07")
    kiosk.greet()
    hub.change(
        tables.document.insert().values(
            name="people", version=3, digest="d", body=b"", at_ns=0, by="ana", effective=""
        ),
        "documents",
    )
    hub.change(
        tables.document.insert().values(
            name="people", version=4, digest="e", body=b"", at_ns=0, by="ana", effective=""
        ),
        "documents",
    )
    seen: set[DataCursor] = set()
    while DataCursor("people", 1, 4, "e") not in seen:
        seen.update(kiosk.expect(Nudge).data)
    with hub.stores.books.begin() as connection:
        connection.execute(
            tables.publication.insert().values(
                data_set="invoices:water", generation=2, cursor=9, horizon=0, digest="f", rows=1, taken_at_ns=0
            )
        )
    assert kiosk.expect(Nudge).data == (DataCursor("invoices:water", 2, 9, "f"),)


def test_a_worker_that_is_behind_or_gone_makes_busy_and_loses_nobody(hub: HubInThread) -> None:
    kiosk, name = hub.connect("K07"), hub.connect("K08")
    kiosk.greet()
    hub.worker.end()
    batch = Journal(1, 1, b"", (b"row",), b"")
    while True:  # the front notices the loss a moment later
        kiosk.send(batch)
        if (nack := kiosk.expect(Nack)).code == "busy":
            break
    assert nack.after_ms > 0
    name.send(Ping(1))
    name.expect(Pong)
    kiosk.send(Pull(DataCursor("people")))
    assert kiosk.expect(Nack).code == "busy"


def test_the_librarian_is_asked_for_data_and_its_answer_goes_to_the_right_kiosk(hub: HubInThread) -> None:
    context = zmq.Context()
    librarian = context.socket(zmq.PAIR)
    librarian.connect(bus.librarian_address(hub.setup.config.runtime))
    try:
        kiosk, other = hub.connect("K07"), hub.connect("K08")
        kiosk.greet()
        other.greet()
        kiosk.send(Pull(DataCursor("people")))
        envelope, head, payload = librarian.recv_multipart()
        assert bus.unpack(envelope).kiosk == "K07"
        assert isinstance(wire.decode([head, payload], wire.UP)[1], Pull)
        answer = wire.encode(Snap(DataCursor("people", 1, 1), 0, (b"row",)), session=7, number=1)
        librarian.send_multipart([envelope, *answer])
        assert kiosk.expect(Snap).rows == (b"row",)
        assert other.silence(50)
    finally:
        librarian.close(0)
        context.term()


def test_old_and_new_key_of_the_hub_answer_at_once_and_the_next_is_announced_signed(hub: HubInThread) -> None:
    port = free_ports(1)[0]
    with hub.stores.office.begin() as connection:
        fresh = begin_rotation(connection, hub.setup.config, port)
        key, endpoint, signature = next_key(connection, "hub", hub.signing)
    assert (key, endpoint) == (fresh.key, f"tcp://127.0.0.1:{port}")
    assert verify(hub.signing.public_hex, next_key_message("hub", key, endpoint), signature)
    hub.ports.append(port)
    old = hub.connect("K07")
    old.greet()
    new = hub.connect("K08", port=3, hub_key=fresh.key)
    new.greet()
    old.works()
    new.works()
    with hub.stores.office.begin() as connection:
        finish_rotation(connection)
        assert next_key(connection, "hub", hub.signing) == ("", "", b"")
    hub.settle()
    until(lambda: list(hub.front._journal.bound) == [fresh.key] == list(hub.front._enrol.bound))
    later = hub.connect("K09", port=3, hub_key=fresh.key)
    later.greet()
    old.send(Ping(1))
    assert old.silence()
    moved = hub.connect("K07", old.key, port=3, hub_key=fresh.key)
    moved.greet()
    new.works()


def test_a_second_rotation_waits_for_the_first_and_needs_a_port_of_its_own(hub: HubInThread) -> None:
    with hub.stores.office.begin() as connection:
        for port in hub.ports[:2]:
            with pytest.raises(HubError, match="in use"):
                begin_rotation(connection, hub.setup.config, port)
        begin_rotation(connection, hub.setup.config, hub.ports[2])
        with pytest.raises(HubError, match="announced already"):
            begin_rotation(connection, hub.setup.config, hub.ports[2] + 1)


def test_a_new_transport_key_counts_with_the_journals_signature_and_ends_the_old_at_its_first_use(
    hub: HubInThread,
) -> None:
    key, journal = hub.register("K07")
    kiosk = hub.connect("K07", key)
    kiosk.greet()
    fresh = TransportKey.generate()
    ask_for(hub, "K07", "rotate")
    kiosk.expect(Command)
    signature = journal.sign(kiosk_key_message("K07", fresh.public))
    kiosk.send(Done("c1", "done", "", fresh.public, signature))
    until(lambda: hub.row(tables.command, id="c1").state == "done")
    hub.settle()
    kiosk.works()  # the old one is good until the new one was used
    renewed = hub.connect("K07", fresh)
    renewed.greet()
    until(lambda: hub.row(tables.kiosk_key, key=key.public).state == "retired")
    assert hub.row(tables.kiosk_key, key=fresh.public).state == "current"
    hub.settle()
    kiosk.send(Journal(1, 1, b"", (b"row",), b""))
    assert kiosk.expect(Nack).code == "revoked"
    renewed.works()


def test_a_new_transport_key_that_another_signed_or_used_is_refused(hub: HubInThread) -> None:
    key, journal = hub.register("K07")
    strange, stranger = hub.register("K08")
    kiosk = hub.connect("K07", key)
    kiosk.greet()
    fresh = TransportKey.generate().public
    wrong = {
        "c1": (fresh, stranger.sign(kiosk_key_message("K07", fresh))),
        "c2": (strange.public, journal.sign(kiosk_key_message("K07", strange.public))),
        "c3": ("short", journal.sign(kiosk_key_message("K07", "short"))),
    }
    for number, (told, signature) in wrong.items():
        ask_for(hub, "K07", "rotate", number)
        assert kiosk.expect(Command).id == number
        kiosk.send(Done(number, "done", "", told, signature))
        until(lambda number=number: hub.row(tables.command, id=number).state == "refused")
    hub.found("transport_key_refused", "K07", 3)
    assert hub.row(tables.kiosk_key, key=fresh) is None
    kiosk.works()


def test_the_front_tells_which_registry_it_goes_by(hub: HubInThread) -> None:
    hub.register("K07")
    with hub.stores.office.connect() as connection:
        number = hub.number(connection, "registry")

    def told() -> bool:
        with hub.stores.office.connect() as connection:
            return hub.number(connection, SEEN) == number

    assert until(told)


def test_room_is_made_for_the_connections_that_may_come() -> None:
    """Many systems let a process open 1,024 files at first, which is less than a city's kiosks."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        assert make_room(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 100 + SPARE_FILES
        assert not make_room(2**40)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_port_that_is_taken_stops_the_start(hub: HubInThread) -> None:
    with pytest.raises(HubError, match="cannot be bound"):
        Front(hub.setup)
