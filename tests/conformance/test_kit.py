"""The conformance kit finds what is broken: each rule has a driver here that breaks it, and nothing else stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec
import pytest

from kiosk.drivers import cctalk_coin_acceptor, cctalk_hopper, escpos_printer, id003_acceptor
from kiosk.model.commands import CheckHealth, Confirm, DeviceCommand, HoldNote, Print
from kiosk.model.device_events import (
    CoinAccepted,
    CommandRefused,
    DeviceEvent,
    DeviceState,
    NoteStacked,
    PayoutEnded,
    PayoutReady,
    PrintReady,
    ProtocolFault,
    Scanned,
)
from kiosk.plugins.conformance import RULES, Subject, check_driver, examine, grade
from kiosk.plugins.conformance.conversation import Faults
from kiosk.plugins.conformance.orders import COMMANDS
from kiosk.plugins.devices import (
    Driver,
    DriverSpec,
    DriverTools,
    Lost,
    Opened,
    OpenNote,
    Outbound,
    PortEvent,
    PortRequest,
    Reply,
    Sent,
    Write,
    WriteTimedOut,
)
from kiosk.protocols.id003.rehearsal import rehearsal as id003_rehearsal
from kiosk.protocols.rehearsal import Rehearsal
from kiosk.protocols.scanner_device import LineScannerDevice

MS = 1_000_000
LINES = Rehearsal((b"4711\n", b"a\nb\n", b"CIT-0815\n"), device=lambda: LineScannerDevice(suffix=b"\n"))


class Options(msgspec.Struct, frozen=True):
    pass


class Echo:
    """A well-behaved scanner of lines; most of those below break it in one place each."""

    def __init__(self) -> None:
        self.buffer = b""
        self.events: list[DeviceEvent] = []
        self.outbound: list[Outbound] = []
        self.state = DeviceState("unknown", "unknown")

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None: ...

    def port(self, event: PortEvent, now: int) -> None:
        if isinstance(event, Opened | Lost):
            good = isinstance(event, Opened)
            self.state = DeviceState("ready" if good else "unknown", "ok" if good else "unknown")
            self.events.append(self.state)

    def received(self, data: bytes, now: int) -> None:
        self.buffer += data
        while b"\n" in self.buffer:
            line, _, self.buffer = self.buffer.partition(b"\n")
            self.events.append(Scanned(line.decode("utf-8", "replace")))
        self.buffer = self.buffer[-1000:]

    def tick(self, now: int) -> None: ...

    def command(self, cmd: DeviceCommand, now: int) -> None:
        refused = CommandRefused(str(cmd.__struct_config__.tag), "a scanner")
        self.events.append(self.state if isinstance(cmd, CheckHealth) else refused)

    def deadline(self) -> int | None:
        return None

    def take_outbound(self) -> list[Outbound]:
        taken, self.outbound = self.outbound, []
        return taken

    def take_events(self) -> list[DeviceEvent]:
        taken, self.events = self.events, []
        return taken


def spec_of(driver: Callable[[], object], **more: Any) -> DriverSpec:
    found: dict[str, Any] = {"states": ("ready", "unknown"), "rehearsal": lambda: LINES, **more}
    return DriverSpec(
        name="echo", device_class="Scanner", transports=("serial",), options=Options,
        build=lambda options, tools: driver(), **found,
    )  # fmt: skip


class ForgetsSplits(Echo):
    def received(self, data: bytes, now: int) -> None:
        if data.endswith(b"\n"):
            self.events.append(Scanned(data[:-1].decode("latin-1")))


class DiesOfGarbage(Echo):
    def received(self, data: bytes, now: int) -> None:
        data.decode("ascii")
        super().received(data, now)


class Polls(Echo):
    """Asks every 200 ms and never minds the answer."""

    every = 200 * MS
    due = 0

    def port(self, event: PortEvent, now: int) -> None:
        super().port(event, now)
        if isinstance(event, Opened):
            self.due = now

    def tick(self, now: int) -> None:
        self.outbound.append(Write(b"?"))
        self.due = now + self.every

    def deadline(self) -> int | None:
        return self.due


class PollsTooOften(Polls):
    every = 10 * MS


class Hurries(Polls):
    every = MS


class DiesOfReplugging(Echo):
    lost = 0

    def port(self, event: PortEvent, now: int) -> None:
        super().port(event, now)
        self.lost += isinstance(event, Lost)
        assert self.lost < 3


class DiesOfPrint(Echo):
    def command(self, cmd: DeviceCommand, now: int) -> None:
        assert not isinstance(cmd, Print)
        super().command(cmd, now)


class Spins(Echo):
    def deadline(self) -> int | None:
        return 5


class Swallows(Echo):
    def command(self, cmd: DeviceCommand, now: int) -> None: ...


class NeverWell(Echo):
    def command(self, cmd: DeviceCommand, now: int) -> None:
        if not isinstance(cmd, CheckHealth):
            super().command(cmd, now)


class Hoards(Echo):
    kept = b""

    def received(self, data: bytes, now: int) -> None:
        self.kept += data
        super().received(data, now)


class HoardsDeep(Echo):
    """Keeps it where nobody looks: in a list of objects inside a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.cellar: dict[str, list[Echo]] = {"shelf": []}

    def received(self, data: bytes, now: int) -> None:
        jar = Echo()
        jar.buffer = data
        self.cellar["shelf"].append(jar)
        super().received(data, now)


