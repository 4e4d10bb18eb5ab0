"""What an EBDS unit is asked and told before it may take notes, and which notes it takes (EBDS sheet §6, §7).

A set-up is a row of requests: who the unit is, its note table (or the meaning of its seven values), its own escrow
limit, the note-retrieved event, the enable mask.  The protocol has no word for "done": a request counts when a valid
reply comes and the bit "invalid command" is not in it.  What a unit may lack is skipped; without a table of our
currency it stays disabled, and says why.  Inhibits, limits and events are lost by a power cut and when the box is put
back (§8).
"""

from __future__ import annotations

import msgspec

from kiosk.model.device_events import Identified
from kiosk.model.money import Money
from kiosk.protocols.ebds.codes import (
    DISABLED,
    ENABLED,
    MAX_NOTE_VALUE,
    MODELS,
    STATUS_BYTES,
    MessageType,
    Query,
    Report,
    Subtype,
)
from kiosk.protocols.ebds.frames import Frame
from kiosk.protocols.ebds.options import MS, EbdsOptions, base_command
from kiosk.protocols.ebds.payloads import auxiliary_text, enable_mask, parse_part_number, parse_value_table
from kiosk.protocols.ebds.sights import Reading, money

#: Who the unit is; the serial number last, because three sources know it and it matters most.
_IDENTITY = (Query.ACCEPTOR_TYPE, Query.VARIANT_NAME, Query.APPLICATION_PART_NUMBER, Query.SERIAL_NUMBER)


class Request(msgspec.Struct, frozen=True):
    """One message of the set-up."""

    kind: int
    #: The query or the subtype.
    code: int
    data: bytes
    #: Words for a finding.
    name: str
    #: Row of the note table that is asked for; 0 in all others.
    row: int = 0
    #: Without it the unit must not be enabled.
    needed: bool = False


