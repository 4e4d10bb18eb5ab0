"""Reads kiosk.toml and everything that it points to; checks all that can be wrong before anything is opened."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

import kiosk
from kiosk import config
from kiosk.app.hub_packs import pack_of_start
from kiosk.app.pack import Pack, checked_library, digest_of, directory_of, load_pack
from kiosk.app.sections import KioskConfig
from kiosk.core.city import CityFile
from kiosk.core.supervisor_setup import DeviceConfig, prepare
from kiosk.errors import ConfigError, KioskError
from kiosk.journal.realm import chosen_realm
from kiosk.ledger.chart import Chart
from kiosk.plugins.manager import LoadedPlugins, PluginReport, load_plugins
from kiosk.tariff.library import TariffLibrary
from kiosk.texts import Catalogue

#: Keys that kiosk.toml had before a city had a file of its own: (section, key, "" for the whole section).
_MOVED = (("city", ""), ("kiosk", "zone"), ("kiosk", "cut_off"))


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything read and checked, nothing opened yet."""

    config: KioskConfig
    #: The realm to work in: the configured one, or training while a person chose it.
    realm: str
    file: Path
    state: Path
    runtime: Path
    #: The city's pack, with its services, chart and texts.
    pack: Pack
    #: The pack's services with those that plugins declare.
    library: TariffLibrary
    plugins: LoadedPlugins
    devices: tuple[DeviceConfig, ...]
    columns: int
    #: Digest of each file behind `digest`, by its name.
    parts: dict[str, str]
    #: Digest of kiosk.toml and the whole pack, 16 hexadecimal digits.
    digest: str

    @property
    def city(self) -> CityFile:
        """Who stands behind the kiosk."""
        return self.pack.city

    @property
    def chart(self) -> Chart:
        """The city's accounts."""
        return self.pack.chart

    @property
    def catalogue(self) -> Catalogue:
        """All texts."""
        return self.pack.catalogue

    @property
    def journal_path(self) -> Path:
        """The journal's file; one realm, one file."""
        return self.state / f"journal-{self.realm}.db"

    @property
    def key_path(self) -> Path:
        """The journal's signing key."""
        return self.state / f"journal-{self.realm}.key"

    @property
    def parts_path(self) -> Path:
        """What the configuration's files were when this realm's journal was last worked on; only for names."""
        return self.state / f"parts-{self.realm}.json"

    @property
    def replica_path(self) -> Path:
        """The local reference data."""
        return self.state / "sync.db"

    @property
    def control_path(self) -> Path:
        """The control socket."""
        return self.runtime / "core.sock"


def load(file: Path) -> Setup:
    """Read kiosk.toml and everything it points to; a pack that came from a hub takes the configured one's place.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    source = config.read_text(file)
    refuse_moved_keys(source, str(file))
    settings = config.decode(source, str(file), KioskConfig)
    base = file.resolve().parent
    state = base / settings.paths.state
    realm = chosen_realm(state, settings.kiosk.realm)
    sent = pack_of_start(state, state / f"journal-{realm}.db")
    if sent is not None:
        try:
            return load_with(file, load_pack(sent))
        except KioskError:
            pass  # it fitted when it came: it or kiosk.toml was changed by hand, as the fact of the start tells
    return load_with(file, load_pack(directory_of(file, settings.paths.city_data)))


def load_with(file: Path, pack: Pack) -> Setup:
    """Read kiosk.toml and everything it points to, with this pack.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    source = config.read_text(file)
    settings = config.decode(source, str(file), KioskConfig)
    base = file.resolve().parent
    plugins = load_plugins(
        safe_mode=settings.plugins.safe_mode, allow=settings.plugins.allow, disabled=settings.plugins.disabled
    )
    texts = dict(pack.texts)
    library, plugins = with_plugin_services(texts, pack, plugins)
    for language in settings.kiosk.languages:
        if language not in pack.catalogue.languages:
            raise ConfigError(
                f"{file}: kiosk.languages names {language!r}, of which there are no texts",
                hint=f"there are {', '.join(pack.catalogue.languages)}",
            )
    try:
        devices, columns = with_profiles(settings.device, texts)
        prepare(devices, plugins.drivers)
    except ConfigError as error:
        raise ConfigError(f"{file}{device_line(error.message, source)}: {error.message}", hint=error.hint) from None
    declared = {name: text for name, text in texts.items() if name not in pack.texts}
    ours = {"kiosk.toml": source, **declared}
    parts = {**pack.parts(), **{name: digest_of({name: text}) for name, text in ours.items()}}
    return Setup(
        config=settings,
        realm=chosen_realm(base / settings.paths.state, settings.kiosk.realm),
        file=file,
        state=base / settings.paths.state,
        runtime=base / settings.paths.runtime,
        pack=pack,
        library=library,
        plugins=plugins,
        devices=devices,
        columns=columns,
        parts=parts,
        digest=digest_of(parts),
    )


