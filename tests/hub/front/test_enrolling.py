"""Enrolment over the wire: the code once, the words, the approval; a flood of wrong attempts leaves next to nothing."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from kiosk.errors import SyncError
from kiosk.hub.front.approval import approve, make_code
from kiosk.hub.front.counter import ANSWERS
from kiosk.hub.front.enrolling import judge
from kiosk.hub.store import tables
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.enrolment import ask, enrol_message, new_code, proof_of, request_of
from kiosk.sync.keys import TransportKey, approved_hub, fingerprint
from kiosk.sync.messages import Enrol, Enrolment, Ping
from kiosk.sync.words import words_of
from tests.hub.front.conftest import FakeKiosk, HubInThread, until

DAY_NS = 86_400_000_000_000


class Applicant:
    """A kiosk that wants in."""

    def __init__(self, hub: HubInThread, name: str = "K02", code: bytes | None = None) -> None:
        self.hub, self.name = hub, name
        self.key, self.journal = TransportKey.generate(), SigningKey.generate()
        self.code = code if code is not None else self.given()

    def given(self, lives_ns: int = DAY_NS) -> bytes:
        """Let the operator make a code."""
        with self.hub.stores.office.begin() as connection:
            code = make_code(connection, self.name, "live", "", "", "ana", time.time_ns(), lives_ns)
        self.hub.settle()
        return code

    def request(self, **more: Any) -> Enrol:
        told: dict[str, Any] = {
            "kiosk": self.name, "realm": "live", "transport_key": self.key.public,
            "journal_key": self.journal.public_hex, "epoch": 3, "hub_key": self.hub.hub_key, "code": self.code,
            "sign": self.journal.sign,
        }  # fmt: skip
        return request_of(**{**told, **more})

    def ask(self, **more: Any) -> Enrolment:
        return self.put(self.request(**more))

    def put(self, request: Enrol) -> Enrolment:
        """Ask with a socket of its own, as often as the hub says *later*."""
        return until(lambda: self._once(request))

    def _once(self, request: Enrol) -> Enrolment | None:
        try:
            return ask(f"tcp://127.0.0.1:{self.hub.ports[1]}", self.hub.hub_key, self.key, request)
        except SyncError as error:
            if not error.transient:
                raise
            return None

    def held(self) -> list[tuple[str, str]]:
        """Return purpose and state of the kiosk's keys at the hub."""
        with self.hub.stores.office.connect() as connection:
            found = connection.execute(sa.select(tables.kiosk_key).where(tables.kiosk_key.c.kiosk == self.name))
            return sorted((row.purpose, row.state) for row in found)


def test_a_kiosk_is_taken_in_with_a_code_six_words_and_an_approval(hub: HubInThread) -> None:
    applicant = Applicant(hub)
    answer = applicant.ask()
    words = words_of("K02", applicant.key.public, applicant.journal.public_hex)
    assert (answer.state, answer.words, answer.signing_key) == ("pending", words, "")
    assert applicant.held() == [("journal", "pending"), ("transport", "pending")]
    assert applicant.ask().state == "pending"
    with hub.stores.office.begin() as connection:
        approve(connection, "K02", "ana", 1, time.time_ns())
    hub.settle()
    answer = applicant.ask()
    assert answer.state == "approved"
    known = approved_hub("K02", fingerprint(hub.hub_key), hub.hub_key, answer)
    assert (known.hub, known.signing_key) == ("hub", hub.signing.public_hex)
    assert answer.endpoints == (f"tcp://127.0.0.1:{hub.ports[0]}",)
    kiosk = hub.connect("K02", applicant.key)
    kiosk.greet()
    kiosk.works()
    assert hub.findings() == {}


def test_a_code_is_good_once(hub: HubInThread) -> None:
    first = Applicant(hub)
    assert first.ask().state == "pending"
    hub.settle()
    second = Applicant(hub, code=first.code)
    assert second.ask().state == "refused"
    hub.found("enrolment_refused")
    assert first.held() == [("journal", "pending"), ("transport", "pending")]
    row = hub.row(tables.code, kiosk="K02")
    assert row.used_ns
    assert row.secret == ""


@pytest.mark.parametrize("wrong", ["code", "day", "signature", "hub", "kiosk", "realm", "key", "text"])
def test_an_enrolment_with_anything_wrong_is_refused_in_the_same_words(hub: HubInThread, wrong: str) -> None:
    applicant = Applicant(hub)
    stranger = SigningKey.generate()
    if wrong == "day":
        applicant.code = applicant.given(lives_ns=1)
    request = {
        "code": lambda: applicant.request(code=new_code()),
        "day": applicant.request,
        "signature": lambda: applicant.request(sign=stranger.sign),
        "hub": lambda: applicant.request(hub_key=TransportKey.generate().public),
        "kiosk": lambda: applicant.request(kiosk="K03"),
        "realm": lambda: applicant.request(realm="training"),
        "text": lambda: applicant.request(journal_key=applicant.journal.public_hex.upper()),
        "key": lambda: applicant.request(transport_key=TransportKey.generate().public),
    }[wrong]()
    answer = applicant.put(request)
    assert (answer.state, answer.words, answer.server_key) == ("refused", "", "")
    assert "code" in answer.detail
    until(lambda: any(code == "enrolment_refused" for code, _ in hub.findings()))
    assert applicant.held() == []