class UnitSettings:
    """Owns what the unit was asked and told; decides nothing about when the line is free."""

    def __init__(self, options: EbdsOptions, currency: str) -> None:
        self._options, self._currency = options, currency
        self._wanted: tuple[Money, ...] = ()
        self.begin(0)

    def begin(self, now: int) -> None:
        """The port was opened: perhaps it is another unit."""
        #: Answers of the unit about itself, by query.
        self.identity: dict[Query, str] = {}
        self._identity_left = list(_IDENTITY) if self._options.identify else []
        self._retry_at = now
        self.unset()

    def unset(self) -> None:
        """The unit has lost its memory, or may be another one: its table is read again."""
        #: Values by row of the note table, or by note value in plain mode.
        self.table: dict[int, Money] = {}
        self._row, self._table_read = 1, False
        self._foreign: set[str] = set()
        #: The set-up went through.
        self.ready = False
        #: Why the unit must not be enabled; "" for no reason.
        self.problem = ""
        self._tries = 0
        if not self._options.extended and self._options.bill_set:
            values = enumerate(self._options.bill_set, start=1)
            self.table = {value: Money(minor, self._currency) for value, minor in values if minor}
            self._table_read = True
        self.resend()

    def resend(self) -> None:
        """The unit has lost inhibits, limits and events, not its notes (the box was put back)."""
        options = self._options
        self._mask: bytes | None = None
        self._extras: list[Subtype] = []
        if options.note_timeout_s:
            self._extras.append(Subtype.ESCROW_TIMEOUT)
        if options.note_retrieved:
            self._extras.append(Subtype.NOTE_RETRIEVED)

    def want(self, values: tuple[Money, ...], now: int) -> None:
        """Say which notes should be taken; empty for none.  A failed set-up is tried again at once."""
        self._wanted = values
        if values:
            self._retry_at = now

    def values(self) -> tuple[Money, ...]:
        """Return the distinct values the unit can read, ascending."""
        return tuple(Money(m, self._currency) for m in sorted({value.minor for value in self.table.values()}))

    @property
    def identity_known(self) -> bool:
        """True once every question about the unit was answered or given up."""
        return not self._identity_left

    def identified(self, model: int) -> Identified:
        """Tell who the unit is; `model` is its model byte, for one that tells nothing more."""
        names = (self.identity.get(query, "") for query in (Query.ACCEPTOR_TYPE, Query.VARIANT_NAME))
        name = next((name for name in names if name), MODELS.get(model, f"model {model:02x}"))
        firmware, serial = Query.APPLICATION_PART_NUMBER, Query.SERIAL_NUMBER
        return Identified(name, self.identity.get(firmware, ""), self.identity.get(serial, ""))

    @property
    def plain_values(self) -> dict[int, Money]:
        """Return the meanings of the note values 1 to 7; {} in extended mode."""
        return {} if self._options.extended else self.table

    def enabled(self) -> int:
        """Return the first byte of a command as it should be now."""
        notes = self._notes()
        if not self.ready or self.problem or not notes:
            return DISABLED
        if not self._options.extended:
            return sum(1 << note - 1 for note in notes)
        return ENABLED if self._mask == self._wanted_mask() else DISABLED

    def _notes(self) -> list[int]:
        wanted = {(value.minor, value.currency) for value in self._wanted}
        return [note for note, value in self.table.items() if (value.minor, value.currency) in wanted]

    def _wanted_mask(self) -> bytes:
        return enable_mask(self._notes(), self._options.mask_bytes)

    # --- asking -------------------------------------------------------------------------------------------------------

    def next_request(self, now: int) -> Request | None:
        """Return the message that is due; None where nothing is.  Every one carries the command as it stands."""
        if now < self._retry_at:
            return None
        if self.problem:
            self.unset()
        if self._identity_left:
            query = self._identity_left[0]
            return Request(MessageType.AUXILIARY, query, bytes((0, 0, query)), query.name.lower())
        if not self._table_read:
            return self.table_request()
        if self._extras:
            subtype = self._extras[0]
            timeout = bytes((self._options.note_timeout_s, 0))
            return self._extended(subtype, timeout if subtype is Subtype.ESCROW_TIMEOUT else b"\x01")
        if not self.ready:
            self._finish(now)
        if self.ready and self._options.extended and self._mask != self._wanted_mask():
            return self._extended(Subtype.INHIBITS, self._wanted_mask(), needed=True)
        return None

    def table_request(self) -> Request:
        """Return the question for the next row, or for the meaning of the seven values."""
        if self._options.extended:
            return self._extended(Subtype.NOTE, bytes((self._row,)), row=self._row, needed=True)
        return self._extended(Subtype.VALUE_TABLE, b"", needed=True)

    def _extended(self, subtype: Subtype, rest: bytes, *, row: int = 0, needed: bool = False) -> Request:
        data = bytes((subtype,)) + base_command(self._options, self.enabled()).data + rest
        name = subtype.name.lower().replace("_", " ")
        return Request(MessageType.EXTENDED, subtype, data, f"{name} {row}" if row else name, row, needed)

    # --- answers ------------------------------------------------------------------------------------------------------

    def answer(self, request: Request, frame: Frame | None, reading: Reading | None, now: int) -> bool:
        """Take the reply to a request; None is silence.  Return False where the same should be asked again."""
        refused = reading is not None and Report.INVALID_COMMAND in reading.status.report
        if frame is not None and not refused and self._understood(request, frame, reading):
            self._tries = 0
            return True
        self._tries += 1
        if self._tries < self._options.tries and not refused:
            return False
        self._tries = 0
        if request.needed:
            why = (
                "no answer" if frame is None else "the unit does not take this message" if refused else "no such answer"
            )
            self._fail(f"{request.name}: {why}", now)
        elif request.kind == MessageType.AUXILIARY:
            self._identity_left.pop(0)
        else:
            self._extras.pop(0)
        return True

    def _understood(self, request: Request, frame: Frame, reading: Reading | None) -> bool:
        if request.kind == MessageType.AUXILIARY:
            if frame.kind != MessageType.AUXILIARY:
                return False
            query = self._identity_left.pop(0)
            part = parse_part_number(frame.data) if query is Query.APPLICATION_PART_NUMBER else None
            self.identity[query] = part.text if part is not None else auxiliary_text(frame.data)
            return True
        own = frame.kind == MessageType.EXTENDED and frame.data[:1] == bytes((request.code,))
        if request.code == Subtype.NOTE:
            return own and reading is not None and self._take_row(request, reading)
        if request.code == Subtype.VALUE_TABLE:
            return own and self._take_values(frame.data[1 + STATUS_BYTES :])
        if request.code == Subtype.INHIBITS:  # answered by its own subtype or by a plain reply (sheet §6)
            self._mask = request.data[4:]
            return True
        taken = own and frame.data[-1:] == b"\x01"  # accepted or refused, by its last byte (sheet §6)
        if request.code == Subtype.ESCROW_TIMEOUT:
            taken = own or frame.kind == MessageType.REPLY
        if taken:
            self._extras.pop(0)
        return taken

    def _take_row(self, request: Request, reading: Reading) -> bool:
        record = reading.record
        if reading.unreadable or (record is not None and record.index != request.row):
            return False
        value = None if record is None else money(record, self._currency)
        if value is not None:
            self.table[request.row] = value
        elif record is not None:
            self._foreign.add(record.currency)
        self._row += 1
        end = reading.blank and not self._options.whole_table
        self._table_read = end or self._row > self._options.table_rows
        return True

    def _take_values(self, data: bytes) -> bool:
        rows = parse_value_table(data)
        if len(data) < MAX_NOTE_VALUE or not rows:
            return False
        for row in rows:
            value = money(row.record, self._currency)
            if value is None:
                self._foreign.add(row.currency)
            else:
                self.table[row.value] = value
        self._table_read = True
        return True

    def _finish(self, now: int) -> None:
        if self.table:
            self.ready = True
            return
        seen = ", ".join(sorted(self._foreign)) or "nothing"
        self._fail(f"note table: the unit reads {seen}, not {self._currency}", now)

    def _fail(self, problem: str, now: int) -> None:
        self.unset()
        self.problem, self._retry_at = problem, now + self._options.setup_retry_ms * MS
