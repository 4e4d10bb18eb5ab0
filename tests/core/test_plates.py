"""Looking up by plate: everything that can be paid, nothing that a stranger should know, and the plate nowhere."""

from __future__ import annotations

import datetime as dt
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.checkout import intents
from kiosk.checkout.counter import CityCounter
from kiosk.checkout.effects import LookUp
from kiosk.checkout.events import LookedUp
from kiosk.checkout.settings import CheckoutSettings
from kiosk.core import view
from kiosk.core.books import Books
from kiosk.core.lookups import look_up
from kiosk.core.reference import ReferenceData
from kiosk.errors import PolicyError, ReplicaError
from kiosk.journal.receipt_seal import seal
from kiosk.model import device_events as d
from kiosk.model import facts
from kiosk.model.invoice import STATES, Invoice
from kiosk.model.money import Money
from kiosk.sync.importing import import_csv
from kiosk.sync.mapping import load_mapping
from kiosk.sync.plates import KEY_FILE
from kiosk.tariff.check_digits import damm
from tests.core.kernel_rig import KEY, PARKING, WATER, Invoices, Rig, catalogue
from tests.tariff.example_city import CONFIG, chart, library

TODAY = dt.date(2026, 11, 22)
COUNTER = CityCounter(library(), chart(), "USD")
#: A plate that is part of no other text.
PLATE = "QZX 7719"
FORM = "QZX7719"
FINE = Invoice(service="parking_citation", number="", currency="USD", amount_minor=None, issued=dt.date(2026, 10, 2),
               code="21", offence=2)  # fmt: skip


def numbers(count: int, first: int = 26100000) -> list[str]:
    return [f"{serial}{damm(str(serial))}" for serial in range(first, first + count)]


def give(source: Invoices, *states: str, plate: str = FORM, **more: Any) -> list[str]:
    """Put one citation for each state behind a plate; return their numbers."""
    listed = numbers(len(states))
    for number, state in zip(listed, states, strict=True):
        source.rows["parking_citation", number] = msgspec.structs.replace(FINE, number=number, state=state, **more)
    source.plates[plate] = tuple(("parking_citation", number) for number in listed)
    return listed


def ask(source: Invoices | None, plate: str = PLATE) -> LookedUp:
    return look_up(LookUp(plate, typed=True, plate=True), COUNTER, source, Books(), TODAY)[0]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()


def seen(rig: Rig) -> Any:
    return view.snapshot(rig.kernel, version=1, boot="b")


def told(rig: Rig) -> list[tuple[str, dict[str, Any]]]:
    return [(message.id, dict(message.params)) for message in rig.model.messages]


# --- what is found --------------------------------------------------------------------------------------------


def test_a_plate_brings_everything_that_can_be_paid_into_the_cart(rig: Rig) -> None:
    listed = give(rig.invoices, "open", "booted", "open")
    rig.invoices.plates[FORM] += (("water_bill", WATER),)
    assert rig.tap(intents.EnterPlate(PLATE))
    assert rig.state == "reviewing"
    assert {item.invoice.number for item in rig.model.cart} == {*listed, WATER}
    assert all(item.by_plate for item in rig.model.cart)
    assert rig.model.due_minor == sum(item.quote.due_minor for item in rig.model.cart) > 0
    assert rig.model.messages == ()


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_paid_here_or_counted_or_as_good_as_not_there(state: str) -> None:
    source = Invoices()
    listed = give(source, "open", state)
    found = ask(source)
    assert found.item is not None
    assert found.item.invoice.number == listed[0]
    assert [item.invoice.number for item in found.more] == (listed[1:] if state in ("open", "booted") else [])
    refused = {} if found.problem is None else dict(found.problem.params)
    assert refused.get("count", 0) == (1 if state in ("disputed", "in_court", "in_collections") else 0)


def test_what_cannot_be_paid_is_a_number_and_the_counter_and_never_a_place_a_time_or_a_state(rig: Rig) -> None:
    give(rig.invoices, "open", "in_court", "disputed", "in_collections")
    rig.tap(intents.EnterPlate(PLATE))
    assert told(rig) == [("notice.plate_refused", {"count": 3, "counter": "default"})]
    words = catalogue().say(rig.model.messages[0], "en")
    assert words.startswith("For this plate, 3 bills cannot be paid here.")
    assert "City Hall" in words
    rig.tap(intents.Cancel())
    give(rig.invoices, "in_court")
    rig.tap(intents.EnterPlate(PLATE))
    assert (rig.state, told(rig)) == ("notice", [("notice.plate_refused", {"count": 1, "counter": "default"})])


