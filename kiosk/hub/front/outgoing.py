"""What goes down to kiosks: answers, commands that wait for their kiosk, and word of new data.

Messages of one connection have one sender, the hub, and growing numbers, though several processes make them.  A peer
that is gone, or does not take what it asked for, is an error of the send: it is noted, and nobody waits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
import zmq

from kiosk.hub.front import commands
from kiosk.hub.front.peers import Peer, Peers
from kiosk.hub.front.refusals import Refusals
from kiosk.hub.front.router import Router
from kiosk.hub.front.watch import Seen
from kiosk.journal.keys import SigningKey
from kiosk.sync import wire
from kiosk.sync.messages import Command, DataCursor, Message, Nudge

_heads = msgspec.msgpack.Encoder()
_read_head = msgspec.msgpack.Decoder(wire.Head)


class Outgoing:
    """Sends on the journal's ROUTER.  The front's loop alone calls it."""

    def __init__(self, hub: str, signing: SigningKey, router: Router, peers: Peers, refusals: Refusals) -> None:
        self._hub = hub
        self._signing = signing
        self._router = router
        self._peers = peers
        self._refusals = refusals
        #: What the kiosks know of; None before the first look, which is no news.
        self._nudged: Mapping[str, DataCursor] | None = None

    def pass_on(self, peer: Peer, head: wire.Head, payload: bytes | zmq.Frame) -> None:
        """Send what another process made, under the next number of this connection: it has one sender, the hub."""
        peer.told += 1
        renumbered = _heads.encode(wire.Head(head.version, head.type, head.session, peer.told, head.packed))
        self._put(peer.id, peer, [renumbered, payload])

    def send(self, peer_id: bytes, peer: Peer | None, message: Message) -> bool:
        """Send a message of the front; False where it did not go out."""
        if peer is not None:
            peer.told += 1
        session, number = (peer.session, peer.told) if peer is not None else (0, 1)
        return self._put(peer_id, peer, wire.encode(message, session=session, number=number))

    def _put(self, peer_id: bytes, peer: Peer | None, frames: Sequence[bytes | zmq.Frame]) -> bool:
        try:
            self._router.socket.send_multipart([peer_id, *frames], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            self._refusals.note("slow_peer", peer.kiosk if peer else "", "it does not take what it asked for")
            return False
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            if peer is not None:
                self._peers.forget(peer)
            return False
        return True

    def act(self, seen: Seen) -> list[str]:
        """Send commands that wait, and tell kiosks of new data; return the ids of the commands that went out."""
        sent = [told.id for kiosk in seen.commands for told in self._send_commands(kiosk, seen)]
        if seen.data is not self._nudged:
            before, self._nudged = self._nudged, seen.data
            if before is not None:
                self._nudge(tuple(each for name, each in self._nudged.items() if before.get(name) != each), seen)
        return sent

    def _nudge(self, changed: tuple[DataCursor, ...], seen: Seen) -> None:
        head, payload = wire.encode(Nudge(changed), session=0, number=1)
        told = _read_head.decode(head)
        for peer in self._peers.welcomed():
            if seen.registry.admits(peer.key) is not None:
                self.pass_on(peer, msgspec.structs.replace(told, session=peer.session), payload)

    def _send_commands(self, kiosk: str, seen: Seen) -> list[Command]:
        peer, now = self._peers.of_kiosk(kiosk), time.monotonic_ns()
        if peer is None or seen.registry.admits(peer.key) is None:
            return []
        sent = []
        for told in seen.commands[kiosk]:
            before = peer.commands.get(told.id)
            if before is None or now - before > commands.AGAIN_NS:
                signed = commands.signed(self._hub, kiosk, told, self._signing)
                if self.send(peer.id, peer, signed):
                    peer.commands[told.id] = now
                    sent.append(told)
        return sent
