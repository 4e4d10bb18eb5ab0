"""EBDS codes: message types, the bits of command and reply, extended subtypes, auxiliary queries (sheet §2, §4 to §7).

A message type, subtype or query that no table holds becomes an explicit `Unknown`, never an exception and never a
guess.  Bits that the sheet does not name stay in the numbers, so that they can be told as they came.
"""

from __future__ import annotations

import enum

import msgspec


class MessageType(enum.IntEnum):
    """Bits 4 to 6 of CTL (sheet §2)."""

    #: Host: three bytes of command, the poll.  Coming back to the host it is an echo (§3).
    COMMAND = 1
    #: Device: six bytes of status.
    REPLY = 2
    #: Host: a command with a bookmark.
    BOOKMARK = 3
    CALIBRATE = 4
    FLASH_DOWNLOAD = 5
    #: Both: a question about the unit, and its answer without status bytes.
    AUXILIARY = 6
    #: Both: the first data byte is the `Subtype`.
    EXTENDED = 7


class Subtype(enum.IntEnum):
    """First data byte of an extended message (sheet §6)."""

    #: Device only: a barcode ticket in escrow.
    BARCODE = 0x01
    #: A row of the note table; in events the note in escrow or stacked, with index 0.
    NOTE = 0x02
    #: Seven notes a byte, a set bit enables; to be sent only while the unit is idle.
    INHIBITS = 0x03
    #: Notes and barcodes, 1 to 127 seconds each, 0 for none.
    ESCROW_TIMEOUT = 0x04
    #: Which note each of the values 1 to 7 means.
    VALUE_TABLE = 0x06
    #: Tell when the customer took the returned note.
    NOTE_RETRIEVED = 0x0B
    BOOKMARK = 0x0D
    CLEAR_AUDIT = 0x1D


class Query(enum.IntEnum):
    """Third data byte of an auxiliary message (sheet §7)."""

    SOFTWARE_CRC = 0x00
    CASHBOX_TOTAL = 0x01
    RESET_COUNT = 0x02
    CLEAR_TOTAL = 0x03
    ACCEPTOR_TYPE = 0x04
    SERIAL_NUMBER = 0x05
    BOOT_PART_NUMBER = 0x06
    APPLICATION_PART_NUMBER = 0x07
    VARIANT_NAME = 0x08
    VARIANT_PART_NUMBER = 0x09
    CAPABILITIES = 0x0D
    APPLICATION_ID = 0x0E
    VARIANT_ID = 0x0F
    #: With 7F 7F before it: restart, without a reply.
    SOFT_RESET = 0x7F


class Operation(enum.IntFlag):
    """Second byte of a command (sheet §4)."""

    #: Obsolete: the unit sends one `ENQ` on a change.
    INTERRUPT = 0x01
    #: Obsolete.
    HIGH_SECURITY = 0x02
    #: Two bits: 0 one way, 1 two ways, 2 and 3 all four.
    ORIENTATION = 0x0C
    ESCROW = 0x10
    #: Never together with RETURN; only in one new command and in its repeats.
    STACK = 0x20
    RETURN = 0x40


class Setting(enum.IntFlag):
    """Third byte of a command (sheet §4)."""

    NO_PUSH = 0x01
    BARCODE = 0x02
    #: Two bits: see `PowerUpPolicy`.
    POWER_UP_POLICY = 0x0C
    EXTENDED_NOTE = 0x10
    EXTENDED_COUPON = 0x20


class PowerUpPolicy(enum.IntEnum):
    """What the unit does with a note that a power cut caught (sheet §8)."""

    #: Past escrow: stacked, no value told; at escrow: not established.
    A = 0
    #: At escrow: held, out of order; past escrow: stacked, with its value (inferred).
    B = 1
    #: At escrow as B; past escrow: stacked, no value told.
    C = 2


