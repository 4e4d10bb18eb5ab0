"""hub.toml: the whole configuration of a hub, read strictly."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from kiosk.errors import ConfigError
from kiosk.model.facts import REALMS
from kiosk.sync.settings import check_endpoint

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[hub]` section."""

    #: Name of this hub, in what it signs: small letters, digits, hyphens.
    id: str
    #: Keys and, without a database server, the databases; on a disk that keeps what it is told, mode 0700.
    state: str = "/var/lib/kiosk-hub"
    #: Sockets between the hub's own processes, mode 0700.
    runtime: str = "/run/kiosk-hub"
    #: ``postgresql+psycopg://USER@HOST/NAME``; "" for SQLite files in the state directory.
    database: str = ""
    #: Ingest workers; more than one needs PostgreSQL.
    workers: int = 1
    #: The city's pack, as at the kiosks; "" for the one that ships with the software.
    city_data: str = ""
    currency: str = "USD"
    #: ``live``, ``training`` or ``demo``: the books are of one realm, facts of another never reach them.
    realm: str = "live"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.id):
            raise ConfigError(f"hub.id {self.id[:40]!r} cannot name a hub", hint="e.g. city-hall")
        if self.database and not self.database.startswith("postgresql+psycopg://"):
            raise ConfigError(
                "hub.database is not an address of PostgreSQL", hint="postgresql+psycopg://USER@HOST/NAME, or nothing"
            )
        if self.realm not in REALMS:
            raise ConfigError(f"hub.realm {self.realm[:20]!r} is none", hint=", ".join(REALMS))
        if not 1 <= self.workers <= 64:
            raise ConfigError(f"hub.workers {self.workers} is out of range", hint="1 to 64")
        if self.workers > 1 and not self.database:
            raise ConfigError("hub.workers above 1 needs PostgreSQL", hint="set hub.database, or leave one worker")


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[listen]` section: where kiosks come in."""

    #: Bound for the journal and for reference data.
    journal: str = "tcp://0.0.0.0:7700"
    #: Bound for enrolments only.
    enrol: str = "tcp://0.0.0.0:7701"
    #: What kiosks are told to connect to; "" for the bound addresses.
    announced: str = ""
    #: Kiosks that may be connected at the same time.
    most_peers: int = 5000

    def __post_init__(self) -> None:
        for key, text in (("journal", self.journal), ("enrol", self.enrol), ("announced", self.announced)):
            if text or key != "announced":
                check_endpoint(text, f"listen.{key}")


class Web(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[web]` section: the operators' pages."""

    host: str = "127.0.0.1"
    #: 0 takes any free port.
    port: int = 8090
    #: Host names under which the pages are asked for; a reverse proxy with TLS stands before them.
    names: tuple[str, ...] = ("127.0.0.1", "localhost")
    #: Whether people reach the pages through TLS: the cookie is then for TLS alone.
    tls: bool = True
    #: Minutes without a request after which a person signs in again.
    idle_minutes: int = 30


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[alerts]` section: who is told at once."""

    #: Address that gets a JSON object by POST; "" for none.
    webhook: str = ""
    #: File with a shared secret (32 bytes or more): the webhook's body is signed with HMAC-SHA-256; "" for none.
    webhook_secret: str = ""
    #: SMTP server HOST:PORT, sender and receivers; "" for no mail.
    smtp: str = ""
    sender: str = ""
    receivers: tuple[str, ...] = ()
    #: Seconds without a sign of life after which a kiosk counts as silent.
    silence_s: int = 45
    #: Minutes of backlog after which it is told.
    backlog_minutes: int = 15

    def __post_init__(self) -> None:
        if self.webhook and not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", self.webhook):
            raise ConfigError(
                "alerts.webhook is not an address to post to", hint="https://HOST/PATH, without a user or password"
            )
        if self.smtp and not re.fullmatch(r"[A-Za-z0-9.-]+:[0-9]{1,5}", self.smtp):
            raise ConfigError(f"alerts.smtp {self.smtp[:60]!r} is not a server", hint="HOST:PORT, e.g. localhost:25")
        if self.smtp and not (self.sender and self.receivers):
            raise ConfigError("alerts.smtp without sender or receivers tells nobody", hint="name both")
        for address in (self.sender, *self.receivers):
            if address and not re.fullmatch(r"[^\s@<>,]+@[^\s@<>,]+", address):
                raise ConfigError(f"alerts: {address[:60]!r} is not a mail address", hint="e.g. kiosks@city.example")
        if not 5 <= self.silence_s <= 86_400 or not 1 <= self.backlog_minutes <= 10_080:
            raise ConfigError("alerts: a limit is out of range", hint="silence_s 5 to 86400, backlog_minutes to 10080")


class HubConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of hub.toml."""

    hub: Hub
    listen: Listen = Listen()
    web: Web = Web()
    alerts: Alerts = Alerts()

    @property
    def state(self) -> Path:
        """The state directory."""
        return Path(self.hub.state)

    @property
    def runtime(self) -> Path:
        """The directory of the internal sockets."""
        return Path(self.hub.runtime)
