"""ccTalk headers and the tables behind their answers (ccTalk sheet §3, §4, §6, §10).

Names are the standard's, in small letters with _.  A code that no table holds is named by what it is, a number, and
never guessed.
"""

from __future__ import annotations

import enum


class Header(enum.IntEnum):
    """What a frame asks for; 0, 5 and 6 are answers."""

    REPLY = 0
    RESET_DEVICE = 1
    REQUEST_COMMS_STATUS = 2
    CLEAR_COMMS_STATUS = 3
    REQUEST_COMMS_REVISION = 4
    NAK = 5
    BUSY = 6
    REQUEST_ENCRYPTED_PRODUCT_ID = 108
    REQUEST_ENCRYPTED_HOPPER_STATUS = 109
    SWITCH_ENCRYPTION_KEY = 110
    REQUEST_ENCRYPTION_SUPPORT = 111
    READ_ENCRYPTED_EVENTS = 112
    SWITCH_BAUD_RATE = 113
    READ_BARCODE_DATA = 129
    REQUEST_HOPPER_POLLING_VALUE = 131
    EMERGENCY_STOP_VALUE = 132
    REQUEST_HOPPER_STATUS_VALUE = 133
    DISPENSE_HOPPER_VALUE = 134
    SET_ACCEPT_LIMIT = 135
    STORE_ENCRYPTION_CODE = 136
    SWITCH_ENCRYPTION_CODE = 137
    REQUEST_CURRENCY_REVISION = 145
    REQUEST_STACKER_CYCLE = 147
    READ_INDIVIDUAL_ERROR_COUNTER = 149
    READ_INDIVIDUAL_ACCEPT_COUNTER = 150
    REQUEST_BILL_OPERATING_MODE = 152
    MODIFY_BILL_OPERATING_MODE = 153
    ROUTE_BILL = 154
    REQUEST_BILL_POSITION = 155
    REQUEST_COUNTRY_SCALING_FACTOR = 156
    REQUEST_BILL_ID = 157
    READ_BUFFERED_BILL_EVENTS = 159
    REQUEST_CIPHER_KEY = 160
    PUMP_RNG = 161
    MODIFY_INHIBIT_AND_OVERRIDE = 162
    TEST_HOPPER = 163
    ENABLE_HOPPER = 164
    MODIFY_VARIABLE_SET = 165
    REQUEST_HOPPER_STATUS = 166
    DISPENSE_HOPPER_COINS = 167
    REQUEST_HOPPER_DISPENSE_COUNT = 168
    REQUEST_ADDRESS_MODE = 169
    REQUEST_HOPPER_COIN = 171
    EMERGENCY_STOP = 172
    REQUEST_THERMISTOR_READING = 173
    REQUEST_PAYOUT_FLOAT = 174
    MODIFY_PAYOUT_FLOAT = 175
    HANDHELD_FUNCTION = 177
    REQUEST_BANK_SELECT = 178
    MODIFY_BANK_SELECT = 179
    REQUEST_COIN_ID = 184
    MODIFY_COIN_ID = 185
    REQUEST_PAYOUT_CAPACITY = 186
    MODIFY_PAYOUT_CAPACITY = 187
    REQUEST_DEFAULT_SORTER_PATH = 188
    MODIFY_DEFAULT_SORTER_PATH = 189
    REQUEST_BUILD_CODE = 192
    REQUEST_FRAUD_COUNTER = 193
    REQUEST_REJECT_COUNTER = 194
    CALCULATE_ROM_CHECKSUM = 197
    REQUEST_PAYOUT_ABSOLUTE_COUNT = 207
    MODIFY_PAYOUT_ABSOLUTE_COUNT = 208
    REQUEST_SORTER_PATHS = 209
    MODIFY_SORTER_PATHS = 210
    REQUEST_OPTION_FLAGS = 213
    WRITE_DATA_BLOCK = 214
    READ_DATA_BLOCK = 215
    REQUEST_DATA_STORAGE_AVAILABILITY = 216
    REQUEST_PAYOUT_STATUS = 217
    ENTER_PIN = 218
    ENTER_NEW_PIN = 219
    REQUEST_SORTER_OVERRIDE_STATUS = 221
    MODIFY_SORTER_OVERRIDE_STATUS = 222
    REQUEST_ACCEPT_COUNTER = 225
    REQUEST_INSERTION_COUNTER = 226
    REQUEST_MASTER_INHIBIT = 227
    MODIFY_MASTER_INHIBIT = 228
    READ_BUFFERED_CREDIT = 229
    REQUEST_INHIBIT = 230
    MODIFY_INHIBIT = 231
    PERFORM_SELF_CHECK = 232
    READ_OPTO_STATES = 236
    REQUEST_SOFTWARE_REVISION = 241
    REQUEST_SERIAL_NUMBER = 242
    REQUEST_PRODUCT_CODE = 244
    REQUEST_EQUIPMENT_CATEGORY = 245
    REQUEST_MANUFACTURER = 246
    REQUEST_VARIABLE_SET = 247
    REQUEST_STATUS = 248
    REQUEST_POLLING_PRIORITY = 249
    ADDRESS_RANDOM = 250
    ADDRESS_CHANGE = 251
    ADDRESS_CLASH = 252
    ADDRESS_POLL = 253
    SIMPLE_POLL = 254


