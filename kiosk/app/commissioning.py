"""Putting a live journal into service: a person with the role admin does it, after everything has been looked at.

It happens while the kiosk is stopped, under the journal's own lock, because what is being put into service must not be
in use.  A live journal without its `Commissioned` fact takes no money; training and demonstrations need none.  Each
look is a check with its evidence and its cure; one that fails keeps the journal out of service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from kiosk.app.compose import digests_of, make_clock, open_journal
from kiosk.app.setup import Setup
from kiosk.checkout.exchange_rules import NUMBER
from kiosk.core.clock import Clock, touched
from kiosk.core.day import BusinessDay
from kiosk.core.people import Judgement, People
from kiosk.core.reference import ReferenceData
from kiosk.core.replay import replay
from kiosk.errors import CheckoutError, ConfigError, KioskError, ReceiptError
from kiosk.journal.reader import Reader
from kiosk.journal.receipt_seal import load_keys
from kiosk.journal.verify import verify
from kiosk.model import facts

#: The role that may do it.
ROLE = "admin"
#: 2026-01-01T00:00:00Z: this software did not exist before.
EARLIEST_NS = 1_767_225_600 * 1_000_000_000


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    #: ``realm``, ``pack``, ``people``, ``devices``, ``clock``, ``key``, ``published``, ``journal``, ``data``, ``box``.
    id: str
    #: ``ok``, ``warn`` (told, and no hindrance) or ``fail``.
    state: str
    evidence: str
    fix: str = ""


class Commissioning:
    """Holds the stopped kiosk's live journal open for the act.  Use as a context."""

    def __init__(self, setup: Setup) -> None:
        """Open the journal, or begin it with its key.

        Raises:
            JournalLocked: the kiosk runs.
            KioskError: this kiosk is not a live one, or its journal cannot be opened.
        """
        if setup.realm != "live":
            raise ConfigError(
                f"this kiosk works in the realm {setup.realm}, which needs no commissioning",
                hint='set kiosk.realm = "live", and change back from training first',
            )
        self._setup = setup
        self._clock: Clock = make_clock(setup)
        reference = ReferenceData(setup.replica_path)
        try:
            self._digests = digests_of(setup, reference)
            self._data = reference.available
        finally:
            reference.close()
        self._journal, self._key = open_journal(setup, self._clock, self._digests)
        try:
            self._books = replay(self._journal)
            self._day = BusinessDay(self._books, self._clock, setup.config.kiosk.currency)
            self._off_ms = self._held_against()
        except BaseException:
            self._journal.close()
            raise
        self._people = People(setup.config.people, setup.config.operator)

    def __enter__(self) -> Commissioning:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def _held_against(self) -> int:
        """Hold the wall clock against the last fact; return how far it is off in milliseconds."""
        books, now = self._books, self._clock.instant()
        gone_ns = now.mono_ns - books.last_mono_ns if now.boot_id == books.last_boot else 0
        return self._clock.held_against(
            books.trusted_wall_ns, gone_ns=max(0, gone_ns), doubted=books.clock_doubt_ns != 0
        )

    @property
    def commissioned(self) -> bool:
        """Whether the journal is in service already, or has taken money before there was such an act."""
        return self._books.commissioned

    # --- looking ------------------------------------------------------------------------------------------

    def checks(self, box: str = "") -> tuple[Check, ...]:
        """Look at everything that a kiosk needs before it may take money."""
        setup = self._setup
        pack = f"{setup.pack.name}, digest {setup.pack.digest}"
        found = [Check("realm", "ok", f"{setup.config.kiosk.id}, live, epoch {self._journal.epoch}")]
        if setup.city.example:
            found.append(Check("pack", "fail", f"{pack} is an example", "name your city's pack in paths.city_data"))
        else:
            found.append(Check("pack", "ok", f"{pack}, {setup.city.name}"))
        found += [*self._who(), *self._devices(), self._time(), *self._keys(), self._whole()]
        data = Check("data", "ok", str(setup.replica_path))
        found.append(data if self._data else Check("data", "warn", "there is no reference data", "kiosk import"))
        if not box:
            known = self._books.box_number
            found.append(
                Check("box", "ok", f"box {known}") if known else
                Check("box", "warn", "the number of the box in the kiosk is not told", "give it with --box")
            )  # fmt: skip
        elif NUMBER.fullmatch(box):
            found.append(Check("box", "ok", f"box {box}"))
        else:
            found.append(Check("box", "fail", f"{box[:30]!r} is no number of a box", "1 to 24 capitals, digits and -"))
        return tuple(found)

    def _who(self) -> Iterator[Check]:
        for role, told in (("admin", "put it into service"), ("operate", "open its menu"), ("collect", "empty it")):
            if not self._people.anyone(role):
                state = "fail" if role == "admin" else "warn"
                yield Check(
                    "people", state, f"nobody may {told}", f"a person with the role {role}: kiosk people pin ID"
                )
        if self._people.anyone("admin"):
            yield Check("people", "ok", f"{len(self._people)} people")

    def _devices(self) -> Iterator[Check]:
        specs, without_paper = self._setup.plugins.drivers, self._setup.config.checkout.without_paper
        classes = {specs[device.driver].device_class for device in self._setup.devices}
        yield Check("devices", "ok" if classes else "fail", ", ".join(sorted(classes)) or "no device is configured",
                    "" if classes else "add [[device]] sections")  # fmt: skip
        if classes and "BillAcceptor" not in classes:
            yield Check("devices", "fail", "nothing takes notes", "add the acceptor as [[device]]")
        if classes and "POSPrinter" not in classes:
            state = "fail" if without_paper == "refuse" else "warn"
            yield Check("devices", state, "nothing prints receipts", "add the printer as [[device]]")

    def _time(self) -> Check:
        now = self._clock.instant()
        if now.wall_ns < EARLIEST_NS:
            return Check("clock", "fail", f"{now.iso()} is before this software was made", "set the clock")
        if self._off_ms:
            told = f"{now.iso()} is {self._off_ms // 1000} s from where the last fact lets it be"
            return Check("clock", "fail", told, "set the clock; start the kiosk and: kiosk clock trust")
        mark = self._setup.config.paths.clock_mark
        if mark and touched(Path(mark)) is not None:
            return Check("clock", "ok", f"{now.iso()}, kept by a time service")
        return Check("clock", "warn", f"{now.iso()}, and no time service vouches for it", "compare it with a watch")

    def _keys(self) -> Iterator[Check]:
        """The journal opened with its key, so the key is right; whether the city publishes it is another thing."""
        setup, ours = self._setup, self._key.public_hex
        yield Check("key", "ok", f"{setup.key_path}, public half {ours}")
        how = "kiosk keys publish --add-to LIST --out LIST, publish it, and name it in paths.published_keys"
        named = setup.config.paths.published_keys
        if not named:
            yield Check("published", "warn", "no list of published keys is configured: nobody can check a receipt", how)
            return
        try:
            listed = load_keys(setup.file.resolve().parent / named)
        except ReceiptError as error:
            yield Check("published", "fail", error.message, error.hint)
            return
        key = listed.get((setup.config.kiosk.id, "live", self._journal.epoch))
        if key is None:
            yield Check("published", "warn", f"{named} does not hold this journal's key", how)
        elif key.public_key != ours:
            yield Check("published", "fail", f"{named} holds another key for this kiosk", "find out whose it is")
        elif key.revoked:
            yield Check("published", "fail", f"{named} says that this key is revoked", "begin with a new key")
        else:
            yield Check("published", "ok", f"{named} holds this journal's key")

    def _whole(self) -> Check:
        try:
            with Reader(self._setup.journal_path) as reader:
                wrong = [finding for finding in verify(reader) if finding.severity == "error"]
        except KioskError as error:
            return Check("journal", "fail", error.message, error.hint)
        if wrong:
            return Check("journal", "fail", str(wrong[0]), "kiosk journal verify; keep the file as evidence")
        return Check("journal", "ok", f"{self._books.seq} facts, sound")

    # --- the act ------------------------------------------------------------------------------------------

    def let_in(self, person: str, pin: str) -> Judgement:
        """Judge the person's PIN; whoever is not let in leaves a fact, and wrong PINs lock as at the kiosk itself.

        Raises:
            JournalError: the refusal could not be recorded.
        """
        told = self._people.judge(person, pin, self._books.pin_failures, self._clock.trusted_wall_ns())
        problem = told.problem or ("" if ROLE in told.roles else "role")
        if problem:
            self._append((facts.OperatorRefused(told.person, problem, "control"),), "kiosk")
            return msgspec.structs.replace(told, problem=problem)
        self._append((facts.OperatorSignedIn(told.person, told.roles, "control"),), f"operator:{told.person}")
        return told

    def put_into_service(self, person: Judgement, box: str) -> None:
        """Append the fact after which this journal takes money.

        Raises:
            CheckoutError: the person was not let in, or a check fails.
            JournalError: it could not be committed.
        """
        failed = [check for check in self.checks(box) if check.state == "fail"]
        if person.problem or ROLE not in person.roles or failed or self.commissioned:
            raise CheckoutError("this journal cannot be put into service now", hint="mend what the checks name")
        body = facts.Commissioned(f"operator:{person.person}", self._setup.pack.name, box)
        self._append((body, facts.OperatorSignedOut(person.person, "person")), f"operator:{person.person}")

    def _append(self, bodies: Sequence[facts.AnyBody], actor: str) -> None:
        stamp = facts.Stamp(
            at=self._clock.instant(), business_date=self._day.date, actor=actor, session="",
            box_session=self._books.box_session, digests=self._digests, late=self._day.late(),
        )  # fmt: skip
        for committed in self._journal.append(bodies, stamp):
            self._books.apply(committed)
