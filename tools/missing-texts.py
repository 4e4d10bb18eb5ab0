"""List the texts that a language lacks, with the English ones, and what differs in its parameters.

    .venv/bin/python tools/missing-texts.py [ar]
"""

from __future__ import annotations

import sys
from pathlib import Path

from kiosk.texts import FIRST, PRODUCT, Catalogue

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print one line a text; the exit code is 1 where any is missing."""
    asked = set(sys.argv[1:])
    found = 0
    catalogue = Catalogue.load([ROOT / "config" / "texts"])
    city = Catalogue.load([])
    for language in sorted(asked or set(catalogue.languages)):
        for message in sorted(catalogue.ids(FIRST) - catalogue.ids(language)):
            where = PRODUCT / language if city.has(message) else ROOT / "config" / "texts" / f"{language}.po"
            print(f"{where.relative_to(ROOT)}: {message} = {catalogue.template(message, FIRST)}")
            found += 1
    for finding in catalogue.findings():
        if "parameters" in finding and (not asked or finding.partition(":")[0] in asked):
            print(finding)
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
