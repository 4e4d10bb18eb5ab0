"""What a bill validator's table and its limits mean to a host (ccTalk sheet §5, §9)."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.errors import FrameError
from kiosk.model.money import Money, minor_digits
from kiosk.protocols.cctalk.headers import FAULTS
from kiosk.protocols.cctalk.options import MS, CctalkBillOptions
from kiosk.protocols.cctalk.payloads import parse_bill_id, parse_scaling
from kiosk.protocols.cctalk.readings import agreed
from kiosk.protocols.note_life import Limits

#: Fault codes with a state of their own; all others are a failure.
_FAULT_STATES = {
    38: "stacker_jammed", 39: "acceptor_jammed", 44: "cassette_removed", 45: "stacker_full",
}  # fmt: skip


def read_bills(
    replies: Iterable[tuple[bytes, bytes]],
    scaling: bytes | None,
    currency: str,
    country: str,
    expected: tuple[str, ...],
) -> tuple[dict[int, Money], str]:
    """Read the answers to headers 157 and 156 into values by bill type, and a problem ("" for none).

    Bills of another country and types that are not programmed are left out, so they can never be enabled.
    """
    told_twice, problem = agreed(replies)
    if problem:
        return {}, f"bill table: {problem}"
    ids = {kind: parse_bill_id(data) for kind, data in told_twice.items()}
    for kind, text in enumerate(expected, 1):
        told = ids[kind].text if kind in ids else "nothing"
        if told != text:
            return {}, f"bill table: type {kind} is {told}, not {text}"
    try:
        factor = parse_scaling(scaling or b"")
    except FrameError as error:
        return {}, f"bill table: {error.message}"
    own: dict[int, Money] = {}
    for kind, bill in ids.items():
        minor = bill.minor(factor, minor_digits(currency)) if bill.country == country else None
        if minor is not None:
            own[kind] = Money(minor, currency)
    if not own:
        seen = ", ".join(sorted({bill.country or bill.text for bill in ids.values() if bill.programmed})) or "nothing"
        return {}, f"bill table: the unit tells {seen[:60]}, not {country} for {currency}"
    return own, ""


def fault_words(code: int) -> tuple[str, str, str]:
    """Return state, severity and detail of a fault code that is not 0.

    >>> fault_words(44)
    ('cassette_removed', 'fault', 'stacker_missing')
    """
    return _FAULT_STATES.get(code, "failure"), "fault", FAULTS.get(code, f"fault {code}")


def limits(options: CctalkBillOptions) -> Limits:
    """Turn the options into the limits of a note's life."""
    return Limits(
        decide=(options.escrow_limit_ms - options.escrow_margin_ms) * MS,
        hold_repeat=options.hold_repeat_ms * MS,
        hold=options.hold_limit_ms * MS,
        resolve=options.resolve_ms * MS,
        gap=options.escrow_limit_ms * MS,
        repeat=options.repeat_ms * MS,
        stack_tries=options.stack_tries,
        dispute_forgotten=options.forgotten_note == "disputed",
        unconfirmed=options.unconfirmed_ms * MS,
        swap=options.escrow_limit_ms * MS,
    )
