"""The scenario language: one act a line, in plain words, for demos, tests and crash campaigns.

    # a citizen pays a citation
    scan 2600041712
    wait screen reviewing within 10 s
    touch pay
    insert USD 20
    expect remaining USD 25.00
    expect receipt

A `#` at the start of a line or after a blank begins a comment.  Amounts are ``USD 20``, ``USD 25.00`` or a bare
number in the scenario's currency.  In labels ``\\xNN`` stands for a character by its code and ``\\\\`` for a
backslash.  Errors name file and line.  `GRAMMAR` lists every line there is.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable

import msgspec

from kiosk.errors import MoneyError, SimulatorError
from kiosk.model.money import Money
from kiosk.model.money import parse as parse_money
from kiosk.simulators import coin_steps as coins
from kiosk.simulators import steps as do
from kiosk.simulators.steps import Step

_COMMENT = re.compile(r"(^|\s)#.*$")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|\\)")
_DURATION = re.compile(r"(\d{1,7})\s*(ms|s)")
#: A scenario is written by people; a longer one is something else.
MAX_LINES = 5000


class ScenarioError(SimulatorError):
    """A scenario line cannot be understood, or did not come true; names file and line."""


class _Reader:
    """Takes one line apart, word by word."""

    def __init__(self, text: str, line: int, currency: str) -> None:
        self.words = text.split()
        self.text = text
        self.line = line
        self.currency = currency

    def rest_is(self, *words: str) -> bool:
        return self.words == list(words)

    def after(self, count: int) -> str:
        return self.text.split(None, count)[count] if len(self.words) > count else ""


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda hit: "\\" if hit[1] == "\\" else chr(int(hit[1][1:], 16)), text)


def _money(words: list[str], currency: str) -> Money:
    if len(words) == 2 and words[0].isalpha():
        return parse_money(words[1], words[0].upper())
    if len(words) == 1:
        return parse_money(words[0], currency)
    raise MoneyError(f"{' '.join(words)[:40]!r} is not an amount", hint="write it like USD 20 or 20")


def _milliseconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise SimulatorError(f"{text[:40]!r} is not a time", hint="write it like 500 ms or 3 s")
    return int(match[1]) * (1000 if match[2] == "s" else 1)


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise SimulatorError(f"{text[:40]!r} is not a number", hint="write digits only")
    return int(text)


#: Every line there is, for people.
GRAMMAR = """\
scan LABEL                        hold a label under the scanner
insert [USD] 20 [by force]        feed a note
pull back | take note             pull the note out | take a note that was pushed back
jam acceptor|stacker              block the path
clear jam [return|stack|take]     open it; what becomes of a stacking note
remove box | insert [empty] box   the cash box
fill stacker | cheat
insert coin [USD] 0.25            feed a coin
fill hopper N | empty hopper      the coins that change is paid from
jam hopper | free hopper
lose dispense reply               the hopper pays, and its answer is lost
tear paper | load paper           the roll ends now | a fresh roll
open cover | close cover
cut power | restore power         of the whole kiosk
acceptor power off|on             of the acceptor alone
acceptor mute|speak
lose replies N | lose acks N | garble replies N
stack by itself | repeat escrow
unplug DEVICE | replug DEVICE
touch NAME [ARG...]               an intent on the screen
wait 500 ms | wait 3 s
wait screen NAME [within 10 s]
expect screen NAME
expect due|remaining|box [USD] 25.00
expect coins [USD] 2.00           what the hopper has paid out so far
expect receipt | expect no receipt
cut network | stall network | join network        between kiosk and hub
expect hub facts | expect hub behind               every fact is at the hub | some are not
"""

#: Lines that are always the same words.
_FIXED: dict[str, Callable[[int], Step]] = {
    "pull back": lambda line: do.PullBack(line),
    "take note": lambda line: do.TakeNote(line),
    "jam acceptor": lambda line: do.Jam(line, "acceptor"),
    "jam stacker": lambda line: do.Jam(line, "stacker"),
    "clear jam": lambda line: do.ClearJam(line),
    "clear jam return": lambda line: do.ClearJam(line, "return"),
    "clear jam stack": lambda line: do.ClearJam(line, "stack"),
    "clear jam take": lambda line: do.ClearJam(line, "take"),
    "remove box": lambda line: do.RemoveBox(line),
    "insert box": lambda line: do.InsertBox(line),
    "insert empty box": lambda line: do.InsertBox(line, empty=True),
    "fill stacker": lambda line: do.FillStacker(line),
    "cheat": lambda line: do.Cheat(line),
    "tear paper": lambda line: do.TearPaper(line),
    "load paper": lambda line: do.LoadPaper(line),
    "open cover": lambda line: do.OpenCover(line),
    "close cover": lambda line: do.CloseCover(line),
    "cut power": lambda line: do.CutPower(line),
    "restore power": lambda line: do.RestorePower(line),
    "acceptor power off": lambda line: do.AcceptorPower(line, on=False),
    "acceptor power on": lambda line: do.AcceptorPower(line, on=True),
    "acceptor mute": lambda line: do.AcceptorSpeech(line, on=False),
    "acceptor speak": lambda line: do.AcceptorSpeech(line, on=True),
    "stack by itself": lambda line: do.StackByItself(line),
    "repeat escrow": lambda line: do.RepeatEscrow(line),
    "expect receipt": lambda line: do.ExpectReceipt(line),
    "expect no receipt": lambda line: do.ExpectReceipt(line, present=False),
    "cut network": lambda line: do.Network(line, "cut"),
    "stall network": lambda line: do.Network(line, "stalled"),
    "join network": lambda line: do.Network(line, "joined"),
    "empty hopper": lambda line: coins.EmptyHopper(line),
    "jam hopper": lambda line: coins.JamHopper(line, on=True),
    "free hopper": lambda line: coins.JamHopper(line, on=False),
    "lose dispense reply": lambda line: coins.LoseDispenseReply(line),
    "expect hub facts": lambda line: do.ExpectHub(line),
    "expect hub behind": lambda line: do.ExpectHub(line, complete=False),
}


def _insert(read: _Reader) -> Step:
    words, force = read.words[1:], False
    if words[:1] == ["coin"]:
        return coins.InsertCoin(read.line, _money(words[1:], read.currency))
    if words[-2:] == ["by", "force"]:
        words, force = words[:-2], True
    return do.Insert(read.line, _money(words, read.currency), force=force)


def _touch(read: _Reader) -> Step:
    words = shlex.split(read.after(1))
    if not words:
        raise SimulatorError("touch what?", hint="write the intent, e.g. touch pay")
    return do.Touch(read.line, words[0], tuple(words[1:]))


def _wait(read: _Reader) -> Step:
    words = read.words
    if len(words) >= 3 and words[1] == "screen":
        if len(words) == 3:
            return do.WaitScreen(read.line, words[2])
        if words[3] == "within":
            return do.WaitScreen(read.line, words[2], _milliseconds(" ".join(words[4:])))
        raise SimulatorError(f"{' '.join(words[3:])[:40]!r} is not a limit", hint="write within 10 s")
    return do.Wait(read.line, _milliseconds(" ".join(words[1:])))


def _expect(read: _Reader) -> Step:
    what, rest = (read.words[1] if len(read.words) > 1 else ""), read.words[2:]
    if what == "screen" and len(rest) == 1:
        return do.ExpectScreen(read.line, rest[0])
    if what == "due":
        return do.ExpectDue(read.line, _money(rest, read.currency))
    if what == "remaining":
        return do.ExpectRemaining(read.line, _money(rest, read.currency))
    if what == "box":
        return do.ExpectBox(read.line, _money(rest, read.currency))
    if what == "coins":
        return coins.ExpectCoins(read.line, _money(rest, read.currency))
    raise SimulatorError(
        f"cannot expect {read.after(1)[:40]!r}",
        hint="expect screen, due, remaining, receipt, no receipt, box, coins or hub",
    )


def _fill(read: _Reader) -> Step:
    if len(read.words) != 3 or read.words[1] != "hopper":
        raise SimulatorError(f"cannot do {read.text[:40]!r}", hint="fill hopper N or fill stacker")
    return coins.FillHopper(read.line, _count(read.words[2]))


def _device(read: _Reader) -> Step:
    if len(read.words) != 2:
        raise SimulatorError(f"{read.words[0]} which device?", hint="write its configured name")
    return (do.Unplug if read.words[0] == "unplug" else do.Replug)(read.line, read.words[1])


def _several(read: _Reader) -> Step:
    kinds: dict[tuple[str, str], Callable[[int, int], Step]] = {
        ("lose", "replies"): do.LoseReplies,
        ("lose", "acks"): do.LoseAcks,
        ("garble", "replies"): do.GarbleReplies,
    }
    kind = kinds.get((read.words[0], read.words[1] if len(read.words) > 1 else ""))
    if kind is None or len(read.words) != 3:
        raise SimulatorError(f"cannot do {read.text[:40]!r}", hint="lose replies N, lose acks N or garble replies N")
    return kind(read.line, _count(read.words[2]))


def _scan(read: _Reader) -> Step:
    label = read.after(1)
    if not label:
        raise SimulatorError("scan what?", hint="write the label, e.g. scan 2600041712")
    return do.Scan(read.line, _unescape(label))


_VERBS: dict[str, Callable[[_Reader], Step]] = {
    "scan": _scan, "insert": _insert, "fill": _fill, "touch": _touch, "wait": _wait, "expect": _expect,
    "unplug": _device, "replug": _device, "lose": _several, "garble": _several,
}  # fmt: skip


def parse_line(text: str, *, line: int = 1, source: str = "<line>", currency: str = "USD") -> Step | None:
    """Read one line; None for an empty one or a comment.

    >>> parse_line("insert 20 # a note")
    Insert(line=1, value=Money(minor=2000, currency='USD'), force=False)

    Raises:
        ScenarioError: the line means nothing; names file and line.
    """
    body = _COMMENT.sub("", text).strip()
    if not body:
        return None
    fixed = _FIXED.get(" ".join(body.split()))
    if fixed is not None:
        return fixed(line)
    verb = _VERBS.get(body.split()[0])
    try:
        if verb is None:
            raise SimulatorError(f"{body[:60]!r} means nothing here", hint="kiosk simulate --help lists the words")
        return verb(_Reader(body, line, currency))
    except (SimulatorError, MoneyError) as error:
        raise ScenarioError(f"{source}:{line}: {error.message}", hint=error.hint) from None
    except ValueError as error:  # a quotation mark without its fellow
        raise ScenarioError(f"{source}:{line}: {error}", hint="close the quotation mark") from None


def parse(text: str, *, source: str = "<scenario>", currency: str = "USD") -> list[Step]:
    """Read a whole scenario.

    Raises:
        ScenarioError: a line means nothing, or there are too many.
    """
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise ScenarioError(f"{source} has {len(lines)} lines", hint=f"at most {MAX_LINES}")
    steps = (parse_line(body, line=at, source=source, currency=currency) for at, body in enumerate(lines, 1))
    return [step for step in steps if step is not None]


def play(steps: Iterable[Step], stage: do.Stage, *, source: str = "<scenario>") -> int:
    """Carry out the steps one by one and return how many there were.

    Raises:
        ScenarioError: a step could not be done or an expectation did not come true; names file and line.
    """
    played = 0
    for step in steps:
        try:
            step.act(stage)
        except SimulatorError as error:
            if isinstance(error, ScenarioError):
                raise
            raise ScenarioError(f"{source}:{step.line}: {error.message}", hint=error.hint) from error
        played += 1
    return played


def needs_hub(steps: Iterable[Step]) -> bool:
    """Tell whether a scenario speaks of the hub or of the network to it."""
    return any(isinstance(step, do.Network | do.ExpectHub) for step in steps)


def needs_coins(steps: Iterable[Step]) -> bool:
    """Tell whether a scenario speaks of coins, so that it needs a coin acceptor and a hopper."""
    return any(isinstance(step, coins.COIN_STEPS) for step in steps)


def write(step: Step) -> str:
    """Tell a step in one line, for logs."""
    fields = msgspec.structs.asdict(step)
    fields.pop("line")
    shown = " ".join(str(value) for value in fields.values())
    return f"{type(step).__name__} {shown}".strip()
