"""What the counting room can ask of a running kiosk, by a page of the screen or a command line, and what auditors can.

Whoever asks proves by PIN who they are, each time; that they did, or did not, is a fact before anything else happens.
What is expected in a box is told to nobody who may count, and to nobody at all before the final attempt but an auditor,
whose look is a fact too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from kiosk.core import counting
from kiosk.core.inbox import ControlPosted
from kiosk.core.kernel import Kernel
from kiosk.core.pages import BoxPage
from kiosk.core.people import People
from kiosk.errors import CountError, OperatorError
from kiosk.model.custody_facts import NoteCount
from kiosk.model.instant import NS
from kiosk.model.people_facts import OperatorActed, OperatorRefused, OperatorSignedIn

if TYPE_CHECKING:
    from kiosk.core.verbs import Core

T = TypeVar("T", bound=msgspec.Struct)
#: Who may sign a difference beside the counter: somebody of the counting room or above it.
SIGNERS = ("count", "close", "audit", "admin")
#: Who may see a citizen's slip while its box is sealed, unless they may count.
SLIP_READERS = ("operate", "audit")


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks."""

    person: str
    pin: str


class OfSession(Proof, frozen=True):
    """Asks about the box of one session."""

    session: int


class Receive(OfSession, frozen=True):
    """A box arrived."""

    box: str
    seal: str
    seal_whole: bool


class Attempt(OfSession, frozen=True):
    """Notes were counted: (value, count) in the kiosk's currency, or (currency, value, count)."""

    notes: tuple[tuple[int | str, ...], ...]
    final: bool


class Close(OfSession, frozen=True):
    """The count ends."""

    reason: str = ""
    second: str = ""
    second_pin: str = ""


class Look(Proof, frozen=True):
    """Somebody wants to see what is sealed: ``expected``, ``journal`` or ``slip``."""

    what: str
    detail: str = ""


# --- who asks -------------------------------------------------------------------------------------------------


def read(request: ControlPosted, into: type[T]) -> T:
    """Return the arguments of a request.

    Raises:
        CountError: they are not what the verb takes.
    """
    try:
        return msgspec.convert(request.arguments, into, strict=True)
    except msgspec.ValidationError as error:
        raise CountError(f"{request.verb}: {error}"[:200], hint="see the operations page") from None


def prove(kernel: Kernel, person: str, pin: str, allowed: tuple[str, ...], purpose: str) -> str:
    """Return the person's id if PIN and role are right; the answer to that is committed first.

    Raises:
        OperatorError: they are not; an unknown person and a wrong PIN get the same words.
    """
    people = kernel.parts.people
    if people is None or not len(people):
        raise OperatorError(
            "nobody is configured here", say="counting.why.nobody", hint="add [[people]]: kiosk people pin"
        )
    if kernel.model.flight is not None:
        # The check keeps the kernel for a moment; a note on its way, and its acknowledgement, come first.
        raise OperatorError("a note is on its way", say="counting.why.note", hint="try again in a few seconds")
    now_ns = kernel.parts.clock.trusted_wall_ns()
    judged = people.judge(person, pin, kernel.books.pin_failures, now_ns)
    problem = judged.problem or ("" if set(allowed) & set(judged.roles) else "role")
    if not problem:
        kernel.commit((OperatorSignedIn(judged.person, judged.roles, purpose),), f"operator:{judged.person}")
        return judged.person
    if problem != "locked":  # an attempt at a lock that holds says nothing new and would only fill the journal
        kernel.commit((OperatorRefused(judged.person, problem, purpose),), "kiosk")
    if problem == "role":
        raise OperatorError(
            f"{judged.person} may not do this",
            say="counting.why.role",
            hint=f"it takes the role {' or '.join(allowed)}",
        )
    if problem == "locked" or people.locked_ns(judged.person, kernel.books.pin_failures, now_ns):
        raise OperatorError(
            _locked(kernel, people, judged.person, now_ns), say="counting.why.locked", hint="or ask another person"
        )
    raise OperatorError(
        "person and PIN do not fit", say="counting.why.pin", hint="several wrong PINs in a row lock a person out"
    )


