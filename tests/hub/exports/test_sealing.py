"""An export seals its date: once, in order, whole, and what comes later goes on the next date with its own told."""

from __future__ import annotations

import csv
import io
from hashlib import sha256

import pytest
import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.exports.formats import Format
from kiosk.hub.exports.readiness import refusal
from kiosk.hub.exports.recount import recount
from kiosk.hub.exports.sealing import Exported, export_date, running_date
from kiosk.hub.store import tables
from kiosk.hub.store.stores import Stores
from tests.hub.exports.factory import CITY, DAY, NOTES, ONE, SETTLED, Books, asked


def rows(made: Exported) -> list[dict[str, str]]:
    """The lines of an export as CSV."""
    return list(csv.DictReader(io.StringIO(made.body.decode(), newline="")))


def test_an_export_is_netted_by_receipt_and_repeats_to_the_byte(both_stores: Stores) -> None:
    books = Books(both_stores)
    receipt = books.pay("K07", "s1")
    made = export_date(both_stores, asked(), CITY)
    assert [(row["receipt"], row["account"], row["debit"], row["credit"]) for row in rows(made)] == [
        (receipt, "A200", "160.00", ""), (receipt, "A2130", "", "27.00"), (receipt, "A2610", "", "115.00"),
        (receipt, "A631", "", "15.00"), (receipt, "A690", "", "3.00"),
    ]  # fmt: skip
    assert {(row["date"], row["batch"], row["memo"]) for row in rows(made)} == {
        ("2026-03-10", "csv-000001", "note + settlement")
    }
    assert (made.already, made.entries, made.digest) == (False, 3, sha256(made.body).hexdigest())
    books.pay("K08", "s2")
    again = export_date(both_stores, asked(), CITY)
    assert (again.already, again.body, again.number) == (True, made.body, 1)
    assert list(recount(both_stores)) == []


