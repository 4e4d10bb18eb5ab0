"""What those who work around the kiosk of `make thirty-days` do in the course of a month, and what befalls it."""

from __future__ import annotations

from typing import Any

import msgspec

from bench.thirty_days_city import City
from bench.thirty_days_kiosk import Kiosk, S
from bench.thirty_days_people import Staff
from bench.thirty_days_plan import visit_of
from kiosk.checkout import intents
from kiosk.errors import KioskError
from kiosk.model import facts
from kiosk.protocols.id003.codes import HostCommand


class Acts:
    """The acts that a calendar names; `Month` owns what they work on."""

    kiosk: Kiosk
    staff: Staff
    city: City
    day: int
    faults: list[str]
    #: Sessions whose box was counted, and what the count was made over or short by.
    counted: set[int]
    planned: dict[int, int]
    #: Box and seal of each session that ended.
    left: list[tuple[str, str]]
    visit: Any
    _closed: Any

    def commission(self) -> None:
        """Put the journal into service; without it no note is taken."""
        kernel = self.kiosk.kernel
        assert kernel is not None
        if "out.not_commissioned" not in [reason.id for reason in kernel.reasons()]:
            self.faults.append("a live kiosk was open before anybody put it into service")
        kernel.commit((facts.Commissioned("admin:0", self.city.setup.pack.name, "B-1"),), "admin:0")
        self.kiosk.run(3 * S)

    def deliver(self) -> None:
        """Bring new reference data."""
        self.city.deliver(self.kiosk.wall_ns)

    def staff_morning(self) -> None:
        """See that the kiosk runs, look at alarms and slips, print an X report that must change nothing."""
        if self._closed(self.day) and not self.kiosk.acceptor.powered:
            return
        self.staff.awake()
        self.staff.sign_in("p01")
        kernel = self.kiosk.kernel
        assert kernel is not None
        before = kernel.books.money_digest()
        self.staff.press(intents.ReportX())
        if kernel.books.money_digest() != before:
            self.faults.append(f"day {self.day + 1}: an X report changed the books")
        self.staff.press(intents.AcknowledgeAlarms())
        for number in kernel.books.slips_open()[:3]:
            self.staff.press(intents.AcknowledgeSlip(number))
        if self.day % 5 == 0:
            self.staff.press(intents.TestPrint(), intents.ReprintSlip(kernel.books.last_receipt - 1))
        self.staff.sign_out()

    def exchange(self, at: str = "", pause_s: int = 0) -> None:
        """Exchange the box."""
        ended = len(self.staff.taken_out)
        box = self.staff.box
        self.staff.awake()
        self.staff.exchange(at, lambda: self.kiosk.skip(pause_s * S))
        if len(self.staff.taken_out) > ended:
            self.left.append((f"B-{box}", f"S-{box}"))
        kernel = self.kiosk.kernel
        if kernel is None or kernel.books.exchange is not None or kernel.books.box_session != len(self.left) + 1:
            self.faults.append(f"day {self.day + 1}: the exchange ({at}) did not come to its end")

    def removal(self, *, stolen: bool = False) -> None:
        """Somebody takes the box out without a word, and puts it back, or an empty one."""
        box = self.staff.box
        self.staff.take_out()
        self.kiosk.run(120 * S)
        self.staff.put_in(empty=stolen)
        self.left.append((f"B-{box}", f"S-{box}"))

    def theft(self) -> None:
        """The box with everything in it is gone: its count finds nothing."""
        begin = self.staff.taken_out[-1] if self.staff.taken_out else 0
        self.planned[len(self.left) + 1] = -sum(self.staff.notes[begin:])
        self.removal(stolen=True)

    def stray_note(self) -> None:
        """A unit that forgot its inhibits takes a note by force and stacks it by itself: it is nobody's credit."""
        acceptor, lost = self.kiosk.acceptor, self.kiosk.lost
        self.kiosk.run(10 * S)
        self.kiosk.lost_commands = {HostCommand.RETURN}
        acceptor._path.settings[HostCommand.SET_DENOMINATION] = bytes(2)
        if not acceptor.insert(2_000, force=True):
            self.faults.append(f"day {self.day + 1}: the acceptor took no note by force")
        for _ in range(100):
            if (self.kiosk.lost > lost and acceptor.stack_by_itself()) or acceptor.inside is None:
                break
            self.kiosk.step()
        self.kiosk.lost_commands = set()
        self.kiosk.run(20 * S)
        acceptor.take_rejected()
        self.kiosk.run(5 * S)

    def close_day(self) -> None:
        """Close the business date by hand: whoever pays later today posts tomorrow."""
        self.staff.sign_in("p01")
        self.staff.press(intents.CloseDay())
        self.staff.sign_out()

    def training(self) -> None:
        """Show somebody the kiosk, on the journal of training."""
        self.staff.sign_in("p01")
        self.staff.press(intents.ChangeRealm("training"))
        if self.kiosk.wanted_realm != "training":
            self.faults.append("the kiosk did not go over to training")
            return
        self.kiosk.change_realm("training")
        self.kiosk.run(8 * S)
        self.visit(chosen=msgspec.structs.replace(visit_of(self, plain=True), style="short", stop_after=0))
        self.staff.sign_in("p01")
        self.staff.press(intents.ReportX(), intents.TestPrint(), intents.CloseDay(), intents.ChangeRealm("live"))
        self.kiosk.change_realm("live")
        self.kiosk.run(8 * S)

    def tests(self) -> None:
        """Try the devices: a note that comes back, a scan, a slip; and a wrong PIN."""
        self.staff.press(intents.CallOperator(), intents.EnterPin("p01", "0001"), intents.Cancel())
        self.staff.sign_in("p01")
        self.staff.press(intents.TestNote())
        self.kiosk.acceptor.insert(500)
        self.kiosk.run(4 * S)
        self.kiosk.acceptor.take_rejected()
        self.kiosk.run(2 * S)
        self.staff.press(intents.Back(), intents.TestScan(), intents.Back(), intents.TestPrint())
        self.staff.sign_out()

    def shutter(self) -> None:
        """Close the counter for half an hour, over a restart."""
        self.staff.sign_in("p01")
        self.staff.press(intents.Shutter(True))
        self.staff.sign_out()
        self.kiosk.stop("restart")
        self.kiosk.start()
        self.kiosk.skip(1_800 * S)
        self.staff.sign_in("p01")
        self.staff.press(intents.Shutter(False))
        self.staff.sign_out()

    def power_away(self) -> None:
        """Switch everything off until somebody switches it on again."""
        if self.kiosk.acceptor.powered:
            self.kiosk.cut_power()

    def closed_all_day(self) -> None:
        """Nothing comes today."""

    def paper_ends(self) -> None:
        """The last paper is used up, and nobody brings any."""
        self.kiosk.printer.paper_out()
        self.kiosk.run(60 * S)

    def turned_away(self) -> None:
        """Somebody comes while nothing can be paid, and keeps the money."""
        kernel = self.kiosk.kernel
        paid, notes = kernel.books.payments if kernel is not None else 0, len(self.staff.notes)
        self.visit(chosen=visit_of(self, plain=True))
        if kernel is None or kernel.books.payments != paid or len(self.staff.notes) != notes:
            self.faults.append(f"day {self.day + 1}: somebody paid at a kiosk that was out of service")

    def configure(self, without_paper: str) -> None:
        """Start with another configuration."""
        self.kiosk.stop("new configuration")
        self.kiosk.settings = msgspec.structs.replace(self.kiosk.settings, without_paper=without_paper)
        self.kiosk.configuration = f"settings-{without_paper}"
        self.kiosk.start()
        self.kiosk.run(8 * S)

    def paper_comes(self) -> None:
        """Load a roll again."""
        self.kiosk.printer.load_paper()
        self.configure("refuse")

    def count(self) -> None:
        """Count every box that waits: mostly right, sometimes a note over or short, once by who collected it."""
        if self.kiosk.kernel is None:
            return
        edges = [0, *self.staff.taken_out]
        for session in range(1, len(edges)):
            if session in self.counted:
                continue
            notes = self.staff.notes[edges[session - 1] : edges[session]]
            off = self.planned.get(session, 0)
            if off:
                notes = []
            elif session % 4 == 2 and notes:
                off, notes = -notes[0], notes[1:]
            elif session % 4 == 3:
                off, notes = 100, [*notes, 100]
            box, seal = self.left[session - 1]
            expected = sum(notes) - off
            second = "p04" if abs(off) > 500 or abs(off) * 1000 > expected * 5 else ""
            by = "p02" if session == 3 else "p03"
            try:
                self.staff.count(session, box, seal, notes, by=by, second=second, tries=2 if session % 2 else 1)
            except KioskError as error:
                self.faults.append(f"day {self.day + 1}: box {session} could not be counted: {error}")
                return
            self.counted.add(session)
            self.planned[session] = off
