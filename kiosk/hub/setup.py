"""What every part of the hub is given: the configuration, the city's rules, and how to open the database."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from kiosk.hub.settings import HubConfig
from kiosk.hub.store.stores import Stores, open_stores
from kiosk.ledger.chart import Chart
from kiosk.tariff.library import TariffLibrary
from kiosk.texts import Catalogue


class HubSetup(msgspec.Struct, frozen=True, kw_only=True):
    """A checked configuration with everything it points to; the composition root makes it."""

    file: Path
    config: HubConfig
    chart: Chart
    library: TariffLibrary
    catalogue: Catalogue
    #: The city's name, IANA time zone and local time at which a business date ends, as ISO text.
    city: str
    zone: str
    cut_off: str
    #: Id and version of the pack, its digest, and its files by name (what goes down to the kiosks).
    pack: str
    pack_digest: str
    pack_texts: dict[str, str]
    #: Digest of chart, rules and software: what the books are built with; other books are built anew.
    rules_digest: str

    def stores(self, *, readonly_books: bool = False, readonly: Collection[str] = ()) -> Stores:
        """Open the database for one process; `readonly` names groups that it only reads (see `open_stores`)."""
        state, database = self.config.state, self.config.hub.database
        return open_stores(state, database, readonly_books=readonly_books, readonly=readonly)
