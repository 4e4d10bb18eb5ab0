"""How the citizen screen is set up: everything that is not in a snapshot."""

from __future__ import annotations

import msgspec

#: Name of a city's colour -> variable of the style sheet.
_VARIABLES = {
    "ink": "ink", "quiet": "quiet", "paper": "paper", "card": "card", "accent": "blue", "dark": "deep", "wash": "wash",
}  # fmt: skip


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the screen.  The address and the port belong to the server, the languages to the snapshot."""

    #: Names by which a browser may call this server; a port may follow.  Anything else in ``Host`` is refused.
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    #: Origins that may show the screen in a frame (the bench of a demonstration); none in a live kiosk.
    framed_by: tuple[str, ...] = ()
    #: Pixels per 100 millimetres of the real screen; 0 where unknown.  Sets the letters to at least 4.8 mm
    #: (ADA 707.7.2, 508 402.4) and those of the large text to 7.33 mm (EN 301 549 5.1.4: 0.7 degree at 600 mm)
    #: where the built-in sizes would be smaller.
    px_per_100mm: int = 0
    #: (name, #rrggbb) of the city's own colours; the names are those of city.toml.
    colours: tuple[tuple[str, str], ...] = ()
    #: Shown until the kernel has published its first snapshot.
    kiosk: str = ""
    city: str = ""
    support_phone: str = ""
    #: Opening hours of the office that answers there.
    hours: str = ""
    #: The city's PNG file, served as ``/logo.png``; b"" for none.
    logo: bytes = b""
    realm: str = "live"
    currency: str = "USD"
    language: str = "en"

    @property
    def letter_px(self) -> int:
        """Least font size in pixels for a capital of 4.8 mm, 0 where the screen was not measured.

        The capitals of the typeface (Inter) are 0.727 of its size; 0.70 leaves room for another typeface.
        """
        return -(-48 * self.px_per_100mm // 700)

    @property
    def large_letter_px(self) -> int:
        """The same for a capital of 7.33 mm.

        >>> ScreenSettings(px_per_100mm=530).letter_px, ScreenSettings(px_per_100mm=530).large_letter_px
        (37, 56)
        """
        return -(-733 * self.px_per_100mm // 7000)

    @property
    def look(self) -> str:
        """A style sheet of what was measured and what the city chose; a high-contrast screen keeps its own colours."""
        told = {_VARIABLES[name]: colour for name, colour in self.colours if name in _VARIABLES}
        if self.px_per_100mm:
            told |= {"letter": f"{self.letter_px}px", "large-letter": f"{self.large_letter_px}px"}
        return "".join(f":root {{ --{name}: {value}; }}\n" for name, value in told.items())
