"""The formats, each held against what reads it: hledger itself, and the rules of IIF and CSV."""

from __future__ import annotations

import csv
import datetime as dt
import io
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from kiosk.errors import HubError
from kiosk.hub.exports.formats import BUILT_IN
from kiosk.model.entry import Posting
from kiosk.model.exported import ExportedBlock, ExportedDate

ACCOUNTS = {"A200": "Cash", "A690": "Overpayments; credits", "A2130": "Refuse", "A2610": "Fines", "A631": "Due\nto"}
LINES = (Posting("A200", 16_000), Posting("A2130", -2_700), Posting("A2610", -11_500), Posting("A631", -1_500),
         Posting("A690", -300))  # fmt: skip
PAID = ExportedBlock(
    receipt="K07-1-000412-9f3c",
    kiosk="K07",
    epoch=1,
    seq=400,
    reasons=("note", "settlement"),
    currency="USD",
    lines=LINES,
)
BACK = ExportedBlock(
    receipt="", kiosk="K08", epoch=2, seq=5, reasons=("reversal",), currency="USD",
    lines=(Posting("A690", 5), Posting("A200", -5)), tendered=dt.date(2026, 3, 7),
)  # fmt: skip
TOLD = ExportedDate(
    business_date=dt.date(2026, 3, 10), target="erp", number=12, city="Example; City\n", currency="USD",
    accounts=ACCOUNTS, blocks=(PAID, BACK), entries=4,
)  # fmt: skip


def written(name: str, told: ExportedDate = TOLD) -> str:
    """A date in a format."""
    return b"".join(BUILT_IN[name].write(told)).decode()


