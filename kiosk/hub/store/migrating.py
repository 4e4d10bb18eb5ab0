"""Makes and migrates the hub's tables."""

from __future__ import annotations

from kiosk.hub.store.stores import GROUPS, Stores


def prepare(stores: Stores) -> None:
    """Make what is missing."""
    for group, metadata in GROUPS.items():
        metadata.create_all(stores.engine(group))
