"""A city's pack: one directory that holds everything of a city, read and checked as a whole.

    city.toml  chart.toml  services/  policies/  printers/  texts/  imports/  and the logo that city.toml names

A pack has an id and a version, which every fact names, and a digest over all of its files, so that two packs which
differ can be told apart even where somebody forgot to count the version up.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from kiosk import config
from kiosk.app.logo import read_logo
from kiosk.core.city import CityFile
from kiosk.errors import ConfigError
from kiosk.ledger.chart import Chart, check_services, load_chart
from kiosk.protocols.escpos.profile import Profile
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.library import load as load_library
from kiosk.texts import FIRST, Catalogue

#: Directories whose files belong to a pack, with the ending of their names.
ROOMS = {"services": "*.toml", "policies": "*.toml", "printers": "*.toml", "texts": "*.po", "imports": "*.toml"}


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """One city's pack, read and checked."""

    directory: Path
    city: CityFile
    #: Text of each file by its name below the directory.
    texts: dict[str, str]
    library: TariffLibrary
    chart: Chart
    catalogue: Catalogue
    #: Bytes of the PNG file, b"" where the city has none.
    logo: bytes = b""

    @property
    def name(self) -> str:
        """Id and version, as facts name the pack."""
        return self.city.pack

    def parts(self) -> dict[str, str]:
        """Return the digest of each file, 16 hexadecimal digits."""
        found = {name: digest_of({name: text}) for name, text in self.texts.items()}
        if self.logo:
            found[self.city.logo] = hashlib.sha256(self.logo).hexdigest()[:16]
        return found

    @property
    def digest(self) -> str:
        """Digest of all files, 16 hexadecimal digits."""
        return digest_of(self.parts())

    def findings(self) -> tuple[str, ...]:
        """What is wrong with the words: texts that a service or policy names and nobody wrote, and translations that
        lack."""
        nameless = sorted({each for each in self.library.message_ids() if not self.catalogue.has(each)})
        return (*(f"{FIRST}: {each} is missing, and a service or policy shows it" for each in nameless),
                *self.catalogue.findings())  # fmt: skip


def directory_of(file: Path, city_data: str) -> Path:
    """Return the pack's directory that the kiosk.toml `file` names; "" for the one that ships with the software."""
    return file.resolve().parent / city_data if city_data else config.sample_dir()


def load_pack(directory: Path) -> Pack:
    """Read a whole pack.

    Raises:
        KioskError: the first thing that is wrong, with file, line and key.
    """
    texts = read_texts(directory)
    source = texts["city.toml"]
    city = config.decode(source, str(directory / "city.toml"), CityFile)
    chart = load_chart(texts["chart.toml"], str(directory / "chart.toml"))
    library = checked_library(texts, chart)
    catalogue = Catalogue.load([directory / "texts"] if (directory / "texts").is_dir() else [])
    for name, text in texts.items():
        if name.startswith("printers/"):
            config.decode(text, str(directory / name), Profile)
    if city.official_language not in catalogue.languages:
        raise ConfigError(
            f"{_place(directory, source, 'official_language')}: there are no texts in {city.official_language[:20]!r}",
            hint=f"there are {', '.join(catalogue.languages)}",
        )
    if city.receipt.footer and not catalogue.has(city.receipt.footer, city.official_language):
        raise ConfigError(
            f"{_place(directory, source, 'footer')}: there is no text {city.receipt.footer[:60]!r} (receipt.footer)",
            hint=f"add it to texts/{city.official_language}.po",
        )
    return Pack(
        directory=directory,
        city=city,
        texts=texts,
        library=library,
        chart=chart,
        catalogue=catalogue,
        logo=read_logo(directory / city.logo) if city.logo else b"",
    )


def read_texts(directory: Path) -> dict[str, str]:
    """Read the pack's text files by their name below the directory.

    Raises:
        ConfigError: the directory, its city.toml or its chart is missing, or a file cannot be read.
    """
    for name, told in (("chart.toml", "the chart of accounts"), ("city.toml", "name, zone and address of the city")):
        if not (directory / name).is_file():
            raise ConfigError(
                f"{directory} holds no {name} ({told})", hint="set paths.city_data to the directory of the city's pack"
            )
    found = [directory / "city.toml", directory / "chart.toml"]
    for room, names in ROOMS.items():
        found += sorted((directory / room).glob(names))
    found += sorted((directory / "texts").glob("*/messages.po"))
    return {str(path.relative_to(directory)): config.read_text(path) for path in found}


def checked_library(texts: Mapping[str, str], chart: Chart) -> TariffLibrary:
    """Load services and policies and hold their accounts against the chart."""
    library = load_library(
        {name: text for name, text in texts.items() if name.split("/")[0] in ("services", "policies")}
    )
    check_services(chart, library.services.values())
    return library


def digest_of(texts: Mapping[str, str]) -> str:
    """Return the first 16 hexadecimal digits of SHA-256 over names and texts."""
    told = hashlib.sha256()
    for name in sorted(texts):
        for part in (name.encode(), texts[name].encode()):
            told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()[:16]


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the files that came, went or differ, in order.

    >>> changed_parts({"a": "1", "b": "2"}, {"b": "3", "c": "4"})
    ('a', 'b', 'c')
    """
    return tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))


def _place(directory: Path, source: str, key: str) -> str:
    """Return file and line of a key, for a fault that shows only beside other files."""
    lines = source.splitlines()
    at: Iterable[int] = (number for number, line in enumerate(lines, 1) if re.match(rf"\s*{key}\s*=", line))
    number = next(iter(at), 0)
    return f"{directory / 'city.toml'}" + (f", line {number}" if number else "")
