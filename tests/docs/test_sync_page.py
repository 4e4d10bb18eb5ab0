"""What the page on sync says of the wire is what the wire is, and its check of a hub's receipt comes out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from kiosk.journal.keys import SigningKey
from kiosk.sync.messages import NACK_CODES, Mark
from kiosk.sync.receipts import receipt_message
from kiosk.sync.wire import TYPES
from tests.docs.pages import PAGES

PAGE = PAGES["docs/sync.md"]


def messages_table() -> str:
    """Return the table of all messages as the page has to show it."""
    rows = ["| type | message | way | fields | |", "|---|---|---|---|---|"]
    for number, (message, way) in sorted(TYPES.items()):
        fields = ", ".join(field.name for field in msgspec.structs.fields(message))
        meaning = (message.__doc__ or "").splitlines()[0].replace("``", "`")
        rows.append(f"| {number} | {message.__name__.upper()} | {way} | {fields} | {meaning} |")
    return "\n".join(rows) + "\n"


def test_the_messages_of_the_page_are_those_of_the_wire() -> None:
    found = re.search(r"<!-- messages: begin -->\n(.*?)<!-- messages: end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1].strip() == messages_table().strip(), "put this table there:\n" + messages_table()


def test_the_page_names_every_code_of_a_refusal() -> None:
    told = PAGE.split("`NACK` refuses with one of these codes:", 1)[1].split("##", 1)[0]
    assert re.findall(r"`(\w+)`", told) == list(NACK_CODES)


def test_openssl_alone_checks_a_hubs_receipt_as_the_page_says(tmp_path: Path) -> None:
    for need in ("openssl", "xxd"):
        if shutil.which(need) is None:
            pytest.skip(f"needs {need}")
    found = re.search(r"<!-- hub receipt: begin -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    key = SigningKey.create(tmp_path / "hub.key")
    mark = Mark(3, 70_000, bytes(range(32)))
    signature = key.sign(receipt_message("city-hall", "K07", mark))
    told = {
        "HUB": "city-hall", "KIOSK": "K07", "EPOCH": "3", "SEQ": "70000", "HASH": mark.hash.hex().upper(),
        "SIGNATURE": signature.hex().upper(), "KEY": key.public_hex,
    }  # fmt: skip
    for changed, good in (({}, True), ({"SEQ": "70001"}, False), ({"KIOSK": "K08"}, False), ({"HUB": "other"}, False)):
        done = subprocess.run(
            ["/bin/sh", "-ec", found[1]],
            env={**told, **changed, "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            capture_output=True,
        )
        assert (done.returncode == 0) is good, (changed, done.stderr)
