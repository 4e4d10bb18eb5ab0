"""What a person at the bench can do with the simulated hardware: one act a button, each answered in one sentence.

A button does not wait and try again as a scenario does: a note that is not drawn in stays in the hand, and the answer
says what the unit shows.
"""

from __future__ import annotations

from collections.abc import Callable

from kiosk.errors import SimulatorError
from kiosk.model.money import Money
from kiosk.protocols.cctalk.device_hopper import CctalkHopper
from kiosk.protocols.escpos.device import EscposPrinter
from kiosk.simulators.note_unit import NoteUnit
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.hardware import Coins

#: Longest label that can be typed at the bench.
LONGEST = 3000
#: Coins that are put into a hopper at once.
MOST_COINS = 1000


class Hands:
    """Owns no state: reaches into the hardware of one demonstration."""

    def __init__(self, demonstration: Demonstration) -> None:
        self._demo = demonstration
        self._acts: dict[str, Callable[[str], str]] = {
            "scan": self._scan, "sample": self._sample, "insert": self._insert, "pull": self._pull, "take": self._take,
            "cut": self._cut, "restore": self._restore, "network": self._network,
            "unplug": self._unplug, "replug": self._replug,
            **{name: self._acceptor_act(*act) for name, act in _ACCEPTOR.items()},
            **{name: self._printer_act(*act) for name, act in _PRINTER.items()},
            "coin": self._coin, "fill_hopper": self._fill_hopper, "take_slip": self._take_slip,
            **{name: self._hopper_act(*act) for name, act in _HOPPER.items()},
        }  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """Every act there is."""
        return tuple(self._acts)

    def act(self, name: str, argument: str) -> str:
        """Do one act; return what came of it in one sentence.

        Raises:
            SimulatorError: there is no such act, or it cannot be done now.
        """
        act = self._acts.get(name)
        if act is None:
            raise SimulatorError(f"there is no {name[:40]!r} here", hint="use the buttons")
        told = act(argument)
        self._demo.note("hand", told)
        return told

    def _scan(self, label: str) -> str:
        if not label or len(label) > LONGEST:
            raise SimulatorError("type a label first", hint=f"at most {LONGEST} characters")
        return self._hold(label)

    def _hold(self, label: str) -> str:
        with self._demo.hardware.scanner.hands() as scanner:
            if not scanner.scan(label):
                raise SimulatorError("the scanner has no power")
        shown = "".join(letter if letter.isprintable() else "·" for letter in label)
        return f"scanned {shown[:40]}{'…' if len(shown) > 40 else ''}"

    def _sample(self, number: str) -> str:
        if not number.isdecimal() or int(number) >= len(self._demo.samples):
            raise SimulatorError("there is no such label")
        return self._hold(self._demo.samples[int(number)].label)

    # --- notes -------------------------------------------------------------------------------------------------

    def _insert(self, minor: str) -> str:
        with self._demo.hardware.acceptor.hands() as unit:
            if not minor.isdecimal() or int(minor) not in unit.values:
                raise SimulatorError("the unit does not know such a note")
            value = Money(int(minor), unit.currency)
            if not unit.insert(value.minor):
                raise SimulatorError(f"the {value} is not drawn in: {shown(unit)}")
        return f"fed {value}"

    def _pull(self, _: str) -> str:
        with self._demo.hardware.acceptor.hands() as unit:
            if not unit.pull_back():
                raise SimulatorError("there is no note that can be pulled out")
        return "pulled the note back"

    def _take(self, _: str) -> str:
        with self._demo.hardware.acceptor.hands() as unit:
            if not unit.take_rejected():
                raise SimulatorError("no note lies at the mouth")
        return "took the note that came back"

    def _acceptor_act(self, told: str, act: Callable[[NoteUnit], object]) -> Callable[[str], str]:
        def do(_: str) -> str:
            with self._demo.hardware.acceptor.hands() as unit:
                act(unit)
            return told

        return do

    def _printer_act(self, told: str, act: Callable[[EscposPrinter], object]) -> Callable[[str], str]:
        def do(_: str) -> str:
            with self._demo.hardware.printer.hands() as printer:
                act(printer)
            return told

        return do

    # --- coins -------------------------------------------------------------------------------------------------

    def _coins(self) -> Coins:
        if self._demo.hardware.coins is None:
            raise SimulatorError("there are no coins here", hint="start the demonstration with --coins")
        return self._demo.hardware.coins

    def _coin(self, minor: str) -> str:
        with self._coins().slot.hands() as unit:
            if not minor.isdecimal() or int(minor) not in unit.values:
                raise SimulatorError("the unit does not know such a coin")
            value = Money(int(minor), unit.currency)
            if not unit.insert_coin(value.minor):
                raise SimulatorError(f"the {value} does not go in: the slot is full")
            gone = "" if unit.can_insert else "; it falls through"
        return f"put {value} into the slot{gone}"

    def _fill_hopper(self, count: str) -> str:
        if not count.isdecimal() or not 0 < int(count) <= MOST_COINS:
            raise SimulatorError("how many coins?", hint=f"1 to {MOST_COINS}")
        with self._coins().hopper.hands() as hopper:
            hopper.fill(int(count))
        return f"put {int(count)} coins into the hopper; whoever does so says it in the operator's menu too"

    def _hopper_act(self, told: str, act: Callable[[CctalkHopper], object]) -> Callable[[str], str]:
        def do(_: str) -> str:
            with self._coins().hopper.hands() as hopper:
                act(hopper)
            return told

        return do

    def _take_slip(self, _: str) -> str:
        with self._demo.hardware.printer.hands() as printer:
            if printer.presenter.take() is None:
                raise SimulatorError("no slip can be taken")
        return "took the slip"

    # --- power and cables ----------------------------------------------------------------------------------------

    def _cut(self, _: str) -> str:
        if not self._demo.hardware.powered:
            raise SimulatorError("the power is off already")
        self._demo.cut_power()
        return "pulled the mains plug"

    def _restore(self, _: str) -> str:
        if self._demo.hardware.powered:
            raise SimulatorError("the power is on already")
        self._demo.restore_power()
        return "put the mains plug back"

    def _network(self, mode: str) -> str:
        self._demo.set_network(mode)
        return {"cut": "cut the network to the hub", "stalled": "let the network to the hub stall"}.get(
            mode, "joined the network to the hub again"
        )

    def _unplug(self, device: str) -> str:
        if not self._demo.hardware.plugged(device):
            raise SimulatorError(f"the cable of {device[:40]!r} is out already")
        self._demo.hardware.port(device).unplug()
        return f"pulled the cable of {device}"

    def _replug(self, device: str) -> str:
        if self._demo.hardware.plugged(device):
            raise SimulatorError(f"the cable of {device[:40]!r} is in already")
        self._demo.hardware.port(device).replug()
        return f"put the cable of {device} back"


