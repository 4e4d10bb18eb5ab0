"""What a simulated EBDS unit says: status bytes, event frames, note table, settings, auxiliary texts (§5 to §7)."""

from __future__ import annotations

from kiosk.protocols.ebds.codes import (
    COMMAND_BYTES,
    MODELS,
    NOTE_VALUE_SHIFT,
    Condition,
    Facility,
    MessageType,
    Query,
    Report,
    Setting,
    State,
    Subtype,
)
from kiosk.protocols.ebds.device_note import Event, Stage
from kiosk.protocols.ebds.device_path import NotePath
from kiosk.protocols.ebds.frames import Frame
from kiosk.protocols.ebds.payloads import (
    BARCODE_BYTES,
    RECORD_BYTES,
    NoteRecord,
    Status,
    ValueRow,
    parse_command,
    value_table,
)
from kiosk.protocols.ebds.units import Unit

_SOFT_RESET = b"\x7f\x7f\x7f"
_VARIANT_NAME_BYTES = 32


class Answers:
    """Builds replies out of the state of a note path; changes settings where a message asks for it."""

    def __init__(self, unit: Unit, path: NotePath) -> None:
        assert unit.model in MODELS or unit.model <= 0x7F
        self.unit = unit
        self.path = path

    # --- status -----------------------------------------------------------------------------------------------------

    def status(self, event: Event | None = None, *, invalid: bool = False, value: int = 0) -> Status:
        """Return the six bytes as they are now, with an event that is told."""
        path, unit = self.path, self.unit
        state = path.state
        if event is not None and event.state:
            alone = not unit.idling_with_event and path.stage is Stage.IDLE
            state = event.state if alone else state | event.state
        condition = Condition.CHEATED * (path.cheated_polls > 0) | Condition.JAMMED * path.jammed
        condition |= Condition.STACKER_FULL * path.full | Condition.CASSETTE_ATTACHED * path.box_in
        condition |= Condition.PAUSED * path.second_note | Condition.CALIBRATION * path.calibrating
        if path.rejected_polls > 0 and not (event is not None and event.state):  # never together (§5)
            condition |= Condition.REJECTED
        report = Report.POWER_UP * (path.stage is Stage.POWER_UP) | Report.INVALID_COMMAND * invalid
        report |= Report.FAILURE * path.failed | value << NOTE_VALUE_SHIFT
        report |= Report.TRANSPORT_OPEN * (path.opened and path.stage is not Stage.POWER_UP)
        facility = Facility.STALLED * path.stalled
        facility |= Facility.DISABLED * (unit.shows_disabled and not path.command.enabled)
        facility |= Facility.CAPABILITIES * (Query.CAPABILITIES in unit.texts)
        return Status(State(state), Condition(condition), Report(report), Facility(facility), unit.model, unit.revision)

    def refusal(self) -> tuple[int, bytes]:
        """Answer what makes no sense: a plain reply with "invalid command"; it tells no event."""
        return MessageType.REPLY, self.status(invalid=True).data

    def report(self, *, invalid: bool = False) -> tuple[int, bytes]:
        """Answer a command: the state, and the oldest event that was not acknowledged."""
        path = self.path
        event = path.events[0] if path.events else None
        answer = self._told(event, invalid)
        if event is not None:
            event.told = True
        path.rejected_polls = max(path.rejected_polls - 1, 0)
        path.cheated_polls = max(path.cheated_polls - 1, 0)
        path.opened = path.opened and path.stage is Stage.POWER_UP
        return answer

    def _told(self, event: Event | None, invalid: bool) -> tuple[int, bytes]:
        path = self.path
        if event is not None and not event.state:
            data = (
                bytes((Subtype.NOTE_RETRIEVED,))
                + self.status(invalid=invalid).data
                + bytes((self.unit.retrieved_code,))
            )
            return MessageType.EXTENDED, data
        escrowed = event is None and path.state & State.ESCROWED
        note, row, ticket = path.note, None, None
        if event is not None and event.state is State.STACKED:
            row, ticket = event.row, event.ticket
        elif escrowed and note is not None:
            row, ticket = note.row, note.ticket
        else:
            return MessageType.REPLY, self.status(event, invalid=invalid).data
        if ticket is not None and path.command.setting & Setting.EXTENDED_COUPON:
            told = self.status(event, invalid=invalid).data
            return MessageType.EXTENDED, bytes((Subtype.BARCODE,)) + told + _barcode(ticket)
        if path.extended:
            told = self.status(event, invalid=invalid).data
            return MessageType.EXTENDED, bytes((Subtype.NOTE,)) + told + _record(row, 0)
        value = self.unit.value_of(row) if row is not None else 0
        return MessageType.REPLY, self.status(event, invalid=invalid, value=value).data

    # --- extended messages (§6) -------------------------------------------------------------------------------------

    def extended(self, data: bytes) -> tuple[int, bytes]:
        """Answer an extended message; its three omnibus bytes are taken as read, they order nothing."""
        subtype, rest = data[:1], data[1 + COMMAND_BYTES :]
        if not subtype or parse_command(data[1:]) is None or subtype[0] in self.unit.lacks:
            return self.refusal()
        status = self.status().data
        head = subtype + status
        match subtype[0]:
            case Subtype.NOTE if len(rest) == 1:
                row = next((row for row in self.unit.rows if row.index == rest[0]), None)
                return MessageType.EXTENDED, head + _record(row, rest[0])
            case Subtype.INHIBITS if len(rest) == self.unit.mask_bytes and self.path.stage is Stage.IDLE:
                self.path.mask = rest
                return (MessageType.EXTENDED, head) if self.unit.mask_reply else (MessageType.REPLY, status)
            case Subtype.ESCROW_TIMEOUT if len(rest) == 2:
                self.path.escrow_limits = (rest[0], rest[1])
                return MessageType.EXTENDED, head
            case Subtype.VALUE_TABLE if not rest:
                return MessageType.EXTENDED, head + value_table(self._value_rows())
            case Subtype.NOTE_RETRIEVED if len(rest) == 1 and rest[0] <= 1:
                self.path.tells_retrieved = bool(rest[0])
                return MessageType.EXTENDED, head + b"\x01"
        return self.refusal()

    def _value_rows(self) -> list[ValueRow]:
        rows = {row.index: row for row in self.unit.rows}
        named = [(value, rows[index]) for value, index in enumerate(self.unit.plain, 1) if index in rows]
        return [ValueRow(value, row.currency, row.base, row.exponent) for value, row in named]

    # --- auxiliary queries (§7) ---------------------------------------------------------------------------------------

    def is_soft_reset(self, frame: Frame) -> bool:
        """Tell whether a frame orders the unit to restart."""
        return frame.kind == MessageType.AUXILIARY and frame.data == _SOFT_RESET

    def query(self, data: bytes) -> tuple[int, bytes]:
        """Answer an auxiliary query; one that the unit lacks with the software CRC, which has another length."""
        known = len(data) == COMMAND_BYTES and not any(data[:2])
        text = self.unit.texts.get(data[2]) if known else None
        if text is None:
            crc = self.unit.software_crc
            return MessageType.AUXILIARY, bytes(crc >> shift & 0x0F for shift in (12, 8, 4, 0))
        encoded = text.encode("ascii", "replace")
        if data[2] == Query.VARIANT_NAME:
            encoded = encoded[:_VARIANT_NAME_BYTES].ljust(_VARIANT_NAME_BYTES, b"\x00")
        return MessageType.AUXILIARY, encoded


def _record(row: NoteRecord | None, index: int) -> bytes:
    """The 18 bytes of a row; beyond the table, and for an event that names no note, all zero (§6)."""
    return bytes(RECORD_BYTES) if row is None else bytes((index,)) + row.data[1:]


def _barcode(ticket: str) -> bytes:
    return ticket.encode("ascii", "replace")[:BARCODE_BYTES].ljust(BARCODE_BYTES, b"(")
