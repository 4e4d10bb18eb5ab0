"""The table of decisions: every row of it, and that no order of messages makes another journal out of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kiosk.hub.ingest import decision as deciding
from kiosk.hub.ingest.decision import MOST_AHEAD, decide_ahead, decide_journal, wants
from kiosk.hub.ingest.greeting import decide_hello
from kiosk.hub.ingest.known import CODES, Decision, Known, RegisteredKey
from kiosk.hub.ingest.proof import TAKEN_ROWS
from kiosk.journal.encoding import chain, head_message
from kiosk.sync.messages import NACK_CODES, Ahead, Clock, Hello, Journal, Mark
from tests.hub.ingest.journals import NOW, REALM, SECOND, Kiosk, ahead_of, key_of, make_clone, make_kiosk, make_restored


@dataclass
class Shelf:
    """A store in memory: exactly what the decisions ask for, and every stored hash."""

    kiosk: Kiosk
    known: Known = field(init=False)
    rows: dict[tuple[int, int], bytes] = field(default_factory=dict)
    hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    apart: list[Decision] = field(default_factory=list)
    now: int = NOW

    def __post_init__(self) -> None:
        self.known = Known(self.kiosk.name, REALM)

    def tell(self, message: Hello | Journal | Ahead, session: int | None = None) -> Decision:
        """Decide about a message and keep what comes of it."""
        places = wants(self.known, message)
        stored: Sequence[bytes] = ()
        if places:
            stored = [self.hashes[places.epoch, seq] for seq in range(places.first, places.last + 1)]
        if isinstance(message, Hello):
            told = decide_hello(self.known, message, self.now, stored)
        else:
            decide = decide_journal if isinstance(message, Journal) else decide_ahead
            asked = self.known.session if session is None else session
            told = decide(self.known, message, asked, self.kiosk.keys, self.now, stored)  # type: ignore[operator]
        self.known = told.known
        if told.apart:
            self.apart.append(told)
        if told.segment:
            batch = told.segment
            self.hashes.setdefault((batch.epoch, batch.first - 1), batch.previous)
            for seq, row in enumerate(batch.rows, batch.first):
                assert (batch.epoch, seq) not in self.rows, "a place was stored twice"
                self.rows[batch.epoch, seq] = row
            digests = deciding.chain_of(Journal(batch.epoch, batch.first, batch.previous, tuple(batch.rows), b""))
            for seq, digest in enumerate(digests[1:], batch.first):
                self.hashes[batch.epoch, seq] = digest
        return told

    def take(self, messages: Sequence[Journal]) -> None:
        """Take batches that must all be accepted."""
        for message in messages:
            assert self.tell(message).outcome == "accepted"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journals")


@pytest.fixture(scope="module")
def kiosk(room: Path) -> Kiosk:
    """Commits of 1, 1, 2, 1 and 3 facts: seq 1 to 8."""
    return make_kiosk(room, "K07", (1, 2, 1, 3))


@pytest.fixture(scope="module")
def clone(room: Path) -> Kiosk:
    """The same machine's card in a second machine: another history after seq 2."""
    return make_clone(room, "K07", (1, 2, 1, 3))


@pytest.fixture(scope="module")
def restored(room: Path) -> tuple[Kiosk, Kiosk]:
    """Epoch 1 to seq 6, and epoch 2 that follows 1/4."""
    return make_restored(room / "two")


def greeted(kiosk: Kiosk, until: int = 0) -> Shelf:
    """A shelf on which the kiosk said HELLO and delivered so many commits."""
    shelf = Shelf(kiosk)
    shelf.tell(kiosk.hello(kiosk.ends[min(until, len(kiosk.ends) - 1)]))
    shelf.take(kiosk.whole()[:until])
    return shelf


def codes(told: Decision) -> list[str]:
    return [finding.code for finding in told.findings]


# --- the stream -------------------------------------------------------------------------------------------------------


def test_rows_that_follow_and_are_signed_are_taken(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk)
    told = shelf.tell(kiosk.batch(0, 4 - 1))
    assert (told.outcome, told.answer, told.mark) == ("accepted", "ack", Mark(1, 4, kiosk.rows[3].hash))
    assert list(shelf.rows.values()) == [row.row for row in kiosk.rows[:4]]


