"""What a kernel is made of, put together by the composition root or by a rig."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from kiosk.checkout.counter import CityCounter
from kiosk.checkout.effects import AnyEffect
from kiosk.checkout.settings import CheckoutSettings
from kiosk.core.books import Books
from kiosk.core.clock import Clock
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.hub_data import HubData
from kiosk.core.lookups import InvoiceSource
from kiosk.core.people import People
from kiosk.core.slips import SlipPrinter
from kiosk.journal.keys import SigningKey
from kiosk.journal.store import Journal
from kiosk.model import facts


class DevicePort(Protocol):
    """How the kernel reaches devices: the supervisor, or a rig."""

    def post(self, device: str, command: Any, generation: int | None = None) -> bool:
        """Hand an order to a device; False where nobody is there to take it."""
        ...


class KernelParts(msgspec.Struct, kw_only=True):
    """Everything a kernel is made of."""

    journal: Journal
    key: SigningKey
    books: Books
    clock: Clock
    counter: CityCounter
    settings: CheckoutSettings
    devices: DevicePort
    board: DeviceBoard
    slips: SlipPrinter
    source: InvoiceSource | None
    digests: facts.Digests
    languages: tuple[str, ...]
    #: Makes the name of a session.
    fresh_session: Callable[[], str]
    #: Gives 32 random bytes for a driver's key exchange.
    entropy: Callable[[], bytes] = lambda: os.urandom(32)
    #: Told of every committed fact.
    committed: Callable[[facts.Committed], None] = lambda fact: None
    #: Told after every item, to publish what changed.
    published: Callable[[], None] = lambda: None
    #: Told before each effect, by its place within the run; a crash campaign kills here.
    effect_taken: Callable[[AnyEffect], None] = lambda effect: None
    #: Names of configuration parts that differ from the last run.
    changed_parts: tuple[str, ...] = ()
    safe_mode: bool = False
    #: Gives a device that was taken out of service another chance; raises DriverError where there is none.
    release: Callable[[str], None] = lambda device: None
    #: Asks for an orderly end and a start on the journal of another realm.
    restart: Callable[[str], None] = lambda realm: None
    #: Tells whether the journals of other realms saw neither the box nor a note move since a wall time.
    box_watched: Callable[[int], bool] = lambda since_ns: True
    #: Realms that a person may change over to, the present one left out.
    realms: tuple[str, ...] = ()
    #: Who may do what; None where nobody is configured.
    people: People | None = None
    #: What a hub sends down whole.
    hub_data: HubData = msgspec.field(default_factory=HubData)
    #: Notes that the cash box holds; 0 where nobody told.
    stacker_notes: int = 0