#: Headers whose names in the standard are longer than their constants.
_LONG_NAMES = {
    Header.MODIFY_INHIBIT_AND_OVERRIDE: "modify_inhibit_and_override_registers",
    Header.REQUEST_PAYOUT_STATUS: "request_payout_high_low_status",
    Header.ENTER_PIN: "enter_pin_number",
    Header.ENTER_NEW_PIN: "enter_new_pin_number",
    Header.REQUEST_MASTER_INHIBIT: "request_master_inhibit_status",
    Header.MODIFY_MASTER_INHIBIT: "modify_master_inhibit_status",
    Header.READ_BUFFERED_CREDIT: "read_buffered_credit_or_error_codes",
    Header.REQUEST_INHIBIT: "request_inhibit_status",
    Header.MODIFY_INHIBIT: "modify_inhibit_status",
    Header.REQUEST_EQUIPMENT_CATEGORY: "request_equipment_category_id",
    Header.REQUEST_MANUFACTURER: "request_manufacturer_id",
}

#: Answers; no host sends them.
REPLY_HEADERS = (Header.REPLY, Header.NAK, Header.BUSY)


def header_name(header: int) -> str:
    """Return the standard's name of a request or answer; ``unknown`` where the sheet has none.

    >>> header_name(229), header_name(127)
    ('read_buffered_credit_or_error_codes', 'unknown')
    """
    try:
        known = Header(header)
    except ValueError:
        return "unknown"
    return _LONG_NAMES.get(known, known.name.lower())


def address_name(address: int) -> str:
    """Return what an address usually is (sheet §3).

    >>> address_name(4), address_name(40), address_name(200)
    ('hopper', 'bill_validator', 'unknown')
    """
    for first, last, name in (
        (0, 0, "broadcast"), (1, 1, "host"), (2, 2, "coin_acceptor"), (11, 17, "coin_acceptor"), (3, 10, "hopper"),
        (40, 47, "bill_validator"), (50, 50, "card_reader"), (55, 55, "changer"), (80, 80, "hub"),
        (110, 110, "printer"), (160, 160, "escrow"), (240, 255, "debug"),
    ):  # fmt: skip
        if first <= address <= last:
            return name
    return "unknown"


