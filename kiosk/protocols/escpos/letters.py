"""Letters on paper: which page holds them, how wide they are, how a line is cut to the paper.

Never a ``?`` for a letter: `encode` returns None where the page lacks one, and the line is drawn instead.  Control
characters in a text are never sent, because to a printer they are commands; they become spaces.

A line that reads from right to left is always drawn: a printer's own page joins no letters and turns nothing round.
Until it is drawn it stays in the order in which it is read; `toward` gives it its side of the paper.
"""

from __future__ import annotations

import re
import unicodedata

#: Marks of direction (Unicode Bidirectional Algorithm): the right-to-left mark, and what encloses an isolated piece.
RIGHTWARD_MARK = "\u200f"
_OPENING, _CLOSING = "\u2066\u2067\u2068", "\u2069"
#: Lam and an alef behind it are drawn as one letter.
_LAM_ALEF = re.compile("\u0644[\u064b-\u065f]*[\u0622\u0623\u0625\u0627]")
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
    """Count the columns that a text takes: marks take none, wide East Asian letters two, lam with alef one."""
    return sum(cells_of(letter) for letter in text) - len(_LAM_ALEF.findall(text))


def reads_rightward(text: str) -> bool | None:
    """Tell whether a line reads from right to left, by its first strong letter outside of isolated pieces.

    None where it has none (Unicode Standard Annex 9, rules P2 and P3).

    >>> reads_rightward("Total 5"), reads_rightward("5.00"), reads_rightward("\u0631\u0642\u0645 5")
    (False, None, True)
    """
    depth = 0
    for letter in text:
        if letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth = max(0, depth - 1)
        elif not depth:
            kind = unicodedata.bidirectional(letter)
            if kind in ("L", "R", "AL"):
                return kind != "L"
    return None


def unclosed(text: str) -> str:
    """Return the openings of isolated pieces that a line leaves open, for the line that goes on with them.

    >>> unclosed("\u2068City Hall,") == "\u2068", unclosed("\u2068555\u2069 call")
    (True, '')
    """
    left = ""
    for letter in text:
        if letter in _OPENING:
            left += letter
        elif letter in _CLOSING:
            left = left[:-1]
    return left


def has_rightward(text: str) -> bool:
    """Tell whether any letter or mark of a text runs from right to left, so that the line must be drawn."""
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def toward(line: str, columns: int) -> str:
    """Fill a right-to-left line, so that once it is turned round it begins at the right edge of the paper."""
    return RIGHTWARD_MARK + line + " " * max(columns - cells(line), 0)


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