def refuse_moved_keys(source: str, file: str) -> None:
    """Say where a key went that this file held in an earlier version.

    Raises:
        ConfigError: it holds one.
    """
    raw = config.table(source, file)
    for section, key in _MOVED:
        part = raw.get(section)
        if part is None or (key and not (isinstance(part, dict) and key in part)):
            continue
        wanted = rf"\s*{key}\s*=" if key else rf"\s*\[\s*{section}\s*\]"
        line = next((f", line {at}" for at, text in enumerate(source.splitlines(), 1) if re.match(wanted, text)), "")
        raise ConfigError(
            f"{file}{line}: {f'{section}.{key}' if key else f'[{section}]'} moved to city.toml",
            hint="the city's pack (paths.city_data) holds it now; docs/configuration.md has every key",
        )


def device_line(problem: str, source: str) -> str:
    """Return ``, line N`` for the key of a device's section that a problem names; "" where it cannot be told.

    >>> device_line("device 'a', line: 'prt' is not known", '[[device]]\\nname = "a"\\nline = { prt = 1 }')
    ', line 3'
    """
    named = re.match(r"device '(\w+)'", problem)
    if named is None:
        return ""
    sections = re.split(r"(?m)^(?=\s*\[)", source)
    words = re.findall(r"'([\w-]+)'|\$\.(\w+)", problem[named.end() :])
    number = 1
    wanted = re.compile(rf"(?m)^\s*name\s*=\s*[\"']{named[1]}[\"']")
    for at, section in enumerate(sections):
        if re.match(r"\s*\[\[\s*device\s*\]\]", section) and wanted.search(section):
            # The driver's options may stand in tables of their own right behind the device's keys.
            mine = section
            for more in sections[at + 1 :]:
                if not re.match(r"\s*\[device\.", more):
                    break
                mine += more
            for offset, line in enumerate(mine.splitlines()):
                if any(re.search(rf"\b{re.escape(a or b)}\b", line) for a, b in words):
                    return f", line {number + offset}"
            return f", line {number}"
        number += section.count("\n")
    return ""


def with_plugin_services(
    texts: dict[str, str], pack: Pack, plugins: LoadedPlugins
) -> tuple[TariffLibrary, LoadedPlugins]:
    """Load the city's services, then each one that a plugin declares on trial; one that does not load is set apart.

    `texts` gets the services that were taken.
    """
    library = pack.library
    reports = list(plugins.reports)
    for name, declared in plugins.declared.services.items():
        file = f"services/{name}.toml"
        if file in texts:
            continue  # the city has its own
        try:
            library = checked_library({**texts, file: declared.toml}, pack.chart)
        except KioskError as error:
            reports.append(PluginReport(f"service {name}", "", "plugin", "quarantined", str(error)[:500]))
        else:
            texts[file] = declared.toml
    return library, msgspec.structs.replace(plugins, reports=tuple(reports))


def with_profiles(devices: tuple[DeviceConfig, ...], texts: Mapping[str, str]) -> tuple[tuple[DeviceConfig, ...], int]:
    """Put printer profiles, which devices name, into their options; return the first printer's columns too.

    Raises:
        ConfigError: a profile does not exist.
    """
    ready, columns = [], 0
    for device in devices:
        name = device.options.get("profile")
        if isinstance(name, str):
            source = texts.get(f"printers/{name}.toml")
            if source is None:
                known = sorted(each[9:-5] for each in texts if each.startswith("printers/"))
                raise ConfigError(
                    f"device {device.name!r}: there is no printer profile {name[:60]!r}",
                    hint=f"there are {', '.join(known)}",
                )
            profile = config.table(source, f"printers/{name}.toml")
            columns = columns or int(profile.get("columns", 0))
            device = msgspec.structs.replace(device, options={**device.options, "profile": profile})
        ready.append(device)
    return tuple(ready), columns or 42


def software_digest() -> str:
    """Return a digest of the running software: its version and the bytes of its modules."""
    told = hashlib.sha256(kiosk.__version__.encode())
    here = Path(kiosk.__file__).parent
    for path in sorted(here.rglob("*.py")):
        told.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]
