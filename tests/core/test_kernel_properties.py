"""Whatever people, devices, disk and power do, in any order: the journal stays sound and the money adds up."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from kiosk.checkout import intents
from kiosk.core import replay
from kiosk.core.books import Books
from kiosk.errors import JournalFull
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.ids import NoteId
from tests.core.kernel_rig import PARKING, TAX, WATER, Rig, usd
from tests.tariff.example_city import chart

#: A memory disk where there is one: what an fsync costs is not the question here.
PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None
CASH_IN_BOX = chart().roles.cash_in_box
TAPS = (
    intents.Begin(), intents.EnterNumber(WATER), intents.EnterNumber(PARKING), intents.EnterNumber(TAX),
    intents.EnterNumber("<script>"),
    intents.AddAnother(), intents.RemoveInvoice(0), intents.Pay(), intents.AcceptConditions(), intents.AgreeExcess(),
    intents.DeclineExcess(), intents.Finish(), intents.Cancel(), intents.KeepPaying(), intents.MoreTime(),
    intents.Back(), intents.Dismiss(), intents.ChooseLanguage("es"),
)  # fmt: skip

serials = st.integers(1, 6)
values = st.sampled_from([500, 1000, 2000, 5000])
taps = st.sampled_from(TAPS).map(lambda intent: ("tap", intent))
waits = st.sampled_from([1, 21, 31, 61, 91, 200]).map(lambda seconds: ("wait", seconds))
#: What a good acceptor does with the note at hand.
honest = st.one_of(
    st.tuples(st.just("feed"), values),
    st.tuples(st.just("feed"), values),
    st.tuples(st.just("insert"), values),
    st.sampled_from([("stack", None), ("return", None), ("gone", None), ("dispute", None), ("print", None)]),
)
#: What it never should.
wild = st.one_of(
    st.tuples(st.just("wild_escrow"), st.tuples(serials, values)),
    st.tuples(st.just("wild_stacked"), st.tuples(st.one_of(st.none(), serials), st.one_of(st.none(), values))),
    st.tuples(st.just("wild_returned"), st.one_of(st.none(), serials)),
    st.tuples(st.just("wild_disputed"), st.tuples(serials, values)),
)
life = st.sampled_from([("restart", None), ("full", None), ("room", None), ("checkpoint", None), ("break", None),
                        ("mend", None), ("box_out", None), ("box_in", None)])  # fmt: skip
to_pay = st.sampled_from([("to_pay", WATER), ("to_pay", TAX)])
anything = st.one_of(to_pay, to_pay, honest, honest, honest, taps, taps, waits, wild, life)


class Player:
    """Plays drawn steps on a rig, with an acceptor that remembers the note it holds."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.held: tuple[NoteId, int] | None = None

    def play(self, kind: str, what: Any) -> None:
        rig = self.rig
        match kind:
            case "tap":
                rig.tap(what)
            case "wait":
                rig.wait(what)
            case "to_pay":
                for intent in (intents.EnterNumber(what), intents.Pay(), intents.AcceptConditions()):
                    rig.tap(intent)
            case "insert":
                serial = max([rig.serial, *(note.serial for note in rig.kernel.books.outcomes())]) + 1
                self.held = (rig.escrow(what, serial), what)
            case "feed":
                self.play("insert", what)
                rig.tap(intents.AgreeExcess())
                for end in ("stack" if rig.state == "stacking" else "return", "gone"):
                    self.play(end, None)
            case "stack" | "return" | "gone" | "dispute":
                self._note(kind)
            case "print":
                rig.printed()
            case "wild_escrow":
                rig.news("notes", d.NoteEscrowed(NoteId("", what[0]), usd(what[1]), 0))
            case "wild_stacked":
                rig.stacked(NoteId("", what[0]) if what[0] else None, what[1])
            case "wild_returned":
                rig.news("notes", d.NoteReturned(NoteId("", what) if what else None, "wild", token=99))
            case "wild_disputed":
                rig.news("notes", d.NoteDisputed(98, NoteId("", what[0]), usd(what[1]), "wild"))
            case _:
                self._life(kind)

    def _note(self, kind: str) -> None:
        if self.held is None:
            return
        note, minor = self.held
        rig = self.rig
        if kind == "stack":
            rig.stacked(note, minor)
        elif kind == "return":
            rig.news("notes", d.NoteReturned(note, "commanded"))
        elif kind == "gone":
            rig.news("notes", d.NoteGone(note))
        else:
            rig.news("notes", d.NoteDisputed(97, note, usd(minor), "silence"))

    def _life(self, kind: str) -> None:
        rig = self.rig
        match kind:
            case "restart":
                rig.restart()
            case "full":
                rig.journal.error = JournalFull("full")
            case "room":
                rig.journal.error = None
                rig.wait(3)
            case "checkpoint":
                replay.save(rig.kernel.parts.journal, rig.kernel.books)
            case "break":
                rig.news("notes", d.DeviceState("jammed", "fault"))
            case "mend":
                rig.news("notes", d.DeviceState("idling", "ok"))
            case "box_out":
                rig.news("notes", d.CashboxRemoved())
            case "box_in":
                rig.news("notes", d.CashboxInserted())


