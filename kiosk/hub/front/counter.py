"""The enrolment's port: any key may come here, so everything is small, counted and forgotten.

What is kept of a stranger is one time in a table of at most `MOST_ASKERS`, and a finding that only counts.  A wrong
proof costs an HMAC; of wrong ones `ANSWERS` a second are answered, the rest is only counted, so a flood of them takes
nothing from a kiosk that knows its code.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import zmq

from kiosk.errors import WireError
from kiosk.hub.front.connections import cut
from kiosk.hub.front.desk import Desk
from kiosk.hub.front.enrolling import LATER, REFUSED, judge, take_in
from kiosk.hub.front.refusals import Refusals
from kiosk.hub.front.router import Ended, Router, user_of
from kiosk.hub.front.watch import Seen
from kiosk.hub.settings import HubConfig
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.messages import Enrol, Enrolment

#: Keys whose last question is remembered, and nanoseconds between two questions of one key that the database sees.
MOST_ASKERS, BETWEEN_NS = 1024, 500_000_000
#: Frames of one message with its routing id, from which on its connection is cut.
MOST_FRAMES = 3
#: Refusals that are answered in a second.
ANSWERS = 50


class Counter:
    """What happens on the enrolment's ROUTER.  The front's loop alone calls it."""

    def __init__(self, config: HubConfig, signing: SigningKey, router: Router, desk: Desk, refusals: Refusals) -> None:
        self._config = config
        self._signing = signing
        self._router = router
        self._desk = desk
        self._refusals = refusals
        self._asked: dict[str, int] = {}
        self._answered, self._second = 0, 0
        #: Public key that the port answers with.
        self.hub_key = ""
        self.seen = Seen()
        self.fresh = True

    def up(self, frames: list[zmq.Frame]) -> None:
        """Deal with one message."""
        now = time.time_ns()
        peer, key = frames[0].bytes, user_of(frames[-1])
        fd = self._router.spoke(frames[-1])
        if len(frames) > MOST_FRAMES:
            cut(fd)
        try:
            request = self._read(frames[1:])
        except WireError as error:
            self._refuse(peer, "enrolment_malformed", "", error.message, now)
            return
        verdict = judge(self.seen.registry, self.hub_key, request, key, now)
        if verdict not in ("known", "proven"):
            # The name is a stranger's claim: it is one of ours or it is not told.
            registered = request.kiosk if request.kiosk in self.seen.registry.codes else ""
            self._refuse(peer, "enrolment_refused", registered, verdict, now)
        elif not self.fresh or not self._may_ask(key) or not self._ask(peer, request, now):
            self._send(peer, LATER)

    def _read(self, frames: list[zmq.Frame]) -> Enrol:
        whole = [frame.bytes for frame in frames]
        head = wire.read_head(whole, wire.ENROL_UP)
        if head.packed:
            raise WireError("an ENROL is not compressed", code="malformed")
        message = wire.read_payload(head, whole[1])
        assert isinstance(message, Enrol)
        return message

    def _ask(self, peer: bytes, request: Enrol, now: int) -> bool:
        config, signing, hub_key = self._config, self._signing, self.hub_key

        def then(result: tuple[Enrolment, str] | None) -> None:
            answer, why = result if result is not None else (LATER, "")
            if why:
                self._refusals.note("enrolment_refused", request.kiosk, why)
            self._send(peer, answer)

        return self._desk.ask(lambda connection: take_in(connection, config, signing, request, hub_key, now), then)

    def _may_ask(self, key: str) -> bool:
        now = time.monotonic_ns()
        before = self._asked.pop(key, 0)
        if before and now - before < BETWEEN_NS:
            self._asked[key] = before
            return False
        if len(self._asked) >= MOST_ASKERS:
            del self._asked[next(iter(self._asked))]
        self._asked[key] = now
        return True

    def _refuse(self, peer: bytes, code: str, kiosk: str, why: str, now: int) -> None:
        self._refusals.note(code, kiosk, why)
        second = now // 1_000_000_000
        if second != self._second:
            self._second, self._answered = second, 0
        self._answered += 1
        if self._answered <= ANSWERS:
            self._send(peer, REFUSED)

    def _send(self, peer: bytes, answer: Enrolment) -> None:
        try:
            self._router.socket.send_multipart([peer, *wire.encode(answer, session=0, number=1)], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            self._refusals.note("slow_peer", detail="an answer to an enrolment found nobody")

    def note_endings(self, ended: Iterable[Ended]) -> None:
        """Note connections that ended without a message."""
        for each in ended:
            if each.silent:
                self._refusals.note(
                    "strange_connection", detail="connections to the enrolment's port without a message"
                )
