"""A text as data: which message, with which parameters.  It becomes words only at the edge, in a language."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kiosk.model.money import Money

#: What a text may be filled with.  A `Money` is written in the reader's manner, an ISO date (``2026-03-09``)
#: in a parameter whose name ends in ``_date`` likewise, and a `note_list` in one whose name ends in ``_notes``.
Parameter = str | int | Money


class Text(msgspec.Struct, frozen=True, array_like=True):
    """A message id of the catalogues (dotted, e.g. ``fee.late.step``) and its parameters, in name order."""

    id: str
    params: tuple[tuple[str, Parameter], ...] = ()


def text(message: str, **params: Parameter) -> Text:
    """Build a `Text` with its parameters in name order, so that equal texts encode equally."""
    return Text(message, tuple(sorted(params.items())))


def note_list(values: Iterable[Money]) -> str:
    """Return values of notes as one parameter, whose name then ends in ``_notes``.

    >>> note_list([Money(100, "USD"), Money(2000, "USD")])
    'USD 100 2000'
    """
    listed = list(values)
    return " ".join([listed[0].currency, *(str(value.minor) for value in listed)]) if listed else ""