def test_a_key_of_one_kiosk_enrols_no_other(hub: HubInThread) -> None:
    key, _ = hub.register("K01")
    applicant = Applicant(hub)
    applicant.key = key
    assert applicant.ask().state == "refused"
    assert applicant.held() == []


def test_a_revoked_key_does_not_come_back_with_a_new_code(hub: HubInThread) -> None:
    applicant = Applicant(hub)
    applicant.ask()
    hub.change(tables.kiosk_key.update().values(state="revoked"))
    applicant.code = applicant.given()
    assert applicant.ask().state == "refused"
    applicant.key = TransportKey.generate()
    assert applicant.ask().state == "refused"
    applicant.journal = SigningKey.generate()
    assert applicant.ask().state == "pending"


def test_a_kiosk_that_is_enrolled_again_works_with_its_old_keys_until_it_is_approved(hub: HubInThread) -> None:
    key, journal = hub.register("K02")
    old = hub.connect("K02", key)
    old.greet()
    applicant = Applicant(hub)
    assert applicant.ask().state == "pending"
    old.works()
    with hub.stores.office.begin() as connection:
        approve(connection, "K02", "ana", 1, time.time_ns())
    hub.settle()
    assert sorted(state for _, state in applicant.held()) == ["current", "current", "retired", "retired"]
    hub.connect("K02", applicant.key).greet()
    assert hub.row(tables.kiosk_key, key=journal.public_hex).state == "retired"


def flood(hub: HubInThread, many: int) -> FakeKiosk:
    """Send so many wrong attempts from one connection, each under another name."""
    flooder = hub.connect("K99", TransportKey.generate(), port=1)
    for number in range(many):
        bare = Enrol(f"X{number}", "live", flooder.key.public, "00" * 32, 1, b"", b"s" * 64)
        proof = proof_of(new_code(), enrol_message(hub.hub_key, bare))
        flooder.send(msgspec.structs.replace(bare, proof=proof))
    return flooder


def test_a_flood_of_wrong_codes_is_bounded_and_keeps_nobody_out(hub: HubInThread) -> None:
    many = 300
    applicant = Applicant(hub)
    flooder = flood(hub, many)
    assert applicant.ask().state == "pending"
    hub.found("enrolment_refused", times=many)
    with hub.stores.office.connect() as connection:
        for table, most in ((tables.peer_finding, 2), (tables.code, 1), (tables.kiosk_key, 2), (tables.kiosk, 1)):
            assert len(connection.execute(sa.select(table)).all()) <= most
    assert len(hub.front.counter._asked) == 1
    assert len(hub.front.port.peers) == 0
    answered = 0
    while not flooder.silence(100):
        flooder.expect(Enrolment, way=wire.ENROL_DOWN)
        answered += 1
    assert 0 < answered <= 3 * ANSWERS  # a second's worth each; they took less than three


def test_the_enrolments_port_takes_nothing_else(hub: HubInThread) -> None:
    stranger = hub.connect("K02", TransportKey.generate(), port=1)
    stranger.send(Ping(1))
    packed = wire.encode(Enrol("K02" * 9, "l" * 60, "k" * 40, "0" * 64, 1, b"", b"", "x" * 64), session=0, number=1)
    stranger.socket.send_multipart([wire.encode(Ping(1), session=0, number=1, pack=True)[0], packed[1]])
    stranger.socket.send_multipart([b"x"])
    for _ in range(3):
        assert stranger.expect(Enrolment, way=wire.ENROL_DOWN).state == "refused"
    hub.found("enrolment_malformed", times=3)
    stranger.socket.send_multipart([b"h", b"x" * 5000])
    hub.found("enrolment_malformed", times=3)


def test_who_asks_again_at_once_is_told_later_and_costs_the_database_nothing(hub: HubInThread) -> None:
    applicant = Applicant(hub)
    applicant.ask()
    hub.settle()
    pushy = hub.connect("K02", applicant.key, port=1)
    for _ in range(20):
        pushy.send(applicant.request())
    states = [pushy.expect(Enrolment, way=wire.ENROL_DOWN).state for _ in range(20)]
    assert states.count("later") >= 15


def test_a_code_ends_with_its_day_before_the_database_is_asked(hub: HubInThread) -> None:
    applicant = Applicant(hub)
    request = applicant.request()
    registry = hub.front.port.seen.registry
    ends = registry.codes["K02"].expires_ns
    key = applicant.key.public
    assert judge(registry, hub.hub_key, request, key, ends - 1) == "proven"
    assert judge(registry, hub.hub_key, request, key, ends) == "the code's day is over"
