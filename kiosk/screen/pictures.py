"""Drawings that are made from data: the QR code of a slip."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup

#: A QR code of version 40 with error correction M holds 2331 bytes (ISO/IEC 18004); a slip's is far smaller.
LONGEST = 2000


@lru_cache(maxsize=4)
def qr_code(data: str) -> Markup:
    """Return the QR code (error correction M) as an inline drawing without a style; "" where there is no data."""
    if not data or len(data.encode()) > LONGEST:
        return Markup("")
    import segno

    code = segno.make(data, error="m", micro=False)
    return Markup(code.svg_inline(scale=1, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr-code"))
