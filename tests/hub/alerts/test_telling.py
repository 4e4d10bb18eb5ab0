"""Telling people: a webhook that is signed and tried again, a mail, and pages that wait for neither."""

from __future__ import annotations

import hmac
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import sqlalchemy as sa

from kiosk.errors import ConfigError, HubError
from kiosk.hub.alerts import channels, service, shelf
from kiosk.hub.alerts.watching import HOLD_NS, Condition
from kiosk.hub.findings import Finding
from kiosk.hub.settings import Alerts
from kiosk.hub.store import tables
from kiosk.hub.web import service as web
from kiosk.model.instant import NS
from tests.hub.web.city import City

SECRET = b"0123456789abcdef0123456789abcdef"
PATIENCE_S = 20


class Hook(ThreadingHTTPServer):
    """A webhook that answers as it is told and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/alerts"


class _Hook(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.send_response(status)
        if status == 302:
            self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Where a redirect would lead: to a welcome."""
        self.server.got.append(({}, b"followed"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Post(socketserver.ThreadingTCPServer):
    """A mail server of a few words."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.mails: list[str] = []
        self.refused: set[str] = set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class _Post(socketserver.StreamRequestHandler):
    server: Post

    def handle(self) -> None:
        def say(text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        say("220 post")
        while line := self.rfile.readline().decode().strip():
            verb = line.upper()
            if verb.startswith("DATA"):
                say("354 go on")
                mail = []
                while (part := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    mail.append(part)
                self.server.mails.append("\n".join(mail))
                say("250 taken")
            elif verb.startswith("RCPT") and any(one in line for one in self.server.refused):
                say("550 nobody here")
            elif verb.startswith("QUIT"):
                say("221 bye")
                return
            else:
                say("250 yes")


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def post() -> Iterator[Post]:
    made = Post()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(SECRET + b"\n")
    file.chmod(0o600)
    return file


def smtp(post: Post) -> dict[str, Any]:
    receivers = ("duty@city.example", "money@city.example")
    return {"smtp": f"127.0.0.1:{post.server_address[1]}", "sender": "kiosks@city.example", "receivers": receivers}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., City]]:
    """Make cities with alerts."""
    cities: list[City] = []

    def make(**alerts: Any) -> City:
        place = tmp_path / f"city{len(cities)}"
        place.mkdir()
        city = City(place, alerts=Alerts(**alerts))
        # The watcher's own clock is the world's.
        city.now_ns = time.time_ns()
        cities.append(city)
        return city

    yield make
    for city in cities:
        city.close()


def tell(city: City, channel: str = "webhook", at_ns: int | None = None) -> int:
    return service.tell_next(city.setup, city.stores, city.stores, channel, at_ns or time.time_ns())


def begin(city: City, *kinds: str, now_ns: int = 0) -> None:
    now_ns = now_ns or time.time_ns()
    found = [Condition(f"{kind}:K07", kind, "K07", "", now_ns) for kind in kinds]
    shelf.write(city.stores.office, found, (), service.channels_of(city.setup.config.alerts), now_ns)


def until(done: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if found := done():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not become so: {what}")


def test_the_webhook_gets_kiosk_what_since_when_and_what_to_do_under_a_signature(
    made: Callable[..., City], hook: Hook, secret: Path
) -> None:
    city = made(webhook=hook.address, webhook_secret=str(secret))
    city.kiosk("K07", "City Hall, lobby")
    begin(city, "paper_out")
    assert tell(city) == 0
    headers, body = hook.got[0]
    told = json.loads(body)
    assert (told["schema"], told["event"], told["kind"]) == ("kiosk-alert-1", "raised", "paper_out")
    assert (told["kiosk"], told["place"], told["city"]) == ("K07", "City Hall, lobby", "Example City")
    assert told["what"] == "the printer is out of paper"
    assert told["do"].startswith("Put in paper")
    assert told["since"].endswith(("-06:00", "-05:00"))
    seconds, signature = (part.partition("=")[2] for part in headers["kiosk-signature"].split(","))
    assert signature == hmac.new(SECRET, seconds.encode() + b"." + body, "sha256").hexdigest()
    assert abs(int(seconds) - time.time()) < 60
    assert city.rows(tables.alert)[0].sent_ns > 0


def test_a_webhook_that_fails_is_tried_again_with_growing_waits_and_the_same_id_until_it_takes_it(
    made: Callable[..., City], hook: Hook
) -> None:
    city = made(webhook=hook.address)
    begin(city, "paper_out")
    hook.answers = [500, 302, 404]
    now, waits = time.time_ns(), []
    for _ in range(3):
        due = tell(city, at_ns=now)
        waits.append((due - now) // NS)
        assert tell(city, at_ns=due - 1) > due - 1, "not before its time"
        now = due
    assert waits == [5, 10, 20]
    assert city.rows(tables.alert)[0].trouble == "webhook: the webhook answered 404"
    assert tell(city, at_ns=now) == 0
    assert len(hook.got) == 4, "a redirect is not followed"
    assert len({headers["idempotency-key"] for headers, _ in hook.got}) == 1
    assert (city.rows(tables.alert)[0].trouble, city.rows(tables.alert)[0].sent_ns) == ("", now)
    assert tell(city, at_ns=now + 3600 * NS) > now
    assert len(hook.got) == 4, "what was told is not told again"


def test_that_it_is_over_is_told_after_that_it_began(made: Callable[..., City], hook: Hook) -> None:
    city = made(webhook=hook.address)
    now = time.time_ns()
    begin(city, "paper_out", now_ns=now)
    hook.answers = [500]
    due = tell(city, at_ns=now)
    shelf.write(city.stores.office, (), ["paper_out:K07"], ("webhook",), now + NS)
    assert tell(city, at_ns=now + 2 * NS) > now + 2 * NS, "first it has to have begun"
    assert [tell(city, at_ns=due), tell(city, at_ns=due)] == [0, 0]
    assert [json.loads(body)["event"] for _, body in hook.got] == ["raised", "raised", "cleared"]
    assert json.loads(hook.got[-1][1])["over"] is not None


def test_the_mail_names_kiosk_what_since_when_and_what_to_do(made: Callable[..., City], post: Post) -> None:
    city = made(**smtp(post))
    city.kiosk("K07", "City Hall\r\nBcc: everybody@evil.example")
    begin(city, "stacker_full")
    post.refused = {"money@city.example"}
    assert tell(city, "mail") == 0
    (mail,) = post.mails
    head, _, body = mail.partition("\n\n")
    assert "Subject: [Example City] K07: the stacker is full" in head
    assert "To: duty@city.example, money@city.example" in head
    assert "bcc" not in head.lower()
    assert "Since: 20" in body
    assert "To do: Exchange the cash box" in body
    assert "refused 1 of the receivers" in city.rows(tables.alert)[0].trouble
    assert tell(city, "mail") > 0
    assert len(post.mails) == 1, "the one who got it does not get it twice"
    begin(city, "paper_out")
    post.refused = {"money@city.example", "duty@city.example"}
    assert tell(city, "mail") > time.time_ns()


def test_a_secret_that_others_can_read_or_guess_signs_nothing(
    made: Callable[..., City], hook: Hook, secret: Path
) -> None:
    city = made(webhook=hook.address, webhook_secret=str(secret))
    secret.chmod(0o644)
    with pytest.raises(HubError, match="others may read"):
        channels.read_secret(city.setup)
    secret.chmod(0o600)
    secret.write_bytes(b"short")
    begin(city, "paper_out")
    assert tell(city) > 0
    assert hook.got == []
    assert "holds no secret" in city.rows(tables.alert)[0].trouble


def test_the_queue_of_a_dead_channel_is_bounded_and_what_is_not_told_stands_on_the_page(
    made: Callable[..., City], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST_WAITING", 3)
    city = made(webhook="http://127.0.0.1:9/")
    begin(city, "paper_out", "stacker_full", "box_removed", "silence", "backlog")
    assert len(city.rows(tables.alert)) == 5
    assert len(city.rows(tables.alert_message)) == 3
    assert sum("not told" in row.trouble for row in city.rows(tables.alert)) == 2
    nobody = made()
    begin(nobody, "paper_out")
    assert nobody.rows(tables.alert)[0].trouble == shelf.NOBODY


def test_what_is_over_and_told_for_long_is_forgotten_and_what_waits_is_not(
    made: Callable[..., City], hook: Hook
) -> None:
    city = made(webhook=hook.address)
    now = time.time_ns()
    begin(city, "paper_out", "silence", now_ns=now)
    shelf.write(city.stores.office, (), ["paper_out:K07", "silence:K07"], (), now)
    assert tell(city, at_ns=now) == 0
    shelf.sweep(city.stores.office, now + shelf.KEPT_NS + NS)
    assert len(city.rows(tables.alert)) == 1
    assert [row.sent_ns for row in city.rows(tables.alert_message)] == [0]


def test_a_watcher_raises_once_clears_once_and_a_restart_repeats_nothing(made: Callable[..., City]) -> None:
    city = made()
    city.kiosk("K07", paper="out")
    city.kiosk("K08", state="revoked", paper="out")
    number = city.find(tables.ingest_finding, Finding("fork", "error", "K11", 1, 5, "two rows"))
    started = city.now_ns - 3600 * NS
    watcher = service.Watcher(city.setup, started)
    assert [watcher.round(city.now_ns + tick * NS) for tick in range(3)] == [2, 0, 0]
    watcher.close()
    watcher = service.Watcher(city.setup, started)
    assert watcher.round(city.now_ns + 4 * NS) == 0
    city.contact("K07", paper="plenty", ago_s=-30)
    city.put(tables.acknowledged, {"finding": number, "at_ns": 1, "by": "o-audit", "note": "seen"})
    first = city.now_ns + 30 * NS
    assert [watcher.round(first), watcher.round(first + HOLD_NS - 1), watcher.round(first + HOLD_NS)] == [0, 0, 2]
    assert all(row.cleared_ns for row in city.rows(tables.alert))
    city.contact("K07", paper="out", ago_s=-60)
    assert watcher.round(first + 30 * NS) == 1, "the next time it is another event"
    watcher.close()


def test_a_hub_with_a_dead_webhook_answers_its_pages_and_mails(made: Callable[..., City], post: Post) -> None:
    """The whole process: a webhook that takes the connection and says nothing, and everything else goes on."""
    dead = socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)  # listens, and never accepts
    city = made(webhook=f"http://127.0.0.1:{dead.server_address[1]}/", **smtp(post))
    city.person("o-view", "view")
    city.kiosk("K07", paper="out")
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = city.setup.config
    settings = msgspec.structs.replace(config, web=msgspec.structs.replace(config.web, port=port))
    setup = msgspec.structs.replace(city.setup, config=settings)
    running = threading.Thread(target=web.run, args=(setup, ending.is_set), daemon=True)
    running.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:

            def reached() -> bool:
                try:
                    return client.get("/sign-in").status_code == 200
                except httpx.TransportError:
                    return False

            until(reached, "the pages are there")
            until(lambda: post.mails, "the mail is there")
            assert "K07: the printer is out of paper" in post.mails[0]
            assert client.get("/sign-in").elapsed.total_seconds() < channels.PATIENCE_S / 2
        assert city.rows(tables.alert)[0].sent_ns == 0, "the webhook was not told yet"
    finally:
        ending.set()
        running.join(PATIENCE_S)
        dead.server_close()
    assert not running.is_alive()
    with city.stores.office.connect() as connection:
        tries = connection.execute(sa.select(sa.func.count()).select_from(tables.alert)).scalar_one()
    assert tries == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook": "ftp://city.example/"}, {"webhook": "https://user:pass@city.example/"}, {"webhook": "file:///etc/passwd"},
        {"smtp": "mail"}, {"smtp": "mail:25"}, {"sender": "nobody"}, {"silence_s": 0}, {"backlog_minutes": 0},
    ],
)  # fmt: skip
def test_alerts_that_could_never_be_told_stop_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Alerts(**wrong)
