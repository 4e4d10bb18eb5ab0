"""A disk that remembers every write and flush, and the states a power cut could have left on it.

Theory of operation: an image file is exported by qemu-storage-daemon through FUSE, with its ``blklogwrites``
filter in between, which appends every write, flush and discard to a log in the order they reached the disk.  A
loop device and ext4 lie on top, so the program under test runs natively.  A crash state is everything up to the
last flush before the cut, and then none, all or a random half of the later writes: what a disk with a volatile
cache may have kept.  A write with FUA is durable by itself.  Needs root, FUSE and loop devices.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Commands and the Debian packages that bring them.
NEEDS = {
    "qemu-storage-daemon": "qemu-system-common",
    "mkfs.ext4": "e2fsprogs",
    "losetup": "mount",
    "mount": "mount",
    "umount": "mount",
}
IMAGE_BYTES = 48 << 20

# Linux, Documentation/admin-guide/device-mapper/log-writes.rst: super block and entry, little-endian.
_MAGIC = 0x6A736677736872
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_FLUSH, _FUA, _DISCARD = 1, 2, 4


def missing() -> str:
    """Return why this machine cannot record a disk, or "" where it can."""
    if os.geteuid() != 0:
        return "needs root"
    for command, package in NEEDS.items():
        if shutil.which(command) is None:
            return f"needs {command} (Debian package: {package})"
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return f"needs {device}"
    return ""


class LogEntry(NamedTuple):
    """One thing that reached the disk."""

    #: Byte offset on the disk and number of bytes written there (0 for a bare flush or a discard).
    at: int
    length: int
    flags: int
    #: Where the bytes lie in the log.
    data: int

    @property
    def end(self) -> int:
        """Size that the log had once this entry was in it."""
        return self.data + self.length


class RecordedDisk:
    """One recorded image with its log, in a work directory."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.log = work / "log.img"
        self.mounted = work / "disk"
        self._base = work / "base.img"
        self._entries: list[LogEntry] = []
        work.mkdir(parents=True, exist_ok=True)
        self.mounted.mkdir(exist_ok=True)

    @contextlib.contextmanager
    def recording(self) -> Iterator[Path]:
        """Make the disk and yield the directory where it is mounted; everything is undone afterwards."""
        data, export = self.work / "data.img", self.work / "export.img"
        for name in (self.log, export, data):
            name.write_bytes(b"")
        os.truncate(data, IMAGE_BYTES)
        _run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(data))
        shutil.copyfile(data, self._base)
        with contextlib.ExitStack() as undo:
            daemon = subprocess.Popen(
                [
                    "qemu-storage-daemon",
                    *("--blockdev", f"driver=file,node-name=file,filename={data}"),
                    *("--blockdev", f"driver=file,node-name=log,filename={self.log}"),
                    *("--blockdev", "driver=blklogwrites,node-name=disk,file=file,log=log,log-sector-size=512"),
                    *("--export", f"type=fuse,id=export,node-name=disk,mountpoint={export},writable=on"),
                ]
            )
            undo.callback(_end, daemon)
            _await_export(daemon, export)
            loop = _run("losetup", "-f", "--show", str(export)).strip()
            undo.callback(_run, "losetup", "-d", loop)
            _run("mount", "-o", "noatime", loop, str(self.mounted))
            undo.callback(_unmount, self.mounted)
            yield self.mounted
        data.unlink()
        export.unlink(missing_ok=True)

    def entries(self) -> list[LogEntry]:
        """Return the whole log in order."""
        if not self._entries:
            size = self.log.stat().st_size
            with self.log.open("rb") as log:
                magic, _, _, sector = _SUPER.unpack(log.read(_SUPER.size))
                if magic != _MAGIC:
                    raise RuntimeError(f"{self.log} is not a log of writes")
                place = sector
                while place + sector <= size:
                    log.seek(place)
                    at, count, flags, _ = _ENTRY.unpack(log.read(_ENTRY.size))
                    length = 0 if flags & _DISCARD else count * sector
                    self._entries.append(LogEntry(at * sector, length, flags, place + sector))
                    place += sector + length
        return self._entries

    @property
    def flushes(self) -> int:
        """How many flushes the log holds."""
        return sum(bool(entry.flags & _FLUSH) for entry in self.entries())

    def write_crash_state(self, target: Path, cut: int, mode: str, chance: random.Random) -> None:
        """Write the image that a cut after `cut` entries leaves; `mode` is ``none``, ``all`` or ``half``."""
        entries = self.entries()
        flushed = max((i for i in range(cut) if entries[i].flags & _FLUSH), default=-1)
        image = bytearray(self._base.read_bytes())
        with self.log.open("rb") as log:
            for i, entry in enumerate(entries[:cut]):
                kept = i <= flushed or entry.flags & _FUA or mode == "all" or (mode == "half" and chance.random() < 0.5)
                if entry.length and kept:
                    log.seek(entry.data)
                    image[entry.at : entry.at + entry.length] = log.read(entry.length)
        target.write_bytes(image)

    @contextlib.contextmanager
    def mounted_state(self, image: Path) -> Iterator[Path]:
        """Mount a crash state, letting ext4 replay its own journal, and yield the directory."""
        _run("mount", "-o", "loop,noatime", str(image), str(self.mounted))
        try:
            yield self.mounted
        finally:
            _unmount(self.mounted)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[:300]}")
    return done.stdout


def _await_export(daemon: subprocess.Popen[bytes], export: Path) -> None:
    deadline = time.monotonic() + 20
    while export.stat().st_size == 0:
        if daemon.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("qemu-storage-daemon does not export the disk; see its message above")
        time.sleep(0.02)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _unmount(where: Path) -> None:
    """Unmount; something may hold the directory for a moment, so try for a while."""
    for pause in (0.05, 0.1, 0.3, 1, 3):
        if subprocess.run(["umount", str(where)], capture_output=True).returncode == 0:
            return
        time.sleep(pause)
    _run("umount", "-l", str(where))
