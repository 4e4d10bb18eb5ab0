"""Follows one payout of a hopper from its figures before to its figures after (ccTalk sheet §10).

Theory of operation.  A payout is one or more orders, 255 coins at most each (one where the hopper is in single-coin
mode).  Each order goes through the stages of `Stage`: the figures before it are read and told (`PayoutReady`), and only
after their commit the hopper is enabled and the order (167) goes out, once.  Then status 166 is polled to the end, and
the figures after it decide (`hopper_figures.judge`).  What is told last, `PayoutEnded` or `PayoutDisputed`, waits for
its commit; the same id again is answered with the same result.

Rules that must stay true:

* 167 is written at most once for each `PayoutReady`, whatever became of its reply.
* Nothing is judged from one reading where the reply to 167 was lost or coins are missing: two readings must agree.
* An end without a certain figure is a dispute, and every wait has an end.
* What was promised by an earlier run is ended from the figures and never carried on.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kiosk.model.device_events import (
    DeviceEvent,
    PayoutDisputed,
    PayoutEnded,
    PayoutProgress,
    PayoutReady,
    ProtocolFault,
)
from kiosk.protocols.cctalk.event_buffer import next_counter
from kiosk.protocols.cctalk.headers import HOPPER_FAULTS, Header, HopperFlag, hopper_flags
from kiosk.protocols.cctalk.hopper_figures import HopperMark, Verdict, judge
from kiosk.protocols.cctalk.hopper_words import end_reason
from kiosk.protocols.cctalk.host import Answer, Outcome
from kiosk.protocols.cctalk.options import MS, CctalkHopperOptions
from kiosk.protocols.cctalk.payloads import HopperStatus, number, parse_hopper_status
from kiosk.protocols.cctalk.payout_stages import (
    COUNT,
    DROPPABLE,
    FLAGS,
    KEY_BYTES,
    MAX_ORDER,
    MAX_PAYOUT,
    MAX_READINGS,
    RESET,
    STATUS,
    STOP,
    Payout,
    Stage,
    Unit,
    order_steps,
)  # fmt: skip
from kiosk.protocols.cctalk.request import Request

#: Results kept to answer the same id with.
MAX_FINISHED = 256


class PayoutWatch:
    """Owns the payout under way, the tokens of its events and the results of earlier ones."""

    def __init__(self, options: CctalkHopperOptions, events: list[DeviceEvent]) -> None:
        self._options, self._events = options, events
        self._payout: Payout | None = None
        self._finished: dict[str, PayoutEnded | PayoutDisputed] = {}
        self._token = 0
        #: Token of a result told again.
        self._repeated = 0
        self._entropy = b""
        self._unit: Unit | None = None
        self._expected = 0
        #: The unit was ordered to reset: its set-up has to run again.
        self.set_up_wanted = False
        #: The last payout found the hopper empty.
        self.empty = False

    # --- what the driver tells ----------------------------------------------------------------------------------------

    def remember(self, marks: Mapping[str, str], entropy: bytes) -> None:
        """Take an unfinished payout of an earlier run."""
        self._entropy = entropy
        name, coins = marks.get("payout", ""), marks.get("payout_coins", "")
        if not name or not coins.isdecimal() or int(coins) < 1:
            return
        self._payout = payout = Payout(name, int(coins), 0)
        payout.recovered = True
        payout.mark = HopperMark.parse(marks.get("payout_mark", ""))
        payout.stage = Stage.JUDGING
        if marks.get("payout_phase", "") == "intended":
            payout.stage, payout.mark = Stage.LOOKING, None
        elif payout.mark is not None:
            payout.done = min(payout.mark.done, payout.coins)
            payout.order = min(MAX_ORDER, payout.coins - payout.done)

    def opened(self, now: int) -> None:
        """The byte path is open: what an earlier run only intended is over, nothing of it can have gone out."""
        payout = self._payout
        if payout is None:
            return
        payout.clock_begins(now)
        payout.moved_at = now
        if payout.recovered and payout.stage is Stage.LOOKING:
            self._end(payout, 0, "not_executed")
        elif payout.recovered and payout.stage is Stage.JUDGING and payout.mark is None:
            self._dispute(payout, Verdict(0, payout.coins), "the counters before it are not known")

    def met(self, unit: Unit) -> None:
        """The set-up went through; perhaps with another hopper than before."""
        self._unit = unit
        self.set_up_wanted = False
        payout = self._payout
        if payout is None or payout.mark is None or payout.stage is not Stage.JUDGING:
            return
        if payout.mark.serial != unit.serial:
            self._dispute(payout, Verdict(0, payout.order), "another hopper answers now")

    def unit_lost(self, now: int) -> None:
        """The unit or the byte path is gone: an order that may be out is judged later, any other never goes out."""
        payout = self._payout
        if payout is None:
            return
        payout.drop_script()
        if payout.stage in (Stage.LOOKING, Stage.ARMING) and not self.set_up_wanted:
            self._end(payout, 0, "not_executed")
        elif payout.stage is Stage.READY:
            payout.broken = True
        elif payout.stage in (Stage.ORDERED, Stage.RUNNING):
            self._judge_from(payout, now)

    # --- what the kernel orders; a refusal is returned as its reason ------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while a payout is under way."""
        return self._payout is not None

    def dispense(self, name: str, coins: int, trouble: str, now: int) -> str:
        """Take a payout; `trouble` is why the unit cannot pay now, "" where it can."""
        if name in self._finished:
            self._tell_again(name)
            return ""
        if self._payout is not None:
            return "" if self._payout.name == name else "another payout is under way"
        if not name or not 1 <= coins <= MAX_PAYOUT:
            return f"a payout is 1 to {MAX_PAYOUT} coins and has a name"
        if trouble:
            return trouble
        self._payout = Payout(name, coins, now)
        return ""

    def drop(self, name: str) -> None:
        """Forget a payout that will never be confirmed; one that orders are out for goes on, or ends with theirs."""
        payout = self._payout
        if payout is None or payout.name != name or payout.recovered or payout.stage not in DROPPABLE:
            return
        if payout.done:
            self._end(payout, 0, "not_executed")
        else:
            self._payout = None

    def confirm(self, token: int, now: int) -> bool:
        """The fact of this token is committed.  Return False for a token that is not waited for."""
        payout = self._payout
        if payout is None or payout.token != token or payout.stage not in (Stage.READY, Stage.TOLD):
            repeated, self._repeated = self._repeated == token and token > 0, 0
            return repeated
        payout.token = 0
        if payout.stage is Stage.TOLD:
            self._payout = None
        elif payout.broken or self._unit is None:
            self._end(payout, 0, "not_executed")
        else:
            payout.enter(Stage.ARMING, now)
        return True

    # --- the line -----------------------------------------------------------------------------------------------------

    def next(self, now: int) -> Request | None:
        """Return what is to be sent now, None where nothing is."""
        payout, unit = self._payout, self._unit
        if payout is None or unit is None or payout.stage in (Stage.READY, Stage.TOLD) or now < payout.not_before:
            return None
        if payout.stage is Stage.RUNNING:
            return STOP if payout.stopping and not payout.stopped else STATUS
        if not payout.scripted:
            payout.script, payout.scripted, payout.replies = self._script(payout, unit), True, {}
        return payout.script[0] if payout.script else None

    def sent(self, request: Request) -> None:
        """A request was handed to the line."""
        if self._payout is not None and request.header == Header.DISPENSE_HOPPER_COINS:
            self._payout.stage = Stage.ORDERED

    def due(self) -> int | None:
        """Return when `next` has something to say; None where it waits for somebody."""
        payout = self._payout
        return None if payout is None or payout.stage in (Stage.READY, Stage.TOLD) else payout.not_before

    def limit(self) -> int | None:
        """Return when `check` ends a wait for a hopper that is gone; None where nothing waits for it."""
        payout = self._payout
        if payout is None or payout.stage in (Stage.READY, Stage.TOLD):
            return None
        return payout.heard_at + self._options.resolve_ms * MS

    def answered(self, answer: Answer, now: int) -> None:
        """Take what became of a request of `next`."""
        payout = self._payout
        if payout is None:
            return
        if answer.outcome is not Outcome.SILENCE:
            payout.heard_at = now
        if payout.stage is Stage.ORDERED and answer.header == Header.DISPENSE_HOPPER_COINS:
            self._ordered(payout, answer, now)
        elif payout.stage is Stage.RUNNING:
            self._running(payout, answer, now)
        elif payout.script and payout.script[0].header == answer.header:
            payout.script.pop(0)
            if answer.outcome is Outcome.REPLY:
                payout.replies[answer.header] = answer.data
            self._step_done(payout, answer, now)

    def check(self, now: int) -> None:
        """Look at the time: a hopper that does not answer, a payout that does not move."""
        payout, options = self._payout, self._options
        if payout is None:
            return
        payout.clock_begins(now)
        if payout.stage not in (Stage.READY, Stage.TOLD) and now >= payout.heard_at + options.resolve_ms * MS:
            if payout.stage in (Stage.LOOKING, Stage.ARMING):
                self._end(payout, 0, "not_executed")
            else:
                self._dispute(payout, Verdict(payout.told_paid, payout.order), "no answer")
        elif payout.stage is Stage.RUNNING and now - payout.moved_at >= options.stall_ms * MS:
            if payout.stopping:
                self._dispute(payout, Verdict(payout.told_paid, payout.order), "it does not stop")
                return
            payout.stopping, payout.moved_at = True, now
            self._fault("stalled", "no coin for too long: the payout is stopped")

    # --- stages -------------------------------------------------------------------------------------------------------

    def _script(self, payout: Payout, unit: Unit) -> list[Request]:
        if payout.stage is not Stage.ARMING:
            return [FLAGS, STATUS, COUNT] if unit.counts else [FLAGS, STATUS]
        entropy, self._entropy = self._entropy, self._entropy[KEY_BYTES:] + self._entropy[:KEY_BYTES]
        pumped = entropy if self._options.pump_rng else None
        return order_steps(self._options.security, unit.serial, payout.order, pumped)

    def _step_done(self, payout: Payout, answer: Answer, now: int) -> None:
        good = answer.outcome is Outcome.REPLY
        if payout.stage is Stage.ARMING:
            if not good:  # the order itself has not gone out
                self._end(payout, 0, "refused" if answer.outcome is Outcome.NAK else "not_executed")
            return
        if answer.header == Header.RESET_DEVICE:
            self.set_up_wanted = True
            payout.enter(Stage.LOOKING, now)
        elif not good and payout.stage is Stage.LOOKING:
            self._end(payout, 0, "not_executed")
        elif not good:  # ask for all figures again: half of them decide nothing
            payout.enter(payout.stage, now + self._options.settle_ms * MS)
        elif not payout.script and payout.stage is Stage.LOOKING:
            self._looked(payout, now)
        elif not payout.script:
            self._judged(payout, now)

    def _looked(self, payout: Payout, now: int) -> None:
        """Flags and figures before the order are here."""
        flags, status = hopper_flags(payout.replies[Header.TEST_HOPPER]), self._status(payout)
        faults = sorted(flag.name.lower() for flag in flags & HOPPER_FAULTS)
        if faults and self._options.reset_faults and not payout.was_reset:
            payout.was_reset, payout.script, payout.scripted = True, [RESET], True
            return
        if faults or status.remaining:
            self._end(payout, 0, "jammed" if faults else "refused", raw=payout.replies[Header.TEST_HOPPER].hex())
            return
        most = 1 if HopperFlag.SINGLE_COIN_MODE in flags else MAX_ORDER
        payout.order = min(most, payout.coins - payout.done)
        payout.mark = self._mark(payout)
        self._expected = next_counter(status.counter)
        payout.stage, payout.token = Stage.READY, self._next_token()
        payout.broken = payout.refused = payout.taken = payout.stopping = payout.stopped = False
        payout.readings, payout.verdict = 0, None
        self._events.append(PayoutReady(payout.token, payout.name, str(payout.mark)))

    def _ordered(self, payout: Payout, answer: Answer, now: int) -> None:
        payout.script, payout.scripted = [], False
        if answer.outcome is Outcome.REPLY:
            if answer.data and answer.data[0] != self._expected:
                self._fault("unexpected", "the order is counted otherwise than expected", answer.data.hex())
            payout.moved_at, payout.taken = now, True
            payout.enter(Stage.RUNNING, now + self._options.payout_poll_ms * MS)
            return
        payout.refused = answer.outcome is Outcome.NAK
        payout.taken = False
        if not payout.refused:
            self._fault("reply_lost", "the order to pay was not answered: its figures decide", "")
        self._judge_from(payout, now)

    def _judge_from(self, payout: Payout, now: int) -> None:
        payout.readings, payout.verdict = 0, None
        payout.enter(Stage.JUDGING, now + self._options.settle_ms * MS)

    def _running(self, payout: Payout, answer: Answer, now: int) -> None:
        payout.not_before = now + self._options.payout_poll_ms * MS
        if answer.outcome is not Outcome.REPLY:
            return
        if answer.header == Header.EMERGENCY_STOP:
            payout.stopped = True
            return
        status = parse_hopper_status(answer.data)
        ours = status.counter == self._expected and status.paid <= payout.order
        if ours and status.paid > payout.told_paid:
            payout.told_paid, payout.moved_at = status.paid, now
            self._events.append(PayoutProgress(payout.name, payout.done + status.paid, payout.coins))
        if not status.remaining:
            payout.enter(Stage.JUDGING, now)
            payout.readings, payout.verdict = 0, None

    def _judged(self, payout: Payout, now: int) -> None:
        """All figures after the order are here: two readings must agree, unless all is as it should be."""
        options, mark = self._options, payout.mark
        if mark is None:
            return
        status, count = self._status(payout), payout.replies.get(Header.REQUEST_HOPPER_DISPENSE_COUNT)
        flags = hopper_flags(payout.replies[Header.TEST_HOPPER])
        verdict = judge(
            mark, status, None if count is None else number(count), payout.order,
            refused=payout.refused, refusals_count=options.refusals_count and not payout.taken,
            keeps_figures=options.keeps_figures, disabled=HopperFlag.DISABLED in flags,
        )  # fmt: skip
        if verdict.running:
            payout.pays_after_all(now)
            self._expected = status.counter
            payout.enter(Stage.RUNNING, now + options.payout_poll_ms * MS)
            return
        before, payout.verdict = payout.verdict, verdict
        payout.readings += 1
        whole = payout.taken and verdict.certain and verdict.at_least == payout.order
        if not whole and before != verdict and payout.readings < MAX_READINGS:
            payout.enter(Stage.JUDGING, now + options.settle_ms * MS)
            return
        raw = payout.replies[Header.TEST_HOPPER].hex()
        self.empty = HopperFlag.TIMEOUT in flags and verdict.at_most < payout.order
        if not verdict.certain:
            self._dispute(payout, verdict, "the figures of the hopper contradict each other")
        elif verdict.at_least == payout.order and payout.done + payout.order < payout.coins and not payout.recovered:
            payout.done += payout.order
            payout.told_paid = 0
            payout.enter(Stage.LOOKING, now)
        else:
            whole = payout.done + verdict.at_least == payout.coins
            reason = "done" if whole else "refused" if payout.refused else end_reason(verdict, flags, status.counter)
            self._end(payout, verdict.at_least, reason, raw, str(self._mark(payout)))

    # --- results ------------------------------------------------------------------------------------------------------

    def _end(self, payout: Payout, paid: int, reason: str, raw: str = "", mark: str = "") -> None:
        total = payout.done + paid
        result = PayoutEnded(
            self._next_token(), payout.name, total, payout.coins - total, reason, payout.recovered, mark, raw
        )
        self._tell(payout, result)

    def _dispute(self, payout: Payout, verdict: Verdict, reason: str) -> None:
        raw = payout.replies.get(Header.REQUEST_HOPPER_STATUS, b"").hex()
        least, most = payout.done + verdict.at_least, min(payout.done + verdict.at_most, payout.coins)
        self._tell(payout, PayoutDisputed(self._next_token(), payout.name, min(least, most), most, reason, raw))

    def _tell(self, payout: Payout, result: PayoutEnded | PayoutDisputed) -> None:
        payout.enter(Stage.TOLD, 0)
        payout.token = result.token
        self._events.append(result)
        while len(self._finished) >= MAX_FINISHED:
            del self._finished[next(iter(self._finished))]
        self._finished[payout.name] = result

    def _tell_again(self, name: str) -> None:
        payout = self._payout
        if payout is not None and payout.name == name:
            return  # it was told and waits for its commit
        self._repeated = self._next_token()
        self._events.append(msgspec.structs.replace(self._finished[name], token=self._repeated))

    def _next_token(self) -> int:
        self._token += 1
        return self._token

    def _mark(self, payout: Payout) -> HopperMark:
        status, count = self._status(payout), payout.replies.get(Header.REQUEST_HOPPER_DISPENSE_COUNT)
        serial, told = self._unit.serial if self._unit else None, None if count is None else number(count)
        return HopperMark(serial, status.counter, status.paid, status.unpaid, told, payout.done)

    def _status(self, payout: Payout) -> HopperStatus:
        return parse_hopper_status(payout.replies[Header.REQUEST_HOPPER_STATUS])

    def _fault(self, kind: str, detail: str, raw: str = "") -> None:
        self._events.append(ProtocolFault(kind, detail, raw))
