"""Slips for the people who work here: they tell which box, which closing and which slips, and never a sum."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.checkout.closing import Day, closing, closing_particulars, report_particulars
from kiosk.core.city import City, ReceiptOptions
from kiosk.core.drawing import visual_order
from kiosk.core.slip_layouts import BLIND, LAYOUTS, ruler
from kiosk.core.slips import SlipPrinter
from kiosk.errors import ReceiptError
from kiosk.model import facts
from kiosk.model.facts import Committed, Fact, Particular, ReceiptIssued, ReceiptLine, ReceiptTotal
from kiosk.model.slip import Pair, QrCode, Slip, Words
from kiosk.model.texts import text
from tests.core.kernel_rig import catalogue
from tests.journal.conftest import stamp_at

CITY = City(
    name="Example City", office="Parking", support_phone="555-0142", address="1 Example Plaza", website="city.example",
    hours="Mon-Fri 8-17", official_language="en", example=True,
)  # fmt: skip
SERVICES = {"parking_citation": "service.parking_citation"}
#: What a sum of money or a number of notes looks like.
AMOUNT = re.compile(r"[$€]|\d[.,]\d\d(?!\d)|USD|note", re.IGNORECASE)
EXCHANGE = {
    "old_box": "BOX-0001", "new_box": "BOX-0002", "seal": "SEAL-4711", "first": "p01", "second": "p02",
    "ended_session": "3", "z_number": "12",
}  # fmt: skip


def printer(columns: int = 42, languages: tuple[str, ...] = ("en", "es")) -> SlipPrinter:
    return SlipPrinter(CITY, catalogue(), SERVICES, columns, languages)


def committed(body: ReceiptIssued, realm: str = "live") -> Committed:
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=98231, realm=realm, stamp=stamp_at(5), body=body)
    return Committed(fact, bytes(range(32)))


def day(period: facts.Period, *, grand_total_minor: int = 0) -> Day:
    return Day(
        date=dt.date(2026, 11, 22), last_z=11, grand_total_minor=grand_total_minor, closed_through=None, box_session=3,
        box="BOX-0001", through_epoch=1, through_seq=98230, through_hash="9f3c0a1b2c3d4e5f" * 4, currency="USD",
        period=period,
    )  # fmt: skip


RANGES = (facts.SlipRange("credit", 1, 2), facts.SlipRange("receipt", 412, 518), facts.SlipRange("x", 4, 4))


def period(sums: list[int] | None = None) -> facts.Period:
    """A period whose sums are whatever `sums` says; what may be told is always the same."""
    taken = sums or [0]
    return facts.Period(
        notes=tuple(facts.NoteCount("USD", value, value % 97) for value in taken), unknown_notes=taken[0] % 3,
        taken_minor=sum(taken), payments=17, accounts=tuple(facts.AccountSum("USD", "cash", value) for value in taken),
        slips=RANGES, reprints=2,
    )  # fmt: skip


def slip_of(kind: str, sums: list[int] | None = None, language: str = "en") -> ReceiptIssued:
    told: tuple[Particular, ...] = ()
    if kind == "z":
        present = day(period(sums), grand_total_minor=sum(sums or []))
        told = closing_particulars(present, closing(present, "cut_off", dt.date(2026, 11, 21)))
    elif kind == "x":
        told = report_particulars(day(period(sums)))
    elif kind == "box_exchange":
        told = tuple(Particular(*pair) for pair in EXCHANGE.items())
    return ReceiptIssued(519, kind, 1, language, (), (), "USD", 98229, 12, told)


@pytest.mark.parametrize("kind", sorted(BLIND))
def test_a_staff_slip_does_not_speak_of_claims(kind: str) -> None:
    told = printed(printer().lay_out(committed(slip_of(kind)), "QR"))
    assert catalogue().word("slip.legal.no_bearer", "en") not in told


def printed(slip: Slip) -> str:
    said = [f"{line.left} {line.right}" if isinstance(line, Pair) else line.text for line in slip.lines
            if isinstance(line, Pair | Words)]  # fmt: skip
    return " ".join(" ".join(said).split())


@pytest.mark.parametrize("columns", [30, 42, 48])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", sorted(BLIND))
def test_no_staff_slip_is_wider_than_the_paper_and_no_text_is_missing(kind: str, language: str, columns: int) -> None:
    slip = printer(columns).lay_out(committed(slip_of(kind, language=language), "demo"), "QR", copy=1)
    for line in slip.lines:
        if isinstance(line, Pair):
            assert len(line.left) + 1 + len(line.right) <= columns, line
        elif isinstance(line, Words):
            assert len(line.text) * line.size <= columns, line
    told = printed(slip)
    assert "[" not in told, "a text is missing"
    assert "…" not in told, "a parameter is missing"


@given(sums=st.lists(st.integers(1, 10**9), min_size=1, max_size=6), kind=st.sampled_from(["x", "z"]))
def test_a_slip_of_a_period_is_the_same_whatever_the_period_took(sums: list[int], kind: str) -> None:
    """Invariant 18 of the domain sheet: who will count the box learns nothing from paper."""
    told = printer().lay_out(committed(slip_of(kind, sums)), "QR")
    assert told == printer().lay_out(committed(slip_of(kind, [1])), "QR")


@pytest.mark.parametrize("kind", sorted(BLIND))
def test_no_staff_slip_holds_an_amount(kind: str) -> None:
    slip = printer(languages=()).lay_out(committed(slip_of(kind, [123_456_789])), "QR")
    told = printed(slip).replace(catalogue().word("slip.of_kind.z", "en", no="12"), "")
    found = [match[0] for match in AMOUNT.finditer(re.sub(r"\S*unassigned note\S* slips?", "", told.lower()))]
    assert found == []


@pytest.mark.parametrize("kind", sorted(BLIND))
@pytest.mark.parametrize(
    "more",
    [
        {"totals": (ReceiptTotal("taken", 5000),)},
        {"lines": (ReceiptLine("s", "1", "fine", 5, text("fee.base.face")),)},
        {"particulars": (Particular("expected", "12345"),)},
        {"particulars": (Particular("slips_notes", "12345"),)},
    ],
)
def test_a_staff_slip_that_would_tell_more_than_its_kind_may_is_refused(kind: str, more: dict[str, object]) -> None:
    whole = {"totals": (), "lines": (), "particulars": (), **more}
    body = ReceiptIssued(1, kind, 1, "en", whole["lines"], whole["totals"], "USD", 1, 1, whole["particulars"])  # type: ignore[arg-type]
    with pytest.raises(ReceiptError, match="must not carry sums|does not tell"):
        printer().lay_out(committed(body), "QR")


def test_an_exchange_names_boxes_seal_people_session_and_closing() -> None:
    told = printed(printer().lay_out(committed(slip_of("box_exchange")), "QR"))
    for value in EXCHANGE.values():
        assert value in told
    assert "Box exchange no. 12" in told


def test_a_closing_names_its_number_dates_cause_slips_and_the_journals_head() -> None:
    told = printed(printer().lay_out(committed(slip_of("z")), "QR"))
    for part in ("Z closing no. 12", "2026-11-21", "end of the business date", "BOX-0001", "Receipts 412-518",
                 "Credit slips 1-2", "Copies printed 2", "1/98230 9f3c0a1b2c3d4e5f"):  # fmt: skip
        assert part in told, part
    assert "fin de la fecha contable" in printed(printer().lay_out(committed(slip_of("z", language="es")), "QR"))


def test_a_report_says_that_it_closes_nothing() -> None:
    told = printed(printer().lay_out(committed(slip_of("x")), "QR"))
    assert "closes nothing" in told
    assert "Last Z closing 11" in told


def test_a_test_slip_shows_the_letters_of_every_language_the_columns_and_a_code() -> None:
    slip = printer().lay_out(committed(slip_of("test")), "QR")
    words = [line.text for line in slip.lines if isinstance(line, Words)]
    assert "ñ" in printed(slip)
    assert "WXYZ" in printed(slip)
    assert ruler(42)[1] in words
    assert [line.data for line in slip.lines if isinstance(line, QrCode)] == ["QR"]
    assert "ñ" not in printed(printer(languages=("en",)).lay_out(committed(slip_of("test")), "QR"))


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_outside_live_every_slip_is_a_specimen_at_its_head_and_at_its_foot(kind: str) -> None:
    body = slip_of(kind) if kind in BLIND else ReceiptIssued(5, kind, 1, "en", (), (), "USD", 1, 1)
    slip = printer().lay_out(committed(body, "training"), "QR")
    at = [place for place, line in enumerate(slip.lines) if isinstance(line, Words) and line.text == "SPECIMEN"]
    code = next(place for place, line in enumerate(slip.lines) if isinstance(line, QrCode))
    assert len(at) == 2
    assert at[0] < code < at[1]
    assert "SPECIMEN" not in printed(printer().lay_out(committed(body), "QR"))


@pytest.mark.parametrize("kind", sorted(LAYOUTS))
def test_every_kind_has_a_title_and_a_number_of_its_own(kind: str) -> None:
    body = slip_of(kind) if kind in BLIND else ReceiptIssued(5, kind, 1, "en", (), (), "USD", 1, 12)
    told = printed(printer().lay_out(committed(body), "QR"))
    assert catalogue().word(f"slip.title.{kind}", "en") in told
    assert catalogue().word(f"slip.of_kind.{kind}", "en", no="12") in told


@pytest.mark.parametrize("kind", ["gift", "z"])
def test_a_kind_or_version_that_is_not_known_is_refused(kind: str) -> None:
    body = ReceiptIssued(5, kind, 9, "en", (), (), "USD", 1, 1)
    with pytest.raises(ReceiptError, match="newer"):
        printer().lay_out(committed(body), "QR")


def test_the_place_in_the_journal_reads_from_left_to_right_in_every_language() -> None:
    for language in ("en", "ar"):
        slip = printer().lay_out(committed(slip_of("z", language=language)), "QR")
        (line,) = [line.text for line in slip.lines if isinstance(line, Words) and "0001020304050607" in line.text]
        assert visual_order(line) == "1/98231 0001020304050607"


def test_a_citys_own_lines_stand_at_the_head_and_at_the_foot() -> None:
    own = City(name="Example City", receipt=ReceiptOptions(header=("Tax no. 12-345",), footer="slip.contact"))
    slip = SlipPrinter(own, catalogue(), SERVICES).lay_out(committed(slip_of("z")), "QR")
    words = [line.text for line in slip.lines if isinstance(line, Words)]
    assert words[1] == "Tax no. 12-345"
    assert any(line.startswith("Questions:") for line in words)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", ["credit", "pending", "disputed", "suspense", "receipt"])
def test_a_slip_of_what_is_owed_says_how_where_and_until_when_to_claim_in_both_languages(
    kind: str, language: str
) -> None:
    totals = (ReceiptTotal("overpayment", 500),) if kind == "receipt" else ()
    body = ReceiptIssued(5, kind, 1, language, (), totals, "USD", 1, 1, (Particular("claim_by", "2027-11-22"),))
    told = printed(printer().lay_out(committed(body), "QR"))
    for spoken in dict.fromkeys((language, CITY.official_language)):
        assert catalogue().word("slip.claim.by", spoken, by_date="2027-11-22") in told
        assert catalogue().word("slip.legal.no_bearer", spoken) in told
    times = 1 if language == CITY.official_language else 2
    assert told.count("555-0142 o") == times, "how (or/o)"
    assert told.count("1 Example Plaza") == times + 1, "where; once more in the head"


def test_a_credit_slip_does_not_say_that_somebody_paid_too_much() -> None:
    body = ReceiptIssued(5, "credit", 1, "en", (), (ReceiptTotal("overpayment", 500),), "USD", 1, 1)
    told = printed(printer().lay_out(committed(body), "QR"))
    assert "You paid more" not in told
    assert "To get it back" in told
