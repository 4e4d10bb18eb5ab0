"""A restored backup: what the books know goes on over the new epoch, and what begins anew breaks no closing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.checkout import intents
from kiosk.journal.backup import backup, restore
from kiosk.model import device_events as d
from kiosk.model import facts
from tests.core.kernel_rig import DIGESTS, KEY, NS, TAX, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    whole = Rig(tmp_path)
    yield whole
    whole.close()
    assert whole.findings() == []


def restored(rig: Rig) -> None:
    """Throw the machine away and begin again with a backup of now."""
    saved, target = rig.path.parent / "saved.db", rig.path.parent / "restored.db"
    backup(rig.path, saved)
    rig.journal.close()
    stamp = facts.Stamp(rig.time.clock().instant(), dt.date(2026, 11, 22), "kiosk", "", 1, DIGESTS)
    restore(saved, target, stamp=stamp, key=KEY, reason="card replaced")
    rig.path = target
    rig.time.mono += 5 * NS
    rig.start()


def paid(rig: Rig, *notes: int, number: str = TAX) -> None:
    rig.pay(number)
    for minor in notes:
        rig.feed(minor)
    rig.tap(intents.Finish())
    rig.printed()
    rig.wait(20)


def test_a_closing_after_a_restore_agrees_with_the_journal_and_numbers_go_on(rig: Rig) -> None:
    paid(rig, 5000)
    rig.exchange()
    paid(rig, 1000)
    paid(rig, 500)
    restored(rig)
    books = rig.kernel.books
    assert (books.last_z, books.grand_total_minor, books.box_session, books.held) == (
        1, 5000, 2, {f"property_tax/{TAX}": 6500},
    )  # fmt: skip
    paid(rig, 100)
    rig.sign_in()
    rig.tap(intents.CloseDay())
    rig.tap(intents.SignOut())
    z = rig.bodies(facts.DayClosed)[-1]
    assert (z.number, z.period.taken_minor, z.grand_total_minor) == (2, 1600, 6600)
    assert [(span.slip, span.first, span.last) for span in z.period.slips] == [("credit", 1, 1)]


def test_an_exchange_and_a_lock_that_were_open_at_the_backup_are_open_after_the_restore(rig: Rig) -> None:
    for _ in range(5):
        rig.sign_in("p03", "0001")
        rig.tap(intents.Cancel())
    rig.authorise()
    rig.news("notes", d.CashboxRemoved())
    restored(rig)
    assert rig.kernel.books.pin_failures["p03"].count == 5
    assert (rig.state, [reason.id for reason in rig.model.out_of_service]) == ("out_of_service", ["out.exchange"])
    rig.sign_in("p01")
    rig.tap(intents.BeginExchange())
    rig.tap(intents.ConfirmExchange())
    assert (rig.kernel.books.exchange, rig.kernel.books.box_session) == (None, 2)
