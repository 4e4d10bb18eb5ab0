"""What a simulated SSP validator answers to each command (SSP sheet §5, §6, §10, §12).

Owns what the host told the unit and the events that wait for an acknowledgement; the note path owns notes, the session
owns the key.  Every answer begins with a generic response; a wrong number of parameters is F3, before anything else of
a known command is looked at.
"""

from __future__ import annotations

from kiosk.protocols.ssp.codes import EVENTS, KEY_EXCHANGE, PARAMETERS, POLLS, Command, EventCode, Response
from kiosk.protocols.ssp.crypto import FACTORY_FIXED_KEY
from kiosk.protocols.ssp.device_hands import HandledNotePath
from kiosk.protocols.ssp.device_path import REJECTED_BY_HOST, Stage
from kiosk.protocols.ssp.device_session import Session
from kiosk.protocols.ssp.payloads import EXPANDED_SINCE, Counters, Setup, build_counters, build_setup
from kiosk.protocols.ssp.units import SspUnit

OK = bytes((Response.OK,))
#: Answered before a key exists, by a unit that demands one (sheet §13: manual and a real NV9).
_BEFORE_KEY = (Command.SYNC, Command.HOST_PROTOCOL_VERSION, *KEY_EXCHANGE)
#: Commands of payout units, which a validator does not know.
_FOREIGN = (Command.GET_ALL_LEVELS,)
#: Most bytes of events in one reply, so that it also fits a sealed block.
_MAX_EVENTS = 200
_BAUD_RATES = 3
_READER_BOTH, _INTERLEAVED, _LEAST_CHARACTERS, _MOST_CHARACTERS = 3, 1, 6, 24
_REVISION = 20


def _refusal(response: Response) -> bytes:
    return bytes((response,))


