"""What goes back to the kiosks: welcomes, acknowledgements with their credit, receipts that the hub signs."""

from __future__ import annotations

import msgspec

from kiosk.hub.bus import Envelope, pack
from kiosk.hub.ingest.known import NOWHERE, Decision
from kiosk.hub.ingest.registered import Registrations
from kiosk.journal.keys import SigningKey
from kiosk.model.facts import FACT_VERSION
from kiosk.sync.messages import Ack, Message, Nack, Seen, Welcome
from kiosk.sync.receipts import receipt_message
from kiosk.sync.wire import MOST_BYTES, MOST_ROWS, NEWEST, encode

#: Batches and bytes of one kiosk that may be under way (sync sheet §3), and bytes of all kiosks together.
WINDOW_BATCHES, WINDOW_BYTES = 4, 4 * MOST_BYTES
BUDGET_BYTES = 64 << 20
#: A signed receipt goes with every so many acknowledgements of a kiosk, and after so long without one.
RECEIPT_EVERY, RECEIPT_NS = 64, 60_000_000_000
#: A kiosk that was heard so recently has a share of the budget.
ACTIVE_NS = 60_000_000_000


class _Line(msgspec.Struct):
    """What was told to one kiosk."""

    heard_ns: int = 0
    receipted_ns: int = 0
    since_receipt: int = 0


class Answering:
    """Makes the answers of one worker."""

    def __init__(self, hub: str, incarnation: str, signing: SigningKey, registrations: Registrations) -> None:
        self._hub = hub
        self._incarnation = incarnation
        self._signing = signing
        self._registrations = registrations
        self._lines: dict[str, _Line] = {}
        self._number = 0
        self._active = 1
        self._counted_ns = 0

    def answer(self, envelope: Envelope, session: int, decision: Decision, closing: bool, now_ns: int) -> list[bytes]:
        """Return the frames that tell a kiosk what became of its message."""
        if decision.answer == "welcome":
            return self._frames(envelope, session, self._welcome(envelope, decision, now_ns))
        if decision.answer == "ack":
            return self._frames(envelope, session, self._ack(envelope, decision, closing, now_ns))
        if decision.answer == "seen":
            return self._frames(envelope, session, Seen(decision.mark.epoch, decision.mark.seq))
        nack = Nack(decision.answer, decision.mark, decision.after_ms, decision.detail[:400])
        return self.nack(envelope, session, nack, ended=decision.answer == "fenced")

    def nack(self, envelope: Envelope, session: int, nack: Nack, *, ended: bool = False) -> list[bytes]:
        """Return the frames of a refusal; `ended` lets the front forget the connection."""
        return self._frames(msgspec.structs.replace(envelope, ended=ended), session, nack)

    def _welcome(self, envelope: Envelope, decision: Decision, now_ns: int) -> Welcome:
        self._lines[envelope.kiosk] = _Line(now_ns, now_ns)
        key, endpoint, signature = self._registrations.next_key
        return Welcome(
            version=NEWEST, session=decision.known.session, hub=self._hub, incarnation=self._incarnation,
            durable=decision.mark, archived=NOWHERE, batches=WINDOW_BATCHES, bytes=self._credit(now_ns),
            most_rows=MOST_ROWS, most_bytes=MOST_BYTES, wall_ns=now_ns,
            fact_versions=tuple(range(max(FACT_VERSION - 1, 1), FACT_VERSION + 1)),
            signing_key=self._signing.public_hex, next_key=key, next_endpoint=endpoint, next_signature=signature,
        )  # fmt: skip

    def _ack(self, envelope: Envelope, decision: Decision, closing: bool, now_ns: int) -> Ack:
        line = self._lines.setdefault(envelope.kiosk, _Line(now_ns, now_ns))
        line.heard_ns = now_ns
        line.since_receipt += 1
        receipt = b""
        if closing or line.since_receipt >= RECEIPT_EVERY or now_ns - line.receipted_ns >= RECEIPT_NS:
            receipt = self._signing.sign(receipt_message(self._hub, envelope.kiosk, decision.mark))
            line.since_receipt, line.receipted_ns = 0, now_ns
        return Ack(decision.mark, NOWHERE, WINDOW_BATCHES, self._credit(now_ns), receipt)

    def _credit(self, now_ns: int) -> int:
        """Return a kiosk's share of what the hub takes at once: never less than one whole batch."""
        if not 0 <= now_ns - self._counted_ns < 1_000_000_000:
            self._active = max(1, sum(now_ns - line.heard_ns < ACTIVE_NS for line in self._lines.values()))
            self._counted_ns = now_ns
        return max(MOST_BYTES, min(WINDOW_BYTES, BUDGET_BYTES // self._active))

    def _frames(self, envelope: Envelope, session: int, message: Message) -> list[bytes]:
        self._number += 1
        return [pack(envelope), *encode(message, session=session, number=self._number)]
