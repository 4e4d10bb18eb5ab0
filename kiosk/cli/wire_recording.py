"""What ``kiosk wire`` does with recordings: fetches one from a running kiosk, and makes a test out of one."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kiosk.core.control import call
from kiosk.errors import ControlError
from kiosk.plugins.recording import About, Passed, Recording, write_recording

#: How often the kiosk is asked for what passed; its own ring holds minutes of any line.
_ASK_S = 0.5
#: What one entry costs beside its bytes.
_ENTRY_COST = 64


def record_line(control: Path, told: dict[str, Any], out: Path, seconds: int | None, capacity: int) -> None:
    """Fetch traffic until the time is up or Ctrl-C, then write the file; recording ends as it was found.

    Raises:
        ControlError: the kiosk went away before anything was fetched.
        OSError: the file cannot be written.
    """
    device = told["device"]
    about = About(
        device=device, driver=told["driver"], protocol=told["protocol"], options=told["options"],
        currency=told["currency"],
    )  # fmt: skip
    ring: deque[Passed] = deque()
    size, forgotten, last = 0, 0, 0
    end = None if seconds is None else time.monotonic() + seconds
    click.echo(f"recording {device}; Ctrl-C ends it", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        while end is None or time.monotonic() < end:
            time.sleep(_ASK_S)
            more = True
            while more:
                answer = call(control, "traffic", {"device": device, "after_ns": last})
                more = bool(answer["more"])
                for piece in answer["traffic"]:
                    ring.append(Passed(piece["at_ns"], piece["way"], piece["hex"]))
                    last, size = piece["at_ns"], size + len(piece["hex"]) // 2 + _ENTRY_COST
                while size > capacity:
                    size -= len(ring.popleft().hex) // 2 + _ENTRY_COST
                    forgotten += 1
            if sys.stderr.isatty():
                click.echo(f"\r{len(ring)} pieces, {size // 1024} KiB ", nl=False, err=True)
    try:
        if not told["was_on"]:
            call(control, "record", {"device": device, "on": False})
    except ControlError as error:
        click.echo(f"the kiosk could not be told to stop recording: {error.message}", err=True)
    _write(out, write_recording(Recording(about, tuple(ring))))
    lost = f", {forgotten} older ones forgotten" if forgotten else ""
    click.echo(f"{out}: {len(ring)} pieces of traffic{lost}", err=True)


def _write(out: Path, data: bytes) -> None:
    """Write for the owner alone: the bytes of a line may tell more than a log may."""
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(out)


def pytest_of(recording: Recording, told: Sequence[str], source: str) -> str:
    """Return a pytest file that plays the recording and expects these events."""
    lines = write_recording(recording).decode().splitlines()
    return "\n".join([
        f'"""What the driver {recording.about.driver} says to the recording {_plain(source)}."""',
        "",
        "from kiosk.plugins.manager import load_plugins",
        "from kiosk.plugins.recording import read_recording",
        "from kiosk.plugins.replay import in_words, replay",
        "",
        "RECORDING = (",
        *(f"    {line + chr(10)!r}" for line in lines),
        ")",
        "EXPECTED = [",
        *(f"    {line!r}," for line in told),
        "]",
        "",
        "",
        "def test_the_driver_says_the_same_to_the_recording() -> None:",
        "    told = replay(read_recording(RECORDING.encode()), load_plugins().drivers)",
        "    assert [in_words(each) for each in told] == EXPECTED",
        "",
    ])  # fmt: skip


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in text)[:80]
