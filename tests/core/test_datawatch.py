"""Every sale names the state of the data that it was priced with, also where that changes while it is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kiosk.model import facts
from tests.core.kernel_rig import WATER, Invoices, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_the_fact_of_a_change_names_each_data_set_with_cursor_and_digest_of_one_moment(rig: Rig) -> None:
    rig.invoices.told = "data-2"
    rig.pay()
    (change,) = rig.bodies(facts.ConfigurationChanged)[-1:]
    assert change.data == "data-2"
    assert change.changed == ("reference data", "invoices:parking_citation 1/1 data-2")


def test_data_that_change_while_a_number_is_looked_up_are_what_the_price_and_its_stamp_come_from(rig: Rig) -> None:
    class Swapped(Invoices):
        """The replica is swapped after the look at it and before the look into it."""

        def find(self, service: str, number: str) -> Any:
            if self.told == "data-1":
                row = super().find(service, number)
                self.told = "data-2"
                self.rows[service, number] = msgspec.structs.replace(row, amount_minor=4000)
                return row  # what was read just before
            return super().find(service, number)

    rig.invoices.__class__ = Swapped
    rig.pay()
    frozen = rig.bodies(facts.TenderFrozen)[-1]
    assert frozen.quotes[0].number == WATER
    assert frozen.due_minor == 4000
    assert rig.bodies(facts.ConfigurationChanged)[-1].data == "data-2"
