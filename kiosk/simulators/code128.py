"""The bars of Code 128 (ISO/IEC 15417), for drawing what a simulated printer prints."""

from __future__ import annotations

import re

from kiosk.errors import SimulatorError

#: Bar and space widths of the values 0 to 106, in modules.
_WIDTHS = tuple(
    re.findall(
        r"\d+",
        "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 "
        "122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 "
        "321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311 "
        "211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113 "
        "213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422 "
        "121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111 "
        "241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121 "
        "412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 "
        "211214 211232 2331112 ",
    )
)
_START_B, _STOP = 104, 106


def modules(text: str) -> list[bool]:
    """Return the modules of a text in code set B, left to right, True for black, without quiet zones.

    Raises:
        SimulatorError: code set B has no such letter.
    """
    if not text or any(not 32 <= ord(letter) < 127 for letter in text):
        raise SimulatorError(f"{text[:40]!r} cannot be drawn in code set B", hint="use printable ASCII")
    values = [_START_B, *(ord(letter) - 32 for letter in text)]
    check = (values[0] + sum(at * value for at, value in enumerate(values))) % 103
    bars: list[bool] = []
    for value in (*values, check, _STOP):
        for at, width in enumerate(_WIDTHS[value]):
            bars += [at % 2 == 0] * int(width)
    return bars
