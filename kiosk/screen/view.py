"""What a snapshot looks like: which title, which buttons in which order, which sums.

A view is made anew for each drawing and holds nothing afterwards.  It draws only intents that the snapshot allows,
and it draws every allowed one that a person could need, so that nobody is left on a screen without a way on.
"""

from __future__ import annotations

import msgspec
from markupsafe import Markup

from kiosk.core.slip_layouts import sum_word
from kiosk.core.snapshot import Snapshot
from kiosk.model.money import Money
from kiosk.model.texts import Parameter, Text
from kiosk.screen.operator import STAFF_INTENTS, STAFF_SCREENS, no_way_back, staff_title
from kiosk.texts import Catalogue

SCREENS = (
    "idle", "entering", "looking_up", "notice", "reviewing", "consenting", "accepting", "note_held", "stacking",
    "returning", "stopping", "timed_out", "settling", "dispensing", "receipting", "thanking", "resuming",
    "out_of_service", *STAFF_SCREENS,
)  # fmt: skip

#: The row of buttons: (intent, look), from left to right; the last one is the way on.  An intent that is allowed and
#: stands in no list is drawn at the left.
ROWS: dict[str, tuple[tuple[str, str], ...]] = {
    "idle": (("begin", "primary"),),
    "entering": (("back", "plain"),),
    "looking_up": (("cancel", "plain"),),
    "notice": (("begin", "plain"), ("add_another", "plain"), ("dismiss", "primary")),
    "reviewing": (("cancel", "plain"), ("back", "plain"), ("add_another", "plain"), ("pay", "primary")),
    "consenting": (("cancel", "plain"), ("back", "plain"), ("accept_conditions", "primary")),
    "accepting": (("back", "plain"), ("cancel", "plain"), ("finish", "plain"), ("keep_paying", "primary")),
    "note_held": (("cancel", "plain"), ("decline_excess", "plain"), ("agree_excess", "primary")),
    "stopping": (("finish", "plain"), ("keep_paying", "primary")),
    "timed_out": (("cancel", "plain"), ("finish", "plain"), ("more_time", "primary")),
    "receipting": (("dismiss", "primary"),),
    "thanking": (("begin", "plain"), ("dismiss", "primary")),
    "resuming": (("finish", "plain"), ("keep_paying", "primary")),
    "out_of_service": (("finish", "plain"), ("dismiss", "primary")),
    "signing_in": (("cancel", "plain"),),
    "attended": (("sign_out", "plain"),),
    "exchanging": (("back", "plain"),),
    "testing": (("back", "primary"),),
}

#: Intents with a place of their own on the screen.
ELSEWHERE = {"language", "enter_number", "enter_plate", "remove_invoice"} | STAFF_INTENTS
#: (screen, intent) that does the same as a button of that screen, so that it needs no second one: (…, that button).
SAME_AS = {
    ("entering", "cancel"): "back",
    ("consenting", "cancel"): "back",
    ("notice", "back"): "dismiss",
    ("notice", "cancel"): "dismiss",
    ("accepting", "finish"): "cancel",
    ("note_held", "finish"): "cancel",
    ("note_held", "cancel"): "decline_excess",
    ("stopping", "cancel"): "finish",
    ("stopping", "more_time"): "keep_paying",
    ("timed_out", "keep_paying"): "more_time",
    ("timed_out", "finish"): "cancel",
    ("resuming", "cancel"): "finish",
    ("exchanging", "cancel"): "back",
    ("testing", "cancel"): "back",
}
#: Screens on which money moves for a second or two: buttons that come and go would only be hit by mistake.
MOVING = {"stacking", "returning", "dispensing"}
#: Sums of a slip that the screen names, in order.
SUMS = (
    "due", "already_paid", "used", "tender", "applied", "overpayment", "change", "change_pending", "change_disputed",
    "owed", "held", "remaining", "pending",
)  # fmt: skip


class Action(msgspec.Struct, frozen=True):
    """One button of the row."""

    intent: str
    label: str
    #: ``primary`` or ``plain``.
    look: str


