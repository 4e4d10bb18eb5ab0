"""SSP codes: commands, generic responses, poll events with their sizes, reject reasons (SSP sheet §5, §6, §8, §11).

Nothing on the wire tells how long an event is, so `EVENTS` is the place on which every poll reply depends: a code that
is not in it, or whose size no text gives, ends the reading.  Sizes differ by the protocol version in force and, for
E6, between units that read notes and units that pay out; both are asked for, never assumed.
"""

from __future__ import annotations

import enum

import msgspec


class Command(enum.IntEnum):
    """What the host may send (sheet §6); payout commands are out of scope for a unit that only takes notes."""

    RESET = 0x01
    SET_INHIBITS = 0x02
    DISPLAY_ON = 0x03
    DISPLAY_OFF = 0x04
    SETUP_REQUEST = 0x05
    HOST_PROTOCOL_VERSION = 0x06
    POLL = 0x07
    REJECT = 0x08
    DISABLE = 0x09
    ENABLE = 0x0A
    GET_SERIAL_NUMBER = 0x0C
    UNIT_DATA = 0x0D
    CHANNEL_VALUES = 0x0E
    CHANNEL_SECURITY = 0x0F
    CHANNEL_RETEACH = 0x10
    SYNC = 0x11
    LAST_REJECT_CODE = 0x17
    HOLD = 0x18
    ENABLE_HIGHER_PROTOCOL = 0x19
    FIRMWARE_VERSION = 0x20
    DATASET_VERSION = 0x21
    GET_ALL_LEVELS = 0x22
    GET_BARCODE_CONFIGURATION = 0x23
    SET_BARCODE_CONFIGURATION = 0x24
    GET_BARCODE_INHIBIT = 0x25
    SET_BARCODE_INHIBIT = 0x26
    GET_BARCODE_DATA = 0x27
    SET_GENERATOR = 0x4A
    SET_MODULUS = 0x4B
    REQUEST_KEY_EXCHANGE = 0x4C
    SET_BAUD_RATE = 0x4D
    GET_BUILD_REVISION = 0x4F
    CONFIGURE_BEZEL = 0x54
    POLL_WITH_ACK = 0x56
    EVENT_ACK = 0x57
    GET_COUNTERS = 0x58
    RESET_COUNTERS = 0x59
    SET_ENCRYPTION_KEY = 0x60
    ENCRYPTION_RESET = 0x61


#: The two commands that hand out events, and accept the note that the last one showed in escrow.
POLLS = (Command.POLL, Command.POLL_WITH_ACK)
#: Commands of a key exchange; they go in clear, also while a session exists (sheet §13).
KEY_EXCHANGE = (Command.SET_GENERATOR, Command.SET_MODULUS, Command.REQUEST_KEY_EXCHANGE)
#: The least and the most bytes after each code; a count outside is answered by `Response.WRONG_PARAMETERS`.
PARAMETERS: dict[int, tuple[int, int]] = {
    Command.SET_INHIBITS: (1, 3),
    Command.HOST_PROTOCOL_VERSION: (1, 1),
    Command.GET_SERIAL_NUMBER: (0, 1),
    Command.SET_BARCODE_CONFIGURATION: (3, 3),
    Command.SET_BARCODE_INHIBIT: (1, 1),
    Command.SET_GENERATOR: (8, 8),
    Command.SET_MODULUS: (8, 8),
    Command.REQUEST_KEY_EXCHANGE: (8, 8),
    Command.SET_BAUD_RATE: (2, 2),
    Command.CONFIGURE_BEZEL: (4, 5),
    Command.SET_ENCRYPTION_KEY: (8, 8),
}


class Response(enum.IntEnum):
    """The first byte of every reply (sheet §5)."""

    OK = 0xF0
    COMMAND_NOT_KNOWN = 0xF2
    WRONG_PARAMETERS = 0xF3
    PARAMETER_OUT_OF_RANGE = 0xF4
    CANNOT_BE_PROCESSED = 0xF5
    SOFTWARE_ERROR = 0xF6
    CHECKSUM_ERROR = 0xF7
    FAIL = 0xF8
    HEADER_FAILURE = 0xF9
    KEY_NOT_SET = 0xFA


class EventCode(enum.IntEnum):
    """Poll events of a unit that takes notes; those of payout units have only a row in `EVENTS`."""

    SLAVE_RESET = 0xF1
    READ = 0xEF
    CREDIT = 0xEE
    REJECTING = 0xED
    REJECTED = 0xEC
    STACKING = 0xCC
    STACKED = 0xEB
    SAFE_JAM = 0xEA
    UNSAFE_JAM = 0xE9
    DISABLED = 0xE8
    STACKER_FULL = 0xE7
    FRAUD_ATTEMPT = 0xE6
    BARCODE_VALIDATED = 0xE5
    BARCODE_ACKNOWLEDGE = 0xD1
    CASHBOX_REPLACED = 0xE4
    CASHBOX_REMOVED = 0xE3
    CLEARED_INTO_CASHBOX = 0xE2
    CLEARED_FROM_FRONT = 0xE1
    NOTE_PATH_OPEN = 0xE0
    CHANNEL_DISABLE = 0xB5
    INITIALISING = 0xB6
    JAM_RECOVERY = 0xB0
    NOTE_STORED = 0xDB


