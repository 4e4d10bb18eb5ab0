"""The layout of slips: nothing is lost, nothing is wider than the paper, in every language."""

from __future__ import annotations

import re

import pytest

from kiosk.core.city import City
from kiosk.core.slips import SlipPrinter
from kiosk.errors import ReceiptError
from kiosk.model.facts import Committed, Fact, ReceiptIssued, ReceiptLine, ReceiptTotal, Started
from kiosk.model.slip import Cut, Pair, QrCode, Slip, Words
from kiosk.model.texts import text
from tests.core.kernel_rig import catalogue
from tests.journal.conftest import stamp_at

LONG = City(
    name="The Very Long Named City of Exampleton upon the Example River", office="Department of Finance and Parking",
    support_phone="555-0100", address="1 Example Plaza, Room 101, Example City", hours="Mon-Fri 8-17",
    website="https://example.org/pay", example=True,
)  # fmt: skip
LINES = (
    ReceiptLine(
        "parking_citation", "260004209", "fine", 4500, text("fee.base.face"), "Example City Code 12-345 (a) (1)"
    ),
    ReceiptLine("water_bill", "0212345678", "usage", 123_456_789, text("fee.base.face")),
)
TOTALS = (
    ReceiptTotal("due", 123_461_289), ReceiptTotal("tender", 123_470_000), ReceiptTotal("note:5000", 3),
    ReceiptTotal("applied", 123_461_289), ReceiptTotal("overpayment", 8711), ReceiptTotal("pending", 2000),
)  # fmt: skip
SERVICES = {"parking_citation": "service.parking_citation", "water_bill": "service.water_bill"}
KINDS = ("receipt", "credit", "disputed", "suspense", "pending")


def committed(kind: str = "receipt", language: str = "en", realm: str = "live") -> Committed:
    alone = kind in ("disputed", "suspense")
    totals = (ReceiptTotal("note", 2000),) if alone else TOTALS
    body = ReceiptIssued(7, kind, 1, language, () if alone else LINES, totals, "USD", 11)
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=12, realm=realm, stamp=stamp_at(5), body=body)
    return Committed(fact, bytes(range(32)))


def printed(slip: Slip) -> str:
    said = [f"{line.left} {line.right}" if isinstance(line, Pair) else line.text for line in slip.lines
            if isinstance(line, Pair | Words)]  # fmt: skip
    return " ".join(" ".join(said).split())


@pytest.mark.parametrize("columns", [30, 42, 48])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_wider_than_the_paper_and_no_word_is_lost(kind: str, language: str, columns: int) -> None:
    slip = SlipPrinter(LONG, catalogue(), SERVICES, columns).lay_out(committed(kind, language, "demo"), "QR", copy=2)
    for line in slip.lines:
        if isinstance(line, Pair):
            assert len(line.left) + 1 + len(line.right) <= columns, line
        elif isinstance(line, Words):
            assert len(line.text) * line.size <= columns, line
    told = printed(slip)
    for word in re.split(r"\s+", f"{LONG.name} {LONG.office} {LONG.address}"):
        assert word in told
    assert "[" not in told, "a text is missing"
    assert "…" not in told, "a parameter is missing"
    assert "K07-1-000007-0001" in told


def test_a_slip_ends_with_its_code_and_a_cut() -> None:
    lines = SlipPrinter(LONG, catalogue(), SERVICES).lay_out(committed(), "KR1|…").lines
    assert [line.data for line in lines if isinstance(line, QrCode)] == ["KR1|…"]
    assert isinstance(lines[-1], Cut)


def test_the_same_fact_always_makes_the_same_slip() -> None:
    printer = SlipPrinter(LONG, catalogue(), SERVICES)
    assert printer.lay_out(committed(), "x") == printer.lay_out(committed(), "x")


def test_a_copy_and_a_specimen_say_so() -> None:
    printer = SlipPrinter(LONG, catalogue(), SERVICES)
    plain = printed(printer.lay_out(committed(), "x"))
    marked = printed(printer.lay_out(committed(realm="training"), "x", copy=3))
    assert "COPY 3" in marked.upper()
    assert "COPY" not in plain.upper()
    assert len(marked) > len(plain)


def test_legal_lines_are_repeated_in_the_official_language() -> None:
    printer = SlipPrinter(LONG, catalogue(), SERVICES)
    english = catalogue().word("slip.claim.overpayment", "en", phone="555-0100", place=LONG.address)
    first = " ".join(english.split()[:4])
    assert first in printed(printer.lay_out(committed(language="es"), "x"))
    assert printed(printer.lay_out(committed(), "x")).count(first) == 1


def test_a_fact_that_is_no_slip_or_of_a_newer_layout_is_refused() -> None:
    printer = SlipPrinter(LONG, catalogue(), SERVICES)
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=3, realm="live", stamp=stamp_at(1), body=Started(False))
    with pytest.raises(ReceiptError, match="not a slip"):
        printer.lay_out(Committed(fact, bytes(32)), "x")
    newer = ReceiptIssued(7, "receipt", 2, "en", (), (), "USD", 1)
    fact = Fact(version=1, kiosk="K07", epoch=1, seq=3, realm="live", stamp=stamp_at(1), body=newer)
    with pytest.raises(ReceiptError, match="newer"):
        printer.lay_out(Committed(fact, bytes(32)), "x")
