"""What plugins declare beside drivers: services, receipt layouts, exporters and commands.

A declaration is plain data plus at most one function, which the room that uses it calls under its own guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from kiosk.model.exported import ExportedDate
    from kiosk.model.facts import Committed
    from kiosk.model.slip import Slip


class ServiceDeclaration(msgspec.Struct, frozen=True):
    """A service (a kind of invoice) as the text of a service file."""

    #: The service's name, as in the file's own ``name``.
    name: str
    #: TOML text of the file; read and checked like one in ``config/services/``.
    toml: str


class LayoutDeclaration(msgspec.Struct, frozen=True):
    """A receipt layout: makes a slip out of one committed fact that tells of a receipt."""

    name: str
    #: Stored in every receipt made with it, so it never changes its meaning; 1000 and above for plugins.
    number: int
    #: Build the slip: (the committed `ReceiptIssued`, copy: 0 for the original) -> slip.
    lay_out: Callable[[Committed, int], Slip]


class ExporterDeclaration(msgspec.Struct, frozen=True):
    """A file format in which a hub exports a business date to accounting software."""

    name: str
    #: Suffix of the file without the dot, e.g. ``csv``.
    suffix: str
    #: Write a date down, in pieces; the same date must give the same bytes.
    export: Callable[[ExportedDate], Iterable[bytes]]
    #: One line for people.
    summary: str = ""


class CommandDeclaration(msgspec.Struct, frozen=True):
    """A sub-command of the command line."""

    #: What the person types after ``kiosk``.
    name: str
    #: Return the click command; called only when it is used or its help is shown.
    load: Callable[[], Any]
    #: One line for people.
    summary: str = ""


Declaration = ServiceDeclaration | LayoutDeclaration | ExporterDeclaration | CommandDeclaration
