"""One worker's mind: takes what the front forwards, decides in order, commits once, and only then answers.

Theory of operation: `take` is handed everything that waits.  Each message is decided upon what is known after the one
before it, without touching the disk; then one transaction makes all of it durable; then the answers are made.  Where
the transaction fails nothing was acknowledged: what was known is forgotten, to be read again, and everybody is told to
come back later.  Two kiosks share nothing but the transaction: a message that cannot be decided is a finding about it
alone.

Rules that must stay true: no ACK, SEEN or WELCOME leaves before the commit of what it speaks of; a kiosk that is not
pinned to this worker is refused; only the newest session of a kiosk, on the connection that said its HELLO, is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from kiosk.errors import StoreError, WireError
from kiosk.hub.bus import Envelope, unpack
from kiosk.hub.findings import Finding
from kiosk.hub.ingest.answering import Answering
from kiosk.hub.ingest.decision import decide_ahead, decide_journal, wants
from kiosk.hub.ingest.greeting import decide_hello
from kiosk.hub.ingest.known import CODES, Decision, Known
from kiosk.hub.ingest.registered import Registered, Registrations
from kiosk.hub.ingest.segments import Changes, SegmentStore
from kiosk.sync.messages import Ahead, Hello, Journal, Message, Nack
from kiosk.sync.wire import UP, Head, read_head, read_payload

#: What a kiosk waits after a fault of ours, milliseconds.
AFTER_FAULT_MS = 2_000

#: What the row of a closing holds, in the encoding of the journal.
CLOSING = b'"kind":"day_closed"'

Frames = list[bytes]


class Told(msgspec.Struct, frozen=True):
    """A decision and who waits for its answer."""

    envelope: Envelope
    session: int
    decision: Decision
    #: The rows hold the end of a business date: the answer carries the hub's signature.
    closing: bool = False
    #: Connection of the session that this one fences off; b"" for none.
    fenced_peer: bytes = b""


class Intake:
    """The state of one worker: what it knows of its kiosks, and the number of its next segment."""

    def __init__(
        self, number: int, store: SegmentStore, registrations: Registrations, answering: Answering,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._worker = number
        self._store = store
        self._registrations = registrations
        self._answering = answering
        self._say = say
        self._known: dict[str, Known] = {}
        #: Connection that said HELLO for the newest session, as far as this process saw it.
        self._peers: dict[str, bytes] = {}
        self._changes = Changes()
        #: Decisions whose commit is outstanding; kiosks that have something in it.
        self._told: list[Told] = []
        self._dirty: set[str] = set()
        self._next: int | None = None

    def take(self, messages: Sequence[Sequence[bytes]], now_ns: int) -> list[Frames]:
        """Decide about messages in their order, make it durable, and return the answers."""
        answers: list[Frames] = []
        for frames in messages:
            try:
                envelope = unpack(frames[0])
            except (msgspec.DecodeError, IndexError) as error:
                self._say(f"a message of the front cannot be read: {error}")
                continue
            session = 0
            try:
                head = read_head(list(frames[1:]), UP)
                session = head.session
                self._decide(envelope, head, frames[2], now_ns, answers)
            except WireError as error:
                self._complain(envelope, session, error.code, error.message, error.code, now_ns)
            except StoreError as error:
                self._say(f"{envelope.kiosk}: {error}")
                answers.append(self._busy(envelope, session, "the store cannot be read"))
            except Exception as error:  # noqa: BLE001  one kiosk's message must not end the worker of all
                self._say(f"{envelope.kiosk}: a message could not be decided: {error!r}")
                self._complain(envelope, session, "internal", repr(error)[:200], "busy", now_ns)
        self._commit(answers, now_ns)
        return answers

    # --- deciding -------------------------------------------------------------------------------------------

    def _decide(self, envelope: Envelope, head: Head, payload: bytes, now_ns: int, answers: list[Frames]) -> None:
        message = read_payload(head, payload)
        if not isinstance(message, Hello | Journal | Ahead):
            raise WireError(f"{type(message).__name__} is nothing for a worker", code="malformed")
        name = envelope.kiosk
        registered = self._registrations.find(name, now_ns)
        if registered is None or registered.state != "approved":
            nack = Nack("revoked", detail="this kiosk is not approved here")
            answers.append(self._answering.nack(envelope, head.session, nack, ended=True))
            return
        if registered.worker != self._worker:
            detail = f"pinned to worker {registered.worker}, not {self._worker}"
            self._complain(envelope, head.session, "wrong_worker", detail, "busy", now_ns)
            return
        known = self._known_of(name, registered)
        stored: Sequence[bytes] = ()
        if places := wants(known, message):
            if name in self._dirty:  # what it is compared with may be among what waits
                self._commit(answers, now_ns)
                known = self._known_of(name, registered)
            stored = self._store.hashes(name, places)
        session = self._session_of(envelope, head, known)
        if isinstance(message, Hello):
            decision = decide_hello(known, message, now_ns, stored)
        elif isinstance(message, Journal):
            decision = decide_journal(known, message, session, registered.keys, now_ns, stored)
        else:
            decision = decide_ahead(known, message, session, registered.keys, now_ns, stored)
        self._carry(envelope, head, message, decision, now_ns, payload)

    def _session_of(self, envelope: Envelope, head: Head, known: Known) -> int:
        """Return the session that a message may speak for: none but the one whose connection this is."""
        owner = self._peers.get(envelope.kiosk)
        if owner is None and head.session == known.session:
            self._peers[envelope.kiosk] = envelope.peer  # this process was started anew beneath a running session
        elif owner is not None and head.session == known.session and owner != envelope.peer:
            return 0
        return head.session

    def _carry(
        self, envelope: Envelope, head: Head, message: Message, decision: Decision, now_ns: int, payload: bytes
    ) -> None:
        """Take a decision over into what is known and into what waits for the commit."""
        name = envelope.kiosk
        if self._next is None:
            self._next = self._store.newest(self._worker) + 1
        batch = decision.segment
        whole = isinstance(message, Journal) and batch is not None and batch.rows is message.rows
        as_it_came = payload if head.packed and whole else None
        used = self._changes.add(decision, (self._worker, self._next), envelope.received_ns or now_ns, as_it_came)
        self._next += used
        self._known[name] = decision.known
        if used or decision.fences or decision.fresh or decision.reached or decision.differing or decision.apart:
            self._dirty.add(name)
        fenced_peer = b""
        if decision.fences:
            fenced_peer, self._peers[name] = self._peers.get(name, b""), envelope.peer
        closing = batch is not None and any(CLOSING in row for row in batch.rows)
        told = Told(envelope, decision.known.session if decision.fences else head.session, decision, closing,
                    b"" if fenced_peer == envelope.peer else fenced_peer)  # fmt: skip
        self._told.append(told)

    def _known_of(self, name: str, registered: Registered) -> Known:
        known = self._known.get(name)
        if known is None or known.realm != registered.realm:
            known = self._known[name] = self._store.known(name, registered.realm)
        return known

    def _complain(self, envelope: Envelope, session: int, code: str, detail: str, answer: str, now_ns: int) -> None:
        """Refuse one message with a finding, without a word about the journal."""
        severity = CODES[code][0] if code in CODES else "warning"
        finding = Finding(code, severity, envelope.kiosk, 0, 0, detail)
        known = self._known.get(envelope.kiosk) or Known(envelope.kiosk, envelope.realm)
        refusal = Decision(
            outcome=code, known=known, answer=answer, after_ms=AFTER_FAULT_MS if answer == "busy" else 0,
            detail=detail if answer != "busy" else "", findings=(finding,),
        )  # fmt: skip
        self._changes.add(refusal, (self._worker, 0), now_ns)
        self._told.append(Told(envelope, session, refusal))

    # --- committing and answering ---------------------------------------------------------------------------

    def _commit(self, answers: list[Frames], now_ns: int) -> None:
        """Make everything durable that was decided, then answer it."""
        changes, told = self._changes, self._told
        self._changes, self._told, self._dirty = Changes(), [], set()
        try:
            if changes:
                self._store.commit(changes)
        except StoreError as error:
            # Nothing was acknowledged.  What is known may be wrong now, e.g. where the answer of a commit was lost.
            self._say(f"nothing was acknowledged: {error}")
            self._known.clear()
            self._next = None
            answers += [self._busy(one.envelope, one.session, "the store takes nothing") for one in told]
            return
        for one in told:
            answers.append(self._answering.answer(one.envelope, one.session, one.decision, one.closing, now_ns))
            if one.fenced_peer:
                fenced = msgspec.structs.replace(one.envelope, peer=one.fenced_peer)
                nack = Nack("fenced", detail="another connection of this kiosk has begun")
                answers.append(self._answering.nack(fenced, 0, nack, ended=True))

    def _busy(self, envelope: Envelope, session: int, why: str) -> Frames:
        return self._answering.nack(envelope, session, Nack("busy", after_ms=AFTER_FAULT_MS, detail=why))
