"""A core that answers the count page: one box on its way from the kiosk to the bank.  Example data only."""

from __future__ import annotations

from typing import Any

PINS = {"p04": "2580", "p05": "4711"}
EXPECTED_MINOR = 17_300


class FakeCounting:
    """Keeps one count as the core would, and every question it was asked."""

    def __init__(self, state: str = "to_receive") -> None:
        self.state = state
        self.attempts: list[int] = []
        self.over_short = 0
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.closed: dict[str, Any] = {}
        self.denominations: list[list[Any]] = [["USD", value * 100] for value in (1, 2, 5, 10, 20, 50, 100)]
        self.apart: list[list[Any]] = []

    def ask(self, verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Answer one question."""
        self.asked.append((verb, arguments))
        if verb == "count.list":
            return {
                "ok": True,
                "boxes": [
                    {"session": 7, "box": "B-0042", "state": self.state},
                    {"session": 6, "box": "", "state": "to_receive"},
                    {"session": 5, "box": "B-0040", "state": "closed"},
                ],
                "denominations": self.denominations,
            }
        if PINS.get(arguments["person"]) != arguments["pin"]:
            return {"ok": False, "error": "the id or the PIN is wrong", "hint": "five wrong PINs lock a person"}
        if arguments["session"] != 7:
            return {"ok": False, "error": "not this one", "hint": ""}
        verbs = {"count.receive": self._receive, "count.attempt": self._attempt}
        verbs |= {"count.close": self._close, "count.reveal": self._revealed}
        answer: dict[str, Any] = verbs[verb](arguments)
        return answer

    def _receive(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.state = "to_count"
        return {"ok": True, "box_differs": arguments["box"] != "B-0042"}

    def _attempt(self, arguments: dict[str, Any]) -> dict[str, Any]:
        counted = sum(told[0] * told[1] for told in arguments["notes"] if len(told) == 2)
        self.apart = [[told[0], 0, told[1] * told[2]] for told in arguments["notes"] if len(told) == 3]
        self.attempts.append(counted)
        told = {"ok": True, "attempt": len(self.attempts), "counted_minor": counted}
        if not arguments["final"]:
            return told
        self.state, self.over_short = "to_close", counted - EXPECTED_MINOR
        return told | self._revealed(arguments)

    def _revealed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "ok": True,
            "counted_minor": self.attempts[-1],
            "expected_minor": EXPECTED_MINOR,
            "over_short_minor": self.over_short,
            "second_needed": abs(self.over_short) > 500,
            "apart": self.apart,
        }

    def _close(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.over_short and not arguments["reason"]:
            return {"ok": False, "error": "a difference needs a reason", "hint": "say what was found"}
        if abs(self.over_short) > 500 and PINS.get(arguments["second"]) != arguments["second_pin"]:
            return {"ok": False, "error": "a difference above the limit needs a second signature", "hint": "sign"}
        self.state, self.closed = "closed", arguments
        return {"ok": True, "over_short_minor": self.over_short, "separation": ["collector_counted"]}
