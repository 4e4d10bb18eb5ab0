"""What the front refuses, counted in memory and written as findings once a second: bounded, whatever is sent.

A stranger may send ten thousand different keys from as many addresses.  So findings about strangers are kept apart by
address only for the first `MOST_STRANGERS` of each code, and are one finding from there on; findings about a kiosk
that is registered are one for each code and kiosk.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from kiosk.hub.findings import Finding, finding_id, note
from kiosk.hub.store.tables import peer_finding

#: Code -> severity; docs/hub-findings.md says what each means and what to do.
CODES = {
    "unknown_key": "warning", "revoked_key": "warning", "pending_key": "note", "claimed_identity": "error",
    "wrong_realm": "error", "wrong_version": "warning", "malformed_message": "warning", "too_large": "warning",
    "replayed": "error", "endless_message": "error",
    "unstable_line": "note", "strange_connection": "note", "slow_peer": "note",
    "too_many_peers": "warning", "many_connections": "warning", "no_worker": "error", "unknown_command": "warning",
    "transport_key_refused": "error",
    "enrolment_refused": "warning", "enrolment_malformed": "warning", "not_bound": "error",
}  # fmt: skip
#: Findings of one code about strangers that are told apart by where they came from.
MOST_STRANGERS = 64


class Refused(msgspec.Struct):
    """One finding that waits to be written."""

    finding: Finding
    more: str
    times: int


class Refusals:
    """Counts refusals between two writes.  One thread uses it."""

    def __init__(self, strangers: dict[str, set[str]] | None = None) -> None:
        """`strangers`: code -> ids of the findings about strangers that are in the database."""
        self._strangers = strangers if strangers is not None else {}
        self._waiting: dict[str, Refused] = {}
        #: How often anything was refused since the start.
        self.count = 0

    def note(self, code: str, kiosk: str = "", detail: str = "", *, where: str = "") -> None:
        """Count one refusal; `where` tells strangers apart, e.g. an address."""
        self.count += 1
        more = where if not kiosk else ""
        if more:
            known = self._strangers.setdefault(code, set())
            number = finding_id(code, "", more=more)
            if number not in known:
                if len(known) >= MOST_STRANGERS:
                    more = ""
                else:
                    known.add(number)
        number = finding_id(code, kiosk, more=more)
        found = self._waiting.get(number)
        if found is None:
            told = f"{detail} (from {more})" if more else detail
            self._waiting[number] = Refused(Finding(code, CODES[code], kiosk, 0, 0, told), more, 1)
        else:
            found.times += 1

    def take(self) -> list[Refused]:
        """Return what waits, and begin anew."""
        taken = list(self._waiting.values())
        self._waiting = {}
        return taken


def strangers_in(connection: sa.Connection) -> dict[str, set[str]]:
    """Return the ids of findings about strangers that are in the database, by code."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(sa.select(peer_finding.c.code, peer_finding.c.id).where(peer_finding.c.kiosk == "")):
        found.setdefault(row.code, set()).add(row.id)
    return found


def write(connection: sa.Connection, refused: list[Refused], now_ns: int) -> None:
    """Write what was refused, within a transaction of `office`."""
    for each in refused:
        note(connection, peer_finding, each.finding, now_ns, more=each.more, times=each.times)
