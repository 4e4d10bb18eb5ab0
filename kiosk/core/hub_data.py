"""What a hub sends down whole and the core adopts: who works here, and the city's pack.

The hub's list of people takes the place of the kiosk's own at once; where the two contradict each other the hub wins,
and the fact says for whom.  A list that cannot be read changes nothing.  The last good list is kept beside the
journal, so that somebody whom the hub has dropped is not let in again because reference data are missing for a while.
A pack is only laid down here, checked; it stands from the next start on (`app.hub_pack`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from kiosk import config
from kiosk.checkout.states import State
from kiosk.core.people import OperatorSettings, People, Person, check_people
from kiosk.errors import ConfigError, ControlError, KioskError
from kiosk.model import facts

if TYPE_CHECKING:
    from kiosk.core.kernel import Kernel

T = TypeVar("T")
#: Largest list of people, bytes.
LARGEST_LIST = 256 * 1024
#: People of one list.
MOST_PEOPLE = 500


class PeopleList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document `people`: the sections `[[people]]`, as in kiosk.toml."""

    people: tuple[Person, ...]


class Documents(msgspec.Struct, frozen=True, kw_only=True):
    """Where documents come from and where they are kept; the composition root knows."""

    #: Every document of the hub that is here: name -> (version, body).
    read: Callable[[], Mapping[str, tuple[int, bytes]]] = dict
    #: Keeps a list of people that was adopted; raises OSError.
    keep_people: Callable[[int, bytes], None] = lambda version, body: None
    #: The list that was kept last, or None.
    kept_people: Callable[[], tuple[int, bytes] | None] = lambda: None
    #: Lays a pack down for the next start; returns its name and digest, raises KioskError where it is none.
    lay_pack: Callable[[int, bytes], tuple[str, str]] = lambda version, body: ("", "")


class HubData:
    """Owns the answer to "whose list of people stands"; the pack's place on the disk is the composition root's."""

    def __init__(
        self, documents: Documents | None = None, local: tuple[Person, ...] = (),
        settings: OperatorSettings | None = None,
    ) -> None:  # fmt: skip
        self._documents = documents or Documents()
        self._local = local
        self._settings = settings
        #: A pack came while somebody was in front.
        self._pack_waits = False

    def begin(self, kernel: Kernel) -> None:
        """Take up at a start what is there; whatever cannot be read is told as the last fault."""
        for name in ("people", "pack"):
            try:
                self.adopt(kernel, name)
            except KioskError as error:
                kernel.last_fault = str(error)

    def adopt(self, kernel: Kernel, name: str) -> None:
        """Take a document up if it is another one than before.

        Raises:
            ControlError: nothing of this name is adopted here.
            JournalError: it could not be committed; it is not in force then.
            ReplicaError: the documents cannot be read.
        """
        if name not in ("people", "pack"):
            raise ControlError(f"there is no document {name[:40]!r} to adopt", hint="people or pack")
        found = self._documents.read().get(name)
        if name == "people":
            self._people(kernel, found)
        elif found is not None and found[0] != kernel.books.hub_pack:
            # Reading a whole pack takes a while, for which no note may wait.
            self._pack_waits = kernel.model.state not in (State.IDLE, State.OUT_OF_SERVICE)
            if not self._pack_waits:
                self._pack(kernel, *found)

    def tend(self, kernel: Kernel) -> None:
        """Use a quiet moment for what had to wait; what cannot be read is told as the last fault."""
        if self._pack_waits:
            try:
                self.adopt(kernel, "pack")
            except KioskError as error:
                self._pack_waits = False  # the next start tries again
                kernel.last_fault = str(error)

    def _people(self, kernel: Kernel, found: tuple[int, bytes] | None) -> None:
        refused = ""
        if found is not None:
            try:
                self._take(kernel, *found)
                return
            except ConfigError as error:
                refused = str(error)[:300]
        kept = self._documents.kept_people()
        if kept is not None and not kernel.books.hub_people[0]:
            kept = None  # another journal's: this one never heard of a hub
        if kept is not None:
            kernel.parts.people = People(people_of(kept[1]), self._settings)
        if found is not None and refused:
            self._tell(kernel, facts.PeopleAdopted(found[0], digest_of(found[1]), (), (), refused))

    def _take(self, kernel: Kernel, version: int, body: bytes) -> None:
        persons = people_of(body)
        ids = tuple(person.id for person in persons)
        self._tell(kernel, facts.PeopleAdopted(version, digest_of(body), ids, conflicts(self._local, persons)))
        kernel.parts.people = People(persons, self._settings)
        try:
            self._documents.keep_people(version, body)
        except OSError as error:
            kernel.last_fault = f"the hub's list of people could not be kept: {error.strerror}"

    def _tell(self, kernel: Kernel, body: facts.PeopleAdopted) -> None:
        if kernel.books.hub_people != (body.version, body.digest, body.refused):
            kernel.commit((body,), "kiosk")

    def _pack(self, kernel: Kernel, version: int, body: bytes) -> None:
        try:
            name, digest = _read(lambda: self._documents.lay_pack(version, body))
        except KioskError as error:
            kernel.commit((facts.PackAdopted(version, "", "", str(error)[:300]),), "kiosk")
            return
        kernel.commit((facts.PackAdopted(version, name, digest),), "kiosk")


def people_of(body: bytes) -> tuple[Person, ...]:
    """Read the document `people`.

    Raises:
        ConfigError: it is not a list of people; names what is wrong with whom.
    """
    if len(body) > LARGEST_LIST:
        raise ConfigError(f"the hub's list of people has {len(body)} bytes", hint=f"at most {LARGEST_LIST}")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("the hub's list of people is not text", hint="publish the sections [[people]]") from None
    persons = _read(lambda: check_people(config.decode(text, "the hub's people", PeopleList).people))
    if not 0 < len(persons) <= MOST_PEOPLE:
        raise ConfigError(f"the hub's list names {len(persons)} people", hint=f"1 to {MOST_PEOPLE}")
    return persons


def _read(read: Callable[[], T]) -> T:
    """Read what a hub sent; whatever its bytes lead to is a refusal, and never the end of the counter.

    Raises:
        KioskError: it cannot be read.
    """
    try:
        return read()
    except KioskError:
        raise
    except Exception as error:  # told as the reason of the refusal, which is a fact
        raise ConfigError(f"this cannot be read: {type(error).__name__}: {error}"[:300]) from error


def conflicts(local: tuple[Person, ...], hub: tuple[Person, ...]) -> tuple[str, ...]:
    """Return the ids of which the kiosk's own configuration says something that the hub does not."""
    theirs = {person.id: person for person in hub}
    return tuple(sorted(person.id for person in local if theirs.get(person.id) != person))


def digest_of(body: bytes) -> str:
    """Return the first 16 hexadecimal digits of SHA-256."""
    return hashlib.sha256(body).hexdigest()[:16]
