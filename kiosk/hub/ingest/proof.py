"""What a message of a journal proves: its hashes made again, its signature, where its epoch says it begins.  Pure."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

from kiosk.errors import JournalError
from kiosk.hub.findings import Finding, words_of
from kiosk.hub.ingest.known import CODES, NOWHERE, Batch, Decision, Known
from kiosk.journal.encoding import decode, head_message
from kiosk.journal.keys import VerifyingKey
from kiosk.model.facts import EpochStarted
from kiosk.sync.messages import Ahead, Journal, Mark
from kiosk.sync.wire import MOST_BYTES, MOST_ROWS

#: What is taken at most: a batch ends on a signed row, so one large commit may be more than a batch should be.
TAKEN_ROWS, TAKEN_BYTES = 8 * MOST_ROWS, 8 * MOST_BYTES
#: A place's number in a journal has 32 bits.
LAST_PLACE = 2**32 - 1


def chain_of(message: Journal | Ahead) -> list[bytes]:
    """Return the hash before the first row and the hash of each row."""
    digest = message.previous
    hashes = [digest]
    keep = hashes.append
    for row in message.rows:
        keep(digest := sha256(digest + row).digest())
    return hashes


def fault_of(message: Journal | Ahead) -> tuple[str, str] | None:
    """Return why a message cannot be a batch at all: code and words."""
    rows = message.rows
    if not rows or not message.epoch or not message.first:
        return "malformed", "a batch without rows or place"
    if len(message.previous) != 32 or len(message.signature) != 64:
        return "malformed", "a batch without hash or signature"
    if message.first + len(rows) - 1 > LAST_PLACE:
        return "malformed", "a batch beyond the last place"
    if len(rows) > TAKEN_ROWS or sum(map(len, rows)) > TAKEN_BYTES:
        return "too_large", f"a batch of {len(rows)} rows"
    return None


def link_of(message: Journal | Ahead) -> Mark | None:
    """Return where the epoch before ended, as the first row of a new one says; None where it says nothing readable."""
    if message.first != 1:
        return None
    try:
        body = decode(message.rows[0]).body
        if not isinstance(body, EpochStarted):
            return None
        return Mark(body.previous_epoch, body.previous_seq, bytes.fromhex(body.previous_hash))
    except (JournalError, ValueError):
        return None


def batch_of(message: Journal | Ahead, head: bytes) -> Batch:
    """Return a message's rows as a batch whose last hash is `head`."""
    last = message.first + len(message.rows) - 1
    return Batch(message.epoch, message.first, last, message.previous, head, message.signature, message.rows)


@lru_cache(maxsize=4096)
def _key(public_hex: str) -> VerifyingKey:
    return VerifyingKey(public_hex)


def signed(kiosk: str, batch: Batch, key: str) -> bool:
    """Tell whether a batch ends with the signature of a key, hexadecimal, over everything up to its last row."""
    try:
        return _key(key).verifies(head_message(kiosk, batch.epoch, batch.last, batch.hash), batch.signature)
    except JournalError:
        return False  # what is registered is no key


def finding_of(code: str, known: Known, at: Mark, detail: str) -> Finding:
    """Return a finding of `CODES` about a place in a kiosk's journal."""
    return Finding(code, CODES[code][0], known.kiosk, at.epoch, at.seq, detail)


def refused(
    known: Known, outcome: str, answer: str, detail: str, *, code: str = "", at: Mark = NOWHERE, mark: Mark = NOWHERE
) -> Decision:
    """Return a refusal with its finding; `code` is the finding's where the answer says less."""
    detail = words_of(detail)  # it may quote a row, and goes into a message, too
    finding = finding_of(code or answer, known, at, detail)
    return Decision(outcome=outcome, known=known, answer=answer, mark=mark, detail=detail, findings=(finding,))
