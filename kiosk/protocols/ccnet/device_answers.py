"""What a simulated CCNET unit answers to commands: data, ACK, or ILLEGAL COMMAND by its state (CCNET sheet §3, §5)."""

from __future__ import annotations

from kiosk.protocols.ccnet.codes import ACKED_COMMANDS, ASKABLE, POWER_UPS, DeviceState, HostCommand, Unknown
from kiosk.protocols.ccnet.codes import HostCommand as C
from kiosk.protocols.ccnet.device_path import NotePath
from kiosk.protocols.ccnet.payloads import MASK_SIZE, encode_bill_table, encode_identification, mask_types, type_mask
from kiosk.protocols.ccnet.units import Unit

#: Data bytes of the commands that have any (sheet §5).
_SIZES = {
    C.SET_SECURITY: MASK_SIZE, C.ENABLE_BILL_TYPES: 2 * MASK_SIZE, C.SET_BARCODE_PARAMETERS: 2,
    C.SET_ESCROW_TIMEOUTS: 8, C.SET_OPTIONS: 4,
}  # fmt: skip
_INTERLEAVED_2_OF_5 = 0x01
_COUPON_LENGTHS = range(6, 19)
#: Which note a command is about: the one in escrow.
_OF_A_NOTE = frozenset({C.STACK, C.RETURN, C.HOLD, C.EXTRACT_BARCODE_DATA})
#: What only these states answer (sheet §5).
_OF_A_RESTING_UNIT = frozenset({C.IDENTIFICATION, C.GET_BILL_TABLE})
_SETTINGS = frozenset(_SIZES)
ACK = bytes((DeviceState.ACK,))
ILLEGAL = bytes((DeviceState.ILLEGAL_COMMAND,))


class Answers:
    """Knows what each command does to the note path and what it is answered with; owns the options alone."""

    def __init__(self, unit: Unit, path: NotePath) -> None:
        self.unit, self._path = unit, path
        self.options = unit.options

    def legal(self, command: HostCommand | Unknown, data: bytes) -> bool:
        """Tell whether a command is one of this unit's, well formed, and valid in the state it is in."""
        if isinstance(command, Unknown) or command in self.unit.lacks:
            return False
        known = command in ACKED_COMMANDS or command in _DATA
        if not known or len(data) != _SIZES.get(command, 0):
            return False
        path = self._path
        state, _ = path.shown()
        if command in _OF_A_RESTING_UNIT:
            return state in ASKABLE
        if command in _SETTINGS:
            return self.unit.settings_in_power_up or state not in POWER_UPS
        if command is C.EXTRACT_BARCODE_DATA:
            return path.escrowed is not None and path.escrowed.coupon is not None
        return command not in _OF_A_NOTE or path.escrowed is not None

    def obey(self, command: HostCommand, data: bytes) -> bytes:
        """Carry out a legal command that is answered with ACK; ILLEGAL COMMAND where its data make no sense."""
        path = self._path
        if command is C.RESET:
            path.forget()
            path.initialize()
        elif command is C.ENABLE_BILL_TYPES:
            path.enable(mask_types(data[:MASK_SIZE]), mask_types(data[MASK_SIZE:]))
        elif command is C.SET_SECURITY:
            path.security = data
        elif command is C.STACK:
            path.stack()
        elif command is C.RETURN:
            path.give_back()
        elif command is C.HOLD:
            path.hold()
        elif command is C.SET_BARCODE_PARAMETERS:
            if data[0] != _INTERLEAVED_2_OF_5 or data[1] not in _COUPON_LENGTHS:
                return ILLEGAL
            path.coupon_length = data[1]
        elif command is C.SET_ESCROW_TIMEOUTS:
            path.escrow_limits = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")
        else:
            self.options = data
        return ACK

    def data(self, command: HostCommand) -> bytes:
        """Return the data that a legal command asks for."""
        path = self._path
        if command is C.POLL:
            state, more = path.shown()
            return bytes((state,)) + more
        if command is C.GET_STATUS:
            return type_mask(path.enabled) + path.security + (bytes(MASK_SIZE) if self.unit.long_status else b"")
        if command is C.IDENTIFICATION:
            return encode_identification(self.unit.who)
        if command is C.GET_BILL_TABLE:
            return encode_bill_table(self.unit.slots)
        if command is C.EXTRACT_BARCODE_DATA:
            note = path.escrowed
            return note.coupon if note is not None and note.coupon else ILLEGAL
        return self.unit.crc32 if command is C.GET_CRC32 else self.options


#: Commands that are answered with data whose shape the sheet tells; the others of §5 are not taken.
_DATA = frozenset(
    {
        C.POLL, C.GET_STATUS, C.IDENTIFICATION, C.GET_BILL_TABLE, C.EXTRACT_BARCODE_DATA, C.GET_CRC32, C.GET_OPTIONS,
    }
)  # fmt: skip
