"""A service: one kind of invoice that can be paid here, described as data in `config/services/ID.toml`.

The file says how its numbers look and how its labels are read, which policies price it, which accounts each
component of a price goes to and in which order money fills them, and what the counter may do: partial
payments, excess, states, notes.  Strict: an unknown key stops the load.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.errors import PolicyError
from kiosk.model.invoice import STATES, Invoice
from kiosk.model.texts import Text, text
from kiosk.tariff import check_digits
from kiosk.tariff.decoding import decode, is_id

ALPHABETS = {
    "digits": frozenset("0123456789"),
    "upper": frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "alnum": frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "code39": frozenset(check_digits.CODE39),
}
#: Longest label that any layout may describe; a longer read is refused before it is looked at.
LONGEST_LABEL = 128
#: Symbology names that layouts may list.
SYMBOLOGIES = ("code39", "code128", "gs1_128", "itf", "codabar", "ean", "pdf417", "qr", "datamatrix", "ocr")


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One check character: how it is computed."""

    algorithm: Literal["luhn", "damm", "mod43", "mod10"]
    #: Name of the field that holds it; "" for the last character of a number.
    field: str = ""
    #: Names of the fields it covers, in the order of the algorithm; empty: every field before it.
    over: tuple[str, ...] = ()
    #: `mod10` only: repeating weights.
    weights: tuple[int, ...] = (2, 1)
    #: `mod10` only: add the digits of each product.
    add_digits: bool = True
    #: `mod10` only: where the weights begin.
    from_right: bool = False

    def expected(self, body: str) -> str | None:
        """Return the check character of `body`; None where the algorithm cannot read it."""
        if self.algorithm == "mod10":
            return check_digits.mod10(body, self.weights, add_digits=self.add_digits, from_right=self.from_right)
        return {"luhn": check_digits.luhn, "damm": check_digits.damm, "mod43": check_digits.mod43}[self.algorithm](body)


class PrefixRange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prefixes that the biller gives out, both ends included, as digits of equal length."""

    first: str
    last: str
    note: str = ""


class NumberRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The canonical form of an invoice number of this service."""

    length: int
    alphabet: Literal["digits", "upper", "alnum", "code39"] = "digits"
    #: The check character that the number itself ends in.
    check: Check | None = None
    #: A number that is this much too short is filled on the left with `pad`.
    pad: str = ""
    pad_at_most: int = 0
    #: Empty: any.  Otherwise an unlisted prefix is refused, never guessed.
    prefixes: tuple[PrefixRange, ...] = ()

    def fault(self, number: str) -> str | None:
        """Return what is wrong with a number: ``shape``, ``wrong_check_digit``, ``unknown_prefix`` or None."""
        if len(number) != self.length or not ALPHABETS[self.alphabet].issuperset(number):
            return "shape"
        if self.prefixes and not any(p.first <= number[: len(p.first)] <= p.last for p in self.prefixes):
            return "unknown_prefix"
        if self.check and self.check.expected(number[:-1]) != number[-1]:
            return "wrong_check_digit"
        return None

    def padded(self, number: str) -> str:
        """Return the number filled up on the left where the rule allows it."""
        missing = self.length - len(number)
        return self.pad * missing + number if self.pad and 0 < missing <= self.pad_at_most else number


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stretch of a label, of fixed length."""

    name: str
    #: Exactly these characters; "" for a field of `length` characters of `alphabet`.
    literal: str = ""
    length: int = 0
    alphabet: Literal["digits", "upper", "alnum", "code39"] = "digits"

    @property
    def size(self) -> int:
        """Characters on the label."""
        return len(self.literal) or self.length


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one printed label of this service is read.  The whole length is fixed."""

    name: str
    fields: tuple[Field, ...]
    #: Fields that make the invoice number, joined in this order.
    number: tuple[str, ...]
    #: Empty: any symbology.
    symbologies: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    #: The number on this label lacks its own check character (the label has one of its own): it is added.
    append_check: bool = False
    #: Characters that printers put in for the eye; dropped before reading.
    skip: str = ""
    #: An amount on the label is a hint that anyone can forge: named here so that it is known to be ignored.
    amount_hint: str = ""

    @property
    def size(self) -> int:
        """Characters of the whole label, without what is skipped."""
        return sum(field.size for field in self.fields)


class Typed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether and how the number can be typed on the keypad."""

    allowed: bool = True
    #: Characters people type for the eye; dropped.
    skip: str = " -"
    #: Most keys; the keypad stops there.
    longest: int = 24


class CashOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stricter cash rules of one service; None where the kiosk's rules stand."""

    largest_note_minor: int | None = None
    session_cap_minor: int | None = None


