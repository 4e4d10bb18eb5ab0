"""What kiosk and hub tell each other, field by field.  Structs only: no behaviour, no input or output.

Every message is an array on the wire; a field added later comes last and has a default.  Every length has a limit, so
that a small message, compressed or not, never becomes a large one in memory.  Times are wall-clock
nanoseconds since 1970 UTC unless they say otherwise; hashes are 32 bytes, signatures 64 or none.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

# No NUL in any text: a PostgreSQL hub could not store it, and one such message would hold up what is written with it.
Name = Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[^\x00]*\Z")]
Words = Annotated[str, msgspec.Meta(max_length=400, pattern=r"\A[^\x00]*\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Place = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Hash = Annotated[bytes, msgspec.Meta(max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(max_length=64)]
#: A CURVE key in Z85.
Key = Annotated[str, msgspec.Meta(min_length=40, max_length=40)]

#: Why something was refused: `gap` to `revoked` are the sync sheet's (§3), the rest tells
#: what was wrong with one message.
NACK_CODES = (
    "gap", "fork", "fenced", "busy", "version", "revoked", "wrong_chain", "bad_signature", "unknown_key",
    "malformed", "too_large", "wrong_realm", "unknown_epoch", "unknown_data",
)  # fmt: skip


T = TypeVar("T")
#: A few, as of devices, alarms or data sets; …
Few = Annotated[tuple[T, ...], msgspec.Meta(max_length=1024)]
#: … and what one message may carry of rows or keys, whoever sends it.
Many = Annotated[tuple[T, ...], msgspec.Meta(max_length=65_536)]
#: More rows than any batch of a journal has (`wire.MOST_ROWS`), so that a hub can say by how much it is too large.
Rows = Annotated[tuple[bytes, ...], msgspec.Meta(max_length=16_384)]


class Message(msgspec.Struct, frozen=True, array_like=True):
    """The root of all messages."""


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """A place in a journal and the hash there."""

    epoch: Place = 0
    seq: Place = 0
    hash: Hash = b""


class DataCursor(msgspec.Struct, frozen=True, array_like=True):
    """How far one data set is known, e.g. ``invoices:parking_citation``, ``people``, ``pack``."""

    name: Name
    generation: Count = 0
    cursor: Count = 0
    #: SHA-256 over the whole set as the hub defines it (`sync.feed`), hexadecimal.
    digest: Name = ""


class Clock(msgspec.Struct, frozen=True, array_like=True):
    """What a machine's clocks say; evidence, never order."""

    wall_ns: int
    mono_ns: int
    boot_id: Name
    #: Whether the core believes its wall clock.
    trusted: bool


class Hello(Message, frozen=True):
    """First message of a connection: who speaks which versions, and how far it is."""

    oldest: Count
    newest: Count
    #: What the kiosk calls itself; only compared with the id that the connection's key is registered for.
    kiosk: Name
    realm: Name
    #: Start of kiosk-sync, from 1, kept in its database: a clone that woke up says one the hub has seen pass.
    boot: Count
    #: Newest fact of the journal.
    head: Mark
    #: Newest fact that this hub has acknowledged, as far as the kiosk knows.
    acked: Mark
    #: Oldest fact that the kiosk still holds.
    oldest_kept: Mark
    clock: Clock
    data: Few[DataCursor]
    #: Newest version of the facts' envelope that this kiosk writes.
    fact_version: Count
    software: Name
    free_bytes: Count


class Welcome(Message, frozen=True):
    """Answer to HELLO: the session fence and from where the hub wants the journal."""

    version: Count
    session: Count
    hub: Name
    #: Changes when the hub's store was restored or rebuilt from nothing.
    incarnation: Name
    #: How far this kiosk's journal is durable here; the kiosk goes on after it.
    durable: Mark
    archived: Mark
    #: Batches and bytes that may be under way.
    batches: Count
    bytes: Count
    most_rows: Count
    most_bytes: Count
    wall_ns: int
    #: Versions of facts that the hub understands.
    fact_versions: Few[Count]
    #: Hub's Ed25519 key, hexadecimal, which signs receipts and manifests.
    signing_key: Name
    #: The CURVE key that will come into force, its endpoint, and the hub's signature over both; "" for none.
    next_key: Name = ""
    next_endpoint: Words = ""
    next_signature: Signature = b""


class Journal(Message, frozen=True):
    """Rows of one epoch, in order, ending on a signed row."""

    epoch: Place
    first: Place
    #: Hash of the row before the first one.
    previous: Hash
    rows: Rows
    #: The kernel's signature over the last row (`journal.encoding.head_message`).
    signature: Signature


class Ahead(Message, frozen=True):
    """Fresh rows, sent before a long backlog has caught up with them: kept beside, never counted twice."""

    epoch: Place
    first: Place
    previous: Hash
    rows: Rows
    signature: Signature


class Ack(Message, frozen=True):
    """Everything up to the mark is on the hub's disk."""

    durable: Mark
    archived: Mark
    batches: Count
    bytes: Count
    #: The hub's signature over the mark (`sync.receipts`): at intervals and at closings; b"" otherwise.
    receipt: Signature = b""


class Seen(Message, frozen=True):
    """Fresh rows up to here are on the hub's disk, beside the stream."""

    epoch: Place
    seq: Place


