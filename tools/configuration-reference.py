"""Write docs/configuration.md: every key of kiosk.toml, city.toml and hub.toml, from the structs that read it.

The words are the `#:` lines of the fields, so that code and reference cannot differ; a test compares them.

    .venv/bin/python tools/configuration-reference.py
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path
from typing import Any

import msgspec

from kiosk.app import sections
from kiosk.checkout.settings import Periods
from kiosk.core.city import CityFile, Colours, ReceiptOptions
from kiosk.hub.settings import Alerts, Hub, Listen, Web
from kiosk.plugins.manager import load_plugins
from kiosk.protocols.escpos.profile import Profile
from kiosk.sync.settings import HubAddress, SyncSettings
from kiosk.transports import settings_type

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

HEAD = """\
# Configuration, key by key

<!-- Written by tools/configuration-reference.py from the structs that read the file; do not edit. -->

`kiosk.toml` is read strictly: an unknown key or a wrong type stops the start, names file, line and key, and suggests
the nearest key there is. [config/kiosk.toml](../config/kiosk.toml) is a whole file to begin with. `kiosk config check`
checks one with everything it points to; `kiosk config show` fills in every default. How to set up a machine is in
[operations.md](operations.md). What belongs to the city and not to one machine is in the head of the city's pack,
[city.toml](#citytoml). A city's hub has a file of its own, [hub.toml](#hubtoml).
"""
HUB_FILE_NOTE = """\
The configuration of a city's hub, read as strictly as `kiosk.toml`; [config/hub.toml](../config/hub.toml) is a whole
one to begin with, and [hub.md](hub.md) tells how to set one up. Relative paths count from the directory of the file.
"""
CITY_NOTE = """\
The head of a city's pack, the directory that `paths.city_data` names; [config/city.toml](../config/city.toml) is a
whole one to begin with, and [services.md](services.md) tells of the rest of the pack. `kiosk city check DIRECTORY`
reads a whole pack. It is read as strictly as `kiosk.toml`.
"""
DEVICE_NOTE = """\
`line` and `options` are tables whose keys depend on transport and driver; they follow below. A driver may have its own
defaults for the line (an ID003 acceptor sets baud rate and parity).
"""
PEOPLE_NOTE = """\
One section for each person who works at the kiosk. Make `pin` with `kiosk people pin ID`, and let nobody but the
kiosk's user read the file: a PIN has too few digits to be safe from somebody who has its hash.
"""
SYNC_NOTE = """\
Without a `[[sync.hub]]` the kiosk works alone. `kiosk sync enrol` makes it known to a hub.
"""
HUB_NOTE = """\
One section for each hub, in the order of preference: the next one is spoken to while the one before is unreachable.
`kiosk hub enrol` at the hub prints the lines.
"""
COLOURS_NOTE = """\
Text must have a contrast of 4.5:1 on every ground that it is drawn on; else the start names the pair and its ratio.
"""
#: Fields that hold a section of their own.
SECTIONS = (
    ("[kiosk]", sections.Identity, ""),
    ("[paths]", sections.Places, "Relative paths count from the directory of the file.\n"),
    ("[screen]", sections.ScreenSection, ""),
    ("[checkout]", sections.CheckoutSettings, ""),
    ("[checkout.periods]", Periods, "Whole seconds.\n"),
    ("[operator]", sections.OperatorSettings, ""),
    ("[plugins]", sections.PluginSection, ""),
    ("[sync]", SyncSettings, SYNC_NOTE),
    ("[[sync.hub]]", HubAddress, HUB_NOTE),
    ("[[device]]", sections.DeviceConfig, DEVICE_NOTE),
    ("[[people]]", sections.Person, PEOPLE_NOTE),
)
HUB_SECTIONS = (("hub", Hub), ("listen", Listen), ("web", Web), ("alerts", Alerts))
NESTED = {("[checkout]", "periods"), ("[sync]", "hub")}
#: Meaning of fields whose names say enough where they are declared.
WORDS = {
    "Identity.currency": "ISO 4217 code of the one currency of this kiosk.",
    "CheckoutSettings.periods": "A section of its own.",
    "SyncSettings.hub": "Sections of their own.",
    "Hub.currency": "ISO 4217 code of what the books are kept in.",
    "Web.host": "Address that the pages listen on.",
    "Alerts.sender": "From whom mail comes.",
    "Alerts.receivers": "To whom it goes.",
    "Periods.reviewing": "Reading what is owed.",
    "Periods.consenting": "Reading the conditions.",
    "Periods.thanking": "The last screen of a payment.",
    "TcpSettings.host": "Name or address of the device.",
    "TcpSettings.port": "Its TCP port.",
    "LineScannerOptions.max_length": "Longest label, characters.",
    "WedgeScannerOptions.max_length": "Longest label, characters.",
    "Id003Options.dtr": "As `rts`, for the DTR line.",
    "CcnetOptions.dtr": "As `rts`, for the DTR line.",
    "SspOptions.repeat_ms": "Time between two such polls.",
    "HidPosScannerOptions.max_length": "Longest label, characters.",
    "Options.profile": "Name of a file in `printers/`, without `.toml`.",
}


def words_of(struct: type[Any]) -> dict[str, str]:
    """Return the meaning of each field, of those inherited as well: its `#:` lines, else a line of `WORDS`.

    Raises:
        LookupError: a field has neither.
    """
    source = textwrap.dedent(inspect.getsource(struct))
    lines = source.splitlines()
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.ClassDef)
    parent = struct.__mro__[1]
    found = {} if parent is msgspec.Struct else words_of(parent)
    for node in tree.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        told: list[str] = []
        at = node.lineno - 2
        while at >= 0 and lines[at].strip().startswith("#:"):
            told.insert(0, lines[at].strip()[2:].strip())
            at -= 1
        name = node.target.id
        meaning = " ".join(told) or WORDS.get(f"{struct.__name__}.{name}", "")
        if not meaning:
            raise LookupError(f"{struct.__name__}.{name} has no `#:` line: say there what it is, or here in WORDS")
        found[name] = " ".join(meaning.split())
    return found


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """Return a field's default as TOML would write it."""
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return toml(value)


def toml(value: Any) -> str:
    """Write a value as in a TOML file."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple | list):
        return "`[" + ", ".join(toml(each).strip("`") for each in value) + "]`"
    if isinstance(value, dict):
        return "`{}`" if not value else "see the profile"
    if isinstance(value, msgspec.Struct):
        return "see below"
    return f"`{value}`"


def table(struct: type[Any], skip: frozenset[str] = frozenset()) -> str:
    """Return a table of a struct's keys."""
    told = words_of(struct)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        if field.name not in skip:
            meaning = told.get(field.name, "").replace("``", "`").replace("|", "\\|")
            rows.append(f"| `{field.encode_name}` | {default_of(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for name, struct, note in SECTIONS:
        skip = frozenset(key for section, key in NESTED if section == name)
        parts += [f"## `{name}`\n", *([note] if note else []), table(struct, skip)]
    parts += ["## `city.toml`\n", CITY_NOTE, table(CityFile, frozenset({"colours", "receipt"}))]
    parts += ["## `[colours]` of `city.toml`\n", COLOURS_NOTE, table(Colours)]
    parts += ["## `[receipt]` of `city.toml`\n", table(ReceiptOptions)]
    parts += ["## `hub.toml`\n", HUB_FILE_NOTE]
    for name, struct in HUB_SECTIONS:
        parts += [f"### `[{name}]` of `hub.toml`\n", table(struct)]
    specs = load_plugins(safe_mode=True).drivers
    kinds: list[str] = []
    for spec in specs.values():
        kinds += [kind for kind in spec.transports if kind not in kinds]
    for kind in kinds:
        parts += [f"## `line` of transport `{kind}`\n", table(settings_type(kind))]
    for name, spec in specs.items():
        ways = ", ".join(f"`{kind}`" for kind in spec.transports)
        parts += [f"## `options` of driver `{name}`\n", f"A {spec.device_class} on {ways}.\n", table(spec.options)]
    parts += [
        "## A printer profile, `printers/NAME.toml`\n",
        "Named by a printer's `options.profile`.\n",
        table(Profile),
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} is written\n")