class DiesOfStalling(Echo):
    def port(self, event: PortEvent, now: int) -> None:
        super().port(event, now)
        assert not isinstance(event, WriteTimedOut)


class Invents(Echo):
    def port(self, event: PortEvent, now: int) -> None:
        self.events.append(DeviceState("splendid", "ok"))


class Floods(Echo):
    def received(self, data: bytes, now: int) -> None:
        self.outbound.append(Write(bytes(5_000_000)))


class NeverEnds(Echo):
    def port(self, event: PortEvent, now: int) -> None:
        self.outbound.append(Write(b"x") if isinstance(event, Sent) else Write(b"y"))


class Fractions(Echo):
    def deadline(self) -> int | None:
        return 1e99  # type: ignore[return-value]


class Optimist(Echo):
    """A lost port is no reason to worry."""

    def port(self, event: PortEvent, now: int) -> None:
        super().port(Opened() if isinstance(event, Lost) else event, now)


class Mumbles(Echo):
    """Raw codes in words of its own."""

    def port(self, event: PortEvent, now: int) -> None:
        self.events.append(DeviceState("ready", "ok", raw="all well") if isinstance(event, Opened) else self.state)


class Mishears(Echo):
    def received(self, data: bytes, now: int) -> None:
        super().received(data.lower(), now)


class FragileDevice(LineScannerDevice):
    def received(self, data: bytes, now: int) -> None:
        data.decode("ascii")


def broken_by(spec: DriverSpec, rule: str, **more: Any) -> list[str]:
    """The findings of one rule."""
    subject = Subject(spec, **more)
    (outcome,) = examine(subject, [each for each in RULES if each.id == rule])
    assert outcome.status in ("held", "broken"), outcome.reason
    return [finding.message for finding in outcome.findings]


def test_a_driver_that_keeps_the_contract_has_no_findings_and_is_gold() -> None:
    spec = spec_of(Echo)
    assert check_driver(spec, [b"4711\n", b"a\nb\n"]) == []
    assert grade(Subject(spec), examine(Subject(spec))) == "gold"


