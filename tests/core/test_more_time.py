"""Nobody is cut off while deciding: every citizen's screen asks first, waits 20 s, and gives its whole time again.

WCAG 2.2, 2.2.1 (timing adjustable): at least 20 seconds to extend by a simple action, at least ten times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.checkout.settings import CheckoutSettings, Periods
from tests.core.kernel_rig import WATER, Rig

TIMES = 12


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    assert whole.findings() == []
    whole.close()


def entering(rig: Rig) -> None:
    rig.tap(intents.Begin())


def reviewing(rig: Rig) -> None:
    entering(rig)
    rig.tap(intents.EnterNumber(WATER))


def consenting(rig: Rig) -> None:
    reviewing(rig)
    rig.tap(intents.Pay())


def accepting(rig: Rig) -> None:
    rig.pay(WATER)


def with_credit(rig: Rig) -> None:
    rig.pay(WATER)
    rig.feed(1000)


WAYS: tuple[Callable[[Rig], None], ...] = (entering, reviewing, consenting, accepting, with_credit)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_question_waits_twenty_seconds_and_gives_the_whole_period_again_any_number_of_times(
    rig: Rig, way: Callable[[Rig], None]
) -> None:
    way(rig)
    here, credited, cart = rig.state, rig.model.credited, rig.model.cart
    period = getattr(Periods(), here)
    for _ in range(TIMES):
        rig.wait(period)
        assert rig.state == "timed_out"
        rig.wait(19)
        assert rig.state == "timed_out", "less than twenty seconds to answer"
        rig.tap(intents.MoreTime())
        assert rig.state == here
        rig.wait(period - 1)
        assert rig.state == here, "not the whole period again"
        assert (rig.model.credited, rig.model.cart) == (credited, cart)
        rig.tap(intents.ChooseLanguage("es"))  # any act begins the period anew
        assert rig.state == here


def test_a_configuration_cannot_make_the_question_shorter() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        CheckoutSettings(periods=Periods(question=19))
    assert CheckoutSettings(periods=Periods(question=20)).periods.question == 20


def test_nobody_answered_and_the_money_is_settled_with_a_slip(rig: Rig) -> None:
    with_credit(rig)
    rig.wait(90)
    rig.wait(20)
    assert rig.state == "receipting"
    rig.printed()
