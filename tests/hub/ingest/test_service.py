"""Worker processes: one that is killed at the worst moment, and several beside each other."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import zmq

from kiosk.app.hubs import load_hub
from kiosk.errors import HubError
from kiosk.hub.bus import worker_address
from kiosk.hub.founding import found
from kiosk.hub.ingest.service import incarnation_of
from kiosk.hub.running import PARENT
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import open_stores
from kiosk.hub.store.tables import mark
from kiosk.sync.messages import Ack, Mark, Message, Welcome
from tests.hub.ingest.conftest import approve, make_worker, rows_here
from tests.hub.ingest.journals import NOW, Kiosk, answer_of, frames, make_kiosk

#: Generous: a busy machine is not what is tested here.
PATIENCE_MS = 30_000

#: A worker that dies by SIGKILL when its commit is durable and its first ACK would be made.
DYING = """
import os, signal, sys
from pathlib import Path
from kiosk.app.hubs import load_hub
from kiosk.hub.ingest import service
from kiosk.hub.ingest.answering import Answering

answer = Answering.answer
def dies(self, envelope, session, decision, closing, now_ns):
    if decision.answer == "ack":
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(self, envelope, session, decision, closing, now_ns)
Answering.answer = dies
service.run(load_hub(Path(sys.argv[1])), 0, lambda: False)
"""


@pytest.fixture
def hub(tmp_path: Path) -> HubSetup:
    file = tmp_path / "hub.toml"
    file.write_text(f'[hub]\nid = "city-hall"\nstate = "{tmp_path}/state"\nruntime = "{tmp_path}/run"\n')
    setup = load_hub(file)
    found(setup, NOW)
    return setup


@pytest.fixture
def front(hub: HubSetup) -> Iterator[zmq.Socket[bytes]]:
    """The front's end of worker 0."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PAIR)
    socket.linger = 0
    socket.sndtimeo = PATIENCE_MS
    socket.bind(worker_address(hub.config.runtime, 0))
    yield socket
    socket.close()
    context.term()


def ask(front: zmq.Socket[bytes], kiosk: Kiosk, message: Message, session: int) -> Message:
    """Forward a message and wait for its answer."""
    front.send_multipart(frames(kiosk, message, session))
    assert front.poll(PATIENCE_MS), "no answer"
    return answer_of(front.recv_multipart())


def test_a_worker_killed_between_commit_and_answer_answers_the_repetition_as_before(
    hub: HubSetup, front: zmq.Socket[bytes], tmp_path: Path
) -> None:
    kiosk = make_kiosk(tmp_path, "K07", (1, 2, 1, 3))
    stores = hub.stores()
    approve(stores, kiosk)
    dying = subprocess.Popen([sys.executable, "-c", DYING, str(hub.file)])
    welcome = ask(front, kiosk, kiosk.hello(), 0)
    assert isinstance(welcome, Welcome)
    front.send_multipart(frames(kiosk, kiosk.batch(0, 4), welcome.session))
    assert dying.wait(PATIENCE_MS / 1000) == -signal.SIGKILL
    assert rows_here(stores, "K07") == [row.row for row in kiosk.rows[:5]]

    front.poll(500)  # as the front's loop does: so it notices that the dead worker's connection ended
    command = [sys.executable, "-m", "kiosk", "hub", "part", "worker", "--config", str(hub.file)]
    worker = subprocess.Popen(command)
    try:
        told = ask(front, kiosk, kiosk.batch(0, 4), welcome.session)
        assert isinstance(told, Ack)
        assert told.durable == Mark(1, 5, kiosk.rows[4].hash)
        assert isinstance(ask(front, kiosk, kiosk.batch(2, 7), welcome.session), Ack)
        assert rows_here(stores, "K07") == [row.row for row in kiosk.rows]
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE_MS / 1000) == 0
        stores.close()


def test_a_worker_ends_when_whoever_started_it_is_gone(hub: HubSetup, front: zmq.Socket[bytes]) -> None:
    command = [sys.executable, "-m", "kiosk", "hub", "part", "worker", "--config", str(hub.file)]
    program = (
        "import os, subprocess\n"
        f"os.environ[{PARENT!r}] = str(os.getpid())\n"
        f"child = subprocess.Popen({command!r}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    orphan = Path(f"/proc/{int(told.stdout)}/cmdline")
    until = time.monotonic() + PATIENCE_MS / 1000
    while orphan.exists() and orphan.read_bytes():  # empty: it has ended and waits to be noticed
        assert time.monotonic() < until, "the orphan lives on"
        time.sleep(0.05)


def test_a_store_of_another_hub_or_of_none_is_refused(hub: HubSetup, tmp_path: Path) -> None:
    stores = hub.stores()
    with pytest.raises(HubError, match="city-hall, not elsewhere"):
        incarnation_of(stores, "elsewhere")
    assert len(incarnation_of(stores, "city-hall")) == 16
    stores.close()
    empty = open_stores(tmp_path / "empty")
    prepare(empty)
    with pytest.raises(HubError, match="belongs to no hub"):
        incarnation_of(empty, "city-hall")
    empty.close()


def test_four_workers_on_one_database_end_with_the_same_marks_as_one(postgresql: str, tmp_path: Path) -> None:
    kiosks = [make_kiosk(tmp_path, f"K{number:02}", (1,) * (number + 3)) for number in range(8)]

    def deliver(address: str, workers: int) -> tuple[list[tuple[object, ...]], dict[str, list[bytes]]]:
        state = tmp_path / f"by{workers}"
        shared = open_stores(state, address)
        prepare(shared)
        for number, kiosk in enumerate(kiosks):
            approve(shared, kiosk, number % workers)
        faults: list[BaseException] = []

        def work(number: int) -> None:
            stores = open_stores(state, address)
            try:
                worker = make_worker(stores, number)
                mine = [kiosk for at, kiosk in enumerate(kiosks) if at % workers == number]
                worker.take([frames(kiosk, kiosk.hello()) for kiosk in mine], NOW)
                for step in range(max(len(kiosk.rows) for kiosk in mine)):
                    some = [kiosk for kiosk in mine if step < len(kiosk.rows)]
                    told = worker.take([frames(kiosk, kiosk.batch(step, step), 1) for kiosk in some], NOW)
                    assert all(isinstance(answer_of(one), Ack) for one in told)
            except BaseException as fault:
                faults.append(fault)
            finally:
                stores.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        with shared.segments.begin() as connection:
            marks = connection.execute(
                sa.select(mark.c.kiosk, mark.c.epoch, mark.c.seq, mark.c.hash).order_by(mark.c.kiosk)
            )
            told = [tuple(row) for row in marks]
        rows = {kiosk.name: rows_here(shared, kiosk.name, range(workers)) for kiosk in kiosks}
        shared.close()
        return told, rows

    four = deliver(postgresql, 4)
    assert four == deliver("", 1)
    assert four[1] == {kiosk.name: [row.row for row in kiosk.rows] for kiosk in kiosks}
