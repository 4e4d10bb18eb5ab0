"""What a price tells of itself to somebody who may be a stranger: an invoice that was found by its plate.

Anybody can type any plate.  So such a price keeps its amounts, accounts and rule versions, and loses the words that
say what happened, where and when (domain sheet §11).  It loses them before it is frozen, so that neither the
journal, a restart, the screen nor the paper can bring them back.
"""

from __future__ import annotations

import msgspec

from kiosk.model.invoice import Quote
from kiosk.model.texts import text

#: Why a line is there, where the real reason is nobody's business.
BY_PLATE = text("reason.by_plate")
#: Characters of a number that are shown of it, at most.
_SHOWN = 3


def discreet(quote: Quote) -> Quote:
    """Return a price without its reasons and citations.  Amounts, components and rules stay."""
    lines = tuple(msgspec.structs.replace(line, reason=BY_PLATE, citation="") for line in quote.lines)
    return msgspec.structs.replace(quote, lines=lines)


def is_discreet(quote: Quote) -> bool:
    """Tell whether a price has lost its reasons: it was found by a plate, also before a restart."""
    return any(line.reason == BY_PLATE for line in quote.lines)


def shown_number(quote: Quote) -> str:
    """Return an invoice's number as a screen may show it: of one found by its plate only the end."""
    return masked(quote.number) if is_discreet(quote) else quote.number


def masked(number: str) -> str:
    """Return the end of a number, enough to tell one paper in the hand from another.

    >>> masked("260004175"), masked("12")
    ('…175', '…2')
    """
    shown = min(_SHOWN, len(number) // 2)
    return f"…{number[len(number) - shown :]}"