#: Second byte of a coin event whose first is 0 (sheet §6).
COIN_ERRORS = {
    0: "null", 1: "reject", 2: "inhibited", 3: "multiple_window", 4: "wake_up_timeout", 5: "validation_timeout",
    6: "credit_sensor_timeout", 7: "sorter_opto_timeout", 8: "second_close_coin", 9: "accept_gate_not_ready",
    10: "credit_sensor_not_ready", 11: "sorter_not_ready", 12: "reject_not_cleared",
    13: "validation_sensor_not_ready", 14: "credit_sensor_blocked", 15: "sorter_opto_blocked",
    16: "credit_sequence_error", 17: "going_backwards", 18: "too_fast", 19: "too_slow", 20: "coin_on_string",
    21: "dce_opto_timeout", 22: "dce_opto_not_seen", 23: "credit_sensor_too_early", 24: "reject_repeat", 25: "slug",
    26: "reject_sensor_blocked", 27: "games_overload", 28: "meter_pulses", 29: "gate_open_not_closed",
    30: "gate_closed_not_open", 31: "manifold_timeout", 32: "manifold_blocked", 33: "manifold_not_ready",
    34: "security_changed", 35: "motor", 36: "swallowed_coin", 37: "too_fast_over_validation",
    38: "too_slow_over_validation", 39: "incorrectly_sorted", 40: "light_attack", 253: "data_block_request",
    254: "return_lever", 255: "unspecified",
}  # fmt: skip
#: 128..159: a coin whose mask bit is off, by position 1..32.
FIRST_INHIBITED, LAST_INHIBITED = 128, 159


def coin_error_name(code: int) -> str:
    """Return the name of a coin error.

    >>> coin_error_name(1), coin_error_name(130), coin_error_name(99)
    ('reject', 'inhibited_type_3', 'unknown')
    """
    if FIRST_INHIBITED <= code <= LAST_INHIBITED:
        return f"inhibited_type_{code - FIRST_INHIBITED + 1}"
    return COIN_ERRORS.get(code, "unknown")


#: Second byte of a bill event whose first is 0 (sheet §6).
BILL_EVENTS = {
    0: "master_inhibit_active", 1: "returned_from_escrow", 2: "invalid_validation", 3: "invalid_transport",
    4: "inhibited_serial", 5: "inhibited_dip", 6: "jam_in_transport_unsafe", 7: "jam_in_stacker", 8: "pulled_back",
    9: "tamper", 10: "stacker_ok", 11: "stacker_removed", 12: "stacker_inserted", 13: "stacker_faulty",
    14: "stacker_full", 15: "stacker_jammed", 16: "jam_in_transport_safe", 17: "opto_fraud", 18: "string_fraud",
    19: "anti_string_fault", 20: "barcode_detected", 21: "unknown_bill_stacked",
}  # fmt: skip
#: Their classes: everything else is status.
BILL_REJECTS = frozenset((2, 3))
BILL_FRAUDS = frozenset((8, 9, 17, 18))
BILL_FATAL = frozenset((6, 7, 13, 15, 16, 19))
#: Second byte of a bill event whose first is a bill type.
BILL_CREDIT, BILL_PENDING = 0, 1
#: First byte of a bill event for a ticket.
BILL_COUPON = 255


def bill_event_name(kind: int, code: int) -> str:
    """Return the name of a bill event.

    >>> bill_event_name(3, 1), bill_event_name(3, 0), bill_event_name(0, 14)
    ('pending', 'credit', 'stacker_full')
    """
    if kind:
        return {BILL_CREDIT: "credit", BILL_PENDING: "pending"}.get(code, "unknown")
    return BILL_EVENTS.get(code, "unknown")


#: Answers to a self check, header 232 (sheet §6).
FAULTS = {
    0: "ok", 1: "eeprom_checksum", 2: "coils", 3: "credit_sensor", 4: "piezo", 5: "reflective", 6: "diameter",
    7: "wake_up", 8: "sorter_exit", 9: "nvram", 10: "hopper", 11: "hopper", 12: "hopper", 13: "counting",
    14: "keypad", 15: "button", 16: "display", 17: "auditing", 18: "reject_sensor", 19: "return",
    20: "coin_on_string", 21: "rim", 22: "thermistor", 23: "payout_motor", 26: "payout_sensor", 27: "level_sensor",
    28: "module", 29: "module", 30: "rom", 32: "internal_comms", 33: "supply_voltage", 34: "temperature", 35: "dce",
    36: "bill_sensor", 37: "bill_motor", 38: "stacker", 39: "bill_jam", 40: "ram", 41: "string_sensor",
    42: "gate_open", 43: "gate_closed", 44: "stacker_missing", 45: "stacker_full", 46: "flash", 47: "flash",
    48: "slave_not_responding", 49: "opto", 50: "battery", 51: "door", 52: "microswitch", 53: "rtc", 54: "firmware",
    55: "init", 56: "current", 57: "bootloader", 255: "other",
}  # fmt: skip
#: Answers to header 248 of a coin acceptor.
COIN_STATUS = {0: "ok", 1: "return_lever", 2: "coin_on_string"}