def _locked(kernel: Kernel, people: People, person: str, now_ns: int) -> str:
    minutes = -(-people.locked_ns(person, kernel.books.pin_failures, now_ns) // (60 * NS))
    return f"{person} is locked out for {minutes} more minutes"


def _page(kernel: Kernel, session: int) -> BoxPage:
    page = kernel.books.boxes.get(session)
    if page is None:
        raise CountError(
            f"no box left the kiosk with session {session}", say="counting.why.session", hint="kiosk cash boxes"
        )
    return page


# --- counting -------------------------------------------------------------------------------------------------


def _list(core: Core, request: ControlPosted) -> dict[str, Any]:
    kernel = core.running_kernel
    boxes = [
        {"session": page.session, "box": page.box, "state": counting.state_of(page)}
        for _, page in sorted(kernel.books.boxes.items())
    ]
    return {"boxes": boxes, "denominations": denominations(kernel)}


def denominations(kernel: Kernel) -> list[tuple[str, int]]:
    """Return what may be counted: what the city takes and what acceptors can read, never what a box holds."""
    counter = kernel.parts.counter
    values = {(rules.currency, value) for rules in counter.library.cash_rules for value in rules.accepted_minor}
    values |= {(note.currency, note.minor) for page in kernel.parts.board.pages.values() for note in page.notes}
    return sorted(values, key=lambda each: (each[0] != counter.currency, each[0], -each[1]))


def _receive(core: Core, request: ControlPosted) -> dict[str, Any]:
    asked, kernel = read(request, Receive), core.running_kernel
    person = prove(kernel, asked.person, asked.pin, ("count",), "count")
    page = _page(kernel, asked.session)
    kernel.commit(
        (counting.receive(page, by=person, box=asked.box, seal=asked.seal, seal_whole=asked.seal_whole),),
        f"operator:{person}",
    )
    return {"box_differs": bool(page.box) and page.received is not None and page.received.box != page.box}


def _attempt(core: Core, request: ControlPosted) -> dict[str, Any]:
    asked, kernel = read(request, Attempt), core.running_kernel
    currency = kernel.parts.counter.currency
    notes = [_note(each, currency) for each in asked.notes]
    person = prove(kernel, asked.person, asked.pin, ("count",), "count")
    page = _page(kernel, asked.session)
    counted = counting.attempt(page, notes, by=person, currency=currency, final=asked.final)
    kernel.commit((counted,), f"operator:{person}")
    told = {"attempt": counted.attempt, "counted_minor": counted.total_minor}
    return told | (_revealed(kernel, page) if asked.final else {})


def _note(told: tuple[int | str, ...], currency: str) -> NoteCount:
    whole = told if len(told) == 3 else (currency, *told)
    if len(whole) != 3 or type(whole[0]) is not str or type(whole[1]) is not int or type(whole[2]) is not int:
        raise CountError(
            "a count is a value and a number of notes",
            say="counting.why.notes",
            hint='e.g. [2000, 3] or ["CAD", 2000, 3]',
        )
    return NoteCount(whole[0], whole[1], whole[2])


def _reveal(core: Core, request: ControlPosted) -> dict[str, Any]:
    """Tell once more what a final attempt found, e.g. to a page that was reloaded."""
    asked, kernel = read(request, OfSession), core.running_kernel
    prove(kernel, asked.person, asked.pin, ("count",), "count")
    return _revealed(kernel, _page(kernel, asked.session))


def _revealed(kernel: Kernel, page: BoxPage) -> dict[str, Any]:
    people = kernel.parts.people
    assert people is not None
    found = counting.reveal(page, kernel.parts.counter.currency)
    own = found[0]
    return {
        "currency": own.currency,
        "expected_minor": own.expected_minor,
        "counted_minor": own.counted_minor,
        "over_short_minor": own.over_short_minor,
        "second_needed": counting.second_needed(found, people.settings),
        "unknown_notes": page.unknown_notes,
        "apart": [(each.currency, each.expected_minor, each.counted_minor) for each in found[1:]],
    }


def _close(core: Core, request: ControlPosted) -> dict[str, Any]:
    asked, kernel = read(request, Close), core.running_kernel
    people = kernel.parts.people
    person = prove(kernel, asked.person, asked.pin, ("count",), "count")
    page, second = _page(kernel, asked.session), ""
    if asked.second and asked.second == person:
        kernel.commit((OperatorRefused(person, "same_person", "count"),), "kiosk")
        raise OperatorError(f"{person} cannot sign twice", say="counting.why.same_person", hint="another person signs")
    if asked.second:
        second = prove(kernel, asked.second, asked.second_pin, SIGNERS, "count")
    assert people is not None
    currency = kernel.parts.counter.currency
    closed = counting.close(
        page, kernel.parts.counter.chart, people.settings, by=person, currency=currency, reason=asked.reason,
        second=second,
    )  # fmt: skip
    kernel.commit((closed,), f"operator:{person}")
    core.publish(force=True)
    return {"over_short_minor": closed.over_short_minor, "separation": list(closed.separation)}


# --- auditing -------------------------------------------------------------------------------------------------


def _look(core: Core, request: ControlPosted) -> dict[str, Any]:
    """Let somebody see what is sealed; the look is a fact.  Told here is `expected` alone, the rest by the journal."""
    asked, kernel = read(request, Look), core.running_kernel
    acts = {"expected": ("audit",), "journal": ("audit",), "slip": SLIP_READERS}
    if asked.what not in acts:
        raise CountError(f"there is nothing called {asked.what[:40]!r} to see", hint=f"one of {', '.join(acts)}")
    person = prove(kernel, asked.person, asked.pin, acts[asked.what], "control")
    people = kernel.parts.people
    assert people is not None
    roles = people.roles_of(person)
    if "count" in roles:
        kernel.commit((OperatorRefused(person, "role", "control"),), "kiosk")
        raise OperatorError(f"{person} may count and must not see this", hint="a person without the role count may")
    act = "saw_expected" if "audit" in roles else "saw_slip"
    detail = " ".join(part for part in (asked.what, asked.detail) if part)[:80]
    kernel.commit((OperatorActed(person, act, detail if detail.isprintable() else asked.what),), f"operator:{person}")
    return {"expected": _expected(kernel)} if asked.what == "expected" else {}


def _expected(kernel: Kernel) -> list[dict[str, Any]]:
    """What should be in each box that was not counted, the one in the kiosk last."""
    books = kernel.books
    waiting = [page for _, page in sorted(books.boxes.items()) if page.closed is None]
    told = [(page.session, page.box, page.content, page.unknown_notes) for page in waiting]
    told.append((books.box_session, books.box_number, books.box, books.box_unknown))
    return [
        {
            "session": session,
            "box": box,
            "in_kiosk": session == books.box_session,
            "unknown_notes": unknown,
            "notes": sorted(
                (currency, value, count)
                for currency, counts in content.items()
                for value, count in counts.items()
                if count
            ),
        }
        for session, box, content, unknown in told
    ]


VERBS: dict[str, Callable[[Core, ControlPosted], dict[str, Any]]] = {
    "count.list": _list,
    "count.receive": _receive,
    "count.attempt": _attempt,
    "count.reveal": _reveal,
    "count.close": _close,
    "audit.look": _look,
}
