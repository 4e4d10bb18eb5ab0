"""What is owed: an invoice as the reference data tells it, and a quote as the tariff prices it."""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.model.texts import Text

#: States an invoice can arrive in.  Only `open` is payable without a further rule of its service.
STATES = ("open", "paid", "void", "disputed", "in_court", "booted", "in_collections")


class PostedThrough(msgspec.Struct, frozen=True, array_like=True):
    """How far the hub had counted this kiosk's own facts when it told a balance."""

    epoch: int = 0
    seq: int = 0


class Invoice(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the reference data.  It never holds an owner's name or address."""

    #: Service id, e.g. ``parking_citation``; names the policy, the accounts and the label layouts.
    service: str
    #: The number on the paper, in the canonical form of the service's layout.
    number: str
    currency: str
    #: Face amount in minor units, or None where the service's policy prices it from `code` and `offence`.
    amount_minor: int | None
    #: Already paid or credited according to the hub, minor units.
    paid_minor: int = 0
    state: str = "open"
    issued: dt.date
    due: dt.date | None = None
    #: Violation or tariff code of the policy; "" where the service has none.
    code: str = ""
    #: Which offence of the plate within the policy's window this is, from 1; 0 where it does not apply.
    offence: int = 0
    #: Days on which the fee clock stood still (an accepted dispute), counted by the hub.
    held_days: int = 0
    #: Keyed hash of the plate; "" where unknown.  A bare plate is never stored (domain sheet §11).
    plate_hash: str = ""
    posted_through: PostedThrough = PostedThrough()


class QuoteLine(msgspec.Struct, frozen=True):
    """One line of a price, with its reason."""

    #: Component of the service's account map: ``fine``, ``late_fee``, ``usage``, ``surcharge_county`` …
    component: str
    #: Signed minor units.
    minor: int
    #: Why, for the citizen.
    reason: Text
    #: The rule: policy id and version with its ordinance text, e.g. ``expired-meter@2026-01-01``.
    rule: str
    citation: str = ""


class Quote(msgspec.Struct, frozen=True):
    """The price of one invoice at one tender instant.  `total_minor` is the sum of the lines."""

    service: str
    number: str
    currency: str
    lines: tuple[QuoteLine, ...]
    #: Local date the price was told for (city zone).
    priced_on: dt.date
    #: Already paid before this quote (hub and own facts), minor units.
    paid_minor: int = 0
    #: When the priced bill was issued, where a number names an account with one bill after another; None elsewhere.
    issued: dt.date | None = None

    @property
    def total_minor(self) -> int:
        """Sum of all lines, before what was already paid."""
        return sum(line.minor for line in self.lines)

    @property
    def due_minor(self) -> int:
        """What remains to be paid; never negative."""
        return max(0, self.total_minor - self.paid_minor)
