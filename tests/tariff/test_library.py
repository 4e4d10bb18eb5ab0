"""Loading a city's data: whole or not at all, and every mistake told by file and key."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from kiosk.errors import PolicyError
from kiosk.model.invoice import STATES, Invoice
from kiosk.tariff.library import load
from tests.tariff.example_city import library, texts

PARKING = "policies/example-city-parking.toml"
CITATION = "services/parking_citation.toml"
WATER = "services/water_bill.toml"
RENTS = "policies/example-city-water.toml"


def mended(file: str, old: str, new: str) -> dict[str, str]:
    """The example texts with one change."""
    assert old in texts()[file]
    return {**texts(), file: texts()[file].replace(old, new, 1)}


def test_the_example_city_loads_with_both_services() -> None:
    assert set(library().services) == {"parking_citation", "property_tax", "water_bill"}
    assert all(policy.vector for policy in library().policies)


def test_the_digest_changes_with_every_byte_of_every_file() -> None:
    assert load(texts()).digest == library().digest
    assert load(mended(CITATION, "# Parking", "# parking")).digest != library().digest
    assert load({**texts(), "policies/more.toml": ""}).digest != library().digest


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (CITATION, 'partial = "allowed"', 'partail = "allowed"', "parking_citation.toml.*`partail`.*`partial`"),
        (CITATION, "offline = true", 'offline = "yes"', "offline: Expected `bool`"),
        (CITATION, 'partial = "allowed"', 'partial = "sometimes"', "partial: Invalid enum value"),
        (CITATION, "length = 9 }]", "length = 8 }]", "makes a number of 8 characters"),
        (CITATION, 'algorithm = "damm"', 'algorithm = "dam"', "algorithm"),
        (CITATION, '"booted"]', '"boated"]', "'boated' is not a state"),
        (CITATION, '"fine", "late_fee"]', '"fine"]', "order: must name each component"),
        (CITATION, 'late_fee = "A2610"', "", "order: must name each component"),
        (CITATION, 'policies = ["expired-meter"', 'policies = ["expired-metre"', "'expired-metre' is not loaded"),
        (CITATION, 'symbologies = ["code39", "code128"', 'symbologies = ["code93", "code128"', "'code93' is not known"),
        (CITATION, 'id = "parking_citation"', 'id = "water_bill"', "described twice"),
        (CITATION, 'id = "parking_citation"', 'id = "Parking; DROP"', "lower-case"),
        (WATER, 'first = "02"', 'first = "2"', "differ in length"),
        (WATER, 'field = "check" }]\namount', 'field = "chekc" }]\namount', "'chekc' is not one of its fields"),
        (PARKING, "after_days = 7, minor", "after_days = 7, at_days = 7, minor", "exactly one of"),
        (PARKING, "[0, 1000, 2000, 3000]", "[0, 1000, 2000, 30000]", "above its cap of 25000"),
        (PARKING, "[0, 1000, 2000, 3000]", "[0, 1000, 2000, 24501]", "above its cap of 25000"),
        (PARKING, "total_minor = 2500", "total_minor = 2501", "vector 1 on 2026-03-09 comes to 2500"),
        (PARKING, "fine = 2500, late_fee = 1500", "fine = 4000", "vector 4"),
        (PARKING, "effective_to = 2025-12-31", "effective_to = 2026-01-01", "in force at once"),
        (PARKING, "06 = [3000", "02 = [3000", "'02' has and lacks"),
        (PARKING, '06 = [3000, 4500, 6000]', '06 = []', "'06' has no amount"),
        (PARKING, '06 = [3000, 4500, 6000]', '06 = [30.00, 45.00]', "Expected `int`, got `float`"),
        (PARKING, 'codes = ["21"]', 'codes = ["31"]', "'31' is not one of this policy"),
        (PARKING, 'shape = "table"', 'shape = "tabel"', "shape"),
        (RENTS, "percent = 10", "percent = 0", "percent must be"),
        (RENTS, 'since = "due"', 'since = "tomorrow"', "neither `issued` nor `due`"),
        (RENTS, "citation = ", "citation = ''\n#", "citation is empty"),
        (WATER, 'late_fee = "F2148"', 'late = "F2148"', "order: must name each component"),
        ("policies/cash.toml", "[[cash]]", "[[cash]\n", "not TOML"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_data_stops_the_load_and_names_its_place(file: str, old: str, new: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        load(mended(file, old, new))


def test_a_rule_without_late_fees_must_say_so() -> None:
    with pytest.raises(PolicyError, match="missing required field `late`"):
        load(mended(RENTS, "late = ", "# late = "))


def test_a_component_without_an_account_stops_the_load() -> None:
    renamed = mended(WATER, 'late_fee = "F2148"', 'late = "F2148"')
    renamed[WATER] = renamed[WATER].replace('"usage", "late_fee"', '"usage", "late"')
    with pytest.raises(PolicyError, match="no account for component 'late_fee'"):
        load(renamed)


def test_a_file_in_no_known_folder_is_refused() -> None:
    with pytest.raises(PolicyError, match="neither"):
        load({**texts(), "stray.toml": ""})


def test_a_cap_for_a_code_stands_before_the_general_one() -> None:
    capped = mended(PARKING, "[[policy.surcharge]]", "[[policy.cap]]\nminor = 20000\n\n[[policy.surcharge]]")
    with pytest.raises(PolicyError, match="'21' can come to 21500"):
        load(capped)
    special = '[[policy.cap]]\nminor = 35000\ncodes = ["21"]\n\n[[policy.surcharge]]'
    assert load({**capped, PARKING: capped[PARKING].replace("[[policy.surcharge]]", special, 1)}).policies


def test_every_message_a_price_can_use_is_listed_for_the_translators() -> None:
    ids = library().message_ids()
    assert {"service.water_bill", "fee.late.step", "fee.surcharge.county", "condition.pay_blocks_appeal"} <= set(ids)
    assert all(part.replace("_", "").isalnum() for name in ids for part in name.split("."))


def test_old_data_are_no_ground_to_take_money() -> None:
    service = library().service("parking_citation")
    hour = 3600
    told = [service.offline_refusal(age) for age in (0, 72 * hour, 72 * hour + 1, None)]
    assert [each.id if each else "" for each in told] == ["", "", "refused.data_too_old", "refused.offline"]
    assert service.offline_refusal(None, online=True) is None
    online_only = msgspec.structs.replace(service, offline=False)
    assert online_only.offline_refusal(0) is not None
    assert msgspec.structs.replace(service, offline_hours=0).offline_refusal(10**9) is None


def test_a_state_that_cannot_be_paid_here_is_told_with_its_reason() -> None:
    service = library().service("parking_citation")
    told = {}
    for state in STATES:
        invoice = Invoice(service=service.id, number="260004175", currency="USD", amount_minor=None, state=state,
                          issued=dt.date(2026, 3, 2))  # fmt: skip
        refusal = service.refusal(invoice)
        told[state] = refusal.id if refusal else ""
    assert told["open"] == told["booted"] == ""
    assert told["in_court"] == "refused.state.in_court"
    assert told["paid"] == "refused.state.paid"