class Nack(Message, frozen=True):
    """Something was refused, and what to do."""

    #: One of `NACK_CODES`.
    code: Name
    #: GAP: the last fact that is there; FORK: where the journals part.
    mark: Mark = Mark()
    #: BUSY: milliseconds to wait.
    after_ms: Count = 0
    detail: Words = ""


class DeviceState(msgspec.Struct, frozen=True, array_like=True):
    """How one device is."""

    name: Name
    device_class: Name
    state: Name
    #: ``ok``, ``warning``, ``error``, ``unknown``.
    severity: Name
    detail: Words = ""


class Status(Message, frozen=True):
    """How the kiosk is; the latest one wins and none is journalled.  It holds no sum of cash (counts are blind)."""

    at_ns: int
    #: ``open``, ``closed``, ``down`` (the core does not answer).
    state: Name
    reasons: Few[Name]
    devices: Few[DeviceState]
    #: ``plenty``, ``low``, ``out``, ``unknown``.
    paper: Name
    #: Thousandths of the stacker's room in use; None where nobody knows.
    stacker_permille: Count | None
    #: Facts not yet acknowledged, and the wall clock of the oldest of them (0: none).
    unsynced: Count
    oldest_unsynced_ns: int
    clock: Clock
    software: Name
    alarms: Few[Name] = ()


class Ping(Message, frozen=True):
    """Are you there, and what is your time?"""

    sent_ns: int
    #: Round trip of the PING before, so that the hub can tell a clock's offset from the way; -1 before there was one.
    round_trip_ns: int = -1


class Pong(Message, frozen=True):
    """Yes."""

    sent_ns: int
    received_ns: int
    answered_ns: int


class Pull(Message, frozen=True):
    """Asks for a data set: changes after a cursor, or a snapshot (generation 0, or one the hub no longer has)."""

    data: DataCursor
    #: Chunks of a snapshot that are already there, and for which generation and cursor: resumes a cut one.
    chunks: Count = 0
    snapshot: DataCursor | None = None
    #: Chunks that may be sent before the next PULL; 0: nothing, it only tells how far this data set is here.
    credit: Count = 4
    #: Everything up to this cursor has come in the run that is under way (`sync.feed`); 0 for a new one.
    after: Count = 0


class Snap(Message, frozen=True):
    """One chunk of a snapshot."""

    data: DataCursor
    #: From 0; the set is complete when `End` says so.
    chunk: Count
    #: MessagePack arrays, one a row (`sync.feed`).
    rows: Many[bytes]
    #: Everything up to this cursor has come with this chunk.
    through: Count = 0
    #: Rows that the set has in all, to see whether there is room.
    whole: Count = 0


class Delta(Message, frozen=True):
    """Changes of a data set: rows to put in and keys to take out.  They count once `End` has come, all at once."""

    #: Where they begin …
    since: DataCursor
    #: … and where they lead.
    data: DataCursor
    rows: Many[bytes]
    #: Keys of rows that are gone.
    gone: Many[Name]


class End(Message, frozen=True):
    """A snapshot or a run of changes is complete."""

    data: DataCursor
    rows: Count
    chunks: Count
    #: When the data were taken at their source.
    taken_at_ns: Count
    #: The hub's signature over the manifest (`sync.feed.manifest`).
    signature: Signature
    #: Up to where the balances of this state have counted the facts of the kiosk that asked.
    counted: Mark = Mark()


class Nudge(Message, frozen=True):
    """There is something new; the kiosk pulls when it suits."""

    data: Few[DataCursor]


class Command(Message, frozen=True):
    """One of the four commands: ``resend``, ``rotate``, ``close``, ``shutter``.  The id makes it idempotent."""

    id: Name
    command: Name
    #: ``resend``: from EPOCH/SEQ; ``shutter``: ``closed`` or ``open``; ``close``: the business date.
    argument: Words = ""
    #: For the citizen: why, and where else to pay (text of the city, shown as it is).
    reason: Words = ""
    by: Name = ""
    #: The hub's signature over all of it (`sync.receipts.command_message`).
    signature: Signature = b""


class Done(Message, frozen=True):
    """What became of a command."""

    id: Name
    #: ``done``, ``waiting``, ``refused``.
    outcome: Name
    detail: Words = ""
    #: For ``rotate``: the new transport key and the journal key's signature over it.
    key: Name = ""
    signature: Signature = b""


class Enrol(Message, frozen=True):
    """A kiosk asks to be taken in, on the port for that alone."""

    kiosk: Name
    realm: Name
    #: CURVE public key of the kiosk; must be the one of the connection.
    transport_key: Key
    #: Ed25519 public key of its journal, hexadecimal, and the epoch that announced it.
    journal_key: Name
    epoch: Place
    #: HMAC-SHA-256 with the one-time code over all of the above (`sync.enrolment`).
    proof: Hash
    #: The journal key's signature over the same bytes: whoever asks holds the journal's key.
    signature: Signature
    software: Name = ""


class Enrolment(Message, frozen=True):
    """How an enrolment stands."""

    #: ``pending``, ``approved``, ``refused``; ``later``: the hub has no time now.
    state: Name
    #: Six words that kiosk and operator compare.
    words: Words
    hub: Name = ""
    #: The hub's CURVE keys, now and next, and the key that signs; "" while pending.
    server_key: Name = ""
    next_key: Name = ""
    signing_key: Name = ""
    #: Where the journal goes, e.g. ``tcp://hub.example:7700``.
    endpoints: Few[Words] = ()
    detail: Words = ""
