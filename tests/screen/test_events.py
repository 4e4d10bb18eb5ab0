"""The event stream tells the present screen, resumes by the last event seen, and survives its client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager

from kiosk.screen.events import MOST_STREAMS
from kiosk.screen.guard import Door
from tests.screen.pictures import PICTURES, TOKEN, FakeDesk


@contextmanager
def stream(address: tuple[str, int], seen: str = "") -> Iterator[http.client.HTTPResponse]:
    """Open the stream as the browser does after a drop."""
    door = Door(TOKEN)
    line = http.client.HTTPConnection(*address, timeout=10)
    headers = {"cookie": f"{door.cookie}={door.pass_}"} | ({"last-event-id": seen} if seen else {})
    line.request("GET", "/events", headers=headers)
    answer = line.getresponse()
    try:
        yield answer
    finally:
        answer.close()
        line.close()


def event(answer: http.client.HTTPResponse) -> dict[str, str]:
    """The next event that carries data."""
    found: dict[str, str] = {}
    while True:
        line = answer.readline().decode().rstrip("\n")
        if not line and "data" in found:
            return found
        name, _, value = line.partition(": ")
        found[name] = value


def test_a_new_client_gets_the_present_screen_whole(desk: FakeDesk, served: tuple[str, int]) -> None:
    shot = desk.show(PICTURES["accepting"])
    with stream(served) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        told = event(answer)
    assert (told["event"], told["id"]) == ("screen", f"b00t:{shot.version}")
    data = json.loads(told["data"])
    assert "$53.17" in data["html"]
    assert data["announcement"] == "Insert your cash. Inserted $60.00. Still to pay $53.17."


def test_a_client_that_saw_the_present_screen_waits_for_the_next(desk: FakeDesk, served: tuple[str, int]) -> None:
    shot = desk.show(PICTURES["accepting"])
    with stream(served, f"b00t:{shot.version}") as answer:
        later = desk.show(PICTURES["settling"])
        told = event(answer)
    assert told["id"] == f"b00t:{later.version}"


def test_a_client_that_missed_screens_gets_the_present_one(desk: FakeDesk, served: tuple[str, int]) -> None:
    first = desk.show(PICTURES["accepting_empty"])
    for name in ("note_held", "stacking", "accepting"):
        last = desk.show(PICTURES[name])
    with stream(served, f"b00t:{first.version}") as answer:
        told = event(answer)
    assert told["id"] == f"b00t:{last.version}"
    assert "$53.17" in told["data"]


def test_a_client_of_the_run_before_gets_the_present_screen(desk: FakeDesk, served: tuple[str, int]) -> None:
    shot = desk.show(PICTURES["resuming"])
    with stream(served, f"another-boot:{shot.version}") as answer:
        assert event(answer)["id"] == f"b00t:{shot.version}"


def test_screens_follow_in_order_and_none_is_told_twice(desk: FakeDesk, served: tuple[str, int]) -> None:
    with stream(served) as answer:
        seen = [event(answer)["id"]]
        for name in ("entering", "looking_up", "reviewing"):
            shot = desk.show(PICTURES[name])
            seen.append(event(answer)["id"])
            assert seen[-1] == f"b00t:{shot.version}"
    assert len(set(seen)) == len(seen) == 4


def test_two_pages_see_the_same_screen(desk: FakeDesk, served: tuple[str, int]) -> None:
    with stream(served) as one, stream(served) as other:
        event(one), event(other)
        desk.show(PICTURES["accepting"])
        assert event(one)["data"] == event(other)["data"]


def test_a_screen_is_one_line_of_data(desk: FakeDesk, served: tuple[str, int]) -> None:
    desk.show(PICTURES["reviewing_several"])
    with stream(served) as answer:
        told = event(answer)
    assert "\n" in json.loads(told["data"])["html"]
    assert "<main" in json.loads(told["data"])["html"]


def test_only_so_many_pages_may_follow(desk: FakeDesk, served: tuple[str, int]) -> None:
    door = Door(TOKEN)
    headers = {"cookie": f"{door.cookie}={door.pass_}"}
    lines = [http.client.HTTPConnection(*served, timeout=10) for _ in range(MOST_STREAMS + 1)]
    states = []
    for line in lines:
        line.request("GET", "/events", headers=headers)
        answer = line.getresponse()
        states.append(answer.status)
        if answer.status == 200:
            event(answer)
    for line in lines:
        line.close()
    assert states == [200] * MOST_STREAMS + [503]


def test_a_publication_after_the_server_stopped_harms_nobody(desk: FakeDesk, served: tuple[str, int]) -> None:
    with stream(served) as answer:
        event(answer)
    for _ in range(20):
        desk.show(PICTURES["idle"])
    assert desk.board.snapshot() is not None
