"""Photograph every screen in every language, and the modes on every panel, for the documentation.

Each language gets one sheet of all screens on the panel of 10 inches; one more sheet shows large text, high contrast
and the three panels.  The screens are the real application's on hand-made snapshots (tests/screen).

    .venv/bin/python tools/photograph-screens.py [--out docs/pictures] [--only screens-ar,modes]
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.axe_matrix import Matrix, matrix  # noqa: E402
from tests.screen.all_pictures import ALL_PICTURES, LANGUAGES, MODES, SIZES  # noqa: E402

#: Nobody wants to clone megabytes of pictures.
LARGEST_BYTES = 400_000
CAPTION = 22
GAP = 10
GROUND = "#59636e"
#: Screens of the sheet that shows the modes.
SHOWN = ("idle", "reviewing_several", "consenting", "accepting", "note_held_excess", "receipting")

Tile = tuple[str, Image.Image]


def shoot(camera: Matrix, name: str, language: str, scale: float) -> Image.Image:
    """Draw one picture and photograph it."""
    shot = camera.desk.show(ALL_PICTURES[name], language=language, languages=LANGUAGES)
    camera.page.wait_for_selector(f'[data-id^="b00t:{shot.version}"]', timeout=10_000)
    camera.page.evaluate("document.fonts.ready")
    picture = Image.open(io.BytesIO(camera.page.screenshot())).convert("RGB")
    size = (round(picture.width * scale), round(picture.height * scale))
    return picture.resize(size, Image.Resampling.LANCZOS)


def sheet(tiles: list[Tile], columns: int) -> Image.Image:
    """Lay pictures of one size out in rows, each with its name."""
    width, height = tiles[0][1].size
    rows = -(-len(tiles) // columns)
    whole = Image.new("RGB", (columns * (width + GAP) + GAP, rows * (height + CAPTION + GAP) + GAP), GROUND)
    pen = ImageDraw.Draw(whole)
    for place, (name, picture) in enumerate(tiles):
        left = GAP + place % columns * (width + GAP)
        top = GAP + place // columns * (height + CAPTION + GAP)
        pen.text((left + 2, top + 2), name.replace("_", " "), fill="#ffffff", font=ImageFont.load_default(14))
        whole.paste(picture, (left, top + CAPTION))
    return whole


def stacked(sheets: list[Image.Image]) -> Image.Image:
    """Put sheets below one another."""
    width = max(one.width for one in sheets)
    whole = Image.new("RGB", (width, sum(one.height for one in sheets)), GROUND)
    top = 0
    for one in sheets:
        whole.paste(one, (0, top))
        top += one.height
    return whole


def save(picture: Image.Image, path: Path) -> None:
    """Write a WebP file, with less detail until it is small enough."""
    for quality in (80, 70, 60, 50, 40, 30):
        picture.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size <= LARGEST_BYTES:
            print(f"  {path.name:<24} {path.stat().st_size // 1024:>4} kB")
            return
    raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {LARGEST_BYTES}")


def main() -> int:
    """Take every sheet, or the ones that were asked for."""
    parser = argparse.ArgumentParser(description="Photograph every screen in every language.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--only", default="", help="names, separated by commas: screens-en, …, modes")
    asked = parser.parse_args()
    wanted = set(asked.only.split(",")) - {""}
    with matrix() as camera:
        camera.prepare("landscape", "plain")
        for language in LANGUAGES:
            if not wanted or f"screens-{language}" in wanted:
                tiles = [(name, shoot(camera, name, language, 0.3)) for name in ALL_PICTURES]
                save(sheet(tiles, 5), asked.out / f"screens-{language}.webp")
        if not wanted or "modes" in wanted:
            parts = []
            for size, scale in zip(SIZES, (0.34, 0.2125, 0.15), strict=True):
                for mode in MODES:
                    camera.prepare(size, mode)
                    language = LANGUAGES[MODES.index(mode)]
                    tiles = [(f"{mode} {SIZES[size][0]}", shoot(camera, name, language, scale)) for name in SHOWN]
                    parts.append(sheet(tiles, len(SHOWN)))
            save(stacked(parts), asked.out / "modes.webp")
    return 0


if __name__ == "__main__":
    sys.exit(main())
