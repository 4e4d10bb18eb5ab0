"""The only public door for plugin authors.

A plugin or a driver imports from here and from `kiosk.protocols`, and from nowhere else; what is not named in
`__all__` may change without notice.  Nothing is defined here: the module re-exports declarations, so that importing
it loads no thread, no port and no database.

A driver in outline (the drivers guide tells the whole story):

* a frozen msgspec struct of options, each with a default;
* a class with the eight names of `Driver`, which is handed bytes and the time and gives back bytes and events;
* a module-level ``SPEC = DriverSpec(...)``;
* a plugin object whose ``kiosk_drivers`` method, marked `hookimpl`, yields that spec; its module is named in the
  entry-point group ``kiosk``.
"""

from __future__ import annotations

from kiosk.errors import DriverError, FrameError, KioskError, MoneyError, PluginError
from kiosk.model.commands import (
    CheckHealth,
    Command,
    Confirm,
    DeviceCommand,
    DropJob,
    EnableNotes,
    HoldNote,
    InhibitNotes,
    Print,
    ReturnNote,
    StackNote,
)
from kiosk.model.device_events import (
    CashboxInserted,
    CashboxRemoved,
    CommandRefused,
    DeviceEvent,
    DeviceState,
    Event,
    Identified,
    NoteAccepting,
    NoteDisputed,
    NoteEscrowed,
    NoteGone,
    NoteHeld,
    NoteRejected,
    NoteReturned,
    NotesKnown,
    NoteStacked,
    NoteStacking,
    Printed,
    PrintHeld,
    PrintProgress,
    PrintReady,
    PrintUnknown,
    ProtocolFault,
    Scanned,
    ScanRefused,
)
from kiosk.model.entry import Posting
from kiosk.model.exported import ExportedBlock, ExportedDate
from kiosk.model.ids import NoteId
from kiosk.model.money import Money, minor_digits
from kiosk.model.slip import BarCode, Cut, Feed, Pair, QrCode, Rule, Slip, SlipLine, Words
from kiosk.plugins.declarations import CommandDeclaration, ExporterDeclaration, LayoutDeclaration, ServiceDeclaration
from kiosk.plugins.devices import (
    DEVICE_CLASSES,
    TRANSPORT_KINDS,
    Capabilities,
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.plugins.hookspecs import hookimpl

#: Version of the driver contract; readers accept N and N-1 (house, invariant 8).
API_VERSION = 1

__all__ = [
    "API_VERSION",
    "DEVICE_CLASSES",
    "TRANSPORT_KINDS",
    "BarCode",
    "Capabilities",
    "CashboxInserted",
    "CashboxRemoved",
    "CheckHealth",
    "Command",
    "CommandDeclaration",
    "CommandRefused",
    "Confirm",
    "Cut",
    "DeviceCommand",
    "DeviceEvent",
    "DeviceState",
    "Driver",
    "DriverError",
    "DriverSpec",
    "DriverTools",
    "DropJob",
    "EnableNotes",
    "Event",
    "ExportedBlock",
    "ExportedDate",
    "ExporterDeclaration",
    "Feed",
    "FrameError",
    "HoldNote",
    "Identified",
    "InhibitNotes",
    "KioskError",
    "LayoutDeclaration",
    "Lost",
    "Money",
    "MoneyError",
    "NoteAccepting",
    "NoteDisputed",
    "NoteEscrowed",
    "NoteGone",
    "NoteHeld",
    "NoteId",
    "NoteRejected",
    "NoteReturned",
    "NoteStacked",
    "NoteStacking",
    "NotesKnown",
    "OpenNote",
    "Opened",
    "Outbound",
    "Pair",
    "PluginError",
    "PortEvent",
    "PortRequest",
    "Posting",
    "Print",
    "PrintHeld",
    "PrintProgress",
    "PrintReady",
    "PrintUnknown",
    "Printed",
    "ProtocolFault",
    "QrCode",
    "Reply",
    "ReturnNote",
    "Rule",
    "ScanRefused",
    "Scanned",
    "Sent",
    "ServiceDeclaration",
    "Slip",
    "SlipLine",
    "StackNote",
    "Words",
    "Write",
    "WriteTimedOut",
    "hookimpl",
    "minor_digits",
]
