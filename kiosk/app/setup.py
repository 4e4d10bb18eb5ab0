"""Reads kiosk.toml and everything that it points to; checks all that can be wrong before anything is opened."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

import kiosk
from kiosk import config
from kiosk.app.sections import KioskConfig
from kiosk.core.clock import Clock
from kiosk.core.supervisor_setup import DeviceConfig, prepare
from kiosk.errors import ConfigError, KioskError
from kiosk.ledger.chart import Chart, check_services, load_chart
from kiosk.plugins.manager import LoadedPlugins, PluginReport, load_plugins
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.library import load as load_library
from kiosk.texts import Catalogue


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything read and checked, nothing opened yet."""

    config: KioskConfig
    file: Path
    state: Path
    runtime: Path
    library: TariffLibrary
    chart: Chart
    catalogue: Catalogue
    plugins: LoadedPlugins
    devices: tuple[DeviceConfig, ...]
    columns: int
    #: Digest of kiosk.toml and all of the city's data, 16 hexadecimal digits.
    digest: str

    @property
    def journal_path(self) -> Path:
        """The journal's file; one realm, one file."""
        return self.state / f"journal-{self.config.kiosk.realm}.db"

    @property
    def key_path(self) -> Path:
        """The journal's signing key."""
        return self.state / f"journal-{self.config.kiosk.realm}.key"

    @property
    def replica_path(self) -> Path:
        """The local reference data."""
        return self.state / "sync.db"

    @property
    def control_path(self) -> Path:
        """The control socket."""
        return self.runtime / "core.sock"


def load(file: Path, *, pseudo: bool = False) -> Setup:
    """Read kiosk.toml and everything it points to.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    source = config.read_text(file)
    settings = config.decode(source, str(file), KioskConfig)
    base = file.resolve().parent
    data = (base / settings.paths.city_data) if settings.paths.city_data else config.sample_dir()
    texts = read_city_data(data)
    plugins = load_plugins(
        safe_mode=settings.plugins.safe_mode, allow=settings.plugins.allow, disabled=settings.plugins.disabled
    )
    chart = load_chart(texts["chart.toml"], str(data / "chart.toml"))
    library, plugins = with_plugin_services(texts, chart, plugins)
    catalogue = Catalogue.load([data / "texts"] if (data / "texts").is_dir() else [], pseudo=pseudo)
    for language in settings.kiosk.languages:
        if language not in catalogue.languages:
            raise ConfigError(
                f"{file}: kiosk.languages names {language!r}, of which there are no texts",
                hint=f"there are {', '.join(catalogue.languages)}",
            )
    try:
        devices, columns = with_profiles(settings.device, texts)
        prepare(devices, plugins.drivers)
        Clock(settings.kiosk.zone, settings.kiosk.cut_off)
    except ConfigError as error:
        raise ConfigError(f"{file}{device_line(error.message, source)}: {error.message}", hint=error.hint) from None
    return Setup(
        config=settings,
        file=file,
        state=base / settings.paths.state,
        runtime=base / settings.paths.runtime,
        library=library,
        chart=chart,
        catalogue=catalogue,
        plugins=plugins,
        devices=devices,
        columns=columns,
        digest=digest_of({"kiosk.toml": source, **texts}),
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
    texts: dict[str, str], chart: Chart, plugins: LoadedPlugins
) -> tuple[TariffLibrary, LoadedPlugins]:
    """Load the city's services, then each one that a plugin declares on trial; one that does not load is set apart.

    `texts` gets the services that were taken.

    Raises:
        KioskError: a service of the city itself does not load.
    """
    library = checked_library(texts, chart)
    reports = list(plugins.reports)
    for name, declared in plugins.declared.services.items():
        file = f"services/{name}.toml"
        if file in texts:
            continue  # the city has its own
        try:
            library = checked_library({**texts, file: declared.toml}, chart)
        except KioskError as error:
            reports.append(PluginReport(f"service {name}", "", "plugin", "quarantined", str(error)[:500]))
        else:
            texts[file] = declared.toml
    return library, msgspec.structs.replace(plugins, reports=tuple(reports))


def checked_library(texts: Mapping[str, str], chart: Chart) -> TariffLibrary:
    """Load services and policies and hold their accounts against the chart."""
    library = load_library(
        {name: text for name, text in texts.items() if name.split("/")[0] in ("services", "policies")}
    )
    check_services(chart, library.services.values())
    return library


def read_city_data(data: Path) -> dict[str, str]:
    """Read the city's files by their name below the directory.

    Raises:
        ConfigError: the directory or its chart is missing, or a file cannot be read.
    """
    if not (data / "chart.toml").is_file():
        raise ConfigError(f"{data} holds no chart.toml", hint="set paths.city_data to the city's directory")
    found = [data / "chart.toml"]
    for room in ("services", "policies", "printers"):
        found += sorted((data / room).glob("*.toml"))
    return {str(path.relative_to(data)): config.read_text(path) for path in found}


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


def digest_of(texts: Mapping[str, str]) -> str:
    """Return the first 16 hexadecimal digits of SHA-256 over names and texts."""
    told = hashlib.sha256()
    for name in sorted(texts):
        for part in (name.encode(), texts[name].encode()):
            told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()[:16]


def software_digest() -> str:
    """Return a digest of the running software: its version and the bytes of its modules."""
    told = hashlib.sha256(kiosk.__version__.encode())
    here = Path(kiosk.__file__).parent
    for path in sorted(here.rglob("*.py")):
        told.update(str(path.relative_to(here)).encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]
