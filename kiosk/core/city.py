"""Who stands behind the kiosk: `city.toml` at the head of a city's pack, everything of a city that is not a rule.

`City` is what slips and screens print of it; `CityFile` is the whole file, with what names the pack and what decides
dates.  Colours are held to the contrast that a screen for everybody needs (domain sheet §10) when they are read: a
city's own colours must not make a screen unreadable.
"""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from kiosk.errors import ConfigError

#: Least contrast of text on its ground (WCAG 2.2, 1.4.3).
LEAST_CONTRAST = 4.5
#: Lines that a city may put at the head of its slips, and their length in characters.
HEADER_LINES, HEADER_LENGTH = 6, 64
#: Years from 2026 on whose clock changes are held against a cut-off.
YEARS_LOOKED_AT = 5
#: Slip layouts that this software can set.
LAYOUTS = (1,)

_ID = re.compile(r"[a-z][a-z0-9-]{0,39}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,19}")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LOGO = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\.png")


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours after WCAG 2.2, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    >>> round(contrast("#777777", "#ffffff"), 2)
    4.48
    """
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def comes_twice(cut_off: dt.time, zone: ZoneInfo) -> bool:
    """Tell whether a business date would begin, end and begin again: clocks go back from after to before the cut-off.

    >>> comes_twice(dt.time(3, 30), ZoneInfo("Europe/Helsinki")), comes_twice(dt.time(3), ZoneInfo("Europe/Helsinki"))
    (True, False)
    """
    second = dt.timedelta(seconds=1)
    for day in range(YEARS_LOOKED_AT * 366):
        at = dt.datetime.combine(dt.date(2026, 1, 1) + dt.timedelta(days=day), cut_off, zone)
        if all(each.utcoffset() != each.replace(fold=1).utcoffset() for each in (at, at - second)):
            start = at - second
            # Where clocks go forward both folds differ too, but the hour does not come at all.
            if (start.utcoffset() or second) > (start.replace(fold=1).utcoffset() or second):
                return True
    return False


class Colours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[colours]` section; each is written as #rrggbb."""

    #: Text.
    ink: str = "#12233d"
    #: Text of less weight.
    quiet: str = "#3f4f66"
    #: Ground of the screen.
    paper: str = "#f3f5f7"
    #: Ground of cards and bars.
    card: str = "#ffffff"
    #: Buttons, their edges and their words.
    accent: str = "#0b4a8a"
    #: Large amounts, and grounds under white text.
    dark: str = "#0a2a50"
    #: Ground of messages.
    wash: str = "#e6eef7"

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not _COLOUR.fullmatch(getattr(self, name)):
                raise ConfigError(
                    f"colours.{name} {getattr(self, name)[:20]!r} is not a colour", hint="write it as #0b4a8a"
                )
        for name, first, second in self.pairs():
            found = contrast(first, second)
            if found < LEAST_CONTRAST:
                raise ConfigError(
                    f"colours.{name}: {first} on {second} has a contrast of {int(found * 100) / 100:.2f}:1, "
                    f"text needs {LEAST_CONTRAST}:1",
                    hint="make the darker one darker or the lighter one lighter",
                )

    def told(self) -> tuple[tuple[str, str], ...]:
        """Return (name, colour) of each."""
        return tuple((name, getattr(self, name)) for name in self.__struct_fields__)

    def pairs(self) -> tuple[tuple[str, str, str], ...]:
        """Return every pair of text and ground that a screen draws, with the name to blame."""
        words = (
            *((f"{name} on {ground}", getattr(self, name), getattr(self, ground))
              for name in ("ink", "quiet", "accent", "dark") for ground in ("paper", "card")),
            ("ink on wash", self.ink, self.wash),
        )  # fmt: skip
        return (*words, ("white on accent", "#ffffff", self.accent), ("white on dark", "#ffffff", self.dark))


class ReceiptOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[receipt]` section."""

    #: Lines under name, office and address at the head of every slip.
    header: tuple[str, ...] = ()
    #: Id of a text in `texts/` that ends every slip; "" for none.
    footer: str = ""
    #: Number of the slips' layout; a slip keeps the one that it was made with.
    layout: int = 1

    def __post_init__(self) -> None:
        if len(self.header) > HEADER_LINES or any(
            not line.strip() or len(line) > HEADER_LENGTH or not line.isprintable() for line in self.header
        ):
            raise ConfigError(
                "receipt.header holds a line that cannot be printed",
                hint=f"at most {HEADER_LINES} lines of 1 to {HEADER_LENGTH} characters",
            )
        if self.layout not in LAYOUTS:
            raise ConfigError(
                f"receipt.layout {self.layout} is not known",
                hint=f"there are {', '.join(str(each) for each in LAYOUTS)}",
            )


class City(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What slips and screens print of a city."""

    #: At the head of every screen and slip.
    name: str
    #: Printed under the name, e.g. the department.
    office: str = ""
    #: On every screen and slip.
    support_phone: str = ""
    #: Where slips are claimed and questions answered.
    address: str = ""
    #: Opening hours: when somebody answers there.
    hours: str = ""
    #: Where texts of slips name it.
    website: str = ""
    #: Language of legal lines; slips in another language repeat them in it.
    official_language: str = "en"
    #: Printed on every slip of a city whose fees are examples; such a pack cannot be put into service.
    example: bool = False
    #: What slips look like.
    receipt: ReceiptOptions = ReceiptOptions()


class CityFile(City, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of city.toml."""

    #: Names the pack: small letters, digits and -, e.g. springfield.
    id: str
    #: Of the pack, e.g. 2026.1; facts name it with the id.
    version: str
    #: Time zone, e.g. America/Chicago: business dates and due dates follow it.
    zone: str
    #: Local time at which a business date ends, before noon that of the day before; 00:00 is the calendar day.
    cut_off: dt.time = dt.time(0)
    #: A PNG file beside city.toml, at most 256 KiB and 1024 pixels a side; "" for none.
    logo: str = ""
    #: Colours of the screen.
    colours: Colours = Colours()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ConfigError(f"id {self.id[:40]!r} cannot name a pack", hint="small letters, digits and -")
        if not _VERSION.fullmatch(self.version):
            raise ConfigError(f"version {self.version[:40]!r} is not a version", hint="e.g. 2026.1, without spaces")
        if not self.name.strip():
            raise ConfigError("name is empty", hint="it stands at the head of every slip")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                f"zone: the time zone {self.zone[:60]!r} is not known", hint="use a name like America/Chicago"
            ) from None
        if 1 <= self.cut_off.hour <= 2:
            # Clocks go back within these hours: a business date would begin, end and begin again.
            raise ConfigError(f"cut_off {self.cut_off} lies where clocks change", hint="use 00:00, or 03:00 and later")
        if comes_twice(self.cut_off, ZoneInfo(self.zone)):
            raise ConfigError(
                f"cut_off {self.cut_off} lies where clocks change in {self.zone}", hint="use 00:00, or an hour by day"
            )
        if self.logo and not _LOGO.fullmatch(self.logo):
            raise ConfigError(f"logo {self.logo[:60]!r} is not a PNG file of the pack", hint="e.g. logo.png")

    @property
    def pack(self) -> str:
        """The pack's id and version, as facts name it."""
        return f"{self.id} {self.version}"
