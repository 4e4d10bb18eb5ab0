"""What the people who work here see at the kiosk: sign-in, menu, exchange of the cash box, tests.

The menu draws what the snapshot's `OperatorView` tells and only the intents that the snapshot allows.  Rules that must
stay true: no sum of money and no count of notes on any of these screens; a wrong PIN and an unknown person are told in
the same words; a PIN goes from the form into one post and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kiosk.checkout import intents
from kiosk.core.snapshot import DeviceView, ExchangeView, OperatorView, Snapshot

if TYPE_CHECKING:
    from kiosk.screen.view import View

STAFF_SCREENS = ("signing_in", "attended", "exchanging", "testing")

#: Intents that have a place of their own on these screens and never stand in the row of buttons.
STAFF_INTENTS = frozenset(
    {
        "call_operator", "enter_pin", "report_x", "close_day", "begin_exchange", "exchange_numbers",
        "confirm_exchange", "abandon_exchange", "test_print", "test_scan", "test_note", "release", "shutter",
        "change_realm", "acknowledge_alarms", "acknowledge_slip", "reprint_slip", "fill_hopper", "count_hopper",
    }
)  # fmt: skip

#: From bad to good: a group of devices is as well as its worst.
SEVERITIES = ("fault", "unknown", "warn", "ok")
#: How far an exchange can be; another stage of a later version is drawn as an interrupted one.
STAGES = ("numbers", "second", "open", "removed", "inserted", "unfinished")
#: Stages that are left without a word: nothing is authorised yet.
BEFORE_AUTHORITY = ("numbers", "second")
#: What each stage can post, beside the way back; the table allows more than makes sense.
STAGE_INTENTS = {
    "numbers": ("exchange_numbers",), "second": ("enter_pin",), "open": ("abandon_exchange",),
    "removed": (), "inserted": ("confirm_exchange", "abandon_exchange"),
    "unfinished": ("confirm_exchange", "abandon_exchange"),
}  # fmt: skip
#: Longest id of a person and longest PIN that are passed on, characters.
LONGEST_PERSON = 32
LONGEST_PIN = 12
#: Longest number of a box or a seal, and longest plate (checkout intents).
LONGEST_BOX = 24
LONGEST_PLATE = 16
#: Most coins of one filling or count of a hopper.
MOST_COINS = 20_000


def whole(number: str) -> str:
    """Keep the number of a box on one line: a browser would break it behind its hyphen.

    >>> whole("B-0043") == "B-\N{WORD JOINER}0043"
    True
    """
    return number.replace("-", "-\N{WORD JOINER}")


class DeviceGroup(msgspec.Struct, frozen=True):
    """All devices of one class: the upper level of the device tree."""

    device_class: str
    severity: str
    devices: tuple[DeviceView, ...]


class StaffView:
    """The operator's part of a snapshot in words, for the templates.  Holds nothing afterwards."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.told: OperatorView | None = view.snapshot.operator

    @property
    def exchange(self) -> ExchangeView:
        """How far the exchange is; where nothing is told, it asks for the numbers."""
        told = self.told.exchange if self.told is not None else None
        return told or ExchangeView(stage="numbers")

    @property
    def stage(self) -> str:
        """The stage of the exchange that is drawn."""
        stage = self.exchange.stage
        return stage if stage in STAGES else "unfinished"

    def offers(self, intent: str) -> bool:
        """Whether this stage of the exchange offers an intent that is allowed."""
        return intent in STAGE_INTENTS[self.stage] and self.view.allows(intent)

    @property
    def old_box(self) -> str:
        """The box that leaves: as typed, else as the journal knows it."""
        return self.exchange.old_box or self.exchange.known_box

    @property
    def groups(self) -> tuple[DeviceGroup, ...]:
        """The device tree: classes in the order of their first device, each as well as its worst device."""
        found: dict[str, list[DeviceView]] = {}
        for device in self.told.devices if self.told is not None else ():
            found.setdefault(device.device_class, []).append(device)
        return tuple(
            DeviceGroup(name, worst(tuple(device.severity for device in devices)), tuple(devices))
            for name, devices in found.items()
        )

    @property
    def hoppers(self) -> tuple[DeviceView, ...]:
        """Devices that pay coins."""
        devices = self.told.devices if self.told is not None else ()
        return tuple(device for device in devices if device.device_class == "CoinDispenser")

    @property
    def any_test(self) -> bool:
        """Whether one of the tests can be made now."""
        return any(self.view.allows(test) for test in ("test_print", "test_scan", "test_note"))

    def severity(self, severity: str) -> str:
        """A severity as the texts know it."""
        return severity if severity in SEVERITIES else "unknown"

    def word(self, family: str, value: str) -> str:
        """The word for a value, e.g. of an alarm or a kind of slip; the value itself where there is none."""
        message = f"operator.{family}.{value.lower()}"
        return self.view.t(message) if self.view.catalogue.has(message) else value


