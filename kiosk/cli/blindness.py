"""What a command may tell of money in boxes that nobody has counted yet.

A count is blind (domain sheet §9, invariant 18): as long as the configuration lets anybody count, the amounts of an
uncounted box are shown to an auditor alone, who proves by PIN who they are, and the look is a fact of the running
kiosk.  The fence is for the commands: whoever may read the journal's file as the system's administrator can read it
without them, and a journal that is opened without its kiosk's configuration is a raw file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from kiosk.errors import ControlError, JournalError, OperatorError
from kiosk.journal.encoding import Row, decode
from kiosk.journal.findings import Finding
from kiosk.model import facts

#: Stands where an amount is.
SEALED = "sealed"

#: Parts of a fact that are sums or counts through and through.
_SUMS = frozenset({
    "allocations", "entry", "grand_total_minor", "held", "lines", "notes", "period", "postings", "quotes", "totals",
    "used", "value", "device_mark",
})  # fmt: skip
#: Whole numbers that are no sums; every other one is sealed, also of facts that do not exist yet.
_PLAIN = frozenset({
    "about_seq", "attempt", "box_session", "copy", "ended_session", "epoch", "format", "jump_ms", "layout", "number",
    "of_kind", "off_ms", "original_epoch", "original_seq", "previous_epoch", "previous_seq", "seq", "through_epoch",
    "through_seq", "version",
})  # fmt: skip
#: Findings whose words hold no amount: of the chain, its keys, numbers, people and dates.
_STRUCTURE = frozenset({
    "actor_absent", "actor_differs", "actor_unentitled", "actor_unknown", "box_session_differs", "business_date_fell",
    "chain_broken", "clock_fell", "date_closed", "empty", "epoch_unlinked", "gap", "genesis_misplaced",
    "guard_missing", "identity_changed", "key_unpublished", "page_damaged", "realm_changed", "receipt_number_gap",
    "receipt_number_twice", "row_misplaced", "row_unreadable", "same_person", "signature_bad", "slip_kind_gap",
    "tail_unsigned", "wall_clock_fell", "witness_differs", "z_misplaced", "z_number_gap",
    "hub_unasked", "command_twice",
})  # fmt: skip


def person_options(command: click.decorators.FC) -> click.decorators.FC:
    """Add ``--person`` and ``--pin-file``."""
    command = click.option(
        "--pin-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Read the PIN from this file, which nobody else may read, instead of asking.",
    )(command)  # fmt: skip
    return click.option("--person", default="", help="Who asks: an auditor sees what is sealed, with a PIN.")(command)


def pin_of(person: str, pin_file: Path | None) -> str:
    """Return a person's PIN, from a private file or asked for without an echo.

    Raises:
        OperatorError: others may read the file.
    """
    if pin_file is None:
        told: str = click.prompt(f"PIN of {person}", hide_input=True, err=True)
        return told.strip()
    if pin_file.stat().st_mode & 0o077:
        raise OperatorError(f"others may read {pin_file}", hint=f"chmod 600 {pin_file}")
    return pin_file.read_text("utf-8").strip()


def may_see(config_file: Path, person: str, pin_file: Path | None, what: str, detail: str = "") -> bool:
    """Tell whether sealed amounts may be shown to who asks; a look by a person is made a fact.

    Raises:
        OperatorError, ControlError: the person may not, or is not who they say.
    """
    from kiosk.cli.places import people_of, places
    from kiosk.core.control import call
    from kiosk.core.people import People

    people = People(people_of(config_file))
    if not people.anyone("count"):
        return True
    if not person:
        return False
    pin = pin_of(person, pin_file)
    try:
        call(places(config_file).control, "audit.look", {"person": person, "pin": pin, "what": what, "detail": detail})
    except ControlError as error:
        if not error.transient:
            raise
        # Nobody answers there: a kiosk that is switched off can be audited, too.
        roles = people.judge(person, pin, {}, 0).roles
        if "count" in roles or not set(roles) & ({"audit", "operate"} if what == "slip" else {"audit"}):
            raise OperatorError("person, PIN and role do not fit", hint="it takes an auditor") from None
        click.echo("the kiosk does not run: this look leaves no fact", err=True)
    return True


class Counted:
    """Which boxes of a journal were counted; everything else is sealed."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.sessions: set[int] = set()
        for row in rows:
            if row.kind == "count_closed":
                body = decode(row.row).body
                if isinstance(body, facts.CountClosed):
                    self.sessions.add(body.box_session)

    def box_of(self, fact: facts.Fact) -> int:
        """Return the box session that a fact tells of."""
        if isinstance(fact.body, facts.DayClosed | facts.BoxCounted | facts.CountClosed | facts.BoxReceived):
            return fact.body.box_session
        return fact.stamp.box_session

    def seals(self, fact: facts.Fact) -> bool:
        """Tell whether the amounts of a fact are sealed."""
        return self.box_of(fact) not in self.sessions

    def all_before(self, session: int) -> bool:
        """Tell whether every box up to this one was counted: only then a grand total tells nothing else."""
        return self.sessions >= set(range(1, session + 1))

    def told(self, fact: facts.Fact) -> dict[str, Any]:
        """Return a fact's body as plain values, its amounts sealed where the box was not counted."""
        import msgspec

        body: dict[str, Any] = msgspec.to_builtins(fact.body)
        if self.seals(fact):
            told: dict[str, Any] = _masked(body, "")
            if "raw" in told and isinstance(fact.body, facts.NoteSuspended):
                told["raw"] = SEALED  # the unit's own words name the value
            return told
        if isinstance(fact.body, facts.DayClosed) and not self.all_before(fact.body.box_session):
            body["grand_total_minor"] = SEALED
        return body


def _masked(value: Any, name: str) -> Any:
    if name in _SUMS and value:
        return SEALED
    if isinstance(value, dict):
        return {key: _masked(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(part, name) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and name not in _PLAIN:
        return SEALED
    return value


def without_amounts(finding: Finding) -> Finding:
    """Return a finding whose words tell no amount."""
    import msgspec

    if finding.code in _STRUCTURE:
        return finding
    return msgspec.structs.replace(finding, detail=re.sub(r"\d+", "…", finding.detail))


def refuse_export() -> None:
    """Say why a whole journal is not written out.

    Raises:
        JournalError: always.
    """
    raise JournalError(
        "this journal holds boxes that were not counted, and somebody here may count them",
        hint="an auditor exports it: --person ID",
    )
