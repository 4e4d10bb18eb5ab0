"""The drivers that come with the kiosk, by import string.

Plugins are a lower room than drivers, so nothing is imported here: each module is loaded when its plugin is
asked for its declarations, through the same hook and under the same guard as a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from kiosk.plugins.devices import DriverSpec
from kiosk.plugins.hookspecs import hookimpl

#: Plugin name -> module with a module-level ``SPEC``.
BUILT_IN = {
    "id003_acceptor": "kiosk.drivers.id003_acceptor",
    "ebds_acceptor": "kiosk.drivers.ebds_acceptor",
    "ccnet_acceptor": "kiosk.drivers.ccnet_acceptor",
    "ssp_acceptor": "kiosk.drivers.ssp_acceptor",
    "cctalk_bill_validator": "kiosk.drivers.cctalk_bill_validator",
    "cctalk_coin_acceptor": "kiosk.drivers.cctalk_coin_acceptor",
    "cctalk_hopper": "kiosk.drivers.cctalk_hopper",
    "line_scanner": "kiosk.drivers.line_scanner",
    "wedge_scanner": "kiosk.drivers.wedge_scanner",
    "hid_pos_scanner": "kiosk.drivers.hid_pos_scanner",
    "escpos_printer": "kiosk.drivers.escpos_printer",
}


class BuiltIn:
    """The plugin object of one built-in driver."""

    def __init__(self, module: str) -> None:
        self.module = module

    @hookimpl
    def kiosk_drivers(self) -> Iterable[DriverSpec]:
        """Declare the driver of the module."""
        return [import_module(self.module).SPEC]
