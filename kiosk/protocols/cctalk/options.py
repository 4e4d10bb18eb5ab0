"""Options of ccTalk hosts.  Each doubtful point of the ccTalk sheet is one of them, with the reason for its default."""

from __future__ import annotations

from typing import Literal

import msgspec

from kiosk.protocols.cctalk.bnv import DIGITS
from kiosk.protocols.cctalk.frames import Checksum
from kiosk.protocols.cctalk.host import Echo

MS = 1_000_000


class LineOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the line and the unit at its end are set to.  Times in milliseconds; sources in the ccTalk sheet."""

    #: Address of the unit; wiring pins or its own set-up decide (sheet §3).
    address: int
    #: Checksum the unit is set to: ``simple``, or ``crc`` on many note acceptors (§2).  Nothing on the wire tells it.
    checksum: Checksum = "simple"
    #: Six digits of an encrypted note acceptor, which then speaks ``crc``; "" for frames in clear (§12).
    encryption_key: str = ""
    #: Four digits of a unit that ignores everything until its PIN is entered (§4); "" for a unit without.
    pin: str = ""
    #: A single-wire interface lets us hear ourselves (§1): ``auto`` compares what comes first with what was written,
    #: ``on`` demands the echo and so finds collisions, ``off`` looks for none.
    echo: Echo = "auto"
    #: Longest wait for a reply; units answer within 10 ms, USB adapters add some, and 260 bytes take 270 ms (§1).
    reply_timeout_ms: int = 300
    #: The same for what moves something or adds up a memory: it may take seconds (§1).
    slow_timeout_ms: int = 3000
    #: Rest of the line after a reply; none is asked for, old units need a little.
    rest_ms: int = 5
    #: Tries for what may be repeated; 3 are recommended (§1).
    tries: int = 3
    #: Unanswered requests, each tried that often, after which the unit counts as lost.
    device_lost_after: int = 2
    #: A failed set-up is tried again after this.
    setup_retry_ms: int = 10_000

    def __post_init__(self) -> None:
        if not 2 <= self.address <= 255:
            raise ValueError("address must be 2 to 255")
        if self.encryption_key and not (
            len(self.encryption_key) == DIGITS and self.encryption_key.isascii() and self.encryption_key.isdigit()
        ):
            raise ValueError("encryption_key must be six digits")
        if self.pin and not (len(self.pin) == 4 and self.pin.isascii() and self.pin.isdigit()):
            raise ValueError("pin must be four digits")
        if min(self.reply_timeout_ms, self.slow_timeout_ms, self.setup_retry_ms) < 20 or self.rest_ms < 0:
            raise ValueError("a time is too short to be meant")
        if self.slow_timeout_ms > 60_000 or self.reply_timeout_ms > 10_000:
            raise ValueError("a time-out is too long to be meant")
        if not (1 <= self.tries <= 10 and 1 <= self.device_lost_after <= 100):
            raise ValueError("tries must be 1 to 10 and device_lost_after 1 to 100")


def country_of(currency: str, configured: str) -> str:
    """Return the two letters that stand for the kiosk's currency in coin and bill ids.

    An ISO 4217 code begins with its ISO 3166 country, and EUR with the EU that ccTalk uses for it.

    >>> country_of("EUR", ""), country_of("GBP", ""), country_of("EUR", "DE")
    ('EU', 'GB', 'DE')
    """
    return configured or currency[:2]


CreditCodes = Literal["auto", "position", "cvf"]
Security = Literal["", "serial", "none"]


class CctalkCoinOptions(LineOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of a ccTalk coin acceptor."""

    #: 2, further ones 11 to 17 (sheet §3).
    address: int = 2
    #: Poll period; unpolled for 1 s a unit inhibits itself (§7).
    poll_ms: int = 200
    #: Two letters of the ids that stand for the kiosk's currency; "" for the first two of its ISO code.
    country: str = ""
    #: Ids the unit must tell, by position from 1, e.g. ["EU200A", "EU100A"]; empty takes any table of the currency.
    coin_ids: tuple[str, ...] = ()
    #: Positions that are asked for their id; a unit that has fewer is silent for the rest.
    positions: int = 16
    #: What the first byte of a credit means (§5): ``auto`` believes the unit's option flag; a unit that has no such
    #: flag tells positions.
    credit_codes: CreditCodes = "auto"
    #: A unit in trouble is asked for its self check this often (§6).
    check_ms: int = 1000
    #: Masks are sent again at most this often for coins that the unit calls inhibited: many units forget them (§8).
    repeat_ms: int = 5000
    #: What the unit may take is compared with its own master inhibit this often: many units forget it by a reset (§8),
    #: and a reset can hide behind a counter that stands where it stood.
    compare_ms: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 20 <= self.poll_ms < 1000:
            raise ValueError("poll_ms must be at least 20 and less than 1000, the unit's own limit")
        if not 1 <= self.positions <= 32:
            raise ValueError("positions must be 1 to 32")
        if min(self.check_ms, self.repeat_ms, self.compare_ms) < 20:
            raise ValueError("a time is too short to be meant")


