"""The real evdev and libusb against devices that umockdev plays: what the in-process fakes cannot show."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WORDS = "needs umockdev: apt-get install umockdev gir1.2-umockdev-1.0 python3-gi"


def umockdev_works() -> bool:
    """Tell whether the wrapper and its Python side are installed."""
    if shutil.which("umockdev-wrapper") is None or not os.path.exists("/usr/bin/python3"):
        return False
    ask = "import gi; gi.require_version('UMockdev', '1.0'); from gi.repository import UMockdev"
    return subprocess.run(["/usr/bin/python3", "-c", ask], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not umockdev_works(), reason=WORDS)

SCAN = """
import select, sys
from kiosk.protocols.keyboard_wedge import WedgeDecoder, keymap
from kiosk.transports import make_path
path = make_path("evdev", {"port": sys.argv[1]})
facts = path.open()
print("facts", facts["vendor"], facts["product"], facts["serial"], facts["nodes"], flush=True)
decoder = WedgeDecoder(keymap("us"), ("ENTER",))
print("type 5901234123457", flush=True)
text, ended = "", False
while not ended:
    assert select.select([path.fileno()], [], [], 20)[0], "nothing was typed"
    for typed in decoder.feed(path.read()):
        text += typed.text
        ended = ended or typed.kind == "end"
print("scan", text, flush=True)
path.close()
"""

PRINT = """
import select, sys, time
from kiosk.errors import TransportError
from kiosk.plugins.devices import PortRequest
from kiosk.transports import make_path
path = make_path("usb_printer", {"port": "usb:04b8:0202"})
facts = path.open()
print("facts", facts["interface"], facts["in_endpoint"], path.present(), flush=True)
reply = path.request(PortRequest(1, "usb_class_in", bytes.fromhex("a101000000000100")))
print("port status", reply.ok, reply.data.hex(), flush=True)
def send(data):
    while data:
        count = path.write(data)
        data = data[count:]
        if not count:
            assert select.select([path.fileno()], [], [], 20)[0], "not woken"
            got = path.read()
            if got:
                print("answer", got.hex(), flush=True)
try:
    send(bytes([0x1b, 0x40]) + b"Example City" * 300)
    send(bytes([0x10, 4, 1]))
    assert select.select([path.fileno()], [], [], 20)[0], "no answer"
    print("answer", path.read().hex(), flush=True)
except TransportError as error:
    print("lost", error.message, flush=True)
path.close()
"""


def play(mock: str, *arguments: str) -> list[str]:
    """Run a command under a mocked device; return the lines of its output."""
    done = subprocess.run(
        ["umockdev-wrapper", "/usr/bin/python3", str(HERE / mock), *arguments],
        capture_output=True, text=True, timeout=90, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(importlib.util.find_spec("evdev") is None, reason="needs evdev: `make evdev`")
@pytest.mark.parametrize("port", ["/dev/input/event5", "usb:0c2e:0b61:B0001"])
def test_the_real_evdev_library_reads_a_typed_label(port: str) -> None:
    told = play("mock_scanner.py", sys.executable, "-c", SCAN, port)
    assert told == ["facts 0c2e 0b61 B0001 1", "scan 5901234123457"]


def test_the_real_libusb_prints_and_answers_without_a_reset() -> None:
    told = play("mock_printer.py", "none", sys.executable, "-c", PRINT)
    job = b"\x1b@" + b"Example City" * 300 + b"\x10\x04\x01"
    assert told == ["facts 0 82 True", "port status True 18", "answer 12", f"paper {job.hex()}"]


def test_the_real_libusb_tells_of_an_unplugged_printer() -> None:
    told = play("mock_printer.py", "unplug", sys.executable, "-c", PRINT)
    assert told[0] == "facts 0 82 True"
    assert any(line.startswith("lost") and "No such device" in line for line in told)
