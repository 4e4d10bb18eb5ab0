"""Labels to try: a few example citations and bills with what each of them shows, and labels that strangers make up."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec

from kiosk.errors import KioskError
from kiosk.model.money import Money
from kiosk.sync.replica import Replica
from kiosk.tariff.labels import LabelRead
from kiosk.tariff.library import TariffLibrary


class Sample(msgspec.Struct, frozen=True):
    """One label to hold under the scanner."""

    #: What the scanner would read.
    label: str
    #: How people call it.
    name: str
    #: What it shows.
    shows: str
    #: What is owed on the day of the demonstration; None where nothing can be paid.
    owed: Money | None = None
    #: ``payable``, ``refused`` (known, not payable) or ``hostile``.
    kind: str = "payable"


_CHOSEN = (
    ("260004355", "Citation 260004355", "a note or three pays it exactly"),
    ("260004329", "Citation 260004329", "one 20 pays it"),
    ("260004175", "Citation 260004175", "third offence within a year: the fine has grown"),
    ("260004272", "Citation 260004272", "no parking: a flat fine"),
    ("260004223", "Citation 260004223", "two late fees on top, each with its reason"),
    ("260004246", "Citation 260004246", "disabled space: county and city surcharges; large notes are taken"),
    ("260004386", "Citation 260004386", "partly paid before"),
    ("260004454", "Citation 260004454", "the vehicle is immobilized: payable here, and paying does not free it"),
    ("4212345004 122026 000001500 1", "Water bill 42-1234-5004", "the scan line at the foot of a bill"),
    ("202700001177", "Property tax 2027 0000117", "no part payment: stop short, and scan it again to go on"),
    ("02123456781120260000083177", "Water bill 02-1234-5678", "late charge in cents: nobody can feed it exactly"),
)
_REFUSED = (
    ("260004393", "Citation 260004393", "paid already"),
    ("260004411", "Citation 260004411", "void"),
    ("260004422", "Citation 260004422", "in court"),
    ("260004433", "Citation 260004433", "disputed: under review"),
    ("260004440", "Citation 260004440", "handed to collections"),
    ("202700003934", "Property tax 2027 0000393", "no part payment, and more than the kiosk takes in cash"),
    ("260004209", "Citation 260004209", "first offence: a warning, nothing is owed"),
)
HOSTILE = (
    Sample("260004356", "Wrong check digit", "refused before anything is looked up", kind="hostile"),
    Sample("999999999", "Unknown number", "the form is right, nobody knows it", kind="hostile"),
    Sample("<script>alert(1)</script>", "Script", "a label is data from a stranger", kind="hostile"),
    Sample("' OR 1=1 --", "SQL quote", "no query is ever built from a label", kind="hostile"),
    Sample("260004355\x00\x00", "NUL bytes", "control characters in a label", kind="hostile"),
    Sample("A" * 4096, "4,096 letters", "longer than any label", kind="hostile"),
    Sample(
        "@ANSI 636000090002DL00410278DLDAQT64235789",
        "Driver's licence",
        "personal data that nobody wants",
        kind="hostile",
    ),
)


def samples(library: TariffLibrary, replica: Path, on: dt.date) -> tuple[Sample, ...]:
    """Return the labels to try with what is owed on each on this day."""
    found: list[Sample] = []
    held = Replica.open(replica)
    try:
        for kind, chosen in (("payable", _CHOSEN), ("refused", _REFUSED)):
            for label, name, shows in chosen:
                owed = owed_on(library, held, label, on) if kind == "payable" else None
                found.append(Sample(label, name, shows, owed, kind))
    finally:
        held.close()
    return (*found, *HOSTILE)


def owed_on(library: TariffLibrary, held: Replica, label: str, on: dt.date) -> Money | None:
    """Return what is owed on a label's invoice; None where it cannot be told."""
    read = library.read_label(label)
    invoice = held.find(read.service, read.number) if isinstance(read, LabelRead) else None
    if invoice is None:
        return None
    try:
        return Money(library.price(invoice, on).due_minor, invoice.currency)
    except KioskError:
        return None
