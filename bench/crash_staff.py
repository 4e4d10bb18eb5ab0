"""The people who work at the kiosk of `make crash`, and what the journal must tell of the cash box after them.

They do their duty once the citizen has left, at the screen and with their hands, and begin again where a kill threw
them out: an exchange that was authorised has to be ended, a closing that was committed must not happen twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.crash_core import PINS, Word
from kiosk.checkout import intents
from kiosk.core.books import Books
from kiosk.journal.reader import Reader
from kiosk.model import facts

if TYPE_CHECKING:
    from bench.crash_world import World

#: Account of the role `held_tender` in the example city's chart.
HELD_ACCOUNT = "A699"
NUMBERS = intents.ExchangeNumbers("B-1", "B-2", "S-77")


class Staff:
    """Two collectors and a counter, with one duty; owns what their hands did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._duty = world.scenario.duty
        #: The box stands on the floor; a fresh one is in the kiosk.
        self._out = self._swapped = False
        self._asked_to_end = False
        self._tried = self._counted = False

    @property
    def busy(self) -> bool:
        """Something is left to be done."""
        view = self._world.view
        return bool(self._duty) and (not self._done(view) or view["screen"] in ("signing_in", "attended", "exchanging"))

    def _done(self, view: dict[str, Any]) -> bool:
        match self._duty:
            case "exchange":
                return not view["exchange"] and view["box_session"] == 2
            case "abandon":
                return self._asked_to_end and not view["exchange"]
            case "close":
                return bool(view["last_z"])
            case "count":
                return self._counted
            case _:
                return True

    def act(self, screen: str) -> bool:
        """Do the next thing at this screen; False where it is none of theirs."""
        if not self.busy:
            return False
        view = self._world.view
        if screen in ("idle", "out_of_service"):
            if self._duty == "count" and not view["exchange"] and view["box_session"] == 2:
                self._count()
            else:
                self._touch(intents.CallOperator())
        elif screen == "signing_in":
            self._touch(intents.EnterPin("p01", PINS["p01"][0]))
        elif screen == "attended":
            self._at_menu(view)
        elif screen == "exchanging":
            self._at_exchange(view["stage"])
        else:
            return False
        return True

    def _touch(self, intent: intents.AnyIntent) -> None:
        self._world.touch(intent)

    def _at_menu(self, view: dict[str, Any]) -> None:
        exchanged = self._duty == "count" and not view["exchange"] and view["box_session"] == 2
        if self._done(view) or exchanged:
            self._touch(intents.SignOut())
        else:
            self._touch(intents.CloseDay() if self._duty == "close" else intents.BeginExchange())

    def _at_exchange(self, stage: str) -> None:
        if stage == "numbers":
            self._touch(NUMBERS)
        elif stage == "second":
            self._touch(intents.EnterPin("p02", PINS["p02"][0]))
        elif not self._swapped and not self._out:
            self._world.acceptor.remove_cashbox()
            self._out = True
        elif self._out:
            # Who abandons puts the same box back.
            self._world.acceptor.insert_cashbox(empty=self._duty != "abandon")
            self._out, self._swapped = False, True
        else:
            self._asked_to_end = True
            self._touch(intents.AbandonExchange() if self._duty == "abandon" else intents.ConfirmExchange())

    # --- the count ----------------------------------------------------------------------------------------

    def _ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        proof = {"person": "p03", "pin": PINS["p03"][0]} if verb != "count.list" else {}
        self._world.tell(Word("verb", self._world.now, body={"verb": verb, "arguments": {**proof, **arguments}}))
        told = self._world.view.get("answer", {}) if self._world.alive else {}
        return told if isinstance(told, dict) else {}

    def _count(self) -> None:
        """Receive the box, count it once and once for good, close the count; wherever it was left."""
        boxes = {box["session"]: box["state"] for box in self._ask("count.list").get("boxes", ())}
        if not self._world.alive:
            return
        state = boxes.get(1, "")
        notes = self._world.acceptor.collected
        counted = [[value, notes.count(value)] for value in sorted(set(notes))]
        if state == "to_receive":
            self._ask("count.receive", session=1, box="B-1", seal="S-1", seal_whole=True)
        elif state == "to_count":
            # First wrong, then right; whether the wrong one was recorded before a kill does not matter.
            right, self._tried = self._tried, True
            self._ask("count.attempt", session=1, notes=counted if right else [[100, 1]], final=right)
        elif state == "to_close":
            self._ask("count.close", session=1)
        else:
            self._counted = state == "closed"