class Shape(msgspec.Struct, frozen=True):
    """How many bytes follow an event code."""

    #: Bytes that are always there; with a `stride` the first of them is a count.
    fixed: int
    #: Bytes of each counted block, 0 where nothing is counted.
    stride: int = 0

    def size(self, rest: bytes) -> int | None:
        """Return the bytes of this event, given what follows its code; None where it is cut off."""
        if self.stride and not rest:
            return None
        size = self.fixed + (rest[0] * self.stride if self.stride else 0)
        return size if size <= len(rest) else None


class EventRule(msgspec.Struct, frozen=True):
    """One row of the event table."""

    name: str
    #: Protocol version from which the unit may send it.
    since: int
    #: (from version, shape), ascending; the last one that is not above the version in force counts.
    shapes: tuple[tuple[int, Shape], ...]
    #: Listed again in every poll while the state lasts; None where no text says.
    repeats: bool | None = None
    #: Must be acknowledged after Poll With Ack; None where no text says.
    ack: bool | None = None

    def shape(self, version: int) -> Shape:
        """Return the shape at a protocol version."""
        return next((shape for since, shape in reversed(self.shapes) if since <= version), self.shapes[0][1])


_NOTHING = Shape(0)
#: Value (4) and country (3) of one note.
_MONEY = ((4, Shape(7)),)
#: An amount below version 6, from then on a count and as many amounts with their country.
_AMOUNTS = ((4, Shape(4)), (6, Shape(1, 7)))
_INCOMPLETE = ((4, Shape(8)), (6, Shape(1, 11)))


def _plain(name: str, since: int = 4, repeats: bool | None = None, ack: bool | None = None) -> EventRule:
    return EventRule(name, since, ((4, _NOTHING),), repeats, ack)


def _one(name: str, since: int, repeats: bool | None = None, ack: bool | None = None) -> EventRule:
    return EventRule(name, since, ((4, Shape(1)),), repeats, ack)


def _amounts(name: str, since: int = 4) -> EventRule:
    return EventRule(name, since, _AMOUNTS)


#: Every event whose size is known (sheet §8).  8B, A7, BA, C0 and D3 are left out: their size is documented nowhere.
EVENTS: dict[int, EventRule] = {
    0xF1: _plain("slave_reset", 4, False, False),
    0xEF: EventRule("read", 4, ((4, Shape(1)), (9, Shape(7))), True, False),
    0xEE: EventRule("credit", 4, ((4, Shape(1)), (9, Shape(7))), False, True),
    0xED: _plain("rejecting", 4, True, False),
    0xEC: _plain("rejected", 4, False, False),
    0xCC: _plain("stacking", 4, True, False),
    0xEB: _plain("stacked", 4, False, False),
    0xEA: _plain("safe_jam", 4),
    0xE9: _plain("unsafe_jam", 4, True, False),
    0xE8: _plain("disabled", 4, None, False),
    0xE7: _plain("stacker_full", 4, False, False),
    0xE6: _one("fraud_attempt", 4, False, True),
    0xE5: _plain("barcode_ticket_validated", 4),
    0xD1: _plain("barcode_ticket_acknowledge", 4),
    0xE4: _plain("cashbox_replaced", 5),
    0xE3: _plain("cashbox_removed", 5),
    0xE2: _one("note_cleared_into_cashbox", 5, False, True),
    0xE1: _one("note_cleared_from_front", 4, False),
    0xE0: _plain("note_path_open", 6, True, False),
    0xB5: _plain("channel_disable", 7, False, False),
    0xB6: _plain("initialising", 7, True, False),
    0xB0: _plain("jam_recovery", 7),
    0xC6: _plain("payout_out_of_service"),
    0xDB: _plain("note_stored_in_payout"),
    0xCF: _plain("device_full", 5),
    0xC9: EventRule("note_transferred_to_stacker", 6, _MONEY),
    0xCD: EventRule("note_dispensed_at_reset", 6, _MONEY),
    0xCA: EventRule("note_into_stacker_at_reset", 8, _MONEY),
    0xCB: EventRule("note_into_store_at_reset", 8, _MONEY),
    0xCE: EventRule("note_held_in_bezel", 8, _MONEY),
    0xDA: _amounts("dispensing"),
    0xD2: _amounts("dispensed"),
    0xD5: _amounts("jammed"),
    0xD6: _amounts("halted"),
    0xD7: _amounts("floating"),
    0xD8: _amounts("floated"),
    0xD9: _amounts("time_out"),
    0xB3: _amounts("smart_emptying", 5),
    0xB4: _amounts("smart_emptied", 5),
    0xDC: EventRule("incomplete_payout", 4, _INCOMPLETE),
    0xDD: EventRule("incomplete_float", 4, _INCOMPLETE),
    0xDE: _amounts("cashbox_paid", 5),
    0xDF: EventRule("coin_credit", 5, ((4, Shape(4)), (6, Shape(7)))),
    0xB1: EventRule("error_during_payout", 7, ((7, Shape(2, 7)),)),
    0xBF: EventRule("value_added", 7, ((4, Shape(1, 7)),)),
    0xC2: _plain("emptying", 5),
    0xC3: _plain("emptied", 5),
    0xC4: _plain("coin_mech_jammed", 5),
    0xC5: _plain("coin_mech_return_pressed", 5),
    0xC7: _plain("note_float_removed", 5),
    0xC8: _plain("note_float_attached", 5),
    0xB7: _one("coin_mech_error", 6),
    0x83: _one("calibration_failed", 7),
    0x90: _one("cashbox_out_of_service", 6),
    0xA8: _one("printing_error", 6),
    **{code: _plain(f"printer_or_cashbox_state_{code:02x}") for code in (0x91, 0x92, 0x93)},
    **{code: _plain(f"printer_or_cashbox_state_{code:02x}") for code in range(0xA0, 0xA7)},
    **{code: _plain(f"printer_or_cashbox_state_{code:02x}") for code in (*range(0xA9, 0xB0), 0xBD, 0xBE)},
}  # fmt: skip