def checked(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """What hledger says of a journal in strict mode."""
    if shutil.which("hledger") is None:
        pytest.skip("no hledger is installed: apt-get install hledger")
    file = tmp_path / "day.journal"
    file.write_text(text, "utf-8")
    return subprocess.run(["hledger", "-f", str(file), "check", "-s"], capture_output=True, text=True, timeout=60,
                          env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"})  # fmt: skip


def test_hledger_takes_an_export_without_a_word(tmp_path: Path) -> None:
    for told in (TOLD, msgspec.structs.replace(TOLD, blocks=(), entries=0)):
        done = checked(written("hledger", told), tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("good", "bad", "word"),
    [
        ("USD   -3.00", "USD   -3.01", "balance"),
        ("account A690  ; Overpayments, credits\n", "", "A690"),
        ("commodity USD 1000.00\n", "", "USD"),
        ("USD   -3.00", "USD   -3.00 = USD -4.00", "assertion"),
    ],
)
def test_hledger_refuses_a_tampered_export(good: str, bad: str, word: str, tmp_path: Path) -> None:
    text = written("hledger")
    assert good in text
    done = checked(text.replace(good, bad, 1), tmp_path)
    assert done.returncode != 0
    assert word in done.stderr + done.stdout


def test_hledger_adds_up_to_what_was_exported(tmp_path: Path) -> None:
    assert checked(written("hledger"), tmp_path).returncode == 0
    command = ["hledger", "-f", str(tmp_path / "day.journal"), "balance", "--flat", "-N", "-O", "csv"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    told = {row["account"]: row["balance"] for row in csv.DictReader(io.StringIO(done.stdout))}
    assert told == {"A200": "USD 159.95", "A2130": "USD -27.00", "A2610": "USD -115.00", "A631": "USD -15.00",
                    "A690": "USD -2.95"}  # fmt: skip


def test_each_block_of_an_iif_sums_to_zero_in_plain_ascii() -> None:
    lines = written("iif").encode("ascii").decode().split("\r\n")
    assert lines[0].split("\t") == ["!TRNS", "TRNSTYPE", "DATE", "ACCNT", "AMOUNT", "MEMO"]
    assert lines[1].startswith("!SPL\t")
    assert lines[2] == "!ENDTRNS"
    assert lines[-1] == ""
    blocks: list[list[list[str]]] = [[]]
    for line in lines[3:-1]:
        if line == "ENDTRNS":
            blocks.append([])
        else:
            blocks[-1].append(line.split("\t"))
    assert blocks.pop() == []
    assert [[row[0] for row in block] for block in blocks] == [["TRNS", *["SPL"] * 4], ["TRNS", "SPL"]]
    assert [sum(Decimal(row[4]) for row in block) for block in blocks] == [0, 0]
    assert {(len(row), row[1], row[2]) for block in blocks for row in block} == {(6, "GENERAL JOURNAL", "03/10/2026")}
    assert [(block[0][4], block[0][5]) for block in blocks] == [
        ("160.00", "K07-1-000412-9f3c note + settlement"),
        ("0.05", "K08-2-f5 reversal; late, of 2026-03-07, K08-2-f5"),
    ]


def test_an_iif_cell_never_ends_early() -> None:
    odd = msgspec.structs.replace(PAID, reasons=("no\tte\r\nTRNS", 'é"'))
    text = written("iif", msgspec.structs.replace(TOLD, blocks=(odd,)))
    assert "no?te??TRNS + ??" in text
    assert text.count("\r\n") == 3 + 6


def test_a_currency_that_iif_cannot_tell_is_refused_and_other_formats_name_it() -> None:
    euros = msgspec.structs.replace(PAID, currency="EUR")
    told = msgspec.structs.replace(TOLD, blocks=(PAID, euros))
    with pytest.raises(HubError, match="entries in EUR"):
        written("iif", told)
    assert "commodity EUR 1000.00\ncommodity USD 1000.00\n" in written("hledger", told)
    assert [row["currency"] for row in csv.DictReader(io.StringIO(written("csv", told)))] == ["USD"] * 5 + ["EUR"] * 5


def test_a_csv_has_one_column_for_each_side_and_a_memo_of_what_is_late() -> None:
    text = written("csv")
    assert text.startswith("date,batch,receipt,account,debit,credit,memo,currency\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 7
    assert rows[-1] == {
        "date": "2026-03-10", "batch": "erp-000012", "receipt": "K08-2-f5", "account": "A200", "debit": "",
        "credit": "0.05", "memo": "reversal; late, of 2026-03-07, K08-2-f5", "currency": "USD",
    }  # fmt: skip
    assert all(bool(row["debit"]) != bool(row["credit"]) for row in rows)


def test_minor_units_follow_the_currency() -> None:
    yen = ExportedBlock(receipt="", kiosk="K07", epoch=1, seq=1, reasons=("note",), currency="JPY",
                        lines=(Posting("A200", 700), Posting("A690", -700)))  # fmt: skip
    told = msgspec.structs.replace(TOLD, blocks=(yen,))
    assert "commodity JPY 1000.\n" in written("hledger", told)
    assert "JPY  700\n" in written("hledger", told)
    assert (yen.debit_minor, yen.reference) == (700, "K07-1-f1")


@pytest.mark.parametrize("name", ["csv", "iif", "hledger"])
def test_a_reason_that_a_stolen_kiosk_wrote_is_no_formula_and_no_line(name: str) -> None:
    reasons = ('=HYPERLINK("http://evil")\n2026-03-10 evil', "\u202eevil", "-1", *(f"r{each}" for each in range(999)))
    forged = msgspec.structs.replace(PAID, reasons=reasons)
    text = written(name, msgspec.structs.replace(TOLD, blocks=(forged,)))
    assert text.count("\n") == written(name, msgspec.structs.replace(TOLD, blocks=(PAID,))).count("\n")
    assert "=H" not in text
    assert "\u202e" not in text
    assert "http:" not in text
    assert forged.memo.startswith("?HYPERLINK??http???evil")
    assert forged.memo.endswith("+ r0 + r1 + r2 + more")
    assert not forged.memo.startswith(("=", "+", "-", "@"))
