"""Labels and typed numbers: what is read, what is refused, and that nothing of a refused text is kept."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.tariff.labels import LabelProblem, LabelRead, read_label, read_typed, symbology_of
from kiosk.tariff.services import Service, load_service
from tests.tariff.example_city import library, texts

LIB = library()
LICENCE = "@\n\x1e\rANSI 636035080002DL00410278ZI03190008DLDAQEXAMPLE\nDCSEXAMPLE\nDACNOBODY\nDBB01011990"
LINE = "02123456781120260000083177"


def creditron() -> Service:
    """A biller whose line is Creditron's 42 digits."""
    return load_service(
        """
        id = "creditron"
        kind = "utility"
        name = "service.creditron"
        currency = "USD"
        policies = ["p"]
        accounts = { usage = "F2140" }
        order = ["usage"]
        number = { length = 11 }
        [[layouts]]
        name = "line"
        skip = " "
        fields = [{ name = "account", length = 11 }, { name = "date", length = 6 }, { name = "rate", length = 4 },
                  { name = "gross", length = 10 }, { name = "net", length = 10 }, { name = "check", length = 1 }]
        number = ["account"]
        checks = [{ algorithm = "mod10", field = "check", weights = [2, 1] }]
        amount_hint = "net"
        """.replace("\n                  ", " "),
        "services/creditron.toml",
    )


@pytest.mark.parametrize("symbology", ["]A0", "]C0", "]Q1", ""])
def test_a_citation_label_names_its_number(symbology: str) -> None:
    assert LIB.read_label("260004175", symbology) == LabelRead("parking_citation", "260004175", "citation")


def test_start_and_stop_characters_and_line_ends_are_dropped() -> None:
    assert LIB.read_label("*260004175*\r\n", "]A0") == LabelRead("parking_citation", "260004175", "citation")


def test_an_older_label_with_its_own_check_letter_gets_the_check_digit_of_the_number() -> None:
    assert LIB.read_label("EX-26000417H", "]A0") == LabelRead("parking_citation", "260004175", "citation-mod43")


@pytest.mark.parametrize("label", ["260004715", "EX-26000418H", LINE[:-1] + "8"])
def test_a_wrong_check_digit_is_never_looked_up(label: str) -> None:
    read = LIB.read_label(label)
    assert isinstance(read, LabelProblem)
    assert read.reason == "wrong_check_digit"


def test_a_scan_line_of_a_water_bill_names_the_account_and_forgets_the_amount() -> None:
    read = LIB.read_label("0212345678 112026 000008317 7", "]o1")
    assert read == LabelRead("water_bill", "0212345678", "bill-line")
    assert b"8317" not in msgspec.json.encode(read)


def test_a_stub_of_nine_digits_gets_the_leading_zero() -> None:
    assert LIB.read_label("W2123456787") == LabelProblem("wrong_check_digit", ("water_bill",))
    assert LIB.read_label("W2123456788") == LabelRead("water_bill", "0212345678", "bill-stub")


def test_a_creditron_line_is_read_and_the_circulating_sample_is_not() -> None:
    good = "00345678901 110296 0000 0000001000 0000001000 8"
    assert read_label(good, "]o1", [creditron()]) == LabelRead("creditron", "00345678901", "line")
    assert read_label(good.replace("0296", "0196"), "", [creditron()]) == LabelProblem(
        "wrong_check_digit", ("creditron",)
    )


@pytest.mark.parametrize(
    "label",
    [LICENCE, LICENCE.replace("\x1e", ""), "ANSI 636035", "@ANSI 636035080002DL", "ansi 636035", "@\r\nAAMVA6360"],
)
@pytest.mark.parametrize("symbology", ["]L2", ""])
def test_a_driving_licence_is_refused_and_nothing_of_it_kept(label: str, symbology: str) -> None:
    read = LIB.read_label(label, symbology)
    assert read == LabelProblem("driving_licence")
    assert b"6360" not in msgspec.json.encode(read)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "empty"),
        (" \r\n", "empty"),
        ("7" * 4096, "too_long"),
        ("26000\x004175", "unreadable"),
        ("26000417\u0665", "unreadable"),
        ("<script>alert(1)</script>", "not_ours"),
        ("12345", "not_ours"),
        ("57240", "not_ours"),
        ("'; DROP TABLE invoices; --", "not_ours"),
    ],
)
def test_hostile_and_foreign_labels_have_a_reason_and_leave_no_trace(label: str, reason: str) -> None:
    assert LIB.read_label(label) == LabelProblem(reason)


