"""Facts: what happened, as it is stored for ever.

A fact is an envelope (`Stamp`) and a body.  Bodies are additive: a field added later has a default, a
meaning changed needs a new tag.  Nothing in a fact is ever changed or removed; a correction is a
`Reversed` that names its original.  Facts that move money carry the balanced entry that they posted, so
that a later change of rules never alters a receipted amount, and `journal verify` can hold both against
each other.  No fact holds a name, an address, a plate or the text of a refused scan.
"""

from __future__ import annotations

import datetime as dt

import msgspec

from kiosk.model.body import Body as Body
from kiosk.model.change_facts import *
from kiosk.model.custody_facts import *
from kiosk.model.entry import Entry
from kiosk.model.hub_facts import *
from kiosk.model.ids import NoteId
from kiosk.model.instant import Instant
from kiosk.model.invoice import Quote
from kiosk.model.money import Money
from kiosk.model.people_facts import *
from kiosk.model.slip_facts import *

#: Version of the envelope and encoding; readers accept this one and the one before.
FACT_VERSION = 1

REALMS = ("live", "training", "demo")


# --- the life of the journal and the machine ------------------------------------------------------------------


class Genesis(Body, frozen=True, tag="genesis"):
    """First fact of the first epoch of a journal."""

    #: Ed25519 public key of this journal, hexadecimal.
    public_key: str
    format: int = FACT_VERSION


class EpochStarted(Body, frozen=True, tag="epoch_started"):
    """First fact after a restore or re-enrolment: names the end of the epoch before."""

    previous_epoch: int
    previous_seq: int
    #: Hash of the last fact of the old epoch, hexadecimal.
    previous_hash: str
    public_key: str
    reason: str


class Started(Body, frozen=True, tag="started"):
    """The core came up."""

    #: True where the run before ended without `Stopped`.
    unclean: bool
    safe_mode: bool = False


class Stopped(Body, frozen=True, tag="stopped"):
    """The core went down in order."""

    reason: str


class ConfigurationChanged(Body, frozen=True, tag="configuration_changed"):
    """Software, configuration or data sets differ from the last fact's."""

    software: str
    configuration: str
    data: str
    #: Names of what changed, e.g. ``kiosk.toml``, ``services/water_bill.toml``, ``invoices``.
    changed: tuple[str, ...] = ()


class PluginQuarantined(Body, frozen=True, tag="plugin_quarantined"):
    """A plugin was set apart."""

    plugin: str
    reason: str


class ClockJumped(Body, frozen=True, tag="clock_jumped"):
    """The wall clock moved against the monotonic clock, or stood before the last fact at start."""

    #: Signed milliseconds: positive forwards.
    jump_ms: int
    #: `AGAINST_LAST_FACT` or ``while running``.
    detail: str = ""


#: A start found the wall clock off; `ClockJumped.jump_ms` counts from the trusted time of the last fact then.
AGAINST_LAST_FACT = "against the last fact"


class ClockTrusted(Body, frozen=True, tag="clock_trusted"):
    """A doubt about the wall clock ended: from here on it is believed."""

    #: How far it was from the time that was trusted until then, signed milliseconds.
    off_ms: int
    #: ``admin:UID``, ``time service`` or ``came back``.
    by: str


class EventRefused(Body, frozen=True, tag="event_refused"):
    """The checkout table has no row for this event in this state; bounded, never the content of a scan."""

    state: str
    event: str
    detail: str = ""


class Reversed(Body, frozen=True, tag="reversed"):
    """Undoes the posting of one earlier fact, whole, and says why."""

    original_epoch: int
    original_seq: int
    reason: str
    entry: Entry


# --- devices --------------------------------------------------------------------------------------------------


class DeviceChanged(Body, frozen=True, tag="device_changed"):
    """A device's generic state changed in a way a person should be able to look up later."""

    device: str
    state: str
    severity: str
    raw: str = ""
    detail: str = ""


class DeviceIdentified(Body, frozen=True, tag="device_identified"):
    """A device told who it is, and it differs from what was known."""

    device: str
    model: str
    firmware: str
    serial: str


class ServiceChanged(Body, frozen=True, tag="service_changed"):
    """The kiosk went out of service (reasons not empty) or came back (empty)."""

    reasons: tuple[str, ...]


# --- a session at the screen ----------------------------------------------------------------------------------


class Held(msgspec.Struct, frozen=True, array_like=True):
    """Tender that waits for the rest of one invoice: the citizen's money, kept for that invoice alone."""

    service: str
    number: str
    minor: int


class TenderFrozen(Body, frozen=True, tag="tender_frozen"):
    """The citizen confirmed: prices stand as of this fact's instant (the tender instant)."""

    quotes: tuple[Quote, ...]
    due_minor: int
    currency: str
    language: str
    #: What was held for these invoices before: it counts as tender of this session.
    held: tuple[Held, ...] = ()


class ExcessAgreed(Body, frozen=True, tag="excess_agreed"):
    """The citizen agreed on the screen that up to this much above what is due may be taken."""

    up_to_minor: int
    currency: str


class StackIntended(Body, frozen=True, tag="stack_intended"):
    """The stack command for this note will be sent.  Committed before it is."""

    note: NoteId
    value: Money
    #: The unit's counters with the note in escrow: after a kill, what they have grown by tells the note's end.
    device_mark: str = ""


class ReturnIntended(Body, frozen=True, tag="return_intended"):
    """The return command for this escrowed note will be sent.  Committed before it is, so that a unit which stacks
    the note all the same leaves no note of unknown value behind."""

    note: NoteId
    value: Money


