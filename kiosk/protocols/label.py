"""What all scanners share: the bounded partial scan, the AIM identifier, the debounce of a ticket that is held there.

Limits are house rules of the devices sheet §2.1: 100 ms gap (only without a terminator), 1 s and 512 characters at
most, 2 s debounce.  Nothing here keeps a label longer than needed: the debounce remembers one.
"""

from __future__ import annotations

#: Lengths above this are not counted any further.
_COUNT_LIMIT = 1_000_000


class ScanBuffer:
    """Owns the scan that is coming in: at most `limit` bytes, for at most `longest_ns`; counts what it drops.

    A scan that was broken off is not followed by its own tail: bytes are skipped until `take`, or until the line was
    quiet for `quiet_ns`.  With `by_gap` such a quiet also ends a scan; otherwise gaps mean nothing.
    """

    def __init__(self, limit: int, longest_ns: int, quiet_ns: int, *, by_gap: bool) -> None:
        self._limit, self._longest, self._quiet = limit, longest_ns, quiet_ns
        self._gap = quiet_ns if by_gap else 0
        self._bytes = bytearray()
        self._began = self._latest = 0
        self._skipping = False
        #: Bytes that came, kept or not.
        self.length = 0

    @property
    def overflowed(self) -> bool:
        """True where more came than is kept."""
        return self.length > self._limit

    def add(self, byte: int, now: int) -> None:
        """Take one byte."""
        if self._skipping and now - self._latest < self._quiet:
            self._latest = now
            return
        self._skipping = False
        if not self.length:
            self._began = now
        self._latest = now
        self.length = min(self.length + 1, _COUNT_LIMIT)
        if self.length <= self._limit:
            self._bytes.append(byte)

    def take(self) -> bytes:
        """Return the scan and begin anew."""
        data = bytes(self._bytes)
        self.clear()
        return data

    def clear(self) -> None:
        """Throw the scan away and begin anew."""
        self.length, self._skipping = 0, False
        self._bytes.clear()

    def break_off(self, now: int) -> int:
        """Throw the scan away together with what may still come of it; return how long it was."""
        length = self.length
        self.clear()
        self._skipping, self._latest = True, now
        return length

    def broken_off(self, now: int) -> bool:
        """Tell whether the hard time limit of a scan has passed."""
        over = self.length > 0 and now - self._began >= self._longest
        return over and not (self._gap and self._latest + self._gap <= self._began + self._longest)

    def gap_passed(self, now: int) -> bool:
        """Tell whether a gap ends the scan; never where gaps mean nothing."""
        return self.length > 0 and self._gap > 0 and now - self._latest >= self._gap

    def deadline(self) -> int | None:
        """Return when the scan ends by time, ns; None while there is none."""
        if not self.length:
            return None
        hard = self._began + self._longest
        return min(hard, self._latest + self._gap) if self._gap else hard


class Debounce:
    """Remembers the last label and when it was last seen."""

    def __init__(self, window_ns: int) -> None:
        self._window = window_ns
        self._label: str | None = None
        self._at = 0

    def is_new(self, label: str, now: int) -> bool:
        """Tell whether this is another label, or the same after a pause; each sight renews the pause."""
        new = label != self._label or now - self._at >= self._window
        self._label, self._at = label, now
        return new


def label_of(raw: bytes, *, aim_id: bool) -> tuple[str, str]:
    """Return AIM identifier ("" for none) and text of a scan.  UTF-8 where it is, else one letter a byte.

    >>> label_of(b"]C04711", aim_id=True), label_of(b"]C04711", aim_id=False)
    ((']C0', '4711'), ('', ']C04711'))
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    head = text[:3]
    if aim_id and len(head) == 3 and head[0] == "]" and head[1].isascii() and head[1].isalpha() and head[2].isalnum():
        return head, text[3:]
    return "", text
