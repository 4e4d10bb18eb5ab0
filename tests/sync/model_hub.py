"""A hub as the protocol describes it, in memory and for one kiosk: what the kiosk's side is tried against.

It knows nothing of the kiosk's code but the messages: contiguous rows move the mark, a gap is refused, the same key
with another hash is a fork, and an older session is fenced off.
"""

from __future__ import annotations

from hashlib import sha256

from kiosk.sync.messages import Ack, Ahead, Hello, Journal, Mark, Message, Nack, Ping, Pong, Seen, Welcome

ROOT = bytes(32)


class ModelHub:
    """Stores rows in order; everything that was acknowledged stays until somebody restores a backup."""

    def __init__(self, hub: str = "city-hall", batches: int = 4, size: int = 1 << 20, signing_key: str = "") -> None:
        self.hub, self.batches, self.size, self.signing_key = hub, batches, size, signing_key
        self.rows: list[tuple[int, int, bytes, bytes]] = []
        self.beside: dict[tuple[int, int], bytes] = {}
        self.apart: list[Journal] = []
        self.session = 0
        self.incarnation = 1
        #: Number of rows of a batch that ended on a row where the journal signed nothing.
        self.signatures: list[bytes] = []

    @property
    def durable(self) -> Mark:
        """How far the journal is here."""
        return Mark(self.rows[-1][0], self.rows[-1][1], self.rows[-1][3]) if self.rows else Mark()

    def restore(self, keep: int) -> None:
        """Put a backup back: only the first rows are left."""
        del self.rows[keep:]
        self.incarnation += 1

    def receive(self, session: int, message: Message) -> Message | None:
        """Answer one message of a connection whose head told this session."""
        if isinstance(message, Hello):
            self.session += 1
            return Welcome(
                version=1, session=self.session, hub=self.hub, incarnation=str(self.incarnation), durable=self.durable,
                archived=Mark(), batches=self.batches, bytes=self.size, most_rows=1000, most_bytes=512 << 10,
                wall_ns=1, fact_versions=(1,), signing_key=self.signing_key,
            )  # fmt: skip
        if isinstance(message, Ping):
            return Pong(message.sent_ns, message.sent_ns + 5, message.sent_ns + 6)
        if session != self.session:
            return Nack("fenced")
        if isinstance(message, Journal):
            return self._journal(message)
        if isinstance(message, Ahead):
            for at, row in enumerate(message.rows):
                self.beside[message.epoch, message.first + at] = row
            return Seen(message.epoch, message.first + len(message.rows) - 1)
        return None

    def _journal(self, message: Journal) -> Message:
        self.signatures.append(message.signature)
        here = {(epoch, seq): digest for epoch, seq, _, digest in self.rows}
        before = here.get((message.epoch, message.first - 1))
        if message.first == 1:
            before = message.previous if message.epoch > self.durable.epoch else self._before(message.epoch)
        if before is None:
            return Nack("gap", self.durable)
        digest = message.previous
        if digest != before:
            self.apart.append(message)
            return Nack("fork", Mark(message.epoch, max(0, message.first - 1), before))
        for at, row in enumerate(message.rows):
            digest = sha256(digest + row).digest()
            place = (message.epoch, message.first + at)
            if place in here:
                if here[place] != digest:
                    self.apart.append(message)
                    return Nack("fork", Mark(*place, here[place]))
                continue
            self.rows.append((*place, row, digest))
        return Ack(self.durable, Mark(), self.batches, self.size)

    def _before(self, epoch: int) -> bytes:
        older = [digest for each, _, _, digest in self.rows if each < epoch]
        return older[-1] if older else ROOT
