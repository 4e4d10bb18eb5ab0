"""Every form of every screen in one list: what the citizen sees, and what the people who work here see."""

from __future__ import annotations

from kiosk.core.snapshot import Snapshot
from tests.screen.operator_pictures import OPERATOR_PICTURES
from tests.screen.pictures import PICTURES

#: The languages of the pictures; every kiosk offers as many as its city wants.
LANGUAGES = ("en", "es", "ar", "qps")
SIZES = {"small": (800, 480), "landscape": (1280, 800), "portrait": (1080, 1920)}
MODES = ("plain", "large", "contrast")
ALL_PICTURES: dict[str, Snapshot] = {**PICTURES, **OPERATOR_PICTURES}
