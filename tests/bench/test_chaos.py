"""The campaign of kiosks and hub in its short form; and its check finds what it is there to find."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench import chaos
from bench.chaos_check import Finding, Rows, accepted_of, compare
from bench.chaos_line import Line
from bench.chaos_plan import Event, Plan, draw
from kiosk.hub.store import tables
from kiosk.hub.store.migrating import prepare
from kiosk.hub.store.stores import open_stores

ROWS: Rows = {(1, seq): b'{"seq":%d,"body":{"kind":"started"}}' % seq for seq in range(1, 9)}


def test_the_same_seed_draws_the_same_run_and_all_kinds_of_things_happen() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    kinds = {kind for seed in range(100) for kind in draw(seed).kinds}
    rare = {"hub_backup", "hub_restore", "kiosk_backup", "kiosk_restore", "card_copied", "card_put_back", "clone_wakes"}
    often = {"kill_sync", "kill_counter", "kill_part", "kill_hub", "cut", "stall", "hold", "delay"}
    assert kinds == rare | often


# --- the check --------------------------------------------------------------------------------------------------


def test_the_check_is_content_where_both_hold_the_same() -> None:
    verdict = compare("K01", ROWS, [], dict(ROWS), [])
    assert (verdict.same, verdict.explained, verdict.unexplained) == (8, [], [])


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda rows: rows.pop((1, 8)), 8),
        (lambda rows: rows.update({(1, 5): b'{"seq":5,"body":{"kind":"stopped"}}'}), 5),
        (lambda rows: rows.update({(1, 9): b'{"seq":9,"body":{"kind":"stopped"}}'}), 9),
    ],
)
def test_a_difference_without_a_finding_at_its_place_is_unexplained(change: object, first: int) -> None:
    accepted = dict(ROWS)
    change(accepted)  # type: ignore[operator]
    assert any(f"1/{first}" in told for told in compare("K01", ROWS, [accepted], accepted, []).unexplained)
    elsewhere = [Finding("fork", "K01", 1, first - 3, ""), Finding("fork", "K02", 1, first, "")]
    assert compare("K01", ROWS, [accepted], accepted, elsewhere).unexplained
    named = compare("K01", ROWS, [accepted], accepted, [Finding("fork", "K01", 1, first, "")])
    assert (named.unexplained, len(named.explained)) == ([], 1)


def test_a_fact_that_no_card_ever_held_is_unexplained_whatever_is_found() -> None:
    accepted = {**ROWS, (1, 3): b'{"seq":3,"body":{"kind":"stopped"}}'}
    everywhere = [Finding("fork", "K01", 1, seq, "") for seq in range(1, 9)]
    assert compare("K01", ROWS, [], accepted, everywhere).unexplained


def test_a_fact_that_a_hub_holds_twice_or_out_of_order_is_told(tmp_path: Path) -> None:
    stores = open_stores(tmp_path)
    prepare(stores)
    with stores.segments.begin() as connection:
        for number, (first, last) in enumerate(((1, 3), (3, 4), (6, 6)), 1):
            connection.execute(tables.segment.insert().values(
                worker=0, number=number, kiosk="K01", epoch=1, first=first, last=last, previous=b"", hash=b"",
                signature=b"", received_ns=0, codec=0,
                body=msgspec.msgpack.encode([ROWS[1, seq] for seq in range(first, last + 1)]),
            ))  # fmt: skip
    stores.close()
    accepted, faults = accepted_of(tmp_path / "segments.db")
    assert sorted(accepted["K01"]) == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 6)]
    assert faults == ["K01 1/3 is there twice", "K01 1/6 came before the fact before it"]


# --- the line ---------------------------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Iterator[int]:
    """Yield the port of a server that says everything again."""
    server = socket.create_server(("127.0.0.1", 0))

    def again(caller: socket.socket) -> None:
        with caller:
            try:
                while piece := caller.recv(65536):
                    caller.sendall(piece)
            except OSError:
                return

    def serve() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=again, args=(caller,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def test_a_held_connection_goes_on_after_a_newer_one_has_spoken(echo: int) -> None:
    line = Line(echo)
    try:
        with socket.create_connection(("127.0.0.1", line.port), 10) as old:
            old.settimeout(10)
            old.sendall(b"a")
            assert old.recv(1) == b"a"
            line.hold()
            old.sendall(b"late")
            with socket.create_connection(("127.0.0.1", line.port), 10) as new:
                new.settimeout(10)
                new.sendall(b"early")
                assert new.recv(5) == b"early"
                old.setblocking(False)
                with pytest.raises(BlockingIOError):
                    old.recv(4)
            line.release()
            old.settimeout(10)
            assert old.recv(4) == b"late"
            line.cut()
            with pytest.raises(ConnectionResetError):
                old.recv(1)
    finally:
        line.close()


# --- the campaign -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_kiosk_and_a_hub_that_are_killed_and_cut_end_with_the_same_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the hub's own answer were wrong: the check reads its files without its code."""
    monkeypatch.setattr(chaos, "KIOSKS", ("K01",))
    monkeypatch.setattr(chaos, "ACTION_S", 2.0)
    events = (Event(0.4, "kill_sync", 0), Event(0.8, "cut", 0, lasts_s=0.3), Event(1.2, "kill_part", -1, "worker"))
    monkeypatch.setattr(chaos, "draw", lambda seed: Plan(seed, 1, (20,), (40,), events))
    chaos.make_template(tmp_path)
    outcome = chaos.run_one(1, tmp_path)
    assert outcome.unexplained == []
    assert outcome.facts == outcome.at_hub > 40
    assert outcome.minor > 0
    assert outcome.kills == 2