def test_a_batch_beyond_the_mark_is_a_gap_that_names_the_last_fact_here(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    told = shelf.tell(kiosk.batch(4, 4))
    assert (told.outcome, told.answer, told.mark) == ("gap", "gap", Mark(1, 2, kiosk.rows[1].hash))
    assert not told.findings


def test_a_batch_that_is_here_is_answered_as_before_and_stored_once(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 3)
    before = dict(shelf.rows)
    told = shelf.tell(kiosk.batch(0, 1))
    assert (told.outcome, told.answer, told.mark) == ("duplicate", "ack", Mark(1, 4, kiosk.rows[3].hash))
    assert shelf.rows == before


def test_of_a_batch_that_overlaps_only_the_part_after_the_mark_is_stored(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    told = shelf.tell(kiosk.batch(0, 7))
    assert told.outcome == "accepted"
    assert told.segment is not None
    assert (told.segment.first, told.segment.last, told.segment.previous) == (3, 8, kiosk.rows[1].hash)
    assert list(shelf.rows.values()) == [row.row for row in kiosk.rows]


def test_another_fact_for_a_place_that_is_here_is_a_fork_and_kept_apart(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 4)
    before = dict(shelf.rows)
    told = shelf.tell(clone.batch(0, 4))
    assert (told.outcome, told.answer, told.mark) == ("fork", "fork", Mark(1, 3, kiosk.rows[2].hash))
    assert told.proven
    assert told.apart is not None
    assert list(told.apart.rows) == [row.row for row in clone.rows[:5]]
    assert shelf.rows == before


def test_a_journal_that_follows_another_fact_at_the_mark_is_a_fork_there(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 3)
    told = shelf.tell(clone.batch(4, 4))
    assert (told.outcome, told.mark) == ("fork", Mark(1, 4, kiosk.rows[3].hash))
    assert codes(told) == ["fork"]


def test_rows_after_a_wrong_hash_that_nobody_signed_are_a_wrong_chain_and_no_fork(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    told = shelf.tell(replace(kiosk.batch(2, 3), previous=bytes(32)))
    assert (told.outcome, told.answer, codes(told), told.proven) == (
        "wrong_chain",
        "wrong_chain",
        ["wrong_chain"],
        False,
    )


@pytest.mark.parametrize(
    ("harm", "outcome"),
    [
        (lambda batch: replace(batch, rows=(batch.rows[0][:-1] + b"!", *batch.rows[1:])), "bad_signature"),
        (lambda batch: replace(batch, rows=batch.rows[:-1]), "bad_signature"),
        (lambda batch: replace(batch, rows=batch.rows[1:]), "bad_signature"),
        (lambda batch: replace(batch, rows=batch.rows[::-1]), "bad_signature"),
        (lambda batch: replace(batch, rows=(*batch.rows, b"{}")), "bad_signature"),
        (lambda batch: replace(batch, signature=bytes(64)), "bad_signature"),
        (lambda batch: replace(batch, previous=b"\1" + batch.previous[1:]), "wrong_chain"),
        (lambda batch: replace(batch, first=batch.first + 1), "gap"),
        (lambda batch: replace(batch, first=batch.first - 1), "wrong_chain"),
        (lambda batch: replace(batch, epoch=2), "gap"),
        (lambda batch: replace(batch, rows=()), "malformed"),
        (lambda batch: replace(batch, epoch=0), "malformed"),
        (lambda batch: replace(batch, first=0), "malformed"),
        (lambda batch: replace(batch, first=2**32 - 1), "malformed"),
        (lambda batch: replace(batch, previous=b""), "malformed"),
        (lambda batch: replace(batch, signature=b""), "malformed"),
        (lambda batch: replace(batch, rows=(b"{}",) * (TAKEN_ROWS + 1)), "too_large"),
        (lambda batch: replace(batch, rows=(bytes(5 << 20),)), "too_large"),
    ],
)
def test_whatever_is_altered_on_the_way_is_refused_and_nothing_is_stored(
    kiosk: Kiosk, harm: object, outcome: str
) -> None:
    assert callable(harm)
    shelf = greeted(kiosk, 2)
    told = shelf.tell(harm(kiosk.batch(2, 3)))
    assert told.outcome == outcome
    assert told.segment is None
    assert len(shelf.rows) == 2
    assert shelf.known.mark == Mark(1, 2, kiosk.rows[1].hash)
    assert told.answer in NACK_CODES


@hypothesis_settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_altered_bit_of_a_batch_is_refused(room: Path, kiosk: Kiosk, data: st.DataObject) -> None:
    shelf = greeted(kiosk, 1)
    batch = kiosk.batch(1, 7)
    part = data.draw(st.sampled_from(["previous", "signature", "row"]))
    index = data.draw(st.integers(0, len(batch.rows) - 1))
    whole = {"previous": batch.previous, "signature": batch.signature, "row": batch.rows[index]}[part]
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    other = bytearray(whole)
    other[bit // 8] ^= 1 << bit % 8
    rows = (*batch.rows[:index], bytes(other), *batch.rows[index + 1 :])
    harmed = replace(batch, rows=rows) if part == "row" else replace(batch, **{part: bytes(other)})
    told = shelf.tell(harmed)
    assert told.outcome == ("wrong_chain" if part == "previous" else "bad_signature")
    assert len(shelf.rows) == 1


def test_a_row_that_is_no_fact_passes_because_poison_must_not_block(room: Path) -> None:
    kiosk = make_kiosk(room / "poison", "K08", (1,))
    shelf = greeted(kiosk, 2)
    poison = b"\xff\x00 no fact"
    digest = chain(kiosk.rows[1].hash, poison)
    signature = key_of("K08").sign(head_message("K08", 1, 3, digest))
    assert shelf.tell(Journal(1, 3, kiosk.rows[1].hash, (poison,), signature)).outcome == "accepted"
    assert shelf.rows[1, 3] == poison


def test_an_epoch_whose_key_is_not_registered_any_more_goes_no_further(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    shelf.kiosk = Kiosk(kiosk.name, kiosk.rows, {})
    assert shelf.tell(kiosk.batch(2, 3)).answer == "unknown_key"
    assert len(shelf.rows) == 2


@dataclass(frozen=True)
class Act:
    """One message of a wild sender."""

    kind: str
    begin: int
    end: int


acts = st.lists(
    st.builds(Act, st.sampled_from(["batch", "batch", "batch", "ahead", "hello", "harmed", "clone"]),
              st.integers(0, 7), st.integers(0, 7)),
    max_size=25,
)  # fmt: skip


@hypothesis_settings(max_examples=120, deadline=None)
@given(script=acts)
def test_no_order_or_repetition_or_cut_makes_another_journal_out_of_one(
    kiosk: Kiosk, clone: Kiosk, script: list[Act]
) -> None:
    shelf = greeted(kiosk)
    for act in script:
        end = next(end for end in kiosk.ends if end >= max(act.begin, act.end))
        begin = min(act.begin, act.end)
        match act.kind:
            case "hello":
                shelf.tell(kiosk.hello(end))
            case "ahead":
                shelf.tell(ahead_of(kiosk.batch(begin, end)))
            case "clone":
                shelf.tell(clone.batch(begin, end))  # may win a place; then the true journal is the fork
            case "harmed":
                shelf.tell(replace(kiosk.batch(begin, end), signature=bytes(64)))
            case _:
                shelf.tell(kiosk.batch(begin, end))
    for _ in range(20):  # then the kiosk goes on as WELCOME and GAP say
        here = shelf.known.mark.seq
        if here == len(kiosk.rows) or shelf.tell(kiosk.batch(here, len(kiosk.rows) - 1)).outcome == "fork":
            break
    winner = kiosk if shelf.rows.get((1, 3)) in (None, kiosk.rows[2].row) else clone
    assert winner is clone or len(shelf.rows) == len(kiosk.rows)
    assert [shelf.rows[1, seq] for seq in range(1, len(shelf.rows) + 1)] == [
        row.row for row in winner.rows[: len(shelf.rows)]
    ]


# --- epochs -----------------------------------------------------------------------------------------------------------


def test_a_new_epoch_that_follows_the_last_fact_here_is_taken_with_its_own_key(restored: tuple[Kiosk, Kiosk]) -> None:
    _, kiosk = restored
    shelf = greeted(kiosk)
    shelf.take(kiosk.whole())
    assert shelf.known.mark == Mark(2, 3, kiosk.rows[-1].hash)
    assert shelf.known.held[1].key != shelf.known.held[2].key


def test_a_new_epoch_before_the_rest_of_the_old_one_waits_for_it(restored: tuple[Kiosk, Kiosk]) -> None:
    _, kiosk = restored
    shelf = greeted(kiosk)
    shelf.take(kiosk.whole()[:2])
    told = shelf.tell(kiosk.batch(4, 6))
    assert (told.outcome, told.mark) == ("gap", Mark(1, 2, kiosk.rows[1].hash))


def test_a_new_epoch_that_cuts_facts_off_is_taken_and_the_facts_are_named(restored: tuple[Kiosk, Kiosk]) -> None:
    old, kiosk = restored
    shelf = greeted(old)
    shelf.take(old.whole())
    told = shelf.tell(kiosk.batch(4, 6))
    assert told.outcome == "accepted"
    assert codes(told) == ["epoch_cuts_facts"]
    assert "1/5 to 1/6" in told.findings[0].detail
    assert {place for place in shelf.rows if place[0] == 1} == {(1, seq) for seq in range(1, 7)}


def test_rows_of_an_epoch_that_has_ended_are_kept_apart_and_their_sender_is_fenced(
    restored: tuple[Kiosk, Kiosk],
) -> None:
    old, kiosk = restored
    shelf = greeted(kiosk)
    shelf.take(kiosk.whole())
    told = shelf.tell(old.batch(4, 5))
    assert (told.outcome, told.answer, codes(told)) == ("ended", "fenced", ["epoch_ended"])
    assert told.apart is not None
    assert shelf.tell(old.batch(0, 3)).outcome == "duplicate"


@pytest.mark.parametrize("state", ["none", "retired"])
def test_an_epoch_with_a_key_that_nobody_approved_is_refused(restored: tuple[Kiosk, Kiosk], state: str) -> None:
    _, kiosk = restored
    first, second = kiosk.keys
    shelf = greeted(kiosk)
    shelf.take(kiosk.whole()[:3])
    keys = {first: RegisteredKey(1, "current")}
    if state == "retired":
        keys = {second: RegisteredKey(1, "retired"), first: RegisteredKey(2, "current")}
    shelf.kiosk = Kiosk(kiosk.name, kiosk.rows, keys)
    told = shelf.tell(kiosk.batch(4, 6))
    assert (told.outcome, told.answer, codes(told)) == ("unknown_epoch", "unknown_epoch", ["unknown_epoch"])
    assert (2, 1) not in shelf.rows


def test_an_epoch_that_follows_another_fact_than_the_one_here_is_refused(
    room: Path, restored: tuple[Kiosk, Kiosk]
) -> None:
    _, kiosk = restored
    other = make_clone(room / "other", "K07", (1, 2))
    shelf = Shelf(kiosk)
    shelf.tell(kiosk.hello())
    shelf.take(other.whole())
    told = shelf.tell(kiosk.batch(4, 6))
    assert (told.outcome, codes(told)) == ("unknown_epoch", ["unknown_epoch"])


def test_a_journal_of_another_realm_is_refused(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk)
    shelf.known = replace(shelf.known, realm="live")
    assert shelf.tell(kiosk.batch(0, 1)).answer == "wrong_realm"


def test_a_genesis_that_follows_something_is_refused(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk)
    told = shelf.tell(replace(kiosk.batch(0, 1), previous=b"\1" * 32))
    assert told.answer == "wrong_chain"
    assert not shelf.rows


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_only_the_newest_session_is_heard(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    first = shelf.known.session
    assert shelf.tell(kiosk.hello()).known.session == first + 1
    told = shelf.tell(kiosk.batch(1, 1), session=first)
    assert (told.outcome, told.answer, told.apart, told.findings) == ("fenced", "fenced", None, ())
    assert len(shelf.rows) == 1
    assert shelf.tell(kiosk.batch(1, 1)).outcome == "accepted"


@pytest.mark.parametrize("session", [0, 99])
def test_a_session_that_nobody_got_is_fenced(kiosk: Kiosk, session: int) -> None:
    shelf = greeted(kiosk, 1)
    assert shelf.tell(kiosk.batch(1, 1), session=session).outcome == "fenced"
    assert shelf.tell(ahead_of(kiosk.batch(2, 3)), session=session).outcome == "fenced"


def test_what_a_fenced_machine_wrote_otherwise_is_kept_apart(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 4)
    old = shelf.known.session
    shelf.tell(kiosk.hello())
    told = shelf.tell(clone.batch(2, 4), session=old)
    assert (told.answer, codes(told)) == ("fenced", ["fork"])
    assert told.apart is not None


def test_a_session_that_goes_on_long_after_it_was_fenced_is_a_second_machine(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    old = shelf.known.session
    shelf.tell(kiosk.hello())
    shelf.now += 11 * SECOND
    assert codes(shelf.tell(kiosk.batch(1, 1), session=old)) == ["cloned"]


def test_a_reconnection_of_the_same_process_is_no_clone(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    assert codes(shelf.tell(kiosk.hello(kiosk.ends[1]))) == []


def test_one_start_of_kiosk_sync_on_two_boots_is_a_clone(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    told = shelf.tell(kiosk.hello(kiosk.ends[1], clock=Clock(NOW, 1, "boot-b", True)))
    assert codes(told) == ["cloned"]
    assert told.answer == "welcome"


@pytest.mark.parametrize(("later_s", "boot_id", "code"), [(5, "boot-b", "cloned"), (90, "boot-b", "boot_fell"),
                                                         (5, "boot-a", "boot_fell")])  # fmt: skip
def test_an_earlier_start_is_a_clone_while_the_last_one_lives_on_another_boot(
    kiosk: Kiosk, later_s: int, boot_id: str, code: str
) -> None:
    shelf = Shelf(kiosk)
    shelf.tell(kiosk.hello(0, boot=7))
    shelf.now += later_s * SECOND
    assert codes(shelf.tell(kiosk.hello(0, boot=4, clock=Clock(NOW, 1, boot_id, True)))) == [code]


def test_a_head_that_is_another_fact_here_tells_of_a_clone(kiosk: Kiosk, clone: Kiosk) -> None:
    for head in (3, -1):
        shelf = greeted(kiosk, 5)
        assert codes(shelf.tell(clone.hello(head))) == ["cloned"]


def test_a_head_behind_what_is_here_tells_of_a_restored_card_and_it_goes_on_from_there(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 5)
    told = shelf.tell(kiosk.hello(3))
    assert codes(told) == ["kiosk_rolled_back"]
    assert told.mark == Mark(1, 4, kiosk.rows[3].hash)


def test_what_a_restored_card_writes_anew_is_a_fork(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 5)
    shelf.tell(kiosk.hello(1))
    assert shelf.tell(clone.batch(2, 3)).outcome == "fork"
    assert shelf.tell(kiosk.batch(2, 3)).outcome == "duplicate"


def test_acknowledgements_of_what_is_not_here_tell_of_a_restored_hub(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    told = shelf.tell(kiosk.hello(acked=Mark(1, 7, kiosk.rows[6].hash)))
    assert codes(told) == ["hub_rolled_back"]
    assert told.mark == Mark(1, 2, kiosk.rows[1].hash)


def test_facts_that_the_kiosk_no_longer_holds_are_missed(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 2)
    assert codes(shelf.tell(kiosk.hello(oldest_kept=Mark(1, 4)))) == ["history_missing"]
    assert codes(shelf.tell(kiosk.hello(oldest_kept=Mark(1, 3)))) == []


def test_a_head_in_an_epoch_that_has_ended_gets_no_session(restored: tuple[Kiosk, Kiosk]) -> None:
    old, kiosk = restored
    shelf = greeted(kiosk)
    shelf.take(kiosk.whole())
    before = shelf.known.session
    told = shelf.tell(old.hello())
    assert (told.answer, codes(told), told.known.session) == ("fenced", ["epoch_ended"], before)


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({"oldest": 2, "newest": 3}, "version"),
        ({"kiosk": "K99"}, "unknown_key"),
        ({"realm": "live"}, "wrong_realm"),
    ],
)
def test_a_hello_that_cannot_be_meant_for_this_place_is_refused(
    kiosk: Kiosk, more: dict[str, object], answer: str
) -> None:
    shelf = Shelf(kiosk)
    told = shelf.tell(kiosk.hello(**more))
    assert (told.answer, told.known.session) == (answer, 0)


# --- fresh rows beside the stream -------------------------------------------------------------------------------------


def test_fresh_rows_wait_beside_the_stream_and_are_dropped_when_it_reaches_them(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    told = shelf.tell(ahead_of(kiosk.batch(4, 4)))
    assert (told.outcome, told.answer, told.mark.seq) == ("fresh", "seen", 5)
    assert shelf.known.mark.seq == 1
    assert shelf.tell(kiosk.batch(1, 3)).reached == ()
    told = shelf.tell(kiosk.batch(4, 7))
    assert [one.last for one in told.reached] == [5]
    assert shelf.known.ahead == ()


def test_fresh_rows_that_are_not_those_of_the_stream_are_found(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    assert shelf.tell(ahead_of(clone.batch(4, 4))).outcome == "fresh"
    told = shelf.tell(kiosk.batch(1, 7))
    assert (told.outcome, codes(told), [one.last for one in told.differing]) == ("accepted", ["ahead_differs"], [5])


def test_fresh_rows_are_held_to_the_signature(kiosk: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    assert shelf.tell(replace(ahead_of(kiosk.batch(4, 4)), signature=bytes(64))).outcome == "bad_signature"
    assert shelf.known.ahead == ()


def test_fresh_rows_that_are_here_already_are_seen_or_a_fork(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 5)
    assert shelf.tell(ahead_of(kiosk.batch(2, 3))).outcome == "seen"
    assert shelf.tell(ahead_of(kiosk.batch(2, 7))).outcome == "seen"
    assert shelf.tell(ahead_of(clone.batch(2, 3))).outcome == "fork"


def test_a_longer_batch_takes_the_place_of_the_shorter_one_that_waits(kiosk: Kiosk, clone: Kiosk) -> None:
    shelf = greeted(kiosk, 1)
    shelf.tell(ahead_of(kiosk.batch(4, 4)))
    assert shelf.tell(ahead_of(kiosk.batch(4, 7))).outcome == "fresh"
    assert [(one.first, one.last) for one in shelf.known.ahead] == [(5, 8)]
    assert shelf.tell(ahead_of(kiosk.batch(4, 4))).outcome == "seen"
    assert codes(shelf.tell(ahead_of(clone.batch(4, 7)))) == ["ahead_differs"]


def test_no_more_than_so_many_batches_wait_for_one_kiosk(room: Path) -> None:
    kiosk = make_kiosk(room / "many", "K09", (1,) * (MOST_AHEAD + 3))
    shelf = greeted(kiosk, 1)
    answers = [shelf.tell(ahead_of(kiosk.batch(at, at))).answer for at in range(2, MOST_AHEAD + 3)]
    assert answers == ["seen"] * MOST_AHEAD + ["busy"]


# --- the table itself -------------------------------------------------------------------------------------------------


def test_every_outcome_of_the_module_stands_in_its_table() -> None:
    table = deciding.__doc__ or ""
    for outcome in ("accepted", "duplicate", "gap", "fork", "wrong_chain", "bad_signature", "fenced", "ended",
                    "unknown_epoch", "unknown_key", "malformed", "welcome", "stranger", "version"):  # fmt: skip
        assert outcome in table


def test_every_code_has_a_severity_and_words() -> None:
    assert {severity for severity, _ in CODES.values()} == {"error", "warning"}
    assert all(words and words == msgspec.json.decode(msgspec.json.encode(words)) for _, words in CODES.values())
