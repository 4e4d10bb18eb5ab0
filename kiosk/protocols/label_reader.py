"""From the bytes of one reader to labels and refusals: the rules that hold for every scanner, however it speaks.

A driver adds bytes and says where a scan ends; the reader tells `Scanned` or `ScanRefused`, which never holds any of
the text.  The order of the rules: a driving licence is refused before anything else is looked at; then what was
spoiled, too long, without its configured identifiers, too short; then the debounce.

A licence holds line ends, so a serial line or a wedge delivers it in pieces.  Once its head was seen, all that follows
without half a second's pause is part of it and goes nowhere; the few letters before the file type wait for a moment,
so that one licence is one refusal.
"""

from __future__ import annotations

import msgspec

from kiosk.model.device_events import Scanned, ScanRefused
from kiosk.protocols.label import (
    Debounce,
    ScanBuffer,
    identified,
    is_aim_id,
    is_identity_document,
    may_begin_document,
    text_of,
)

MS = 1_000_000
#: A licence is over when the scanner was silent for so long: far above any pause inside a scan, far below the time a
#: hand needs for another label.
DOCUMENT_QUIET = 500 * MS
IDENTITY_DOCUMENT = "identity_document"


class LabelRules(msgspec.Struct, frozen=True):
    """How labels are taken.  Times in milliseconds (devices sheet §2.1)."""

    #: Shortest and longest label, characters.
    shortest: int = 3
    longest: int = 512
    #: The scanner sends AIM identifiers before the label.
    aim_id: bool = False
    #: What stands before every label, and is taken off; a scan without it lost its beginning.
    prefix: str = ""
    #: The scanner's own code identifiers → AIM identifier; every label begins with one where any is configured.
    code_ids: dict[str, str] = {}
    scan_limit_ms: int = 1_000
    gap_ms: int = 100
    #: What may stand after a label, and is taken off.
    suffix: str = ""
    #: A gap ends a scan.
    by_gap: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest <= 512:
            raise ValueError("min_length must be at least 1, max_length at least that and at most 512")
        if min(self.scan_limit_ms, self.gap_ms) < 10:
            raise ValueError("a time is too short to be meant")
        for mark, aim in self.code_ids.items():
            if not 1 <= len(mark) <= 4 or not is_aim_id(aim):
                raise ValueError('code_ids maps up to four letters to an AIM identifier, like "j" = "]C0"')


class LabelReader:
    """Owns one partial scan; knows nothing of what a label means."""

    def __init__(self, rules: LabelRules, debounce: Debounce) -> None:
        self._rules = rules
        # Four bytes a character at most, and room for prefix and identifiers.
        room = rules.longest * 4 + len(rules.prefix.encode("utf-8", "replace")) + 7
        self._scan = ScanBuffer(room, rules.scan_limit_ms * MS, rules.gap_ms * MS, by_gap=rules.by_gap)
        self._debounce = debounce
        self._spoiled = False
        #: When the scanner last said something of a licence; None while there is none.
        self._document: int | None = None
        #: Letters that may begin a licence (never more than a dozen controls), and what they are if none comes.
        self._head = ""
        self._head_length = 0
        self._head_means: list[Scanned | ScanRefused] = []
        self._head_until = 0
        self._told: list[Scanned | ScanRefused] = []

    @property
    def length(self) -> int:
        """Bytes of the scan that is coming in."""
        return self._scan.length

    def reset(self) -> None:
        """Forget everything: the port was opened or lost."""
        self._scan.clear()
        self._spoiled, self._document = False, None
        self._head, self._head_length, self._head_means = "", 0, []
        self._told.clear()

    def heard(self, now: int) -> None:
        """Something came from the scanner; called before its bytes and ends are taken."""
        self.expire(now)
        if self._document is not None:
            self._document = None if now - self._document >= DOCUMENT_QUIET else now
        self._scan.heard(now)

    def add(self, data: bytes, now: int) -> None:
        """Take bytes of a scan; those of a refused licence are not even kept."""
        if self._document is not None:
            return
        for byte in data:
            self._scan.add(byte, now)

    def spoil(self) -> None:
        """Something in this scan could not be read: the whole of it is refused at its end."""
        self._spoiled = self._spoiled or self._scan.length > 0

    def break_off(self, now: int) -> None:
        """Refuse the scan without waiting for its end, and skip what may still come of it."""
        head, length = self._scan.kept, self._scan.break_off(now)
        self._spoiled = False
        if length and not self._is_document(text_of(head), length, now):
            self._release()
            self._told.append(ScanRefused("broken_off", length))

    def end(self, now: int, symbology: str = "") -> None:
        """The scan is complete; `symbology` is its AIM identifier where it did not come inside it."""
        length, overflowed, spoiled = self._scan.length, self._scan.overflowed, self._spoiled
        text, self._spoiled = text_of(self._scan.take()), False
        if not length or self._is_document(text, length, now):
            return
        if overflowed or spoiled:
            meaning: Scanned | ScanRefused | None = ScanRefused("unknown_key" if spoiled else "too_long", length)
        else:
            meaning = self._meaning(text, symbology, now)
        if may_begin_document(self._head + text):
            self._head, self._head_length = self._head + text, self._head_length + length
            self._head_means += [meaning] if meaning is not None else []
            self._head_until = now + self._rules.gap_ms * MS
            return
        self._release()
        if meaning is not None:
            self._told.append(meaning)

    def expire(self, now: int) -> None:
        """Look at the clock: a gap or the hard limit may end a scan."""
        if self._scan.broken_off(now):
            self.break_off(now)
        elif self._scan.gap_passed(now):
            self.end(now)
        if self._head and now >= self._head_until and not self._scan.length:
            self._release()

    def deadline(self) -> int | None:
        """Return when `expire` is wanted, ns; None for never."""
        ends = self._scan.deadline()
        return self._head_until if self._head and ends is None else ends

    def take(self) -> list[Scanned | ScanRefused]:
        """Hand over what was told."""
        told, self._told = self._told, []
        return told

    def _is_document(self, text: str, length: int, now: int) -> bool:
        if not is_identity_document(text):
            return False
        self._told.append(ScanRefused(IDENTITY_DOCUMENT, length + self._head_length))
        self._head, self._head_length, self._head_means = "", 0, []
        self._document = now
        return True

    def _release(self) -> None:
        self._told += self._head_means
        self._head, self._head_length, self._head_means = "", 0, []

    def _meaning(self, text: str, symbology: str, now: int) -> Scanned | ScanRefused | None:
        rules = self._rules
        if rules.prefix:
            if not text.startswith(rules.prefix):
                return ScanRefused("no_prefix", len(text))
            text = text.removeprefix(rules.prefix)
        text = text.removesuffix(rules.suffix)
        found, label = identified(text) if rules.aim_id and not symbology else ("", text)
        symbology = symbology or found
        if rules.code_ids and not symbology:
            mark = next((each for each in sorted(rules.code_ids, key=len, reverse=True) if label.startswith(each)), "")
            if not mark:
                return ScanRefused("no_code_id", len(label))
            symbology, label = rules.code_ids[mark], label[len(mark) :]
        if is_identity_document(label):
            self._document = now
            return ScanRefused(IDENTITY_DOCUMENT, len(label))
        if not rules.shortest <= len(label) <= rules.longest:
            return ScanRefused("too_short" if len(label) < rules.shortest else "too_long", len(label))
        return Scanned(label, symbology) if self._debounce.is_new(label, now) else None
