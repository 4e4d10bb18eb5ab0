"""The hub's import: the same judgement as at a kiosk, into the office, and never a name or an address anywhere."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import sqlalchemy as sa

from kiosk.errors import HubError, ImportRowError
from kiosk.hub.feed import importing
from kiosk.hub.feed.importing import counted_by, import_file
from kiosk.hub.revisions import current
from kiosk.hub.store.stores import Stores
from kiosk.hub.store.tables import data_import, document, export, invoice
from kiosk.sync.importing import ImportReport
from kiosk.sync.mapping import load_mapping
from kiosk.sync.plates import key_id, plate_hash, read_key
from kiosk.tariff.check_digits import damm
from tests.hub.feed.feeding import FedHub, FedKiosk
from tests.tariff.example_city import CONFIG, library

HEAD = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Owner,Street\n"
PARKING = "parking_citation"


def number(index: int) -> str:
    """The index-th example citation."""
    return f"{26000000 + index}{damm(str(26000000 + index))}"


def line(index: int, *, paid: str = "0.00", status: str = "OPEN", plate: str = "", owner: str = "") -> str:
    """One line of the file."""
    return f"{number(index)},2026-03-02,01,2,{paid},{status},0,{plate},{owner},{owner and '9 Secret Road'}\n"


class Desk:
    """A hub's desk where files come in."""

    def __init__(self, stores: Stores, folder: Path) -> None:
        self.stores, self.folder = stores, folder
        self.rejects = folder / "rejects.csv"
        self._at = 0

    def take(self, lines: str, *, holds: str = "update", counted: int = 0) -> ImportReport:
        """Import these lines."""
        source = self.folder / "in.csv"
        source.write_text(HEAD + lines, encoding="utf-8")
        text = (CONFIG / "imports" / f"{PARKING}.toml").read_text(encoding="utf-8")
        mapping = load_mapping(text.replace('holds = "update"', f'holds = "{holds}"'), "mapping")
        self._at += 1
        return import_file(source, mapping, library().service(PARKING), self.stores, self.folder, self.rejects,
                           taken_at_ns=self._at, by="op", counted=counted)  # fmt: skip

    def rows(self) -> dict[str, sa.Row[tuple[object, ...]]]:
        """Every row that is not gone."""
        with self.stores.office.connect() as office:
            return {row.number: row for row in office.execute(sa.select(invoice).where(~invoice.c.gone))}

    def revision(self) -> int:
        """How often invoices changed."""
        with self.stores.office.connect() as office:
            return current(office, "invoices")


@pytest.fixture
def desk(stores: Stores, tmp_path: Path) -> Desk:
    return Desk(stores, tmp_path)


def test_good_rows_come_in_bad_ones_are_told_and_again_adds_nothing(both_stores: Stores, tmp_path: Path) -> None:
    desk = Desk(both_stores, tmp_path)
    lines = "".join(line(index) for index in range(40)) + line(3).replace("2026-03-02", "2026-02-30")
    lines += line(50, status="GONE")
    first = desk.take(lines)
    assert (first.taken, first.unchanged, first.rejected, first.data_set.rows) == (40, 0, 2, 40)
    with desk.rejects.open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["line", "42", "43"]
    changed = {row.changed for row in desk.rows().values()}
    again = desk.take(lines)
    assert (again.taken, again.unchanged, again.removed) == (0, 40, 0)
    assert {row.changed for row in desk.rows().values()} == changed
    other = desk.take(line(7, paid="5.00") + line(90))
    assert (other.taken, other.unchanged) == (2, 0)
    assert desk.rows()[number(7)].paid_minor == 500
    assert desk.rows()[number(7)].changed > max(changed)
    with both_stores.office.connect() as office:
        assert office.execute(sa.select(sa.func.count()).select_from(data_import)).scalar_one() == 3


@pytest.mark.parametrize("lines", ["", line(1, status="GONE")])
def test_a_snapshot_without_a_row_that_can_be_taken_leaves_every_invoice_where_it_is(desk: Desk, lines: str) -> None:
    desk.take(line(1) + line(2))
    with pytest.raises(HubError, match="no row that can be taken"):
        desk.take(lines, holds="snapshot")
    assert set(desk.rows()) == {number(1), number(2)}


