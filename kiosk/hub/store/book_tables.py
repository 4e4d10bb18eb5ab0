"""The tables of the group `books`: derived from segments and office by the projector, and rebuilt at any time.

What each column holds follows from the facts in the merge order alone (`hub.posting`); only `publication`, `published`
and `published_through` follow from the imports too (`hub.feed`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from kiosk.hub.store.columns import number as _number
from kiosk.hub.store.columns import octets as _bytes
from kiosk.hub.store.columns import text as _text

__all__ = [
    "balance",
    "books",
    "box",
    "box_note",
    "case",
    "closing",
    "cursor",
    "day_sum",
    "fact",
    "finding",
    "frozen",
    "hopper",
    "invoice_balance",
    "payment",
    "payout",
    "posted_through",
    "posting",
    "publication",
    "published",
    "published_through",
    "quarantine",
    "receipt",
    "state",
]

books = MetaData()

cursor = Table(
    "cursor", books,
    Column("worker", Integer, primary_key=True, autoincrement=False), _number("number"),
)  # fmt: skip

state = Table(
    "state", books,
    # `build` (id of the running build), `rules` (digest of what they were built with), `place` (last place of the merge
    # order that is posted), `position` (of its last fact), `goal` (place up to which a rebuild replays; "" when done).
    Column("name", Text, primary_key=True), _text("value"),
)  # fmt: skip

fact = Table(
    "fact", books,
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _number("position", index=True), _text("kind"), _number("at_ns"), _text("business_date"), _text("session"),
    # Where its bytes are: segment of a worker, and the row's index in it.
    _number("worker"), _number("segment"), _number("row"),
    sqlite_with_rowid=False,
)  # fmt: skip

posting = Table(
    "posting", books,
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("line", Integer, primary_key=True, autoincrement=False),
    _number("position", index=True),
    # The date the entry posts on at the kiosk (its late date where it has one), and the tender's own date.
    _text("posts_on"), _text("business_date"), _text("reason"), _text("currency"), _text("account"), _number("minor"),
    # Service that the money is for, "" for none; for sums by service.
    _text("service"),
    sqlite_with_rowid=False,
)  # fmt: skip

balance = Table(
    "balance", books,
    # Running sums of all postings.
    Column("kiosk", Text, primary_key=True), Column("currency", Text, primary_key=True),
    Column("account", Text, primary_key=True), _number("minor"),
)  # fmt: skip

day_sum = Table(
    "day_sum", books,
    # Sums by the date an entry posts on, kiosk, service and account: what the pages of counted days draw.
    Column("posts_on", Text, primary_key=True), Column("kiosk", Text, primary_key=True),
    Column("service", Text, primary_key=True), Column("currency", Text, primary_key=True),
    Column("account", Text, primary_key=True), _number("minor"), _number("entries"),
)  # fmt: skip

payment = Table(
    "payment", books,
    # What a settlement applied to an invoice.
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("service", Text, primary_key=True), Column("number", Text, primary_key=True),
    _number("position"), _text("currency"), _number("minor"), _number("remaining_minor"), _text("outcome"),
    _text("business_date"), _text("session"),
    # How much of it was above what was still owed when it came second; a case has it.
    _number("excess_minor"),
    # Issue date of the bill that it was for, where a number names an account with one bill after another; else "".
    _text("bill", server_default=""),
    Index("payment_invoice", "service", "number", "position"), Index("payment_position", "position"),
)  # fmt: skip

invoice_balance = Table(
    "invoice_balance", books,
    Column("service", Text, primary_key=True), Column("number", Text, primary_key=True),
    _text("currency"), _number("paid_minor"), _number("held_minor"),
    # What was owed to the kiosks in all according to the settlements' prices; None where none told it.  `paid_minor`
    # never exceeds it: what came above is in `payment.excess_minor` and a case.
    Column("owed_minor", BigInteger),
    # Position of the last fact that changed this row: publishers look for a greater one than they know.
    _number("changed", index=True),
    # What the first settlement knew of money that came in elsewhere; None where its price is unknown.
    Column("base_minor", BigInteger),
    # Issue date of the bill that all of this is about, where the number names an account; else "".
    _text("bill", server_default=""),
)  # fmt: skip

frozen = Table(
    "frozen", books,
    # The price that stands at a kiosk whose session is not settled yet: the TenderFrozen fact as JSON.
    Column("kiosk", Text, primary_key=True), _text("session"), _bytes("body"),
)  # fmt: skip

posted_through = Table(
    "posted_through", books,
    # How far each kiosk's facts are counted in `invoice_balance`.
    Column("kiosk", Text, primary_key=True), _number("epoch"), _number("seq"),
)  # fmt: skip

receipt = Table(
    "receipt", books,
    Column("id", Text, primary_key=True),
    _text("kiosk"), _number("epoch"), _number("seq"), _text("slip"), _number("number"), _text("session", index=True),
    _text("business_date"), _number("at_ns"), _text("language"), _number("position"),
    Index("receipt_fact", "kiosk", "epoch", "seq"), Index("receipt_position", "position"),
)  # fmt: skip

box_note = Table(
    "box_note", books,
    # Content of each box by note.  Never shown of an uncounted box to anyone who may count it.
    Column("kiosk", Text, primary_key=True), Column("box_session", BigInteger, primary_key=True, autoincrement=False),
    Column("currency", Text, primary_key=True),
    Column("value_minor", BigInteger, primary_key=True, autoincrement=False), _number("count"),
)  # fmt: skip

box = Table(
    "box", books,
    Column("kiosk", Text, primary_key=True), Column("box_session", BigInteger, primary_key=True, autoincrement=False),
    # `in_kiosk`, `left`, `received`, `counted`.
    _text("state"), _text("box"), _number("left_ns"), _number("unknown_notes"), _text("currency"),
    Column("expected_minor", BigInteger), Column("counted_minor", BigInteger), Column("over_short_minor", BigInteger),
    _text("collector"), _text("counter"), _text("second"),
)  # fmt: skip

closing = Table(
    "closing", books,
    Column("kiosk", Text, primary_key=True), Column("number", BigInteger, primary_key=True, autoincrement=False),
    _number("epoch"), _number("seq"), _text("cause"), Column("closes_through", Text), _number("box_session"),
    _text("currency"), _number("taken_minor"), _number("grand_total_minor"), _number("at_ns"),
)  # fmt: skip

hopper = Table(
    "hopper", books,
    # Coins in each hopper by the facts: what people put in less what left.
    Column("kiosk", Text, primary_key=True), Column("device", Text, primary_key=True),
    _text("currency"), _number("value_minor"), _number("coins"),
)  # fmt: skip

payout = Table(
    "payout", books,
    # Coins that a hopper was asked for: `intended`, `started`, `ended`, `disputed`; figures are coins.
    Column("kiosk", Text, primary_key=True), Column("id", Text, primary_key=True),
    _number("epoch"), _number("seq"), _text("device"), _text("currency"), _number("value_minor"), _number("coins"),
    _text("state"), _number("paid"), _number("disputed"),
    # The settlement that owes them, of the same epoch.
    _number("settled_seq"),
    Index("payout_settled", "kiosk", "epoch", "settled_seq"),
)  # fmt: skip

case = Table(
    "money_case", books,
    # Money that a person has to decide about: `overpayment` (paid twice), `excess` (agreed above what was due),
    # `suspense`, `disputed`, `held`, `change` (coins that may have left a hopper).  State `open`, or `closed` by a
    # later fact.
    Column("id", Text, primary_key=True),
    _text("kind"), _text("kiosk"), _number("epoch"), _number("seq"), _text("service"), _text("number"),
    _text("currency"), _number("minor"), _text("state"), _text("detail"), _number("position"),
)  # fmt: skip

quarantine = Table(
    "quarantine", books,
    # Rows whose bytes are evidence but that cannot be posted; `reason` says why.
    Column("kiosk", Text, primary_key=True), Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _number("worker"), _number("segment"), _number("row"), _text("reason"),
)  # fmt: skip

finding = Table(
    "finding", books,
    # What posting found; same shape as `ingest_finding`.
    Column("id", Text, primary_key=True),
    _text("code"), _text("severity"), _text("kiosk"), _number("epoch"), _number("seq"), _text("detail"),
    _number("first_ns"), _number("last_ns"), _number("times"),
)  # fmt: skip

publication = Table(
    "publication", books,
    # A data set as the kiosks see it.  A cursor below `horizon` needs a snapshot.
    Column("data_set", Text, primary_key=True), _number("generation"), _number("cursor"), _number("horizon"),
    _text("digest"), _number("rows"), _number("taken_at_ns"),
)  # fmt: skip

published = Table(
    "published", books,
    # Newest row of each key, ready to send; `row` is None where the key is gone (a tombstone until `horizon`).
    Column("data_set", Text, primary_key=True), Column("key", Text, primary_key=True),
    _number("cursor"), _bytes("row", null=True),
    ForeignKeyConstraint(["data_set"], ["publication.data_set"]),
    Index("published_cursor", "data_set", "cursor"),
    sqlite_with_rowid=False,
)  # fmt: skip

published_through = Table(
    "published_through", books,
    # `posted_through` as of the state that is published: what a kiosk is told to have been counted.
    Column("kiosk", Text, primary_key=True), _number("epoch"), _number("seq"),
)  # fmt: skip
