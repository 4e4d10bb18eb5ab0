"""The `[sync]` section of kiosk.toml: which hubs there are and what the line to them bears."""

from __future__ import annotations

import re

import msgspec

from kiosk.errors import ConfigError

_ENDPOINT = re.compile(r"tcp://([a-z0-9.-]+|\[[0-9a-f:]+\]):([0-9]{1,5})")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def check_endpoint(text: str, key: str) -> None:
    """Refuse what is not an address like ``tcp://hub.example:7700``.

    Raises:
        ConfigError: names the key.
    """
    found = _ENDPOINT.fullmatch(text)
    if not found or not 0 < int(found[2]) < 65536:
        raise ConfigError(f"{key} {text[:80]!r} is not an address", hint="e.g. tcp://hub.example:7700")


class HubAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One hub, in the order of preference.  Its keys come with the enrolment and are kept in the state directory."""

    #: Where the journal goes, e.g. ``tcp://hub.example:7700``.
    endpoint: str
    #: Where enrolments go.
    enrol: str
    #: SHA-256 of the hub's CURVE key, 64 hexadecimal digits: what the technician was given; nothing else is trusted.
    fingerprint: str

    def __post_init__(self) -> None:
        check_endpoint(self.endpoint, "sync.hub.endpoint")
        check_endpoint(self.enrol, "sync.hub.enrol")
        if not _FINGERPRINT.fullmatch(self.fingerprint):
            raise ConfigError("sync.hub.fingerprint is not 64 hexadecimal digits", hint="`kiosk hub keys` shows it")


class SyncSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[sync]` section.  Without a hub the kiosk works alone."""

    hub: tuple[HubAddress, ...] = ()
    #: Whether the line is paid by volume: batches are compressed, and news wait for each other.
    metered: bool = False
    #: Most kilobits a second that the journal and the reference data may take together; 0: no limit.
    kilobits: int = 0
    #: Seconds between two signs of life on a quiet line.
    heartbeat_s: int = 10
    #: Facts behind from which fresh ones are sent beside the backlog.
    ahead_from: int = 5000

    def __post_init__(self) -> None:
        if len(self.hub) > 4:
            raise ConfigError("sync.hub lists more than 4 hubs", hint="one, and a second to fail over to")
        if not 0 <= self.kilobits <= 10_000_000 or (self.kilobits and self.kilobits < 8):
            raise ConfigError(f"sync.kilobits {self.kilobits} is no bandwidth", hint="0, or 8 and more")
        if not 2 <= self.heartbeat_s <= 300:
            raise ConfigError(f"sync.heartbeat_s {self.heartbeat_s} is out of range", hint="2 to 300")
        if not 1 <= self.ahead_from <= 10_000_000:
            raise ConfigError(f"sync.ahead_from {self.ahead_from} is out of range", hint="1 to 10000000")
