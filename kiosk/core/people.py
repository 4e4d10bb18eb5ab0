"""The people who work at a kiosk: who they are by id and PIN, and what each may do.

People come from `[[people]]` of kiosk.toml.  A person is an id of the city's own making and never a name.  A PIN is
kept as an argon2id hash alone (RFC 9106; the parameters are OWASP's second choice, 19 MiB and two passes: about 30 ms
on a desk machine).  A PIN has few digits, so its hash does not withstand somebody who has the file and time: the file
is for the service's user only, and what protects the PIN at the kiosk is the lock after wrong ones in a row.

Judging costs the same whatever is wrong: for an id that is nobody's, a hash that fits no PIN is tried.  The count of
wrong PINs is not kept here: it is rebuilt from facts (`OperatorRefused`, `OperatorSignedIn`), so a restart forgives
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Protocol

import msgspec

from kiosk.errors import ConfigError
from kiosk.model.instant import NS

ROLES = ("operate", "collect", "close", "count", "audit", "admin")

#: What a PIN's hash must cost at least: passes, KiB of memory, lanes (OWASP Password Storage Cheat Sheet) …
TIME_COST, MEMORY_KIB, LANES = 2, 19_456, 1
#: … and may cost at most: the kernel waits for it.
MOST_TIME_COST, MOST_MEMORY_KIB = 4, 65_536
SHORTEST_PIN, LONGEST_PIN = 4, 12

_ID = re.compile(r"[a-z][a-z0-9_-]{1,15}")
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,9}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})"
)
#: A hash of the same cost that no PIN fits: of 32 random bytes that nobody kept.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$l3jxAxcAF7XV981DMop7vQ$8QayNLyQqkIeYLRlukzlJecYedLq8EP7WaTNC/6Ayg8"


class OperatorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[operator]` section."""

    #: Wrong PINs in a row that lock a person out, 3 to 10.
    pin_attempts: int = 5
    #: How long a lock lasts from the last wrong PIN on, minutes of trusted time, 1 to 1440.
    lock_minutes: int = 15
    #: A difference of a count above this needs a second signature: minor units …
    signature_above_minor: int = 500
    #: … or, where that is less, so many thousandths of what was expected.
    signature_above_permille: int = 5

    def __post_init__(self) -> None:
        for name, least, most in (
            ("pin_attempts", 3, 10), ("lock_minutes", 1, 1440), ("signature_above_minor", 0, 1_000_000),
            ("signature_above_permille", 0, 1000),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"operator.{name} = {value} is out of range", hint=f"{least} to {most}")


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[people]]` section."""

    #: E.g. ``p01``: a small letter, then 1 to 15 small letters, digits, ``_`` or ``-``.  Stands in facts; never a name.
    id: str
    #: Of ``operate``, ``collect``, ``close``, ``count``, ``audit``, ``admin``; nobody holds count and audit together.
    roles: tuple[str, ...]
    #: The PIN's hash; `kiosk people pin` makes it.
    pin: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ConfigError(f"people: {self.id[:40]!r} cannot be a person's id", hint="e.g. p01; never a name")
        where = f"people: {self.id}"
        for role in self.roles:
            if role not in ROLES:
                raise ConfigError(f"{where}: there is no role {role[:40]!r}", hint=f"of {', '.join(ROLES)}")
        if not self.roles or len(set(self.roles)) != len(self.roles):
            raise ConfigError(f"{where}: roles are empty or name one twice", hint=f"of {', '.join(ROLES)}")
        if {"count", "audit"} <= set(self.roles):
            raise ConfigError(
                f"{where} holds both count and audit", hint="whoever counts must not know what is expected: two people"
            )
        problem = weak_hash(self.pin)
        if problem:
            raise ConfigError(f"{where}: pin {problem}", hint=f"make it with `kiosk people pin {self.id}`")

    @property
    def duties(self) -> tuple[str, ...]:
        """What the person may do: the roles, and `operate` for an admin, in the order of `ROLES`."""
        held = {*self.roles, *(("operate",) if "admin" in self.roles else ())}
        return tuple(role for role in ROLES if role in held)


def weak_hash(text: str) -> str:
    """Return what is wrong with the hash of a PIN, "" where nothing is."""
    found = _HASH.fullmatch(text)
    if found is None:
        return "is not an argon2id hash"
    memory, time, lanes = (int(found[at]) for at in (1, 2, 3))
    if memory < MEMORY_KIB or time < TIME_COST:
        return f"is a weaker hash than m={MEMORY_KIB}, t={TIME_COST}"
    if memory > MOST_MEMORY_KIB or time > MOST_TIME_COST or lanes != LANES:
        return f"is a hash that costs more than m={MOST_MEMORY_KIB}, t={MOST_TIME_COST}, p={LANES}"
    return ""


def weak_pin(pin: str) -> str:
    """Return why nobody may have this PIN, "" where it is good.

    >>> weak_pin("2580"), weak_pin("4711")
    ('', '')
    >>> [bool(weak_pin(pin)) for pin in ("123", "1234", "9876", "7890", "0000", "1212", "12a4")]
    [True, True, True, True, True, True, True]
    """
    if not (pin.isascii() and pin.isdigit() and SHORTEST_PIN <= len(pin) <= LONGEST_PIN):
        return f"a PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits"
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if steps in ({0}, {1}, {9}):
        return "all the same or one after the other: everybody tries that first"
    if len(pin) % 2 == 0 and pin == pin[:2] * (len(pin) // 2):
        return "two digits again and again: everybody tries that first"
    return ""


def hash_of(pin: str) -> str:
    """Return the hash of a new PIN.

    Raises:
        ConfigError: the PIN is not good.
    """
    problem = weak_pin(pin)
    if problem:
        raise ConfigError(f"this PIN cannot be used: {problem}", hint="choose another one")
    from argon2 import PasswordHasher

    return PasswordHasher(TIME_COST, MEMORY_KIB, LANES).hash(pin)


class Failures(Protocol):
    """Wrong PINs in a row of one person, as the books tell them."""

    @property
    def count(self) -> int:
        """How many since the person was last let in."""

    @property
    def last_wall_ns(self) -> int:
        """Trusted wall time of the last one."""


class Judgement(msgspec.Struct, frozen=True):
    """Whether somebody is who they say."""

    #: The person's id; "" where the id is nobody's.
    person: str
    #: What they may do; empty unless they were let in.
    roles: tuple[str, ...]
    #: "" (let in), ``pin``, ``unknown`` or ``locked``.
    problem: str


class People:
    """Everybody who is known to a kiosk; owns no state."""

    def __init__(self, persons: Iterable[Person], settings: OperatorSettings | None = None) -> None:
        self._persons = {person.id: person for person in check_people(tuple(persons))}
        self.settings = settings or OperatorSettings()

    def __iter__(self) -> Iterator[Person]:
        """Yield the people in the order of the configuration."""
        return iter(self._persons.values())

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._persons)

    def anyone(self, role: str) -> bool:
        """Tell whether anybody may do this."""
        return any(role in person.duties for person in self._persons.values())

    def roles_of(self, person: str) -> tuple[str, ...]:
        """Return what a person may do, () for an id that is nobody's."""
        found = self._persons.get(person)
        return found.duties if found is not None else ()

    def judge(self, person: str, pin: str, failures: Mapping[str, Failures], now_ns: int) -> Judgement:
        """Tell whether the PIN is this person's; `now_ns` is trusted wall time.

        Takes as long for an unknown or locked person as for a known one.  A locked person is not let in by the right
        PIN either.  The count of wrong ones goes on after a lock has ended: the next wrong PIN locks again at once.
        """
        found = self._persons.get(person)
        fits = _fits(found.pin if found is not None else _NOBODY, pin)
        if found is None:
            return Judgement("", (), "unknown")
        if self.locked_ns(found.id, failures, now_ns):
            return Judgement(found.id, (), "locked")
        return Judgement(found.id, found.duties, "") if fits else Judgement(found.id, (), "pin")

    def locked_ns(self, person: str, failures: Mapping[str, Failures], now_ns: int) -> int:
        """Return for how much longer a person is locked out, nanoseconds; 0 where they are not."""
        page = failures.get(person)
        if page is None or page.count < self.settings.pin_attempts:
            return 0
        return max(0, page.last_wall_ns + self.settings.lock_minutes * 60 * NS - now_ns)


def check_people(persons: tuple[Person, ...]) -> tuple[Person, ...]:
    """Return the people if each id is there once.

    Raises:
        ConfigError: one is there twice.
    """
    ids = [person.id for person in persons]
    for twice in sorted({each for each in ids if ids.count(each) > 1}):
        raise ConfigError(f"people: {twice} is listed twice", hint="one [[people]] section for each person")
    return persons


def _fits(hashed: str, pin: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import VerificationError

    try:
        # What was typed is cut: nobody may keep the kernel busy with a long text.
        return PasswordHasher().verify(hashed, pin[: LONGEST_PIN + 1].encode("utf-8", "replace"))
    except VerificationError:
        return False
