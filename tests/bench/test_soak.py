"""The short form of `make soak` and `make fuzz`, and proof that both see what they are for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.fuzz import PROTOCOLS, SHARES, Campaign
from bench.note_rigs import BY_NAME, BYTE_NS, RIGS
from bench.soak import RUN
from bench.soak_coins import soak_coins, soak_hopper
from bench.soak_wire import BAD
from bench.soak_world import Count, soak
from kiosk.protocols.id003.frames import Decoder
from kiosk.protocols.note_watch import NoteWatch

NAMES = [rig.name for rig in RIGS]


def soaked(name: str, notes: int = 60, *, seed: int = 4, power_cuts: float = 0.0) -> Count:
    rig = BY_NAME[name]
    return soak(
        rig.spec, rig.settled(), rig.make(), notes=notes, seed=seed, byte_ns=BYTE_NS, faults=BAD, power_cuts=power_cuts
    )


def test_every_cash_protocol_has_a_row() -> None:
    assert {rig.protocol for rig in RIGS} == {"id003", "ccnet", "ebds", "ssp", "cctalk"}
    assert RUN >= 1000


@pytest.mark.parametrize("name", NAMES)
def test_what_is_credited_through_a_bad_line_is_what_is_stacked(name: str) -> None:
    told = soaked(name)
    assert told.differences == ()
    assert sum(told.stacked.values()) >= 30
    assert sum(told.faults.values()) >= 50, "a clean line shows nothing"


@pytest.mark.parametrize("name", NAMES)
def test_power_cuts_on_top_lose_no_note_and_make_none(name: str) -> None:
    assert soaked(name, 40, seed=5, power_cuts=0.05).differences == ()


@pytest.mark.parametrize("name", ["id003", "ssp", "cctalk"])
def test_a_soak_sees_a_driver_that_credits_in_escrow(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a note that goes back after all was never money."""
    begin = NoteWatch._begin

    def too_early(self: NoteWatch, sight: Any, now: int) -> None:
        begin(self, sight, now)
        if self._note is not None and self._note.id is not None:
            self._credit(self._note, now, sight, recovered=False)

    monkeypatch.setattr(NoteWatch, "_begin", too_early)
    assert soaked(name).differences


def test_every_coin_that_fell_is_told_once() -> None:
    told = soak_coins(200, 3)
    assert told["differences"] == []
    assert told["credited"] == told["coins"] >= 200


@pytest.mark.parametrize("seed", [1, 2])
def test_every_payout_is_paid_once(seed: int) -> None:
    told = soak_hopper(25, seed, power_cuts=seed == 2)
    assert told["differences"] == []
    assert told["coins"] > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_mutated_frame_breaks_a_codec_or_a_role(protocol: str) -> None:
    campaign = Campaign(protocol, 11)
    for target in SHARES:
        getattr(campaign, target)(400)
    assert campaign.differences == []
    assert json.dumps(campaign.counts)
    assert 0 < campaign.largest <= 4096


def test_the_fuzzer_sees_a_decoder_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Decoder.feed

    def brittle(self: Decoder, data: bytes) -> Any:
        if data[1:2] == b"\xff":
            raise IndexError("no such frame")
        return feed(self, data)

    monkeypatch.setattr(Decoder, "feed", brittle)
    campaign = Campaign("id003", 11)
    campaign.decoder(3000)
    assert any("IndexError" in each for each in campaign.differences)
