"""What a demonstration with coins has beside an ordinary one: a pack that pays change, two devices, a filled hopper.

The pack that ships keeps what is above the amount due as a credit, because few kiosks have hoppers.  A city that has
them writes two lines more; the same two are written here.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kiosk import config
from kiosk.core.control import call
from kiosk.errors import ConfigError, SimulatorError
from kiosk.workbench.hardware import Coins
from kiosk.workbench.screen_hand import ScreenHand

#: Coins that the hopper is filled with before the first citizen comes.
FLOAT = 60
#: How long the kiosk may take until it knows the hopper, and until it has booked what was put in.
PATIENCE_S = 30
#: The hopper's name in the configuration.
HOPPER = "hopper"
#: The directories of a pack.
_ROOMS = ("services", "policies", "printers", "texts", "imports")
#: File of the pack -> (line that ships, what a city with coins has in its stead).
_LINES = {
    "services/parking_citation.toml": ('over = "credit"', 'over = "change"'),
    "services/water_bill.toml": ('over = "credit"', 'over = "change"'),
    "policies/cash.toml": ("\nsession_cap_minor", "\ncoins_minor = [25, 50, 100]\nsession_cap_minor"),
}
#: The coin acceptor and the hopper of an ordinary kiosk.toml: sections of their own with the same line.
DEVICES = """
[[device]]
name = "coins"
driver = "cctalk_coin_acceptor"
line = {{ port = {bus} }}

[[device]]
name = "hopper"
driver = "cctalk_hopper"
line = {{ port = {bus} }}
options = {{ security = "serial" }}
"""


def write_pack(place: Path) -> None:
    """Copy the pack that ships and let it take coins and pay change.

    Raises:
        ConfigError: it does not say what it said when this was written.
    """
    ships = config.sample_dir()
    place.mkdir(exist_ok=True)
    for name in ("city.toml", "chart.toml", "logo.png"):
        shutil.copyfile(ships / name, place / name)
    for room in _ROOMS:
        shutil.copytree(ships / room, place / room, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for name, (old, new) in _LINES.items():
        text = config.read_text(place / name)
        if text.count(old) != 1:
            raise ConfigError(f"{ships / name} says {old.strip()!r} {text.count(old)} times", hint="once is expected")
        (place / name).write_text(text.replace(old, new), encoding="utf-8")


def fill(coins: Coins, screen: ScreenHand, control: Path, person: tuple[str, str]) -> None:
    """Put into the hopper what the journal says is in it; where that is nothing, fill it as staff do.

    Raises:
        KioskError: the kiosk does not let it happen.
    """
    float_ = int(_page_where(control, "has not told its coin", lambda page: page.get("coin") is not None)["float"])
    with coins.hopper.hands() as hopper:
        hopper.fill(float_ or FLOAT)
    if float_:
        return
    screen.touch("call_operator", ())
    screen.touch("enter_pin", person)
    screen.touch("fill_hopper", (HOPPER, str(FLOAT)))
    _page_where(control, "was not filled", lambda page: page["float"] == FLOAT)
    screen.touch("sign_out", ())


def _page_where(control: Path, lacks: str, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Look at the hopper's page until it is so."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = {each["device"]: each.get("page") or {} for each in call(control, "devices", patience_s=10)["devices"]}
        page: dict[str, Any] = found.get(HOPPER, {})
        if page and so(page):
            return page
        if time.monotonic() >= end:
            raise SimulatorError(f"the hopper {lacks} within {PATIENCE_S} s", hint="kiosk devices tells how it is")
        time.sleep(0.05)