class View:
    """A snapshot in words, for the templates."""

    def __init__(
        self, snapshot: Snapshot, catalogue: Catalogue, *, key: str = "", now_ns: int, modes: tuple[str, ...] = ()
    ) -> None:
        self.snapshot = snapshot
        self.catalogue = catalogue
        self.language = snapshot.language
        #: ``ltr`` or ``rtl``.
        self.direction = catalogue.direction(snapshot.language)
        #: What the person in front has switched on (`kiosk.screen.modes`).
        self.modes = modes
        #: What a form must carry to be taken for one of ours.
        self.key = key
        self.screen = snapshot.screen if snapshot.screen in SCREENS else "out_of_service"
        self.ends_in_ms = remaining_ms(snapshot, now_ns)

    @property
    def event_id(self) -> str:
        """Identifies this snapshot, drawn in these modes, across restarts; the id of the server-sent event."""
        return ":".join((event_id(self.snapshot), *self.modes))

    def t(self, message: str, /, **params: Parameter) -> str:
        """A text by its id."""
        return self.catalogue.word(message, self.language, **params)

    def say(self, told: Text) -> str:
        """A text of the snapshot."""
        return self.catalogue.say(told, self.language)

    def money(self, amount: Money) -> str:
        """An amount in the reader's manner."""
        return self.catalogue.money(amount, self.language)

    def note(self, amount: Money) -> str:
        """The value of a note."""
        return self.catalogue.note(amount, self.language)

    def date(self, iso: str) -> str:
        """An ISO date in the reader's manner."""
        return self.catalogue.date(iso, self.language)

    def own_name(self, language: str) -> str:
        """The name of a language in that language."""
        return self.catalogue.word("language.name", language)

    def allows(self, intent: str) -> bool:
        """Whether the kernel would take this intent now."""
        return intent in self.snapshot.allowed

    @property
    def as_of(self) -> str:
        """When the data was told from which the prices come."""
        return self.catalogue.moment(self.snapshot.data_as_of, self.language)

    @property
    def seconds_left(self) -> Markup:
        """The countdown, with the number where the page can find it."""
        seconds = "" if self.ends_in_ms is None else str(-(-self.ends_in_ms // 1000))
        before, _, after = self.t("screen.seconds", seconds="\0").partition("\0")
        return Markup("{}<span data-seconds>{}</span>{}").format(before, seconds, after)

    @property
    def title(self) -> str:
        """The heading of the screen."""
        shot = self.snapshot
        if self.screen == "reviewing" and len(shot.cart) > 1:
            return self.t("screen.reviewing.title_several", count=len(shot.cart))
        if self.screen == "note_held" and self.over_the_due:
            return self.t("screen.note_held.title_excess")
        if self.screen == "receipting" and shot.slips and shot.slips[0].kind in ("credit", "disputed", "suspense"):
            return self.t(f"screen.receipting.title_{shot.slips[0].kind}")
        if self.screen in STAFF_SCREENS:
            return self.t(staff_title(shot))
        return self.t(f"screen.{self.screen}.title")

    @property
    def is_staff(self) -> bool:
        """Whether this screen is for people who work here."""
        return self.screen in STAFF_SCREENS

    @property
    def over_the_due(self) -> bool:
        """Whether the held note is more than what remains and the citizen is asked."""
        return self.allows("agree_excess") and bool(self.snapshot.note_excess)

    @property
    def excess_words(self) -> str:
        """The words for a held note that is too much: whether it comes back in coins stands in the message below."""
        change = any(told.id.startswith("message.excess_change") for told in self.snapshot.messages)
        return "screen.note_held.excess_change" if change else "screen.note_held.excess"

    @property
    def owed(self) -> Money | None:
        """What the newest slip says is owed: the whole overpayment, or what coins did not pay of it."""
        totals = dict(self.snapshot.slips[0].totals) if self.snapshot.slips else {}
        return self.slip_sum("owed" if "change" in totals else "overpayment")

    @property
    def actions(self) -> tuple[Action, ...]:
        """The row of buttons."""
        if self.screen in MOVING or no_way_back(self.snapshot):
            return ()
        allowed = self.snapshot.allowed
        wanted = {
            intent
            for intent in allowed
            if intent not in ELSEWHERE and SAME_AS.get((self.screen, intent)) not in allowed
        }
        planned = [pair for pair in ROWS.get(self.screen, ()) if pair[0] in wanted]
        placed = {intent for intent, _ in planned}
        further = [(intent, "plain") for intent in allowed if intent in wanted - placed]
        return tuple(Action(intent, self._label(intent), look) for intent, look in [*further, *planned])

    def _label(self, intent: str) -> str:
        if intent == "pay":
            shot = self.snapshot
            return self.t("button.pay", due=shot.remaining if shot.held else shot.due)
        if (intent == "begin" and self.screen != "idle") or (intent == "add_another" and self.screen == "notice"):
            return self.t("button.begin_again")
        if intent == "cancel" and self.snapshot.inserted:
            return self.t("button.cancel_paying")
        if intent == "finish" and not self.snapshot.inserted:
            return self.t("button.finish_done")
        if intent == "dismiss" and self.screen in ("receipting", "thanking"):
            return self.t("button.dismiss_done")
        return self.t(f"button.{intent}")

    @property
    def slip_sums(self) -> tuple[tuple[str, str], ...]:
        """The named sums of the newest slip, those that are zero and say nothing left out."""
        if not self.snapshot.slips:
            return ()
        totals = dict(self.snapshot.slips[0].totals)
        shown = [name for name in SUMS if name in totals and (totals[name] or name in ("due", "tender"))]
        return tuple((self.t(sum_word(name, totals)), self.money(totals[name])) for name in shown)

    def slip_sum(self, name: str) -> Money | None:
        """One sum of the newest slip; None where it is zero or not there."""
        totals = dict(self.snapshot.slips[0].totals) if self.snapshot.slips else {}
        return totals.get(name) or None

    @property
    def spoken(self) -> str:
        """The sentence that this screen says, written to be heard and not read off the page."""
        return self.t(f"say.{self.screen}", **self._heard())

    @property
    def help(self) -> str:
        """What to do on this screen and with which keys, in sentences."""
        return self.t(f"say_help.{self.screen}", **self._heard())

    @property
    def announcement(self) -> str:
        """Everything that is heard when this view appears: the screen's sentence, what it is about, its messages."""
        parts = [self.spoken, *self._details(), *(self.say(told) for told in self.snapshot.messages)]
        return " ".join(_sentence(part) for part in parts if part)

    def _heard(self) -> dict[str, Parameter]:
        """Everything a spoken text may name; staff screens name no sum."""
        shot = self.snapshot
        told: dict[str, Parameter] = {"title": self.title, "kiosk": shot.kiosk, "phone": shot.support_phone}
        told |= {"city": shot.city, "invoices": len(shot.cart), "seconds": -(-(self.ends_in_ms or 0) // 1000)}
        if self.screen in STAFF_SCREENS:
            return told
        return told | {
            "due": shot.due,
            "inserted": shot.inserted,
            "remaining": shot.remaining,
            "number": shot.slips[0].number if shot.slips else "",
            "printing": self.t(f"screen.receipting.state.{slip_state(shot.slips[0].state)}") if shot.slips else "",
        }

    @property
    def would_be_held(self) -> bool:
        """Whether stopping now leaves money to a bill that is taken whole only; the cart is in its filling order."""
        shot, passed_over = self.snapshot, False
        left = shot.inserted.minor + (shot.held.minor if shot.held else 0)
        for invoice in shot.cart:
            if invoice.partial_allowed or left >= invoice.due.minor:
                left -= min(left, invoice.due.minor)
            else:
                passed_over = True
        return passed_over and left > 0

    def _details(self) -> list[str]:
        """What a sighted person reads on the screen and needs for a decision."""
        shot = self.snapshot
        if self.screen == "idle":
            return [self.t("say.services", services=", ".join(map(self.say, shot.services)))] if shot.services else []
        if self.screen == "reviewing":
            held = [self.t("screen.reviewing.held", held=shot.held, remaining=shot.remaining)] if shot.held else []
            return [*(f"{self.say(one.service)} {one.number}: {self.money(one.due)}" for one in shot.cart), *held]
        if self.screen == "consenting":
            paper = [self.t("condition.no_paper")] if shot.no_paper else []
            told = [self.say(one) for one in shot.conditions if not (paper and one.id == "condition.no_paper")]
            return [*paper, *told]
        if self.over_the_due and shot.note is not None and shot.note_excess is not None:
            return [self.t(self.excess_words, note=self.note(shot.note), excess=shot.note_excess)]
        if self.screen == "dispensing" and shot.change is not None:
            return [self.t("screen.dispensing.lead", change=shot.change)]
        if self.screen == "stopping" and self.would_be_held:
            return [self.t("screen.stopping.held", remaining=shot.remaining)]
        if self.screen in ("receipting", "thanking"):
            return [f"{name}: {amount}" for name, amount in self.slip_sums]
        return []


def _sentence(words: str) -> str:
    """End a piece so that a voice pauses behind it."""
    return words if words.rstrip("\u2069").endswith((".", "!", "?", "؟", "…", "·~")) else words + "."


def slip_state(state: str) -> str:
    """The state of a slip as the texts know it; anything new counts as unknown."""
    return state if state in ("queued", "held", "printing", "printed", "dropped") else "unknown"


def remaining_ms(snapshot: Snapshot, now_ns: int) -> int | None:
    """Milliseconds until this screen ends by itself, as of now; None for never."""
    if snapshot.ends_in_ms is None:
        return None
    gone = max(0, now_ns - snapshot.published_ns) // 1_000_000 if snapshot.published_ns else 0
    return max(0, snapshot.ends_in_ms - gone)


def event_id(snapshot: Snapshot) -> str:
    """The id of the server-sent event that carries this snapshot."""
    return f"{snapshot.boot}:{snapshot.version}"
