"""The sealed line on a receipt: what anybody can check with the city's published keys, and with nothing else.

``KR1|K07|1|412|98231|9f3c0a1b2c3d4e5f|2026-11-22T10:15:00-06:00|demo|receipt|USD|2500|2500|0|0|<signature>``

Fields: format, kiosk, epoch, receipt number, seq of the `ReceiptIssued` fact, first 16 hexadecimal digits of
that fact's hash, local time, realm, kind of slip, currency, tender, applied, overpayment, remaining (minor units),
then an Ed25519 signature (base64url, no padding) over everything before the last bar, with a prefix that no
other signature of the journal's key has.  The receipt never carries a key: the verifier brings the published
list, so a forger's own key proves nothing.

A key is published for one kiosk, one realm and one epoch, so what training's key signs as live is refused.  Outside
live even a genuine line is a specimen and never good.  A revoked key proves nothing, whatever date the line tells:
who holds it can write any date.  The dates of a key are for the honest end of one (a kiosk that was taken away).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kiosk.errors import ReceiptError
from kiosk.journal.keys import SigningKey
from kiosk.model.facts import REALMS, Committed, ReceiptIssued
from kiosk.model.ids import ReceiptId

_DOMAIN = b"kiosk-receipt-v1\0"
FORMAT = "KR1"
#: Longest sealed line that is looked at, characters, and largest list of keys, bytes.
LONGEST, LARGEST_LIST = 512, 4 << 20
_KEY = re.compile(r"[0-9a-f]{64}")


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


#: Kiosk, realm and epoch: what a key is published for.
Place = tuple[str, str, int]


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of a check: `good` only when the published key of that live kiosk and epoch signed the line."""

    good: bool
    #: ``good``, ``specimen`` (genuine, of training or a demonstration), ``unreadable``, ``unknown_kiosk``,
    #: ``unknown_key`` (the kiosk is listed, this realm or epoch is not), ``bad_signature``, ``revoked``,
    #: ``out_of_date`` (issued outside of the key's dates).
    reason: str
    receipt: SealedReceipt | None = None
    #: The line itself says that it is not of the live realm.
    specimen: bool = False


class PublishedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key of the city's list."""

    kiosk: str
    epoch: int
    #: Ed25519 public key, hexadecimal.
    public_key: str
    revoked: bool = False
    realm: str = "live"
    #: First and last local date of what it may have signed; None for no limit.
    valid_from: dt.date | None = None
    valid_until: dt.date | None = None

    @property
    def place(self) -> Place:
        """What the key is published for."""
        return self.kiosk, self.realm, self.epoch

    def covers(self, issued: str) -> bool:
        """Tell whether a local ISO time lies within the key's dates."""
        try:
            date = dt.datetime.fromisoformat(issued).date()
        except ValueError:
            return False
        return (self.valid_from or date) <= date <= (self.valid_until or date)


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


def check(line: str, published: Mapping[Place, PublishedKey]) -> Verdict:
    """Check a sealed line against the city's published keys, by kiosk, realm and epoch."""
    try:
        receipt, signature = read(line)
    except ReceiptError:
        return Verdict(False, "unreadable")
    specimen = receipt.realm != "live"
    key = published.get((receipt.kiosk, receipt.realm, receipt.epoch))
    if key is None:
        known = any(kiosk == receipt.kiosk for kiosk, _, _ in published)
        return Verdict(False, "unknown_key" if known else "unknown_kiosk", receipt, specimen)
    try:
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key))
        public.verify(signature, _DOMAIN + receipt.statement().encode("ascii"))
    except (InvalidSignature, ValueError):
        return Verdict(False, "bad_signature", receipt, specimen)
    if key.revoked:
        return Verdict(False, "revoked", receipt, specimen)
    if not key.covers(receipt.issued):
        return Verdict(False, "out_of_date", receipt, specimen)
    return Verdict(not specimen, "specimen" if specimen else "good", receipt, specimen)


def load_keys(path: Path) -> dict[Place, PublishedKey]:
    """Read the city's published key list.

    Raises:
        ReceiptError: missing, not such a list, or one that contradicts itself.
    """
    return {key.place: key for key in load_list(path).keys}


def load_list(path: Path) -> PublishedKeys:
    """Read the city's published key list as it stands; see `load_keys`."""
    try:
        with path.open("rb") as file:
            held = msgspec.json.decode(file.read(LARGEST_LIST + 1), type=PublishedKeys)
    except OSError as error:
        raise ReceiptError(
            f"the key list {path} cannot be read ({error.strerror})", hint="give the file the city publishes"
        ) from error
    except msgspec.DecodeError as error:
        raise ReceiptError(
            f"{path} is not a list of published keys: {error}", hint="ask the city for it again"
        ) from error
    owners: dict[str, tuple[str, str]] = {}
    places: set[Place] = set()
    for key in held.keys:
        name = f"{key.kiosk[:12]} {key.realm[:12]} epoch {key.epoch}"
        if key.realm not in REALMS or not _KEY.fullmatch(key.public_key):
            raise ReceiptError(f"{path}: the entry of {name} is no key", hint="ask the city for it again")
        if key.place in places:
            # The later of two could undo the revocation of the other.
            raise ReceiptError(f"{path} lists {name} twice", hint="ask the city for a list without doubles")
        places.add(key.place)
        if owners.setdefault(key.public_key, (key.kiosk, key.realm)) != (key.kiosk, key.realm):
            # Each realm of each kiosk has a key of its own, else training could sign what is live.
            raise ReceiptError(
                f"{path}: the key of {name} is listed for another kiosk or realm too", hint="ask the city for it again"
            )
    return held