def worst(severities: tuple[str, ...]) -> str:
    """Return the worst severity; *unknown* is worse than a warning, and anything new is unknown.

    >>> worst(("ok", "warn")), worst(("warn", "sleepy")), worst(())
    ('warn', 'unknown', 'ok')
    """
    ranks = [SEVERITIES.index(one) if one in SEVERITIES else SEVERITIES.index("unknown") for one in severities]
    return SEVERITIES[min(ranks, default=SEVERITIES.index("ok"))]


def no_way_back(snapshot: Snapshot) -> bool:
    """Tell whether an exchange was authorised: it ends by being confirmed or given up, and not by the way back."""
    operator = snapshot.operator
    if snapshot.screen != "exchanging" or operator is None or operator.exchange is None:
        return False
    return operator.exchange.stage not in BEFORE_AUTHORITY


def staff_title(snapshot: Snapshot) -> str:
    """Return the message id of a staff screen's heading."""
    operator = snapshot.operator
    if snapshot.screen == "exchanging":
        stage = operator.exchange.stage if operator is not None and operator.exchange is not None else "numbers"
        return f"exchange.{stage if stage in STAGES else 'unfinished'}.title"
    if snapshot.screen == "testing" and operator is not None and operator.testing in ("scan", "note"):
        return f"operator.testing.{operator.testing}"
    return f"screen.{snapshot.screen}.title"


def staff_fits(intent: intents.AnyIntent, snapshot: Snapshot) -> bool:
    """Tell whether what an operator's intent names stands on the screen that is shown."""
    operator = snapshot.operator
    if isinstance(intent, intents.EnterPin):
        return 0 < len(intent.person) <= LONGEST_PERSON and 0 < len(intent.pin) <= LONGEST_PIN
    if isinstance(intent, intents.ExchangeNumbers):
        return all(0 < len(one) <= LONGEST_BOX for one in (intent.old_box, intent.new_box, intent.seal))
    if isinstance(intent, intents.EnterPlate):
        return 0 < len(intent.text) <= LONGEST_PLATE
    if isinstance(intent, intents.Release):
        return operator is not None and intent.device in {device.name for device in operator.devices}
    if isinstance(intent, intents.FillHopper | intents.CountHopper):
        hoppers = {one.name for one in operator.devices if one.device_class == "CoinDispenser"} if operator else set()
        return intent.device in hoppers and 0 <= intent.coins <= MOST_COINS
    if isinstance(intent, intents.ChangeRealm):
        return operator is not None and intent.realm in operator.realms
    if isinstance(intent, intents.ReprintSlip) and operator is not None:
        return intent.number in {slip[0] for slip in (*operator.slips_open, *operator.last_slips)}
    if isinstance(intent, intents.AcknowledgeSlip) and operator is not None:
        return intent.number in {slip[0] for slip in operator.slips_open}
    return True
