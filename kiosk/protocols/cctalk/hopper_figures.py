"""How many coins left the hopper: the counters before and after an order, and the verdict (ccTalk sheet §10).

Three figures speak: the event counter (one further for each dispense, 0 after a reset), paid and unpaid of the last
dispense (kept over a power cut), and the lifetime count of header 168, where the unit has it.  An order to pay is never
repeated because its reply was lost; what became of it is judged from these figures alone.

Rules that must stay true: a figure is certain only where nothing contradicts it; where figures contradict each other
the verdict names the least and the most, and a person decides.  Some units count the event of a refused order too
(``[?]``), so the event counter alone proves no payment where the lifetime count is there to ask.
"""

from __future__ import annotations

import re

import msgspec

from kiosk.protocols.cctalk.event_buffer import MAX_COUNTER, next_counter
from kiosk.protocols.cctalk.payloads import HopperStatus

#: The lifetime count has three bytes.
_COUNT_WRAP = 1 << 24
_MARK = re.compile(r"([0-9]{1,10}|-):([0-9]{1,3}):([0-9]{1,3}):([0-9]{1,3}):([0-9]{1,8}|-):([0-9]{1,9})")


class HopperMark(msgspec.Struct, frozen=True):
    """Where the counters stood; as text it is stored before an order goes out and comes back after a restart."""

    #: Serial number of the hopper, None where it tells none.
    serial: int | None
    counter: int
    paid: int
    unpaid: int
    #: Lifetime count, None where the unit has none.
    count: int | None
    #: Coins of the same payout that earlier orders paid.
    done: int = 0

    def __str__(self) -> str:
        serial, count = ("-" if value is None else value for value in (self.serial, self.count))
        return f"{serial}:{self.counter}:{self.paid}:{self.unpaid}:{count}:{self.done}"

    @classmethod
    def parse(cls, text: str) -> HopperMark | None:
        """Read a mark; None for anything else.

        >>> str(HopperMark.parse("345678:12:3:0:-:0"))
        '345678:12:3:0:-:0'
        """
        match = _MARK.fullmatch(text)
        if not match:
            return None
        serial, count = (None if part == "-" else int(part) for part in (match[1], match[5]))
        counter, paid, unpaid, done = (int(match[at]) for at in (2, 3, 4, 6))
        return cls(serial, counter, paid, unpaid, count, done) if max(counter, paid, unpaid) <= MAX_COUNTER else None


class Verdict(msgspec.Struct, frozen=True):
    """What became of one order."""

    #: Coins that left for certain, and that may have left; the same where the figures are certain.
    at_least: int
    at_most: int
    #: Nothing contradicts them.
    certain: bool = False
    #: Coins are still being paid; the other figures mean nothing yet.
    running: bool = False
    #: The unit carried the order out, whatever came of it.
    executed: bool = True


def _paid(coins: int, *, executed: bool = True) -> Verdict:
    return Verdict(coins, coins, certain=True, executed=executed)


def judge(
    before: HopperMark,
    status: HopperStatus,
    count: int | None,
    coins: int,
    *,
    refused: bool = False,
    refusals_count: bool = True,
    keeps_figures: bool = True,
    disabled: bool = False,
) -> Verdict:
    """Say what became of an order of `coins`, from the figures before and after it.

    `refused` says that the unit answered NAK; `refusals_count` that units may count the event of a refused order;
    `keeps_figures` that paid and unpaid outlive a power cut; `disabled` that the unit, which was enabled for the order,
    is not any more, as behind a power cut (ccTalk sheet §10).
    """
    if status.remaining:
        return Verdict(0, coins, running=True)
    same = status.counter == before.counter
    followed = status.counter == next_counter(before.counter)
    reset = status.counter == 0
    unchanged = (status.paid, status.unpaid) == (before.paid, before.unpaid)
    left = None if before.count is None or count is None else (count - before.count) % _COUNT_WRAP
    if reset and not keeps_figures and not left:
        return Verdict(0, coins)
    if left is not None:
        if left == 0 and (unchanged or status.paid == 0):
            return _paid(0, executed=followed and not unchanged)
        if left == status.paid <= coins and (same or followed or reset):
            return _paid(left)
        least = min(left, status.paid, coins) if same or followed or reset else 0
        return Verdict(least, min(max(left, status.paid), coins))
    whole = status.paid + status.unpaid == coins or (status.unpaid == 0 and status.paid <= coins)
    if unchanged and same and reset and disabled and whole and status.paid and not refused:
        return Verdict(0, coins)  # paid like the dispense before, and the counter put back
    if (unchanged and same) or (refused and (unchanged or status.paid == 0)):
        return _paid(0, executed=False)
    if not whole or not (same or followed or reset) or refused:
        return Verdict(0, coins)
    if unchanged and (reset or refusals_count):  # what it shows may be the dispense before
        return Verdict(0, coins)
    return _paid(status.paid)
