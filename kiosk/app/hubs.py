"""Reads hub.toml with everything it points to: the composition root of the hub's processes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from kiosk import config
from kiosk.app.pack import directory_of, load_pack
from kiosk.app.setup import software_digest
from kiosk.hub.settings import HubConfig
from kiosk.hub.setup import HubSetup


def read_settings(file: Path) -> HubConfig:
    """Read a hub's configuration alone; its relative paths count from its directory, wherever a command is started.

    Raises:
        ConfigError: the first thing that is wrong, with file, line and key.
    """
    settings, base = config.read(file, HubConfig), file.resolve().parent
    hub, alerts = settings.hub, settings.alerts
    hub = msgspec.structs.replace(hub, state=str(base / hub.state), runtime=str(base / hub.runtime))
    if alerts.webhook_secret:
        alerts = msgspec.structs.replace(alerts, webhook_secret=str(base / alerts.webhook_secret))
    return msgspec.structs.replace(settings, hub=hub, alerts=alerts)


def load_hub(file: Path) -> HubSetup:
    """Read and check a hub's configuration with everything it points to.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    settings = read_settings(file)
    pack = load_pack(directory_of(file, settings.hub.city_data))
    rules = hashlib.sha256(f"{software_digest()}\0{pack.chart.digest}\0{pack.digest}".encode()).hexdigest()
    return HubSetup(
        file=file.resolve(),
        config=settings,
        chart=pack.chart,
        library=pack.library,
        catalogue=pack.catalogue,
        city=pack.city.name,
        zone=pack.city.zone,
        cut_off=str(pack.city.cut_off),
        pack=pack.name,
        pack_digest=pack.digest,
        pack_texts=pack.texts,
        rules_digest=rules[:16],
    )