#: Act -> (what it was, how it is done).
_ACCEPTOR: dict[str, tuple[str, Callable[[NoteUnit], object]]] = {
    "jam_acceptor": ("jammed the acceptor", lambda unit: unit.jam("acceptor")),
    "jam_stacker": ("jammed the stacker", lambda unit: unit.jam("stacker")),
    "clear_jam": ("cleared the jam", lambda unit: unit.clear_jam()),
    "box_out": ("took the cash box out", lambda unit: unit.remove_cashbox()),
    "box_in": ("put the cash box back", lambda unit: unit.insert_cashbox()),
    "box_empty": ("put an empty cash box in", lambda unit: unit.insert_cashbox(empty=True)),
    "fill": ("let the cash box be full", lambda unit: unit.fill_stacker()),
    "cheat": ("fished for a note and was caught", lambda unit: unit.cheat()),
    "mute": ("let the acceptor fall silent", lambda unit: unit.mute(True)),
    "speak": ("let the acceptor speak again", lambda unit: unit.mute(False)),
}
_HOPPER: dict[str, tuple[str, Callable[[CctalkHopper], object]]] = {
    "empty_hopper": ("took all coins out of the hopper", lambda hopper: hopper.take_out()),
    "jam_hopper": ("jammed the hopper", lambda hopper: hopper.jam()),
    "free_hopper": ("freed the hopper", lambda hopper: hopper.jam(False)),
    "lose_dispense": ("the answer to the next payout will be lost", lambda hopper: hopper.lose_dispense_reply()),
}
_PRINTER: dict[str, tuple[str, Callable[[EscposPrinter], object]]] = {
    "paper_out": ("the paper has run out", lambda printer: printer.paper_out()),
    "near_end": ("the paper is nearly used up", lambda printer: printer.near_end()),
    "load_paper": ("loaded a fresh roll", lambda printer: printer.load_paper()),
    "tear": ("tore the paper off", lambda printer: printer.tear_off()),
    "cover_open": ("opened the printer's cover", lambda printer: printer.open_cover()),
    "cover_close": ("closed the printer's cover", lambda printer: printer.close_cover()),
    "jam_cutter": ("blocked the cutter", lambda printer: printer.jam_cutter()),
    "jam_presenter": ("blocked the presenter", lambda printer: printer.presenter.jam()),
    "clear_presenter": ("cleared the presenter by hand", lambda printer: printer.presenter.clear()),
    "free_cutter": ("freed the cutter", lambda printer: printer.free_cutter()),
}

#: Where the unit stands, in words; a fault is told as the unit shows it.
WORDS = {
    "off": "no power", "starting": "starting", "idle": "ready for a note", "inhibited": "takes no notes now",
    "accepting": "drawing a note in", "escrow": "holds a note in escrow", "stacking": "moving a note to the box",
    "credit": "a note is in the box, not yet acknowledged", "returning": "gives a note back",
    "rejecting": "pushes a note back",
}  # fmt: skip


def shown(unit: NoteUnit) -> str:
    """Tell what the unit shows, in words."""
    return WORDS.get(unit.stage) or unit.shown.lower().replace("_", " ")