class NoteCredited(Body, frozen=True, tag="note_credited"):
    """The protocol's credit point was reached: the note is the session's tender.  A coin is credited alike."""

    note: NoteId
    value: Money
    entry: Entry
    #: Found at start or power-up.
    recovered: bool = False
    device_mark: str = ""
    #: ``note`` or ``coin``.  A coin has no escrow: no intent comes before its credit.
    means: str = "note"


class NoteSuspended(Body, frozen=True, tag="note_suspended"):
    """A note was stacked outside a session, or one nobody announced: kept in suspense, owed to nobody yet.

    `note` and `value` are None where the wire does not tell them; then there is no entry.
    """

    device: str
    note: NoteId | None
    value: Money | None
    reason: str
    entry: Entry | None
    device_mark: str = ""
    raw: str = ""


class NoteReturned(Body, frozen=True, tag="note_returned"):
    """A note for which an intent stood (or that lay in escrow) went back.  Final."""

    note: NoteId | None
    device: str
    reason: str


class NoteDisputed(Body, frozen=True, tag="note_disputed"):
    """The wire cannot tell what became of a note with a committed intent: kept apart, slip and staff task."""

    note: NoteId
    value: Money
    reason: str
    entry: Entry
    device_mark: str = ""


class NoteGone(Body, frozen=True, tag="note_gone"):
    """A credited or suspended note's life on the wire ended; a later sign of a note is another note."""

    note: NoteId


class NoteRejected(Body, frozen=True, tag="note_rejected"):
    """The unit refused a note before escrow."""

    device: str
    reason: str
    raw: str = ""


class Allocation(msgspec.Struct, frozen=True):
    """What one invoice got out of a settlement."""

    service: str
    number: str
    minor: int
    #: What is still open afterwards, minor units.
    remaining_minor: int
    #: ``full`` or ``partial``.
    outcome: str


class Settled(Body, frozen=True, tag="settled"):
    """The tender of a session was applied; the rest is owed to the citizen."""

    tender_minor: int
    currency: str
    allocations: tuple[Allocation, ...]
    overpayment_minor: int
    entry: Entry
    #: ``paid``, ``partial``, ``unapplied`` …
    outcome: str
    #: ``citizen``, ``timeout``, ``recovery`` …
    by: str
    #: Held tender that this settlement used up, and what it leaves held: used + tender = applied + overpayment + held.
    used: tuple[Held, ...] = ()
    held: tuple[Held, ...] = ()
    #: What becomes of the overpayment: ``credit``, ``refund``; "" where there is none.
    excess: str = ""


class SessionClosed(Body, frozen=True, tag="session_closed"):
    """A session ended.  Only sessions that left a fact before need one."""

    reason: str


AnyBody = (
    Genesis | EpochStarted | Started | Stopped | ConfigurationChanged | PluginQuarantined | ClockJumped | ClockTrusted
    | EventRefused | Reversed | DeviceChanged | DeviceIdentified | ServiceChanged | CashboxChanged | TenderFrozen
    | ExcessAgreed | StackIntended | ReturnIntended | NoteCredited | NoteSuspended | NoteReturned | NoteDisputed
    | NoteGone | NoteRejected | Settled | SessionClosed | ReceiptIssued | PrintStarted | PrintEnded
    | ExchangeAuthorised | BoxExchanged | ExchangeAbandoned | AlarmRaised | AlarmAcknowledged | DayClosed
    | BoxReceived | BoxCounted | CountClosed | OperatorSignedIn | OperatorRefused | OperatorSignedOut | OperatorActed
    | ShutterChanged | Commissioned | SlipAcknowledged | HubCommanded | PeopleAdopted | PackAdopted
    | PayoutIntended | PayoutStarted | PayoutEnded | PayoutDisputed | PayoutResolved | HopperFilled | HopperEmptied
    | ReceiptDeferred | SlipPresented
)  # fmt: skip


class Digests(msgspec.Struct, frozen=True, array_like=True):
    """Under what a fact was made: the first 16 hexadecimal digits of SHA-256 each."""

    software: str
    configuration: str
    data: str
    #: City pack with its version, e.g. ``example-city 2026.1``.
    pack: str = ""


class Late(msgspec.Struct, frozen=True, array_like=True):
    """A fact of a date that is closed: it keeps its date and posts on the next open one."""

    posts_on: dt.date
    #: Number of the Z closing that closed the fact's date.
    closed_by: int


class Stamp(msgspec.Struct, frozen=True):
    """Who, when and under what: the part of the envelope that the caller of the journal provides."""

    at: Instant
    business_date: dt.date
    #: ``kiosk``, ``citizen``, ``device:NAME``, ``operator:ID``, ``admin:UID``, ``hub:ID``.
    actor: str
    #: Session id, "" outside a session.
    session: str
    #: Number of the box session, from 1.
    box_session: int
    digests: Digests
    #: None where the business date is open.
    late: Late | None = None


class Fact(msgspec.Struct, frozen=True):
    """One committed fact, whole."""

    version: int
    kiosk: str
    epoch: int
    #: From 1 within the epoch, without a gap.
    seq: int
    realm: str
    stamp: Stamp
    body: AnyBody


class Committed(msgspec.Struct, frozen=True):
    """A fact with its place in the chain."""

    fact: Fact
    #: SHA-256 over the previous hash and this row's bytes.
    hash: bytes
    #: Ed25519 signature over the hash; only on the last fact of each commit.
    signature: bytes | None = None
