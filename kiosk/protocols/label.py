"""What all scanners share: the bounded partial scan, the AIM identifier, the debounce of a ticket that is held there,
and the one place that knows a driving licence.

Limits are house rules of the devices sheet §2.1: 100 ms gap (only without a terminator), 1 s and 512 characters at
most, 2 s debounce.  Nothing here keeps a label longer than needed: the debounce remembers one.
"""

from __future__ import annotations

import re

#: Lengths above this are not counted any further.
_COUNT_LIMIT = 1_000_000

#: The head of AAMVA data, as the PDF417 of a driving licence or identity card carries it: ``@``, LF, RS, CR, the file
#: type and six digits of its issuer.  A wedge or a serial line may lose the controls, put identifiers before it, or cut
#: it at each line end; so what stands at the beginning of a piece is enough, and anywhere else a little more is asked.
_DOCUMENT = re.compile(
    r"\A[^@]{0,8}@[\x00-\x20]{0,8}(?:ANSI|AAMVA)[ 0-9]|\A[\x00-\x20]{0,8}(?:ANSI|AAMVA)[ 0-9]"
    r"|@[\x00-\x20]{1,8}(?:ANSI|AAMVA)[ 0-9]|(?:ANSI ?|AAMVA)[0-9]{6}",
    re.IGNORECASE,
)
_DOCUMENT_HEAD = re.compile(r"\x02?(?:\][A-Za-z][0-9A-Za-z])?@?[\n\r\x1c\x1e ]{0,8}")


def is_identity_document(text: str) -> bool:
    """Tell whether a scan is the data of a driving licence or identity card (AAMVA), which no scanner hands on.

    >>> is_identity_document("]L2@\\n\\x1e\\rANSI 636000090002DL"), is_identity_document("4711@example.org")
    (True, False)
    """
    return _DOCUMENT.search(text) is not None


def may_begin_document(text: str) -> bool:
    """Tell whether a piece of a scan is what stands before the file type of a licence, and nothing else."""
    return text != "" and _DOCUMENT_HEAD.fullmatch(text) is not None


class ScanBuffer:
    """Owns the scan that is coming in: at most `limit` bytes, for at most `longest_ns`; counts what it drops.

    A scan that was broken off is not followed by its own tail: everything is skipped, ends of lines too, until the
    line was quiet for `quiet_ns`, because the next line may belong to the same label.  With `by_gap` such a quiet also
    ends a scan; otherwise gaps mean nothing.
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

    @property
    def kept(self) -> bytes:
        """What is kept of the scan so far."""
        return bytes(self._bytes)

    def heard(self, now: int) -> None:
        """Something came, be it a letter or an end."""
        if self._skipping:
            self._skipping = now - self._latest < self._quiet
            self._latest = now

    def add(self, byte: int, now: int) -> None:
        """Take one byte."""
        self.heard(now)
        if self._skipping:
            return
        if not self.length:
            self._began = now
        self._latest = now
        self.length = min(self.length + 1, _COUNT_LIMIT)
        if self.length <= self._limit:
            self._bytes.append(byte)

    def take(self) -> bytes:
        """Return the scan and begin anew; what is being skipped goes on being skipped."""
        data = bytes(self._bytes)
        self.length = 0
        self._bytes.clear()
        return data

    def clear(self) -> None:
        """Throw the scan away and begin anew."""
        self._skipping = False
        self.take()

    def break_off(self, now: int) -> int:
        """Throw the scan away together with what may still come of it; return how long it was."""
        length = self.length
        self.take()
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


def text_of(raw: bytes) -> str:
    """Return the text of a scan: UTF-8 where it is, else one letter a byte.

    >>> text_of("Cádiz".encode()), text_of(b"\\xe4")
    ('Cádiz', 'ä')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def is_aim_id(text: str) -> bool:
    """Tell whether these are the three letters of an AIM identifier.

    >>> is_aim_id("]C0"), is_aim_id("C0]")
    (True, False)
    """
    return len(text) == 3 and text[0] == "]" and text.isascii() and text[1].isalpha() and text[2].isalnum()


def identified(text: str) -> tuple[str, str]:
    """Return the AIM identifier before a label ("" for none) and the label.

    >>> identified("]C04711"), identified("4711")
    ((']C0', '4711'), ('', '4711'))
    """
    return (text[:3], text[3:]) if is_aim_id(text[:3]) else ("", text)
