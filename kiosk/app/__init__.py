"""The composition root: from configuration files to a running kiosk.  The one place that wires it all.

`setup` reads and checks, `compose` builds on the kernel thread, `running` starts the screen and the control socket
beside it and waits for the end.
"""

from __future__ import annotations

from kiosk.app.compose import build_core, make_clock, open_journal, slip_printer
from kiosk.app.pack import Pack, digest_of, load_pack
from kiosk.app.running import Running, page_verdict, receipt_checker, run, write_private
from kiosk.app.sections import Identity, KioskConfig, Places, PluginSection, ScreenSection
from kiosk.app.setup import Setup, load, software_digest, with_profiles

__all__ = [
    "Identity",
    "KioskConfig",
    "Pack",
    "Places",
    "PluginSection",
    "Running",
    "ScreenSection",
    "Setup",
    "build_core",
    "digest_of",
    "load",
    "load_pack",
    "make_clock",
    "open_journal",
    "page_verdict",
    "receipt_checker",
    "run",
    "slip_printer",
    "software_digest",
    "with_profiles",
    "write_private",
]
