"""The directory of a demonstration: an ordinary kiosk.toml, a key, the example data and the city's published keys.

Everything is made with the means of a real installation.  Only the dates of the example data are moved as a whole, so
that the amounts are the same on whatever day the demonstration runs.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
import io
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kiosk import config
from kiosk.core.people import hash_of
from kiosk.errors import ConfigError
from kiosk.journal.keys import SigningKey
from kiosk.journal.receipt_seal import PublishedKey, PublishedKeys
from kiosk.simulators.note_units import ACCEPTORS
from kiosk.sync.importing import ImportReport, import_csv
from kiosk.sync.mapping import Mapping, date_reader, date_writer, load_mapping
from kiosk.sync.replica import Replica, data_set_of
from kiosk.tariff.library import TariffLibrary
from kiosk.tariff.library import load as load_library
from kiosk.workbench.coin_kiosk import DEVICES, write_pack

KIOSK = "K07"
REALM = "demo"
#: Who may look at the hub's pages.
OPERATOR = "o01"
CURRENCY = "USD"
#: Of the pack that ships with the software.
ZONE = "America/Chicago"
#: The day for which the example files were written.
EXAMPLE_DAY = dt.date(2026, 11, 22)
#: Example file by service; the mapping has the service's name.
EXAMPLES = {
    "parking_citation": "parking_citations.csv",
    "water_bill": "water_bills.csv",
    "property_tax": "property_tax.csv",
}
#: Waiting times of the screen in a scenario that is played quickly; a question always stays for 20 s.
QUICK_PERIODS = {"note_held": 4, "thanking": 3, "accepting": 12, "notice": 4, "unprinted": 6}
PORTS = ("notes", "receipt", "scanner", "bus")
#: A socket's path has about 100 bytes; the rest of it comes below the runtime directory.
LONGEST_RUNTIME = 86


class DemoPerson(NamedTuple):
    """Somebody who works at the demonstration."""

    id: str
    pin: str
    roles: tuple[str, ...]
    #: What the demonstration says of them.
    duty: str


#: Four people, so that each duty can be seen apart from the others.
DEMO_PEOPLE = (
    DemoPerson("p01", "2580", ("operate", "collect", "close"), "runs the kiosk, takes the box out, closes the day"),
    DemoPerson("p02", "4711", ("collect",), "signs second for the box"),
    DemoPerson("p03", "8642", ("count",), "counts the box, without knowing what to expect"),
    DemoPerson("p04", "1397", ("audit",), "may see what is expected, and counts nothing"),
)


class DemoDirectory:
    """Owns the files of one demonstration; made by `make`, removed by `remove` unless it was asked to stay."""

    def __init__(self, root: Path, runtime: Path, *, keep: bool) -> None:
        self.root = root
        self.runtime = runtime
        self._keep = keep
        self.config = root / "kiosk.toml"
        self.state = root / "state"
        self.published = root / "published-keys.json"
        self.log = root / "kiosk.log"
        #: The city's pack, None for the one that ships with the software.
        self.pack: Path | None = None

    @classmethod
    def choose(cls, asked: Path | None) -> DemoDirectory:
        """Take the directory that was asked for, or a fresh one that is removed at the end.

        Raises:
            ConfigError: it holds something that is not a demonstration.
        """
        runtime = Path(tempfile.mkdtemp(prefix="kiosk-demo-"))
        if len(str(runtime)) > LONGEST_RUNTIME:
            runtime.rmdir()
            runtime = Path(tempfile.mkdtemp(prefix="kiosk-demo-", dir="/tmp"))
        if asked is None:
            return cls(runtime, runtime / "run", keep=False)
        root = asked.resolve()
        if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not (root / "kiosk.toml").is_file())):
            runtime.rmdir()
            raise ConfigError(f"{root} holds something else", hint="give an empty directory, or one of an earlier demo")
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(root, runtime, keep=True)

    @property
    def ports(self) -> dict[str, Path]:
        """The stable path of each pty; the bus is there where there are coins."""
        return {name: self.runtime / "dev" / name for name in PORTS}

    @property
    def screen_url(self) -> Path:
        """Where the kiosk writes the start address of its screen."""
        return self.runtime / "screen.url"

    @property
    def journal(self) -> Path:
        """The demonstration's journal."""
        return self.state / "journal-demo.db"

    def remove(self) -> None:
        """Leave nothing behind, except what was asked for with a directory of its own."""
        shutil.rmtree(self.runtime, ignore_errors=True)
        if not self._keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def write(
        self, *, screen_port: int, bench: str, quick: bool = False, acceptor: str = "id003", coins: bool = False,
        presenter: bool = False,
    ) -> None:  # fmt: skip
        """Write the configuration, the kiosk's key and the city's list of published keys; with `coins`, a pack too."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        if coins:
            self.pack = self.root / "pack"
            write_pack(self.pack)
        values = {
            "kiosk": KIOSK, "currency": CURRENCY, "state": self.state, "runtime": self.runtime,
            "published": self.published, "port": screen_port, "bench": bench,
            "acceptor": ACCEPTORS[acceptor][2],
            "profile": "custom-presenter-80mm" if presenter else "epson-tm-t20iii", **self.ports,
        }  # fmt: skip
        if coins and acceptor == "cctalk":
            values["notes"] = values["bus"]
        named = {name: json.dumps(str(value)) if name != "port" else value for name, value in values.items()}
        named["pack"] = f"city_data = {json.dumps(str(self.pack))}\n" if self.pack else ""
        text = _TEMPLATE.format(**named) + (DEVICES.format(**named) if coins else "")
        text += people_sections()
        if quick:
            text += "\n[checkout.periods]\n" + "".join(f"{name} = {value}\n" for name, value in QUICK_PERIODS.items())
        self.config.write_text(text, encoding="utf-8")
        path = self.state / "journal-demo.key"
        key = SigningKey.load(path) if path.exists() else SigningKey.create(path)
        listed = PublishedKeys("Example City", (PublishedKey(KIOSK, 1, key.public_hex, realm="demo"),))
        self.published.write_bytes(msgspec.json.format(msgspec.json.encode(listed)) + b"\n")

    def import_examples(
        self, today: dt.date, told: Callable[[ImportReport], None] = lambda report: None
    ) -> TariffLibrary:
        """Import the example citations and bills as a city would; return the tariff that prices them.

        What a hub sent in an earlier demonstration stays the hub's: it gets the files, and sends them again.
        """
        samples = config.sample_dir()
        library = sample_library(self.pack or samples)
        sent = self._sent_by_a_hub()
        for service, name in EXAMPLES.items():
            mapping = load_mapping(config.read_text(samples / "imports" / f"{service}.toml"), f"{service}.toml")
            source = self.root / "examples" / name
            source.parent.mkdir(exist_ok=True)
            source.write_text(
                moved(config.read_text(samples / "examples" / name), mapping, today - EXAMPLE_DAY), "utf-8"
            )
            if data_set_of(service) in sent:
                continue
            told(
                import_csv(
                    source, mapping, library.services[service], self.state / "sync.db",
                    source.with_suffix(".rejects.csv"),
                    taken_at_ns=time.time_ns(),
                )
            )  # fmt: skip
        return library

    def _sent_by_a_hub(self) -> set[str]:
        path = self.state / "sync.db"
        if not path.exists():
            return set()
        replica = Replica.open(path)
        try:
            return {each.name for each in replica.datasets() if each.source}
        finally:
            replica.close()


def free_ports(many: int) -> list[int]:
    """Return ports of the loopback address that nobody uses now."""
    with ExitStack() as held:
        bound = [held.enter_context(socket.socket()) for _ in range(many)]
        for each in bound:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in bound]


@functools.cache
def people_sections() -> str:
    """Return the `[[people]]` of a demonstration: made-up ids with PINs that everybody may know."""
    return "".join(
        f'\n[[people]]\nid = "{person.id}"\nroles = {json.dumps(person.roles)}\npin = "{hash_of(person.pin)}"\n'
        for person in DEMO_PEOPLE
    )


def sample_library(samples: Path) -> TariffLibrary:
    """Load the services and policies that ship with the software."""
    rooms = ("services", "policies")
    found = {
        f"{room}/{path.name}": config.read_text(path)
        for room in rooms
        for path in sorted((samples / room).glob("*.toml"))
    }
    return load_library(found)


def moved(text: str, mapping: Mapping, by: dt.timedelta) -> str:
    """Return a CSV text with all its dates moved by the same time."""
    rows: list[list[Any]] = list(csv.reader(io.StringIO(text), delimiter=mapping.delimiter))
    read, write = date_reader(mapping.dates), date_writer(mapping.dates)
    places = [at for at, heading in enumerate(rows[0]) if mapping.columns.get(heading.strip()) in ("issued", "due")]
    for row in rows[1:]:
        for place in places:
            if row[place]:
                row[place] = write(read(row[place]) + by)
    out = io.StringIO()
    csv.writer(out, delimiter=mapping.delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


#: An ordinary kiosk.toml; `config/kiosk.toml` explains every key.
_TEMPLATE = """\
# Written by `kiosk demo`: an ordinary configuration, three devices on pseudo-terminals.
[kiosk]
id = {kiosk}
realm = "demo"
currency = {currency}
stacker_notes = 600
languages = ["en", "es", "ar"]

[paths]
state = {state}
runtime = {runtime}
published_keys = {published}
{pack}
[screen]
port = {port}
framed_by = [{bench}]

[[device]]
name = "notes"
driver = {acceptor}
line = {{ port = {notes} }}

[[device]]
name = "receipt"
driver = "escpos_printer"
transport = "serial"
line = {{ port = {receipt} }}
options = {{ profile = {profile} }}

[[device]]
name = "scanner"
driver = "line_scanner"
line = {{ port = {scanner} }}
"""
