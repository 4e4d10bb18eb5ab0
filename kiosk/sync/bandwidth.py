"""A token bucket: how much of the line the journal and the reference data may take."""

from __future__ import annotations

#: What may go at once after a pause: this long at the full rate, nanoseconds.
BURST_NS = 1_000_000_000
_NS_A_BYTE_AT_1_KBIT = 8_000_000


class Bandwidth:
    """A rate in kilobits a second; 0 is no limit.  What went is paid for afterwards, so a message is never cut."""

    def __init__(self, kilobits: int) -> None:
        self._ns_a_byte = _NS_A_BYTE_AT_1_KBIT // kilobits if kilobits else 0
        #: When everything that went is paid for, monotonic nanoseconds.
        self._paid_ns = 0

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._ns_a_byte)

    def free_at(self) -> int:
        """Return when the next message may go, monotonic nanoseconds."""
        return self._paid_ns - BURST_NS

    def is_free(self, now: int) -> bool:
        """Tell whether a message may go now."""
        return not self._ns_a_byte or now >= self.free_at()

    def spend(self, size: int, now: int) -> None:
        """So many bytes went."""
        self._paid_ns = max(self._paid_ns, now) + size * self._ns_a_byte

    def most_bytes(self, wanted: int) -> int:
        """Return the size of a batch that does not hold the line for much longer than the burst."""
        return min(wanted, max(BURST_NS // self._ns_a_byte, 2048)) if self._ns_a_byte else wanted
