"""The example city's data as the tests see it: the very files of `config/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from kiosk.ledger.chart import Chart, load_chart
from kiosk.tariff.library import TariffLibrary, load

CONFIG = Path(__file__).resolve().parents[2] / "config"


@cache
def texts() -> dict[str, str]:
    """File texts by name below `config/`."""
    return {
        f"{room}/{path.name}": path.read_text(encoding="utf-8")
        for room in ("services", "policies")
        for path in sorted((CONFIG / room).glob("*.toml"))
    }


@cache
def library() -> TariffLibrary:
    """The library, loaded once."""
    return load(texts())


@cache
def chart() -> Chart:
    """The chart, loaded once."""
    return load_chart((CONFIG / "chart.toml").read_text(encoding="utf-8"))
