"""What the conformance kit found of the drivers that come with the kiosk.

Written by tools/driver-page.py; do not edit.  A test examines each driver again and compares.
"""

from __future__ import annotations

import msgspec


class Recorded(msgspec.Struct, frozen=True):
    """The outcome of one examination."""

    #: ``gold``, ``silver``, ``bronze`` or ``none``.
    grade: str
    #: Rules that do not hold.
    broken: tuple[str, ...] = ()
    #: Rules that do not concern such a device, or for which there is no material.
    not_applicable: tuple[str, ...] = ()


#: Driver -> what was found.
RECORDED: dict[str, Recorded] = {
    "id003_acceptor": Recorded(
        "gold",
        not_applicable=("turns",),
    ),
    "ebds_acceptor": Recorded(
        "gold",
        not_applicable=("turns",),
    ),
    "ccnet_acceptor": Recorded(
        "gold",
        not_applicable=("turns",),
    ),
    "ssp_acceptor": Recorded(
        "gold",
        not_applicable=("turns",),
    ),
    "cctalk_bill_validator": Recorded(
        "gold",
    ),
    "cctalk_coin_acceptor": Recorded(
        "gold",
        not_applicable=("departed",),
    ),
    "cctalk_hopper": Recorded(
        "gold",
        not_applicable=("departed",),
    ),
    "line_scanner": Recorded(
        "gold",
        not_applicable=(
            "departed",
            "confirm",
            "recovery",
            "disturbed",
            "turns",
            "power",
            "explained",
        ),
    ),
    "wedge_scanner": Recorded(
        "gold",
        not_applicable=(
            "departed",
            "confirm",
            "recovery",
            "disturbed",
            "turns",
            "power",
            "explained",
        ),
    ),
    "hid_pos_scanner": Recorded(
        "gold",
        not_applicable=(
            "departed",
            "confirm",
            "recovery",
            "disturbed",
            "turns",
            "power",
            "explained",
        ),
    ),
    "escpos_printer": Recorded(
        "gold",
        not_applicable=(
            "departed",
            "recovery",
            "disturbed",
            "turns",
            "power",
        ),
    ),
}
