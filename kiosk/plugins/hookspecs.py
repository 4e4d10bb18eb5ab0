"""The hooks: questions asked once at start, and one piece of news told afterwards.

Pluggy declares, it does not operate: no scan, note or print travels through a hook.  Each plugin is asked
alone; an answer is validated before it is used, and a plugin that raises, hangs or answers nonsense is
quarantined without harm to the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from kiosk.model.facts import Committed
    from kiosk.plugins.declarations import (
        CommandDeclaration,
        ExporterDeclaration,
        LayoutDeclaration,
        ServiceDeclaration,
    )
    from kiosk.plugins.devices import DriverSpec

PROJECT = "kiosk"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class KioskHooks:
    """All hooks there are."""

    @hookspec
    def kiosk_drivers(self) -> Iterable[DriverSpec]:  # type: ignore[empty-body]
        """Declare device drivers."""

    @hookspec
    def kiosk_services(self) -> Iterable[ServiceDeclaration]:  # type: ignore[empty-body]
        """Declare services (kinds of invoices) as the TOML text of a service file each."""

    @hookspec
    def kiosk_receipt_layouts(self) -> Iterable[LayoutDeclaration]:  # type: ignore[empty-body]
        """Declare receipt layouts."""

    @hookspec
    def kiosk_exporters(self) -> Iterable[ExporterDeclaration]:  # type: ignore[empty-body]
        """Declare file formats in which a hub exports a business date."""

    @hookspec
    def kiosk_commands(self) -> Iterable[CommandDeclaration]:  # type: ignore[empty-body]
        """Declare sub-commands of the command line."""

    @hookspec
    def kiosk_fact_committed(self, committed: Committed) -> None:
        """Hear of a committed fact, on a thread of its own; the result is ignored and a slow listener loses news,
        never money."""
