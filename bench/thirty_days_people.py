"""The people of `make thirty-days`: citizens who pay in every way there is, and those who work around the box."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from bench.thirty_days_kiosk import MS, PINS, Kiosk, S
from kiosk.checkout import intents
from kiosk.checkout.states import State

#: Longest visit of one citizen, restarts and all.
LONGEST = 2_400 * S
RESTING = (State.IDLE, State.OUT_OF_SERVICE)


class Trouble(msgspec.Struct, frozen=True):
    """Something that goes wrong once in a visit: when, what, and what ends it after how long."""

    name: str
    when: Callable[[Kiosk], bool]
    do: Callable[[Kiosk], object]
    after_ms: int = 0
    undo: Callable[[Kiosk], object] | None = None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen wants."""

    labels: tuple[str, ...]
    #: ``exact``, ``over`` (a larger note than what remains), ``short`` (stops after some notes).
    style: str = "exact"
    #: Answer to a note above what remains; None: none at all.
    agree: bool | None = True
    #: Notes after which a short payer stops.
    stop_after: int = 1
    #: Touch Cancel at this state, before any money.
    cancel_at: State | None = None
    #: Leaves instead of touching Finish.
    walks_away: bool = False
    #: After an interruption: go on, or finish.
    keeps_paying: bool = True
    trouble: Trouble | None = None


class Citizen:
    """One visit.  What the citizen fed and what came back is the acceptor's to tell."""

    def __init__(self, kiosk: Kiosk, visit: Visit, chance: random.Random) -> None:
        self._kiosk, self._visit, self._chance = kiosk, visit, chance
        self._next = kiosk.now
        self._scanned = 0
        self._fed = 0
        self._waited = 0
        self._stops = False
        self._gone = False
        self._happened: int | None = None
        self._undone = False

    def play(self) -> bool:
        """Pay; return False where the visit did not come to rest."""
        kiosk, end = self._kiosk, self._kiosk.now + LONGEST
        while kiosk.now < end:
            self._let_happen()
            if kiosk.kernel is None:
                self._wait_for_power()
            elif kiosk.now >= self._next:
                self._next = kiosk.now + 300 * MS
                self._act()
            if self._at_rest():
                return True
            kiosk.step()
        return False

    def _let_happen(self) -> None:
        trouble = self._visit.trouble
        if trouble is None:
            return
        if self._happened is None:
            if self._kiosk.kernel is not None and trouble.when(self._kiosk):
                self._happened = self._kiosk.now
                trouble.do(self._kiosk)
        elif not self._undone and self._kiosk.now - self._happened >= trouble.after_ms * MS:
            self._undone = True
            if trouble.undo is not None:
                trouble.undo(self._kiosk)

    def _wait_for_power(self) -> None:
        """A killed core is started again by its service manager; one without power waits for it."""
        if self._kiosk.acceptor.powered:
            self._kiosk.run(self._chance.randrange(200 * MS, 9 * S))
            if self._kiosk.kernel is None and self._kiosk.acceptor.powered:
                self._kiosk.start()

    def _at_rest(self) -> bool:
        kiosk = self._kiosk
        if kiosk.kernel is None or kiosk.state not in RESTING or not (self._gone or self._scanned):
            return False
        pending = self._happened is not None and not self._undone and self._visit.trouble is not None
        jobs = any(job.state in ("queued", "printing") for job in kiosk.kernel.model.jobs)
        still = kiosk.acceptor.inside is None and kiosk.kernel.model.flight is None
        done = self._gone or kiosk.state is State.OUT_OF_SERVICE
        return done and still and not jobs and not pending and kiosk.kernel.trouble is None

    # --- at the screen ------------------------------------------------------------------------------------

    def _act(self) -> None:
        kiosk, visit = self._kiosk, self._visit
        kiosk.acceptor.take_rejected()
        state = kiosk.state
        if state is not None and state is visit.cancel_at:
            self._gone = True
            kiosk.touch(intents.Cancel())
            return
        if state is State.OUT_OF_SERVICE:
            self._waited += 1
            self._gone = self._gone or self._waited > 60
        elif state is State.IDLE:
            if self._scanned:
                self._gone = True
            else:
                self._scan()
        elif state is State.REVIEWING:
            if self._scanned < len(visit.labels):
                self._scan()
            else:
                kiosk.touch(intents.Pay())
        elif state is State.ACCEPTING:
            self._feed()
        elif state is State.NOTE_HELD:
            self._stops = self._stops or not visit.agree
            if visit.agree is not None:
                kiosk.touch(intents.AgreeExcess() if visit.agree else intents.DeclineExcess())
        elif state is State.RESUMING:
            assert kiosk.kernel is not None
            if kiosk.kernel.model.flight is None:
                kiosk.touch(intents.KeepPaying() if visit.keeps_paying else intents.Finish())
        elif state is State.TIMED_OUT:
            if not visit.walks_away:
                kiosk.touch(intents.MoreTime())
        elif state is State.STOPPING:
            kiosk.touch(intents.Finish())
        elif state is State.CONSENTING:
            kiosk.touch(intents.AcceptConditions())
        elif state in (State.NOTICE, State.THANKING, State.RECEIPTING):
            kiosk.touch(intents.Dismiss())

    def _scan(self) -> None:
        label = self._visit.labels[self._scanned]
        self._scanned += 1
        self._kiosk.scan(label)

    def _feed(self) -> None:
        kernel, acceptor = self._kiosk.kernel, self._kiosk.acceptor
        assert kernel is not None
        if kernel.model.flight is not None or acceptor.inside is not None:
            return
        short = self._visit.style == "short" and self._fed >= self._visit.stop_after
        value = 0 if self._stops or short else self._choose(kernel.model.remaining_minor, kernel.accepting)
        if not value:
            if not self._visit.walks_away:
                self._kiosk.touch(intents.Finish())
            return
        if acceptor.insert(value):
            self._fed += 1
            self._waited = 0
        else:
            self._waited += 1
            self._stops = self._waited > 100

    def _choose(self, remaining: int, accepting: tuple[Any, ...]) -> int:
        """Choose among the notes that the screen shows; 0 where none fits this citizen."""
        values = sorted(each.minor for each in accepting)
        above = [value for value in values if value > remaining]
        fits = [value for value in values if value <= remaining]
        if above and self._visit.style == "over" and remaining < 2_000 and self._visit.agree is not False:
            return self._chance.choice(above[:3])
        if above and self._visit.agree is False and remaining < 2_000 and self._fed:
            return above[0]
        if fits:
            return fits[-1] if self._chance.random() < 0.8 else self._chance.choice(fits)
        return above[0] if above else 0


