"""A finger on the real screen: opens the start address, reads what is shown, posts intents as the page does."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kiosk.errors import SimulatorError
from kiosk.model.money import Money

_KEY = re.compile(r'name="key" value="([0-9a-f]{16,64})"')
_LOOK_S = 0.05
#: A person looks this long for a button before giving up.
PATIENCE_MS = 15_000
#: The longest that a touch waits for the screen to answer it; some touches are answered by nothing.
ANSWER_MS = 1_000
#: What scenarios call an intent, where that is another word.
WORDS = {"type": "enter_number", "agree": "agree_excess", "decline": "decline_excess", "accept": "accept_conditions"}
#: The field that an intent's words go into, all of them together …
FIELDS = {
    "enter_number": "text", "enter_plate": "text", "language": "language", "remove_invoice": "index",
    "release": "device", "shutter": "closed", "change_realm": "realm", "acknowledge_slip": "number",
    "reprint_slip": "number",
}  # fmt: skip
#: … or one each.
SEVERAL = {
    "enter_pin": ("person", "pin"), "exchange_numbers": ("old_box", "new_box", "seal"),
    "fill_hopper": ("device", "coins"), "count_hopper": ("device", "coins"),
}  # fmt: skip


class ScreenHand:
    """Owns a cookie and nothing else; refuses to know what the screens mean."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._opened = ""
        self._cookie = ""
        self._key = ""

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        address = self._address()
        if not address:
            raise SimulatorError("there is no screen: the kiosk is not running", hint="restore power first")
        parts = urlsplit(address)
        headers = {"accept": "application/json"}
        if self._cookie:
            headers["cookie"] = self._cookie
        if body is not None:
            headers |= {"content-type": "application/json", "origin": f"http://{parts.netloc}"}
        link = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=10)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise SimulatorError(f"the screen does not answer: {error}", hint="the kiosk may be starting") from None
        finally:
            link.close()

    def _open(self) -> None:
        address = self._address()
        if address and address == self._opened:
            return
        self._cookie = self._key = ""
        parts = urlsplit(address)
        status, headers, text = self._ask("GET", f"{parts.path}?{parts.query}")
        if status != 303 or not headers.get("set-cookie"):
            raise SimulatorError(f"the start address was refused: {text[:100]}", hint="it is of another start")
        self._cookie = str(headers["set-cookie"]).partition(";")[0]
        self._opened = address

    def look(self) -> dict[str, Any]:
        """Return the snapshot that the screen shows.

        Raises:
            SimulatorError: there is no screen.
        """
        self._open()
        status, _, text = self._ask("GET", "/session")
        if status != 200:
            self._opened = ""
            raise SimulatorError(f"the screen refused to be read: {text[:100]}", hint="try again")
        shot: dict[str, Any] = msgspec.json.decode(text)
        return shot

    def _page_key(self) -> str:
        if not self._key:
            _, _, html = self._ask("GET", "/fragment")
            found = _KEY.search(str(msgspec.json.decode(html)["html"]))
            self._key = found[1] if found else ""
        return self._key

    def touch(self, name: str, args: tuple[str, ...], patience_ms: int = PATIENCE_MS) -> None:
        """Press a button, as soon as the screen shows it.

        Raises:
            SimulatorError: it never came.
        """
        intent = WORDS.get(name, name)
        end = time.monotonic_ns() + patience_ms * 1_000_000
        seen = problem = ""
        while True:
            try:
                shot = self.look()
                seen = str(shot["screen"])
                if intent in shot["allowed"]:
                    problem = self._press(shot, intent, args)
                    if not problem:
                        self._await_answer(shot)
                        return
            except SimulatorError as error:
                problem = error.message
            if time.monotonic_ns() >= end:
                told = (
                    f"touch {name}: the screen {seen!r} does not offer it"
                    if not problem
                    else f"touch {name}: {problem}"
                )
                raise SimulatorError(told, hint=f"there is: {', '.join(self._offers())}")
            time.sleep(_LOOK_S)

    def _await_answer(self, pressed: dict[str, Any]) -> None:
        """Look until the screen has answered, so that the next touch means what it shows then, not a stale step."""
        end = time.monotonic_ns() + ANSWER_MS * 1_000_000
        while time.monotonic_ns() < end:
            try:
                shot = self.look()
            except SimulatorError:
                return  # the touch ended the kiosk, or its power is gone: whoever looks next says so
            if (shot["session"], shot["step"]) != (pressed["session"], pressed["step"]):
                return
            time.sleep(_LOOK_S)

    def _press(self, shot: dict[str, Any], intent: str, args: tuple[str, ...]) -> str:
        fields: dict[str, Any] = {
            "intent": intent,
            "session": shot["session"],
            "step": shot["step"],
            "key": self._page_key(),
        }
        if intent in FIELDS:
            fields[FIELDS[intent]] = " ".join(args)
        fields |= dict(zip(SEVERAL.get(intent, ()), args, strict=False))
        status, _, text = self._ask("POST", "/intent", msgspec.json.encode(fields))
        if status == 202:
            return ""
        if status == 403:
            self._key = ""
        return text[:120]

    def _offers(self) -> list[str]:
        try:
            return [str(each) for each in self.look()["allowed"]]
        except SimulatorError:
            return []

    def wait_for(self, act: str, done: Callable[[dict[str, Any]], bool], within_ms: int) -> dict[str, Any]:
        """Look until something is so; return that snapshot.

        Raises:
            SimulatorError: it did not become so in time.
        """
        end = time.monotonic_ns() + within_ms * 1_000_000
        seen = "no screen"
        while True:
            try:
                shot = self.look()
                if done(shot):
                    return shot
                seen = f"screen {shot['screen']}, remaining {amount(shot['remaining'])}"
            except SimulatorError as error:
                seen = error.message
            if time.monotonic_ns() >= end:
                raise SimulatorError(f"{act}: there is {seen}", hint="it did not become so in time")
            time.sleep(_LOOK_S)


def amount(told: Any) -> Money:
    """Read an amount of the snapshot."""
    return msgspec.convert(told, Money)