class CctalkHopperOptions(LineOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of a ccTalk coin hopper."""

    #: 3, further ones 4 to 10, usually set by wiring pins (sheet §3).
    address: int = 3
    #: What an order to pay carries, by unit type (§10): ``serial`` its serial number, ``none`` eight bytes that mean
    #: nothing, after a request of its cipher key.  Never guessed: without it nothing is paid.
    security: Security = ""
    #: Random bytes are given to the unit (161) before its key is asked; some units of the second kind want them.
    pump_rng: bool = False
    #: Minor value of the coin inside, 0 to believe the unit (171); where both tell, they must agree.
    coin: int = 0
    #: Two letters of the coin id that stand for the kiosk's currency; "" for the first two of its ISO code.
    country: str = ""
    #: Period of looking at flags and level while nothing is paid.
    poll_ms: int = 1000
    #: Period of asking how far a payout is (§10).
    payout_poll_ms: int = 100
    #: A payout that pays no coin for so long is stopped (172); a hopper itself gives up after some seconds.
    stall_ms: int = 30_000
    #: From a lost reply, or an end that is not what was asked for, to the figures that decide; they must then be the
    #: same twice, this long apart.
    settle_ms: int = 500
    #: A payout whose hopper does not answer for so long is a dispute.
    resolve_ms: int = 120_000
    #: Fault flags need a reset before the next payout (§10): it is sent at its beginning, when nothing is open.
    reset_faults: bool = True
    #: The event counter goes on with a refused order too: one product manual against the design rules (§10 ``[?]``).
    #: It matters where a unit has no lifetime count (168); False believes the event counter alone.
    refusals_count: bool = True
    #: Paid and unpaid outlive a power cut (one product manual, §10).  False makes a payout that a power cut left
    #: without a trace a dispute.
    keeps_figures: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.coin <= 1_000_000:
            raise ValueError("coin must be 0, or minor units")
        if not 20 <= self.payout_poll_ms <= 1000 or not 100 <= self.poll_ms <= 60_000:
            raise ValueError("payout_poll_ms must be 20 to 1000 and poll_ms 100 to 60000")
        if min(self.stall_ms, self.resolve_ms) < 1000 or not 50 <= self.settle_ms <= 10_000:
            raise ValueError("a time is too short or too long to be meant")


class CctalkBillOptions(LineOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of a ccTalk bill validator."""

    #: 40, further ones 41 to 47 (sheet §3).
    address: int = 40
    #: Poll period (§7).
    poll_ms: int = 200
    #: Unpolled for this long a unit inhibits itself and does not lift that by itself (§7).
    watchdog_ms: int = 5000
    #: What the unit may take is compared with its own master inhibit this often: many units forget it by a reset (§8),
    #: and a reset can hide behind a counter that stands where it stood.
    compare_ms: int = 10_000
    #: Two letters of the ids that stand for the kiosk's currency; "" for the first two of its ISO code.
    country: str = ""
    #: Ids the unit must tell, by type from 1, e.g. ["EU0005A"]; empty takes any table of the currency.
    bill_ids: tuple[str, ...] = ()
    #: Types that are asked for their id; a unit that has fewer is silent for the rest.
    bill_types: int = 16
    #: Bytes of the inhibit mask: 2 often, 4 or 8 on units with more types (§4).
    mask_bytes: int = 2
    #: How long the unit itself keeps an undecided note: 30 s or longer (§9).
    escrow_limit_ms: int = 30_000
    #: An undecided note is sent back this much before that limit.
    escrow_margin_ms: int = 3_000
    #: The escrow timer is extended (154 with 255) this often.
    hold_repeat_ms: int = 10_000
    #: Longest time a note is held at all.
    hold_limit_ms: int = 120_000
    #: An acknowledged order that shows no effect is repeated after this.
    repeat_ms: int = 3_000
    #: An order that was taken, or refused because the escrow is empty, is followed by an event within this.
    order_limit_ms: int = 15_000
    #: The order to stack is tried this often; then the note is sent back.
    stack_tries: int = 5
    #: Silence for this long makes a note with its stack command out a dispute.
    resolve_ms: int = 30_000
    #: How long a unit that was reset may still tell what became of a note: it initialises for some seconds.
    waking_ms: int = 10_000
    #: A note with its stack command out that a reset unit does not speak of: ``disputed``, because the event buffer is
    #: lost with the power, or ``returned`` where a unit is known to give such a note back.
    forgotten_note: Literal["disputed", "returned"] = "disputed"
    #: Event (0,16), a jam in a place that is safe: *credit may be given* (§6).  ``wait`` lets what follows decide,
    #: ``credit`` takes it as stacked.
    safe_jam: Literal["wait", "credit"] = "wait"
    #: A unit in trouble is asked for its self check this often, and for nothing else (§6).
    check_ms: int = 1000
    #: A credit without a commit for this long is a finding.
    unconfirmed_ms: int = 20_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 20 <= self.poll_ms < self.watchdog_ms:
            raise ValueError("poll_ms must be at least 20 and less than watchdog_ms")
        if self.escrow_margin_ms >= self.escrow_limit_ms:
            raise ValueError("escrow_margin_ms must be less than escrow_limit_ms")
        if self.mask_bytes not in (1, 2, 4, 8) or not 1 <= self.bill_types <= 8 * self.mask_bytes:
            raise ValueError("mask_bytes must be 1, 2, 4 or 8, and bill_types fit in it")
        times = (
            self.repeat_ms,
            self.order_limit_ms,
            self.resolve_ms,
            self.check_ms,
            self.hold_repeat_ms,
            self.compare_ms,
        )
        if min(*times, self.hold_repeat_ms) < 20 or self.waking_ms < 0 or self.stack_tries < 1:
            raise ValueError("a time is too short to be meant, or stack_tries is less than 1")
