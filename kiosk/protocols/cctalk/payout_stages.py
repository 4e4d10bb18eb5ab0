"""What is known of one payout of a hopper, how far it is, and what a hopper is asked for it (ccTalk sheet §10)."""

from __future__ import annotations

import enum

import msgspec

from kiosk.protocols.cctalk.headers import HOPPER_ENABLE, Header
from kiosk.protocols.cctalk.hopper_figures import HopperMark, Verdict
from kiosk.protocols.cctalk.payloads import number_bytes
from kiosk.protocols.cctalk.request import ACK, Request

#: Coins of one order: the count is one byte.
MAX_ORDER = 255
#: Coins of one payout; more is no change.
MAX_PAYOUT = 10_000
#: Bytes of a security code of the kinds that are not a serial number, and of random bytes for header 161.
KEY_BYTES = 8
#: Readings that may disagree before the last one counts.
MAX_READINGS = 6
#: Times that a payout may go on when its figures were to decide.
MAX_RELAPSES = 6

STATUS = Request(Header.REQUEST_HOPPER_STATUS, sizes=(4,))
COUNT = Request(Header.REQUEST_HOPPER_DISPENSE_COUNT, sizes=(3,))
FLAGS = Request(Header.TEST_HOPPER, sizes=(1, 2, 3))
STOP = Request(Header.EMERGENCY_STOP, sizes=(1,))
RESET = Request(Header.RESET_DEVICE, sizes=ACK, tries=1)


class Stage(enum.Enum):
    """How far the present order is."""

    #: Flags and figures before it are read.
    LOOKING = "looking"
    #: They were told and wait for their commit.
    READY = "ready"
    #: The hopper is enabled; the order has not gone out.
    ARMING = "arming"
    #: The order is out.
    ORDERED = "ordered"
    #: Coins are being paid.
    RUNNING = "running"
    #: It is over, or nobody knows: the figures decide.
    JUDGING = "judging"
    #: The result was told and waits for its commit.
    TOLD = "told"


#: Stages in which no order is out.
DROPPABLE = (Stage.LOOKING, Stage.READY)


class Unit(msgspec.Struct, frozen=True):
    """What the set-up found out about the hopper."""

    serial: int | None
    #: It has a lifetime count (168).
    counts: bool


class Payout:
    """The payout under way: mutable, owned by `payout.PayoutWatch` alone."""

    def __init__(self, name: str, coins: int, now: int) -> None:
        self.name, self.coins = name, coins
        self.stage = Stage.LOOKING
        #: Coins that finished orders paid, and the coins of the present one.
        self.done = self.order = 0
        #: Figures before the present order.
        self.mark: HopperMark | None = None
        #: Token that waits for its commit, 0 for none.
        self.token = 0
        #: Requests of the stage that are still to be sent, whether they were listed, and what was answered.
        self.script: list[Request] = []
        self.scripted = False
        self.replies: dict[int, bytes] = {}
        #: When the next request may go; when the unit answered last; when a coin fell last.
        self.not_before = self.heard_at = self.moved_at = now
        #: The last verdict, and how many readings there were.
        self.verdict: Verdict | None = None
        self.readings = 0
        #: Coins of the present order that were told as paid.
        self.told_paid = 0
        #: From an earlier run; the unit was lost before the order went out; it was reset for this payout.
        self.recovered = self.broken = self.was_reset = False
        #: What the unit said to the order: NAK; that it took it.
        self.refused = self.taken = False
        #: It does not move and is being stopped; the unit said how much was left.
        self.stopping = self.stopped = False
        #: How often it paid after all when its figures were to decide.
        self.relapses = 0

    def enter(self, stage: Stage, not_before: int) -> None:
        """Begin a stage."""
        self.stage, self.not_before = stage, not_before
        self.drop_script()

    def clock_begins(self, now: int) -> None:
        """A payout of an earlier run hears the time for the first time: its hopper may still have to appear."""
        if self.recovered and not self.heard_at:
            self.heard_at = now

    def pays_after_all(self, now: int) -> None:
        """Its figures say that it still pays: it gets its time anew, but a unit that says so by turns gets none."""
        self.relapses += 1
        if self.relapses <= MAX_RELAPSES:
            self.moved_at = now

    def drop_script(self) -> None:
        """Ask for the stage's figures anew."""
        self.script, self.scripted, self.replies = [], False, {}


def random_bytes(entropy: bytes) -> bytes:
    """Return what is given to header 161."""
    return entropy[:KEY_BYTES].ljust(KEY_BYTES, b"\x5a")


def order_steps(kind: str, serial: int | None, coins: int, entropy: bytes | None) -> list[Request]:
    """List what is sent to have coins paid; the order itself is the last and may be written once.

    `kind` is the security of the unit, ``serial`` or ``none``; `entropy` is None where the unit wants no random bytes.
    """
    steps = [Request(Header.ENABLE_HOPPER, bytes((HOPPER_ENABLE,)), sizes=ACK)]
    if entropy is not None:
        steps.append(Request(Header.PUMP_RNG, random_bytes(entropy), sizes=ACK))
    if kind == "none":
        steps.append(Request(Header.REQUEST_CIPHER_KEY, sizes=(KEY_BYTES,)))
        security = bytes(KEY_BYTES)
    else:
        security = number_bytes(serial or 0, 3)
    data = security + bytes((coins,))
    return [*steps, Request(Header.DISPENSE_HOPPER_COINS, data, sizes=(0, 1), tries=1, slow=True)]
