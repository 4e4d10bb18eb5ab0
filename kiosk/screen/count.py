"""The count page: receive a box that left the kiosk, count it blind, hear the difference, close the count.

The page decides nothing and keeps nothing: it passes what was typed to the core's own verbs and draws the answers.
Nobody signs in here: each post carries the id and the PIN of whoever acts, and neither is ever drawn again.  Rules that
must stay true: before the answer to a final attempt the page draws no sum that was not counted on it; a refusal is
told in words with what to do about it, and what was typed (the PINs apart) is still there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import jinja2
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from kiosk.model.money import Money
from kiosk.screen.guard import Door
from kiosk.screen.view import View

#: Asks a verb of the core: ``{"ok": True, …}`` or ``{"ok": False, "error": …, "hint": …}``.  May wait for the core.
Ask = Callable[[str, dict[str, Any]], dict[str, Any]]

STATES = ("to_receive", "to_count", "to_close", "closed")
#: Fields of one post at most: the values of notes and a handful more.
MOST_FIELDS = 64
#: Notes of one value that can be typed.
MOST_NOTES = 20_000
LONGEST_REASON = 200
#: Digits of a box session's number.
LONGEST_SESSION = 9


class Box(msgspec.Struct, frozen=True):
    """One box as the core lists it."""

    session: int
    box: str
    state: str


class Listed(msgspec.Struct, frozen=True):
    """What there is to count, and the values of notes that a box of this kiosk can hold."""

    boxes: tuple[Box, ...] = ()
    denominations: tuple[tuple[str, int], ...] = ()


class Counted(msgspec.Struct, frozen=True):
    """The answer to an attempt; what is expected is told after a final one alone."""

    attempt: int = 0
    counted_minor: int = 0
    expected_minor: int | None = None
    over_short_minor: int | None = None
    second_needed: bool = False
    #: Notes in the box whose value the acceptor never told.
    unknown_notes: int = 0
    #: (currency, expected, counted) of notes in another currency; minor units.
    apart: tuple[tuple[str, int, int], ...] = ()


class Received(msgspec.Struct, frozen=True):
    """The answer to the receipt of a box."""

    #: Whether another number was read off it than the exchange named.
    box_differs: bool = False


class Closed(msgspec.Struct, frozen=True):
    """The answer to the end of a count."""

    over_short_minor: int = 0
    separation: tuple[str, ...] = ()


T = TypeVar("T", Listed, Counted, Received, Closed)


class Refusal(msgspec.Struct, frozen=True):
    """Why something did not happen, and what to do about it."""

    error: str
    hint: str = ""


class Sheet(msgspec.Struct, kw_only=True):
    """What one drawing of the page shows."""

    listed: Listed = Listed()
    box: Box | None = None
    refusal: Refusal | None = None
    counted: Counted | None = None
    closed: Closed | None = None
    received: Received | None = None
    #: What was typed, by name of the field; never a PIN.
    typed: dict[str, str] = {}


class CountPage:
    """Draws the page and passes on what is posted.  Holds the way to the core and nothing of a count."""

    def __init__(self, ask: Ask | None, door: Door, templates: jinja2.Environment, view: Callable[[], View]) -> None:
        self._ask = ask
        self._door = door
        self._templates = templates
        self._view = view

    async def page(self, request: Request) -> Response:
        """Draw the list or one box; on a post, act first."""
        if self._ask is None:
            return self._drawn(Sheet(refusal=Refusal("counting.unavailable", "counting.unavailable.hint")))
        if request.method == "POST":
            return await self._posted(await request.body())
        return self._drawn(await self._sheet(request.query_params.get("session", "")))

    async def _posted(self, body: bytes) -> Response:
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return PlainTextResponse("This post cannot be read.", 400)
        typed = dict(pairs)
        if not self._door.knows(typed.pop("key", "")):
            return PlainTextResponse("The post does not carry this page's key.", 403)
        act = {"receive": self._receive, "attempt": self._attempt, "close": self._close, "reveal": self._reveal}.get(
            typed.get("do", "")
        )
        if act is None:
            return PlainTextResponse("There is no such act.", 400)
        sheet = await self._sheet(typed.get("session", ""))
        if sheet.box is not None and sheet.refusal is None:
            session = sheet.box.session
            await act(sheet, session, typed)
            done = sheet
            sheet = await self._sheet(str(session))
            sheet.counted, sheet.closed, sheet.received = done.counted, done.closed, done.received
            sheet.refusal = done.refusal or sheet.refusal
            if done.refusal is not None:
                sheet.typed = {name: told for name, told in typed.items() if "pin" not in name}
        return self._drawn(sheet)

    async def _sheet(self, session: str) -> Sheet:
        """Ask what there is to count; choose the box of this session."""
        sheet = Sheet()
        answer = await self._asked("count.list", {}, sheet)
        if answer is not None:
            sheet.listed = _read(answer, Listed, sheet)
        if session:
            number = int(session) if session.isascii() and session.isdigit() and len(session) <= LONGEST_SESSION else -1
            sheet.box = next((box for box in sheet.listed.boxes if box.session == number), None)
            if sheet.box is None and sheet.refusal is None:
                sheet.refusal = Refusal("counting.no_box", "counting.no_box.hint")
        return sheet

    async def _receive(self, sheet: Sheet, session: int, typed: dict[str, str]) -> None:
        whole = typed.get("seal_whole", "")
        if whole not in ("yes", "no"):
            sheet.refusal = Refusal("counting.seal_missing", "counting.seal_missing.hint")
            return
        told = {**_signed(typed), "session": session, "box": typed.get("box", "").strip().upper()}
        told |= {"seal": typed.get("seal", "").strip().upper(), "seal_whole": whole == "yes"}
        answer = await self._asked("count.receive", told, sheet)
        if answer is not None:
            sheet.received = _read(answer, Received, sheet)

    async def _attempt(self, sheet: Sheet, session: int, typed: dict[str, str]) -> None:
        own = self._view().snapshot.currency
        notes: list[list[int | str]] = []
        for currency, value in sheet.listed.denominations:
            told = typed.get(f"notes-{currency}-{value}", "").strip() or "0"
            if not (
                told.isascii() and told.isdigit() and len(told) <= len(str(MOST_NOTES)) and int(told) <= MOST_NOTES
            ):
                sheet.refusal = Refusal("counting.bad_number", "counting.bad_number.hint")
                return
            notes.append([value, int(told)] if currency == own else [currency, value, int(told)])
        asked = {**_signed(typed), "session": session, "notes": notes, "final": typed.get("final") == "yes"}
        answer = await self._asked("count.attempt", asked, sheet)
        if answer is not None:
            sheet.counted = _read(answer, Counted, sheet)

    async def _reveal(self, sheet: Sheet, session: int, typed: dict[str, str]) -> None:
        """Tell the result of a final count once more, e.g. after the page was left."""
        answer = await self._asked("count.reveal", {**_signed(typed), "session": session}, sheet)
        if answer is not None:
            sheet.counted = _read(answer, Counted, sheet)

    async def _close(self, sheet: Sheet, session: int, typed: dict[str, str]) -> None:
        asked = {
            **_signed(typed), "session": session, "reason": typed.get("reason", "").strip()[:LONGEST_REASON],
            "second": typed.get("second", "").strip().lower(), "second_pin": typed.get("second_pin", ""),
        }  # fmt: skip
        answer = await self._asked("count.close", asked, sheet)
        if answer is not None:
            sheet.closed = _read(answer, Closed, sheet)
        elif typed.get("counted"):
            # The result was told before; it stays on the page until the count is closed.
            sheet.counted = _shown_again(typed["counted"])

    async def _asked(self, verb: str, arguments: dict[str, Any], sheet: Sheet) -> dict[str, Any] | None:
        """Ask the core off the loop; None and a refusal on the sheet where it does not answer with ok."""
        assert self._ask is not None
        answer = await run_in_threadpool(self._ask, verb, arguments)
        if answer.get("ok") is True:
            return answer
        sheet.refusal = Refusal(
            str(answer.get("error", ""))[:300] or "counting.refused", str(answer.get("hint", ""))[:300]
        )
        return None

    def _drawn(self, sheet: Sheet) -> Response:
        view = self._view()
        words = CountWords(view, sheet)
        page = self._templates.get_template("count.html")
        html = page.render(view=view, s=view.snapshot, t=view.t, sheet=sheet, words=words)
        return HTMLResponse(html)


class CountWords:
    """The sheet in words, for the template."""

    def __init__(self, view: View, sheet: Sheet) -> None:
        self._view = view
        self._sheet = sheet

    def told(self, words: str) -> str:
        """A text by its id where it is one; the core's own words as they came."""
        return self._view.t(words) if self._view.catalogue.has(words) else words

    def money(self, minor: int, currency: str = "") -> str:
        """An amount, in the kiosk's currency where none is named."""
        return self._view.money(Money(minor, currency or self._view.snapshot.currency))

    def note(self, currency: str, value: int) -> str:
        """The value of a note."""
        return self._view.note(Money(value, currency))

    def state(self, state: str) -> str:
        """A box's state as the texts know it."""
        return self._view.t(f"counting.state.{state}") if state in STATES else state

    def box(self, box: Box) -> str:
        """A box's number, in words where nobody knows it."""
        return box.box or self._view.t("counting.box_unknown")

    def difference(self, minor: int) -> str:
        """Name a difference: over, short or none."""
        return self._view.t("counting.none" if minor == 0 else "counting.over" if minor > 0 else "counting.short")

    @property
    def step(self) -> str:
        """What the page asks for now: ``list``, or the box's state."""
        if self._sheet.box is None:
            return "list"
        return self._sheet.box.state if self._sheet.box.state in STATES else "closed"

    @property
    def reason_needed(self) -> bool:
        """Whether a difference is known; where the page was opened anew it is not, and the core insists."""
        counted = self._sheet.counted
        if counted is None:
            return False
        return bool(counted.over_short_minor) or any(expected != found for _, expected, found in counted.apart)

    @property
    def second_asked(self) -> bool:
        """Whether a second signature is asked for; also where the page does not know."""
        counted = self._sheet.counted
        return counted is None or counted.expected_minor is None or counted.second_needed

    @property
    def counted_again(self) -> str:
        """The result of a final attempt, to stay on the page while closing is tried again."""
        counted = self._sheet.counted
        if counted is None or counted.expected_minor is None:
            return ""
        return msgspec.json.encode(counted).decode()


def _signed(typed: dict[str, str]) -> dict[str, Any]:
    return {"person": typed.get("person", "").strip().lower(), "pin": typed.get("pin", "")}


def _shown_again(told: str) -> Counted | None:
    """Read back what this page drew; it decides nothing, the core knows the result."""
    try:
        return msgspec.json.decode(told, type=Counted)
    except msgspec.MsgspecError:
        return None


def _read(answer: dict[str, Any], kind: type[T], sheet: Sheet) -> T:
    try:
        return msgspec.convert(answer, kind)
    except msgspec.MsgspecError:
        sheet.refusal = Refusal("counting.unread", "counting.unread.hint")
        return kind()