def test_a_label_in_a_symbology_that_its_layout_does_not_use_is_refused() -> None:
    assert LIB.read_label("260004175", "]I0") == LabelProblem("wrong_symbology", ("parking_citation",))


def test_two_services_that_read_one_label_make_it_ambiguous() -> None:
    twin = load_service(
        texts()["services/parking_citation.toml"].replace('id = "parking_citation"', 'id = "twin"'),
        "services/twin.toml",
    )
    read = read_label("260004175", "", [LIB.service("parking_citation"), twin])
    assert read == LabelProblem("ambiguous", ("parking_citation", "twin"))


def test_a_failing_check_digit_is_not_rescued_by_a_layout_without_one() -> None:
    loose = load_service(
        """
        id = "loose"
        kind = "permit"
        name = "service.loose"
        currency = "USD"
        policies = ["p"]
        accounts = { fee = "A2590" }
        order = ["fee"]
        number = { length = 9 }
        layouts = [{ name = "plain", fields = [{ name = "n", length = 9 }], number = ["n"] }]
        """,
        "services/loose.toml",
    )
    both = [LIB.service("parking_citation"), loose]
    assert read_label("260004715", "", both) == LabelProblem("wrong_check_digit", ("loose", "parking_citation"))
    assert read_typed("260004715", both) == LabelProblem("wrong_check_digit", ("loose", "parking_citation"))
    assert read_typed("260004715", both, service="loose") == LabelRead("loose", "260004715", "typed")
    assert read_label("260004715", "", [loose]) == LabelRead("loose", "260004715", "plain")


def test_a_typed_number_may_hold_blanks_and_dashes() -> None:
    assert LIB.read_typed("2600 0417-5") == LabelRead("parking_citation", "260004175", "typed")
    assert LIB.read_typed("02 1234 5678") == LabelRead("water_bill", "0212345678", "typed")


def test_a_short_account_is_filled_up_only_where_its_service_was_chosen() -> None:
    assert LIB.read_typed("212345678", service="water_bill") == LabelRead("water_bill", "0212345678", "typed")
    # Nine digits are a citation's length: a mistyped citation must not become somebody's water account.
    assert LIB.read_typed("212345678") == LabelProblem("wrong_check_digit", ("parking_citation", "water_bill"))


@pytest.mark.parametrize("number", ["1612345678", "3012345678", "8212345678", "0112345678", "9912345678"])
def test_an_account_with_an_unlisted_prefix_is_refused(number: str) -> None:
    assert LIB.read_typed(number) == LabelProblem("unknown_prefix", ("water_bill",))


@pytest.mark.parametrize("prefix", ["02", "15", "31", "48", "49", "81"])
def test_both_ends_of_a_prefix_range_are_taken(prefix: str) -> None:
    assert LIB.read_typed(prefix + "12345678") == LabelRead("water_bill", prefix + "12345678", "typed")


def test_a_service_that_is_not_typed_is_not_read_from_the_keypad() -> None:
    scan_only = msgspec.structs.replace(
        LIB.service("water_bill"), typed=msgspec.structs.replace(LIB.service("water_bill").typed, allowed=False)
    )
    assert read_typed("0212345678", [scan_only]) == LabelProblem("not_ours")


def test_symbologies_are_known_by_their_aim_letter() -> None:
    names = [symbology_of(aim) for aim in ("]A0", "]C0", "]C1", "]I0", "]L2", "]Q1", "]d2", "]z0", "]", "")]
    assert names == ["code39", "code128", "gs1_128", "itf", "pdf417", "qr", "datamatrix", "other", "", ""]


@given(st.text(max_size=300), st.sampled_from(["", "]A0", "]C0", "]L0", "]", "x"]))
def test_any_text_gets_an_answer_that_holds_none_of_it_unless_it_is_read(label: str, symbology: str) -> None:
    for read in (LIB.read_label(label, symbology), LIB.read_typed(label)):
        if isinstance(read, LabelRead):
            assert LIB.service(read.service).number.fault(read.number) is None
        else:
            assert read.reason.isidentifier()
