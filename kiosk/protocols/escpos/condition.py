"""From status bits to exactly one state (devices sheet §1.4, a house rule; first match wins).

Unknown is never ok: a byte that fails its mask, or a missing byte, gives ``unknown``.  The raw bytes stay beside the
state in whatever is reported.  A trap: 0x0C is "near end" in ``10 04 04`` and "end" in ``1D 72 01`` and in automatic
status.
"""

from __future__ import annotations

from kiosk.protocols.escpos.status import is_real_time

#: Every state, in the order of the table, with its severity.
SEVERITY = {
    "unknown": "unknown",
    "fatal": "fault",
    "cutter": "fault",
    "head_hot": "warn",
    "cover": "fault",
    "paper_out": "fault",
    "offline": "fault",
    "near_end": "warn",
    "ok": "ok",
}
STATES = tuple(SEVERITY)
#: States in which a job may begin.
PRINTABLE = frozenset({"ok", "near_end"})
#: States in which a job that has begun cannot end well.  Head hot and off-line may pass within its time limit.
HOPELESS = frozenset({"fatal", "cutter", "cover", "paper_out"})

#: Bits of Custom's full status [KPM150-H p. 10, KPM210/216 p. 36]; the jam is *(recalled)*, so a profile can mask it.
FULL_PAPER_END, FULL_NEAR_END, FULL_IN_MOUTH = 0x01, 0x44, 0x20
#: Head up or cover open; LF or FF key pressed.
FULL_COVER, FULL_KEYS = 0x03, 0x60
FULL_HEAD_HOT, FULL_VOLTAGE, FULL_JAM = 0x01, 0x08, 0x40
#: Of the unrecoverable errors the only one with a state of its own *(recalled)*.
FULL_CUTTER = 0x01
#: The bits that count unless a profile says otherwise.  Of the last byte, unrecoverable errors, every bit does.
FULL_STATUS_MASK = 0x4563_49FF


def from_real_time(answers: bytes, *, mechanical_harmless: bool = False, near_end_sensor: bool = True) -> str:
    """Name the state that the answers to ``10 04 1..4`` tell, in that order.

    `mechanical_harmless`: the model's profile says that bit 0x04 of answer 3 means nothing.
    `near_end_sensor`: the model has one; without it those bits are noise.

    >>> from_real_time(bytes.fromhex("1A 32 12 7E"))
    'paper_out'
    """
    if len(answers) != 4 or not all(map(is_real_time, answers)):
        return "unknown"
    printer, cause, error, roll = answers
    if error & 0x20 or (error & 0x04 and not mechanical_harmless):
        return "fatal"
    if error & 0x08:
        return "cutter"
    if error & 0x40:
        return "head_hot"
    if cause & 0x04:
        return "cover"
    if roll & 0x60 or cause & 0x20:
        return "paper_out"
    if printer & 0x08 or cause & 0x08 or cause & 0x40:
        return "offline"
    return "near_end" if roll & 0x0C and near_end_sensor else "ok"


def from_automatic(group: bytes, *, near_end_sensor: bool = True) -> str:
    """Name the state that one group of automatic status tells, in the same order.

    >>> from_automatic(bytes.fromhex("10 00 03 00"))
    'near_end'
    """
    if len(group) != 4 or group[0] & 0x93 != 0x10 or any(byte & 0x90 for byte in group[1:]):
        return "unknown"
    first, error, roll = group[0], group[1], group[2]
    if error & 0x20:
        return "fatal"
    if error & 0x08:
        return "cutter"
    if error & 0x40:
        return "head_hot"
    if first & 0x20:
        return "cover"
    if roll & 0x0C:
        return "paper_out"
    if first & 0x48 or error & 0x07:
        return "offline"
    return "near_end" if roll & 0x03 and near_end_sensor else "ok"


def from_full_status(told: bytes, mask: int = FULL_STATUS_MASK) -> str:
    """Name the state that the four bytes after ``10 0F`` tell: paper, user, recoverable, unrecoverable.

    >>> from_full_status(bytes.fromhex("24000000"))
    'near_end'
    """
    if len(told) != 4:
        return "unknown"
    paper, user, recoverable, fatal = (int.from_bytes(told, "big") & mask).to_bytes(4, "big")
    if fatal & ~FULL_CUTTER or recoverable & FULL_JAM:
        return "fatal"
    if fatal:
        return "cutter"
    if recoverable & FULL_HEAD_HOT:
        return "head_hot"
    if user & FULL_COVER:
        return "cover"
    if paper & FULL_PAPER_END:
        return "paper_out"
    if user & FULL_KEYS or recoverable & FULL_VOLTAGE:
        return "offline"
    return "near_end" if paper & FULL_NEAR_END else "ok"


def worse(one: str, other: str) -> str:
    """Return the one of two states that comes first in the table.

    >>> worse("near_end", "cover"), worse("ok", "unknown")
    ('cover', 'unknown')
    """
    return min(one, other, key=STATES.index)


def from_port_status(answer: bytes) -> str:
    """Name the state that USB's GET_PORT_STATUS tells: the status of last resort (devices sheet §1.8).

    0x20 paper empty, 0x10 selected, 0x08 no error; it knows neither cover nor cutter nor near end.

    >>> from_port_status(b"\\x18")
    'ok'
    """
    if len(answer) != 1:
        return "unknown"
    if answer[0] & 0x20:
        return "paper_out"
    return "ok" if answer[0] & 0x18 == 0x18 else "offline"


def paper_is_out(queued: int) -> bool:
    """Tell whether the answer to ``1D 72 01`` shows the roll's end: the last lines were then printed on nothing."""
    return queued & 0x0C != 0
