"""The crash campaign against every acceptor, in short: whatever the wire, a kill leaves every note in one place."""

from __future__ import annotations

import pytest

from bench.crash import campaign
from bench.note_rigs import BY_NAME


@pytest.mark.parametrize("name", ["ccnet", "ebds", "essp", "cctalk"])
def test_a_kill_leaves_every_note_credited_returned_or_disputed(name: str) -> None:
    told = campaign(
        runs=10, seed=9, names=["exact", "over-declined", "garbled-line"], real=0, quiet=True, rig=BY_NAME[name]
    )
    assert told["differences"] == 0, told["differing"]
    assert told["kills"] >= 8, "a campaign that kills nothing shows nothing"
