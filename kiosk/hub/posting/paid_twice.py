"""What a payment was worth to its invoice when several kiosks took money for it without knowing of one another.

Every tender stands: the cash is in a box and the receipt is in somebody's hand.  But an invoice takes no more than was
owed, and what came second in the merge order comes above it.  That excess is the citizen's, and a case for a person.

What was owed is told by the settlements alone, by their own prices at their own tender instants: what the kiosk knew
to be paid (`knew`, the quote's `paid_minor`) + what it applied + what it left open.  An import that changes later
changes nothing here, so a rebuild comes to the same cent.  Money that came in elsewhere (the counter, a cheque) is in
`knew` too; what the first settlement knew, less what was posted by then, is the *base*, and the rest is about kiosks.

The rule, settlement by settlement in the merge order, with N = what counts as paid at kiosks so far:

1. The first one: base = knew, owed = applied + remaining.  Nothing of it is excess.
2. One that knew of all that was posted (knew - base >= N): its price is the newest word.  owed = N + applied +
   remaining, e.g. with the late fee that came after a part payment.  What it knew beyond N came in elsewhere: the base
   grows.
3. One that did not know of everything, while the invoice is not paid in full: owed = the price it told, knew - base +
   applied + remaining, but never less than N.  What exceeds owed - N is excess.
4. One that did not know of everything, after the invoice was paid in full: all of it is excess.  A late fee in its
   price is not owed: the fee clock stopped when the invoice was paid, however late that became known.
5. Where a price cannot be told (the frozen quote is in quarantine), owed stays what the first one told.

    >>> first, excess = weigh(None, 5000, 0, 0)      # 50.00 owed, kiosk A takes 50.00
    >>> first, excess
    (Standing(owed=5000, paid=5000, base=0), 0)
    >>> weigh(first, 5000, 0, 0)                     # kiosk B, offline, takes 50.00 as well: all of it above
    (Standing(owed=5000, paid=5000, base=0), 5000)
    >>> weigh(first, 6000, 0, 0)                     # kiosk B, offline for weeks, with a late fee of 10.00: all of it
    (Standing(owed=5000, paid=5000, base=0), 6000)
    >>> part, _ = weigh(None, 2000, 3000, 0)         # A takes 20.00 of 50.00 …
    >>> weigh(part, 5000, 0, 0)                      # … and B, offline, the whole: 20.00 above
    (Standing(owed=5000, paid=5000, base=0), 2000)
    >>> weigh(part, 2000, 3000, 0)                   # … or B, offline, a part: 40.00 paid, nothing above
    (Standing(owed=5000, paid=4000, base=0), 0)
    >>> weigh(part, 4000, 0, 2000)                   # … or B, online, the rest with the late fee that came since
    (Standing(owed=6000, paid=6000, base=0), 0)
    >>> weigh(part, 2000, 0, 3000)                   # … or B, online, after 10.00 came in at the counter
    (Standing(owed=4000, paid=4000, base=1000), 0)

In whatever order they come, what counts as paid never exceeds what is owed, and paid + all excess = all that was taken.
A cheque that bounces lets `knew` fall and looks like a kiosk that does not know: the case is then a question too many,
and never money kept without a word.
"""

from __future__ import annotations

from typing import NamedTuple


class Standing(NamedTuple):
    """How an invoice stands at the kiosks, minor units."""

    #: Owed to the kiosks in all.
    owed: int
    #: What counts as paid: applied less excess; never above `owed`.
    paid: int
    #: What was paid elsewhere, as far as the settlements knew; None where the first price cannot be told.
    base: int | None


def weigh(standing: Standing | None, applied: int, remaining: int, knew: int | None) -> tuple[Standing, int]:
    """Return how an invoice stands after a settlement, and how much of what was applied is excess."""
    if standing is None:
        return Standing(applied + remaining, applied, knew), 0
    owed, paid, base = standing
    if knew is not None and base is not None:
        known = knew - base
        if known >= paid:
            base += known - paid
            owed = paid + applied + remaining
        elif paid < owed:
            owed = max(paid, known + applied + remaining)
    excess = min(applied, max(0, paid + applied - owed))
    return Standing(owed, paid + applied - excess, base), excess


def undo(standing: Standing, applied: int, excess: int) -> Standing:
    """Return how an invoice stands when a settlement is reversed: what counted of it counts no more."""
    return standing._replace(paid=standing.paid - (applied - excess))
