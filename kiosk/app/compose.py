"""Makes journal, kernel and supervisor from a checked set-up, on the kernel thread, which owns them from then on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kiosk.app.hub_documents import hub_documents
from kiosk.app.pack import changed_parts
from kiosk.app.setup import Setup, software_digest
from kiosk.checkout.counter import CityCounter
from kiosk.core.clock import Clock, touched
from kiosk.core.deviceboard import DeviceBoard
from kiosk.core.drawing import draw_line, draw_qr
from kiosk.core.hub_data import HubData
from kiosk.core.kernel import Kernel
from kiosk.core.parts import KernelParts
from kiosk.core.people import People
from kiosk.core.reference import ReferenceData
from kiosk.core.replay import replay
from kiosk.core.service import Core
from kiosk.core.slips import SlipPrinter
from kiosk.core.supervisor import Supervisor
from kiosk.errors import ConfigError, JournalError
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.realm import realms_open
from kiosk.journal.store import Journal
from kiosk.model import facts
from kiosk.plugins.devices import DriverTools, OpenNote
from kiosk.plugins.listeners import FactListeners
from kiosk.transports.identity import LOOSE, steadiness, usb_facts_of_tty


def make_clock(setup: Setup) -> Clock:
    """Make the clock of the city."""
    city, mark = setup.city, setup.config.paths.clock_mark
    return Clock(city.zone, city.cut_off, synchronised=partial(touched, Path(mark)) if mark else lambda: None)


def open_journal(setup: Setup, clock: Clock, digests: facts.Digests) -> tuple[Journal, SigningKey]:
    """Open the journal of the realm to work in, or begin it with its key and genesis.

    Raises:
        JournalError: it cannot be opened; names kiosk, realm and key that do not fit.
    """
    if setup.journal_path.exists():
        if not setup.key_path.exists():
            Reader(setup.journal_path).close()  # a journal that was renamed says so, before its key is missed
        key = SigningKey.load(setup.key_path)
        journal = Journal.open(setup.journal_path, key=key)
    else:
        key = SigningKey.load(setup.key_path) if setup.key_path.exists() else SigningKey.create(setup.key_path)
        stamp = facts.Stamp(
            at=clock.instant(), business_date=clock.business_date(), actor="kiosk", session="", box_session=1,
            digests=digests,
        )  # fmt: skip
        journal = Journal.create(
            setup.journal_path, kiosk=setup.config.kiosk.id, realm=setup.realm, key=key, stamp=stamp
        )
    if (journal.kiosk, journal.realm) != (setup.config.kiosk.id, setup.realm):
        held = f"{journal.kiosk} ({journal.realm})"
        journal.close()
        raise ConfigError(
            f"{setup.journal_path} belongs to {held}, the configuration says {setup.config.kiosk.id} ({setup.realm})",
            hint="put the right id back; another kiosk needs another state directory",
        )
    return journal, key


def digests_of(setup: Setup, reference: ReferenceData) -> facts.Digests:
    """Return under what facts are made now."""
    return facts.Digests(software_digest(), setup.digest, reference.digest(), setup.pack.name)


def _follows(lines: Mapping[str, Mapping[str, Any]], device: str) -> bool:
    """Tell whether the port of a device brings the same unit by itself."""
    if "host" in lines[device]:
        return False
    port = str(lines[device].get("port", ""))
    return steadiness(port, usb_facts_of_tty(port)) not in LOOSE


def build_core(setup: Setup, core: Core, listeners: FactListeners | None = None) -> tuple[Kernel, Supervisor]:
    """Open journal and reference data and make kernel and supervisor; runs on the kernel thread."""
    clock = make_clock(setup)
    # Data are as old as the trusted time says: a clock that is a year wrong must not make them too old to use.
    reference = ReferenceData(setup.replica_path, clock.instant().utc_offset_s, wall=clock.trusted_wall_ns)
    digests = digests_of(setup, reference)
    journal, key = open_journal(setup, clock, digests)
    specs = setup.plugins.drivers
    identity = setup.config.kiosk
    counter = CityCounter(setup.library, setup.chart, identity.currency)
    kernel: Kernel | None = None

    def recall(device: str) -> tuple[Mapping[str, str], OpenNote | None, bytes]:
        assert kernel is not None
        return kernel.memory(device)

    supervisor = Supervisor(
        setup.devices, specs, DriverTools(identity.currency, draw_line, draw_qr), core.post_news, recall
    )
    board = DeviceBoard(
        tuple((device.name, specs[device.driver].device_class, device.driver) for device in setup.devices),
        follows=partial(_follows, {device.name: device.line for device in setup.devices}),
    )
    kernel = Kernel(
        KernelParts(
            journal=journal,
            key=key,
            books=replay(journal),
            clock=clock,
            counter=counter,
            settings=setup.config.checkout,
            devices=supervisor,
            board=board,
            slips=slip_printer(setup),
            source=reference,
            digests=digests,
            languages=identity.languages,
            fresh_session=core.fresh_session,
            committed=listeners.tell if listeners else _deaf,
            published=core.publish,
            changed_parts=changed_parts(before, setup.parts) if (before := remembered_parts(setup)) else (),
            safe_mode=setup.config.plugins.safe_mode,
            release=supervisor.release,
            restart=core.restart_on,
            box_watched=partial(box_watched, setup),
            realms=tuple(realm for realm in realms_open(identity.realm) if realm != setup.realm),
            people=People(setup.config.people, setup.config.operator),
            hub_data=HubData(hub_documents(setup), setup.config.people, setup.config.operator),
            stacker_notes=identity.stacker_notes,
        )
    )
    return kernel, supervisor


#: Facts of another realm's journal after which the box in the kiosk is not what this journal says.
_BOX_MOVED = (facts.CashboxChanged, facts.NoteCredited, facts.NoteSuspended, facts.NoteDisputed)


def box_watched(setup: Setup, since_ns: int) -> bool:
    """Tell whether the journals of other realms saw neither the box nor a note move since a wall time.

    One box serves all realms.  A journal that cannot be read has seen nothing, and nobody knows.
    """
    for realm in facts.REALMS:
        path = setup.state / f"journal-{realm}.db"
        if realm == setup.realm or not path.exists():
            continue
        try:
            with Reader(path) as reader:
                for committed in reader.read():
                    fact = committed.fact
                    if isinstance(fact.body, _BOX_MOVED) and fact.stamp.at.wall_ns >= since_ns:
                        return False
        except JournalError:
            return False
    return True


def remembered_parts(setup: Setup) -> dict[str, str]:
    """Return the digests of the configuration's files as they were at the last start, by name; empty if unknown."""
    try:
        return msgspec.json.decode(setup.parts_path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}  # only the names of what changed are lost: the digest over all is in the journal


def remember_parts(setup: Setup) -> None:
    """Keep the digests of the configuration's files for the next start."""
    if remembered_parts(setup) == setup.parts:
        return
    part = setup.parts_path.with_name(f"{setup.parts_path.name}.new")
    try:
        part.write_bytes(msgspec.json.encode(setup.parts))
        part.replace(setup.parts_path)
    except OSError:
        part.unlink(missing_ok=True)  # a disk that takes nothing is told by the journal


def _deaf(committed: facts.Committed) -> None:
    """Nobody listens to facts."""


def slip_printer(setup: Setup) -> SlipPrinter:
    """Make the layout of slips for this city."""
    return SlipPrinter(
        setup.city,
        setup.catalogue,
        {service.id: service.name for service in setup.library.services.values()},
        setup.columns,
        setup.config.kiosk.languages,
    )
