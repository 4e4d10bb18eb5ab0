"""Letters on paper: which page holds them, how wide they are, how a line is cut to the paper.

Never a ``?`` for a letter: `encode` returns None where the page lacks one, and the line is drawn instead.  Control
characters in a text are never sent, because to a printer they are commands; they become spaces.
"""

from __future__ import annotations

import unicodedata

#: Typographic spaces and joiners that print as a plain space or as nothing on a receipt.
_PLAIN = {"\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\u2060": "", "\ufeff": "", "\u00ad": ""}


def tidy(text: str) -> str:
    """Compose letters (NFC), turn control characters into spaces and special spaces into plain ones.

    >>> tidy("a\\u0301\\x1b@b")
    'á @b'
    """
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        _PLAIN.get(letter, " " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter)
        for letter in composed
    )


def encode(text: str, page: str) -> bytes | None:
    """Encode tidy text in a code page; None where a letter is not in it.

    >>> encode("Cádiz €", "cp858"), encode("Łódź", "cp858")
    (b'C\\xa0diz \\xd5', None)
    """
    try:
        return text.encode(page)
    except UnicodeEncodeError:
        return None


def cells(text: str) -> int:
    """Count the columns that a text takes: marks take none, wide East Asian letters two."""
    return sum(cells_of(letter) for letter in text)


def cells_of(letter: str) -> int:
    """Count the columns of one letter."""
    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in ("W", "F") else 1


def wrap(text: str, columns: int) -> list[str]:
    """Cut a text into lines of at most `columns` at spaces, within a word only where it is longer than a line.

    Nothing is lost but the spaces at the cuts; a text that fits stays as it is.

    >>> wrap("one two three", 8)
    ['one two', 'three']
    """
    if cells(text) <= columns:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and cells(line) + 1 + cells(word) <= columns:
            line += " " + word
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(word, columns)
        lines.extend(full)
    lines.append(line)
    return [kept for kept in lines if kept] or [""]


def pad(text: str, columns: int, align: str) -> str:
    """Place a text that fits in a line of `columns`; the spaces at its right edge are left off."""
    free = max(columns - cells(text), 0)
    if align == "right":
        return " " * free + text
    return " " * (free // 2) + text if align == "centre" else text


def pair(left: str, right: str, columns: int) -> list[str]:
    """Set a label at the left edge and an amount at the right edge; a label too long is wrapped above the amount.

    >>> pair("Fine", "$45.00", 12)
    ['Fine  $45.00']
    """
    room = columns - cells(right) - 1
    if room < columns // 4:
        return [*wrap(left, columns), *(pad(line, columns, "right") for line in wrap(right, columns))]
    lines = wrap(left, room)
    return [*lines[:-1], lines[-1] + " " * (columns - cells(lines[-1]) - cells(right)) + right]


def _pieces(word: str, columns: int) -> list[str]:
    """Cut one word into pieces that fit, marks kept with their letter."""
    pieces = [""]
    for letter in word:
        if cells(pieces[-1]) + cells_of(letter) > columns:
            pieces.append("")
        pieces[-1] += letter
    return pieces
