"""What the hub knows of one kiosk, what it is asked about it, and what it decides: values, no behaviour.

A worker keeps one `Known` for each kiosk, read from the store at the kiosk's first message and replaced by every
decision; `decision` makes a `Decision` out of it and a message, `intake` carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from kiosk.hub.findings import Finding
from kiosk.sync.messages import Mark

#: No place at all.
NOWHERE = Mark()

#: Code -> severity and what it means.  The codes of what the workers refuse or find (docs/hub-findings.md).
CODES: dict[str, tuple[str, str]] = {
    "fork": ("error", "the kiosk's key signed two different facts for one place: both are kept, the later one apart"),
    "wrong_chain": ("error", "rows follow another hash than the one here, and the kiosk's key did not sign them"),
    "bad_signature": ("error", "the signature at the end of a batch is not over the rows before it"),
    "cloned": ("error", "two machines speak with one kiosk's keys, or its journal is not the one that was sent before"),
    "epoch_ended": ("error", "a machine goes on in an epoch that a later one has ended"),
    "epoch_cuts_facts": ("error", "a new epoch begins before facts that are here: they happened and stay"),
    "unknown_epoch": ("error", "an epoch begins with a key that is not registered, or not at a fact that is here"),
    "unknown_key": ("error", "the journal key of an epoch is no longer registered"),
    "wrong_realm": ("error", "a kiosk sends the journal of another realm than it is registered for"),
    "other_kiosk": ("error", "a kiosk calls itself by another name than its key is registered for"),
    "wrong_worker": ("error", "a kiosk's messages reached a worker that it is not pinned to"),
    "kiosk_rolled_back": ("error", "the kiosk's journal ends before what it sent earlier: its disk was put back"),
    "history_missing": ("error", "the kiosk no longer holds facts that are not here"),
    "ahead_differs": ("error", "facts that were sent before their backlog are not those of the journal"),
    "internal": ("error", "a message could not be decided: a fault of this software"),
    "hub_rolled_back": ("warning", "facts were acknowledged that are not here: this store was put back"),
    "boot_fell": ("warning", "the count of kiosk-sync's starts went back: its database was lost or put back"),
    "version": ("warning", "a kiosk speaks no version of the protocol or of facts that this hub reads"),
    "malformed": ("warning", "a message cannot be what it says"),
    "too_large": ("warning", "a batch is larger than was agreed"),
    "apart_full": ("warning", "so much was kept apart for one kiosk that no more of it is kept"),
}  # fmt: skip


class Held(msgspec.Struct, frozen=True):
    """How far one epoch of a journal is here."""

    seq: int
    hash: bytes
    #: Public key that signs the epoch, hexadecimal.
    key: str

    def mark(self, epoch: int) -> Mark:
        """Return it as a place."""
        return Mark(epoch, self.seq, self.hash)


class Waiting(msgspec.Struct, frozen=True):
    """A batch that came before its backlog."""

    epoch: int
    first: int
    last: int
    #: Hash at `last`.
    hash: bytes


class Known(msgspec.Struct, frozen=True):
    """What the hub knows of one kiosk before a message."""

    kiosk: str
    #: Realm that it is registered for.
    realm: str
    #: By epoch; the newest one is where the journal stands.
    held: Mapping[int, Held] = {}
    #: The newest session and the start of kiosk-sync that said HELLO for it.
    session: int = 0
    boot: int = 0
    boot_id: str = ""
    ahead: tuple[Waiting, ...] = ()
    #: When the newest session began and was last heard, in this process; 0: not yet.
    greeted_ns: int = 0
    heard_ns: int = 0

    @property
    def mark(self) -> Mark:
        """Where the journal stands; nowhere for a kiosk that never sent one."""
        return self.held[epoch].mark(epoch) if (epoch := self.epoch) else Mark()

    @property
    def epoch(self) -> int:
        """The newest epoch; 0 before the first."""
        return max(self.held, default=0)


class RegisteredKey(msgspec.Struct, frozen=True):
    """A journal key that an operator approved."""

    #: Epoch that it was enrolled with.
    epoch: int
    #: `current`, `next` or `retired`; others are not told to the decision.
    state: str


class Places(msgspec.Struct, frozen=True):
    """Places of one epoch whose stored hashes a decision needs, both ends included; `first` 0 is what row 1 follows."""

    epoch: int
    first: int
    last: int


class Batch(msgspec.Struct, frozen=True):
    """Rows that follow each other, with everything that proves it."""

    epoch: int
    first: int
    last: int
    previous: bytes
    hash: bytes
    signature: bytes
    rows: Sequence[bytes]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one message: stored first, answered when that is durable."""

    #: Row of the table in `decision`.
    outcome: str
    #: What the hub knows afterwards.
    known: Known
    #: `welcome`, `ack`, `seen`, or the code of a NACK.
    answer: str
    #: WELCOME and ACK: how far the journal is durable; SEEN: the last row; GAP, FORK: see `messages.Nack`.
    mark: Mark = Mark()
    after_ms: int = 0
    detail: str = ""
    #: Rows that go into the journal.
    segment: Batch | None = None
    #: Rows that contradict it, why, and whether the kiosk's key signed them.
    apart: Batch | None = None
    reason: str = ""
    proven: bool = False
    #: A batch to keep beside the stream, batches of it that the stream has reached, and those that differ from it.
    fresh: Batch | None = None
    reached: tuple[Waiting, ...] = ()
    differing: tuple[Waiting, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: Whether the message began a session: whoever had the last one is fenced off.
    fences: bool = False
