"""The published pages, and their parts."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")])
}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def prose(page: str) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page)


def blocks(page: str, *languages: str) -> list[str]:
    """Return the code blocks of these languages."""
    return [match[2] for match in _FENCE.finditer(page) if match[1] in languages]


def section(page: str, heading: str) -> str:
    """Return what stands under a heading, down to the next one of its rank."""
    rank = heading.split(" ")[0]
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^{rank} |\Z)", page, re.DOTALL | re.MULTILINE)
    assert found is not None, heading
    return found[1]


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as the common web sites make them."""
    found = set()
    for line in prose(page).splitlines():
        if line.startswith("#"):
            words = line.lstrip("#").strip().lower()
            found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found
