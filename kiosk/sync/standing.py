"""How the line to the hub stands: the codes with their words and cures, STATUS for the hub, a file for people here.

The file lies in the runtime directory and is written anew whenever something changed; `kiosk sync status` reads it.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path
from typing import Protocol

import msgspec

from kiosk.sync.messages import Clock, DeviceState, Mark, Status

#: Name of the file in the runtime directory, and of the socket by which `kiosk sync now` asks.
FILE, SOCKET = "sync.json", "sync.sock"

#: Code -> (what it means, what to do).
TROUBLES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "opened": ("the line stands", ""),
    "not_enrolled": ("no hub has taken this kiosk in", "enrol it: kiosk sync enrol"),
    "no_hub": ("no hub is configured", "add a [[sync.hub]] section; the kiosk works alone until then"),
    "unreachable": ("the hub does not answer", "check the network, the address in [[sync.hub]] and that the hub runs"),
    "cut": ("the line was cut", "it is opened again by itself"),
    "silent": ("the hub went silent", "it is tried again by itself; check the network"),
    "other_key": (
        "whoever answers at the hub's address does not hold the key that is pinned here",
        "if the hub has changed its key, enrol again; if not, somebody else answers: tell the city's operator",
    ),
    "not_admitted": (
        "the hub does not know this kiosk's key: not approved yet, or revoked",
        "compare the six words and approve it at the hub; it is let in by itself then",
    ),
    "handshake_failed": ("what answers does not speak as a hub does", "check address and port in [[sync.hub]]"),
    "version": ("kiosk and hub speak no common version", "update the older one"),
    "revoked": ("the hub has shut this kiosk out", "ask the hub's operator; enrol again if it was a mistake"),
    "fenced": (
        "another machine speaks for this kiosk at the hub",
        "find the second machine or card with this identity; take the wrong one out, then enrol the right one anew",
    ),
    "wrong_realm": ("the key is enrolled for another realm", "enrol this realm's journal"),
    "wrong_hub": ("another hub answers with the pinned key", "check [[sync.hub]]; enrol again"),
    "wrong_signer": ("the hub tells another signing key than it had", "enrol again, with a new code"),
    "fork": (
        "the hub holds other facts at the same places: this journal and the hub's copy parted",
        "keep both; a restored machine begins a new epoch (kiosk restore), which the hub takes",
    ),
    "parted": (
        "the hub holds facts that this journal does not",
        "keep both; a restored machine begins a new epoch (kiosk restore), which the hub takes",
    ),
    "wrong_chain": ("the hub says that rows do not chain", "run kiosk journal verify"),
    "bad_signature": ("the hub says that rows are not signed by the journal's key", "run kiosk journal verify"),
    "unknown_key": ("the hub does not know the key of this epoch", "enrol the new epoch; the old one stays valid"),
    "unknown_epoch": ("the hub does not know where this epoch comes from", "ask the hub's operator to approve it"),
    "journal_damaged": (
        "facts in the journal are not what was written; newer ones still go to the hub",
        "run kiosk journal verify; keep the file as evidence and restore the last backup",
    ),
    "journal_away": ("the journal cannot be read: the core is down or was never started", "start kiosk.service"),
    "journal_back": ("the journal can be read again", ""),
    "too_large": ("one commit is larger than the hub takes", "raise the hub's limits"),
    "hub_restored": ("the hub lost facts and gets them again", "none: it happens by itself"),
    "bad_receipt": ("the hub's receipt is not signed by its key", "tell the hub's operator"),
    "malformed": ("the hub could not read a message", "update the older side"),
    "replica": ("the reference data cannot be used", "kiosk doctor; remove sync.db, the hub sends it again"),
    "stale": ("a message of an earlier session came", "none: it was dropped"),
    "unexpected": ("the hub said something that does not belong here", "update the older side; it was dropped"),
    "unknown_data": ("the hub has no such data", "publish it at the hub"),
    "disk": ("the disk does not take what kiosk-sync remembers", "make room on the disk"),
    "too_many_commands": ("the hub commands more than it should", "tell the hub's operator; they are done later"),
    "asked": ("somebody here asked for a new connection", ""),
    "returned": ("the first hub is back", ""),
    "renewed": ("the line is opened anew once a day: a hub tells its next key with it", ""),
    "rotated": ("the transport key changes", ""),
}


#: Ends of a line that this side brought about: they say nothing against the hub.
OURS = ("journal_back", "asked", "returned", "renewed", "rotated")


class CoreView(Protocol):
    """What the core tells of itself (`sync.corelink.CoreState`)."""

    @property
    def state(self) -> str: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def devices(self) -> tuple[DeviceState, ...]: ...
    @property
    def paper(self) -> str: ...
    @property
    def stacker_permille(self) -> int | None: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def alarms(self) -> tuple[str, ...]: ...


class Trouble(msgspec.Struct, frozen=True):
    """Something that went wrong, with its cure."""

    code: str
    words: str
    cure: str
    detail: str
    at_ns: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file."""

    pid: int
    at_ns: int
    #: ``waiting``, ``connecting``, ``connected``, ``halted``.
    state: str
    hub: str
    endpoint: str
    since_ns: int
    head: Mark
    acked: Mark
    unsynced: int
    oldest_unsynced_ns: int
    last_ack_ns: int
    offset_ms: int | None
    round_trip_ms: int
    #: What is wrong now; None where nothing is.
    trouble: Trouble | None
    #: What went wrong last.
    last: Trouble | None
    core: str
    start: int


