"""The librarian's process: over the front's socket, and what it notes of each kiosk."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
import zmq

from kiosk.app.hubs import load_hub
from kiosk.hub import bus
from kiosk.hub.feed import service
from kiosk.hub.feed.answers import Librarian
from kiosk.hub.front.server_keys import load_signing_key
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import kiosk_data
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.messages import DataCursor, End, Message, Nack, Nudge, Ping, Pull, Snap
from tests.hub.feed.feeding import SET, FedHub

ENVELOPE = bus.Envelope(b"peer", "K01", "live", "k" * 40, 1)


def sent(message: Message) -> list[bytes]:
    """A message as the front forwards it."""
    return [bus.pack(ENVELOPE), *wire.encode(message, session=7, number=3)]


def test_a_pull_is_answered_for_the_kiosk_that_the_front_knows_and_its_word_is_noted(stores: Stores) -> None:
    hub = FedHub(stores)
    hub.imported("1")
    hub.posted("K01", 5)
    hub.publish()
    notes = service.Notes(stores.office)
    own = DataCursor(SET, 4, 9, "ab" * 32)
    answers = service.answered(hub.librarian, notes, sent(Pull(own)))
    assert {bus.unpack(frames[0]) for frames in answers} == {ENVELOPE}
    read = [wire.decode(frames[1:], wire.DOWN) for frames in answers]
    assert [type(message) for _, message in read] == [Snap, End]
    assert {head.session for head, _ in read} == {7}
    end = read[-1][1]
    assert isinstance(end, End)
    assert end.counted.seq == 5
    notes.write(at_once=True)
    with stores.office.connect() as office:
        (row,) = office.execute(sa.select(kiosk_data)).all()
    assert (row.kiosk, row.data_set, row.generation, row.cursor, row.digest) == ("K01", SET, 4, 9, "ab" * 32)


def test_what_is_no_pull_is_refused_or_left_alone(stores: Stores) -> None:
    hub, notes = FedHub(stores), service.Notes(stores.office)
    assert service.answered(hub.librarian, notes, sent(Ping(1))) == []
    for frames in ([b"x"], [b"x", b"y"], [*wire.encode(Pull(DataCursor(SET)), session=1, number=1)[:1], b"\xc1"]):
        (answer,) = service.answered(hub.librarian, notes, [bus.pack(ENVELOPE), *frames])
        _, nack = wire.decode(answer[1:], wire.DOWN)
        assert isinstance(nack, Nack)


def test_a_database_that_does_not_answer_costs_an_answer_and_not_the_process(
    stores: Stores, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Stores(stores.segments, stores.office, sa.create_engine(f"sqlite:///{tmp_path}/no/books.db"))
    librarian = Librarian(broken, "city-hall", SigningKey.from_seed(b"h" * 32))
    assert service.answered(librarian, service.Notes(stores.office), sent(Pull(DataCursor(SET)))) == []
    assert "librarian" in capsys.readouterr().err


def test_the_process_answers_over_the_fronts_socket_until_it_is_told_to_end(tmp_path: Path) -> None:
    from kiosk.hub.founding import found

    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{tmp_path}/state"\nruntime = "{tmp_path}/run"\n')
    setup = load_hub(file)
    found(setup, 1)
    (tmp_path / "run").mkdir(mode=0o700, exist_ok=True)
    stores = setup.stores()
    hub = FedHub(stores)
    hub.imported("1")
    hub.publish()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    front = context.socket(zmq.PAIR)
    front.linger = 0
    front.bind(bus.librarian_address(setup.config.runtime))
    told = threading.Event()
    part = threading.Thread(target=service.run, args=(setup, told.is_set))
    part.start()
    try:
        front.send_multipart(sent(Pull(DataCursor(""))))
        assert front.poll(30_000)
        _, nudge = wire.decode(front.recv_multipart()[1:], wire.DOWN)
        assert isinstance(nudge, Nudge)
        assert nudge.data == hub.librarian.holdings()
        front.send_multipart(sent(Pull(nudge.data[0], credit=0)))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with stores.office.connect() as office:
                if office.execute(sa.select(kiosk_data.c.cursor)).scalars().all() == [nudge.data[0].cursor]:
                    break
            time.sleep(0.02)
        else:
            pytest.fail("the kiosk's word was not noted")
    finally:
        told.set()
        part.join(30)
        front.close()
        context.term()
        stores.close()
    assert not part.is_alive()
    assert load_signing_key(setup.config.state).public_hex
