"""The stories of `make crash`: what a citizen does and what goes wrong, each against the same city."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.crash_core import EPOCH_NS, Setting, Word, people
from bench.crash_story import Event, Scenario
from bench.crash_world import S, World
from bench.note_rigs import BY_NAME as BY_RIG
from bench.note_rigs import Rig
from bench.replica_data import number
from kiosk import app
from kiosk.model.invoice import Invoice
from kiosk.sync.replica import to_row
from kiosk.sync.replica_store import Batch, open_store, writer_lock
from kiosk.tariff.check_digits import luhn

#: An example citation of $25.00 (third offence, not yet late) and an example water bill of $83.17.
CITATION, SECOND_CITATION, BILL = number(0), number(1), "0212345678"
#: An example tax bill of $60.00, which takes no part payment.
TAX = "20260000417" + luhn("20260000417")
#: Midnight comes this many seconds into the run: in the middle of the payment.
MIDNIGHT_S = 12

CONFIG = """
# A city that exists only in this campaign.
[kiosk]
id = "K07"
realm = "demo"
languages = ["en", "es"]
[paths]
state = "state"
runtime = "run"
[[device]]
name = "notes"
driver = "DRIVER"
line = { port = "campaign-notes" }
options = OPTIONS
[[device]]
name = "receipt"
driver = "escpos_printer"
line = { port = "campaign-receipt" }
options = { profile = "epson-tm-t20iii" }
[[device]]
name = "scanner"
driver = "line_scanner"
line = { port = "campaign-scanner" }
"""


def make_city(room: Path, rig: Rig = BY_RIG["id003"]) -> tuple[app.Setup, Path]:
    """Write the campaign's configuration and reference data; return them read and checked."""
    room.mkdir(parents=True, exist_ok=True)
    file = room / "kiosk.toml"
    options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in rig.options.items())
    file.write_text(CONFIG.replace("DRIVER", rig.driver).replace("OPTIONS", f"{{ {options} }}"), encoding="utf-8")
    replica = room / "sync.db"
    today = dt.datetime.fromtimestamp(EPOCH_NS // S, dt.UTC).date()
    citations = [
        Invoice(
            service="parking_citation",
            number=each,
            currency="USD",
            amount_minor=None,
            issued=today,
            code="01",
            offence=3,
        )
        for each in (CITATION, SECOND_CITATION)
    ]
    bill = Invoice(
        service="water_bill", number=BILL, currency="USD", amount_minor=8317, issued=today, due=today + dt.timedelta(20)
    )
    tax = Invoice(
        service="property_tax",
        number=TAX,
        currency="USD",
        amount_minor=6000,
        issued=today,
        due=today + dt.timedelta(30),
    )
    people()  # hashing their PINs takes longer than a run
    with writer_lock(replica), closing(open_store(replica)) as store:
        for service, invoices in (("parking_citation", citations), ("water_bill", [bill]), ("property_tax", [tax])):
            batch = Batch(store, service)
            for line, invoice in enumerate(invoices, 1):
                batch.add(to_row(invoice), line)
            batch.take_over(EPOCH_NS, snapshot=True)
    return app.load(file), replica


def _shows(*stages: str) -> Callable[[World], bool]:
    return lambda world: world.acceptor.stage in stages


def _screen(*names: str) -> Callable[[World], bool]:
    return lambda world: world.view.get("screen") in names


def _lose_what_follows(world: World) -> None:
    world.acceptor.lose_replies(2)
    world.acceptor.lose_acks(2)


def _push_in(world: World) -> None:
    world.swallow_returns = True
    if world.acceptor.insert(2000, force=True):
        world.inserted.append(2000)
    else:
        del world.happened["pushed"]


def _stack_alone(world: World) -> None:
    world.swallow_returns = False
    world.acceptor.stack_by_itself()


_STACKING = _shows("stacking")
_ONE = (CITATION,)

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="exact", labels=_ONE, wallet=(2000, 500)),
    Scenario(name="over-agreed", labels=_ONE, wallet=(2000, 1000)),
    Scenario(name="over-declined", labels=_ONE, wallet=(2000, 1000, 500), agree=False),
    Scenario(name="under", labels=_ONE, wallet=(1000, 100)),
    Scenario(name="cancel", labels=_ONE, wallet=(2000,), cancel_at="consenting"),
    Scenario(name="cancel-while-held", labels=_ONE, wallet=(2000, 1000), cancel_at="note_held"),
    Scenario(name="two-invoices", labels=(CITATION, BILL), wallet=(10000, 500, 500)),
    Scenario(name="escrow-time-out", labels=_ONE, wallet=(2000, 1000), agree=None),
    Scenario(name="walk-away", labels=_ONE, wallet=(1000, 1000), walk_away=True, keep_paying=False),
    Scenario(
        name="jam-then-stacked", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("jam", lambda w: w.acceptor.jam("stacker"), _STACKING),
            Event("clear", lambda w: w.acceptor.clear_jam("stack"), after="jam", delay_ms=9_000),
        ),
    ),
    Scenario(
        name="jam-then-returned", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("jam", lambda w: w.acceptor.jam("stacker"), _STACKING),
            Event("clear", lambda w: w.acceptor.clear_jam("return"), after="jam", delay_ms=9_000),
        ),
    ),
    Scenario(
        name="jam-for-long", labels=_ONE, wallet=(500, 2000),
        events=(
            Event("jam", lambda w: w.acceptor.jam("stacker"), lambda w: _STACKING(w) and len(w.inserted) == 2),
            Event("clear", lambda w: w.acceptor.clear_jam("stack"), after="jam", delay_ms=150_000),
        ),
    ),
    Scenario(
        name="box-removed", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("removed", lambda w: w.acceptor.remove_cashbox(), _STACKING),
            Event("back", lambda w: w.acceptor.insert_cashbox(), after="removed", delay_ms=15_000),
        ),
    ),
    Scenario(
        name="paper-out-mid-receipt", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("paper out", lambda w: w.printer.paper_out(), lambda w: "printing" in w.view.get("jobs", ())),
            Event("paper", lambda w: w.printer.load_paper(), after="paper out", delay_ms=25_000),
        ),
    ),
    Scenario(
        name="reported-twice", labels=_ONE, wallet=(2000, 500), only="id003",
        events=(Event("again", lambda w: w.acceptor.repeat_escrow(), _shows("escrow")),),
    ),
    Scenario(
        name="reply-lost-after-vend-valid", labels=_ONE, wallet=(2000, 500),
        events=(Event("lost", _lose_what_follows, _shows("credit")),),
    ),
    Scenario(
        name="garbled-line", labels=_ONE, wallet=(2000, 500),
        events=(Event("garbled", lambda w: w.acceptor.garble_replies(4), _STACKING),),
    ),
    Scenario(
        name="power-up-in-acceptor", labels=_ONE, wallet=(2000, 2000, 500),
        events=(
            Event("cut", lambda w: w.acceptor.cut_power(), _STACKING),
            Event("power", lambda w: w.acceptor.restore_power(), after="cut", delay_ms=2_500),
        ),
    ),
    Scenario(
        name="power-up-in-stacker", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("moving", lambda w: None, _STACKING),
            Event("cut", lambda w: w.acceptor.cut_power(), after="moving", delay_ms=600),
            Event("power", lambda w: w.acceptor.restore_power(), after="cut", delay_ms=2_500),
        ),
    ),
    Scenario(
        name="stacked-outside-a-session", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("pushed", _push_in, _screen("idle", "reviewing", "consenting", "thanking")),
            Event("stacked alone", _stack_alone, lambda w: w.swallowed > 0),
        ),
    ),
    Scenario(
        name="disk-full", labels=_ONE, wallet=(2000, 500),
        events=(
            Event("full", lambda w: w.tell(Word("fill", w.now, body=True)), _shows("escrow")),
            Event("room", lambda w: w.tell(Word("fill", w.now, body=False)), after="full", delay_ms=20_000),
        ),
    ),
    Scenario(
        name="exchange", labels=_ONE, wallet=(2000, 500), duty="exchange", custody="exchange",
    ),
    Scenario(
        name="exchange-given-up", labels=_ONE, wallet=(2000, 500), duty="abandon", custody="abandon",
    ),
    Scenario(
        name="box-gone-before-the-first-note", labels=_ONE, wallet=(2000, 500), custody="removal",
        events=(
            Event("removed", lambda w: w.acceptor.remove_cashbox(), _screen("consenting", "accepting")),
            Event("back", lambda w: w.acceptor.insert_cashbox(), after="removed", delay_ms=15_000),
        ),
    ),
    Scenario(name="close-the-day", labels=_ONE, wallet=(2000, 500), duty="close", custody="close"),
    Scenario(
        name="midnight", labels=_ONE, wallet=(1000, 500, 500, 500), custody="cut_off",
        setting=Setting(shift_s=86_400 - MIDNIGHT_S),
    ),
    Scenario(name="held-and-resumed", labels=(TAX,), wallet=(2000,), again=(2000, 2000), custody="held"),
    Scenario(
        name="counted", labels=_ONE, wallet=(2000, 500), duty="count", custody="count",
        setting=Setting(dies_after_commits=True),
    ),
    Scenario(
        name="mute-while-stacking", labels=_ONE, wallet=(2000, 500), may_dispute=True,
        events=(
            Event("mute", lambda w: w.acceptor.mute(True), lambda w: _STACKING(w)),
            Event("cut", lambda w: w.acceptor.cut_power(), after="mute", delay_ms=60_000),
            Event("power", lambda w: w.acceptor.restore_power(), after="cut", delay_ms=1_000),
            Event("speak", lambda w: w.acceptor.mute(False), after="power", delay_ms=10),
        ),
    ),
)  # fmt: skip

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
