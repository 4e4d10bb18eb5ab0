"""How one person wants the screen: large text, high contrast.  It lasts as long as that person stands there.

The kernel knows nothing of it, because no rule, price or slip depends on it.  The screen's server keeps it beside the
session: a reload or a second page shows the same, and the next person starts fresh.  What is chosen on the attract
screen, before there is a session, goes along into the session that begins there, or is dropped after a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from kiosk.errors import CheckoutError

#: Every mode, in the order of its buttons.
MODES = ("large", "contrast")
#: A choice made on the attract screen waits so long for its person to begin, nanoseconds.
ALONE_NS = 60 * 1_000_000_000


class ModePost(msgspec.Struct, frozen=True):
    """One press of a mode's button.  It says what is wanted, so that a double tap does not undo itself."""

    mode: str
    on: bool
    session: str
    key: str


def read_mode(body: bytes) -> ModePost:
    """Read the form of a mode's button.

    Raises:
        CheckoutError: it is none.
    """
    try:
        fields: Mapping[str, str] = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=8))
        post = ModePost(fields["mode"], fields["on"] == "1", fields["session"], fields["key"])
    except (KeyError, ValueError) as error:
        raise CheckoutError("the post chooses no mode", hint="send mode, on, session and key") from error
    if post.mode not in MODES:
        raise CheckoutError("there is no such mode", hint=f"there are {', '.join(MODES)}")
    return post


class Modes:
    """Keeps the modes of the person in front.  Belongs to the server's loop; decides nothing but its own end."""

    def __init__(self) -> None:
        self._session = ""
        self._on: frozenset[str] = frozenset()
        self._chosen_ns = 0

    def of(self, session: str, now_ns: int) -> tuple[str, ...]:
        """Return what is on in this session now; a new session starts with nothing but a choice made just before."""
        if session != self._session:
            begins_here = not self._session and session
            self._session = session
            if not begins_here:
                self._on = frozenset()
        if not session and self._on and now_ns - self._chosen_ns > ALONE_NS:
            self._on = frozenset()
        return tuple(mode for mode in MODES if mode in self._on)

    def choose(self, post: ModePost, session: str, now_ns: int) -> bool:
        """Switch a mode; False where the button was pressed in another session."""
        if post.session != session:
            return False
        self._on = frozenset(self.of(session, now_ns))
        self._on = self._on | {post.mode} if post.on else self._on - {post.mode}
        self._chosen_ns = now_ns
        return True
