"""The facts of a journal as they were committed: what stood or fell together is looked at together."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from kiosk.journal.encoding import ROOT_HASH, Row
from kiosk.journal.findings import Finding
from kiosk.model.facts import AnyBody, Fact

Report = Callable[[Finding], None]
Place = tuple[int, int]


class Told(NamedTuple):
    """A fact with its hash and where the fact before it stands."""

    fact: Fact
    hash: str
    before: Place
    before_hash: str

    @property
    def body(self) -> AnyBody:
        """What happened."""
        return self.fact.body

    @property
    def place(self) -> Place:
        """Where the fact stands."""
        return self.fact.epoch, self.fact.seq


Commit = tuple[Told, ...]


class CommitBook(Protocol):
    """Part of `verify` that looks at whole commits."""

    def take(self, commit: Commit) -> None:
        """Take the next commit."""
        ...

    def end(self) -> None:
        """Report what is still missing at the end of the journal."""
        ...


class Commits:
    """Gathers facts until the signed one that ends their commit, then shows the commit to every book."""

    def __init__(self, *books: CommitBook) -> None:
        self._books = books
        self._open: list[Told] = []
        self._before: tuple[Place, str] = ((0, 0), ROOT_HASH.hex())

    def step(self, row: Row, fact: Fact | None) -> None:
        """Take a row and its fact, None where its bytes are none."""
        place, digest = (row.epoch, row.seq), row.hash.hex()
        if fact is not None:
            self._open.append(Told(fact, digest, *self._before))
        self._before = (place, digest)
        if row.signature is not None:
            self._show()

    def end(self) -> None:
        """Show a commit that lost its signed end, and let every book come to its end."""
        self._show()
        for book in self._books:
            book.end()

    def _show(self) -> None:
        commit, self._open = tuple(self._open), []
        if commit:
            for book in self._books:
                book.take(commit)


def found(report: Report, code: str, told: Told, detail: str, severity: str = "error") -> None:
    """Report a finding at a fact."""
    report(Finding(code, severity, *told.place, detail))
