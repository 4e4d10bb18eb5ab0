"""The bench: its door, its buttons, what it shows; the devices are the simulators, the kiosk behind them is real."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kiosk.errors import ConfigError, SimulatorError
from kiosk.protocols.label_reader import DOCUMENT_QUIET
from kiosk.workbench import picture
from kiosk.workbench.bench_server import BenchServer
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import DemoDirectory
from kiosk.workbench.hands import Hands

#: What the screen says to some of the labels of strangers.
WORDS = {
    "Wrong check digit": "notice.wrong_check_digit",
    "Unknown number": "notice.not_found",
    "Driver's licence": "notice.driving_licence",
}


class Visitor:
    """A browser at the bench."""

    def __init__(self, address: str) -> None:
        self.parts = urlsplit(address)
        self.cookie = ""
        self.key = ""

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Make one request as this browser."""
        link = http.client.HTTPConnection("127.0.0.1", self.parts.port, timeout=10)
        told = {"cookie": self.cookie, "origin": f"http://{self.parts.netloc}", **headers}
        link.request(method, path, json.dumps(body) if body is not None else None, told)
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, answer.headers, text

    def open(self) -> str:
        """Open the start address; return the page."""
        status, headers, _ = self.ask("GET", f"/?{self.parts.query}")
        assert status == 303
        self.cookie = headers["set-cookie"].partition(";")[0]
        page = self.ask("GET", "/")[2].decode()
        self.key = page.partition('data-key="')[2].partition('"')[0]
        return page

    def act(self, name: str, argument: str = "") -> tuple[int, dict[str, str]]:
        """Press a button."""
        status, _, text = self.ask("POST", "/act", {"act": name, "argument": argument, "key": self.key})
        return status, json.loads(text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A whole demonstration."""
    demonstration = Demonstration(tmp_path_factory.mktemp("demo") / "here", quick=True)
    try:
        demonstration.start()
        demonstration.stage.wait_screen("idle", 30_000)
        yield demonstration
    finally:
        demonstration.stop()


@pytest.fixture(scope="module")
def address(demo: Demonstration) -> Iterator[str]:
    """The start address of its bench."""
    server = BenchServer(demo)
    yield server.start()
    server.stop()


@pytest.fixture
def visitor(address: str) -> Visitor:
    """A browser that came by the start address."""
    visitor = Visitor(address)
    visitor.open()
    return visitor


def test_the_bench_opens_with_its_start_address_only(address: str) -> None:
    stranger = Visitor(address)
    assert stranger.ask("GET", "/")[0] == 403
    assert stranger.ask("GET", "/state")[0] == 403
    assert stranger.ask("GET", "/?token=guess")[0] == 403
    assert stranger.ask("GET", "/screen")[0] == 403


def test_the_bench_refuses_other_pages_other_names_and_posts_without_its_key(visitor: Visitor) -> None:
    body = {"act": "cut", "key": visitor.key}
    assert visitor.ask("POST", "/act", body, origin="http://evil.example")[0] == 403
    assert visitor.ask("GET", "/state", host="evil.example")[0] == 421
    assert visitor.ask("POST", "/act", {"act": "cut", "key": "0" * 32})[0] == 403
    assert visitor.ask("POST", "/act", {"act": "cut", "key": visitor.key, "more": 1})[0] == 400
    assert visitor.ask("POST", "/act", {"act": "scan", "argument": "A" * 9000, "key": visitor.key})[0] == 413


def test_the_page_may_frame_the_citizen_screen_and_nothing_else(visitor: Visitor, demo: Demonstration) -> None:
    policy = visitor.ask("GET", "/")[1]["content-security-policy"]
    assert f"frame-src 'self' http://127.0.0.1:{demo.screen_port}" in policy
    assert "default-src 'self'" in policy
    status, headers, _ = visitor.ask("GET", "/screen")
    assert status == 303
    assert headers["location"].startswith(f"http://127.0.0.1:{demo.screen_port}/?token=")


def test_every_button_of_the_page_is_an_act(visitor: Visitor, demo: Demonstration) -> None:
    page = visitor.open()
    named = {part.partition('"')[0] for part in page.split('data-act="')[1:]}
    assert named <= set(Hands(demo).names)
    assert {"insert", "pull", "take", "cut", "restore", "unplug", "replug", "jam_stacker", "paper_out"} <= named


def test_the_labels_tell_what_is_owed_today(demo: Demonstration) -> None:
    owed = {sample.label: str(sample.owed) for sample in demo.samples if sample.owed}
    assert owed["260004355"] == "USD 15.00"
    assert all(sample.owed for sample in demo.samples if sample.kind == "payable")


def test_a_hostile_label_becomes_a_notice_and_the_kiosk_lives(visitor: Visitor, demo: Demonstration) -> None:
    for number, sample in enumerate(demo.samples):
        if sample.kind == "hostile":
            demo.stage.wait_screen("idle", 20_000)
            assert visitor.act("sample", str(number))[0] == 200
            shot = demo.screen.wait_for(sample.name, lambda shot: shot["screen"] == "notice", 8_000)
            assert "<script" not in json.dumps(shot)
            said = json.dumps(shot["messages"])
            assert WORDS.get(sample.name, "notice.") in said, f"{sample.name}: {said}"
            demo.stage.touch("dismiss", ())
    assert demo.core.running
    # A licence is over when the scanner was silent; nobody takes another paper faster.
    time.sleep(DOCUMENT_QUIET / 1e9 + 0.2)


def test_a_note_is_not_drawn_in_while_nothing_is_paid(visitor: Visitor, demo: Demonstration) -> None:
    demo.stage.wait_screen("idle", 20_000)
    status, told = visitor.act("insert", "1000")
    assert status == 409
    assert "not drawn in" in told["problem"]
    assert visitor.act("insert", "1234")[0] == 409
    assert visitor.act("insert", "-5")[0] == 409
    assert visitor.act("nothing")[0] == 409


def test_the_state_shows_notes_and_paper_as_they_are(visitor: Visitor, demo: Demonstration) -> None:
    demo.stage.wait_screen("idle", 20_000)
    visitor.act("scan", "260004329")
    demo.stage.touch("pay", ())
    demo.stage.touch("accept", ())
    demo.stage.wait_screen("accepting", 8_000)
    end = time.monotonic() + 10
    while visitor.act("insert", "2000")[0] != 200 and time.monotonic() < end:
        time.sleep(0.05)
    demo.stage.expect_receipt(True)
    state = json.loads(visitor.ask("GET", "/state?after=0")[2])
    assert state["acceptor"]["total"] == "USD 20.00"
    assert state["acceptor"]["box"] == [{"value": "USD 20.00", "count": 1}]
    assert state["printer"]["receipts"] == 1
    status, headers, picture_bytes = visitor.ask("GET", "/paper/0.png")
    assert (status, headers["content-type"]) == (200, "image/png")
    assert picture_bytes.startswith(b"\x89PNG")
    assert visitor.ask("GET", "/paper/99.png")[0] == 404
    assert visitor.ask("GET", "/paper/..%2f..%2fetc.png")[0] == 404


def test_a_pulled_cable_is_seen_and_cured(visitor: Visitor, demo: Demonstration) -> None:
    assert visitor.act("unplug", "scanner")[0] == 200
    assert visitor.act("unplug", "scanner")[0] == 409
    assert not json.loads(visitor.ask("GET", "/state")[2])["scanner"]["plugged"]
    assert visitor.act("replug", "scanner")[0] == 200
    demo.stage.wait_screen("idle", 20_000)
    end = time.monotonic() + 15
    while time.monotonic() < end and demo.screen.look()["screen"] != "reviewing":
        visitor.act("scan", "260004355")
        time.sleep(0.5)
    assert demo.screen.look()["screen"] == "reviewing"
    demo.stage.touch("cancel", ())


def test_the_power_can_be_cut_and_restored(visitor: Visitor, demo: Demonstration) -> None:
    before = demo.core.pid
    assert visitor.act("cut")[0] == 200
    state = json.loads(visitor.ask("GET", "/state")[2])
    assert (state["powered"], state["running"], state["screen"]) == (False, False, "")
    assert b"not running" in visitor.ask("GET", "/screen")[2]
    assert visitor.act("cut")[0] == 409
    assert visitor.act("restore")[0] == 200
    assert demo.core.pid not in (None, before)
    assert json.loads(visitor.ask("GET", "/state")[2])["screen"] == str(demo.core.pid)
    assert visitor.ask("GET", "/screen")[0] == 303


def test_a_kiosk_that_dies_is_started_again(demo: Demonstration) -> None:
    import os
    import signal

    before = demo.core.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + 30
    while time.monotonic() < end and (demo.core.pid in (None, before) or not demo.core.address()):
        time.sleep(0.1)
    assert demo.core.pid not in (None, before)
    assert any("started again" in event.text for event in demo.events())


def test_a_directory_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("private", "utf-8")
    with pytest.raises(ConfigError):
        DemoDirectory.choose(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_there_is_no_piece_of_paper_by_a_name(demo: Demonstration) -> None:
    with pytest.raises(SimulatorError):
        picture.receipt(demo, "../../etc/passwd")


def test_the_bench_tells_each_fact_when_it_is_committed(demo: Demonstration) -> None:
    end = time.monotonic() + 10
    wanted = {"genesis", "note credited USD 20.00", "receipt issued 000001 (receipt)"}
    while time.monotonic() < end:
        told = [event.text for event in demo.events() if event.kind == "fact"]
        if all(any(word in text for text in told) for word in wanted):
            break
        time.sleep(0.2)
    assert [word for word in wanted if not any(word in text for text in told)] == []
    assert demo.tail.trouble is None
