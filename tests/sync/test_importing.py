"""Import from CSV: good rows in, bad rows told, nothing stored that must not be."""

from __future__ import annotations

import csv
import datetime as dt
import stat
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from kiosk.errors import ImportRowError, PolicyError, ReplicaError
from kiosk.sync.examples import dated_for
from kiosk.sync.importing import LONGEST_LINE, ImportReport, import_csv
from kiosk.sync.mapping import Mapping, amount_reader, date_reader, load_mapping
from kiosk.sync.plates import key_id, plate_hash, read_key
from kiosk.sync.replica import Replica
from kiosk.sync.replica_store import writer_lock
from kiosk.tariff.check_digits import damm
from tests.tariff.example_city import CONFIG, library

HEAD = "Citation,Issued,Violation code,Offence,Paid,Status,Days held,Plate,Owner\n"
GOOD = "260004175,2026-03-02,01,3,0.00,OPEN,0,EXM 101,Ida Example\n"


def mapping(name: str = "parking_citation") -> Mapping:
    """A mapping of the example city."""
    return load_mapping((CONFIG / "imports" / f"{name}.toml").read_text(encoding="utf-8"), f"imports/{name}.toml")


class Desk:
    """One replica, and imports into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replica = folder / "sync.db"
        self.rejects = folder / "rejects.csv"

    def take(self, content: str | bytes, by: Mapping | None = None, **options: object) -> ImportReport:
        """Import a file of this content."""
        by = by or mapping()
        source = self.folder / "in.csv"
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        service = library().service(by.service)
        return import_csv(source, by, service, self.replica, self.rejects, taken_at_ns=1, **options)  # type: ignore[arg-type]

    def reasons(self) -> list[tuple[str, ...]]:
        """The reject file without its heading."""
        with self.rejects.open(encoding="utf-8", newline="") as file:
            return [tuple(row) for row in csv.reader(file)][1:]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_good_rows_come_in_and_are_found(desk: Desk) -> None:
    report = desk.take(HEAD + GOOD, plate_key=b"key")
    assert (report.taken, report.unchanged, report.rejected, report.data_set.rows) == (1, 0, 0, 1)
    with closing(Replica.open(desk.replica)) as replica:
        found = replica.find("parking_citation", "260004175")
    assert found is not None
    assert (found.issued, found.code, found.offence, found.state) == (dt.date(2026, 3, 2), "01", 3, "open")
    assert found.plate_hash == plate_hash("EXM101", b"key").hex()


def test_three_bad_rows_of_250_go_to_the_reject_file_and_a_second_import_adds_nothing(desk: Desk) -> None:
    numbers = [f"{26000000 + serial}{damm(str(26000000 + serial))}" for serial in range(250)]
    lines = [f"{number},2026-03-02,01,2,0.00,OPEN,0,,\n" for number in numbers]
    lines[10] = lines[10].replace("2026-03-02", "2026-02-30")
    lines[20] = "26000020" + lines[20][9:]
    lines[30] = lines[30].replace("OPEN", "GONE")
    report = desk.take(HEAD + "".join(lines))
    assert (report.taken, report.rejected) == (247, 3)
    assert [row[0] for row in desk.reasons()] == ["12", "22", "32"]
    again = desk.take(HEAD + "".join(lines))
    assert (again.taken, again.unchanged, again.rejected) == (0, 247, 3)
    assert again.data_set.digest == report.data_set.digest


OWNED = HEAD.replace("Owner", "Owner,Street,Phone")
#: Owner, street, phone and plate of rows that are taken, refused for each kind of reason, repeated or contradicted.
SECRETS = [f"{name}{place:02d}" for place in range(9) for name in ("Olaf Name", "9 Secret Road ", "555-77", "QZX 99")]


def owned_rows() -> str:
    """Rows that end in every way an import knows, each with an owner, a street, a phone and a plate."""
    bodies = [
        "260004175,2026-03-02,01,3,0.00,OPEN,0", "999,2026-03-02,01,3,0.00,OPEN,0",
        "260004188,2026-02-30,01,3,0.00,OPEN,0",
        "260004191,2026-03-02,01,3,0.00,GONE,x", "260004209,2026-03-02,99,3,0.00,OPEN,0",
        "260004214,2026-03-02,01,3,0.00,OPEN,0", "260004214,2026-03-02,01,2,0.00,OPEN,0",
        "260004223,2026-03-02,01,3,0.00,OPEN,0,one more", "260004238,2026-03-02,01,3,0.00,OPEN,0",
    ]  # fmt: skip
    rows = []
    for place, body in enumerate(bodies):
        owner, street, phone, plate = SECRETS[4 * place : 4 * place + 4]
        rows.append(f"{body},{plate},{owner},{street},{phone}\n")
    return "".join(rows).replace("Olaf Name08", '"Olaf Name08')  # the last row has an open quote


def test_no_owner_address_or_plate_reaches_the_disk_however_its_row_ends(desk: Desk) -> None:
    desk.take(HEAD + GOOD)
    with closing(Replica.open(desk.replica)) as reader:  # a reader keeps the WAL on the disk
        reader.find("parking_citation", "260004175")
        report = desk.take(OWNED + owned_rows(), prices=lambda invoice: library().price(invoice, invoice.issued))
        assert (report.taken, report.rejected, report.dropped_columns) == (1, 8, ("Owner", "Street", "Phone"))
        files = [path for path in desk.folder.iterdir() if path.name != "in.csv"]
        assert {"sync.db", "sync.db-wal", "rejects.csv", "plate.key"} <= {path.name for path in files}
        stored = b"".join(path.read_bytes() for path in files) + repr(report).encode()
    for secret in SECRETS:
        for form in (secret, secret.replace(" ", ""), secret.lower(), secret[:-2]):
            for encoding in ("utf-8", "utf-16-le"):
                assert form.encode(encoding) not in stored, form
    assert b"260004175" in stored


def test_a_reject_names_line_number_and_reasons_and_nothing_else(desk: Desk) -> None:
    desk.take(OWNED + owned_rows())
    assert desk.rejects.read_text(encoding="utf-8").splitlines()[0] == "line,number,reasons"
    for line, number, reasons in desk.reasons():
        assert line.isdigit()
        assert number == "" or (number.isdigit() and len(number) == 9)
        assert reasons


def test_the_first_import_with_a_plate_makes_the_citys_key_and_the_next_ones_keep_it(desk: Desk) -> None:
    key = desk.folder / "plate.key"
    desk.take("Account;Billed on;Due;Amount;Paid;Status\n", mapping("water_bill"))
    assert not key.exists()
    desk.take(HEAD + GOOD)
    made = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert desk.take(HEAD + GOOD).unchanged == 1
    assert key.read_bytes() == made
    with closing(Replica.open(desk.replica)) as replica:
        found = replica.find_by_plate(plate_hash("exm-101", read_key(key)))
        assert [invoice.number for invoice in found] == ["260004175"]
        assert replica.plate_states(key_id(read_key(key))) == ("",)


def test_a_lost_key_stops_an_import_that_would_leave_plates_nobody_can_find(desk: Desk) -> None:
    desk.take(HEAD + GOOD)
    (desk.folder / "plate.key").unlink()
    with pytest.raises(ReplicaError, match=r"another plate\.key") as told:
        desk.take(HEAD + GOOD.replace("260004175", "260004188"))
    assert "import everything again" in told.value.hint
    whole = msgspec.structs.replace(mapping(), holds="snapshot")
    assert desk.take(HEAD + GOOD.replace("260004175", "260004188"), whole).taken == 1


def test_a_state_belongs_to_its_plate(desk: Desk) -> None:
    by = msgspec.structs.replace(mapping(), columns={**mapping().columns, "Owner": "plate_state"})
    rows = [GOOD.replace("260004175", number) for number in ("260004175", "260004188", "260004191", "260004209")]
    for place, state in enumerate(("NY", "n.j.", "", "Ontario")):
        rows[place] = rows[place].replace("Ida Example", state)
    assert desk.take(HEAD + "".join(rows), by, plate_key=b"key").rejected == 1
    assert desk.reasons() == [("5", "260004209", "plate_state is longer than 3 letters")]
    with closing(Replica.open(desk.replica)) as replica:
        assert replica.plate_states(key_id(b"key")) == ("", "NJ", "NY")
        assert replica.plate_states(key_id(b"other")) is None
        found = replica.find_by_plate(plate_hash("EXM101", b"key", "NJ"))
        assert [invoice.number for invoice in found] == ["260004188"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("260004715,2026-03-02,01,3,0.00,OPEN,0,,", "number has a wrong check digit"),
        ("26000417,2026-03-02,01,3,0.00,OPEN,0,,", "number has not the form of this service"),
        (",2026-03-02,01,3,0.00,OPEN,0,,", "number is empty"),
        ("260004175,02.03.2026,01,3,0.00,OPEN,0,,", "issued is not a date like YYYY-MM-DD"),
        ("260004175,,01,3,0.00,OPEN,0,,", "issued is not a date like YYYY-MM-DD"),
        ("260004175,2026-13-02,01,3,0.00,OPEN,0,,", "issued is not a day of the calendar"),
        ("260004175,0026-03-02,01,3,0.00,OPEN,0,,", "issued is not within 1950 to 2199"),
        ("260004175,2026-03-02,01,3,1.005,OPEN,0,,", "paid is not an amount like 45.00"),
        ("260004175,2026-03-02,01,3,-5.00,OPEN,0,,", "paid is not an amount like 45.00"),
        ('260004175,2026-03-02,01,3,"1,000.00",OPEN,0,,', "paid is not an amount like 45.00"),
        ("260004175,2026-03-02,01,3,999999999999,OPEN,0,,", "paid is beyond belief"),
        ("260004175,2026-03-02,01,third,0,OPEN,0,,", "offence is not a whole number"),
        ("260004175,2026-03-02,01,3,0,open,0,,", "state is not known"),
        ("260004175,2026-03-02,01234567890123456,3,0,OPEN,0,,", "code is longer than 16 characters or not plain"),
        ("260004175,2026-03-02,01", "3 cells where the first line has 9"),
        ('260004175,2026-03-02,"01,3,0,OPEN,0,,', "a quote is not closed on its line"),
        ('260004175,2026-03-02,"01"x,3,0,OPEN,0,,', "not a CSV row: ',' expected after '\"'"),
        ("260004175,2026-03-02,01\0,3,0,OPEN,0,,", "the line holds a NUL byte"),
        ("260004715,2026-99-99,01,x,0,OPEN,0,,",
         "number has a wrong check digit; issued is not a day of the calendar; offence is not a whole number"),
    ],
)  # fmt: skip
def test_a_bad_row_spoils_only_itself_and_every_reason_is_told(desk: Desk, row: str, reason: str) -> None:
    report = desk.take(HEAD + row + "\n" + GOOD.replace("260004175", "260004188"))
    assert (report.taken, report.rejected) == (1, 1)
    assert [(line, why) for line, _, why in desk.reasons()] == [("2", reason)]
    assert report.first_rejects == ((2, reason),)


def test_a_line_that_is_too_long_or_not_text_spoils_only_itself(desk: Desk) -> None:
    long = b"260004191," + b"x" * (3 * LONGEST_LINE) + b"\n"
    report = desk.take(HEAD.encode() + long + b"\xff\xfe\n" + GOOD.encode())
    assert (report.taken, report.rejected) == (1, 2)
    assert [row[2] for row in desk.reasons()] == [
        f"the line is longer than {LONGEST_LINE} bytes",
        "the line is not utf-8",
    ]


def test_a_number_that_repeats_is_told_and_one_that_contradicts_itself_is_not_taken(desk: Desk) -> None:
    other = GOOD.replace(",01,3,", ",01,2,")
    assert desk.take(HEAD + GOOD + GOOD).taken == 1
    assert desk.reasons() == [("3", "260004175", "repeats line 2")]
    fresh = GOOD.replace("260004175", "260004188")
    report = desk.take(HEAD + other + GOOD + fresh + GOOD)
    assert (report.taken, report.rejected) == (1, 3)
    assert [(line, why) for line, _, why in desk.reasons()] == [
        ("3", "contradicts line 2"),
        ("2", "contradicts line 3"),
        ("5", "the number stands on other lines with other content"),
    ]
    with closing(Replica.open(desk.replica)) as replica:
        found = replica.find("parking_citation", "260004175")
        assert found is not None
        assert found.offence == 3


def test_a_row_that_no_rule_prices_is_refused_where_prices_are_asked(desk: Desk) -> None:
    rows = HEAD + GOOD.replace(",01,", ",99,") + GOOD.replace("260004175", "260004188").replace(",3,", ",0,")
    report = desk.take(rows, prices=lambda invoice: library().price(invoice, invoice.issued))
    assert (report.taken, report.rejected) == (0, 2)
    assert all(why.startswith("no price: ") for *_, why in desk.reasons())


def test_a_windows_file_with_a_byte_order_mark_is_read(desk: Desk) -> None:
    assert desk.take(b"\xef\xbb\xbf" + (HEAD + GOOD).replace("\n", "\r\n").encode()).taken == 1
    assert desk.take((HEAD + GOOD).rstrip("\n")).unchanged == 1


def test_a_file_without_a_mapped_column_is_refused_whole(desk: Desk) -> None:
    for content in ("", "Citation,Issued\n" + GOOD, HEAD.replace("Owner", "Plate") + GOOD):
        with pytest.raises(ImportRowError, match="column"):
            desk.take(content)


def test_a_refused_file_leaves_the_replica_as_it_was_and_free(desk: Desk) -> None:
    before = desk.take(HEAD + GOOD)
    with pytest.raises(ImportRowError):
        desk.take("nothing\n")
    assert desk.take(HEAD + GOOD).data_set == before.data_set


def test_an_import_waits_for_no_other_writer(desk: Desk) -> None:
    with writer_lock(desk.replica), pytest.raises(ReplicaError, match="another process"):
        desk.take(HEAD + GOOD)


def test_a_missing_file_is_told_by_name(desk: Desk) -> None:
    service = library().service("parking_citation")
    with pytest.raises(ReplicaError, match=r"gone\.csv"):
        import_csv(desk.folder / "gone.csv", mapping(), service, desk.replica, desk.rejects, taken_at_ns=1)


def test_a_mapping_of_another_service_is_refused(desk: Desk) -> None:
    with pytest.raises(ImportRowError, match="water_bill"):
        import_csv(desk.folder / "in.csv", mapping("water_bill"), library().service("parking_citation"), desk.replica,
                   desk.rejects, taken_at_ns=1)  # fmt: skip


def test_a_snapshot_takes_away_what_its_file_no_longer_holds(desk: Desk) -> None:
    desk.take(HEAD + GOOD)
    everything = msgspec.structs.replace(mapping(), holds="snapshot")
    report = desk.take(HEAD + GOOD.replace("260004175", "260004188"), everything)
    assert (report.taken, report.removed, report.data_set.rows) == (1, 1, 1)


def test_progress_ends_at_the_size_of_the_file(desk: Desk) -> None:
    seen: list[tuple[int, int]] = []
    desk.take(HEAD + GOOD, progress=lambda done, size: seen.append((done, size)))
    assert seen[-1] == (len(HEAD + GOOD), len(HEAD + GOOD))


@pytest.mark.parametrize("name", ["parking_citation", "water_bill"])
def test_the_example_files_come_in_whole_and_every_open_invoice_has_a_price(desk: Desk, name: str) -> None:
    source = CONFIG / "examples" / {"parking_citation": "parking_citations.csv", "water_bill": "water_bills.csv"}[name]
    content = source.read_bytes()
    report = desk.take(content, mapping(name), prices=lambda invoice: library().price(invoice, invoice.issued))
    assert report.rejected == 0
    assert report.taken == content.count(b"\n") - 1
    with closing(Replica.open(desk.replica)) as replica:
        dues = []
        for line in content.decode().splitlines()[1:]:
            number = line.replace(";", ",").split(",")[0]
            found = replica.find(name, number)
            assert found is not None
            if library().service(name).refusal(found) is None:
                dues.append(library().price(found, dt.date(2026, 11, 30)).due_minor)
    assert len(dues) >= 7
    assert max(dues) > 20000


def test_the_scan_lines_of_the_example_bills_can_be_read(desk: Desk) -> None:
    lines = (CONFIG / "examples" / "water_bills.csv").read_text(encoding="utf-8").splitlines()[1:]
    for account, *_, line in (row.split(";") for row in lines):
        read = library().read_label(line, "]o1")
        assert getattr(read, "number", read) == account


def test_examples_are_moved_back_for_a_clock_before_their_dates_and_never_forward() -> None:
    for name, file in (("parking_citation", "parking_citations.csv"), ("water_bill", "water_bills.csv")):
        content = (CONFIG / "examples" / file).read_text(encoding="utf-8")
        assert dated_for(content, mapping(name), dt.date(2027, 6, 1)) == content
        moved = dated_for(content, mapping(name), dt.date(2026, 2, 3))
        assert moved.count("\n") == content.count("\n")
        read = date_reader(mapping(name).dates)
        separator = mapping(name).delimiter
        newest = max(read(line.split(separator)[1]) for line in moved.splitlines()[1:])
        assert newest == dt.date(2026, 2, 3)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"Citation" = "number"', '"Citation" = "nubmer"', "'nubmer' is not a field"),
        ('"Paid" = "paid"', '"Paid" = "number"', "fed by two columns"),
        ('"Issued" = "issued"', "", "no column for 'issued'"),
        ('"OPEN" = "open"', '"OPEN" = "opened"', "'opened' is not a state"),
        ('delimiter = ","', 'delimiter = ""', "one character"),
        ('dates = "YYYY-MM-DD"', 'dates = "DD/MM/YY"', "dates: Invalid enum value"),
        ("holds =", "hold =", "did you mean `holds`"),
    ],
)
def test_a_mapping_that_makes_no_sense_does_not_load(old: str, new: str, told: str) -> None:
    text = (CONFIG / "imports" / "parking_citation.toml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(PolicyError, match=told):
        load_mapping(text.replace(old, new, 1), "imports/x.toml")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("YYYY-MM-DD", "2026-03-02"),
        ("MM/DD/YYYY", "03/02/2026"),
        ("DD.MM.YYYY", "02.03.2026"),
        ("YYYYMMDD", "20260302"),
    ],
)
def test_dates_are_read_in_the_form_of_the_mapping_only(form: str, text: str) -> None:
    read = date_reader(form)
    assert read(text) == dt.date(2026, 3, 2)
    for other in ("2026-3-2", "", "٢٠٢٦-03-02", "2026-03-02T00:00", "x"):
        with pytest.raises(ImportRowError):
            read(other)


def test_amounts_are_whole_minor_units_in_both_forms() -> None:
    assert amount_reader("major")("83.17", "USD") == 8317
    assert amount_reader("major")("83.1", "USD") == 8310
    assert amount_reader("major")("700", "JPY") == 700
    assert amount_reader("minor")("8317", "USD") == 8317
    for form, text in (("major", "1e3"), ("major", ""), ("major", "."), ("minor", "83.17"), ("major", "7.0000")):
        with pytest.raises(ImportRowError):
            amount_reader(form)(text, "USD")
