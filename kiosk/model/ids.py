"""Identifiers that appear on paper and in facts."""

from __future__ import annotations

import re

import msgspec

_KIOSK_ID = re.compile(r"[A-Z][A-Z0-9]{1,11}")
_RECEIPT = re.compile(r"([A-Z][A-Z0-9]{1,11})-([0-9]{1,6})-([0-9]{6,9})-([0-9a-f]{4})")


def is_kiosk_id(text: str) -> bool:
    """Tell whether `text` may name a kiosk: a letter, then letters and digits, 2 to 12 in all."""
    return _KIOSK_ID.fullmatch(text) is not None


class NoteId(msgspec.Struct, frozen=True, array_like=True):
    """One physical note seen by one acceptor: the acceptor's name and a serial that never repeats on this kiosk."""

    #: Configured name of the acceptor; "" on the driver's side, which never names itself.
    device: str
    #: Serial within that acceptor's life on this kiosk, from 1; survives restarts through the journal.
    serial: int

    def __str__(self) -> str:
        return f"{self.device}#{self.serial}"


class ReceiptId(msgspec.Struct, frozen=True, array_like=True):
    """A printed receipt number: kiosk, epoch, contiguous number, hash prefix (house, invariant 11)."""

    kiosk: str
    epoch: int
    number: int
    #: First four hexadecimal digits of the hash of the `ReceiptIssued` fact itself.
    check: str

    def __str__(self) -> str:
        return f"{self.kiosk}-{self.epoch}-{self.number:06d}-{self.check}"

    @classmethod
    def parse(cls, text: str) -> ReceiptId | None:
        """Read ``K07-1-000412-9f3c``; return None for anything else."""
        found = _RECEIPT.fullmatch(text.strip())
        return cls(found[1], int(found[2]), int(found[3]), found[4]) if found else None