class Staff:
    """Those who work here, each at the screen with a PIN, or in the counting room."""

    def __init__(self, kiosk: Kiosk) -> None:
        self._kiosk = kiosk
        #: Notes that had gone into the box whenever it was taken out: where hardware says that a session ended.
        self.taken_out: list[int] = []
        self.box = 1

    @property
    def notes(self) -> list[int]:
        """All notes that ever went into a box, in their order."""
        return self._kiosk.acceptor.collected + self._kiosk.acceptor.cashbox

    def awake(self) -> None:
        """Have a core that runs."""
        if self._kiosk.kernel is None:
            if not self._kiosk.acceptor.powered:
                self._kiosk.restore_power()
            else:
                self._kiosk.start()
        self._kiosk.run(4 * S)

    def press(self, *touched: intents.AnyIntent) -> None:
        """Touch one button after the other."""
        for intent in touched:
            self._kiosk.touch(intent)
            self._kiosk.run(700 * MS)

    def sign_in(self, person: str) -> None:
        """Come to the menu."""
        for _ in range(100):
            if self._kiosk.state in RESTING:
                break
            self._kiosk.run(3 * S)
        self.press(intents.CallOperator(), intents.EnterPin(person, PINS[person]))

    def sign_out(self) -> None:
        """Leave it, and wait for what is in print."""
        self.press(intents.SignOut())
        self._kiosk.run(3 * S)

    # --- the box ------------------------------------------------------------------------------------------

    def take_out(self) -> None:
        """Take the box out of the acceptor."""
        self.taken_out.append(len(self.notes))
        self._kiosk.acceptor.remove_cashbox()
        self._kiosk.run(2 * S)

    def put_in(self, *, empty: bool) -> None:
        """Put the same box back, or an empty one."""
        self._kiosk.acceptor.insert_cashbox(empty=empty)
        self._kiosk.run(4 * S)

    def exchange(self, at: str = "", pause: Callable[[], object] = lambda: None) -> None:
        """Exchange the box; `at` names the step after which the core is killed, the power cut or all given up."""
        kiosk, following = self._kiosk, self.box + 1
        self.sign_in("p01")
        self._died(at, "signed in")
        numbers = intents.ExchangeNumbers(f"B-{self.box}", f"B-{following}", f"S-{following}")
        if at != "signed in":
            self.press(intents.BeginExchange(), numbers)
        else:
            self.sign_in("p01")
            self.press(intents.BeginExchange(), numbers)
        if at == "at the signature":
            kiosk.dies_in_effects = 3
        self.press(intents.EnterPin("p02", PINS["p02"]))
        if at == "at the signature":
            self._again()
            if kiosk.kernel is not None and kiosk.kernel.books.exchange is None:
                self.press(intents.BeginExchange(), numbers, intents.EnterPin("p02", PINS["p02"]))
        self._died(at, "authorised")
        if at == "given up":
            self._come_back(at)
            self.press(intents.AbandonExchange())
            self.sign_out()
            return
        if at == "without power":
            kiosk.cut_power()
            self.take_out()
            self.put_in(empty=True)
            kiosk.skip(600 * S)
            self.awake()
        else:
            self.take_out()
            self._died(at, "taken out")
            self.put_in(empty=at != "given up outside")
            self._died(at, "put in")
        pause()
        self._come_back(at)
        if at == "given up outside":
            self.press(intents.AbandonExchange())
            self.sign_out()
            return
        if at == "at the confirmation":
            kiosk.dies_in_effects = 1
        self.press(intents.ConfirmExchange())
        if at == "at the confirmation":
            self._again()
            if kiosk.kernel is not None and kiosk.kernel.books.exchange is not None:
                self.press(intents.ConfirmExchange())
        self.box = following
        self._died(at, "confirmed")
        if kiosk.state not in RESTING:
            self.sign_out()

    def _died(self, at: str, step: str) -> None:
        if at == step:
            self._kiosk.kill()
            self._kiosk.run(3 * S)
            self._kiosk.start()
            self._kiosk.run(6 * S)

    def _again(self) -> None:
        """Start a core that has died, and come back to the exchange."""
        if self._kiosk.kernel is None:
            self._kiosk.start()
            self._kiosk.run(6 * S)
        self._come_back("")

    def _come_back(self, at: str) -> None:
        """Sign in again where a restart or silence ended the menu; go on with an exchange that stands open."""
        if self._kiosk.state is not State.EXCHANGING:
            if self._kiosk.state is not State.ATTENDED:
                self.sign_in("p01")
            kernel = self._kiosk.kernel
            if kernel is not None and kernel.books.exchange is not None:
                self.press(intents.BeginExchange())

    # --- the counting room --------------------------------------------------------------------------------

    def count(self, session: int, box: str, seal: str, notes: list[int], *, by: str, second: str, tries: int) -> None:
        """Count a box blind, `tries` times, and close the count."""
        who = {"person": by, "pin": PINS[by], "session": session}
        told = sorted((value, notes.count(value)) for value in set(notes))
        self._kiosk.ask("count.receive", **who, box=box, seal=seal, seal_whole=True)
        for attempt in range(1, tries + 1):
            listed = told if attempt == tries else told[1:]
            self._kiosk.ask("count.attempt", **who, notes=[list(each) for each in listed], final=attempt == tries)
        signed = {"second": second, "second_pin": PINS[second]} if second else {}
        self._kiosk.ask("count.close", **who, reason="counted in the morning", **signed)
