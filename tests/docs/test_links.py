"""Links lead somewhere, pictures are there and small, decisions are numbered once."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, prose

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def broken(name: str, page: str) -> list[str]:
    found = []
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (ROOT / name).parent / path if path else ROOT / name
        if not to.exists():
            found.append(f"{name}: {target} does not exist")
        elif anchor and anchor not in anchors(to.read_text("utf-8")):
            found.append(f"{name}: {target}: there is no such heading")
    return found


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    assert broken(name, PAGES[name]) == []


def test_a_link_that_leads_nowhere_would_be_found() -> None:
    page = "[a](docs/no-such.md) [b](README.md#no-such-heading) [c](https://city.example)"
    assert len(broken("README.md", page)) == 2


def test_every_page_is_reached_from_the_index_or_the_readme() -> None:
    linked = {
        ((ROOT / name).parent / target.partition("#")[0]).resolve()
        for name in ("README.md", "docs/index.md")
        for target in _LINK.findall(PAGES[name])
    }
    pages = {name: (ROOT / name).resolve() for name in PAGES if name.startswith("docs/")}
    assert [name for name, path in pages.items() if path not in linked] == []


def test_pictures_are_small_and_each_is_shown() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").glob("*.png"))
    assert pictures
    assert [path.name for path in pictures if path.stat().st_size > 250_000] == []
    whole = "".join(PAGES.values())
    assert [path.name for path in pictures if f"pictures/{path.name}" not in whole] == []


def test_decisions_are_numbered_one_after_the_other() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (ROOT / "docs" / "adr").glob("*.md"):
        assert path.read_text("utf-8").startswith(f"# {int(path.name[:4])}. ")
