"""Facts of the people around the kiosk.  A person is an id of the city's own making, never a name."""

from __future__ import annotations

from kiosk.model.body import Body

__all__ = [
    "Commissioned",
    "OperatorActed",
    "OperatorRefused",
    "OperatorSignedIn",
    "OperatorSignedOut",
    "ShutterChanged",
    "SlipAcknowledged",
]


class OperatorSignedIn(Body, frozen=True, tag="operator_signed_in"):
    """A person proved by PIN who they are."""

    person: str
    roles: tuple[str, ...]
    #: Who they signed in before: ``menu``, ``second`` (the second signature of an exchange), ``count``, ``control``.
    purpose: str


class OperatorRefused(Body, frozen=True, tag="operator_refused"):
    """Somebody was not let in.  `person` is "" where the id is nobody's."""

    person: str
    #: ``pin``, ``unknown``, ``locked``, ``role`` or ``same_person``.
    reason: str
    purpose: str


class OperatorSignedOut(Body, frozen=True, tag="operator_signed_out"):
    """An operator left the menu."""

    person: str
    #: ``person``, ``timeout``, ``restart`` …
    reason: str


class OperatorActed(Body, frozen=True, tag="operator_acted"):
    """An act that leaves no other fact of its own."""

    person: str
    #: ``report_x``, ``test_print``, ``test_scan``, ``test_note``, ``release``, ``reprint``, ``acknowledge_slip``,
    #: ``realm`` …
    act: str
    #: E.g. a device's name or a slip's number; never the content of a scan.
    detail: str = ""


class ShutterChanged(Body, frozen=True, tag="shutter_changed"):
    """The counter was closed to the public, or opened; stays so over restarts."""

    closed: bool
    #: ``operator:ID``, ``admin:UID`` or ``hub:ID``.
    by: str
    #: What a hub tells the citizen: why, and where else to pay; "" for none.
    reason: str = ""


class Commissioned(Body, frozen=True, tag="commissioned"):
    """A person put this journal into service.  A live journal takes no money before."""

    by: str
    #: City pack and version, e.g. ``example-city 2026.1``.
    pack: str
    #: Number of the first box in the kiosk, "" where it has none.
    box: str = ""


class SlipAcknowledged(Body, frozen=True, tag="slip_acknowledged"):
    """A slip that is not proven to be on paper was seen on the screen, or handed over by staff."""

    number: int
    #: ``citizen`` or ``operator:ID``.
    by: str