class Answers:
    """Owns settings, the events held for their acknowledgement, and the answer to every command."""

    def __init__(self, unit: SspUnit, path: HandledNotePath, session: Session) -> None:
        self.unit, self.path, self.session = unit, path, session
        #: Protocol version in force.
        self.version = unit.default_version
        #: Events that were handed out by Poll With Ack and wait for Event Ack; empty for none.
        self.held: list[tuple[int, bytes]] = []
        #: Reset was ordered: restart once the reply is out.
        self.restart = False
        self._reader = bytes((0, _INTERLEAVED, 18))

    def forget(self) -> None:
        """Lose everything volatile (power-off, Reset)."""
        if self.held:
            self.path.pending = self.held + self.path.pending
        self.held, self.restart = [], False
        self.version = self.unit.default_version
        self.session.end()
        self.path.forget()

    def answer(self, data: bytes, sealed: bool) -> bytes:
        """Carry out one command and return its reply."""
        code, parameters = data[0], data[1:]
        if code not in Command._value2member_map_ or code in _FOREIGN:
            return _refusal(Response.COMMAND_NOT_KNOWN)
        command = Command(code)
        if self.unit.essp == "required" and self.session.key is None and command not in _BEFORE_KEY:
            return _refusal(Response.KEY_NOT_SET)
        if self.unit.essp == "off" and command in KEY_EXCHANGE:
            return _refusal(Response.COMMAND_NOT_KNOWN)
        least, most = PARAMETERS.get(command, (0, 0))
        if not least <= len(parameters) <= most:
            return _refusal(Response.WRONG_PARAMETERS)
        self.path.heard()
        if command in KEY_EXCHANGE:
            return self.session.exchange(command, parameters)
        if command in (*POLLS, Command.EVENT_ACK):
            return self._events(command, sealed)
        return self._set(command, parameters, sealed) or self._tell(command)

    # --- events -------------------------------------------------------------------------------------------------------

    def _events(self, command: Command, sealed: bool) -> bytes:
        with_ack = command is not Command.POLL
        if with_ack and not self.unit.poll_with_ack:
            return _refusal(Response.COMMAND_NOT_KNOWN)
        if with_ack and self.unit.ack_needs_key and not sealed:
            return _refusal(Response.KEY_NOT_SET)
        if command is Command.EVENT_ACK:
            if not self.held:
                return _refusal(Response.CANNOT_BE_PROCESSED)
            self.held, self.path.halted = [], False
            return OK
        events = self.held or self._fresh(with_ack)
        if with_ack and any(self._waits(code) for code, _ in events):
            self.held, self.path.halted = events, True
        return OK + b"".join(bytes((code,)) + data for code, data in events)

    def _fresh(self, with_ack: bool) -> list[tuple[int, bytes]]:
        events = [event for event in self.path.poll() if self._allowed(event[0], with_ack)]
        size, fit = 0, 0
        for _, data in events:
            size += 1 + len(data)
            fit += size <= _MAX_EVENTS
        self.path.pending = events[fit:] + self.path.pending
        return events[:fit]

    def _allowed(self, code: int, with_ack: bool) -> bool:
        """Tell whether an event exists at the version in force; one that no table holds was scripted."""
        rule = EVENTS.get(code)
        return rule is None or (rule.since <= self.version and (with_ack or code != EventCode.INITIALISING))

    def _waits(self, code: int) -> bool:
        if code == EventCode.CLEARED_FROM_FRONT:
            return self.unit.acks_cleared_from_front
        return code in (EventCode.CREDIT, EventCode.FRAUD_ATTEMPT, EventCode.CLEARED_INTO_CASHBOX)

    # --- what the host sets -------------------------------------------------------------------------------------------

    def _set(self, command: Command, data: bytes, sealed: bool) -> bytes:
        """Carry out a command that changes something; return b"" for any other."""
        path, in_escrow = self.path, self.path.stage is Stage.ESCROW
        if command in (Command.REJECT, Command.HOLD):
            if not in_escrow or path.stopped:
                return _refusal(Response.CANNOT_BE_PROCESSED)
            if command is Command.REJECT:
                path.give_back(REJECTED_BY_HOST)
        elif command in (Command.ENABLE, Command.DISABLE):
            path.enable(command is Command.ENABLE)
        elif command is Command.SET_INHIBITS:
            path.inhibit(data)
        elif command is Command.HOST_PROTOCOL_VERSION:
            if data[0] not in self.unit.versions:
                failed = self.unit.unsupported_version == "fail"
                return _refusal(Response.FAIL if failed else Response.PARAMETER_OUT_OF_RANGE)
            self.version = data[0]
        elif command is Command.SET_BAUD_RATE:
            if data[0] >= _BAUD_RATES or data[1] > 1:
                return _refusal(Response.PARAMETER_OUT_OF_RANGE)
        elif command is Command.SET_BARCODE_CONFIGURATION:
            enabled, form, characters = data
            fits = enabled <= _READER_BOTH and form == _INTERLEAVED
            if not fits or not _LEAST_CHARACTERS <= characters <= _MOST_CHARACTERS:
                return _refusal(Response.PARAMETER_OUT_OF_RANGE)
            self._reader = data
        elif command is Command.SET_BARCODE_INHIBIT:
            path.barcode_inhibit = data[0]
        elif command is Command.SET_ENCRYPTION_KEY:
            if not sealed:
                return _refusal(Response.CANNOT_BE_PROCESSED)
            self.session.fixed = int.from_bytes(data, "little")
        elif command is Command.ENCRYPTION_RESET:
            self.session.fixed, self.restart = FACTORY_FIXED_KEY, True
        elif command is Command.RESET:
            self.restart = True
        elif command is Command.RESET_COUNTERS:
            path.stacked = path.rejected = 0
        elif command not in _TAKEN:
            return b""
        return OK

    # --- what the host asks -------------------------------------------------------------------------------------------

    def _tell(self, command: Command) -> bytes:
        unit, path = self.unit, self.path
        if command is Command.SETUP_REQUEST:
            return OK + build_setup(self.setup())
        if command is Command.GET_SERIAL_NUMBER:
            return OK + unit.serial.to_bytes(4, "big")
        if command is Command.UNIT_DATA:
            head = bytes((unit.unit_type,)) + unit.firmware.encode("ascii") + unit.currency.encode("ascii")
            return OK + head + unit.multiplier.to_bytes(3, "big") + bytes((self.version,))
        if command is Command.CHANNEL_VALUES:
            return OK + self._channel_values()
        if command is Command.CHANNEL_SECURITY:
            return OK + bytes((len(unit.majors), *(channel.security for channel in unit.channels)))
        if command is Command.LAST_REJECT_CODE:
            return OK + bytes((path.last_reject,))
        if command is Command.FIRMWARE_VERSION:
            return OK + f"NV02004{unit.firmware}000000"[:16].encode("ascii")
        if command is Command.DATASET_VERSION:
            return OK + unit.dataset.encode("ascii")
        if command is Command.GET_BUILD_REVISION:
            return OK + bytes((unit.unit_type,)) + _REVISION.to_bytes(2, "little")
        if command is Command.GET_COUNTERS:
            return OK + build_counters(Counters(path.stacked, 0, 0, 0, path.rejected))
        if command is Command.GET_BARCODE_CONFIGURATION:
            return OK + bytes((_READER_BOTH,)) + self._reader
        if command is Command.GET_BARCODE_INHIBIT:
            return OK + bytes((path.barcode_inhibit,))
        if command is Command.GET_BARCODE_DATA:
            ticket = path.note.ticket if path.note is not None and path.note.ticket is not None else b""
            return OK + bytes((1 if ticket and path.stage is Stage.ESCROW else 0, len(ticket))) + ticket
        return _refusal(Response.SOFTWARE_ERROR)

    def setup(self) -> Setup:
        """Return the set-up of the unit at the version in force."""
        unit = self.unit
        real = unit.values[0] // unit.majors[0]
        return Setup(unit.unit_type, unit.firmware, unit.currency, unit.multiplier, unit.channels, real, self.version)

    def _channel_values(self) -> bytes:
        unit = self.unit
        scaled = bytes(major // unit.multiplier if unit.multiplier else 0 for major in unit.majors)
        out = bytes((len(unit.majors),)) + scaled
        if self.version >= EXPANDED_SINCE:
            out += unit.currency.encode("ascii") * len(unit.majors)
            out += b"".join(major.to_bytes(4, "little") for major in unit.majors)
        return out


#: Commands that are answered by OK and change nothing here.
_TAKEN = (
    Command.SYNC, Command.DISPLAY_ON, Command.DISPLAY_OFF, Command.CHANNEL_RETEACH, Command.ENABLE_HIGHER_PROTOCOL,
    Command.CONFIGURE_BEZEL,
)  # fmt: skip
