"""The finger on the screen waits for the answer to a touch, as a person does."""

from __future__ import annotations

import time
from typing import Any

import pytest

from kiosk.errors import SimulatorError
from kiosk.workbench import screen_hand
from kiosk.workbench.screen_hand import ScreenHand


class SlowScreen(ScreenHand):
    """A kiosk that answers a touch after some looks, and drops a touch that means a step which is over."""

    def __init__(self, looks: int, ends: bool = False) -> None:
        super().__init__(lambda: "")
        self.step, self.looks, self.left, self.ends = 1, looks, 0, ends
        self.taken: list[str] = []

    def look(self) -> dict[str, Any]:
        if self.left:
            self.left -= 1
            self.step += not self.left
            if self.ends:
                raise SimulatorError("the screen does not answer")
        return {"screen": "attended", "allowed": ["report_x", "begin_exchange"], "session": "s1", "step": self.step}

    def _press(self, shot: dict[str, Any], intent: str, args: tuple[str, ...]) -> str:
        if shot["step"] == self.step and not self.left:
            self.taken.append(intent)
            self.left = self.looks
        return ""


def test_a_second_touch_waits_until_the_first_one_is_answered() -> None:
    hand = SlowScreen(looks=4)
    hand.touch("report_x", ())
    hand.touch("begin_exchange", ())
    assert hand.taken == ["report_x", "begin_exchange"]


def test_a_touch_that_nothing_answers_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen_hand, "ANSWER_MS", 100)
    began = time.monotonic()
    SlowScreen(looks=10_000).touch("report_x", ())
    assert time.monotonic() - began < 2


def test_a_touch_that_ends_the_kiosk_is_not_repeated() -> None:
    hand = SlowScreen(looks=4, ends=True)
    hand.touch("report_x", ())
    assert hand.taken == ["report_x"]