def custody_differences(world: World) -> list[str]:
    """Hold boxes, closings and counts of the journal against what hands did and what lies in the boxes."""
    books, found = Books(), []
    bodies: list[Any] = []
    with Reader(world.state / "journal.db") as reader:
        for committed in reader.read():
            books.apply(committed)
            bodies.append(committed.fact.body)
    closings = [body for body in bodies if isinstance(body, facts.DayClosed)]
    if [z.number for z in closings] != list(range(1, len(closings) + 1)):
        found.append(f"Z numbers are not contiguous: {[z.number for z in closings]}")
    total = 0
    for z in closings:
        total += z.period.taken_minor
        if z.grand_total_minor != total:
            found.append(f"the grand total of Z {z.number} is {z.grand_total_minor}, not {total}")
    boxes = sorted(books.boxes.values(), key=lambda page: page.session)
    held = [number for page in boxes for number in page.closings] + list(books.box_closings)
    if held != [z.number for z in closings]:
        found.append(f"closings {[z.number for z in closings]} lie in boxes as {held}")
    if books.exchange is not None:
        found.append("an exchange is still open")
    kinds = [type(body) for body in bodies]
    causes = [z.cause for z in closings]
    match world.scenario.custody:
        case "exchange" | "count":
            left, inside = sum(world.acceptor.collected), sum(world.acceptor.cashbox)
            told = (sum(page.content_minor("USD") for page in boxes), _sum(books.box.get("USD", {})))
            if kinds.count(facts.BoxExchanged) != 1 or [page.ended_by for page in boxes] != ["exchange"]:
                found.append(f"one exchange was done, the journal tells {kinds.count(facts.BoxExchanged)}")
            if told != (left, inside):
                found.append(f"the boxes hold {left} and {inside}, the journal tells {told}")
            closed = [body for body in bodies if isinstance(body, facts.CountClosed)]
            if world.scenario.custody == "count" and [(c.expected_minor, c.over_short_minor) for c in closed] != [
                (left, 0)
            ]:
                found.append(f"the box holds {left}, counts closed: {closed}")
        case "abandon":
            if facts.BoxExchanged in kinds or not kinds.count(facts.ExchangeAbandoned):
                found.append("an exchange that was given up was done, or never ended")
        case "close":
            if causes != ["operator"]:
                found.append(f"one day was closed by a person, closings by {causes}")
        case "cut_off":
            if causes != ["cut_off"]:
                found.append(f"one day ended, closings by {causes}")
        case "removal":
            # A kill before it happens, or a core that is dead while it does, sees no removal.
            if len(boxes) != causes.count("removal") or ("removal" not in causes and not world.kills):
                found.append(f"{len(boxes)} boxes left, closings by {causes}")
        case "held":
            # Whoever is thrown out by a kill before the first note of the second visit may leave it held.
            if books.held and not world.kills:
                found.append(f"money is still held: {books.held}")
            if _sum_of(books.held) != -books.balances.get("USD", {}).get(HELD_ACCOUNT, 0):
                found.append(f"held {books.held} is not what stands on its account")
        case _:
            pass
    return found


def _sum_of(held: dict[str, int]) -> int:
    return sum(held.values())


def _sum(notes: dict[int, int]) -> int:
    return sum(value * count for value, count in notes.items())
