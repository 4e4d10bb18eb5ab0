"""Where no virtual machine can run, `make vm-test` says why in one line and fails nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parent / "run.py"


def test_a_machine_without_qemu_is_told_in_one_line_and_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(RUN)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first.startswith("vm-test: skipped: needs ")
    told = json.loads(last)
    assert (told["scenarios"], told["passed"], told["failed"]) == ([], 0, 0)
    assert first.endswith(told["skipped"])