def test_a_fact_that_comes_after_the_seal_posts_on_the_next_date_and_tells_its_own(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1")
    export_date(both_stores, asked(), CITY)
    late = books.pay("K08", "s9")
    books.pay("K07", "s2", day=DAY + ONE)
    second = rows(export_date(both_stores, asked(DAY + ONE), CITY))
    assert {row["date"] for row in second} == {"2026-03-11"}
    memos = {row["receipt"]: row["memo"] for row in second}
    assert memos.pop(late) == "note + settlement; late, of 2026-03-10, K08-1-f1"
    assert list(memos.values()) == ["note + settlement"]
    third = export_date(both_stores, asked(DAY + 2 * ONE), CITY)
    assert (rows(third), third.entries, third.number) == ([], 0, 3)


def test_what_a_kiosk_itself_posts_late_tells_its_tender_date(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.post("K07", NOTES, day=DAY, tendered=DAY - 3 * ONE, session="s1")
    assert {row["memo"] for row in rows(export_date(both_stores, asked(), CITY))} == {
        "note; late, of 2026-03-07, K07-1-f1"
    }


def test_dates_are_exported_in_order_and_an_empty_one_between_is_sealed_too(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1", day=DAY)
    books.pay("K07", "s2", day=DAY + 3 * ONE)
    with pytest.raises(HubError, match="2026-03-10 has entries and was not exported"):
        export_date(both_stores, asked(DAY + 3 * ONE), CITY)
    export_date(both_stores, asked(DAY), CITY)
    export_date(both_stores, asked(DAY + 3 * ONE), CITY)
    with pytest.raises(HubError, match="2026-03-11 had no entries and was sealed with 2026-03-13"):
        export_date(both_stores, asked(DAY + ONE), CITY)
    gap = books.pay("K08", "s3", day=DAY + ONE)
    assert {row["receipt"] for row in rows(export_date(both_stores, asked(DAY + 4 * ONE), CITY))} == {gap}


def test_each_target_gets_every_entry_once_by_itself(stores: Stores) -> None:
    books = Books(stores)
    books.pay("K07", "s1")
    export_date(stores, asked(name="iif", target="ledger"), CITY)
    books.pay("K07", "s2")
    assert export_date(stores, asked(target="other"), CITY).entries == 6
    assert export_date(stores, asked(DAY + ONE, "iif", target="ledger"), CITY).entries == 3
    with pytest.raises(HubError, match="ledger gets its exports as iif"):
        export_date(stores, asked(DAY + 2 * ONE, "csv", target="ledger"), CITY)
    with pytest.raises(HubError, match="cannot name a target"):
        export_date(stores, asked(target="../x"), CITY)


def test_a_date_that_is_not_over_is_refused(stores: Stores) -> None:
    Books(stores).pay("K07", "s1")
    with pytest.raises(HubError, match="2026-03-10 is not over") as refused:
        export_date(stores, asked(running=DAY), CITY)
    assert "2026-03-09" in refused.value.hint
    noon_utc = 1_773_144_000_000_000_000  # 2026-03-10 12:00 UTC, 07:00 in Chicago
    assert running_date(noon_utc, "America/Chicago", "08:00:00").isoformat() == "2026-03-09"
    assert running_date(noon_utc, "America/Chicago", "07:00:00").isoformat() == "2026-03-10"


def test_a_date_that_a_kiosk_has_not_closed_needs_a_decision(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.enrol("K07", "K08", "K09")
    books.pay("K07", "s1")
    books.close("K07", DAY)
    books.close("K08", DAY - ONE)
    with pytest.raises(HubError, match="still open at K08, K09") as refused:
        export_date(both_stores, asked(), CITY)
    assert "--even-so" in refused.value.hint
    assert export_date(both_stores, asked(even_so=True), CITY).not_closed == ("K08", "K09")


def test_boxes_that_nobody_counted_are_told_and_close_the_export_to_a_counter(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1")
    books.close("K07", DAY - ONE, box_session=4)
    books.pay("K07", "s2")
    books.box("K07", 4, "left")
    books.box("K07", 5, "in_kiosk")
    books.pay("K08", "s3")
    books.close("K08", DAY, box_session=1)
    books.box("K08", 1, "received")
    books.box("K08", 2, "in_kiosk")  # it holds nothing of this date

    def counter(uncounted: object) -> str:
        assert isinstance(uncounted, list | tuple)
        return refusal({"export", "count"}, uncounted)

    with pytest.raises(HubError, match="who may count must not see"):
        export_date(both_stores, asked(), CITY, allowed=counter)
    made = export_date(both_stores, asked(), CITY, allowed=lambda boxes: refusal({"export", "audit"}, boxes))
    assert made.not_counted == (("K07", 4), ("K07", 5), ("K08", 1))
    with pytest.raises(HubError, match="who may count must not see"):
        export_date(both_stores, asked(), CITY, allowed=counter)
    for kiosk, session in made.not_counted:
        books.box(kiosk, session, "counted")
    assert export_date(both_stores, asked(), CITY, allowed=counter).body == made.body
    assert refusal({"view"}, ()) == "an export takes the role export"


def test_an_account_outside_the_chart_stops_the_export_before_it_seals(stores: Stores) -> None:
    books = Books(stores)
    books.post("K07", (("note", (("A200", 500), ("X999", -500))),))
    with pytest.raises(HubError, match="account 'X999' of K07-1-f1 is not in the chart"):
        export_date(stores, asked(), CITY)
    with stores.office.connect() as office:
        assert office.execute(sa.select(sa.func.count()).select_from(tables.export)).scalar() == 0


def test_entries_that_differ_from_the_ledgers_sums_are_not_exported(both_stores: Stores) -> None:
    Books(both_stores).pay("K07", "s1")
    fine = tables.day_sum.c.account == "A2610"
    with both_stores.books.begin() as books:
        books.execute(sa.update(tables.day_sum).where(fine).values(minor=-11_501))
    with pytest.raises(HubError, match="entries on A2610 sum to -11500 minor units, the ledger says -11501"):
        export_date(both_stores, asked(), CITY)
    with both_stores.books.begin() as books:
        books.execute(sa.update(tables.day_sum).where(fine).values(minor=-11_500))
    assert export_date(both_stores, asked(), CITY).number == 1


def test_acknowledged_facts_that_are_not_posted_yet_hold_the_export_back(stores: Stores) -> None:
    Books(stores).pay("K07", "s1")
    with stores.segments.begin() as segments:
        segments.execute(sa.insert(tables.segment).values(
            worker=0, number=7, kiosk="K07", epoch=1, first=1, last=9, previous=b"", hash=b"", signature=b"",
            received_ns=1, codec=0, body=b""))  # fmt: skip
    with pytest.raises(HubError, match="7 segments are not in the books"):
        export_date(stores, asked(), CITY, patience_s=-1)
    with stores.books.begin() as books:
        books.execute(sa.insert(tables.cursor).values(worker=0, number=7))
    assert export_date(stores, asked(), CITY, patience_s=-1).entries == 3


def test_a_format_that_fails_or_writes_words_seals_nothing(stores: Stores) -> None:
    Books(stores).pay("K07", "s1")
    words = Format("csv", "txt", "", lambda _: ["not bytes"])  # type: ignore[list-item]
    with pytest.raises(HubError, match="gave str instead of bytes"):
        export_date(stores, asked(form=words), CITY)
    assert not export_date(stores, asked(), CITY).already


def test_entries_of_dates_to_come_wait_and_are_told(stores: Stores) -> None:
    books = Books(stores)
    books.pay("K07", "s1")
    books.post("K09", SETTLED, day=DAY + 400 * ONE)
    made = export_date(stores, asked(), CITY)
    assert (made.entries, made.ahead) == (3, ((DAY + 400 * ONE).isoformat(),))


def test_an_entry_that_was_due_and_is_in_no_export_is_found(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1")
    books.pay("K07", "s2", day=DAY + ONE)
    export_date(both_stores, asked(), CITY)
    books.pay("K08", "s3")  # late
    export_date(both_stores, asked(DAY + ONE), CITY)
    books.pay("K08", "s4")  # late, and not due yet
    assert list(recount(both_stores)) == []
    with both_stores.books.begin() as connection:
        moved = tables.posting.c.position > 8
        connection.execute(sa.update(tables.posting).where(moved).values(posts_on=(DAY + ONE).isoformat()))
        connection.execute(sa.update(tables.posting).where(moved).values(position=2))
    with both_stores.office.begin() as office:
        office.execute(sa.update(tables.export).where(tables.export.c.number == 2).values(business_date="2026-03-12"))
    told = [finding.detail for finding in recount(both_stores)]
    assert any("that were due are in no export" in each for each in told)


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (sa.update(tables.export).values(body=b"x"), "export_body"),
        (sa.update(tables.export).values(after=3), "export_gap"),
        (sa.update(tables.export).values(entries=4), "export_differs"),
    ],
)
def test_a_stored_export_that_does_not_fit_the_books_is_found(stores: Stores, harm: sa.Update, code: str) -> None:
    Books(stores).pay("K07", "s1")
    export_date(stores, asked(), CITY)
    with stores.office.begin() as office:
        office.execute(harm)
    assert code in [finding.code for finding in recount(stores)]


def test_half_a_rebuild_is_never_exported(both_stores: Stores) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1")
    with both_stores.books.begin() as connection:
        connection.execute(sa.insert(tables.state), [{"name": "place", "value": "3"}, {"name": "goal", "value": "9"}])
    with pytest.raises(HubError, match="posted anew"):
        export_date(both_stores, asked(), CITY)
    with both_stores.books.begin() as connection:
        connection.execute(sa.update(tables.state).where(tables.state.c.name == "place").values(value="9"))
    assert export_date(both_stores, asked(), CITY).number == 1


def test_a_row_that_becomes_a_fact_after_its_date_was_sealed_is_in_the_next_export_and_only_there(
    both_stores: Stores,
) -> None:
    books = Books(both_stores)
    books.pay("K07", "s1")
    # K07 1/5 and 1/6 are of newer software: set apart, at positions before what the exports reach.
    rows_apart = [{"kiosk": "K07", "epoch": 1, "seq": seq, "worker": 0, "segment": 1, "row": seq} for seq in (5, 6)]
    with both_stores.books.begin() as connection:
        connection.execute(sa.insert(tables.quarantine), [row | {"reason": "kind_unknown"} for row in rows_apart])
    books.seqs["K07"], books.position = 6, books.position + 2
    at = books.position
    books.pay("K07", "s2")
    assert export_date(both_stores, asked(), CITY).entries == 6
    books.pay("K07", "s3", day=DAY + ONE)
    assert export_date(both_stores, asked(DAY + ONE), CITY).entries == 3
    # The hub's software is newer now, and its books were posted anew.
    with both_stores.books.begin() as connection:
        connection.execute(sa.delete(tables.quarantine))
    later, books.position, books.seqs["K07"] = (books.position, books.seqs["K07"]), at - 2, 4
    books.post("K07", NOTES, session="s4")
    books.position, books.seqs["K07"] = later
    assert [finding.code for finding in recount(both_stores)] == []
    made = export_date(both_stores, asked(DAY + 2 * ONE), CITY)
    assert [(row["account"], row["debit"], row["credit"], row["memo"]) for row in rows(made)] == [
        ("A200", "160.00", "", "note; late, of 2026-03-10, K07-1-f5"),
        ("A698", "", "160.00", "note; late, of 2026-03-10, K07-1-f5"),
    ]
    assert made.entries == 2
    assert export_date(both_stores, asked(DAY + 3 * ONE), CITY).entries == 0
    assert list(recount(both_stores)) == []
