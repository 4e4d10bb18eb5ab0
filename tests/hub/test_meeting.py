"""A part that comes while the front still holds its dead predecessor is served all the same, after a while."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import zmq

from kiosk.hub import meeting


def test_a_part_that_the_front_does_not_serve_meets_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "QUIET_S", 0.5)
    monkeypatch.setattr(meeting, "REST_S", 0.1)
    address = f"ipc://{tmp_path}/part"
    context = zmq.Context()
    front = context.socket(zmq.PAIR)
    front.linger = 0
    front.bind(address)
    dead = meeting.Meeting(address, answers=4)
    assert dead.give([b"here"])
    assert front.recv() == b"here"
    # The front is busy: the end of the dead one and the beginning of the new one reach it in one turn.
    dead.close()
    part = meeting.Meeting(address, answers=4)
    time.sleep(0.3)
    try:
        for _ in range(200):
            front.poll(1)
            try:
                front.send(b"work", zmq.NOBLOCK)
            except zmq.Again:
                pass  # nobody is there yet
            if part.wait(50):
                break
        assert part.take() == [b"work"]
        assert part.take() is None
        assert part.give([b"done"])
        assert front.recv() == b"done"
    finally:
        part.close()
        front.close()
        context.term()
