"""What a unit tells only under a number is believed when it says it twice.

ccTalk replies carry neither a header nor a number (ccTalk sheet §2): a reply that comes late, or twice, looks like the
answer to the next question, and a table read that way has every value one place further.  So a table that money hangs
on is read twice, up and down: what moved one reading by a place moves the other in the opposite direction.  Both
readings must agree.
"""

from __future__ import annotations

from collections.abc import Iterable


def agreed(replies: Iterable[tuple[bytes, bytes]]) -> tuple[dict[int, bytes], str]:
    """Return answers by the number that was asked, and a problem ("" for none); each must have come twice, alike.

    >>> agreed([(b"\\x01", b"EU005A"), (b"\\x01", b"EU005A")])
    ({1: b'EU005A'}, '')
    >>> agreed([(b"\\x01", b"EU005A"), (b"\\x01", b"EU010A")])[1]
    'number 1 was told as EU005A and as EU010A'
    """
    told: dict[int, list[bytes]] = {}
    for asked, data in replies:
        told.setdefault(asked[0], []).append(data)
    for number, texts in told.items():
        words = [text.decode("ascii", "backslashreplace") for text in texts]
        if len(set(texts)) > 1:
            return {}, f"number {number} was told as {words[0]} and as {next(w for w in words if w != words[0])}"
        if len(texts) < 2:
            return {}, f"number {number} was told only once, as {words[0]}"
    return {number: texts[0] for number, texts in told.items()}, ""
