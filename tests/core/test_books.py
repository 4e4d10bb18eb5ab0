"""The books: what committed facts add up to, bounded, the same after every replay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kiosk.checkout import intents
from kiosk.core import replay
from kiosk.core.books import NOTES_KEPT, Books
from kiosk.journal.store import Journal
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from kiosk.model.invoice import PostedThrough
from tests.core.kernel_rig import PARKING, WATER, Rig
from tests.journal.conftest import stamp_at
from tests.journal.examples import any_body
from tests.tariff.example_city import chart


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    whole.close()


def test_the_box_holds_what_was_stacked_since_it_was_put_in(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    rig.feed(1000)
    rig.stacked(None)
    books = rig.kernel.books
    assert (books.box, books.box_unknown) == ({"USD": {5000: 1, 1000: 1}}, 1)
    rig.news("notes", d.CashboxRemoved())
    assert (books.box_session, books.box_present, books.box) == (2, False, {})
    assert (books.boxes[1].content, books.boxes[1].unknown_notes) == ({"USD": {5000: 1, 1000: 1}}, 1)
    rig.news("notes", d.CashboxInserted())
    assert (books.box_session, books.box, books.box_unknown) == (2, {}, 0)
    rig.feed(1000)
    assert books.box == {"USD": {1000: 1}}


def test_a_box_that_says_the_same_twice_changes_once(rig: Rig) -> None:
    for _ in range(3):
        rig.news("notes", d.CashboxRemoved())
    assert len(rig.bodies(facts.CashboxChanged)) == 1


def test_a_slip_that_is_not_on_paper_is_remembered_longer_than_those_that_are(rig: Rig) -> None:
    rig.pay(PARKING)
    rig.feed(2000)
    rig.tap(intents.AgreeExcess())
    rig.wait(1000)
    books = rig.kernel.books
    assert books.slips_open() == [1]
    for number in range(2, 200):
        fact = rig.committed[-1].fact
        books.take_slip(number, fact, "x", "")
    assert books.slips_open() == [1]
    assert len(books.slips) < 70


def test_a_payment_counts_until_the_hub_has_counted_it(rig: Rig) -> None:
    rig.pay(WATER)
    rig.feed(5000)
    rig.tap(intents.Finish())
    books = rig.kernel.books
    assert books.paid_since("water_bill", WATER, PostedThrough()) == 5000
    place = books.applied[f"water_bill/{WATER}"][0]
    assert books.paid_since("water_bill", WATER, PostedThrough(place.epoch, place.seq)) == 0
    assert books.paid_since("water_bill", "0", PostedThrough()) == 0
    # The number is an account's: what was paid for this bill is no payment of the next.
    assert place.bill > "2026"
    assert books.paid_since("water_bill", WATER, PostedThrough(), place.bill) == 5000
    assert books.paid_since("water_bill", WATER, PostedThrough(), "2199-01-01") == 0
    assert books.settled_on("water_bill", WATER, PostedThrough(), "2199-01-01") == ""


def test_settled_tender_leaves_nothing_unapplied(rig: Rig) -> None:
    rig.pay(WATER)
    rig.feed(5000)
    rig.tap(intents.Finish())
    accounts = rig.kernel.books.balances["USD"]
    assert accounts[chart().roles.unapplied_tender] == 0
    assert accounts[chart().roles.cash_in_box] == 5000
    assert sum(accounts.values()) == 0


def test_notes_that_no_unit_says_goodbye_to_do_not_pile_up(rig: Rig) -> None:
    for serial in range(1, 4 * NOTES_KEPT):
        rig.stacked(NoteId("", serial), 1000)
    assert len(rig.kernel.books.notes) <= 2 * NOTES_KEPT + 1
    latest = rig.kernel.books.open_note("notes")
    assert latest is not None
    assert latest[0].serial == 4 * NOTES_KEPT - 1


def test_a_checkpoint_gives_the_same_books_as_the_whole_journal(rig: Rig) -> None:
    rig.pay()
    rig.feed(5000)
    replay.save(cast("Journal", rig.journal), rig.kernel.books)
    rig.feed(1000)
    rig.restart()
    whole = Books()
    for committed in rig.journal.read():
        whole.apply(committed)
    assert whole == rig.kernel.books


#: Ids that meet again, so that facts speak of the same notes, slips and sessions.
NOTE = st.builds(NoteId, st.sampled_from(["notes", "more"]), st.integers(1, 4))
SESSION = st.sampled_from(["", "s-1", "s-2"])


@pytest.mark.parametrize("kind", get_args(facts.AnyBody), ids=lambda kind: kind.__name__)
@settings(
    max_examples=6, phases=[Phase.explicit, Phase.generate], deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
@given(st.data())
def test_a_checkpoint_before_or_after_any_kind_of_fact_changes_nothing(kind: type, data: st.DataObject) -> None:
    around = st.lists(any_body.filter(storable), max_size=3)
    bodies = [*data.draw(around), data.draw(st.from_type(kind).filter(storable)), *data.draw(around)]
    bodies = [with_note(body, data) for body in bodies]
    at = data.draw(st.integers(0, len(bodies)), label="checkpoint after")
    whole, short = Books(), Books()
    for place, body in enumerate(bodies, 1):
        session = data.draw(SESSION)
        stamp = msgspec.structs.replace(stamp_at(place), session=session)
        fact = facts.Fact(version=1, kiosk="K07", epoch=1, seq=place, realm="demo", stamp=stamp, body=body)
        committed = facts.Committed(fact, bytes([place]) * 32)
        if place == at + 1:
            short = replay._decoder.decode(replay._encoder.encode(short))
        whole.apply(committed)
        short.apply(committed)
    assert short == whole
    assert list(short.notes) == list(whole.notes)  # `open_note` goes by their order
    assert msgspec.to_builtins(short) == msgspec.to_builtins(replay._decoder.decode(replay._encoder.encode(whole)))


def storable(body: Any) -> bool:
    """A journal holds whole numbers of 64 bits: sums of a few must fit, and milliseconds in nanoseconds."""
    return all(abs(int(number)) < 1 << 40 for number in re.findall(r"\d+", repr(body)))


def with_note(body: Any, data: st.DataObject) -> Any:
    found = getattr(body, "note", None)
    return msgspec.structs.replace(body, note=data.draw(NOTE)) if isinstance(found, NoteId) else body
