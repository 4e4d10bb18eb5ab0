"""The sealed line on a receipt: what anybody can check with the city's published keys, and with nothing else.

``KR1|K07|1|412|98231|9f3c0a1b2c3d4e5f|2026-11-22T10:15:00-06:00|demo|receipt|USD|2500|2500|0|0|<signature>``

Fields: format, kiosk, epoch, receipt number, seq of the `ReceiptIssued` fact, first 16 hexadecimal digits of
that fact's hash, local time, realm, kind of slip, currency, tender, applied, overpayment, remaining (minor units),
then an Ed25519 signature (base64url, no padding) over everything before the last bar, with a prefix that no
other signature of the journal's key has.  The receipt never carries a key: the verifier brings the published
list, so a forger's own key proves nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.errors import ReceiptError
from kiosk.journal.keys import SigningKey
from kiosk.model.facts import Committed, ReceiptIssued
from kiosk.model.ids import ReceiptId

_DOMAIN = b"kiosk-receipt-v1\0"
FORMAT = "KR1"
#: Longest sealed line that is looked at, characters.
LONGEST = 512


class SealedReceipt(msgspec.Struct, frozen=True):
    """What a sealed line says."""

    kiosk: str
    epoch: int
    number: int
    seq: int
    #: 16 hexadecimal digits of the fact's hash.
    hash_prefix: str
    issued: str
    realm: str
    kind: str
    currency: str
    tender_minor: int
    applied_minor: int
    overpayment_minor: int
    remaining_minor: int

    @property
    def receipt_id(self) -> ReceiptId:
        """The printed number."""
        return ReceiptId(self.kiosk, self.epoch, self.number, self.hash_prefix[:4])

    def statement(self) -> str:
        """Return the signed part of the line."""
        return "|".join((FORMAT, *(str(getattr(self, name)) for name in self.__struct_fields__)))


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of a check: `good` only when the published key of that kiosk and epoch signed the line."""

    good: bool
    #: ``good``, ``unknown_kiosk``, ``bad_signature``, ``unreadable``, ``revoked``.
    reason: str
    receipt: SealedReceipt | None = None
    specimen: bool = False


class PublishedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key of the city's list."""

    kiosk: str
    epoch: int
    #: Ed25519 public key, hexadecimal.
    public_key: str
    revoked: bool = False


class PublishedKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The city's list, as it publishes it (JSON)."""

    city: str
    keys: tuple[PublishedKey, ...]


def receipt_id(committed: Committed) -> ReceiptId:
    """Return the printed number of a committed slip."""
    body = committed.fact.body
    assert isinstance(body, ReceiptIssued)
    return ReceiptId(committed.fact.kiosk, committed.fact.epoch, body.number, committed.hash.hex()[:4])


def describe(committed: Committed) -> SealedReceipt:
    """Return what a committed slip's sealed line will say."""
    fact, body = committed.fact, committed.fact.body
    assert isinstance(body, ReceiptIssued)
    totals = {total.name: total.minor for total in body.totals}
    return SealedReceipt(
        kiosk=fact.kiosk, epoch=fact.epoch, number=body.number, seq=fact.seq, hash_prefix=committed.hash.hex()[:16],
        issued=fact.stamp.at.iso(), realm=fact.realm, kind=body.slip, currency=body.currency,
        tender_minor=totals.get("tender", totals.get("note", 0)), applied_minor=totals.get("applied", 0),
        overpayment_minor=totals.get("overpayment", 0), remaining_minor=totals.get("remaining", 0),
    )  # fmt: skip


def seal(committed: Committed, key: SigningKey) -> str:
    """Return the sealed line of a committed slip; the same slip always gives the same line."""
    statement = describe(committed).statement()
    signature = key.sign(_DOMAIN + statement.encode("ascii"))
    return f"{statement}|{_spell(signature)}"


def _spell(signature: bytes) -> str:
    return base64.urlsafe_b64encode(signature).decode("ascii").rstrip("=")


def read(line: str) -> tuple[SealedReceipt, bytes]:
    """Read a sealed line without believing it.

    Raises:
        ReceiptError: it is not a sealed line.
    """
    fault = ReceiptError("this is not the code of a receipt", hint="scan the square code at the foot of the receipt")
    parts = line.strip().split("|")
    if len(line) > LONGEST or len(parts) != 15 or parts[0] != FORMAT or not line.strip().isascii():
        raise fault
    try:
        whole = [int(part) for part in (*parts[2:5], *parts[10:14])]
        signature = base64.b64decode(parts[14] + "=" * (-len(parts[14]) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise fault from None
    receipt = SealedReceipt(
        parts[1], whole[0], whole[1], whole[2], parts[5], parts[6], parts[7], parts[8], parts[9], *whole[3:]
    )
    if receipt.statement() != "|".join(parts[:14]) or _spell(signature) != parts[14]:
        raise fault  # a line has one spelling: what is altered in any character is another line
    return receipt, signature


def check(line: str, published: Mapping[tuple[str, int], PublishedKey]) -> Verdict:
    """Check a sealed line against the city's published keys, by (kiosk, epoch)."""
    try:
        receipt, signature = read(line)
    except ReceiptError:
        return Verdict(False, "unreadable")
    specimen = receipt.realm != "live"
    key = published.get((receipt.kiosk, receipt.epoch))
    if key is None:
        return Verdict(False, "unknown_kiosk", receipt, specimen)
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key))
        public.verify(signature, _DOMAIN + receipt.statement().encode("ascii"))
    except (InvalidSignature, ValueError):
        return Verdict(False, "bad_signature", receipt, specimen)
    return Verdict(not key.revoked, "revoked" if key.revoked else "good", receipt, specimen)


def load_keys(path: Path) -> dict[tuple[str, int], PublishedKey]:
    """Read the city's published key list.

    Raises:
        ReceiptError: missing or not such a list.
    """
    try:
        held = msgspec.json.decode(path.read_bytes(), type=PublishedKeys)
    except OSError as error:
        raise ReceiptError(
            f"the key list {path} cannot be read ({error.strerror})", hint="give the file the city publishes"
        ) from error
    except msgspec.DecodeError as error:
        raise ReceiptError(
            f"{path} is not a list of published keys: {error}", hint="ask the city for it again"
        ) from error
    keys = {(key.kiosk, key.epoch): key for key in held.keys}
    if len(keys) < len(held.keys):
        # The later of two could undo the revocation of the other.
        raise ReceiptError(f"{path} lists a kiosk's epoch twice", hint="ask the city for a list without doubles")
    return keys
