"""How many plates may be looked up in a row: whoever tries one after the other finds the choice closed for a while.

What a plate finds is told to a stranger (domain sheet §11), so nobody may ask for many.  Counted is each search since
the last payment; one that is refused counts no more, so that the choice opens again by itself.  The
count is forgotten with a restart, which nobody in front of a kiosk can bring about; no plate is kept.
"""

from __future__ import annotations

from collections import deque

from kiosk.checkout.settings import CheckoutSettings
from kiosk.model.instant import NS


class PlateLimit:
    """Owns the times of the last searches."""

    def __init__(self, settings: CheckoutSettings) -> None:
        self._most = settings.plate_searches
        self._span_ns = settings.plate_minutes * 60 * NS
        self._times: deque[int] = deque()
        self._payments = 0

    def allows(self, now_ns: int, payments: int) -> bool:
        """Tell whether a plate may be looked up now, and count it; `payments` is how many there were ever."""
        if payments != self._payments:
            self._payments = payments
            self._times.clear()
        while self._times and now_ns - self._times[0] >= self._span_ns:
            self._times.popleft()
        if len(self._times) >= self._most:
            return False
        self._times.append(now_ns)
        return True