class State(enum.IntFlag):
    """First status byte; all zero is out of service.  STACKED and RETURNED are events, perhaps with IDLING (§5)."""

    IDLING = 0x01
    ACCEPTING = 0x02
    ESCROWED = 0x04
    STACKING = 0x08
    STACKED = 0x10
    RETURNING = 0x20
    RETURNED = 0x40


class Condition(enum.IntFlag):
    """Second status byte.  CHEATED and REJECTED stay set for several polls: act on their edges (§5)."""

    CHEATED = 0x01
    REJECTED = 0x02
    JAMMED = 0x04
    STACKER_FULL = 0x08
    CASSETTE_ATTACHED = 0x10
    PAUSED = 0x20
    CALIBRATION = 0x40


class Report(enum.IntFlag):
    """Third status byte."""

    POWER_UP = 0x01
    INVALID_COMMAND = 0x02
    FAILURE = 0x04
    #: Three bits, 1 to 7: the note in escrow or stacked, where extended reporting is off.
    NOTE_VALUE = 0x38
    #: Once after power-up, if the path was opened while off.
    TRANSPORT_OPEN = 0x40


class Facility(enum.IntFlag):
    """Fourth status byte."""

    STALLED = 0x01
    FLASH_DOWNLOAD = 0x02
    PRE_STACK = 0x04
    RAW_BARCODE = 0x08
    CAPABILITIES = 0x10
    DISABLED = 0x20


class Classification(enum.IntEnum):
    """What the unit thinks of a note, in a note record (§6)."""

    NONE = 0
    UNIDENTIFIED = 1
    SUSPECT_COUNTERFEIT = 2
    SUSPECT_ZERO_VALUE = 3
    GENUINE = 4


class Unknown(msgspec.Struct, frozen=True):
    """A code that the tables do not hold: to be recorded and never to be taken for money."""

    code: int

    @property
    def name(self) -> str:
        """Return a name for people."""
        return f"UNKNOWN_{self.code:02X}"


#: The byte of the obsolete interrupt mode, alone on the line.
ENQ = 0x05
#: How many data bytes a command and a reply have.
COMMAND_BYTES, STATUS_BYTES = 3, 6
#: Position of the note value in the third status byte.
NOTE_VALUE_SHIFT = 3
#: Positions of the two-bit fields of a command.
ORIENTATION_SHIFT, POWER_UP_POLICY_SHIFT = 2, 2
#: Highest note value of the non-extended mode; bit n - 1 of the first command byte enables value n.
MAX_NOTE_VALUE = 7
#: First command byte in extended mode: everything, or nothing; single notes by `Subtype.INHIBITS` (§4).
ENABLED, DISABLED = 0x7F, 0x00
#: Data bytes of the enable mask: 8 on CashFlow SC (notes 1 to 50), 19 on SC Advanced and SCR (1 to 128) (§6).
SHORT_MASK, LONG_MASK = 8, 19
#: Highest note of either mask.
SHORT_MASK_NOTES, LONG_MASK_NOTES = 50, 128
#: Last data byte of a note-retrieved message: the customer took the note; the other is not established (§6, §9).
RETRIEVED, RETRIEVED_UNKNOWN = 0x7F, 0x7E
#: Model numbers of the fifth status byte that the sheet names (§5).
MODELS = {0x54: "CashFlow SC83 or SC Advanced", 0x55: "CashFlow SC66"}


def message_type(code: int) -> MessageType | Unknown:
    """Name a message type; 0 is none.

    >>> message_type(1).name, message_type(0).name
    ('COMMAND', 'UNKNOWN_00')
    """
    try:
        return MessageType(code)
    except ValueError:
        return Unknown(code)


def subtype(code: int) -> Subtype | Unknown:
    """Name the subtype of an extended message."""
    try:
        return Subtype(code)
    except ValueError:
        return Unknown(code)


def query(code: int) -> Query | Unknown:
    """Name an auxiliary query."""
    try:
        return Query(code)
    except ValueError:
        return Unknown(code)