BROKEN: list[tuple[str, Any, str]] = [
    ("declaration", {"device_class": "Toaster"}, "device class"),
    ("declaration", {"rehearsal": b""}, "rehearsal"),
    ("split", ForgetsSplits, "something else"),
    ("garbage", DiesOfGarbage, "UnicodeDecodeError"),
    ("garbage", Floods, "queues more"),
    ("garbage", Swallows, "not refused"),
    ("silence", Polls, "does not say"),
    ("unplug", DiesOfReplugging, "AssertionError"),
    ("orders", DiesOfPrint, "AssertionError"),
    ("orders", Invents, "splendid"),
    ("orders", NeverEnds, "for ever"),
    ("orders", Fractions, "whole nanoseconds"),
    ("deadline", Spins, "did not move"),
    ("deadline", Hurries, "ticks a second"),
    ("bounded", Hoards, "bytes more"),
    ("bounded", HoardsDeep, "bytes more"),
    ("stalled", DiesOfStalling, "AssertionError"),
    ("health", NeverWell, "not answered"),
    ("vectors", {"rehearsal": lambda: Rehearsal((b"1\n", b"1\n", b"2\n"))}, "fewer"),
    ("states", Optimist, "lost"),
    ("states", Mumbles, "hexadecimal"),
    ("states", {"states": ()}, "declares no states"),
    ("conversation", Mishears, "not as they were scanned"),
    ("rest", PollsTooOften, "times a second"),
    ("device", {"rehearsal": lambda: msgspec.structs.replace(LINES, device=FragileDevice)}, "UnicodeDecodeError"),
]


@pytest.mark.parametrize(("rule", "driver", "words"), BROKEN)
def test_each_rule_finds_the_driver_that_breaks_it(rule: str, driver: Any, words: str) -> None:
    spec = msgspec.structs.replace(spec_of(Echo), **driver) if isinstance(driver, dict) else spec_of(driver)
    given = {"rehearsal": LINES} if rule == "declaration" else {}
    found = broken_by(spec, rule, **given)
    assert any(words in message for message in found), found


# --- money: an acceptor that works, and what may be wrong with one ----------------------------------------------------


class Behind:
    """Stands before a driver and lets everything through; those below change one thing each."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    def take_events(self) -> list[DeviceEvent]:
        return self.driver.take_events()

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.driver.command(cmd, now)


def twice(events: list[DeviceEvent], kind: type[Any]) -> list[DeviceEvent]:
    """Return the events of a kind once more, with other tokens."""
    return [msgspec.structs.replace(each, token=each.token + 5000) for each in events if isinstance(each, kind)]


class Doubles(Behind):
    """Tells each stacked note twice."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        doubles = [
            msgspec.structs.replace(each, token=each.token + 5000) for each in events if isinstance(each, NoteStacked)
        ]
        return [*events, *doubles]


class Rushes(Behind):
    """Confirms to itself what nobody has committed."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        for event in events:
            if isinstance(event, NoteStacked | PrintReady | PayoutReady):
                self.driver.command(Confirm(event.token), 10**12)
        return events


class Forgets(Behind):
    """Remembers nothing of the note in flight."""

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        self.driver.remember(marks, None, entropy)


class Drops(Behind):
    """Keeps silent about notes that were stacked while nobody listened."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        return [each for each in events if not (isinstance(each, NoteStacked) and each.recovered)]


class DropsWhenOrdered(Behind):
    """Takes an order about another note for leave to forget the one inside."""

    ordered = False

    def command(self, cmd: DeviceCommand, now: int) -> None:
        self.ordered = self.ordered or isinstance(cmd, HoldNote)
        self.driver.command(cmd, now)

    def take_events(self) -> list[DeviceEvent]:
        money = NoteStacked | CoinAccepted
        return [each for each in self.driver.take_events() if not (self.ordered and isinstance(each, money))]


class DropsAfterCable(Behind):
    """Begins anew so thoroughly that what happened before is gone."""

    lost = False

    def port(self, event: PortEvent, now: int) -> None:
        self.lost = self.lost or isinstance(event, Lost)
        self.driver.port(event, now)

    def take_events(self) -> list[DeviceEvent]:
        return [each for each in self.driver.take_events() if not (self.lost and isinstance(each, NoteStacked))]


