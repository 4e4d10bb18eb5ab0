"""HID report descriptors: which bits of which report mean what.

A descriptor is a little program of *items* (HID 1.11 §6.2.2): global items set a state (usage page, field size, count,
report id), local ones name usages, and each main item Input makes one field out of both.  Only input fields are kept.

A descriptor comes from a stranger's device, so everything in it is bounded, and what contradicts itself is refused as a
whole: half a descriptor would put letters of a label in the wrong place.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kiosk.errors import FrameError

#: Linux takes no longer descriptor (HID_MAX_DESCRIPTOR_SIZE).
MOST_BYTES = 4096
MOST_FIELDS = 256
#: Usages and ranges of usages that one field may name.
MOST_USAGES = 1024
#: Longest report, bits: what one read of a hidraw node may give.
MOST_REPORT_BITS = 4096 * 8
MOST_NESTED = 16
MOST_PUSHED = 4

_MAIN, _GLOBAL, _LOCAL = 0, 1, 2
_LONG_ITEM = 0xFE
_INPUT, _OPEN, _CLOSE = 8, 10, 12
_PAGE, _SIZE, _REPORT, _COUNT, _PUSH, _POP = 0, 7, 8, 9, 10, 11
_USAGE, _FIRST, _LAST = 0, 1, 2
_APPLICATION = 1


class Field(msgspec.Struct, frozen=True):
    """One input field: `count` elements of `size` bits each, from `bit` on; a report id counts as the first byte."""

    #: 0 where the reports of this device carry no id.
    report_id: int
    bit: int
    size: int
    count: int
    #: (first, last) usages, 32 bits: page and usage; the last one goes on to the end of the field.
    usages: tuple[tuple[int, int], ...]
    #: Usage of the application collection around it, 0 for none.
    application: int
    #: Padding, which means nothing.
    constant: bool
    #: Each element has a usage of its own; else the elements are an array of usages.
    variable: bool

    def elements(self) -> Iterator[tuple[int, int]]:
        """Give (usage, bit) of each element."""
        at, usage = 0, self.usages[0][0] if self.usages else 0
        for number in range(self.count):
            yield usage, self.bit + number * self.size
            if at < len(self.usages):
                if usage < self.usages[at][1]:
                    usage += 1
                elif at + 1 < len(self.usages):
                    at += 1
                    usage = self.usages[at][0]


class Report(msgspec.Struct, frozen=True):
    """All input fields of one report, and its length."""

    #: Bytes, the id included.
    length: int
    fields: tuple[Field, ...]


class _Globals(msgspec.Struct, frozen=True):
    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int = 0


class _Walk:
    """The state of the walk; owns nothing that outlives it."""

    def __init__(self) -> None:
        self.state = _Globals()
        self.pushed: list[_Globals] = []
        self.usages: list[tuple[int, int]] = []
        #: How many of the newest usages named no page of their own.
        self.short = 0
        self.first: int | None = None
        self.nested: list[int] = []
        self.bits: dict[int, int] = {}
        self.fields: list[Field] = []

    def main(self, tag: int, value: int) -> None:
        if self.first is not None:
            raise FrameError("a range of usages has no end")
        self._complete()
        if tag == _INPUT:
            self._input(value)
        elif tag == _OPEN:
            if len(self.nested) >= MOST_NESTED:
                raise FrameError(f"more than {MOST_NESTED} collections in one another")
            usage = self.usages[0][0] if self.usages else 0
            outer = self.nested[-1] if self.nested else 0
            self.nested.append(usage if value == _APPLICATION else outer)
        elif tag == _CLOSE:
            if not self.nested:
                raise FrameError("a collection is closed that was never opened")
            self.nested.pop()
        self.usages, self.short = [], 0

    def _complete(self) -> None:
        # A page named after its usages holds for them too, back to the first usage that has this page already.
        page = self.state.page << 16
        for at in range(len(self.usages) - 1, len(self.usages) - 1 - self.short, -1):
            first, last = self.usages[at]
            if first & 0xFFFF0000 == page:
                return
            self.usages[at] = (page & 0xFFFF0000 | first & 0xFFFF, page & 0xFFFF0000 | last & 0xFFFF)

    def _input(self, flags: int) -> None:
        state = self.state
        start = self.bits.get(state.report_id, 8 if state.report_id else 0)
        if not 0 <= state.size <= 256 or not 0 <= state.count <= MOST_REPORT_BITS:
            raise FrameError(f"a field of {state.count} times {state.size} bits")
        end = start + state.size * state.count
        if end > MOST_REPORT_BITS or len(self.fields) >= MOST_FIELDS:
            raise FrameError("a longer report or more fields than any scanner has")
        self.bits[state.report_id] = end
        self.fields.append(
            Field(
                state.report_id, start, state.size, state.count, tuple(self.usages),
                self.nested[-1] if self.nested else 0, constant=bool(flags & 1), variable=bool(flags & 2),
            )
        )  # fmt: skip

    def globally(self, tag: int, value: int) -> None:
        if tag == _PUSH:
            if len(self.pushed) >= MOST_PUSHED:
                raise FrameError(f"more than {MOST_PUSHED} states pushed")
            self.pushed.append(self.state)
        elif tag == _POP:
            if not self.pushed:
                raise FrameError("a state is popped that was never pushed")
            self.state = self.pushed.pop()
        elif tag == _REPORT:
            if not 1 <= value <= 255:
                raise FrameError(f"a report with the id {value}")
            self.state = msgspec.structs.replace(self.state, report_id=value)
        elif tag in (_PAGE, _SIZE, _COUNT):
            name = {_PAGE: "page", _SIZE: "size", _COUNT: "count"}[tag]
            self.state = msgspec.structs.replace(self.state, **{name: value})

    def locally(self, tag: int, value: int, size: int) -> None:
        usage = value if size == 4 else (self.state.page << 16 | value) & 0xFFFFFFFF
        self.short = 0 if size == 4 else self.short + (tag in (_USAGE, _LAST))
        if tag == _USAGE:
            self._named(usage, usage)
        elif tag == _FIRST:
            self.first = usage
        elif tag == _LAST:
            if self.first is None or usage < self.first:
                raise FrameError("a range of usages without a beginning")
            self._named(self.first, usage)
            self.first = None

    def _named(self, first: int, last: int) -> None:
        if len(self.usages) >= MOST_USAGES:
            raise FrameError(f"a field with more than {MOST_USAGES} usages")
        self.usages.append((first, last))


def walk(descriptor: bytes) -> dict[int, Report]:
    """Return the input reports that a descriptor declares, by report id (0: the device uses none).

    >>> keyboard = bytes.fromhex("0501 0906 a101 8501 0507 19e0 29e7 7501 9508 8102 c0")
    >>> walk(keyboard)[1].length
    2

    Raises:
        FrameError: it is too long, cut off, or contradicts itself.
    """
    if not 0 < len(descriptor) <= MOST_BYTES:
        raise FrameError(f"a report descriptor of {len(descriptor)} bytes")
    walked = _Walk()
    for kind, tag, value, size in _items(descriptor):
        if kind == _MAIN:
            walked.main(tag, value)
        elif kind == _GLOBAL:
            walked.globally(tag, value)
        elif kind == _LOCAL:
            walked.locally(tag, value, size)
    if walked.nested:
        raise FrameError("a collection is never closed")
    if 0 in walked.bits and len(walked.bits) > 1:
        raise FrameError("some reports have an id and some have none")
    return {
        number: Report((bits + 7) // 8, tuple(each for each in walked.fields if each.report_id == number))
        for number, bits in walked.bits.items()
    }


def applications(descriptor: bytes) -> set[int]:
    """Return the usages of the application collections that hold input fields; empty for a bad descriptor."""
    try:
        return {field.application for report in walk(descriptor).values() for field in report.fields}
    except FrameError:
        return set()


def _items(descriptor: bytes) -> Iterator[tuple[int, int, int, int]]:
    at = 0
    while at < len(descriptor):
        head = descriptor[at]
        if head == _LONG_ITEM:
            size = 2 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
        else:
            size = (0, 1, 2, 4)[head & 3]
        data = descriptor[at + 1 : at + 1 + size]
        if len(data) < size:
            raise FrameError("the report descriptor ends inside an item")
        if head != _LONG_ITEM:  # long items are reserved: no device has any meaning for them
            yield head >> 2 & 3, head >> 4, int.from_bytes(data, "little"), size
        at += 1 + size
