"""What the front reads and writes in the database, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.front import commands, contacts, refusals, registry
from kiosk.hub.front.approval import approve, make_code, pending_words, revoke
from kiosk.hub.front.contacts import Contact
from kiosk.hub.front.desk import Desk
from kiosk.hub.front.enrolling import REFUSED, take_in
from kiosk.hub.front.refusals import Refusals
from kiosk.hub.front.server_keys import (
    load_signing_key,
    make_keys,
    signing_key,
    signing_path,
    transport_keys,
    transport_path,
)
from kiosk.hub.front.watch import Watch
from kiosk.hub.revisions import bump, current
from kiosk.hub.settings import Hub, HubConfig
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from kiosk.journal.keys import SigningKey
from kiosk.sync.enrolment import request_of
from kiosk.sync.keys import TransportKey
from kiosk.sync.messages import DataCursor, Done, Enrol, Ping
from kiosk.sync.receipts import kiosk_key_message
from tests.hub.front.conftest import until
from tests.hub.front.test_service import status

HUB_KEY = TransportKey.generate().public
CONFIG = HubConfig(hub=Hub("hub"))


def rows(stores: Stores, table: sa.Table, **where: Any) -> list[Any]:
    with stores.office.connect() as connection:
        wanted = [table.c[name] == value for name, value in where.items()]
        return list(connection.execute(sa.select(table).where(*wanted)))


def enrolled(stores: Stores, name: str, workers: int = 1) -> tuple[TransportKey, SigningKey, int]:
    """Take a kiosk in, from its code to its approval."""
    key, journal, hub = TransportKey.generate(), SigningKey.generate(), SigningKey.generate()
    with stores.office.begin() as connection:
        code = make_code(connection, name, "live", "", "", "ana", 1)
        request = request_of(
            name, "live", key.public, journal.public_hex, 1, hub_key=HUB_KEY, code=code, sign=journal.sign
        )
        make_hub_key(connection)
        answer, why = take_in(connection, CONFIG, hub, request, HUB_KEY, 2)
        assert (answer.state, why) == ("pending", "")
        assert pending_words(connection, name) == answer.words
        with pytest.raises(HubError, match="other keys"):
            approve(connection, name, "ana", workers, 3, "other words")
        worker = approve(connection, name, "ana", workers, 3, answer.words)
        assert take_in(connection, CONFIG, hub, request, HUB_KEY, 4)[0].state == "approved"
        # The code is used up: another key does not come in by it.
        other = TransportKey.generate().public
        again = request_of(name, "live", other, journal.public_hex, 1, hub_key=HUB_KEY, code=code, sign=journal.sign)
        assert take_in(connection, CONFIG, hub, again, HUB_KEY, 5)[0] == REFUSED
    return key, journal, worker


def make_hub_key(connection: sa.Connection) -> None:
    if not transport_keys(connection):
        connection.execute(
            tables.server_key.insert().values(
                purpose="transport", key=HUB_KEY, state="current", endpoint="", since_ns=0
            )
        )


def test_kiosks_are_spread_over_the_workers_and_stay_with_theirs(both_stores: Stores) -> None:
    assert [enrolled(both_stores, f"K{number}", 2)[2] for number in range(1, 4)] == [0, 1, 0]
    assert enrolled(both_stores, "K2", 2)[2] == 1
    assert enrolled(both_stores, "K1", 2)[2] == 0  # though worker 1 has fewer


def test_a_revocation_takes_keys_and_codes_of_its_kiosk_alone(both_stores: Stores) -> None:
    key, _, _ = enrolled(both_stores, "K1")
    other, _, _ = enrolled(both_stores, "K2")
    with both_stores.office.begin() as connection:
        make_code(connection, "K1", "live", "", "", "ana", 1)
        before = registry.load(connection)
        assert (before.admits(key.public) or registry.Entry("", "", 0, "")).kiosk == "K1"
        assert list(before.codes) == ["K1"]
        gone = revoke(connection, "K1", "ana", 9)
        after = registry.load(connection)
    assert (len(gone.keys), after.revision) == (2, gone.revision)
    assert after.admits(key.public) is None
    assert after.keys[key.public].standing == "revoked"
    assert after.admits(other.public) is not None
    assert after.codes == {}
    with both_stores.office.begin() as connection:
        assert revoke(connection, other.public, "ana", 9).keys == (other.public,)
        assert registry.load(connection).admits(other.public) is None


def test_a_new_key_ends_the_old_one_once(both_stores: Stores) -> None:
    key, journal, _ = enrolled(both_stores, "K1")
    fresh = TransportKey.generate().public
    with both_stores.office.begin() as connection:
        connection.execute(tables.command.insert().values(
            id="c1", kiosk="K1", command="rotate", argument="", reason="", asked_by="ana", asked_ns=0, state="waiting",
            answer="", answered_ns=0,
        ))  # fmt: skip
        commands.mark_sent(connection, ["c1"])
        signature = journal.sign(kiosk_key_message("K1", fresh))
        assert commands.take_done(connection, "K1", Done("c1", "done", "", fresh, signature), 5) == ("", "")
        both = registry.load(connection)
        assert both.admits(key.public) is not None
        assert (both.admits(fresh) or registry.Entry("", "", 0, "")).next
        commands.promote(connection, "K1", fresh, 6)
        commands.promote(connection, "K1", fresh, 7)
        last = registry.load(connection)
    assert last.admits(key.public) is None
    assert last.keys[fresh] == registry.Entry("K1", "live", 0, "approved")
    assert rows(both_stores, tables.command, id="c1")[0].state == "done"


def test_news_of_kiosks_replace_only_what_was_told(both_stores: Stores) -> None:
    first, second = Contact("K1", seen_ns=1), Contact("K2", seen_ns=1)
    first.take_status(status())
    second.take_ping(Ping(3_000_000), 1_000_000)
    with both_stores.office.begin() as connection:
        contacts.write(connection, [first, second])
    later = Contact("K1", seen_ns=2)
    later.take_ping(Ping(10_000_000, round_trip_ns=4_000_000), 2_000_000)
    with both_stores.office.begin() as connection:
        contacts.write(connection, [later, Contact("K2", seen_ns=3)])
    one, two = (rows(both_stores, tables.contact, kiosk=name)[0] for name in ("K1", "K2"))
    assert (one.seen_ns, one.state, one.unsynced, one.offset_ms, one.round_trip_ms) == (2, "open", 3, 10, 4)
    assert json.loads(one.status)["clock"]["trusted"] is True
    assert (two.seen_ns, two.state, two.offset_ms, two.round_trip_ms, two.stacker_permille) == (3, "unknown", 2, -1, -1)


def test_refusals_are_added_up(both_stores: Stores) -> None:
    counted = Refusals()
    for _ in range(2):
        for _ in range(3):
            counted.note("unknown_key", detail="x", where="10.0.0.1")
            counted.note("replayed", "K1", "y")
        with both_stores.office.begin() as connection:
            refusals.write(connection, counted.take(), time.time_ns())
    found = {row.code: row for row in rows(both_stores, tables.peer_finding)}
    assert {code: row.times for code, row in found.items()} == {"unknown_key": 6, "replayed": 6}
    assert found["unknown_key"].detail == "x (from 10.0.0.1)"
    with both_stores.office.connect() as connection:
        assert refusals.strangers_in(connection) == {"unknown_key": {found["unknown_key"].id}}


def test_the_reader_sees_what_changed_and_the_writer_what_it_was_given(both_stores: Stores) -> None:
    watch = Watch(lambda: both_stores)
    watch.look(both_stores)
    assert watch.seen.registry.keys == {}
    key, _, _ = enrolled(both_stores, "K1")
    with both_stores.office.begin() as connection:
        connection.execute(tables.document.insert().values(
            name="people", version=2, digest="d", body=b"", at_ns=0, by="", effective="",
        ))  # fmt: skip
        bump(connection, "documents")
    watch.look(both_stores)
    assert watch.seen.registry.admits(key.public) is not None
    assert watch.seen.data == {"people": DataCursor("people", 1, 2, "d")}
    desk = Desk(lambda: both_stores, 0.01)
    desk.start()
    told: list[Any] = []
    assert desk.ask(lambda connection: current(connection, "registry"), told.append)
    then, result = until(lambda: desk.answers and desk.answers.popleft())
    then(result)
    desk.tell({"K1": Contact("K1", seen_ns=5)}, [], watch.seen.registry.revision)
    desk.end()
    assert told == [watch.seen.registry.revision]
    assert rows(both_stores, tables.contact, kiosk="K1")[0].seen_ns == 5
    with both_stores.office.connect() as connection:
        assert current(connection, registry.SEEN) == watch.seen.registry.revision


def test_a_database_that_is_gone_is_told_and_the_last_registry_grows_old(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = Watch(lambda: stores)
    watch.look(stores)
    before = watch.seen.read_ns
    with stores.office.begin() as connection:
        tables.revision.drop(connection)
    watch.look(stores)
    watch.look(stores)
    assert watch.seen.read_ns == before
    assert capsys.readouterr().err.count("cannot be read") == 1


def test_what_cannot_be_written_now_is_written_later(stores: Stores) -> None:
    desk = Desk(lambda: stores, 0.01)
    with stores.office.begin() as connection:
        tables.contact.drop(connection)
    counted = Refusals()
    counted.note("replayed", "K1")
    desk.start()
    desk.tell({"K1": Contact("K1", seen_ns=5)}, counted.take(), 1)
    until(lambda: desk.trouble)
    with stores.office.begin() as connection:
        tables.contact.create(connection)
    until(lambda: rows(stores, tables.contact))
    desk.end()
    assert [row.code for row in rows(stores, tables.peer_finding)] == ["replayed"]
    assert desk.trouble == ""


def test_the_hubs_keys_are_made_once_and_a_set_up_that_was_cut_off_goes_on(stores: Stores, tmp_path: Path) -> None:
    state = tmp_path / "hub"
    half = SigningKey.create(signing_path(state))  # made, and then the power went before the row was there
    for _ in range(2):
        with stores.office.begin() as connection:
            make_keys(connection, state)
            (key,) = transport_keys(connection)
    assert load_signing_key(state).public_hex == half.public_hex
    assert TransportKey.load(transport_path(state, key.key)).public == key.key
    assert {row.purpose for row in rows(stores, tables.server_key)} == {"signing", "transport"}
    signing_path(state).unlink()
    with pytest.raises(HubError, match="secret keys are not in"):
        load_signing_key(state)


def test_keys_whose_files_are_lost_are_replaced_only_when_somebody_says_so(stores: Stores, tmp_path: Path) -> None:
    state = tmp_path / "hub"
    with stores.office.begin() as connection:
        make_keys(connection, state)
        (old,), old_signing = transport_keys(connection), signing_key(connection)
    kept = transport_path(state, old.key).read_bytes()
    for path in (signing_path(state), transport_path(state, old.key)):
        path.unlink()
    with stores.office.begin() as connection, pytest.raises(HubError, match="secret keys are not in") as told:
        make_keys(connection, state)
    assert "--new-keys" in told.value.hint
    with stores.office.begin() as connection:
        assert transport_keys(connection) == [old]
        transport_path(state, old.key).write_bytes(kept)  # one was found again: it stays
        make_keys(connection, state, lost=True)
        assert [key.key for key in transport_keys(connection)] == [old.key]
        assert signing_key(connection) == load_signing_key(state).public_hex != old_signing


def test_a_request_with_a_key_that_is_none_is_refused(stores: Stores) -> None:
    with stores.office.begin() as connection:
        make_code(connection, "K1", "live", "", "", "ana", 1)
        for journal_key in ("", "zz" * 32, "00" * 31, "f" * 64):
            request = Enrol("K1", "live", HUB_KEY, journal_key, 1, b"", b"s" * 64)
            assert take_in(connection, CONFIG, SigningKey.generate(), request, HUB_KEY, 2)[0] == REFUSED
