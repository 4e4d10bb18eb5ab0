"""What the first polls after a start decide about a note in flight: the power-up matrix (ID003 sheet §7)."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.api import (
    CommandRefused,
    Confirm,
    EnableNotes,
    HoldNote,
    InhibitNotes,
    Lost,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteId,
    NoteReturned,
    NoteStacked,
    OpenNote,
    ReturnNote,
    StackNote,
)
from kiosk.protocols.note_life import RULES, Phase, Seen
from tests.drivers.id003_unit import (
    ACCEPTING,
    ACK,
    DISABLE,
    ESCROW,
    HOLDING,
    IDLING,
    IN_ACCEPTOR,
    IN_STACKER,
    INITIALIZE,
    JAM_S,
    POLL,
    POWER_UP,
    REJECTING,
    RESET,
    RETURN,
    RETURNING,
    STACKED,
    STACKING,
    VEND_VALID,
    Rig,
    Unit,
    eur,
    ready,
)

NOTE = NoteId("acceptor", 7)
SENT = OpenNote(NOTE, eur(20), "stack_sent")
CREDITED = OpenNote(NOTE, eur(20), "credited")

STACKED_OURS = ("stacked", NOTE, eur(20))
STRAY = ("stacked", None, None)
RETURNED = ("returned", NOTE)
DISPUTED = ("disputed", NOTE, eur(20))
GONE = ("gone", NOTE)


def fates(rig: Rig) -> list[tuple[object, ...]]:
    out: list[tuple[object, ...]] = []
    for event in rig.events:
        if isinstance(event, NoteStacked):
            out.append(("stacked", event.note, event.value))
        elif isinstance(event, NoteDisputed):
            out.append(("disputed", event.note, event.value))
        elif isinstance(event, NoteReturned):
            out.append(("returned", event.note))
        elif isinstance(event, NoteGone):
            out.append(("gone", event.note))
    return out


def started(open_note: OpenNote | None, *codes: int, data: bytes = b"", auto: bool = True) -> Rig:
    unit = Unit()
    unit.status = (codes[0], data)
    rig = Rig(unit, open_note, auto=auto, serial=7)
    rig.run(450)
    rig.show(*codes[1:])
    return rig


# open note, what the unit shows from the first poll on, fates in order, commands to the unit
MATRIX = [
    (SENT, (IDLING,), [RETURNED], []),
    (SENT, (DISABLE,), [RETURNED], []),
    (SENT, (ESCROW, RETURNING, DISABLE), [RETURNED], [RETURN]),
    (SENT, (HOLDING, RETURNING, DISABLE), [RETURNED], [RETURN]),
    (SENT, (STACKING, VEND_VALID, STACKED, DISABLE), [STACKED_OURS, GONE], [ACK]),
    (SENT, (VEND_VALID, STACKED, DISABLE), [STACKED_OURS, GONE], [ACK]),
    (SENT, (STACKED, DISABLE), [STACKED_OURS, GONE], []),
    (SENT, (REJECTING, DISABLE), [RETURNED], []),
    (SENT, (RETURNING, IDLING), [RETURNED], []),
    (SENT, (JAM_S, VEND_VALID, DISABLE), [STACKED_OURS, GONE], [ACK]),
    (SENT, (IN_STACKER, INITIALIZE, DISABLE), [STACKED_OURS, GONE], [RESET]),
    (SENT, (IN_STACKER, INITIALIZE, VEND_VALID, STACKED, IDLING), [STACKED_OURS, GONE], [RESET, ACK]),
    (SENT, (IN_ACCEPTOR, INITIALIZE, DISABLE), [RETURNED], [RESET]),
    (SENT, (IN_ACCEPTOR, INITIALIZE, VEND_VALID, DISABLE), [RETURNED, ("stacked", None, eur(20))], [RESET, ACK]),
    (SENT, (POWER_UP, INITIALIZE, DISABLE), [RETURNED], [RESET]),
    (SENT, (INITIALIZE, DISABLE), [RETURNED], []),
    (SENT, (INITIALIZE, VEND_VALID, STACKED, DISABLE), [STACKED_OURS, GONE], [ACK]),
    (CREDITED, (VEND_VALID, STACKED, DISABLE), [GONE], [ACK]),
    (CREDITED, (STACKED, DISABLE), [GONE], []),
    (CREDITED, (IDLING,), [GONE], []),
    (CREDITED, (DISABLE,), [GONE], []),
    (CREDITED, (IN_STACKER, INITIALIZE, DISABLE), [GONE], [RESET]),
    (CREDITED, (IN_STACKER, INITIALIZE, VEND_VALID, DISABLE), [GONE], [RESET, ACK]),
    (CREDITED, (POWER_UP, INITIALIZE, DISABLE), [GONE], [RESET]),
    (None, (VEND_VALID, STACKED, DISABLE), [STRAY], [ACK]),
    (None, (IN_STACKER, INITIALIZE, DISABLE), [STRAY], [RESET]),
    (None, (IN_STACKER, INITIALIZE, VEND_VALID, DISABLE), [STRAY], [RESET, ACK]),
    (None, (IN_ACCEPTOR, INITIALIZE, DISABLE), [], [RESET]),
    (None, (POWER_UP, INITIALIZE, DISABLE), [], [RESET]),
    (None, (DISABLE,), [], []),
]  # fmt: skip


@pytest.mark.parametrize(("open_note", "shown", "expected", "commands"), MATRIX)
def test_the_power_up_matrix_holds(
    open_note: OpenNote | None, shown: tuple[int, ...], expected: list[tuple[object, ...]], commands: list[int]
) -> None:
    rig = started(open_note, *shown)
    assert fates(rig) == expected
    assert [code for code, _ in groupby(rig.unit.commands())] == commands, "an ACK is repeated while VEND VALID stays"
    assert rig.unit.heard[0][0] == POLL, "the first command is always a status request"


def test_every_phase_and_every_sight_has_a_rule() -> None:
    assert set(RULES) == {(phase, sight) for phase in Phase for sight in Seen}


@pytest.mark.parametrize("shown", [(), (INITIALIZE,)])
def test_silence_or_only_initialize_is_a_dispute_after_its_time(shown: tuple[int, ...]) -> None:
    unit = Unit()
    unit.status = (shown[0], b"") if shown else None
    rig = Rig(unit, SENT)
    rig.run(29_000)
    assert fates(rig) == []
    rig.run(2_000)
    assert fates(rig) == [DISPUTED]


def test_an_answer_within_the_time_still_decides() -> None:
    unit = Unit()
    unit.status = None
    rig = Rig(unit, SENT)
    rig.run(25_000)
    rig.show(VEND_VALID, DISABLE)
    assert fates(rig) == [STACKED_OURS, GONE]


@pytest.mark.parametrize(
    ("status", "kind"), [(IN_STACKER, NoteStacked), (IN_ACCEPTOR, NoteReturned), (POWER_UP, NoteReturned)]
)
def test_reset_waits_for_the_commit_of_what_the_power_up_told(status: int, kind: type) -> None:
    rig = started(SENT, status, auto=False)
    rig.run(20_000)
    assert rig.unit.commands() == []
    told = rig.told(kind)
    assert len(told) == 1
    rig.order(Confirm(told[0].token))  # type: ignore[attr-defined]
    rig.run(300)
    assert rig.unit.commands() == [RESET]


def test_a_recovered_credit_says_so() -> None:
    for shown in ((VEND_VALID,), (IN_STACKER,), (STACKED,)):
        told = started(SENT, *shown).told(NoteStacked)
        assert [event.recovered for event in told] == [True]  # type: ignore[attr-defined]


def test_a_kill_at_any_point_of_a_power_up_in_the_stacker_credits_exactly_once() -> None:
    """Whatever the journal holds when the process dies, the next one ends with one credit in all."""
    before = started(SENT, IN_STACKER, auto=False)
    assert fates(before) == [STACKED_OURS]
    assert before.unit.commands() == []
    not_committed = started(SENT, IN_STACKER, INITIALIZE, VEND_VALID, DISABLE)
    assert fates(not_committed) == [STACKED_OURS, GONE]
    committed = started(CREDITED, IN_STACKER, INITIALIZE, VEND_VALID, DISABLE)
    assert fates(committed) == [GONE]
    after_reset = started(CREDITED, INITIALIZE, DISABLE)
    assert fates(after_reset) == [GONE]


def test_a_note_in_escrow_at_start_gets_its_value_before_anything_is_decided() -> None:
    """A note that nobody can name could never be booked if the unit stacked it all the same."""
    rig = started(None, ESCROW, data=b"\x64")
    assert rig.unit.commands() == [], "the kernel decides once it knows the note"
    assert [event.value for event in rig.told(NoteEscrowed)] == [eur(20)]  # type: ignore[attr-defined]


def test_a_note_in_escrow_at_start_goes_back_where_the_unit_tells_no_table() -> None:
    unit = Unit()
    unit.table = b""
    unit.status = (ESCROW, b"\x64")
    rig = Rig(unit, None, serial=7)
    rig.run(3000)
    rig.show(RETURNING, DISABLE)
    assert set(rig.unit.commands()) == {RETURN}
    assert fates(rig) == [("returned", None)]


def test_the_kernel_cannot_stack_a_note_of_an_earlier_run() -> None:
    rig = started(SENT, ESCROW, data=b"\x64")
    rig.order(StackNote(NOTE))
    assert [event.command for event in rig.told(CommandRefused)] == ["stack_note"]  # type: ignore[attr-defined]


def test_settings_wait_until_the_note_is_resolved() -> None:
    rig = started(SENT, VEND_VALID)
    assert rig.unit.settings == {}
    rig.show(STACKED, DISABLE)
    assert rig.unit.settings[0xC3] == b"\x01"


def test_a_lost_port_keeps_the_note_and_the_same_driver_resolves_it() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(STACKING)
    rig.driver.port(Lost("unplugged"), rig.now)
    rig.drain()
    assert rig.driver.deadline() is None
    rig.unit.status = (VEND_VALID, b"")
    rig.now += 60_000_000_000
    rig.open()
    rig.run(500)
    rig.show(STACKED, DISABLE)
    assert fates(rig) == [("stacked", NoteId("acceptor", 1), eur(20)), ("gone", NoteId("acceptor", 1))]


def test_a_confirm_that_comes_while_the_port_is_lost_counts() -> None:
    rig = ready(auto=False)
    rig.order(StackNote(rig.feed().note))
    rig.show(VEND_VALID)
    rig.driver.port(Lost(""), rig.now)
    rig.order(Confirm(rig.told(NoteStacked)[0].token))  # type: ignore[attr-defined]
    assert ACK not in rig.unit.commands()
    rig.open()
    rig.run(300)
    assert ACK in rig.unit.commands()
    assert len(rig.told(NoteStacked)) == 1


def test_an_undecided_note_goes_back_after_the_port_was_lost() -> None:
    rig = ready()
    rig.feed()
    rig.driver.port(Lost(""), rig.now)
    rig.open()
    rig.run(500)
    assert rig.unit.commands()[:1] == [RETURN]
    rig.show(RETURNING, IDLING)
    assert [event.reason for event in rig.told(NoteReturned)] == ["line_gap"]  # type: ignore[attr-defined]


# --- whatever the unit shows ----------------------------------------------------------------------------------------

CODES = st.sampled_from([*range(0x11, 0x1C), *range(0x40, 0x4C), 0x05, 0x24, 0x50, 0x70, 0xC3])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("show"), CODES, st.sampled_from([b"", b"\x64", b"\x65", b"\x6f1", b"\x79"])),
        st.tuples(st.just("order"), st.sampled_from(["stack", "return", "hold", "confirm", "enable", "inhibit"])),
        st.tuples(st.just("mute"), st.sampled_from([400, 3_500, 31_000])),
        st.tuples(st.just("replug")),
        st.tuples(st.just("noise"), st.binary(max_size=12)),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


class Books:
    """What a kernel would have committed: enough to tell a double credit from a single one."""

    def __init__(self) -> None:
        self.credited: list[NoteId] = []
        self.intended: dict[NoteId, NoteEscrowed] = {}
        self.returned: set[NoteId] = set()
        self.disputed: set[NoteId] = set()
        self.open: OpenNote | None = None
        self.serial = 7
        self.tokens: list[int] = []
        self.last: NoteId = NOTE

    def read(self, rig: Rig) -> None:
        for event in rig.events:
            if isinstance(event, NoteEscrowed):
                assert event.note.serial > self.serial, "a serial never repeats"
                self.serial, self.last = event.note.serial, event.note
                self.intended[event.note] = event
            elif isinstance(event, NoteStacked):
                self.tokens.append(event.token)
                if event.note is not None:
                    assert event.note not in self.credited, "credited twice"
                    assert event.note not in self.returned, "credited after it was returned"
                    assert event.note not in self.disputed, "credited after it was disputed"
                    assert event.value is not None
                    self.credited.append(event.note)
                    self.open = OpenNote(event.note, event.value, "credited")
            elif isinstance(event, NoteReturned | NoteDisputed):
                if event.token:
                    self.tokens.append(event.token)
                if event.note is not None:
                    assert event.note not in self.credited, "undone after it was credited"
                    assert event.note not in self.returned | self.disputed, "its end was told twice"
                    (self.returned if isinstance(event, NoteReturned) else self.disputed).add(event.note)
                    if self.open is not None and self.open.note == event.note:
                        self.open = None
            elif isinstance(event, NoteGone):
                assert event.note in self.credited or event.note == NOTE, "only a credited note is gone"
                if self.open is not None and self.open.note == event.note:
                    self.open = None
        rig.events.clear()


@settings(max_examples=250, deadline=None)
@given(STEPS, st.sampled_from([None, SENT, CREDITED]), st.booleans())
def test_no_sequence_of_statuses_credits_a_note_twice_or_after_its_return(
    steps: list[tuple[object, ...]], open_note: OpenNote | None, auto: bool
) -> None:
    books = Books()
    if open_note is CREDITED:
        books.credited.append(NOTE)
    books.open = open_note
    unit = Unit()
    rig = Rig(unit, open_note, auto=auto, serial=7)
    rig.run(300)
    for step in steps:
        commands, waiting = len(unit.commands()), bool(books.tokens) and not auto
        if step[0] == "show":
            unit.status = (step[1], step[2])  # type: ignore[assignment]
            rig.run(450)
        elif step[0] == "mute":
            unit.status = None
            rig.run(step[1])  # type: ignore[arg-type]
        elif step[0] == "noise":
            rig.driver.received(step[1], rig.now)  # type: ignore[arg-type]
            rig.drain()
        elif step[0] == "replug":
            rig.driver.port(Lost("pulled"), rig.now)
            rig.open()
        elif step[0] == "restart":
            books.read(rig)
            rig = Rig(unit, books.open, auto=auto, serial=books.serial)
            books.tokens.clear()
        elif step[1] == "stack":
            # The journal holds the intent before the order goes out.
            escrowed = books.intended.get(books.last)
            over = set(books.credited) | books.returned | books.disputed
            if escrowed is not None and books.last not in over and books.open is None:
                books.open = OpenNote(books.last, escrowed.value, "stack_sent")
            rig.order(StackNote(books.last))
        elif step[1] == "confirm":
            for token in books.tokens:
                rig.order(Confirm(token))
            books.tokens.clear()
        else:
            order = {"return": ReturnNote(books.last), "hold": HoldNote(books.last), "inhibit": InhibitNotes()}
            rig.order(order.get(str(step[1]), EnableNotes((eur(20),))))
        if waiting and step[0] in ("show", "mute", "noise", "replug"):
            fresh = unit.commands()[commands:]
            assert ACK not in fresh, "acknowledged before the commit"
            assert RESET not in fresh, "made the unit forget before the commit"
        books.read(rig)


def test_accepting_ends_an_earlier_note() -> None:
    rig = ready()
    rig.order(StackNote(rig.feed().note))
    rig.show(ACCEPTING)
    assert fates(rig) == [("returned", NoteId("acceptor", 1))]
