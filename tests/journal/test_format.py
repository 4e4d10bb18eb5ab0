"""What `docs/journal-format.md` promises strangers is true: its own verifier and its own commands run here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from kiosk.errors import JournalDamaged
from kiosk.journal.export import lines_of, rows_of
from kiosk.journal.reader import Reader
from kiosk.model.facts import AnyBody, Period, Stamp
from tests.databases import make_v1

PAGE = Path(__file__).parents[2] / "docs" / "journal-format.md"


def block(name: str) -> str:
    """Return a code block of the page by the name in its comments."""
    found = re.search(rf"<!-- {name}: begin -->\n```\w+\n(.*?)```\n<!-- {name}: end -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def export(tmp_path: Path) -> bytes:
    """The frozen journal as an export."""
    with Reader(Path(shutil.copy(Path(make_v1.__file__).with_name("v1.db"), tmp_path / "v1.db"))) as reader:
        return b"".join(lines_of(reader.rows()))


def check(export: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-I", "-S", "-c", block("verifier")], input=export, capture_output=True)


def test_the_verifier_of_the_page_takes_a_sound_export(export: bytes) -> None:
    done = check(export)
    assert done.returncode == 0, done.stderr
    told = done.stdout.decode().splitlines()
    assert told[0] == f"epoch 1: key {make_v1.FIRST_KEY.public_hex}"
    assert told[1] == f"epoch 2: key {make_v1.SECOND_KEY.public_hex}, example restore"
    assert "overpayments USD -500" in told
    assert told[-1].startswith("sound: 2/2 ")


def test_the_verifier_of_the_page_finds_what_was_changed(export: bytes) -> None:
    lines = export.splitlines(keepends=True)
    changes = {
        "the chain is broken": export.replace(b'[2000,"USD"]', b'[3000,"USD"]', 1),
        "the chain is broken, too": b"".join(lines[:5] + lines[6:]),
        "the last fact is not signed": b"".join([*lines[:-1], re.sub(rb" [0-9a-f]{128} ", b" - ", lines[-1])]),
    }
    for told, changed in changes.items():
        done = check(changed)
        assert done.returncode == 1
        assert told.partition(",")[0] in done.stderr.decode()


def test_the_page_tells_how_openssl_checks_a_head(export: bytes, tmp_path: Path) -> None:
    for tool in ("openssl", "xxd"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    digest, signature, _ = export.splitlines()[-1].decode().split(" ", 2)
    facts = {"KIOSK": "K07", "EPOCH": "2", "SEQ": "2", "HASH": digest, "SIGNATURE": signature, "PATH": "/usr/bin:/bin"}
    for key, good in ((make_v1.SECOND_KEY, True), (make_v1.FIRST_KEY, False)):
        done = subprocess.run(
            ["/bin/sh", "-ec", block("signature")],
            env={**facts, "KEY": key.public_hex},
            cwd=tmp_path,
            capture_output=True,
        )
        assert (done.returncode == 0) is good, done.stderr


def test_the_example_row_of_the_page_is_a_row(export: bytes) -> None:
    found = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    row = re.sub(r"\n *", "", found[1]).encode()
    assert row in export


def test_the_page_tells_every_kind_of_fact_with_its_members_in_order() -> None:
    told: dict[str, list[str]] = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `"):
            kinds, _, members = line.strip("| ").partition(" | ")
            for kind in re.findall(r"`(\w+)`", kinds):
                told.setdefault(kind, re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", members)))
    for body in get_args(AnyBody):
        name, members = body.__struct_config__.tag, list(body.__struct_fields__)
        assert [each for each in told[name] if each in members] == members, name
    for struct in (Stamp, Period):
        missing = [name for name in struct.__struct_fields__ if f"`{name}`" not in PAGE.read_text()]
        assert missing == []


def test_an_export_is_read_back_as_the_rows_it_was_made_of(export: bytes) -> None:
    lines = export.splitlines(keepends=True)
    assert b"".join(lines_of(rows_of(lines))) == export
    for bad in (b"", b"zz - {}", b"00", b"00 zz {}"):
        with pytest.raises(JournalDamaged):
            list(rows_of([bad]))
