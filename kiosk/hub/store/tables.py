"""The hub's tables in three groups.  On SQLite each group is a file of its own, on PostgreSQL all are one database.

`segments` (owner: the ingest workers) is the evidence, append-only: batches byte for byte, how far each journal is,
and what could not be accepted.  Nothing in it is derived.
`office` (owner: short transactions of front, librarian, web and command line) is what people decided and what came
from outside: enrolled kiosks, operators, imported invoices, commands, exports, the merge order.
`books` (owner: the projector) is derived from the other two and can be dropped and rebuilt: facts, entries, balances,
receipts, boxes, cases, findings, and what is published to the kiosks.

Money is signed minor units (debit positive) beside its currency.  Dates are ISO text, times nanoseconds since 1970
UTC.  A fact's place is (kiosk, epoch, seq); its position in the merge order of all kiosks is one growing number.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from kiosk.hub.store.book_tables import *
from kiosk.hub.store.columns import number as _number
from kiosk.hub.store.columns import octets as _bytes
from kiosk.hub.store.columns import text as _text

segments = MetaData()
office = MetaData()

# --- segments: the evidence ---------------------------------------------------------------------------------------

segment = Table(
    "segment", segments,
    # Number within the worker, from 1 without a gap: the projector keeps a cursor for each worker.
    Column("worker", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("kiosk"), _number("epoch"), _number("first"), _number("last"),
    # Hashes before the first and at the last row, and the signature over the last.
    _bytes("previous"), _bytes("hash"), _bytes("signature"),
    _number("received_ns"),
    # 0: msgpack array of the rows as they came; 1: the payload of the JOURNAL message as it came, under zlib.
    # `ingest.segments.rows_of` reads both; the bodies of `kept_apart` and `ahead` are of the first kind.
    _number("codec"), _bytes("body"),
    Index("segment_place", "kiosk", "epoch", "first"),
)  # fmt: skip

mark = Table(
    "mark", segments,
    # How far a journal is here, by epoch: only contiguous rows move it.
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    _number("seq"), _bytes("hash"),
    # The key that the epoch's rows are signed with, hexadecimal; where the epoch before ended.
    _text("journal_key"), _number("updated_ns"),
)  # fmt: skip

fence = Table(
    "fence", segments,
    # The newest session of a kiosk and the start of kiosk-sync that it belongs to; an older one is fenced off.
    # `boot_id` is the kernel's: one start of kiosk-sync under two of them is two machines.
    Column("kiosk", Text, primary_key=True), _number("session"), _number("boot"), _number("epoch"),
    _text("boot_id", default=""),
)  # fmt: skip

kept_apart = Table(
    "kept_apart", segments,
    # What contradicts a journal that is here (fork, wrong chain, bad signature, fenced): evidence, never posted.
    Column("id", Text, primary_key=True),
    _text("kiosk"), _number("epoch"), _number("first"), _number("last"), _bytes("previous"), _bytes("hash"),
    _bytes("signature"), _text("reason"), _number("received_ns"), _bytes("body"),
)  # fmt: skip

ahead = Table(
    "ahead", segments,
    # Fresh rows that came before their backlog; compared when the stream reaches them.
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    _number("last"), _bytes("previous"), _bytes("hash"), _bytes("signature"), _number("received_ns"), _bytes("body"),
)  # fmt: skip

ingest_finding = Table(
    "ingest_finding", segments,
    # What the workers refused or found; the same thing again only counts.  `id` is stable: see hub.findings.
    Column("id", Text, primary_key=True),
    _text("code"), _text("severity"), _text("kiosk"), _number("epoch"), _number("seq"), _text("detail"),
    _number("first_ns"), _number("last_ns"), _number("times"),
)  # fmt: skip

identity = Table(
    "identity", segments,
    # One row: who this store is.  `incarnation` changes whenever the store is restored or made anew.
    Column("hub", Text, primary_key=True), _text("incarnation"), _number("made_ns"),
)  # fmt: skip

# --- office: what people decided and what came from outside ---------------------------------------------------------

kiosk = Table(
    "kiosk", office,
    Column("id", Text, primary_key=True),
    # `pending`, `approved`, `revoked`.
    _text("state"), _text("realm"), _text("name"), _text("place"), _number("changed_ns"), _text("changed_by"),
    # Ingest worker that takes its journal, for ever: the merge order hangs on it.
    _number("worker"),
)  # fmt: skip

kiosk_key = Table(
    "kiosk_key", office,
    # `transport` (Z85) or `journal` (hexadecimal).
    Column("purpose", Text, primary_key=True), Column("key", Text, primary_key=True),
    _text("kiosk"), _number("epoch"),
    # `pending`, `current`, `next`, `retired`, `revoked`.
    _text("state"), _number("since_ns"), _text("words"),
)  # fmt: skip

code = Table(
    "code", office,
    # One-time enrolment codes; the code itself is kept until it is used, because the proof is an HMAC with it.
    Column("id", Text, primary_key=True), _text("kiosk"), _text("secret"), _number("expires_ns"),
    _number("used_ns"), _number("failures"), _text("made_by"),
)  # fmt: skip

server_key = Table(
    "server_key", office,
    # The hub's own keys by public half: `transport` (`current`, `next`, `retired`), `signing`.  Secrets are in files.
    Column("purpose", Text, primary_key=True), Column("key", Text, primary_key=True), _text("state"),
    _text("endpoint"), _number("since_ns"),
)  # fmt: skip

revision = Table(
    "revision", office,
    # Grows with every change of a subject (`registry`, `invoices`, `documents`, `commands`): pollers look here alone.
    Column("subject", Text, primary_key=True), _number("number"),
)  # fmt: skip

contact = Table(
    "contact", office,
    # Latest STATUS and what the front saw; written by the front, latest wins.
    Column("kiosk", Text, primary_key=True),
    _number("seen_ns"), _number("offset_ms"), _number("round_trip_ms"), _text("software"), _number("unsynced"),
    _number("oldest_unsynced_ns"), _text("state"), _text("paper"), _number("stacker_permille"),
    # The whole STATUS as JSON; -1 in `stacker_permille` where nobody knows.
    _bytes("status"),
)  # fmt: skip

command = Table(
    "command", office,
    Column("id", Text, primary_key=True), _text("kiosk"), _text("command"), _text("argument"), _text("reason"),
    _text("asked_by"), _number("asked_ns"),
    # `waiting`, `sent`, `done`, `refused`, `withdrawn`.
    _text("state"), _text("answer"), _number("answered_ns"),
)  # fmt: skip

invoice = Table(
    "invoice", office,
    # What the city's own systems say is owed (`hub import`); never an owner's name or address.
    Column("service", Text, primary_key=True), Column("number", Text, primary_key=True),
    _text("currency"), Column("amount_minor", BigInteger), _number("paid_minor"), _text("state"), _text("issued"),
    Column("due", Text), _text("code"), _number("offence"), _number("held_days"), _text("plate_hash"),
    # Value of revision `invoices` when this row changed, and whether the source no longer has it.
    _number("changed", index=True), Column("gone", Boolean, nullable=False),
    # Payments up to this position of the merge order are in `paid_minor` already: the source had them from an export.
    _number("counted", server_default="0"),
)  # fmt: skip

data_import = Table(
    "data_import", office,
    Column("id", Text, primary_key=True), _text("service"), _text("file"), _text("digest"), _number("at_ns"),
    _text("by"), _number("taken"), _number("unchanged"), _number("removed"), _number("rejected"),
)  # fmt: skip

document = Table(
    "document", office,
    # Small data sets sent down whole, by version: `people`, `pack`, `policies`, `keys_revoked`, `services`, `meters`.
    Column("name", Text, primary_key=True), Column("version", BigInteger, primary_key=True, autoincrement=False),
    _text("digest"), _bytes("body"), _number("at_ns"), _text("by"), _text("effective"),
)  # fmt: skip

kiosk_data = Table(
    "kiosk_data", office,
    # How far each kiosk said a data set is there.
    Column("kiosk", Text, primary_key=True), Column("data_set", Text, primary_key=True),
    _number("generation"), _number("cursor"), _text("digest"), _number("at_ns"),
)  # fmt: skip

operator = Table(
    "operator", office,
    Column("id", Text, primary_key=True), _text("name"), _text("password"),
    # Comma-separated: `view`, `count`, `audit`, `admin`, `export`.
    _text("roles"), _text("state"), _number("failures"), _number("locked_until_ns"), _number("changed_ns"),
)  # fmt: skip

web_session = Table(
    "web_session", office,
    # By the hash of the cookie; never the cookie.
    Column("id", Text, primary_key=True), _text("operator"), _text("csrf"), _number("made_ns"), _number("seen_ns"),
)  # fmt: skip

access = Table(
    "access", office,
    # Who looked at or did what; append-only.
    Column("id", Integer, primary_key=True), _number("at_ns"), _text("operator"), _text("act"), _text("subject"),
    _text("address"),
)  # fmt: skip

merge = Table(
    "merge", office,
    # The order in which the workers' segments were posted; written by the projector once, replayed by every rebuild.
    Column("place", BigInteger, primary_key=True, autoincrement=False), Column("worker", Integer, nullable=False),
    _number("number"),
    # Position of the segment's first fact in the order of all facts.
    _number("position"),
)  # fmt: skip

export = Table(
    "export", office,
    # An export seals its date for its target; facts after `through` post on the next open date.
    Column("target", Text, primary_key=True), Column("business_date", Text, primary_key=True),
    _number("number"), _number("after"), _number("through"), _text("digest"), _number("entries"), _number("at_ns"),
    _text("by"), _bytes("body"), _text("format"),
    # Rows that were in quarantine then (`hub.exports.apart`): where one becomes a fact, the next export has it.
    _text("apart", server_default=""),
)  # fmt: skip

peer_finding = Table(
    "peer_finding", office,
    # What the front and the enrolment port refused; same shape as `ingest_finding`.
    Column("id", Text, primary_key=True),
    _text("code"), _text("severity"), _text("kiosk"), _number("epoch"), _number("seq"), _text("detail"),
    _number("first_ns"), _number("last_ns"), _number("times"),
)  # fmt: skip

acknowledged = Table(
    "acknowledged", office,
    # A person has seen a finding and says what came of it; the finding stays.
    Column("finding", Text, primary_key=True), _number("at_ns"), _text("by"), _text("note"),
)  # fmt: skip

alert = Table(
    "alert", office,
    # What was raised, once for each event; `cleared_ns` is 0 while it stands, `sent_ns` until everybody was told.
    Column("id", Text, primary_key=True), _text("kind"), _text("kiosk"), _text("detail"), _number("raised_ns"),
    _number("cleared_ns"), _number("sent_ns"), _number("tries"), _text("trouble"),
)  # fmt: skip

alert_message = Table(
    "alert_message", office,
    # That an alert was `raised` or `cleared`, for `webhook` or `mail`; tried again until `sent_ns` is set.
    Column("alert", Text, primary_key=True), Column("event", Text, primary_key=True),
    Column("channel", Text, primary_key=True), _number("due_ns"), _number("sent_ns"), _number("tries"),
)  # fmt: skip
