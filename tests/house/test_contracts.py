"""The import contracts themselves: a new room must be told of in each of them, not only in the layers."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
CONTRACTS: dict[str, Any] = {contract["id"]: contract for contract in SETTINGS["contracts"]}
ROOMS = {f"kiosk.{room.strip(' ()')}" for layer in CONTRACTS["rooms"]["layers"] for room in layer.split("|")}


def test_every_room_has_its_place_in_the_layers() -> None:
    found = {
        f"kiosk.{path.stem}"
        for path in (ROOT / "kiosk").iterdir()
        if (path.suffix == ".py" and not path.stem.startswith("__")) or (path / "__init__.py").is_file()
    }
    assert found - ROOMS == set()
    assert CONTRACTS["rooms"]["exhaustive"] is True


@pytest.mark.parametrize(
    ("contract", "allowed"),
    [
        ("hardware", {"kiosk.transports"}),
        ("network", {"kiosk.sync", "kiosk.hub"}),
        ("storage", {"kiosk.journal", "kiosk.sync", "kiosk.hub"}),
        ("web", {"kiosk.screen", "kiosk.hub", "kiosk.workbench", "kiosk.app", "kiosk.cli"}),
    ],
)
def test_what_one_room_may_import_every_other_room_may_not(contract: str, allowed: set[str]) -> None:
    told = {module for module in CONTRACTS[contract]["source_modules"] if module.count(".") == 1}
    assert told == ROOMS - allowed


def test_within_the_hub_the_web_stays_in_the_web() -> None:
    within = {f"kiosk.hub.{path.parent.name}" for path in (ROOT / "kiosk" / "hub").glob("*/__init__.py")}
    told = {module for module in CONTRACTS["web"]["source_modules"] if module.startswith("kiosk.hub.")}
    assert told == within - {"kiosk.hub.web"}


def test_drivers_see_two_rooms_and_no_other() -> None:
    forbidden = set(CONTRACTS["strangers-door"]["forbidden_modules"])
    assert forbidden == ROOMS - {"kiosk.drivers", "kiosk.api", "kiosk.protocols"}
