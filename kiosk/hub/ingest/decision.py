"""The decision about every message of a journal: pure, a table of cases.

What is known of the kiosk and one message go in, a `Decision` comes out: what is stored, what is answered, what is
found.  Nothing is read or written here; hashes that are in the store come in as data (`wants` says which).

HELLO, in this order:

    who, what                                           outcome     answer    finding
    no common version of the protocol                   version     VERSION   version
    another kiosk or realm than the key is for          stranger    NACK      other_kiosk, wrong_realm
    its head is in an epoch that a later one ended      ended       FENCED    epoch_ended; the session there goes on
    anything else                                       welcome     WELCOME   a new session; the one before is fenced
      same start of kiosk-sync, another kernel boot                           cloned
      earlier start, other boot, the last one alive                           cloned
      earlier start otherwise                                                 boot_fell
      its head is at a place that is here, other hash                         cloned
      its head is at a place that is here, same hash                          kiosk_rolled_back; told to go on after it
      acknowledged further than what is here                                  hub_rolled_back; it sends again
      its oldest fact is further than what is here                            history_missing

JOURNAL (m is how far the epoch is here; every row's hash is made again; "signed" is by the epoch's key over the last):

    rows                                                outcome     answer    stored
    not a batch; more than was agreed                   malformed   NACK      nothing; also too_large
    of another session than the newest                  fenced      FENCED    what contradicts the journal: apart
    first > m + 1                                       gap         GAP(m)    nothing
    all at places that are here, same hashes            duplicate   ACK       nothing
    from here to beyond m, same hashes, signed          accepted    ACK       the part after m
    first = m + 1, follows m, signed                    accepted    ACK       all
    another hash at a place that is here, signed        fork        FORK      apart
    another hash before the first row, not signed       wrong_chain NACK      apart
    otherwise not signed                                bad_signature NACK    apart
    new of an epoch that a later one ended              ended       FENCED    apart
    of an epoch whose key is not registered any more    unknown_key NACK      nothing
    first of a new epoch: registered key, follows a fact that is here, signed
                                                        accepted    ACK       all; epoch_cuts_facts where more was here
    … follows a fact that is not here yet               gap         GAP(m)    nothing
    … any other                                         unknown_epoch NACK    nothing; also wrong_realm, version

AHEAD is held to the same proof, and stored beside the journal (`fresh`); an accepted batch that reaches such rows
compares the hash at their end: equal ones are dropped, others are kept apart (ahead_differs).

A row that is no fact at all passes: it was hashed and signed, so it is evidence, and posting quarantines it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from kiosk.errors import JournalDamaged, JournalError
from kiosk.hub.findings import Finding
from kiosk.hub.ingest.known import NOWHERE, Batch, Decision, Held, Known, Places, RegisteredKey, Waiting
from kiosk.hub.ingest.proof import batch_of, chain_of, fault_of, finding_of, link_of, refused, signed
from kiosk.journal.encoding import ROOT_HASH, decode
from kiosk.model.facts import EpochStarted, Genesis
from kiosk.sync.messages import Ahead, Hello, Journal, Mark

#: Batches that wait beside the stream of one kiosk, and how long one more has to.
MOST_AHEAD, AHEAD_AFTER_MS = 64, 60_000
#: What was on its way when a new session began is here long before this.
LATE_NS = 10_000_000_000

Keys = Mapping[str, RegisteredKey]


def wants(known: Known, message: Hello | Journal | Ahead) -> Places | None:
    """Return the places whose stored hashes the decision needs, or None."""
    if isinstance(message, Hello):
        held = known.held.get(message.head.epoch)
        place = message.head.seq
        return Places(message.head.epoch, place, place) if held and 0 < place < held.seq else None
    if fault_of(message):
        return None
    held = known.held.get(message.epoch)
    last = message.first + len(message.rows) - 1
    if isinstance(message, Ahead):
        return Places(message.epoch, last, last) if held and last < held.seq else None
    if held:
        # What lies wholly beyond the mark is compared with the mark alone.
        return Places(message.epoch, message.first - 1, min(last, held.seq)) if message.first <= held.seq else None
    link = link_of(message)
    old = known.held.get(link.epoch) if link else None
    return Places(link.epoch, link.seq, link.seq) if link and old and 0 < link.seq < old.seq else None


def decide_journal(
    known: Known, message: Journal, session: int, keys: Keys, now_ns: int, stored: Sequence[bytes] = ()
) -> Decision:
    """Decide about a batch of the stream; `session` is what the message's head says."""
    if fault := fault_of(message):
        return refused(known, fault[0], fault[0], fault[1], at=Mark(message.epoch))
    if session != known.session or not session:
        return _fenced(known, session, _judge(known, message, keys, stored), message, now_ns)
    return _judge(replace(known, heard_ns=now_ns), message, keys, stored)


