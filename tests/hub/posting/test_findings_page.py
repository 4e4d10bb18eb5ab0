"""Every code by which the hub names a finding is explained, with what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from kiosk.hub.front import refusals
from kiosk.hub.ingest import known
from kiosk.hub.posting import codes

ROOT = Path(__file__).resolve().parents[3]
PAGE = "docs/hub-findings.md"


def _written(path: Path) -> set[str]:
    """Return the codes that a module writes out: first argument of a finding, of `found`, `_found` or `note`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("Finding", "found", "_found") and isinstance(node.args[0].value, str):
            found.add(node.args[0].value)
    return found


def test_every_code_of_the_hub_is_explained() -> None:
    explained = set(re.findall(r"`([a-z_]+)`", (ROOT / PAGE).read_text(encoding="utf-8")))
    listed = {*codes.CODES, *known.CODES, *refusals.CODES}
    for path in sorted((ROOT / "kiosk" / "hub").rglob("*.py")):
        listed |= _written(path)
    assert listed - explained == set()


def test_posting_names_only_codes_of_its_tables() -> None:
    written = set[str]()
    for path in sorted((ROOT / "kiosk" / "hub" / "posting").glob("*.py")):
        written |= _written(path)
    assert written - set(codes.CODES) - {"signature_bad"} == set()