class HopperFlag(enum.IntEnum):
    """Flags of header 163: eight times the register (0, 1, 2) plus the bit (sheet §10)."""

    OVER_CURRENT = 0
    TIMEOUT = 1
    REVERSED = 2
    EXIT_BLOCKED_IDLE = 3
    EXIT_SHORT_IDLE = 4
    BLOCKED_DURING_PAYOUT = 5
    POWER_UP = 6
    DISABLED = 7
    SHORT_DURING_PAYOUT = 8
    SINGLE_COIN_MODE = 9
    USE_OTHER_HOPPER = 10
    FINGER_MISMATCH = 11
    REVERSE_LIMIT = 12
    COIL = 13
    NV_CHECKSUM = 14
    PIN_ACTIVE = 15
    POWER_LOST_DURING_PAYOUT = 16
    UNKNOWN_COIN = 17
    PIN_WRONG = 18
    CIPHER_KEY_WRONG = 19
    ENCRYPTION_ON = 20


#: Flags that need a reset (1) before the next payout; timeout, reversed and power-up are warnings only.
HOPPER_FAULTS = frozenset((
    HopperFlag.OVER_CURRENT, HopperFlag.EXIT_BLOCKED_IDLE, HopperFlag.EXIT_SHORT_IDLE,
    HopperFlag.BLOCKED_DURING_PAYOUT, HopperFlag.SHORT_DURING_PAYOUT, HopperFlag.FINGER_MISMATCH,
    HopperFlag.REVERSE_LIMIT, HopperFlag.COIL, HopperFlag.NV_CHECKSUM,
))  # fmt: skip


def hopper_flags(registers: bytes) -> frozenset[HopperFlag]:
    """Return the flags of an answer to header 163, one to three bytes; bits without a meaning are left out.

    >>> sorted(flag.name for flag in hopper_flags(b"\\x82\\x00\\x01"))
    ['DISABLED', 'POWER_LOST_DURING_PAYOUT', 'TIMEOUT']
    """
    return frozenset(flag for flag in HopperFlag if flag < 8 * len(registers) and registers[flag // 8] >> flag % 8 & 1)


def hopper_registers(flags: frozenset[HopperFlag] | set[HopperFlag], size: int = 3) -> bytes:
    """Build an answer to header 163; flags beyond `size` registers are left out."""
    registers = bytearray(size)
    for flag in flags:
        if flag < 8 * size:
            registers[flag // 8] |= 1 << flag % 8
    return bytes(registers)


#: Bits of header 217 (sheet §10).
LEVEL_LOW, LEVEL_HIGH, LOW_SENSOR_FITTED, HIGH_SENSOR_FITTED = 0x01, 0x02, 0x10, 0x20
#: Data of header 164 that enables a hopper; anything else disables it.
HOPPER_ENABLE = 165
#: Data of header 154.
ROUTE_RETURN, ROUTE_STACK, ROUTE_EXTEND = 0, 1, 255
#: Error codes header 154 answers with instead of ACK.
ROUTE_ESCROW_EMPTY, ROUTE_FAILED = 254, 255
#: Bits of header 153.
MODE_STACKER, MODE_ESCROW = 1, 2
#: Exact answers to header 245 (sheet §3): the standard's own example of a note acceptor has the second wording.
COIN_CATEGORY, HOPPER_CATEGORY = "Coin Acceptor", "Payout"
BILL_CATEGORIES = ("Bill Validator", "Bill Acceptor")
