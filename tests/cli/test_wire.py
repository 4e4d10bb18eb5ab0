"""``kiosk wire``: frames explained, a line recorded, a recording played again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.plugins.recording import read_recording
from kiosk.protocols.id003.frames import encode
from tests.cli.conftest import Run

POLL, IDLING, STRANGE = "FC 05 11 27 56", "fc05112756", encode(0x7F).hex()


def test_every_frame_is_explained_in_the_order_given_and_a_wrong_one_stops_nothing(run: Run) -> None:
    done = run("wire", "decode", "id003", "--from", "device", "--json", POLL, "FC0511 2757", STRANGE, IDLING)
    told = [json.loads(line) for line in done.output.splitlines()]
    assert [(each["valid"], each["name"]) for each in told] == [
        (True, "idling"), (False, ""), (True, "unknown"), (True, "idling"),
    ]  # fmt: skip
    assert all(set(each) == {"valid", "name", "fields", "error"} for each in told)
    assert "CRC" in told[1]["error"]
    assert done.exit_code == 1


def test_only_good_frames_end_well(run: Run) -> None:
    assert run("wire", "decode", "id003", "--from", "host", POLL).exit_code == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [("FCxy", "'x' is no hexadecimal digit"), ("f", "1 hexadecimal digits"), ("", "0 hexadecimal digits"),
     ("FC" * 5000, "longer than any frame")],
)  # fmt: skip
def test_what_is_no_frame_is_told_as_such_and_why(run: Run, text: str, why: str) -> None:
    done = run("wire", "decode", "id003", "--from", "host", "--json", text)
    told = json.loads(done.output)
    assert told["valid"] is False
    assert why in told["error"]


def test_a_frame_that_the_shell_took_apart_is_noticed(run: Run) -> None:
    apart = run("wire", "decode", "id003", "--from", "host", *POLL.split())
    assert "quotation marks" in apart.output
    assert apart.exit_code == 1
    assert "quotation marks" not in run("wire", "decode", "ID003", "--from", "host", POLL.replace(" ", "-")).output


def test_a_cctalk_frame_with_the_other_checksum_says_so(run: Run) -> None:
    assert "the CRC would be right" in run("wire", "decode", "cctalk", "--from", "device", "0100300037").output
    other = run("wire", "decode", "cctalk", "--from", "host", "--checksum", "crc", "020001F20B")
    assert "the simple checksum would be right" in other.output


@pytest.mark.parametrize(
    ("protocol", "key"), [("id003", "00" * 16), ("ssp", "123456"), ("ssp", "00" * 15), ("cctalk", "12345x")]
)
def test_a_key_of_the_wrong_kind_is_refused_before_anything_is_read(run: Run, protocol: str, key: str) -> None:
    done = run("wire", "decode", protocol, "--from", "host", "--key", key, "00")
    assert done.exit_code == 2
    assert "--key" in done.output


@pytest.fixture(scope="module")
def recorded(running, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """A recording of the acceptor's line over an unplugging, so that it holds the driver's own start."""
    out = tmp_path_factory.mktemp("wire") / "notes.wire"
    words = ["wire", "record", "notes", "--seconds", "4", "--out", str(out), "--config", str(running.directory.config)]
    recording = subprocess.Popen([sys.executable, "-m", "kiosk", *words], stderr=subprocess.PIPE, text=True)
    assert recording.stderr is not None
    assert "recording notes" in recording.stderr.readline()
    port = running.hardware.port("notes")
    port.unplug()
    port.replug()
    assert recording.wait(60) == 0, recording.stderr.read()
    return out


def test_a_recording_holds_the_traffic_of_the_line_and_what_it_is_of(recorded: Path) -> None:
    recording = read_recording(recorded.read_bytes())
    assert (recording.about.driver, recording.about.protocol) == ("id003_acceptor", "id003")
    assert recording.whole
    assert {piece.way for piece in recording.passed} >= {">", "<", "!"}
    assert recorded.stat().st_mode & 0o077 == 0


def test_a_recording_becomes_a_test_that_passes_and_that_can_fail(run: Run, recorded: Path, tmp_path: Path) -> None:
    made = tmp_path / "test_notes.py"
    done = run("wire", "replay", recorded, "--test", made)
    assert done.exit_code == 0, done.output
    assert '"event":"device_state"' in done.output
    assert _pytest(made) == 0
    text = made.read_text("utf-8")
    made.write_text(text.replace('"event":"device_state"', '"event":"device_stat"', 1), "utf-8")
    assert _pytest(made) == 1


def _pytest(file: Path) -> int:
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--rootdir",
        str(file.parent),
    ]
    return subprocess.run([*words, str(file)], capture_output=True, check=False, timeout=120).returncode


def test_a_recording_that_cannot_be_written_is_refused_before_it_begins(run: Run, tmp_path: Path) -> None:
    done = run("wire", "record", "notes", "--out", tmp_path / "nowhere" / "x.wire")
    assert done.exit_code == 2
    assert "nowhere" in done.output


def test_a_scanner_is_not_recorded_without_a_word(running, run: Run) -> None:  # type: ignore[no-untyped-def]
    done = run("wire", "record", "scanner", "--seconds", "1", config=running.directory.config)
    assert done.exit_code == 2
    assert "private" in done.output


def test_a_file_that_is_no_recording_is_refused_with_its_line(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wire"
    broken.write_text('{"device":"x","driver":"id003_acceptor","currency":"USD"}\n{"at_ns":1,"way":"<","hex":"zz"}\n')
    done = run("wire", "replay", broken)
    assert done.exit_code == 1
    assert "line 2" in done.output