def fresh_books(rig: Rig) -> Books:
    books = Books()
    for committed in rig.journal.read():
        books.apply(committed)
    return books


def hold(rig: Rig) -> None:
    """Every rule that must be true whatever happened."""
    errors = [finding for finding in rig.findings() if finding.severity == "error"]
    assert errors == []
    assert fresh_books(rig) == rig.kernel.books
    encoded = msgspec.msgpack.encode(rig.kernel.books)
    assert msgspec.msgpack.decode(encoded, type=Books) == rig.kernel.books
    for currency, accounts in rig.kernel.books.balances.items():
        assert sum(accounts.values()) == 0, currency
    numbers = [body.number for body in rig.bodies(facts.ReceiptIssued)]
    assert numbers == list(range(1, len(numbers) + 1))
    ends: Counter[NoteId] = Counter()
    for body in rig.bodies(facts.NoteCredited, facts.NoteSuspended):
        if body.note is not None:
            ends[body.note] += 1
    assert [note for note, count in ends.items() if count > 1] == []
    tender: Counter[str] = Counter()
    for committed in rig.journal.read():
        body, session = committed.fact.body, committed.fact.stamp.session
        if isinstance(body, facts.NoteCredited):
            assert session
            tender[session] += body.value.minor
        if isinstance(body, facts.Settled):
            assert body.tender_minor == tender.pop(session)
            used, held = (sum(each.minor for each in parts) for parts in (body.used, body.held))
            applied = sum(part.minor for part in body.allocations)
            assert used + body.tender_minor == applied + body.overpayment_minor + held
    held_now = rig.kernel.books.held
    assert min(held_now.values(), default=1) > 0
    assert {name.partition("/")[0] for name in held_now} <= {"property_tax"}, "held where part payment is refused only"
    assert sum(held_now.values()) == -rig.kernel.books.balances.get("USD", {}).get(chart().roles.held_tender, 0)
    open_session = rig.kernel.books.open_session
    assert set(tender) <= {open_session.session if open_session else ""}
    if rig.kernel.trouble is None:
        assert rig.model.credited_minor == tender.total() or not rig.model.frozen


@settings(max_examples=120)
@given(st.lists(anything, min_size=5, max_size=40))
def test_any_sequence_of_events_leaves_a_sound_journal_and_money_that_adds_up(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        rig = Rig(Path(place))
        try:
            player = Player(rig)
            for kind, what in steps:
                player.play(kind, what)
            hold(rig)
            event(f"{len(rig.bodies(facts.NoteCredited))} credits, {len(rig.bodies(facts.NoteSuspended))} suspended")
            rig.journal.error = None
            rig.restart()
            hold(rig)
            rig.wait(1500)
            hold(rig)
            assert rig.kernel.books.open_session is None
            assert rig.state in ("idle", "out_of_service")
        finally:
            rig.close()


@settings(max_examples=100)
@given(st.lists(st.one_of(to_pay, to_pay, honest, honest, honest, taps, waits), min_size=5, max_size=40), st.data())
def test_a_restart_at_any_point_of_a_payment_neither_loses_nor_doubles_a_note(
    steps: list[tuple[str, Any]], data: st.DataObject
) -> None:
    """With an honest acceptor all that is in the box is credited, suspended or claimed, to the cent."""
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        rig = Rig(Path(place))
        try:
            player = Player(rig)
            boxed: dict[NoteId, int] = {}
            disputed: dict[NoteId, int] = {}
            for kind, what in steps:
                if kind in ("return", "stack", "dispute") and player.held and player.held[0] in boxed:
                    continue  # an honest acceptor tells one end of a note, or the same one again
                if kind in ("return", "dispute") and player.held and player.held[0] in disputed:
                    continue
                if kind == "feed":
                    before = rig.sums()
                    player.play(kind, what)
                    if rig.sums() != before and player.held:
                        boxed[player.held[0]] = player.held[1]
                    player.held = None
                    continue
                if kind == "stack" and player.held:
                    boxed[player.held[0]] = player.held[1]
                    disputed.pop(player.held[0], None)
                if kind == "dispute" and player.held:
                    disputed[player.held[0]] = player.held[1]
                player.play(kind, what)
                if kind == "return":
                    player.held = None
                if data.draw(st.integers(0, 9)) == 0:
                    rig.restart()
            hold(rig)
            sums = rig.sums()
            assert sums["credited"] + sums["suspended"] == sum(boxed.values())
            assert rig.kernel.books.balances.get("USD", {}).get(CASH_IN_BOX, 0) == sum(boxed.values())
            event(f"{len(rig.bodies(facts.NoteCredited))} credits, {len(rig.bodies(facts.Settled))} settlements")
        finally:
            rig.close()
