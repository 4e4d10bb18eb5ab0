"""What a hopper says of itself, in the words of the house: its coin, its flags, its level (ccTalk sheet §10)."""

from __future__ import annotations

from kiosk.protocols.cctalk.headers import (
    HIGH_SENSOR_FITTED,
    HOPPER_FAULTS,
    LEVEL_HIGH,
    LEVEL_LOW,
    LOW_SENSOR_FITTED,
    HopperFlag,
    hopper_flags,
)
from kiosk.protocols.cctalk.hopper_figures import Verdict
from kiosk.protocols.cctalk.payloads import parse_coin_id

#: Every state that the flags can mean.
HOPPER_STATES = ("idling", "empty", "jammed", "failure", "locked")
_JAMS = frozenset((
    HopperFlag.OVER_CURRENT, HopperFlag.EXIT_BLOCKED_IDLE, HopperFlag.BLOCKED_DURING_PAYOUT, HopperFlag.REVERSE_LIMIT,
))  # fmt: skip


def flag_words(registers: bytes) -> tuple[str, str, str]:
    """Return state, severity and detail of an answer to header 163; disabled is how a hopper rests.

    >>> flag_words(b"\\x82")
    ('empty', 'warn', 'timeout')
    >>> flag_words(b"\\xc0")
    ('idling', 'ok', '')
    """
    flags = hopper_flags(registers)
    faults = flags & HOPPER_FAULTS
    if HopperFlag.PIN_ACTIVE in flags:
        return "locked", "fault", "the unit wants a PIN"
    if faults:
        detail = ", ".join(flag.name.lower() for flag in sorted(faults))
        return ("jammed" if faults <= _JAMS else "failure"), "fault", detail
    if HopperFlag.TIMEOUT in flags:
        return "empty", "warn", "timeout"
    return "idling", "ok", "power lost during a payout" if HopperFlag.POWER_LOST_DURING_PAYOUT in flags else ""


def end_reason(verdict: Verdict, flags: frozenset[HopperFlag], counter: int) -> str:
    """Return why an order ended before all its coins were paid."""
    if not verdict.executed:
        return "not_executed"
    if HopperFlag.POWER_LOST_DURING_PAYOUT in flags or counter == 0:
        return "power_lost"
    if flags & HOPPER_FAULTS:
        return "jammed"
    return "empty" if HopperFlag.TIMEOUT in flags else "stopped"


def level_word(data: bytes | None, *, empty: bool) -> str:
    """Return the level from an answer to header 217, None for none; `empty` says that the last payout found no coin.

    >>> level_word(b"\\x31", empty=False), level_word(b"\\x30", empty=True), level_word(b"\\x00", empty=False)
    ('low', 'ok', 'unknown')
    """
    bits = data[0] if data else 0
    low_fitted, high_fitted = bool(bits & LOW_SENSOR_FITTED), bool(bits & HIGH_SENSOR_FITTED)
    if empty and not (low_fitted and not bits & LEVEL_LOW):
        return "empty"
    if high_fitted and bits & LEVEL_HIGH:
        return "full"
    if low_fitted:
        return "low" if bits & LEVEL_LOW else "ok"
    return "ok" if high_fitted else "unknown"


def hopper_coin(told: bytes | None, country: str, configured: int) -> tuple[int, str]:
    """Return the minor value of the coin inside, and a problem ("" for none); unit and configuration must agree.

    >>> hopper_coin(b"EU050A", "EU", 0), hopper_coin(None, "EU", 50)
    ((50, ''), (50, ''))
    """
    coin = parse_coin_id(told) if told else None
    if coin is not None and coin.minor is not None:
        if coin.country != country:
            return 0, f"the hopper holds {coin.text}, not a coin of {country}"
        if configured and coin.minor != configured:
            return 0, f"the hopper holds {coin.text}, and {configured} is configured"
        return coin.minor, ""
    if not configured:
        return 0, "the hopper does not tell its coin, and none is configured (option coin)"
    return configured, ""
