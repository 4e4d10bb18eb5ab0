"""Where the core finds a hub's documents, and where it keeps the last list of people (`hub-people` in the state)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from kiosk.app.hub_packs import lay_pack
from kiosk.app.pack import directory_of
from kiosk.app.private_files import write_whole
from kiosk.app.setup import Setup, load_with
from kiosk.core.hub_data import Documents
from kiosk.sync.replica import documents


def hub_documents(setup: Setup) -> Documents:
    """Return the way to the documents of this kiosk's hub."""
    path = setup.state / "hub-people"
    return Documents(
        read=lambda: documents(setup.replica_path),
        keep_people=lambda version, body: write_whole(path, b"%d\n%s" % (version, body)),
        kept_people=lambda: kept_people(path),
        lay_pack=partial(
            lay_pack, setup.state / "hub-packs", configured=directory_of(setup.file, setup.config.paths.city_data),
            fits=partial(load_with, setup.file),
        ),
    )  # fmt: skip


def kept_people(path: Path) -> tuple[int, bytes] | None:
    """Return the list that was kept last: its version and the document."""
    try:
        version, _, body = path.read_bytes().partition(b"\n")
        return int(version), body
    except (OSError, ValueError):
        return None