def decide_ahead(
    known: Known, message: Ahead, session: int, keys: Keys, now_ns: int, stored: Sequence[bytes] = ()
) -> Decision:
    """Decide about fresh rows that overtake their backlog."""
    if fault := fault_of(message):
        return refused(known, fault[0], fault[0], fault[1], at=Mark(message.epoch))
    if session != known.session or not session:
        return Decision(outcome="fenced", known=known, answer="fenced", mark=known.mark)
    known = replace(known, heard_ns=now_ns)
    held = known.held.get(message.epoch)
    last = message.first + len(message.rows) - 1
    place = Mark(message.epoch, last)
    if message.epoch < known.epoch:
        return Decision(outcome="fenced", known=known, answer="fenced", mark=known.mark)
    signers = [held.key] if held else [name for name, key in keys.items() if key.epoch == message.epoch]
    signers = [name for name in signers if name in keys]
    if not signers:
        return Decision(outcome="unknown_epoch", known=known, answer="unknown_epoch", detail="no key of this epoch")
    hashes = chain_of(message)
    batch = batch_of(message, hashes[-1])
    if not any(signed(known.kiosk, batch, name) for name in signers):
        return _apart(known, "bad_signature", batch, proven=False)
    if held and last <= held.seq:
        same = (stored[0] if last < held.seq else held.hash) == hashes[-1]
        if same:
            return Decision(outcome="seen", known=known, answer="seen", mark=place)
        return _apart(known, "fork", batch, proven=True, at=place)
    kept = next((one for one in known.ahead if (one.epoch, one.first) == (message.epoch, message.first)), None)
    if kept and last <= kept.last and (last < kept.last or kept.hash == hashes[-1]):
        return Decision(outcome="seen", known=known, answer="seen", mark=place)  # the stream will be held against it
    if kept and hashes[kept.last - message.first + 1 :][:1] != [kept.hash]:
        return _apart(known, "ahead_differs", batch, proven=True, at=place)
    others = tuple(one for one in known.ahead if one is not kept)
    if len(others) >= MOST_AHEAD:
        return Decision(outcome="ahead_full", known=known, answer="busy", after_ms=AHEAD_AFTER_MS, detail="ahead")
    after = replace(known, ahead=(*others, Waiting(batch.epoch, batch.first, batch.last, batch.hash)))
    return Decision(outcome="fresh", known=after, answer="seen", mark=place, fresh=batch)


def _judge(known: Known, message: Journal, keys: Keys, stored: Sequence[bytes]) -> Decision:
    """Decide about a well-formed batch by its rows alone."""
    epoch, first = message.epoch, message.first
    held = known.held.get(epoch)
    if held is None:
        return _begin(known, message, keys, stored)
    if held.key not in keys:
        return refused(known, "unknown_key", "unknown_key", f"key {held.key[:16]}… of epoch {epoch}", at=Mark(epoch))
    if first > held.seq + 1:
        return Decision(outcome="gap", known=known, answer="gap", mark=known.mark)
    hashes = chain_of(message)
    batch = batch_of(message, hashes[-1])
    here = stored if first <= held.seq else (held.hash,)
    if hashes[: len(here)] != list(here):
        at = next(index for index, digest in enumerate(here) if hashes[index] != digest)
        proven = signed(known.kiosk, batch, held.key)
        reason = "fork" if proven else "bad_signature" if at else "wrong_chain"
        return _apart(known, reason, batch, proven=proven, at=Mark(epoch, first - 1 + at, here[at]))
    if batch.last <= held.seq:
        return Decision(outcome="duplicate", known=known, answer="ack", mark=known.mark)
    proven = signed(known.kiosk, batch, held.key)
    if epoch < known.epoch:
        return _apart(known, "epoch_ended", batch, proven=proven, outcome="ended", answer="fenced")
    if not proven:
        return _apart(known, "bad_signature", batch, proven=False)
    if first <= held.seq:
        new = message.rows[held.seq + 1 - first :]
        batch = Batch(epoch, held.seq + 1, batch.last, held.hash, batch.hash, batch.signature, new)
    return _accepted(known, batch, held.key, hashes)


