"""Plays a keyboard-wedge scanner for one command: umockdev-wrapper /usr/bin/python3 mock_scanner.py COMMAND...

Makes an event node with every ioctl that python-evdev asks for, types a label each time the command writes a
line to its standard output that begins with "type", and ends with the command's exit code.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import UMockdev  # noqa: E402

NODE = "/dev/input/event5"
INPUT = "/devices/pci0000:00/usb1/1-1/1-1:1.0/0003:0C2E:0B61.0001/input/input5"
KEYS = {digit: 2 + at for at, digit in enumerate("1234567890")} | {"\n": 28}


def bits(numbers: set[int], size: int) -> str:
    """A bit field as the kernel fills it."""
    return sum(1 << number for number in numbers).to_bytes(size, "little").hex().upper()


def words(text: str) -> str:
    """A string as the kernel fills a buffer of 256."""
    return text.encode().ljust(256, b"\0").hex().upper()


IOCTLS = f"""@DEV {NODE}
EVIOCGVERSION 0 01000100
EVIOCGID 0 {struct.pack("<HHHH", 3, 0x0C2E, 0x0B61, 0x0110).hex().upper()}
EVIOCGNAME(0) 16 {words("Example Scanner")}
EVIOCGPHYS(0) 26 {words("usb-0000:00:14.0-1/input0")}
EVIOCGUNIQ(0) 6 {words("B0001")}
EVIOCGPROP(0) 4 00000000
EVIOCGREP 0 FA00000021000000
EVIOCGBIT(0) 4 {bits({0, 1, 4}, 4)}
EVIOCGBIT(1) 96 {bits({*KEYS.values(), 42}, 96)}
EVIOCGBIT(4) 96 {bits({4}, 96)}
EVIOCGKEY(0) 96 {"00" * 96}
EVIOCGEFFECTS 0 00000000
"""
DEVICES = f"""P: {INPUT}/event5
N: input/event5
E: DEVNAME={NODE}
E: MAJOR=13
E: MINOR=69
E: SUBSYSTEM=input
A: dev=13:69

P: {INPUT}
E: SUBSYSTEM=input
A: name=Example Scanner
A: id/vendor=0c2e
A: id/product=0b61
"""


def press(descriptor: int, code: int) -> None:
    """Press and release one key."""
    for value in (1, 0):
        for event in ((1, code, value), (0, 0, 0)):
            now = time.time()
            os.write(descriptor, struct.pack("llHHi", int(now), int(now % 1 * 1e6), *event))


def main() -> int:
    """Play until the command ends."""
    bed = UMockdev.Testbed.new()
    bed.add_from_string(DEVICES)
    with tempfile.NamedTemporaryFile("w", suffix=".ioctl") as file:
        file.write(IOCTLS)
        file.flush()
        bed.load_ioctl(NODE, file.name)
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
    descriptor = -1
    for line in child.stdout:
        if line.startswith("type "):
            if descriptor < 0:
                descriptor = bed.get_dev_fd(NODE)
            for letter in line.split()[1] + "\n":
                press(descriptor, KEYS[letter])
        else:
            print(line, end="", flush=True)
    return child.wait()


sys.exit(main())
