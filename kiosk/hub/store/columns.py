"""The kinds of columns that the hub's tables have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Text


def text(name: str, **more: object) -> Column[str]:
    """Return a column of text that is never NULL."""
    return Column(name, Text, nullable=False, **more)  # type: ignore[arg-type]


def number(name: str, **more: object) -> Column[int]:
    """Return a column of whole numbers up to 63 bits that is never NULL."""
    return Column(name, BigInteger, nullable=False, **more)  # type: ignore[arg-type]


def octets(name: str, *, null: bool = False) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary, nullable=null)