class DoublesCoins(Behind):
    """Tells each coin twice."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        return [*events, *twice(events, CoinAccepted)]


class ForgetsMarks(Behind):
    """Remembers nothing at all."""

    def remember(self, marks: Mapping[str, str], open_note: OpenNote | None, entropy: bytes) -> None:
        self.driver.remember({}, None, entropy)


class Boasts(Behind):
    """Tells every payout as done."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        for at, each in enumerate(events):
            if isinstance(each, PayoutEnded):
                events[at] = msgspec.structs.replace(each, paid=each.paid + each.unpaid + 1, unpaid=0)
        return events


class GivesUp(Behind):
    """Waits for ever for an answer that was lost."""

    gone = False

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        self.gone = self.gone or any(isinstance(each, ProtocolFault) and each.kind == "timeout" for each in events)
        return events

    def deadline(self) -> int | None:
        return None if self.gone else self.driver.deadline()


class Interrupts(Behind):
    """Gives itself what it should ask for; `mine` are the kinds of requests that never reach the line."""

    mine: tuple[str, ...] = ("turn", "turn_over")
    now = 0

    def port(self, event: PortEvent, now: int) -> None:
        self.now = now
        self.driver.port(event, now)

    def tick(self, now: int) -> None:
        self.now = now
        self.driver.tick(now)

    def take_outbound(self) -> list[Outbound]:
        taken: list[Outbound] = []
        for _ in range(5):
            for item in self.driver.take_outbound():
                if isinstance(item, PortRequest) and item.kind in self.mine:
                    self.driver.port(Reply(item.id, True), self.now)
                else:
                    taken.append(item)
        return taken


class Hogs(Interrupts):
    mine = ("turn_over",)


class Shrugs(Behind):
    """Refuses without saying what."""

    def take_events(self) -> list[DeviceEvent]:
        events = self.driver.take_events()
        return [
            msgspec.structs.replace(each, note=None) if isinstance(each, CommandRefused) else each for each in events
        ]


def behind(kind: type[Behind], spec: DriverSpec) -> DriverSpec:
    return msgspec.structs.replace(spec, build=lambda options, tools: kind(spec.build(options, tools)))


@pytest.mark.parametrize(
    ("rule", "driver", "words"),
    [
        ("conversation", Doubles, "were booked"),
        ("power", Doubles, "were booked"),
        ("recovery", Forgets, "the box"),
        ("power", Drops, "are in the box"),
        ("confirm", Rushes, "nothing waited"),
        ("disturbed", DropsWhenOrdered, "are in the box"),
        ("disturbed", DropsAfterCable, "are in the box"),
        ("departed", Shrugs, "not refused by its name"),
        ("orders", Shrugs, "intent stays open"),
    ],
)
def test_each_money_rule_finds_the_acceptor_that_breaks_it(rule: str, driver: type[Behind], words: str) -> None:
    found = broken_by(behind(driver, id003_acceptor.SPEC), rule)
    assert any(words in message for message in found), found


@pytest.mark.parametrize(
    ("rule", "driver", "words"),
    [
        ("conversation", DoublesCoins, "were booked"),
        ("power", DoublesCoins, "were booked"),
        ("recovery", ForgetsMarks, "are in the box"),
        ("disturbed", DropsWhenOrdered, "are in the box"),
    ],
)
def test_each_money_rule_finds_the_coin_acceptor_that_breaks_it(rule: str, driver: type[Behind], words: str) -> None:
    found = broken_by(behind(driver, cctalk_coin_acceptor.SPEC), rule)
    assert any(words in message for message in found), found


