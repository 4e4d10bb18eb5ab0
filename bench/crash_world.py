"""The world around the process under test: simulated acceptor and printer that live on, a citizen, a virtual clock.

One `World` plays one run: it forks the core, carries bytes both ways, lets the citizen act, and when the core
dies it goes on without it for a while and forks it again against the same simulated devices.  At the end it holds
what is physically in the cash box against what the journal says.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from bench.crash_core import CoreUnderTest, Plan, Word, receive, send
from bench.crash_count import count_journal
from bench.crash_staff import Staff, custody_differences
from bench.crash_story import Event, Outcome, Scenario
from bench.note_rigs import BY_NAME, Rig
from kiosk.app import Setup
from kiosk.checkout import intents
from kiosk.protocols.escpos.device import EscposPrinter

MS = 1_000_000
S = 1_000 * MS
#: Virtual time after which a run that has not come to rest counts as a difference.
LONGEST = 1_800 * S


class World:
    """One run.  The acceptor's `cashbox` is the truth that everything is held against."""

    def __init__(
        self, setup: Setup, scenario: Scenario, state: Path, replica: Path, seed: int, rig: Rig = BY_NAME["id003"]
    ) -> None:
        self.setup, self.scenario, self.state, self.replica = setup, scenario, state, replica
        self.chance = random.Random(seed)
        self.rig = rig
        self.acceptor: Any = rig.make()
        self.printer = EscposPrinter()
        self.now = 0
        self.view: dict[str, Any] = {}
        self.alive = False
        self.kills = 0
        self.inserted: list[int] = []
        self.wallet = list(scenario.wallet)
        #: When each event of the scenario happened.
        self.happened: dict[str, int] = {}
        self.most_effects = self.most_bytes = 0
        #: Orders to give a note back get lost on the way, and how many did.
        self.swallow_returns = False
        self.swallowed = 0
        self._line: socket.socket | None = None
        self._pid = 0
        self._next_act = 0
        self._scanned = 0
        self._left = False
        self._tried_insert = 0
        self._finished = False
        self._faults: list[str] = []
        self._again = list(scenario.again)
        self.staff = Staff(self)

    # --- the process --------------------------------------------------------------------------------------

    def begin(self, plan: Plan) -> None:
        """Fork the core."""
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            code = 1
            try:
                core = CoreUnderTest(
                    theirs, self.setup, self.state, self.replica, plan, self.now, self.scenario.setting
                )
                core.serve()
                code = 0
            except BaseException:  # noqa: BLE001  a forked child must never return into its parent's code
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(code)
        theirs.close()
        self._line = ours
        self.alive = True
        self._listen()

    def tell(self, word: Word) -> None:
        """Hand the core something and take in everything it does about it."""
        if not self.alive or self._line is None:
            return
        try:
            send(self._line, word)
        except OSError:
            self._dead()
            return
        self._listen()

    def _listen(self) -> None:
        assert self._line is not None
        while True:
            word = receive(self._line)
            if word is None:
                self._dead()
                return
            if word.kind == "idle":
                self.view = word.body
                self.most_effects = max(self.most_effects, word.body["effects"])
                self.most_bytes = max(self.most_bytes, word.body["bytes"])
                return
            device = self.acceptor if word.device == "notes" else self.printer
            if word.device == "notes" and self.swallow_returns and self.rig.gives_back(word.data):
                self.swallowed += 1
                continue
            device.tick(self.now)
            device.received(word.data, self.now)

    def _dead(self) -> None:
        assert self._line is not None
        self._line.close()
        _, status = os.waitpid(self._pid, 0)
        self.alive = False
        if os.WIFSIGNALED(status):
            self.kills += 1
        elif os.WEXITSTATUS(status):
            self._faults.append(f"the core ended with exit code {os.WEXITSTATUS(status)}")

    # --- time ---------------------------------------------------------------------------------------------

    def play(self, plans: tuple[Plan, ...]) -> Outcome:
        """Play the run to its rest, killing the core as planned; then compare."""
        left = list(plans)
        self.begin(left.pop(0) if left else Plan())
        rest_since = None
        while self.now < LONGEST and not self._faults:
            if not self.alive:
                self._sleep(self.chance.randrange(200 * MS, 12 * S))
                self._next_act = self.now + S
                self.begin(left.pop(0) if left else Plan())
                continue
            self._exchange()
            self._let_happen()
            if self.alive:
                self._act()
            if self.alive and self._at_rest():
                rest_since = self.now if rest_since is None else rest_since
                if self.now - rest_since > 8 * S:
                    break
            else:
                rest_since = None
            self._advance()
        else:
            if not self._faults:
                self._faults.append(f"did not come to rest; the screen shows {self.view.get('screen')}")
        self.tell(Word("stop", self.now))
        return self._compare(plans[0] if plans else Plan())

    def _sleep(self, duration: int) -> None:
        """Let the devices live without a core."""
        until = self.now + duration
        while self.now < until:
            self.now = min([until, self.now + 100 * MS, *(d for d in self._deadlines() if d > self.now)])
            self._tick_devices()
            self._let_happen()
            self.acceptor.take_outbound()
            self.printer.take_outbound()
        # A line that nobody reads loses what was on it.

    def _exchange(self) -> None:
        for _ in range(64):
            self._tick_devices()
            spoken = False
            for name, device in (("notes", self.acceptor), ("receipt", self.printer)):
                for data in device.take_outbound():
                    spoken = True
                    self.tell(Word("bytes", self.now, name, data))
            if not spoken or not self.alive:
                return

    def _tick_devices(self) -> None:
        self.acceptor.tick(self.now)
        self.printer.tick(self.now)

    def _deadlines(self) -> list[int]:
        return [d for d in (self.acceptor.deadline(), self.printer.deadline()) if d is not None]

    def _advance(self) -> None:
        wanted = [*self._deadlines(), self._next_act]
        wanted += [self.happened[e.after] + e.delay_ms * MS for e in self.scenario.events if e.after in self.happened]
        if self.view.get("due"):
            wanted.append(self.view["due"])
        later = [each for each in wanted if each > self.now]
        self.now = max(self.now + MS, min(later, default=self.now + 100 * MS))
        self._tick_devices()
        self.tell(Word("tick", self.now))

    # --- people -------------------------------------------------------------------------------------------

    def _let_happen(self) -> None:
        for event in self.scenario.events:
            if event.name not in self.happened and self._is_time(event):
                self.happened[event.name] = self.now
                event.do(self)

    def _is_time(self, event: Event) -> bool:
        if event.after:
            return event.after in self.happened and self.now >= self.happened[event.after] + event.delay_ms * MS
        return event.when is not None and event.when(self)

    def touch(self, intent: intents.AnyIntent) -> None:
        """Touch a button of the screen as it is shown."""
        body = {"intent": msgspec.json.encode(intent), "session": self.view["session"], "step": self.view["step"]}
        self.tell(Word("intent", self.now, body=body))

    def _act(self) -> None:
        self._take_back()
        if self.now < self._next_act:
            return
        self._next_act = self.now + 300 * MS
        screen = self.view["screen"]
        if self.citizen_left and self.staff.act(screen):
            return
        if screen == self.scenario.cancel_at and not self._finished:
            if screen != "accepting" or self.view["credited"] or not self.wallet or self._tried_insert:
                self._finished = True
            self.touch(intents.Cancel())
            return
        getattr(self, f"_at_{screen}", self._wait)()

    def _wait(self) -> None:
        """Nothing to do at this screen but wait."""

    def _take_back(self) -> None:
        before = len(self.acceptor.returned)
        self.acceptor.take_rejected()
        if len(self.acceptor.returned) > before:
            self._next_act = self.now + 500 * MS

    @property
    def citizen_left(self) -> bool:
        """Nobody in front comes back: every visit is over, or the kiosk takes nobody any more."""
        shut = self.view["screen"] == "out_of_service" and bool(self._scanned)
        return not self._again and (self._left or shut)

    def _at_idle(self) -> None:
        if self._left or self._scanned:
            self._left = not self._again
            if self._left:
                return
            self.wallet, self._again = [*self.wallet, *self._again], []
            self._scanned, self._finished = 0, False
        self._scan()

    def _scan(self) -> None:
        label = self.scenario.labels[self._scanned]
        self._scanned += 1
        self.tell(Word("scan", self.now, body=label))

    def _at_reviewing(self) -> None:
        if self._scanned < len(self.scenario.labels):
            self._scan()
        else:
            self.touch(intents.Pay())

    def _at_consenting(self) -> None:
        self.touch(intents.AcceptConditions())

    def _at_notice(self) -> None:
        self.touch(intents.Dismiss())

    def _at_accepting(self) -> None:
        limit = self.scenario.finish_after
        if self._finished or (limit is not None and len(self.inserted) >= limit) or not self.wallet:
            if self.scenario.walk_away:
                return
            if not self.view["flight"] and self.acceptor.inside is None:
                self.touch(intents.Finish())
            return
        if self.acceptor.insert(self.wallet[0]):
            self.inserted.append(self.wallet.pop(0))
            self._tried_insert = 0
        else:
            self._tried_insert += 1
            if self._tried_insert > 60:
                self._finished = True

    def _at_note_held(self) -> None:
        if self.scenario.agree is not None:
            self.touch(intents.AgreeExcess() if self.scenario.agree else intents.DeclineExcess())

    def _at_stopping(self) -> None:
        self.touch(intents.Finish())

    def _at_timed_out(self) -> None:
        if not self.scenario.walk_away:
            self.touch(intents.MoreTime())

    def _at_resuming(self) -> None:
        if self.view["flight"]:
            return
        self.touch(intents.KeepPaying() if self.scenario.keep_paying and self.wallet else intents.Finish())

    def _at_rest(self) -> bool:
        due = [
            e
            for e in self.scenario.events
            if e.name not in self.happened and (self.kills == 0 or e.after in self.happened)
        ]
        if due:
            return False
        quiet = self.acceptor.inside is None or not self.acceptor.powered
        jobs = [state for state in self.view["jobs"] if state in ("queued", "held", "printing")]
        screen = self.view["screen"]
        over = self.citizen_left and not self.staff.busy
        return quiet and not jobs and over and screen in ("idle", "out_of_service") and not self.view["trouble"]

    # --- the comparison -----------------------------------------------------------------------------------

    def _compare(self, plan: Plan) -> Outcome:
        box = sum(self.acceptor.cashbox) + sum(self.acceptor.collected)
        count = count_journal(
            self.state / "journal.db", box, may_dispute=may_dispute(self.scenario, self.rig, self.kills)
        )
        found = [*self._faults, *count.differences]
        fed = sum(self.inserted)
        back = sum(self.acceptor.returned) + (self.acceptor.inside or 0)
        if fed != box + back:
            found.append(f"the simulator lost money: fed {fed}, box {box}, back {back}")
        found += custody_differences(self)
        return Outcome(
            self.scenario.name, plan, self.kills, box, count.credited, count.suspended, count.disputed,
            count.receipts, self.most_effects, self.most_bytes, tuple(found),
        )  # fmt: skip


def may_dispute(scenario: Scenario, rig: Rig, kills: int) -> bool:
    """Tell whether a dispute is a right end of this story with this acceptor."""
    return scenario.may_dispute or scenario.name in rig.untold or (rig.skips_unread and kills > 0)


def play(
    setup: Setup, scenario: Scenario, room: Path, replica: Path, seed: int, plans: tuple[Plan, ...],
    rig: Rig = BY_NAME["id003"],
) -> Outcome:  # fmt: skip
    """Play one run in a directory of its own."""
    state = room / f"{scenario.name}-{seed}"
    state.mkdir(parents=True)
    try:
        return World(setup, scenario, state, replica, seed, rig).play(plans)
    finally:
        shutil.rmtree(state, ignore_errors=True)