def test_a_price_that_no_rule_tells_and_data_that_are_too_old_count_as_not_payable_here() -> None:
    source = Invoices()
    give(source, "open", code="99")
    assert ask(source).problem == ask_refused(1)
    give(source, "open", "open")
    source.age_s = lambda service: 10**9  # type: ignore[method-assign]
    assert ask(source).problem == ask_refused(2)


def ask_refused(count: int) -> Any:
    from kiosk.model.texts import text

    return text("notice.plate_refused", count=count, counter="default")


def test_rules_that_give_no_answer_leave_nobody_waiting(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_rules(*_: object) -> None:
        raise PolicyError("no cash rules are in force", hint="mend them")

    give(rig.invoices, "open")
    monkeypatch.setattr(CityCounter, "payable", no_rules)
    rig.tap(intents.EnterPlate(PLATE))
    assert (rig.state, told(rig)[0][1]["count"]) == ("notice", 1)
    assert "no cash rules" in rig.kernel.last_fault


def test_nothing_found_has_the_words_of_a_number_that_is_not_found(rig: Rig) -> None:
    rig.tap(intents.EnterPlate("NO SUCH"))
    by_plate = rig.model.messages
    rig.invoices.rows.clear()
    rig.tap(intents.EnterNumber(PARKING))
    assert rig.model.messages == by_plate
    assert told(rig) == [("notice.not_found", {"as_of_date": "2026-11-22", "count": 1, "counter": "default"})]
    words = catalogue().say(by_plate[0], "en")
    for part in ("November 22, 2026", "1 hour old", "1 Example Plaza", "8 to 17", "555-0142"):
        assert part in words


def test_paid_and_withdrawn_ones_are_as_good_as_not_there() -> None:
    source = Invoices()
    give(source, "paid", "void")
    assert ask(source).problem == ask(source, "NONE").problem
    give(source, "open", paid_minor=10**6)
    assert ask(source).problem == ask(source, "NONE").problem


@pytest.mark.parametrize("typed", ["", "A", "-- 7 --", "ABCDEFGHI", "A" * 64, "ÄÖÜ", "٣٤٥"])
def test_a_text_that_is_no_plate_gets_a_clear_notice(typed: str) -> None:
    source = Invoices()
    source.find_by_plate = None  # type: ignore[method-assign, assignment]  # nobody asks
    assert ask(source, typed).problem is not None
    assert dict(ask(source, typed).problem.params) == {"shortest": 2, "longest": 8}  # type: ignore[union-attr]


def test_without_data_or_without_plates_in_them_the_person_is_told() -> None:
    assert ask(None).problem.id == "notice.data_missing"  # type: ignore[union-attr]
    source = Invoices()
    source.find_by_plate = lambda plate: None  # type: ignore[method-assign]
    assert ask(source).problem.id == "notice.plate_unknown_here"  # type: ignore[union-attr]


def test_a_cart_takes_what_fits_and_tells_how_many_did_not(tmp_path: Path) -> None:
    rig = Rig(tmp_path, CheckoutSettings(cart_limit=3))
    listed = give(rig.invoices, *["open"] * 5)
    rig.tap(intents.EnterNumber(listed[1]))
    rig.tap(intents.EnterPlate(PLATE))
    assert [item.invoice.number for item in rig.model.cart] == [listed[1], listed[0], listed[2]]
    assert [item.by_plate for item in rig.model.cart] == [False, True, True]
    assert told(rig) == [("notice.plate_more", {"count": 2})]
    rig.tap(intents.EnterPlate(PLATE))
    assert (rig.state, told(rig)) == ("notice", [("notice.plate_more", {"count": 2})])
    rig.close()


def test_what_is_in_the_cart_already_is_not_put_there_twice(rig: Rig) -> None:
    give(rig.invoices, "open", "open")
    rig.tap(intents.EnterPlate(PLATE))
    before = rig.model.cart
    rig.tap(intents.EnterPlate(PLATE))
    assert (rig.state, told(rig)) == ("notice", [("notice.in_cart", {})])
    assert rig.model.cart == before


def test_held_tender_of_an_invoice_is_found_with_it() -> None:
    source = Invoices()
    listed = give(source, "open")
    books = Books(held={f"parking_citation/{listed[0]}": 700})
    found, _ = look_up(LookUp(PLATE, typed=True, plate=True), COUNTER, source, books, TODAY)
    assert found.item is not None
    assert found.item.held_minor == 700


# --- what a stranger may know ---------------------------------------------------------------------------------

#: What would tell when, where or why: dates in any form, ordinances, days, offences.
TELLING = re.compile(r"2026-10|October|ordinance|accessible|offen[cs]e|§|since|days|fee\.", re.IGNORECASE)


def assert_discreet(rig: Rig, listed: list[str]) -> None:
    """Neither the snapshot nor its words tell numbers, dates or reasons of what a plate found."""
    shot = seen(rig)
    assert shot.cart
    for bill in shot.cart:
        assert (bill.lines, bill.issued_date, bill.due_date, bill.already_paid) == ((), "", "", Money(0, "USD"))
        assert bill.number in {f"…{number[-3:]}" for number in listed}
        assert bill.due.minor > 0
    plain = msgspec.json.encode(msgspec.structs.replace(shot, slips=(), data_as_of="")).decode()
    texts = [catalogue().say(message, "en") for message in (*shot.messages, *shot.conditions)]
    for number in listed:
        assert number not in plain
        assert all(number not in words for words in texts)
    assert not TELLING.search(msgspec.json.encode(shot.cart).decode())


def test_the_screen_shows_kind_amount_and_the_end_of_the_number_until_the_end_and_after_a_restart(rig: Rig) -> None:
    listed = give(rig.invoices, "open", "open")
    rig.tap(intents.EnterPlate(PLATE))
    assert_discreet(rig, listed)
    rig.tap(intents.Pay())
    assert_discreet(rig, listed)
    rig.tap(intents.AcceptConditions())
    assert rig.state == "accepting"
    assert_discreet(rig, listed)
    rig.feed(5000)
    assert_discreet(rig, listed)
    rig.restart()
    assert rig.state == "resuming"
    assert_discreet(rig, listed)


def test_a_price_that_moved_before_the_consent_stays_without_reasons(rig: Rig) -> None:
    listed = give(rig.invoices, "open")
    rig.tap(intents.EnterPlate(PLATE))
    rig.tap(intents.Pay())
    rig.kernel.model = msgspec.structs.replace(rig.kernel.model, due_minor=rig.model.due_minor - 1)
    rig.tap(intents.AcceptConditions())
    assert (rig.state, told(rig)[0][0]) == ("reviewing", "notice.price_changed")
    assert_discreet(rig, listed)


def test_the_paper_proves_the_payment_by_its_number_and_tells_no_date_place_or_reason(rig: Rig) -> None:
    listed = give(rig.invoices, "open")
    rig.tap(intents.EnterPlate(PLATE))
    rig.tap(intents.Pay())
    rig.tap(intents.AcceptConditions())
    rig.feed(5000)
    rig.tap(intents.Finish())
    settled = rig.bodies(facts.Settled)[-1]
    assert [(part.number, part.minor) for part in settled.allocations] == [(listed[0], 5000)]
    receipt = rig.bodies(facts.ReceiptIssued)[-1]
    assert {(line.number, line.reason.id, line.citation) for line in receipt.lines} == {
        (listed[0], "reason.by_plate", "")
    }
    committed = rig.kernel.slip(receipt.number)
    for language in ("en", "es"):
        spoken = msgspec.structs.replace(receipt, language=language)
        fact = msgspec.structs.replace(committed, fact=msgspec.structs.replace(committed.fact, body=spoken))
        paper = repr(rig.kernel.parts.slips.lay_out(fact, seal(committed, KEY)))
        assert listed[0] in paper
        assert not re.search(r"2026-10|October|octubre|ordinance|accessible|accesible|offen[cs]e|infracc", paper)
        assert ("Found by its plate" if language == "en" else "Encontrada por la placa") in paper


def test_the_same_citation_scanned_from_its_paper_tells_everything(rig: Rig) -> None:
    listed = give(rig.invoices, "open")
    rig.tap(intents.EnterNumber(listed[0]))
    bill = seen(rig).cart[0]
    assert (bill.number, bill.issued_date) == (listed[0], "2026-10-02")
    assert bill.lines
    assert all(line.reason.id != "reason.by_plate" for line in bill.lines)


# --- the plate itself -----------------------------------------------------------------------------------------


def test_the_plate_is_in_no_fact_picture_or_fault_whatever_comes_of_it(rig: Rig) -> None:
    give(rig.invoices, "open", "in_court")

    def broken(plate: str) -> None:
        raise ReplicaError("the replica is damaged")

    rig.tap(intents.EnterPlate(PLATE))
    pictures = [repr(seen(rig)), repr(rig.model)]
    rig.tap(intents.Pay())
    rig.tap(intents.EnterPlate(PLATE))  # no row: refused
    rig.tap(intents.AcceptConditions())
    rig.tap(intents.EnterPlate(PLATE))
    rig.feed(5000)
    rig.tap(intents.Finish())
    for typed in (PLATE, PLATE * 9, "QZX7719\0", "QZX"):
        rig.wait(400)
        rig.tap(intents.EnterPlate(typed))
        pictures += [repr(seen(rig)), repr(rig.model), rig.kernel.last_fault]
    rig.invoices.find_by_plate = broken  # type: ignore[method-assign]
    rig.wait(400)
    rig.tap(intents.EnterPlate(PLATE))
    pictures += [repr(seen(rig)), repr(rig.model), rig.kernel.last_fault, repr(rig.kernel.counts)]
    assert rig.kernel.last_fault == "the replica is damaged"
    rig.news("notes", d.DeviceState("idling", "ok"))
    stored = b"".join(path.read_bytes() for path in rig.path.parent.iterdir())
    assert len(rig.bodies(facts.Settled)) == 1
    for form in (PLATE, FORM, "7719", "QZX"):
        assert form.encode() not in stored
        assert all(form not in picture for picture in pictures)


@given(st.text(max_size=80))
def test_any_text_typed_as_a_plate_gets_an_answer(typed: str) -> None:
    source = Invoices()
    give(source, "open", plate="AB")
    found = ask(source, typed)
    assert (found.item is None) <= (found.problem is not None)


def test_real_data_are_found_under_the_key_beside_them_in_every_state_they_know(tmp_path: Path) -> None:
    source = tmp_path / "citations.csv"
    rows = [
        f"{number},2026-10-02,21,2,0.00,OPEN,0,{plate},{state}"
        for number, plate, state in zip(
            numbers(4), (PLATE, "qzx-7719", "Q Z X 7 7 1 9", "ABC 1"), ("NY", "", "NJ", "NY"), strict=True
        )
    ]
    head = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Plate state"
    source.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    mapping = load_mapping((CONFIG / "imports" / "parking_citation.toml").read_text("utf-8"), "x.toml")
    assert mapping.columns["Plate"] == "plate"
    by = msgspec.structs.replace(mapping, columns={**mapping.columns, "Plate state": "plate_state"})
    replica = tmp_path / "state" / "sync.db"
    replica.parent.mkdir()
    report = import_csv(
        source, by, library().service("parking_citation"), replica, tmp_path / "rejects.csv", taken_at_ns=1
    )
    assert report.taken == 4
    data = ReferenceData(replica)
    found = data.find_by_plate(FORM)
    assert found is not None
    assert [invoice.number for invoice in found] == numbers(3)
    assert data.find_by_plate("NONE") == ()
    key = replica.with_name(KEY_FILE)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    held = key.read_bytes()
    key.write_bytes(b"0" * 64)
    assert data.find_by_plate(FORM) is None, "hashes under another key can never be found, which is not `no open bill`"
    key.write_bytes(b"spoilt")
    with pytest.raises(ReplicaError, match="64 hexadecimal"):
        data.find_by_plate(FORM)
    key.unlink()
    assert data.find_by_plate(FORM) is None
    key.write_bytes(held)
    data.close()
