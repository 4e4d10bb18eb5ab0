"""From a scanned or typed text to a service and a number, or to a reason why not.

The input comes from a stranger: it is bounded, never echoed and never looked up when a check digit fails
(domain sheet §7).  A driving licence is recognised only to be refused; nothing of any refused text is kept,
not even in the answer.  Two services that both read a text make it ambiguous: nobody guesses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kiosk.protocols.label import is_identity_document
from kiosk.tariff.services import ALPHABETS, LONGEST_LABEL, Layout, Service

#: First letter of an AIM identifier after ``]`` (ISO/IEC 15424).
_AIM = {"A": "code39", "C": "code128", "I": "itf", "F": "codabar", "E": "ean", "L": "pdf417", "Q": "qr",
        "d": "datamatrix", "o": "ocr"}  # fmt: skip


class LabelRead(msgspec.Struct, frozen=True):
    """A text that one service reads without doubt."""

    service: str
    #: Canonical number.
    number: str
    #: Name of the layout, or ``typed``.
    layout: str


class LabelProblem(msgspec.Struct, frozen=True):
    """Why a text names no invoice.  Never holds any of the text."""

    #: ``empty``, ``too_long``, ``unreadable``, ``driving_licence``, ``not_ours``, ``wrong_check_digit``,
    #: ``unknown_prefix``, ``wrong_symbology`` or ``ambiguous``.
    reason: str
    #: Services that the text may belong to, sorted; for the question which one is meant.
    services: tuple[str, ...] = ()


class _Reading(msgspec.Struct, frozen=True, array_like=True):
    """What one layout makes of a text."""

    #: ``read``, or the reason why not; ``shape`` where the text does not even look like it.
    outcome: str
    number: str
    service: str
    layout: str
    #: Whether a check character vouches for it.
    checked: bool = True


def symbology_of(aim: str) -> str:
    """Return the family that an AIM identifier such as ``]C0`` names; "" where the scanner does not tell.

    >>> symbology_of("]A0"), symbology_of("]C1"), symbology_of("")
    ('code39', 'gs1_128', '')
    """
    if aim == "]C1":
        return "gs1_128"
    if not aim.startswith("]") or len(aim) < 2:
        return aim if not aim.startswith("]") else ""
    return _AIM.get(aim[1], "other")


def read_label(
    label: str, symbology: str, services: Mapping[str, Service] | Iterable[Service]
) -> LabelRead | LabelProblem:
    """Read a scanned label with the layouts of all services.

    `symbology` is the AIM identifier of the scanner, or "" when unknown.
    """
    if is_identity_document(label):
        return LabelProblem("driving_licence")
    family = symbology_of(symbology)
    plain = label.strip(" \t\r\n")
    if family in ("", "code39") and len(plain) > 2 and plain[0] == plain[-1] == "*":
        plain = plain[1:-1]  # Code 39's start and stop characters, which some scanners pass on
    if not plain:
        return LabelProblem("empty")
    if len(plain) > LONGEST_LABEL:
        return LabelProblem("too_long")
    if not plain.isascii() or not plain.isprintable():
        return LabelProblem("unreadable")
    found = []
    for service in _each(services):
        for layout in service.layouts:
            outcome, number = _read(plain, layout, service)
            if outcome == "read" and family and layout.symbologies and family not in layout.symbologies:
                outcome = "wrong_symbology"
            checked = bool(layout.checks or service.number.check)
            found.append(_Reading(outcome, number, service.id, layout.name, checked))
    return _decide(found)


def read_typed(
    typed: str, services: Mapping[str, Service] | Iterable[Service], *, service: str = ""
) -> LabelRead | LabelProblem:
    """Read a number from the keypad; `service` is the kind that the citizen has chosen, "" for any.

    A number that must be filled up with leading characters is taken only where no other service reads the
    text at its full length, or where its service was chosen.
    """
    if not typed.strip():
        return LabelProblem("empty")
    if len(typed) > LONGEST_LABEL:
        return LabelProblem("too_long")
    if not typed.isascii() or not typed.isprintable():
        return LabelProblem("unreadable")
    full: list[_Reading] = []
    short: list[_Reading] = []
    for each in _each(services):
        if not each.typed.allowed or (service and each.id != service):
            continue
        plain = "".join(letter for letter in typed.upper() if letter not in each.typed.skip)
        number = each.number.padded(plain)
        reading = _Reading(each.number.fault(number) or "read", number, each.id, "typed", bool(each.number.check))
        (full if number == plain else short).append(reading)
    decided = _decide(full)
    if isinstance(decided, LabelRead):
        return decided
    others = _decide(short)
    if decided.reason == "not_ours":
        return others
    also = others.services if isinstance(others, LabelProblem) else (others.service,)
    return LabelProblem(decided.reason, tuple(sorted({*decided.services, *also})))


def _each(services: Mapping[str, Service] | Iterable[Service]) -> Iterable[Service]:
    return services.values() if isinstance(services, Mapping) else services


def _read(plain: str, layout: Layout, service: Service) -> tuple[str, str]:
    """Return the outcome and the number of one layout."""
    if layout.skip:
        plain = "".join(letter for letter in plain if letter not in layout.skip)
    if len(plain) != layout.size:
        return "shape", ""
    parts: dict[str, str] = {}
    at = 0
    for field in layout.fields:
        part = plain[at : at + field.size]
        at += field.size
        if part != field.literal if field.literal else not ALPHABETS[field.alphabet].issuperset(part):
            return "shape", ""
        parts[field.name] = part
    for check in layout.checks:
        names = check.over or tuple(parts)[: list(parts).index(check.field)]
        if check.expected("".join(parts[name] for name in names)) != parts[check.field]:
            return "wrong_check_digit", ""
    number = service.number.padded("".join(parts[name] for name in layout.number))
    if layout.append_check and service.number.check:
        number += service.number.check.expected(number) or ""
    return service.number.fault(number) or "read", number


def _decide(readings: list[_Reading]) -> LabelRead | LabelProblem:
    """Choose among what the layouts made of one text: one reading, or the most telling reason."""
    read = {(each.service, each.number): each for each in readings if each.outcome == "read"}
    failed = {each.service for each in readings if each.outcome == "wrong_check_digit"}
    if failed and read and not any(each.checked for each in read.values()):
        return LabelProblem("wrong_check_digit", tuple(sorted(failed | {service for service, _ in read})))
    if len(read) == 1:
        only = next(iter(read.values()))
        return LabelRead(only.service, only.number, only.layout)
    if read:
        return LabelProblem("ambiguous", tuple(sorted({service for service, _ in read})))
    for reason in ("wrong_check_digit", "unknown_prefix", "wrong_symbology"):
        services = {each.service for each in readings if each.outcome == reason}
        if services:
            return LabelProblem(reason, tuple(sorted(services)))
    return LabelProblem("not_ours")