def trouble(code: str, detail: str, at_ns: int) -> Trouble:
    """Return a trouble with its words; an unknown code is its own words."""
    words, cure = TROUBLES.get(code, (f"the hub refused: {code[:40]}", "see the hub's findings"))
    detail = "" if detail == words else detail
    return Trouble(_shown(code), _shown(words), cure, _shown(detail[:400]), at_ns)


def _shown(text: str) -> str:
    """Return a text of the hub's in which nothing begins a line or moves a cursor."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def own_clock() -> Clock:
    """Return this process's clocks; whether the wall clock is right only the core can tell."""
    return Clock(time.time_ns(), time.monotonic_ns(), boot_id(), False)


@cache
def boot_id() -> str:
    """Return the kernel's boot id, "" where it cannot be read; under the service manager it comes with the start."""
    given = os.environ.get("KIOSK_BOOT_ID", "")
    if given:
        return given[:64]
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    except OSError:
        return ""


def status_of(
    core: CoreView | None, *, at_ns: int, unsynced: int, oldest_ns: int, alarms: tuple[str, ...], software: str
) -> Status:
    """Return STATUS; without an answer of the core the kiosk is ``down`` and nothing is known of its devices."""
    view = core or _NOBODY
    return Status(
        at_ns=at_ns, state=view.state, reasons=view.reasons, devices=view.devices, paper=view.paper,
        stacker_permille=view.stacker_permille, unsynced=unsynced, oldest_unsynced_ns=oldest_ns,
        clock=core.clock if core else own_clock(), software=software, alarms=(*view.alarms, *alarms),
    )  # fmt: skip


def news_of(status: Status) -> object:
    """Return what of a STATUS is news: everything that is not a clock or a count."""
    return (
        status.state, status.reasons, status.devices, status.paper, status.stacker_permille, status.alarms,
        status.clock.trusted,
    )  # fmt: skip


def write(runtime: Path, standing: Standing) -> None:
    """Write the file; it takes the place of the one before.  Raises OSError."""
    runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = runtime / (FILE + ".new")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(standing))
    part.replace(runtime / FILE)


def read(runtime: Path) -> Standing | None:
    """Return what the file says, or None where there is none or it is of another version."""
    try:
        return msgspec.json.decode((runtime / FILE).read_bytes(), type=Standing)
    except (OSError, msgspec.DecodeError):
        return None


class _Nobody(msgspec.Struct, frozen=True):
    """A core that does not answer."""

    state: str = "down"
    reasons: tuple[str, ...] = ()
    devices: tuple[DeviceState, ...] = ()
    paper: str = "unknown"
    stacker_permille: int | None = None
    clock: Clock = Clock(0, 0, "", False)
    alarms: tuple[str, ...] = ("core_down",)


_NOBODY = _Nobody()