@pytest.mark.parametrize(
    ("rule", "driver", "words"),
    [
        ("conversation", Boasts, "coins left the hopper"),
        ("power", Boasts, "coins left the hopper"),
        ("recovery", ForgetsMarks, "coins left the hopper"),
        ("confirm", Rushes, "before the payout was committed"),
        ("turns", Interrupts, "not its turn"),
        ("turns", Hogs, "keeps the turn"),
    ],
)
def test_each_money_rule_finds_the_hopper_that_breaks_it(rule: str, driver: type[Behind], words: str) -> None:
    found = broken_by(behind(driver, cctalk_hopper.SPEC), rule)
    assert any(words in message for message in found), found


def test_a_printer_that_prints_before_the_commit_is_found() -> None:
    found = broken_by(behind(Rushes, escpos_printer.SPEC), "confirm")
    assert any("before it is committed" in message for message in found), found


def test_a_message_that_nobody_can_explain_is_found() -> None:
    own = id003_rehearsal("BillAcceptor")
    assert own is not None
    garbled = msgspec.structs.replace(own, vectors=(*own.vectors, b"\xfc\x05\x11\x00\x00"))
    assert broken_by(id003_acceptor.SPEC, "explained", rehearsal=garbled)


# --- the kit itself ---------------------------------------------------------------------------------------------------


def test_every_order_there_is_is_tried() -> None:
    assert {type(cmd) for cmd in COMMANDS} == set(get_args(DeviceCommand))


def test_every_rule_has_a_driver_here_that_breaks_it() -> None:
    money = {"conversation", "power", "recovery", "confirm", "departed", "disturbed", "explained", "turns"}
    assert {rule.id for rule in RULES} == {name for name, *_ in BROKEN} | money


def test_rules_have_names_of_their_own_and_one_sentence() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.sentence.endswith(".") and rule.grade in ("bronze", "silver", "gold") for rule in RULES)


def test_a_driver_without_material_is_bronze_at_most() -> None:
    subject = Subject(spec_of(Echo, rehearsal=None))
    assert grade(subject, examine(subject)) == "bronze"


def test_a_driver_without_a_device_to_talk_to_is_silver_at_most() -> None:
    subject = Subject(spec_of(Echo, rehearsal=lambda: msgspec.structs.replace(LINES, device=None)))
    assert grade(subject, examine(subject)) == "silver"


def test_the_line_of_a_conversation_loses_doubles_and_flips_one_bit() -> None:
    message = bytes(range(40))
    for faults, judge in (
        (Faults(), lambda heard: heard == [message]),
        (Faults(lost=1000), lambda heard: heard == []),
        (Faults(doubled=1000), lambda heard: heard == [message, message]),
        (Faults(garbled=1000), lambda heard: [
            (one ^ other).bit_count() for one, other in zip(heard[0], message, strict=True) if one != other] == [1]),
    ):  # fmt: skip
        talk = Subject(spec_of(Echo)).conversation("a line", faults)
        heard: list[bytes] = []
        talk.device.received = lambda data, now, heard=heard: heard.append(data)
        talk.wrote(message)
        talk.run(100)
        assert judge(heard), faults


def test_a_driver_that_gives_up_at_the_first_lost_reply_is_found_on_the_bad_lines_only() -> None:
    (rule,) = [each for each in RULES if each.id == "conversation"]
    (outcome,) = examine(Subject(behind(GivesUp, id003_acceptor.SPEC)), [rule])
    situations = {finding.situation.partition(",")[0] for finding in outcome.findings}
    assert "a line that loses" in situations
    assert "a good line" not in situations


def test_a_driver_that_breaks_bronze_has_no_grade_whatever_else_it_keeps() -> None:
    subject = Subject(spec_of(Hoards))
    assert grade(subject, examine(subject)) == "none"


def test_the_tools_of_the_core_are_lent_when_they_are_given() -> None:
    lent: list[DriverTools] = []
    spec = msgspec.structs.replace(spec_of(Echo), build=lambda options, tools: lent.append(tools) or Echo())
    tools = DriverTools(currency="XTS")
    check_driver(spec, tools=tools)
    assert tools in lent
