"""Draws a bar for each date, its services one above the other, as SVG on the server; the table below tells the same.

Every part has a pattern of its own beside its colour and a title that names it.  The policy of the pages allows no
style in an element: sizes are attributes, looks are classes of the style sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from markupsafe import Markup, escape

#: Size of the drawing and of its margins, in its own units.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 280, 84, 8, 12, 34
#: Parts that look different; a later one looks like the last.
LOOKS = 6
#: Steps between the lines of the scale, times powers of ten.
_STEPS = (1, 2, 5)


class Bar(msgspec.Struct):
    """One date."""

    date: str
    #: Minor units by service.
    parts: dict[str, int]
    #: Drawn hatched and without a height that tells anything.
    sealed: bool


def bars(
    drawn: Sequence[Bar], services: Sequence[str], names: Mapping[str, str], money: Callable[[int], str]
) -> Markup:
    """Return the drawing; nothing where there is no date."""
    if not drawn:
        return Markup("")
    top = max((sum(max(0, minor) for minor in bar.parts.values()) for bar in drawn), default=0)
    step = step_of(top)
    ceiling = max(step, -(-top // step) * step)
    room, base = HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    pieces: list[str] = []
    for line in range(0, ceiling + 1, step):
        y = base - room * line // ceiling
        pieces.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        pieces.append(f'<text class="scale" x="{LEFT - 8}" y="{y + 4}">{escape(money(line))}</text>')
    slot = (WIDTH - LEFT - RIGHT) // len(drawn)
    wide = max(3, min(52, slot * 7 // 10))
    every = max(1, -(-44 // max(1, slot)))
    for at, bar in enumerate(drawn):
        x = LEFT + at * slot + (slot - wide) // 2
        pieces += _column(bar, x, wide, base, room, ceiling, services, names, money)
        if at % every == 0:
            pieces.append(f'<text class="date" x="{x + wide // 2}" y="{base + 20}">{escape(bar.date[5:])}</text>')
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Applied by date and service, from '
        f'{escape(drawn[0].date)} to {escape(drawn[-1].date)}; the table below tells the same">{_patterns()}'
        f"{''.join(pieces)}</svg>"
    )


def _column(
    bar: Bar, x: int, wide: int, base: int, room: int, ceiling: int, services: Sequence[str],
    names: Mapping[str, str], money: Callable[[int], str],
) -> list[str]:  # fmt: skip
    if bar.sealed:
        title = f"{bar.date}: sealed until its boxes are counted"
        shape = f'x="{x}" y="{base - room // 3}" width="{wide}" height="{room // 3}"'
        return [f'<rect class="sealed" {shape} fill="url(#sealed)"><title>{escape(title)}</title></rect>']
    pieces, below = [], 0
    for at, service in enumerate(services):
        minor = max(0, bar.parts.get(service, 0))
        if not minor:
            continue
        low, high = room * below // ceiling, room * (below + minor) // ceiling
        below += minor
        look = min(at, LOOKS - 1)
        title = f"{bar.date}, {names[service]}: {money(minor)}"
        pieces.append(
            f'<rect class="part part-{look}" x="{x}" y="{base - high}" width="{wide}" height="{max(1, high - low)}">'
            f"<title>{escape(title)}</title></rect>"
            f'<rect class="over" x="{x}" y="{base - high}" width="{wide}" height="{max(1, high - low)}" '
            f'fill="url(#look-{look})"/>'
        )
    return pieces


def _patterns() -> str:
    lines = {
        "look-0": "", "look-1": "M0 8L8 0", "look-2": "M0 4H8", "look-3": "M4 0V8", "look-4": "M0 0L8 8",
        "look-5": "M0 0L8 8M0 8L8 0", "sealed": "M0 8L8 0M-2 2L2 -2M6 10L10 6",
    }  # fmt: skip
    made = "".join(
        f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse"><path class="stroke" d="{line}"/>'
        "</pattern>"
        for name, line in lines.items()
    )
    return f"<defs>{made}</defs>"


def step_of(top: int) -> int:
    """Return the distance of the scale's lines so that three to six of them reach above `top`.

    >>> step_of(0), step_of(12_345), step_of(99_999)
    (100, 5000, 20000)
    """
    ten = 100
    while True:
        for step in _STEPS:
            if step * ten * 5 >= top:
                return step * ten
        ten *= 10
