"""The sections of kiosk.toml, put together from what each room declares.  Strict: an unknown key stops the start."""

from __future__ import annotations

import msgspec

from kiosk.checkout.settings import CheckoutSettings
from kiosk.core.clock import MARK
from kiosk.core.people import OperatorSettings, Person, check_people
from kiosk.core.supervisor_setup import DeviceConfig
from kiosk.errors import ConfigError
from kiosk.model import facts
from kiosk.model.ids import is_kiosk_id
from kiosk.model.money import minor_digits
from kiosk.sync.settings import SyncSettings


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[kiosk]` section."""

    #: A capital letter, then 1 to 11 capitals or digits; on every receipt.
    id: str
    #: ``live``, ``training`` or ``demo``; a journal belongs to one for ever. Only a live kiosk can change over, to
    #: training and back.
    realm: str = "live"
    currency: str = "USD"
    #: Languages of the screen; the first one is shown when nobody has chosen.
    languages: tuple[str, ...] = ("en",)
    #: Notes that the cash box holds, so that a hub can be told how full it is; 0 where nobody has looked it up.
    stacker_notes: int = 0

    def __post_init__(self) -> None:
        if not is_kiosk_id(self.id):
            raise ConfigError(f"kiosk.id {self.id[:40]!r} cannot name a kiosk", hint="e.g. K07")
        if self.realm not in facts.REALMS:
            raise ConfigError(
                f"kiosk.realm {self.realm[:40]!r} is not a realm", hint=f"one of {', '.join(facts.REALMS)}"
            )
        if not self.languages:
            raise ConfigError("kiosk.languages is empty", hint='name at least one, e.g. ["en"]')
        if not 0 <= self.stacker_notes <= 10_000:
            raise ConfigError(f"kiosk.stacker_notes {self.stacker_notes} is out of range", hint="0 to 10000")
        minor_digits(self.currency)


class Places(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[paths]` section; relative paths count from the file's directory."""

    #: Journal, key and reference data; on a disk that keeps what it is told.
    state: str = "/var/lib/kiosk"
    #: Control socket and start address of the screen.
    runtime: str = "/run/kiosk"
    #: The city's pack: city.toml, chart.toml, services/, policies/, printers/, texts/; "" for the one that ships with
    #: the software.
    city_data: str = ""
    #: The city's published keys, for the page that checks receipts; "" for none.
    published_keys: str = ""
    #: File that a time service touches whenever it has checked the clock; it ends a doubt about the time. "" for none.
    clock_mark: str = str(MARK)


class ScreenSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[screen]` section."""

    #: Loopback only: the screen has no business on a network.
    host: str = "127.0.0.1"
    #: 0 takes any free port; the browser's policy and unit expect 8080.
    port: int = 8080
    #: Pixels per 100 mm of the panel; 0 where it was not measured.
    px_per_100mm: int = 0
    #: Origins of pages that may show the screen in a frame; a demonstration's bench, nothing in a live kiosk.
    framed_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ConfigError(f"screen.host {self.host[:60]!r} is not this machine", hint="use 127.0.0.1")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"screen.port {self.port} is not a port", hint="0 to 65535")


class PluginSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[plugins]` section."""

    #: Load only the allow-list.
    safe_mode: bool = False
    #: Plugins that safe mode loads; absent: the built-in ones.
    allow: tuple[str, ...] | None = None
    #: Plugins that are never loaded.
    disabled: tuple[str, ...] = ()


class KioskConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of kiosk.toml."""

    kiosk: Identity
    paths: Places = Places()
    screen: ScreenSection = ScreenSection()
    checkout: CheckoutSettings = CheckoutSettings()
    operator: OperatorSettings = OperatorSettings()
    plugins: PluginSection = PluginSection()
    sync: SyncSettings = SyncSettings()
    device: tuple[DeviceConfig, ...] = ()
    people: tuple[Person, ...] = ()

    def __post_init__(self) -> None:
        check_people(self.people)
        if self.kiosk.realm == "live" and self.screen.framed_by:
            raise ConfigError("screen.framed_by is for demonstrations", hint="a live kiosk is shown in no other page")
