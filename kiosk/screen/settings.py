"""How the citizen screen is set up: everything that is not in a snapshot."""

from __future__ import annotations

import msgspec


class ScreenSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the screen.  The address and the port belong to the server, the languages to the snapshot."""

    #: Names by which a browser may call this server; a port may follow.  Anything else in ``Host`` is refused.
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    #: Origins that may show the screen in a frame (the bench of a demonstration); none in a live kiosk.
    framed_by: tuple[str, ...] = ()
    #: Pixels per 100 millimetres of the real screen; 0 where unknown.  Sets the letters to at least 4.8 mm
    #: (ADA 707.7.2, 508 402.4) where the built-in sizes would be smaller.
    px_per_100mm: int = 0
    #: Shown until the kernel has published its first snapshot.
    kiosk: str = ""
    city: str = ""
    support_phone: str = ""
    realm: str = "live"
    currency: str = "USD"
    language: str = "en"

    @property
    def letter_px(self) -> int:
        """Least font size in pixels for a capital of 4.8 mm, 0 where the screen was not measured.

        The capitals of the typeface (Inter) are 0.727 of its size; 0.70 leaves room for another typeface.
        """
        return -(-48 * self.px_per_100mm // 700)
