"""What a coin acceptor's table and its error codes mean to a host (ccTalk sheet §5, §6)."""

from __future__ import annotations

from collections.abc import Iterable

from kiosk.model.money import Money
from kiosk.protocols.cctalk.headers import COIN_ERRORS, FIRST_INHIBITED, LAST_INHIBITED
from kiosk.protocols.cctalk.payloads import parse_coin_id
from kiosk.protocols.cctalk.readings import agreed

#: Errors of the unit itself: the steady state is asked by a self check (§6).
COIN_HARDWARE = frozenset((6, 7, 9, 10, 11, 12, 13, 14, 15, 21, 22, 26, 29, 30, 31, 32, 33, 35, 36))
#: Codes that say something else than that a coin came back.
COIN_NOTICES = frozenset((16, 27, 28, 34, 39, 253, 255))
_REASONS = {
    1: "recognition", 2: "denomination_inhibited", 3: "recognition", 4: "transport", 5: "transport", 8: "transport",
    17: "fraud", 18: "transport", 19: "transport", 20: "fraud", 23: "fraud", 24: "recognition", 25: "fraud",
    37: "transport", 38: "transport", 40: "fraud", 254: "return_lever",
}  # fmt: skip


def coin_reject_reason(code: int) -> str:
    """Return why a coin came back, in generic words; "" where the code says something else.

    >>> coin_reject_reason(1), coin_reject_reason(131), coin_reject_reason(14)
    ('recognition', 'denomination_inhibited', '')
    """
    if FIRST_INHIBITED <= code <= LAST_INHIBITED:
        return "denomination_inhibited"
    reason = _REASONS.get(code, "")
    return reason if code in COIN_ERRORS else ""


def read_coins(
    replies: Iterable[tuple[bytes, bytes]], currency: str, country: str, expected: tuple[str, ...]
) -> tuple[dict[int, Money], str]:
    """Read the answers to header 184 into values by position, and a problem ("" for none).

    Coins of another country, tokens and empty positions are left out, so they can never be enabled.
    """
    told_twice, problem = agreed(replies)
    if problem:
        return {}, f"coin table: {problem}"
    ids = {position: parse_coin_id(data) for position, data in told_twice.items()}
    for position, text in enumerate(expected, 1):
        told = ids[position].text if position in ids else "nothing"
        if told != text:
            return {}, f"coin table: position {position} is {told}, not {text}"
    own = {at: Money(coin.minor, currency) for at, coin in ids.items() if coin.country == country and coin.minor}
    if not own:
        seen = ", ".join(sorted({coin.country or coin.text for coin in ids.values() if coin.programmed})) or "nothing"
        return {}, f"coin table: the unit tells {seen[:60]}, not {country} for {currency}"
    return own, ""
