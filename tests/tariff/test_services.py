"""States of an invoice: payable here or not, with the reason and the counter to go to."""

from __future__ import annotations

import datetime as dt

import pytest

from kiosk.errors import PolicyError
from kiosk.model.invoice import STATES, Invoice
from kiosk.model.texts import Text
from kiosk.tariff.services import load_service
from kiosk.texts import Catalogue
from tests.tariff.example_city import CONFIG, library, texts


def refused(service: str, state: str) -> Text | None:
    """What the citizen is told of an invoice in this state."""
    invoice = Invoice(service=service, number="1", currency="USD", amount_minor=1, state=state,
                      issued=dt.date(2026, 3, 2))  # fmt: skip
    return library().service(service).refusal(invoice)


@pytest.mark.parametrize(
    ("service", "state", "counter"),
    [
        ("parking_citation", "open", None),
        ("parking_citation", "booted", None),
        ("parking_citation", "paid", "default"),
        ("parking_citation", "void", "default"),
        ("parking_citation", "disputed", "default"),
        ("parking_citation", "in_court", "court"),
        ("parking_citation", "in_collections", "collections"),
        ("water_bill", "open", None),
        ("water_bill", "booted", "default"),
        ("water_bill", "paid", "default"),
        ("water_bill", "void", "default"),
        ("water_bill", "disputed", "default"),
        ("water_bill", "in_court", "default"),
        ("water_bill", "in_collections", "collections"),
    ],
)
def test_each_state_is_payable_here_or_names_its_reason_and_its_counter(
    service: str, state: str, counter: str | None
) -> None:
    told = refused(service, state)
    if counter is None:
        assert told is None
        return
    assert told is not None
    assert (told.id, dict(told.params)["counter"]) == (f"refused.state.{state}", counter)


@pytest.mark.parametrize("language", ["en", "es"])
def test_a_refusal_says_where_to_go_when_and_whom_to_call(language: str) -> None:
    words = Catalogue.load([CONFIG / "texts"])
    for state in ("void", "disputed", "in_court", "in_collections"):
        told = refused("parking_citation", state)
        assert told is not None
        said = words.say(told, language)
        assert "555-01" in said, said
        assert any(hours in said for hours in ("8 to 17", "9 to 16", "8 to 12", "de 8 a 17", "de 9 a 16", "de 8 a 12"))
    assert ("en", "word.counter.default") not in words.missing


def test_every_counter_of_every_service_has_its_words_in_every_language() -> None:
    words = Catalogue.load([CONFIG / "texts"])
    counters = {each for each in library().message_ids() if each.startswith("word.counter.")}
    assert counters == {"word.counter.default", "word.counter.court", "word.counter.collections"}
    assert [(each, language) for each in counters for language in ("en", "es") if not words.has(each, language)] == []


def test_a_city_without_texts_of_its_own_still_sends_people_to_a_counter() -> None:
    assert Catalogue.load().word("refused.state.in_court", "en", counter="default").endswith("tells the way")


@pytest.mark.parametrize("state", STATES)
def test_the_examples_hold_a_row_of_every_state(state: str) -> None:
    words = {"in_court": "COURT", "in_collections": "COLLECTIONS"}
    rows = (CONFIG / "examples" / "parking_citations.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert any(row.split(",")[5] == words.get(state, state.upper()) for row in rows)


@pytest.mark.parametrize(
    ("counters", "fault"),
    [
        ('{ lost = "court" }', "'lost' is neither a state"),
        ('{ in_court = "The Court" }', "'The Court' is not lower-case"),
        ("{ in_court = 5 }", "counters"),
    ],
)
def test_counters_that_make_no_sense_do_not_load(counters: str, fault: str) -> None:
    source = texts()["services/parking_citation.toml"]
    line = next(line for line in source.splitlines() if line.startswith("counters ="))
    with pytest.raises(PolicyError, match=fault):
        load_service(source.replace(line, f"counters = {counters}"), "services/x.toml")