def _begin(known: Known, message: Journal, keys: Keys, stored: Sequence[bytes]) -> Decision:
    """Decide about the first batch of an epoch that is not here."""
    epoch, mark = message.epoch, known.mark
    at = Mark(epoch, message.first)
    if epoch < mark.epoch:
        return refused(known, "ended", "fenced", f"epoch {mark.epoch} has begun", code="epoch_ended", at=at, mark=mark)
    if message.first != 1:
        return Decision(outcome="gap", known=known, answer="gap", mark=mark)

    def unknown(detail: str, code: str = "unknown_epoch") -> Decision:
        return refused(known, "unknown_epoch", code, detail, at=at)

    try:
        fact = decode(message.rows[0])
    except JournalDamaged:
        return unknown("its first row is no fact")
    except JournalError as error:
        return unknown(error.message, "version")
    if (fact.kiosk, fact.epoch, fact.seq) != (known.kiosk, epoch, 1):
        return unknown(f"its first row is {fact.kiosk} {fact.epoch}/{fact.seq}")
    if fact.realm != known.realm:
        return unknown(f"realm {fact.realm}, registered for {known.realm}", "wrong_realm")
    follows, findings = ROOT_HASH, []
    if isinstance(fact.body, EpochStarted):
        link = link_of(message)
        old = known.held.get(link.epoch) if link else None
        if link is None or (not old and link.epoch <= mark.epoch):
            return unknown("it names no epoch that is here")
        if link.epoch >= epoch:
            return unknown("it names no earlier epoch")
        if old is None or link.seq > old.seq:
            if link.epoch < mark.epoch:
                return unknown(f"it follows {link.epoch}/{link.seq}, and epoch {mark.epoch} has begun since")
            return Decision(outcome="gap", known=known, answer="gap", mark=mark)
        follows = old.hash if link.seq == old.seq else stored[0]
        if link.hash != follows:
            return unknown(f"it follows another fact {link.epoch}/{link.seq} than the one here")
        if cut := _cut(known, link):
            findings.append(finding_of("epoch_cuts_facts", known, at, f"follows {link.epoch}/{link.seq}; here: {cut}"))
    elif not isinstance(fact.body, Genesis) or known.held or epoch != 1:
        return unknown("it does not begin with its key")
    key = fact.body.public_key.lower()
    newest = max((one.epoch for one in keys.values() if one.state != "retired"), default=0)
    if key not in keys or (keys[key].state == "retired" and epoch >= newest):
        return unknown(f"its key {key[:16]}… is not registered")
    hashes = chain_of(message)
    batch = batch_of(message, hashes[-1])
    if message.previous != follows:
        return _apart(known, "wrong_chain", batch, proven=signed(known.kiosk, batch, key))
    if not signed(known.kiosk, batch, key):
        return _apart(known, "bad_signature", batch, proven=False)
    return _accepted(known, batch, key, hashes, findings)


def _accepted(
    known: Known, batch: Batch, key: str, hashes: Sequence[bytes], findings: Sequence[Finding] = ()
) -> Decision:
    held = {**known.held, batch.epoch: Held(batch.last, batch.hash, key)}
    after = replace(known, held=held)
    reached: list[Waiting] = []
    differing: list[Waiting] = []
    if known.ahead:
        for one in known.ahead:
            if one.epoch < batch.epoch or (one.epoch == batch.epoch and one.last <= batch.last):
                # `hashes` ends at the batch's last row; the place of an older end is counted back from there.
                back = batch.last - one.last
                same = one.epoch == batch.epoch and back < len(hashes) and hashes[-1 - back] == one.hash
                (reached if same else differing).append(one)
        gone = {*reached, *differing}
        after = replace(after, ahead=tuple(one for one in known.ahead if one not in gone))
    told = [*findings]
    for one in differing:
        told.append(finding_of("ahead_differs", known, Mark(one.epoch, one.last), f"{one.first} to {one.last}"))
    return Decision(
        outcome="accepted", known=after, answer="ack", mark=after.mark, segment=batch, findings=tuple(told),
        reached=tuple(reached), differing=tuple(differing),
    )  # fmt: skip


def _fenced(known: Known, session: int, judged: Decision, message: Journal, now_ns: int) -> Decision:
    """Refuse a message of another session; keep what contradicts the journal, which only a second machine sends."""
    findings = list(judged.findings) if judged.apart else []
    if 0 < session < known.session and known.greeted_ns and now_ns - known.greeted_ns > LATE_NS:
        said = f"session {session} goes on beside {known.session}"
        findings.append(finding_of("cloned", known, Mark(message.epoch, message.first), said))
    return Decision(
        outcome="fenced", known=known, answer="fenced", mark=known.mark, findings=tuple(findings),
        apart=judged.apart, reason=judged.reason, proven=judged.proven,
    )  # fmt: skip


def _cut(known: Known, link: Mark) -> str:
    """Name the facts here that come after the place which a new epoch follows."""
    parts = []
    for epoch in sorted(known.held):
        seq = known.held[epoch].seq
        begin = link.seq + 1 if epoch == link.epoch else 1
        if epoch >= link.epoch and begin <= seq:
            parts.append(f"{epoch}/{begin} to {epoch}/{seq}")
    return ", ".join(parts)


def _apart(
    known: Known, reason: str, batch: Batch, *, proven: bool, at: Mark = NOWHERE, outcome: str = "", answer: str = ""
) -> Decision:
    """Keep a batch that contradicts the journal, and say so."""
    place = at if at.epoch else Mark(batch.epoch, batch.first)
    signed = "signed by the kiosk's key" if proven else "not signed"
    found = finding_of(reason, known, place, f"rows {batch.epoch}/{batch.first} to {batch.last}, {signed}")
    code = answer or ("fork" if reason == "ahead_differs" else reason)
    return Decision(
        outcome=outcome or reason, known=known, answer=code, mark=at if at.epoch else known.mark, findings=(found,),
        apart=batch, reason=reason, proven=proven,
    )  # fmt: skip
