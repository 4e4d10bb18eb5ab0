"""Real journals of example kiosks, cut into the batches that kiosk-sync would send."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kiosk.hub.bus import Envelope, pack, unpack
from kiosk.hub.ingest.known import RegisteredKey
from kiosk.journal.backup import backup, restore
from kiosk.journal.encoding import ROOT_HASH, Row
from kiosk.journal.keys import SigningKey
from kiosk.journal.reader import Reader
from kiosk.journal.store import Journal as KioskJournal
from kiosk.model.facts import REALMS
from kiosk.sync.messages import Ahead, Clock, Hello, Journal, Mark, Message
from kiosk.sync.wire import DOWN, decode, encode
from tests.journal.conftest import stamp_at
from tests.journal.examples import STARTED

REALM = REALMS[-1]
NOW = 1_795_500_000_000_000_000
SECOND = 1_000_000_000


class Kiosk:
    """An example kiosk: its rows as its journal's reader gives them, and its keys."""

    def __init__(self, name: str, rows: Sequence[Row], keys: dict[str, RegisteredKey]) -> None:
        self.name = name
        self.rows = list(rows)
        self.keys = keys
        #: Indexes of the rows that end a commit.
        self.ends = [index for index, row in enumerate(self.rows) if row.signature is not None]

    def batch(self, begin: int, end: int) -> Journal:
        """Return rows begin to end (indexes, both included) as one message; `end` is a signed row of the same epoch."""
        rows = self.rows[begin : end + 1]
        assert rows[0].epoch == rows[-1].epoch
        previous = self.rows[begin - 1].hash if begin else ROOT_HASH
        return Journal(rows[0].epoch, rows[0].seq, previous, tuple(row.row for row in rows), rows[-1].signature or b"")

    def whole(self) -> list[Journal]:
        """Return the whole journal, one message for each commit."""
        begins = [0, *(end + 1 for end in self.ends)]
        return [self.batch(begin, end) for begin, end in zip(begins, self.ends, strict=False)]

    def hello(self, head: int = -1, **more: object) -> Hello:
        """Return a HELLO with the head at an index."""
        row = self.rows[head]
        told = {
            "oldest": 1, "newest": 1, "kiosk": self.name, "realm": REALM, "boot": 1,
            "head": Mark(row.epoch, row.seq, row.hash), "acked": Mark(), "oldest_kept": Mark(1, 1),
            "clock": Clock(NOW, 1, "boot-a", True), "data": (), "fact_version": 1, "software": "example",
            "free_bytes": 1 << 30,
        }  # fmt: skip
        return Hello(**{**told, **more})  # type: ignore[arg-type]


def key_of(name: str, number: int = 1) -> SigningKey:
    """Return an example key."""
    return SigningKey.from_seed(f"{name} {number}".encode().ljust(32, b"."))


def make_kiosk(room: Path, name: str = "K07", commits: Sequence[int] = (1, 2, 1, 3)) -> Kiosk:
    """Make a journal with the genesis and commits of so many facts."""
    with _new(room / f"{name}.db", name, commits):
        pass
    return _kiosk(room / f"{name}.db", name, {key_of(name).public_hex: RegisteredKey(1, "current")})


def make_restored(
    room: Path, name: str = "K07", before: Sequence[int] = (1, 2), after: Sequence[int] = (1, 1), fresh: int = 2
) -> tuple[Kiosk, Kiosk]:
    """Make a journal, a backup of it after `before`, and a second epoch out of that backup.

    Return the kiosk as it would have gone on (`after`), and as it was restored, with `fresh` more facts.
    """
    path = room / f"{name}.db"
    with _new(path, name, before) as journal:
        backup(path, room / "backup.db")
        for size in after:
            journal.append([STARTED] * size, stamp_at(journal.seq))
    second = room / "restored" / f"{name}.db"
    restore(room / "backup.db", second, stamp=stamp_at(900), key=key_of(name, 2), reason="example")
    with KioskJournal.open(second, key=key_of(name, 2), ballast_bytes=4096, reserve_bytes=4096) as journal:
        for _ in range(fresh):
            journal.append([STARTED], stamp_at(901))
    keys = {
        key_of(name).public_hex: RegisteredKey(1, "retired"),
        key_of(name, 2).public_hex: RegisteredKey(2, "current"),
    }
    return _kiosk(path, name, keys), _kiosk(second, name, keys)


def make_clone(room: Path, name: str = "K07", commits: Sequence[int] = (1, 2, 1, 3), other: int = 900) -> Kiosk:
    """Make a journal of the same key whose genesis, or whatever comes `other` seconds later, differs."""
    directory = room / f"clone{other}"
    with _new(directory / f"{name}.db", name, commits, second=other):
        pass
    return _kiosk(directory / f"{name}.db", name, {key_of(name).public_hex: RegisteredKey(1, "current")})


def _new(path: Path, name: str, commits: Sequence[int], second: int = 0) -> KioskJournal:
    """Make a journal whose second and later commits are stamped `second` seconds later."""
    journal = KioskJournal.create(
        path, kiosk=name, realm=REALM, key=key_of(name), stamp=stamp_at(), ballast_bytes=4096, reserve_bytes=4096
    )
    for number, size in enumerate(commits):
        journal.append([STARTED] * size, stamp_at(number + (second if number else 0)))
    return journal


def _kiosk(path: Path, name: str, keys: dict[str, RegisteredKey]) -> Kiosk:
    with Reader(path) as reader:
        return Kiosk(name, list(reader.rows()), keys)


def ahead_of(batch: Journal) -> Ahead:
    """Return a batch as fresh rows."""
    return Ahead(batch.epoch, batch.first, batch.previous, batch.rows, batch.signature)


def frames(
    kiosk: Kiosk, message: Message, session: int = 0, *, peer: bytes = b"peer1", pack_it: bool = False
) -> list[bytes]:
    """Return a message as the front forwards it."""
    envelope = Envelope(peer, kiosk.name, REALM, "k" * 40, NOW)
    return [pack(envelope), *encode(message, session=session, number=1, pack=pack_it)]


def answer_of(told: list[bytes]) -> Message:
    """Return the message in frames for the front."""
    return decode(told[1:], DOWN)[1]


def envelope_of(told: list[bytes]) -> Envelope:
    """Return whom frames are for."""
    return unpack(told[0])