#: The counter to go to where a service names no other.
DEFAULT_COUNTER = "default"


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of invoice and everything the counter must know about it."""

    id: str
    #: Kind of invoice: ``citation``, ``utility``, ``tax``, ``permit``, ``licence``, ``goods``.
    kind: str
    #: Message id of its name for the citizen.
    name: str
    currency: str
    #: Policy ids; exactly one of them must price an invoice.
    policies: tuple[str, ...]
    number: NumberRule
    layouts: tuple[Layout, ...]
    typed: Typed = Typed()
    #: Account code by component of a price.
    accounts: dict[str, str]
    #: Whether a number names an account that gets one bill after another: what was paid for the last one is then no
    #: payment of the next.
    account: bool = False
    #: Every component, in the order in which money fills them.
    order: tuple[str, ...]
    partial: Literal["allowed", "refused"] = "allowed"
    #: What becomes of money above the amount due.  ``change``: coins, as far as the hoppers of a kiosk have them, and
    #: credit for the rest.
    over: Literal["credit", "refund", "refuse", "change"] = "credit"
    #: In a cart of several services a lower rank is filled first.
    rank: int = 0
    #: States in which it can be paid at this counter.
    states: tuple[str, ...] = ("open",)
    #: Where to go with an invoice that cannot be paid here, by state, and ``default`` for every other case: the text
    #: ``word.counter.NAME`` of the city tells place, hours and phone.
    counters: dict[str, str] = {}
    #: Whether it may be taken while the hub cannot be reached.
    offline: bool = True
    #: Oldest reference data to take money by, hours; 0 for any age.
    offline_hours: int = 0
    cash: CashOverride = CashOverride()
    #: What paying means for an appeal (domain sheet §4).
    appeal: Literal["pay_blocks_appeal", "appeal_requires_payment", "independent", "none"] = "none"

    def refusal(self, invoice: Invoice) -> Text | None:
        """Return why this invoice cannot be paid here whatever its amount, or None."""
        if invoice.state in self.states:
            return None
        return text(f"refused.state.{invoice.state}", number=invoice.number, counter=self.counter_for(invoice.state))

    def counter_for(self, state: str = "") -> str:
        """Return the name of the staffed counter for an invoice of this state."""
        return self.counters.get(state) or self.counters.get(DEFAULT_COUNTER, DEFAULT_COUNTER)

    def offline_refusal(self, age_s: int | None, *, online: bool = False) -> Text | None:
        """Return why the local data may not be taken money by, or None.

        `age_s` is the age of the data set in seconds, None where there is no data set.
        """
        if online:
            return None
        if not self.offline or age_s is None:
            return text("refused.offline", counter=self.counter_for())
        if self.offline_hours and age_s > self.offline_hours * 3600:
            return text("refused.data_too_old", hours=self.offline_hours, counter=self.counter_for())
        return None

    @property
    def conditions(self) -> tuple[Text, ...]:
        """What the citizen must have read before the first note of this service."""
        return () if self.appeal == "none" else (text(f"condition.{self.appeal}"),)


def load_service(source: str, file: str) -> Service:
    """Read and check one service file.

    Raises:
        PolicyError: not TOML, an unknown key, or a rule that contradicts itself.
    """
    service = decode(source, file, Service)
    for fault in _faults(service):
        raise PolicyError(f"{file}: {fault}", hint="a service that contradicts itself is not used")
    return service


def _faults(service: Service) -> list[str]:
    """Return everything in a service that the types alone cannot refuse."""
    faults = []
    if not is_id(service.id):
        faults.append(f"id {service.id!r} is not lower-case letters, digits and underscores")
    if not service.policies:
        faults.append("policies: at least one policy must price this service")
    if sorted(service.order) != sorted(service.accounts) or len(set(service.order)) != len(service.order):
        faults.append("order: must name each component of [accounts] exactly once")
    faults += [f"states: {state!r} is not a state of an invoice" for state in service.states if state not in STATES]
    faults += [f"counters: {state!r} is neither a state of an invoice nor `{DEFAULT_COUNTER}`"
               for state in service.counters if state not in (*STATES, DEFAULT_COUNTER)]  # fmt: skip
    faults += [f"counters: {name!r} is not lower-case letters, digits and underscores"
               for name in service.counters.values() if not is_id(name)]  # fmt: skip
    rule = service.number
    if not 1 <= rule.length <= 64:
        faults.append("number.length: must be 1 to 64")
    if rule.pad_at_most and len(rule.pad) != 1:
        faults.append("number.pad: must be one character where pad_at_most is set")
    faults += [f"number.prefixes: {p.first!r} and {p.last!r} differ in length or order" for p in rule.prefixes
               if len(p.first) != len(p.last) or p.first > p.last]  # fmt: skip
    for layout in service.layouts:
        faults += [f"layout {layout.name!r}: {fault}" for fault in _layout_faults(layout, rule)]
    if len({layout.name for layout in service.layouts}) != len(service.layouts):
        faults.append("layouts: two have the same name")
    return faults


def _layout_faults(layout: Layout, rule: NumberRule) -> list[str]:
    faults = []
    sizes = {field.name: field.size for field in layout.fields}
    if len(sizes) != len(layout.fields):
        faults.append("two fields have the same name")
    faults += [f"field {field.name!r} has neither a literal nor a length, or both" for field in layout.fields
               if bool(field.literal) == bool(field.length) or field.length < 0]  # fmt: skip
    faults += [f"symbology {name!r} is not known" for name in layout.symbologies if name not in SYMBOLOGIES]
    named = [*layout.number, *([layout.amount_hint] if layout.amount_hint else [])]
    for check in layout.checks:
        named += [check.field, *check.over]
        if sizes.get(check.field, 1) != 1:
            faults.append(f"check field {check.field!r} must be one character")
    faults += [f"{name!r} is not one of its fields" for name in named if name not in sizes]
    if not 1 <= layout.size <= LONGEST_LABEL:
        faults.append(f"must be 1 to {LONGEST_LABEL} characters long")
    length = sum(sizes.get(name, 0) for name in layout.number) + layout.append_check
    if not rule.length - rule.pad_at_most <= length <= rule.length:
        faults.append(f"makes a number of {length} characters where the number rule says {rule.length}")
    if layout.append_check and not rule.check:
        faults.append("append_check needs a check in [number]")
    return faults
