"""`make vm-test`: what only a real kernel can show, in a virtual machine that this machine builds for itself.

    python tests/vm/run.py [--only NAME,NAME] [--cuts 3]

Scenes inside one machine (`scenes`): a keyboard wedge with a real grab, a USB printer unplugged in mid-job, an
acceptor on a CDC adapter, a HID-POS scanner, two adapters that are twins.  Then the power is cut under a journal that
commits, and a second machine opens what the first one left.  Where QEMU cannot run, one line says why and the exit
code is 0.  The last line is one JSON object.  Images live in KIOSK_VM_CACHE, else in a folder below the system's
temporary one, and never in this project.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from image import ImageError, missing, ready
from machine import DISK, Machine, MachineError, accelerated, booted

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
#: Commits after which the power goes, at least and at most.
CUT_AFTER = (5, 60)


def main() -> int:
    """Run everything that was asked for; return the exit code."""
    parser = argparse.ArgumentParser(description="Play scenes on a real kernel in a virtual machine.")
    parser.add_argument("--only", default="", help="names of scenes, separated by commas; powercut is one")
    parser.add_argument("--cuts", type=int, default=3, help="how often the power is cut")
    asked = parser.parse_args()
    begin = time.monotonic()
    if why := missing() or _python_missing():
        print(f"vm-test: skipped: {why}")
        print(json.dumps({"scenarios": [], "passed": 0, "failed": 0, "skipped": why, "seconds": 0.0}))
        return 0
    only = {name for name in asked.only.split(",") if name}
    try:
        image = ready(cache())
        done = scenes(image, only - {"powercut"}) if only != {"powercut"} else []
        if not only or "powercut" in only:
            done += [cut(image, number) for number in range(asked.cuts)]
    except (ImageError, MachineError) as error:
        done = [{"scene": "machine", "seconds": 0.0, "wrong": str(error)}]
    failed = [each for each in done if each["wrong"]]
    seconds = round(time.monotonic() - begin, 1)
    print(json.dumps({
        "scenarios": done, "passed": len(done) - len(failed), "failed": len(failed), "skipped": "",
        "accelerated": accelerated(), "seconds": seconds,
    }))  # fmt: skip
    return 1 if failed or not done else 0


def cache() -> Path:
    """Return the folder for images: ours alone, for what lies in it is run as root."""
    place = Path(os.environ.get("KIOSK_VM_CACHE") or Path(tempfile.gettempdir()) / f"kiosk-vm-{os.getuid()}")
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.getuid() or place.stat().st_mode & 0o022:
        raise ImageError(f"{place} is not this user's alone: remove it, or set KIOSK_VM_CACHE")
    return place


def scenes(image: Path, names: set[str]) -> list[dict[str, Any]]:
    """Play the scenes in one machine."""
    done: list[dict[str, Any]] = []

    def seen(line: str) -> bool:
        if line.startswith("scene {"):
            done.append(json.loads(line.removeprefix("scene ")))
            print(f"vm-test: {done[-1]['scene']}: {done[-1]['wrong'] or 'ok'}, {done[-1]['seconds']} s", flush=True)
        else:
            print(f"vm-test:   {line}", flush=True)
        return True

    with booted(image, PROJECT) as machine:
        code, _ = _python(machine, "scenes.py", *sorted(names), seen=seen)
    if code != sum(bool(each["wrong"]) for each in done):
        done.append({"scene": "scenes", "seconds": 0.0, "wrong": f"the guest's program ended with {code}"})
    return done


def cut(image: Path, number: int) -> dict[str, Any]:
    """Cut the power under a committing journal; open it on another machine and look for what was acknowledged."""
    begin, acks = time.monotonic(), list[str]()
    wanted = random.Random(number).randint(*CUT_AFTER)

    def seen(line: str) -> bool:
        if line.startswith("ack "):
            acks.append(line.removeprefix("ack ").replace(" ", ":"))
        return len(acks) < wanted

    with tempfile.TemporaryDirectory(prefix="disk-", dir=image) as name:
        disk = Path(name) / "data.img"
        with disk.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)
        with booted(image, PROJECT, disk) as machine:
            _, lines = _python(machine, "journal_side.py", "write", DISK, seen=seen)
            machine.cut_power()
        wrong = "" if len(acks) >= wanted else f"the journal did not commit: {lines[-1:]}"
        if not wrong:
            with booted(image, PROJECT, disk) as machine:
                code, lines = _python(machine, "journal_side.py", "check", DISK, *acks)
            wrong = "" if code == 0 else f"{code}: {lines[-1:]}"
    took = round(time.monotonic() - begin, 1)
    print(f"vm-test: powercut after {len(acks)} commits: {wrong or 'ok'}, {took} s", flush=True)
    return {"scene": "powercut", "seconds": took, "wrong": wrong, "acknowledged": len(acks)}


def _python(machine: Machine, program: str, *words: str, seen: Any = None) -> tuple[int, list[str]]:
    """Run one of our programs in the guest, on this project and what it has installed."""
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    env = {"PYTHONPATH": f"{PROJECT}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    return machine.run("/usr/bin/python3", str(HERE / program), *words, env=env, seen=seen)


def _python_missing() -> str:
    """Say why the guest's Python could not use what is installed here, "" where it can."""
    there = subprocess.run(["apt-cache", "policy", "python3"], capture_output=True, text=True, check=False).stdout
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if f"Candidate: {ours}." not in there:
        return f"the guest would have another Python than {ours}, which this project's packages are installed for"
    packages = next((Path(path) for path in sys.path if path.endswith("site-packages")), None)
    if packages is None or PROJECT not in packages.parents:
        return "the packages lie outside this project: run it with .venv/bin/python"
    return ""


if __name__ == "__main__":
    sys.exit(main())
