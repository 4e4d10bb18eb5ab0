"""What a scenario can ask for: typed steps, and the stage that carries them out."""

from __future__ import annotations

from typing import Protocol

import msgspec

from kiosk.model.money import Money


class Stage(Protocol):
    """Carries out steps: a whole kiosk, or one device alone.

    A step that cannot be done or does not come true raises `SimulatorError`; `scenario.play` adds file and line.
    Acts of people may take a moment (a person keeps trying to feed a note until the unit draws it in).
    """

    def scan(self, label: str) -> None: ...
    def insert(self, value: Money, force: bool) -> None: ...
    def pull_back(self) -> None: ...
    def take_note(self) -> None: ...
    def jam(self, where: str) -> None: ...
    def clear_jam(self, outcome: str | None) -> None: ...
    def remove_box(self) -> None: ...
    def insert_box(self, empty: bool) -> None: ...
    def fill_stacker(self) -> None: ...
    def cheat(self) -> None: ...
    def tear_paper(self) -> None: ...
    def load_paper(self) -> None: ...
    def open_cover(self) -> None: ...
    def close_cover(self) -> None: ...
    def cut_power(self) -> None: ...
    def restore_power(self) -> None: ...
    def acceptor_power(self, on: bool) -> None: ...
    def acceptor_speech(self, on: bool) -> None: ...
    def lose_replies(self, count: int) -> None: ...
    def lose_acks(self, count: int) -> None: ...
    def garble_replies(self, count: int) -> None: ...
    def stack_by_itself(self) -> None: ...
    def repeat_escrow(self) -> None: ...
    def unplug(self, device: str) -> None: ...
    def replug(self, device: str) -> None: ...
    def touch(self, name: str, args: tuple[str, ...]) -> None: ...
    def wait(self, ms: int) -> None: ...
    def wait_screen(self, name: str, within_ms: int) -> None: ...
    def expect_screen(self, name: str) -> None: ...
    def expect_due(self, value: Money) -> None: ...
    def expect_remaining(self, value: Money) -> None: ...
    def expect_receipt(self, present: bool) -> None: ...
    def expect_box(self, value: Money) -> None: ...
    def network(self, mode: str) -> None: ...
    def expect_hub(self, complete: bool) -> None: ...
    def insert_coin(self, value: Money) -> None: ...
    def fill_hopper(self, coins: int) -> None: ...
    def empty_hopper(self) -> None: ...
    def jam_hopper(self, on: bool) -> None: ...
    def lose_dispense_reply(self) -> None: ...
    def expect_coins(self, value: Money) -> None: ...


class Step(msgspec.Struct, frozen=True):
    """Root of all steps."""

    #: Line of the scenario, from 1.
    line: int

    def act(self, stage: Stage) -> None:
        """Carry the step out."""
        raise NotImplementedError


class Scan(Step, frozen=True):
    """A label is held under the scanner."""

    label: str

    def act(self, stage: Stage) -> None:
        stage.scan(self.label)


class Insert(Step, frozen=True):
    """A person feeds a note; `force` pushes it into a unit that is inhibited."""

    value: Money
    force: bool = False

    def act(self, stage: Stage) -> None:
        stage.insert(self.value, self.force)


class PullBack(Step, frozen=True):
    """The person pulls the note out again."""

    def act(self, stage: Stage) -> None:
        stage.pull_back()


class TakeNote(Step, frozen=True):
    """The person takes the note that was pushed back."""

    def act(self, stage: Stage) -> None:
        stage.take_note()


class Jam(Step, frozen=True):
    """The path is blocked: ``acceptor`` or ``stacker``."""

    where: str

    def act(self, stage: Stage) -> None:
        stage.jam(self.where)


class ClearJam(Step, frozen=True):
    """Somebody opens the unit; `outcome` is ``return``, ``stack``, ``take`` or the unit's own way (None)."""

    outcome: str | None = None

    def act(self, stage: Stage) -> None:
        stage.clear_jam(self.outcome)


class RemoveBox(Step, frozen=True):
    """The cash box is taken out."""

    def act(self, stage: Stage) -> None:
        stage.remove_box()


class InsertBox(Step, frozen=True):
    """The same box is put back, or an empty one."""

    empty: bool = False

    def act(self, stage: Stage) -> None:
        stage.insert_box(self.empty)


class FillStacker(Step, frozen=True):
    """The cash box is full."""

    def act(self, stage: Stage) -> None:
        stage.fill_stacker()


class Cheat(Step, frozen=True):
    """Somebody fishes for the note and is caught."""

    def act(self, stage: Stage) -> None:
        stage.cheat()


