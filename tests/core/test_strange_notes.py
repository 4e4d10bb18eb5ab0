"""Notes whose value no entry can carry: whatever a driver tells of one, it is kept apart once and nobody stops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core import view
from kiosk.model import commands as c
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from kiosk.model.money import Money
from tests.core.kernel_rig import NOTES, Rig, usd

STRANGE = [Money(500, "XXX"), Money(0, "USD"), Money(-100, "USD")]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


@pytest.mark.parametrize("value", STRANGE, ids=["currency", "zero", "below"])
def test_a_test_note_of_a_value_nobody_knows_is_returned_and_kept_as_unknown_where_it_was_stacked(
    rig: Rig, value: Money
) -> None:
    rig.sign_in()
    rig.tap(intents.TestNote())
    note = NoteId("", 1)
    rig.news("notes", d.NoteEscrowed(note, value, 0))
    assert len(rig.sent(c.ReturnNote)) == 1
    token = rig.stacked(note)
    assert rig.confirmed(token)
    rig.restart()
    token = rig.stacked(note, recovered=True)
    assert rig.confirmed(token)
    (kept,) = rig.bodies(facts.NoteSuspended)
    assert (kept.value, kept.entry, rig.kernel.books.box_unknown) == (None, None, 1)


@pytest.mark.parametrize("value", STRANGE, ids=["currency", "zero", "below"])
def test_a_note_that_nobody_announced_of_a_value_nobody_knows_is_confirmed_and_counted(rig: Rig, value: Money) -> None:
    rig.token += 1
    rig.news("notes", d.NoteStacked(rig.token, None, value))
    assert rig.confirmed(rig.token)
    assert (rig.kernel.books.box, rig.kernel.books.box_unknown) == ({}, 1)


@pytest.mark.parametrize("value", STRANGE, ids=["currency", "zero", "below"])
def test_a_dispute_over_a_value_nobody_knows_ends_as_an_unknown_note_and_not_as_a_stop(rig: Rig, value: Money) -> None:
    rig.pay()
    rig.news("notes", d.NotesKnown(tuple(usd(minor) for minor in NOTES)))
    note = NoteId("", 1)
    rig.news("notes", d.NoteEscrowed(note, value, 0))
    view.snapshot(rig.kernel, version=1, boot="b")
    rig.token += 1
    rig.news("notes", d.NoteDisputed(rig.token, note, value, "silence"))
    assert rig.confirmed(rig.token)
    assert rig.kernel.books.disputes == {}
    assert rig.kernel.books.box_unknown == 1
    rig.wait(600)
    assert rig.bodies(facts.NoteCredited) == []
    assert rig.state in ("idle", "out_of_service")
