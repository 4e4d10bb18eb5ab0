"""The decision about HELLO: who begins a session, and what a head, a count of starts and a boot id tell.  Pure.

The table is in `decision`.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kiosk.hub.findings import Finding
from kiosk.hub.ingest.known import Decision, Known
from kiosk.hub.ingest.proof import finding_of, refused
from kiosk.sync.messages import Hello
from kiosk.sync.wire import NEWEST, OLDEST

#: A session that was heard so recently counts as alive.
ALIVE_NS = 60_000_000_000


def decide_hello(known: Known, hello: Hello, now_ns: int, stored: Sequence[bytes] = ()) -> Decision:
    """Decide about the first message of a connection."""
    if not (hello.oldest <= NEWEST and hello.newest >= OLDEST):
        said = f"versions {hello.oldest} to {hello.newest} of the protocol, here {OLDEST} to {NEWEST}"
        return refused(known, "version", "version", said)
    if hello.kiosk != known.kiosk:
        return refused(known, "stranger", "unknown_key", f"calls itself {hello.kiosk}", code="other_kiosk")
    if hello.realm != known.realm:
        return refused(known, "stranger", "wrong_realm", f"realm {hello.realm}, registered for {known.realm}")
    head, mark = hello.head, known.mark
    if head.epoch < mark.epoch:
        said = f"head {head.epoch}/{head.seq}, start {hello.boot}; epoch {mark.epoch} has begun"
        return refused(known, "ended", "fenced", said, code="epoch_ended", at=head, mark=mark)
    findings = _machine(known, hello, now_ns)
    durable = mark
    held = known.held.get(head.epoch)
    if held and 0 < head.seq <= held.seq:
        here = held.hash if head.seq == held.seq else stored[0]
        if here != head.hash:
            findings.append(finding_of("cloned", known, head, "its head is another fact than the one here"))
        elif head.seq < held.seq:
            # It is told to go on after its own head, so that what it writes anew is compared with what is here.
            durable = head
            said = f"its journal ends at {head.epoch}/{head.seq}, here it goes on to {held.seq}"
            findings.append(finding_of("kiosk_rolled_back", known, head, said))
    if (hello.acked.epoch, hello.acked.seq) > (mark.epoch, mark.seq):
        said = f"acknowledged to {hello.acked.epoch}/{hello.acked.seq}, here to {mark.epoch}/{mark.seq}"
        findings.append(finding_of("hub_rolled_back", known, hello.acked, said))
    oldest = hello.oldest_kept
    if (oldest.epoch == mark.epoch and oldest.seq > mark.seq + 1) or (not mark.epoch and oldest.seq > 1):
        said = f"holds nothing before {oldest.epoch}/{oldest.seq}, here {mark.epoch}/{mark.seq}"
        findings.append(finding_of("history_missing", known, mark, said))
    boot_id = hello.clock.boot_id
    after = replace(
        known, session=known.session + 1, boot=hello.boot, boot_id=boot_id, greeted_ns=now_ns, heard_ns=now_ns
    )
    return Decision(
        outcome="welcome", known=after, answer="welcome", mark=durable, findings=tuple(findings), fences=True
    )


def _machine(known: Known, hello: Hello, now_ns: int) -> list[Finding]:
    """Return what the count of starts and the kernel's boot id tell of the machine behind a HELLO."""
    if hello.boot > known.boot or not known.boot_id:
        return []
    here, there = hello.clock.boot_id, known.boot_id
    said = f"start {hello.boot} on boot {here[:8]}, before it start {known.boot} on boot {there[:8]}"
    if here != there and (hello.boot == known.boot or now_ns - known.heard_ns < ALIVE_NS):
        return [finding_of("cloned", known, hello.head, said)]
    return [finding_of("boot_fell", known, hello.head, said)] if hello.boot < known.boot else []
