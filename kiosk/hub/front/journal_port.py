"""Messages of registered kiosks: looked at, refused with a reason, answered, or handed on.

Rules that must stay true: nothing is done for a message before its key was found in the live registry; what goes down
goes only where the registry admits the key now; a refusal is answered with one small message and counted, so that a
refused peer costs the others nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
import zmq

from kiosk.errors import WireError
from kiosk.hub import bus
from kiosk.hub.front import commands
from kiosk.hub.front.connections import cut
from kiosk.hub.front.contacts import Contact
from kiosk.hub.front.desk import Desk
from kiosk.hub.front.outgoing import Outgoing
from kiosk.hub.front.peers import MOST_OF_ONE, Peer, Peers
from kiosk.hub.front.refusals import Refusals
from kiosk.hub.front.registry import Entry
from kiosk.hub.front.router import Ended, Router, user_of
from kiosk.hub.front.watch import Seen
from kiosk.hub.settings import HubConfig
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.messages import (
    Ahead,
    Done,
    Hello,
    Journal,
    Nack,
    Ping,
    Pong,
    Pull,
    Status,
)
from kiosk.sync.messages import Welcome as _Welcome

#: Milliseconds that a kiosk waits where a worker is behind, and where it, or the database, is not there.
BEHIND_MS, ABSENT_MS = 1_000, 5_000
#: Frames of one message with its routing id, from which on its connection is cut.
MOST_FRAMES = 16
PROMOTE_AGAIN_S = 5.0
_NUMBERS = {message: number for number, (message, _) in wire.TYPES.items()}
_HELLO, _PULL, _WELCOME = _NUMBERS[Hello], _NUMBERS[Pull], _NUMBERS[_Welcome]
_FOR_WORKERS = {_HELLO, _NUMBERS[Journal], _NUMBERS[Ahead]}
#: Code of a NACK -> code of the finding.
_FINDINGS = {"version": "wrong_version", "malformed": "malformed_message", "too_large": "too_large"}

_read_head = msgspec.msgpack.Decoder(wire.Head)


class JournalPort:
    """What happens on the journal's ROUTER.  The front's loop alone calls it."""

    def __init__(
        self, config: HubConfig, signing: SigningKey, router: Router, parts: Sequence[zmq.Socket[bytes]], desk: Desk,
        refusals: Refusals,
    ) -> None:  # fmt: skip
        """`parts` are the sockets of the workers, by number, and last the librarian's."""
        self._config = config
        self._router = router
        self._parts = parts
        self._librarian = len(parts) - 1
        self._desk = desk
        self._refusals = refusals
        self.peers = Peers(config.listen.most_peers)
        self._out = Outgoing(config.hub.id, signing, router, self.peers, refusals)
        #: What the reader saw last, and whether that is young enough to go by.
        self.seen = Seen()
        self.fresh = True
        self._news: dict[str, Contact] = {}
        #: Announced key -> when its first use was told to the desk, monotonic.
        self._promoted: dict[str, float] = {}
        self._swept = time.monotonic()

    # --- up -------------------------------------------------------------------------------------------------------

    def up(self, frames: list[zmq.Frame]) -> None:
        """Deal with one message of a peer."""
        now = time.time_ns()
        peer_id, key = frames[0].bytes, user_of(frames[-1])
        fd = self._router.spoke(frames[-1])
        if len(frames) > MOST_FRAMES:
            cut(fd)  # whoever does this did not make a mistake, and each such message costs memory
        peer = self.peers.get(peer_id)
        entry = self.seen.registry.admits(key)
        if entry is None:
            self._shut_out(peer_id, peer, key)
            return
        if not self.fresh:
            self._out.send(peer_id, peer, Nack("busy", after_ms=ABSENT_MS, detail="the registry cannot be read"))
            return
        if peer is None:
            if (old := self.peers.oldest_of(entry.kiosk)) is not None:  # one kiosk takes the place of no other
                cut(old.fd)
                self.peers.forget(old)
                self._refusals.note("many_connections", entry.kiosk, f"more than {MOST_OF_ONE} of its own")
            peer = self.peers.meet(peer_id, key, entry.kiosk, fd)
            if peer is None:
                self._refusals.note("too_many_peers", entry.kiosk, f"more than {self._config.listen.most_peers}")
                self._out.send(peer_id, None, Nack("busy", after_ms=ABSENT_MS, detail="too many connections"))
                return
        peer.seen_ns = time.monotonic_ns()
        news = self._news.get(peer.kiosk)
        if news is None:
            news = self._news[peer.kiosk] = Contact(peer.kiosk)
        news.seen_ns = now
        if entry.next:
            self._promote(entry.kiosk, key, now)
        try:
            self._sort(peer, entry, frames[1:], news, now)
        except WireError as error:
            self._refuse(peer, error.code, _FINDINGS[error.code], error.message)

    def _sort(self, peer: Peer, entry: Entry, frames: list[zmq.Frame], news: Contact, now: int) -> None:
        # `read_head` takes the length of the payload and nothing else of it, so it need not be copied.
        head = wire.read_head([frames[0].bytes, *(cast(bytes, frame.buffer) for frame in frames[1:])], wire.UP)
        if head.number <= peer.number:
            self._refuse(peer, "malformed", "replayed", f"message {head.number} after {peer.number}")
            return
        peer.number = head.number
        if head.type == _HELLO:
            if not self._greets_well(peer, entry, cast(Hello, wire.read_payload(head, frames[1].bytes))):
                return
        elif peer.barred:
            self._refuse(peer, "unknown_key", "claimed_identity", "a message after a HELLO in another's name")
            return
        if head.type in _FOR_WORKERS:
            self._hand_on(entry.worker if entry.worker < self._librarian else -1, peer, entry, frames, now)
        elif head.type == _PULL:
            self._hand_on(self._librarian, peer, entry, frames, now)
        else:
            message = wire.read_payload(head, frames[1].bytes)
            if isinstance(message, Ping):
                self._out.send(peer.id, peer, Pong(message.sent_ns, now, time.time_ns()))
                news.take_ping(message, now)
            elif isinstance(message, Status):
                news.take_status(message)
            elif isinstance(message, Done):
                self._take_done(peer, message, now)

    def _greets_well(self, peer: Peer, entry: Entry, hello: Hello) -> bool:
        peer.barred = True
        if hello.kiosk != entry.kiosk:
            told = f"the key of {entry.kiosk} says that it is {hello.kiosk!r}"
            self._refuse(peer, "unknown_key", "claimed_identity", told)
        elif hello.realm != entry.realm:
            told = f"realm {hello.realm!r}, registered for {entry.realm}"
            self._refuse(peer, "wrong_realm", "wrong_realm", told)
        elif hello.oldest > wire.NEWEST or hello.newest < wire.OLDEST:
            told = f"versions {hello.oldest} to {hello.newest}, not {wire.OLDEST} to {wire.NEWEST}"
            self._refuse(peer, "version", "wrong_version", told)
        else:
            peer.barred = False
        return not peer.barred

    def _hand_on(self, part: int, peer: Peer, entry: Entry, frames: list[zmq.Frame], now: int) -> None:
        if part < 0:
            self._refusals.note("no_worker", entry.kiosk, f"worker {entry.worker} of the kiosk does not run here")
            self._out.send(peer.id, peer, Nack("busy", after_ms=ABSENT_MS, detail="its worker does not run"))
            return
        envelope = bus.pack(bus.Envelope(peer.id, entry.kiosk, entry.realm, peer.key, now))
        try:
            self._parts[part].send_multipart([envelope, *frames], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            # Nobody is there, or more than `bus.DEPTH` messages wait.
            self._out.send(peer.id, peer, Nack("busy", after_ms=BEHIND_MS))

    def _shut_out(self, peer_id: bytes, peer: Peer | None, key: str) -> None:
        """Drop a message whose key is admitted no more, though its connection is open."""
        known = self.seen.registry.keys.get(key)
        if known is not None and known.standing == "pending":
            code, finding = "unknown_key", "pending_key"
        else:
            code, finding = "revoked", "unknown_key" if known is None else "revoked_key"
        self._refusals.note(finding, known.kiosk if known else "", f"key {key[:10]}… on an open connection")
        self._out.send(peer_id, peer, Nack(code, detail="this key is not admitted"))
        if peer is not None:
            self.peers.forget(peer)

    def _refuse(self, peer: Peer, code: str, finding: str, detail: str) -> None:
        self._refusals.note(finding, peer.kiosk, detail)
        self._out.send(peer.id, peer, Nack(code, detail=detail[:200]))

    def _promote(self, kiosk: str, key: str, now: int) -> None:
        asked = time.monotonic()
        # Every message says it until the registry does; the desk is asked again where it could not write.
        if asked - self._promoted.get(key, -PROMOTE_AGAIN_S) >= PROMOTE_AGAIN_S:
            self._promoted[key] = asked
            self._desk.ask(lambda connection: commands.promote(connection, kiosk, key, now))

    def _take_done(self, peer: Peer, done: Done, now: int) -> None:
        kiosk = peer.kiosk
        asked = done.id in peer.commands or any(each.id == done.id for each in self.seen.commands.get(kiosk, ()))
        if not asked:  # known without the database, so that nobody keeps others from it
            self._refusals.note("unknown_command", kiosk, f"DONE for {done.id!r}, which nobody asked of this kiosk")
            return
        if not peer.may_answer(time.monotonic_ns()):
            return  # the command goes out again, and is answered again

        def then(finding: tuple[str, str] | None) -> None:
            if finding and finding[0]:
                self._refusals.note(finding[0], kiosk, finding[1])

        self._desk.ask(lambda connection: commands.take_done(connection, kiosk, done, now), then)

    # --- down -----------------------------------------------------------------------------------------------------

    def down(self, part: int, frames: list[zmq.Frame]) -> None:
        """Hand an answer of a worker or the librarian to its peer."""
        envelope = bus.unpack(frames[0].bytes)
        peer = self.peers.get(envelope.peer)
        if peer is None or peer.kiosk != envelope.kiosk or self.seen.registry.admits(peer.key) is None:
            return  # gone, or shut out since it asked
        if len(frames) == 3:
            head = _read_head.decode(frames[1].bytes)
            if head.type == _WELCOME:
                self.peers.welcome(peer, head.session)
            self._out.pass_on(peer, head, frames[2])
        if envelope.ended:
            self.peers.forget(peer)

    # --- by itself ------------------------------------------------------------------------------------------------

    def act(self) -> None:
        """Send what is to be sent, and forget what is over; some ten times a second."""
        sent = self._out.act(self.seen)
        if sent:
            self._desk.ask(lambda connection: commands.mark_sent(connection, sent))
        if time.monotonic() - self._swept > 60:
            self._swept = time.monotonic()
            self.peers.sweep(time.monotonic_ns())
            self._promoted.clear()

    def note_endings(self, ended: Iterable[Ended]) -> None:
        """Note connections that ended."""
        for each in ended:
            kiosk, unstable = self.peers.ended(each.fd, time.monotonic_ns())
            if unstable:
                self._refusals.note(
                    "unstable_line", kiosk, "connections end again and again, or a message is too large"
                )
            elif each.silent:
                self._refusals.note("strange_connection", detail="connections to the journal's port without a message")

    def take_news(self) -> dict[str, Contact]:
        """Return what was heard since the last call."""
        news, self._news = self._news, {}
        return news