class TearPaper(Step, frozen=True):
    """The paper roll ends now."""

    def act(self, stage: Stage) -> None:
        stage.tear_paper()


class LoadPaper(Step, frozen=True):
    """A fresh roll is put in."""

    def act(self, stage: Stage) -> None:
        stage.load_paper()


class OpenCover(Step, frozen=True):
    """The printer's cover is opened."""

    def act(self, stage: Stage) -> None:
        stage.open_cover()


class CloseCover(Step, frozen=True):
    """The printer's cover is closed."""

    def act(self, stage: Stage) -> None:
        stage.close_cover()


class CutPower(Step, frozen=True):
    """The power of the whole kiosk goes."""

    def act(self, stage: Stage) -> None:
        stage.cut_power()


class RestorePower(Step, frozen=True):
    """The power of the whole kiosk is back."""

    def act(self, stage: Stage) -> None:
        stage.restore_power()


class AcceptorPower(Step, frozen=True):
    """The acceptor alone loses or gets its power."""

    on: bool

    def act(self, stage: Stage) -> None:
        stage.acceptor_power(self.on)


class AcceptorSpeech(Step, frozen=True):
    """The acceptor falls silent, or speaks again."""

    on: bool

    def act(self, stage: Stage) -> None:
        stage.acceptor_speech(self.on)


class LoseReplies(Step, frozen=True):
    """The acceptor's next replies are lost."""

    count: int

    def act(self, stage: Stage) -> None:
        stage.lose_replies(self.count)


class LoseAcks(Step, frozen=True):
    """The acceptor misses the next acknowledgements of a stacked note."""

    count: int

    def act(self, stage: Stage) -> None:
        stage.lose_acks(self.count)


class GarbleReplies(Step, frozen=True):
    """The acceptor's next replies arrive damaged."""

    count: int

    def act(self, stage: Stage) -> None:
        stage.garble_replies(self.count)


class StackByItself(Step, frozen=True):
    """The acceptor stacks the note in escrow without being told to."""

    def act(self, stage: Stage) -> None:
        stage.stack_by_itself()


class RepeatEscrow(Step, frozen=True):
    """The acceptor reports the same note in escrow twice."""

    def act(self, stage: Stage) -> None:
        stage.repeat_escrow()


class Unplug(Step, frozen=True):
    """A device's cable is pulled."""

    device: str

    def act(self, stage: Stage) -> None:
        stage.unplug(self.device)


class Replug(Step, frozen=True):
    """A device's cable is put back."""

    device: str

    def act(self, stage: Stage) -> None:
        stage.replug(self.device)


class Touch(Step, frozen=True):
    """The citizen touches the screen: an intent and its arguments."""

    name: str
    args: tuple[str, ...] = ()

    def act(self, stage: Stage) -> None:
        stage.touch(self.name, self.args)


class Wait(Step, frozen=True):
    """Time passes."""

    ms: int

    def act(self, stage: Stage) -> None:
        stage.wait(self.ms)


class WaitScreen(Step, frozen=True):
    """Wait until the screen shows a state, at most so long."""

    name: str
    within_ms: int = 10_000

    def act(self, stage: Stage) -> None:
        stage.wait_screen(self.name, self.within_ms)


class ExpectScreen(Step, frozen=True):
    """The screen shows a state."""

    name: str

    def act(self, stage: Stage) -> None:
        stage.expect_screen(self.name)


class ExpectDue(Step, frozen=True):
    """The amount due of the cart."""

    value: Money

    def act(self, stage: Stage) -> None:
        stage.expect_due(self.value)


class ExpectRemaining(Step, frozen=True):
    """What remains to be paid."""

    value: Money

    def act(self, stage: Stage) -> None:
        stage.expect_remaining(self.value)


class ExpectReceipt(Step, frozen=True):
    """A receipt came out (or none did)."""

    present: bool = True

    def act(self, stage: Stage) -> None:
        stage.expect_receipt(self.present)


class ExpectBox(Step, frozen=True):
    """The money in the simulated cash box."""

    value: Money

    def act(self, stage: Stage) -> None:
        stage.expect_box(self.value)


class Network(Step, frozen=True):
    """The network to the hub is ``cut``, ``stalled`` or ``joined``."""

    mode: str

    def act(self, stage: Stage) -> None:
        stage.network(self.mode)


class ExpectHub(Step, frozen=True):
    """The hub holds every fact that the kiosk has committed, or lacks some."""

    complete: bool = True

    def act(self, stage: Stage) -> None:
        stage.expect_hub(self.complete)
