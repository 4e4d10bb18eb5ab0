"""What the pages tell people to try is there, and what they tell people to run comes out."""

from __future__ import annotations

import base64
import csv
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kiosk.config import read_text
from kiosk.journal.export import lines_of
from kiosk.journal.reader import Reader
from kiosk.journal.receipt_seal import seal
from kiosk.model.facts import Committed, ReceiptIssued
from kiosk.tariff.labels import LabelRead
from kiosk.tariff.library import load
from tests.databases import make_v1
from tests.docs.pages import PAGES, ROOT

README = PAGES["README.md"]


def tried() -> list[str]:
    """The labels of the table of things to try."""
    return re.findall(r"^\| `(\d{9,})` \|", README, re.MULTILINE)


#: (file, delimiter, column of the number)
EXAMPLES = (("parking_citations", ",", "Citation"), ("water_bills", ";", "Account"), ("property_tax", ",", "Bill"))


def test_the_labels_to_try_are_read_by_the_services_that_ship() -> None:
    rooms = {
        f"{room}/{path.name}": read_text(path)
        for room in ("services", "policies")
        for path in (ROOT / "config" / room).glob("*.toml")
    }
    library = load(rooms)
    numbers = set()
    for name, delimiter, column in EXAMPLES:
        with (ROOT / "config" / "examples" / f"{name}.csv").open(encoding="utf-8") as file:
            numbers |= {row[column] for row in csv.DictReader(file, delimiter=delimiter)}
    assert len(tried()) >= 6
    for label in tried():
        read = library.read_label(label)
        wrong_on_purpose = f"| `{label}` | a wrong check digit" in README
        assert isinstance(read, LabelRead) is not wrong_on_purpose, label
        if isinstance(read, LabelRead):
            assert read.number in numbers, label


def test_the_scenarios_that_pages_name_are_there() -> None:
    for page in PAGES.values():
        for name in re.findall(r"tests/scenarios/[\w-]+\.txt", page):
            assert (ROOT / name).is_file(), name
    words = {20: "twenty", 21: "twenty-one", 22: "twenty-two", 23: "twenty-three", 24: "twenty-four", 25: "twenty-five"}
    count = len(list((ROOT / "tests" / "scenarios").glob("*.txt")))
    assert f"there are {words[count]}\nin `tests/scenarios/`" in README


def test_every_room_that_the_readme_lays_out_is_there() -> None:
    table = README.split("## Layout", 1)[1].split("## Status", 1)[0]
    for name in re.findall(r"`([\w./]+)`", table):
        assert (ROOT / name).exists() or name in ("kiosk.toml", "city.toml"), name


@pytest.fixture
def slip(tmp_path: Path) -> Committed:
    """A slip of the frozen journal."""
    with Reader(Path(shutil.copy(Path(make_v1.__file__).with_name("v1.db"), tmp_path / "v1.db"))) as reader:
        return next(each for each in reader.read() if isinstance(each.fact.body, ReceiptIssued))


def test_openssl_alone_checks_a_receipt_as_the_page_says(slip: Committed, tmp_path: Path) -> None:
    for need in ("openssl", "xxd"):
        if shutil.which(need) is None:
            pytest.skip(f"needs {need}")
    page = PAGES["docs/verify.md"]
    found = re.search(r"<!-- receipt: begin -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert found is not None
    line = seal(slip, make_v1.FIRST_KEY)
    forged = line.replace("|USD|", "|EUR|")
    assert forged != line
    for told, key, good in (
        (line, make_v1.FIRST_KEY, True),
        (forged, make_v1.FIRST_KEY, False),
        (line, make_v1.SECOND_KEY, False),
    ):
        done = subprocess.run(
            ["/bin/sh", "-ec", found[1]],
            env={"LINE": told, "KEY": key.public_hex, "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            capture_output=True,
        )
        assert (done.returncode == 0) is good, done.stderr
    assert len(base64.urlsafe_b64decode(line.rpartition("|")[2] + "==")) == 64


def test_the_first_hash_comes_out_as_the_page_says(tmp_path: Path) -> None:
    with Reader(Path(shutil.copy(Path(make_v1.__file__).with_name("v1.db"), tmp_path / "v1.db"))) as reader:
        (tmp_path / "facts.txt").write_bytes(b"".join(lines_of(reader.rows())))
    page = PAGES["docs/verify.md"]
    found = re.search(r"```sh\n(row=.*?)```", page, re.DOTALL)
    assert found is not None
    done = subprocess.run(["/bin/sh", "-ec", found[1]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == (tmp_path / "facts.txt").read_text("utf-8").split(" ", 1)[0]
