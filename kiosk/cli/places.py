"""Where a kiosk keeps its things, read from its configuration without loading the kiosk.

Commands that only ask a running kiosk or read its journal must be quick on a small machine and must work with a
configuration whose other sections are broken; whatever needs the whole truth uses `kiosk.app.load`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from kiosk import config
from kiosk.errors import ConfigError
from kiosk.journal.realm import chosen_realm

if TYPE_CHECKING:
    from kiosk.core.people import Person
    from kiosk.journal.counts import CountLimits

#: Defaults of `kiosk.app.Places` and `kiosk.app.Identity`; a test compares them.
STATE, RUNTIME, REALM = "/var/lib/kiosk", "/run/kiosk", "live"


class KioskPlaces(msgspec.Struct, frozen=True):
    """The paths of one kiosk."""

    state: Path
    runtime: Path
    #: The realm to work in: the configured one, or training while a person chose it.
    realm: str

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.runtime / "core.sock"

    @property
    def journal(self) -> Path:
        """The journal of the realm to work in."""
        return self.state / f"journal-{self.realm}.db"


def places(file: Path) -> KioskPlaces:
    """Read the paths of a configuration; without the installed file, the ones of an installed kiosk.

    Raises:
        ConfigError: the file cannot be read, or a path is not text.
    """
    from kiosk.cli.options import DEFAULT_CONFIG

    if str(file) == DEFAULT_CONFIG and not file.exists():
        return KioskPlaces(Path(STATE), Path(RUNTIME), chosen_realm(Path(STATE), REALM))
    raw = config.table(config.read_text(file), str(file))
    base = file.resolve().parent
    state = base / _text(raw, "paths", "state", STATE, file)
    return KioskPlaces(
        state,
        base / _text(raw, "paths", "runtime", RUNTIME, file),
        chosen_realm(state, _text(raw, "kiosk", "realm", REALM, file)),
    )


def _text(raw: dict[str, object], section: str, key: str, default: str, file: Path) -> str:
    part = raw.get(section, {})
    value = part.get(key, default) if isinstance(part, dict) else None
    if not isinstance(value, str) or "\0" in value:
        raise ConfigError(f"{file}: {section}.{key} is not text", hint="kiosk config check tells more")
    return value


def people_of(file: Path) -> tuple[Person, ...]:
    """Read the people of a configuration, whatever its other sections hold; without the installed file, nobody.

    Raises:
        ConfigError: the file cannot be read, or a person in it is wrong.
    """
    from kiosk.cli.options import DEFAULT_CONFIG
    from kiosk.core.people import Person, check_people

    if str(file) == DEFAULT_CONFIG and not file.exists():
        return ()
    source = config.read_text(file)
    listed = config.table(source, str(file)).get("people", [])
    if not isinstance(listed, list):
        raise ConfigError(f"{file}: people is not a list of sections", hint="[[people]] for each person")
    return check_people(tuple(config.convert(each, str(file), Person, source=source) for each in listed))


def limits_of(file: Path) -> CountLimits:
    """Read from which difference of a count on two people sign; without the installed file, the default.

    Raises:
        ConfigError: the file cannot be read, or its [operator] section is wrong.
    """
    from kiosk.cli.options import DEFAULT_CONFIG
    from kiosk.core.people import OperatorSettings
    from kiosk.journal.counts import CountLimits

    if str(file) == DEFAULT_CONFIG and not file.exists():
        return CountLimits()
    source = config.read_text(file)
    section = config.table(source, str(file)).get("operator", {})
    told = config.convert(section, str(file), OperatorSettings, source=source)
    return CountLimits(told.signature_above_minor, told.signature_above_permille)


def journal_of(file: Path, journal: Path | None) -> Path:
    """Return the journal that is meant: the one that was named, else the configured one."""
    return journal if journal is not None else places(file).journal


def journal_option(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--journal``."""
    return click.option(
        "--journal", "journal_file", type=click.Path(dir_okay=False, path_type=Path),
        help="This journal file instead of the configured one, e.g. a backup.",
    )(command)  # fmt: skip
