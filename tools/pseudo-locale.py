"""Write the pseudo-language: the English texts with accents, 40 % longer, every parameter left in its place.

It shows which words are not translatable and which boxes are too small.  Files of texts like those of any language:
kiosk/locales/qps/messages.po for the product, config/texts/qps.po for the example city.

    .venv/bin/python tools/pseudo-locale.py [--check]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: English file -> pseudo file.
FILES = (
    ("kiosk/locales/en/messages.po", "kiosk/locales/qps/messages.po"),
    ("config/texts/en.po", "config/texts/qps.po"),
)
HEAD = "# Written by tools/pseudo-locale.py from the English texts: do not edit, run it again.\n"

_FIELD = re.compile(r"(\{[a-z][a-z0-9_]*\})")
_TOLD = re.compile(r'msgstr(\[\d\])? "(.+)"')
_ACCENTED = str.maketrans("aceinosuyzACEINOSUYZ", "áçéíñöšúýžÁÇÉÍÑÖŠÚÝŽ")


def pseudo_words(told: str) -> str:
    """Return a text in the pseudo-language.

    >>> pseudo_words("Pay {due} now")
    'Páý {due} ñöw ~~~~ ·~'
    """
    words = "".join(part if _FIELD.fullmatch(part) else part.translate(_ACCENTED) for part in _FIELD.split(told))
    return words + " " + "~~~~ " * (len(told) * 2 // 25) + "·~"


def pseudo_file(english: str) -> str:
    """Return a whole catalogue in the pseudo-language; its header stays, so that money and dates are written alike.

    Raises:
        SystemExit: a text goes over several lines, which none of the English files does.
    """
    lines = [HEAD.rstrip("\n")]
    in_header = True
    for line in english.splitlines():
        if line.startswith("#"):
            continue
        found = _TOLD.fullmatch(line)
        if found:
            in_header = False
            lines.append(f'msgstr{found[1] or ""} "{pseudo_words(found[2])}"')
        elif line.startswith('"') and not in_header:
            raise SystemExit(f"a text goes over several lines: {line}")
        else:
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def main() -> int:
    """Write the files, or with --check tell whether they are as they would be written."""
    stale = 0
    for source, target in FILES:
        made = pseudo_file((ROOT / source).read_text(encoding="utf-8"))
        path = ROOT / target
        if "--check" in sys.argv[1:]:
            if not path.is_file() or path.read_text(encoding="utf-8") != made:
                print(f"{target} is stale: run tools/pseudo-locale.py")
                stale = 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main())
