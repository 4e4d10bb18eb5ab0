"""MemoryDenyWriteExecute, tried for real: the kernel's switch (PR_SET_MDWE, Linux 6.3) set before the libraries load.

systemd refuses such mappings with a system call filter; the switch refuses the same ones, and needs no service manager.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, mmap, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit(77)
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    sys.exit("the switch has no effect")
except PermissionError:
    pass
import argon2, msgspec, PIL.Image, PIL.ImageFont, pyudev, serial, sqlite3, uvicorn, zmq
import usb.backend.libusb1, usb.core
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
key = Ed25519PrivateKey.generate()
key.public_key().verify(key.sign(b"head"), b"head")
argon2.PasswordHasher().verify(argon2.PasswordHasher().hash("0000"), "0000")
backend = usb.backend.libusb1.get_backend()
if backend is not None:
    list(usb.core.find(find_all=True, backend=backend))
sqlite3.connect(":memory:").execute("select 1").fetchone()
from pathlib import Path
from kiosk.sync.doorbell import Doorbell
assert Doorbell(Path("/tmp/journal.db")).fileno() >= 0
"""


def test_the_libraries_of_the_core_need_no_memory_that_is_written_and_run() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    if answer.returncode == 77:
        pytest.skip("needs Linux 6.3 or newer (PR_SET_MDWE)")
    assert (answer.returncode, answer.stderr) == (0, "")
