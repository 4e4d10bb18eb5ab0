"""The exchange of the cash box: two people, whole periods in each box, one clear state wherever it was cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.core import view
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import PINS, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


def paid(rig: Rig, *notes: int) -> None:
    """Pay something with these notes and finish."""
    rig.pay()
    for minor in notes:
        rig.feed(minor)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)


def test_an_exchange_ends_the_session_with_a_closing_and_begins_the_next_empty(rig: Rig) -> None:
    paid(rig, 5000, 1000)
    rig.exchange("B-1", "B-2")
    books = rig.kernel.books
    (done,), (z,) = rig.bodies(facts.BoxExchanged), rig.bodies(facts.DayClosed)
    assert (done.old_box, done.new_box, done.seal, done.first, done.second) == ("B-1", "B-2", "S-77", "p01", "p02")
    assert (z.cause, z.closes_through, z.box_session, z.period.taken_minor) == ("exchange", None, 1, 6000)
    assert (books.box_session, books.box_number, books.box) == (2, "B-2", {})
    page = books.boxes[1]
    assert (page.box, page.content, page.closings) == ("B-1", {"USD": {5000: 1, 1000: 1}}, (1,))
    assert [(slip.slip, slip.totals, slip.lines) for slip in rig.bodies(facts.ReceiptIssued)[-2:]] == [
        ("box_exchange", (), ()), ("z", (), ()),
    ]  # fmt: skip


def test_the_next_exchange_asks_for_the_number_of_the_box_that_is_in(rig: Rig) -> None:
    rig.exchange("B-1", "B-2")
    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ExchangeNumbers("B-9", "B-3", "S-1"))
    assert (rig.model.exchange.stage, rig.model.messages[0].id) == ("numbers", "exchange.other_box")


@pytest.mark.parametrize(
    ("old", "new", "seal"), [("", "B-2", "S"), ("B-1", "b 2", "S"), ("B-1", "B-1", "S"), ("B-1", "B" * 25, "S")]
)
def test_numbers_that_cannot_stand_on_a_box_are_refused(rig: Rig, old: str, new: str, seal: str) -> None:
    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ExchangeNumbers(old, new, seal))
    assert rig.model.exchange.stage == "numbers"


@pytest.mark.parametrize(("person", "reason"), [("p01", "same_person"), ("p03", "role")])
def test_one_person_or_one_without_the_role_cannot_be_the_second(rig: Rig, person: str, reason: str) -> None:
    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ExchangeNumbers("B-1", "B-2", "S-77"))
    rig.tap(intents.EnterPin(person, PINS[person]))
    assert rig.model.exchange.stage == "second"
    assert rig.bodies(facts.ExchangeAuthorised) == []
    assert rig.bodies(facts.OperatorRefused)[-1].reason == reason


def test_a_box_that_goes_without_authority_is_an_alarm_and_a_session_of_its_own(rig: Rig) -> None:
    paid(rig, 5000)
    rig.news("notes", d.CashboxRemoved())
    rig.news("notes", d.CashboxInserted())
    books = rig.kernel.books
    assert (books.box_session, books.box, books.alarms) == (2, {}, ("cashbox_removed",))
    (z,) = rig.bodies(facts.DayClosed)
    assert (z.cause, z.box_session, z.period.taken_minor) == ("removal", 1, 5000)
    assert books.boxes[1].ended_by == "removal"
    paid(rig, 1000)
    assert books.box == {"USD": {1000: 1}}  # what is in the box that was put back is not presumed


def test_each_stage_offers_what_means_something_in_it(rig: Rig) -> None:
    def offered() -> set[str]:
        told = set(view.snapshot(rig.kernel, version=1, boot="b").allowed)
        return told & {"exchange_numbers", "enter_pin", "confirm_exchange", "abandon_exchange", "back"}

    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    assert offered() == {"exchange_numbers", "back"}
    rig.tap(intents.ExchangeNumbers("B-1", "B-2", "S-77"))
    assert offered() == {"enter_pin", "back"}
    rig.tap(intents.EnterPin("p02", PINS["p02"]))
    assert offered() == {"abandon_exchange"}
    rig.news("notes", d.CashboxRemoved())
    assert offered() == set()
    rig.news("notes", d.CashboxInserted())
    assert offered() == {"abandon_exchange", "confirm_exchange"}


def test_no_note_is_taken_from_the_authorisation_to_the_end(rig: Rig) -> None:
    rig.authorise()
    assert rig.kernel.accepting == ()
    rig.wait(301)
    assert rig.state == "out_of_service"
    assert [reason.id for reason in rig.model.out_of_service] == ["out.exchange"]
    rig.news("paper", d.Scanned("0212345678", "code128"))
    assert rig.state == "out_of_service"


def test_an_exchange_given_up_before_the_box_was_out_leaves_everything_as_it_was(rig: Rig) -> None:
    paid(rig, 1000)
    rig.authorise()
    rig.wait(301)
    rig.sign_in("p02")
    rig.tap(intents.BeginExchange())
    assert rig.model.exchange.stage == "unfinished"
    rig.tap(intents.AbandonExchange())
    books = rig.kernel.books
    assert (books.exchange, books.box_session, books.box, books.alarms) == (None, 1, {"USD": {1000: 1}}, ())
    assert rig.bodies(facts.DayClosed) == []


def test_an_exchange_given_up_after_the_box_was_out_ends_its_session_with_an_alarm(rig: Rig) -> None:
    paid(rig, 1000)
    rig.authorise()
    rig.news("notes", d.CashboxRemoved())
    rig.tap(intents.AbandonExchange())
    assert rig.model.messages[0].id == "exchange.no_box"
    rig.news("notes", d.CashboxInserted())
    rig.tap(intents.AbandonExchange())
    books = rig.kernel.books
    assert (books.exchange, books.box_session, books.box, books.alarms) == (None, 2, {}, ("exchange_abandoned",))
    assert books.boxes[1].content == {"USD": {1000: 1}}


def test_a_box_that_goes_after_the_two_people_left_raises_an_alarm(rig: Rig) -> None:
    rig.authorise()
    rig.wait(301)
    rig.news("notes", d.CashboxRemoved())
    assert rig.kernel.books.alarms == ("cashbox_unattended",)
    assert rig.kernel.books.exchange is not None


def test_a_mistyped_number_is_forgotten_with_its_exchange(rig: Rig) -> None:
    rig.authorise(old_box="B-TYPO")
    rig.tap(intents.AbandonExchange())
    rig.tap(intents.SignOut())
    rig.exchange("B-1", "B-2")
    assert rig.bodies(facts.BoxExchanged)[0].old_box == "B-1"


def test_a_box_that_moved_while_another_realm_was_on_has_to_be_counted(rig: Rig) -> None:
    paid(rig, 1000)
    rig.kernel.parts.realms = ("training",)
    rig.box_watched = False
    rig.sign_in("p01")
    rig.tap(intents.ChangeRealm("training"))
    rig.restart()
    books = rig.kernel.books
    assert (books.box_session, books.box, books.box_present) == (2, {}, True)
    assert books.alarms == ("cashbox_unwatched",)
    assert [page.session for page in books.uncounted()] == [1]
    rig.restart()
    assert rig.kernel.books.box_session == 2  # once
    paid(rig, 1000)


#: The acts of an exchange, in order.
ACTS: tuple[Callable[[Rig], object], ...] = (
    lambda rig: rig.sign_in("p01"),
    lambda rig: rig.tap(intents.BeginExchange()),
    lambda rig: rig.tap(intents.ExchangeNumbers("B-1", "B-2", "S-77")),
    lambda rig: rig.tap(intents.EnterPin("p02", PINS["p02"])),
    lambda rig: rig.news("notes", d.CashboxRemoved()),
    lambda rig: rig.news("notes", d.CashboxInserted()),
    lambda rig: rig.tap(intents.ConfirmExchange()),
)


@pytest.mark.parametrize("killed_after", range(len(ACTS) + 1))
@pytest.mark.parametrize("end", ["confirm", "abandon"])
def test_a_kill_in_every_step_of_an_exchange_leaves_one_clear_state(rig: Rig, killed_after: int, end: str) -> None:
    """Either nothing happened, or it is open and the kiosk takes no money until a person ends it, or it is done."""
    paid(rig, 1000)
    for act in ACTS[:killed_after]:
        act(rig)
    rig.restart()
    books = rig.kernel.books
    if killed_after < 4:
        assert (books.exchange, books.box_session, rig.state) == (None, 1, "idle")
    elif killed_after < 7:
        assert books.exchange is not None
        assert (books.box_session, rig.state) == (1, "out_of_service")
    else:
        assert (books.exchange, books.box_session, rig.state) == (None, 2, "idle")
    if books.exchange is not None:
        if not books.box_present:
            rig.news("notes", d.CashboxInserted())
        rig.sign_in("p02")
        rig.tap(intents.BeginExchange())
        rig.tap(intents.ConfirmExchange() if end == "confirm" else intents.AbandonExchange())
        rig.tap(intents.SignOut())
        assert (books.exchange, rig.state) == (None, "idle")
        assert books.box_session == (1 if end == "abandon" and killed_after == 4 else 2)
    numbers = [body.number for body in rig.bodies(facts.DayClosed)]
    assert numbers == list(range(1, len(numbers) + 1))
    everything = [page.content for page in books.boxes.values()] + [books.box]
    assert sum(count for content in everything for counts in content.values() for count in counts.values()) == 1


def test_an_exchange_that_no_device_saw_is_told_as_such(rig: Rig) -> None:
    rig.authorise()
    rig.restart()
    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ConfirmExchange())
    (done,) = rig.bodies(facts.BoxExchanged)
    assert done.seen is False


def test_a_box_that_was_put_in_while_nobody_looked_does_not_keep_an_exchange_open_for_ever(rig: Rig) -> None:
    """The driver of the next start sees a box and tells no insertion; the acceptor works, so a box is in it."""
    rig.authorise()
    rig.news("notes", d.CashboxRemoved())
    rig.restart()
    rig.sign_in("p02")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ConfirmExchange())
    rig.tap(intents.SignOut())
    books = rig.kernel.books
    assert (books.exchange, books.box_session, books.box_present, rig.state) == (None, 2, True, "idle")
    rig.news("notes", d.CashboxRemoved())  # and the next removal is noticed
    assert books.alarms == ("cashbox_removed",)


def test_no_note_is_taken_while_the_box_is_out_whatever_the_acceptor_says(rig: Rig) -> None:
    rig.pay()
    rig.feed(1000)
    assert rig.kernel.accepting != ()
    rig.news("notes", d.CashboxRemoved())
    assert (rig.kernel.accepting, rig.state) == ((), "accepting")
    rig.news("notes", d.CashboxInserted())
    assert rig.kernel.accepting != ()
    rig.news("notes", d.CashboxRemoved())
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)
    assert (rig.state, [reason.id for reason in rig.model.out_of_service]) == ("out_of_service", ["out.acceptor"])
    rig.news("notes", d.CashboxInserted())
    assert rig.state == "idle"


def test_the_realm_is_not_changed_while_box_or_note_is_on_its_way(rig: Rig) -> None:
    """The other journal would be told the rest of the story and this one never."""
    rig.kernel.parts.realms = ("training",)

    def asked() -> str:
        rig.sign_in("p01")
        rig.tap(intents.ChangeRealm("training"))
        told: str = rig.model.messages[0].id
        rig.tap(intents.SignOut())
        return told

    rig.sign_in("p01")
    rig.tap(intents.TestNote())
    note = rig.escrow(500)
    rig.tap(intents.Back())
    rig.tap(intents.SignOut())
    assert asked() == "operator.acceptor_not_ready"
    rig.news("notes", d.NoteReturned(note, "host"))
    rig.authorise()
    rig.wait(301)
    assert asked() == "out.exchange"
    rig.news("notes", d.CashboxRemoved())
    assert asked() == "exchange.no_box"
    rig.news("notes", d.CashboxInserted())
    rig.sign_in("p02")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ConfirmExchange())
    rig.tap(intents.SignOut())
    assert rig.realms == []
    rig.sign_in("p01")
    rig.tap(intents.ChangeRealm("training"))
    assert rig.realms == ["training"]