#: E6 of payout and coin units: money instead of a channel.
FRAUD_OF_PAYOUT = EventRule("fraud_attempt", 4, _AMOUNTS, False, True)
#: Events after which a host sends Event Ack; E1 is among them because no text says that it is not (sheet §8).
ACKNOWLEDGED = (
    EventCode.CREDIT,
    EventCode.FRAUD_ATTEMPT,
    EventCode.CLEARED_INTO_CASHBOX,
    EventCode.CLEARED_FROM_FRONT,
)  # fmt: skip


def event_rule(code: int, *, payout: bool = False) -> EventRule | None:
    """Return the row of an event, or None where its size is not known; `payout` for units that tell E6 as money."""
    return FRAUD_OF_PAYOUT if payout and code == EventCode.FRAUD_ATTEMPT else EVENTS.get(code)


#: Last reject code -> its name, and the generic reason (sheet §11).
REJECTS: dict[int, tuple[str, str]] = {
    0x00: ("note_accepted", "unknown"),
    0x01: ("note_length_incorrect", "length"),
    0x02: ("recognition_average", "recognition"),
    0x03: ("recognition_coastline", "recognition"),
    0x04: ("recognition_graph", "recognition"),
    0x05: ("recognition_buried", "recognition"),
    0x06: ("channel_inhibited_in_dataset", "denomination_inhibited"),
    0x07: ("second_note_inserted", "insertion"),
    0x08: ("rejected_by_host", "commanded"),
    0x09: ("matches_several_channels", "recognition"),
    0x0A: ("rear_sensor", "transport"),
    0x0B: ("note_too_long", "length"),
    0x0C: ("inhibited_by_host", "denomination_inhibited"),
    0x0D: ("slow_mechanism", "transport"),
    0x0E: ("strimming_attempt", "fraud"),
    0x0F: ("fraud_channel", "fraud"),
    0x10: ("no_note_seen", "insertion"),
    0x11: ("peak_detect", "recognition"),
    0x12: ("twisted_note", "insertion"),
    0x13: ("escrow_timeout", "escrow_timeout"),
    0x14: ("barcode_scan_failed", "recognition"),
    0x15: ("rear_sensor_2", "transport"),
    0x16: ("slot_fail_1", "transport"),
    0x17: ("slot_fail_2", "transport"),
    0x18: ("lens_oversample", "recognition"),
    0x19: ("width_detect", "length"),
    0x1A: ("short_note", "length"),
    0x1B: ("paid_out_note", "recognition"),
    0x1C: ("double_note", "insertion"),
    0x1D: ("unable_to_stack", "transport"),
    0x1F: ("card_detected", "fraud"),
}

#: Unit type in the set-up reply (sheet §7).
UNIT_TYPES = {
    0x00: "validator",
    0x03: "hopper",
    0x06: "validator_with_smart_payout",
    0x07: "validator_with_note_float",
    0x08: "addon_printer",
    0x09: "coin_system",
    0x0B: "printer",
    0x0D: "tebs",
    0x0E: "tebs_with_smart_payout",
    0x0F: "tebs_with_smart_ticket",
}


def name_of(code: int, table: type[enum.IntEnum]) -> str:
    """Return the small name of a code, or ``unknown``.

    >>> name_of(0x56, Command), name_of(0x99, Command)
    ('poll_with_ack', 'unknown')
    """
    return table(code).name.lower() if code in table._value2member_map_ else "unknown"