def test_a_snapshot_marks_what_its_source_no_longer_has(
    both_stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PAGE", 4)
    desk = Desk(both_stores, tmp_path)
    desk.take("".join(line(index) for index in range(20)))
    report = desk.take("".join(line(index) for index in range(0, 20, 3)) + line(33), holds="snapshot")
    assert (report.taken, report.unchanged, report.removed) == (1, 7, 13)
    assert set(desk.rows()) == {number(index) for index in (*range(0, 20, 3), 33)}
    back = desk.take(line(1))
    assert (back.taken, back.data_set.rows) == (1, 9)


def test_an_import_that_was_cut_is_repeated_and_counts_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PAGE", 4)
    lines = "".join(line(index) for index in range(10))
    taken = []

    def cut(*_: object) -> int:
        taken.append(1)
        if len(taken) == 3:
            raise HubError("the power went")
        return len(taken)

    with monkeypatch.context() as patch:
        patch.setattr(importing, "bump", cut)
        with pytest.raises(HubError):
            desk.take(lines)
    assert len(desk.rows()) == 8
    report = desk.take(lines)
    assert (report.taken, report.unchanged) == (2, 8)


def test_what_an_export_told_the_source_is_kept_beside_its_rows(desk: Desk) -> None:
    row: dict[str, object] = {each.name: "" if isinstance(each.type, sa.Text) else 0 for each in export.c}
    row |= {"target": "munis", "business_date": "2026-03-02", "through": 41, "body": b""}
    with desk.stores.office.begin() as office:
        office.execute(sa.insert(export), row)
    assert counted_by(desk.stores, "munis", "2026-03-02") == 41
    with pytest.raises(HubError, match="no export"):
        counted_by(desk.stores, "munis", "2026-03-03")
    desk.take(line(1), counted=41)
    assert desk.rows()[number(1)].counted == 41


def test_plates_are_hashed_with_the_citys_key_and_their_states_go_down(desk: Desk) -> None:
    desk.take(line(1, plate="EXM 101"))
    key = read_key(desk.folder / "plate.key")
    assert desk.rows()[number(1)].plate_hash == plate_hash("EXM 101", key).hex()
    with desk.stores.office.connect() as office:
        assert office.execute(sa.select(document.c.name, document.c.version)).all() == [("plates", 1)]
    (desk.folder / "plate.key").unlink()
    with pytest.raises(HubError, match=r"another plate\.key"):
        desk.take(line(2, plate="EXM 102"))
    assert set(desk.rows()) == {number(1)}
    assert key_id(read_key(desk.folder / "plate.key")) != key_id(key)


def test_a_mapping_of_another_service_is_refused(desk: Desk) -> None:
    source = desk.folder / "in.csv"
    source.write_text(HEAD)
    text = (CONFIG / "imports" / f"{PARKING}.toml").read_text(encoding="utf-8")
    with pytest.raises(ImportRowError, match="the mapping is for"):
        import_file(source, load_mapping(text, "m"), library().service("water_bill"), desk.stores, desk.folder,
                    desk.rejects, taken_at_ns=1, by="op")  # fmt: skip


def test_no_owner_and_no_address_is_in_the_hubs_files_or_the_kiosks_after_a_whole_way_down(
    desk: Desk, tmp_path: Path
) -> None:
    owners = [f"Olaf Nobody{index:02d}" for index in range(12)]
    lines = "".join(line(index, plate=f"QZX{index:02d}", owner=owner) for index, owner in enumerate(owners))
    lines += line(3, paid="1.00", plate="QZX88", owner="Ida Twice")  # contradicts another line: both are refused
    lines += line(40, status="BAD", plate="QZX77", owner="Ida Refused")
    desk.take(lines)
    hub = FedHub(desk.stores)
    hub.publish()
    kiosk = FedKiosk(tmp_path / "kiosk" / "sync.db", hub)
    kiosk.sync()
    assert len(kiosk.feed.cursors()) == 2
    kiosk.kill()
    (desk.folder / "in.csv").unlink()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"office.db", "books.db", "sync.db"} <= {path.name for path in files}
    held = b"".join(path.read_bytes() for path in files)
    assert number(1).encode() in held
    for secret in (*owners, "Ida", "Secret Road", "QZX"):
        assert secret.encode() not in held, secret
        assert secret.replace(" ", "").encode() not in held, secret
