"""Idle processor time and resident memory of a kiosk with four polled devices and its screen open.

Three acceptors of three protocols and a printer are polled every 200 ms, a scanner is listened to, and a client follows
the screen's events and sends the page's heartbeat, as a browser does.  Processor time is user and system time of the
whole process from /proc; beside it, in the same seconds, a bare interpreter with four threads that only wake every
200 ms.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.measure_citizen import running_demonstration, wait_in_service
from bench.measure_figures import Aim, say
from kiosk.simulators.note_units import ACCEPTORS, note_unit
from kiosk.simulators.pty_port import PtyPort
from kiosk.workbench.demonstration import Demonstration

POLL_MS = 200
#: Acceptors beside the first one, which speaks ID003.
OTHERS = ("ccnet", "ebds")
SECONDS = 30
_ALIVE_S = 5
#: Wakes as often as four line threads and does nothing: the least that such an interpreter can take.
_WAKING = """
import threading, time
def wake():
    while True: time.sleep(0.2)
for _ in range(4): threading.Thread(target=wake, daemon=True).start()
time.sleep(3600)
"""


def measure(room: Path, *, quick: bool = False) -> tuple[dict[str, Any], list[Aim]]:
    """Let a kiosk idle; return the figures and both aims."""
    seconds = 1 if quick else SECONDS
    others: list[PtyPort[Any]] = [
        PtyPort(note_unit(protocol), room / protocol, name=f"notes_{protocol}") for protocol in OTHERS
    ]
    extra = "".join(
        f'\n[[device]]\nname = "notes_{protocol}"\ndriver = "{ACCEPTORS[protocol][2]}"\n'
        f'line = {{ port = "{room / protocol}" }}\noptions = {{ poll_ms = {POLL_MS} }}\n'
        for protocol in OTHERS
    )
    waking = subprocess.Popen([sys.executable, "-c", _WAKING])
    try:
        with (
            others[0],
            others[1],
            running_demonstration(room / "idle", citations=1_000, extra=extra, poll_ms=POLL_MS) as demo,
            open_screen(demo),
        ):
            pid = demo.core.pid
            assert pid is not None
            ports: tuple[PtyPort[Any], ...] = (demo.hardware.acceptor, demo.hardware.printer, *others)
            counted = [CountedDevice(port.role) for port in ports]
            for port, device in zip(ports, counted, strict=True):
                port.role = device
            time.sleep(0.5 if quick else 10)  # set-ups, first tidying and caches are no idling
            before = [device.heard for device in counted]
            say(f"idle: {seconds} s with four devices polled every {POLL_MS} ms and the screen open")
            begun, kiosk, bare = time.monotonic(), _cpu_s(pid), _cpu_s(waking.pid)
            time.sleep(seconds)
            took = time.monotonic() - begun
            percent = 100 * (_cpu_s(pid) - kiosk) / took
            bare_percent = 100 * (_cpu_s(waking.pid) - bare) / took
            polls = [round((device.heard - at) / took, 1) for device, at in zip(counted, before, strict=True)]
            memory, bare_memory, threads = _memory(pid), _memory(waking.pid), _threads(pid)
    finally:
        waking.kill()
        waking.wait()
    figures = {
        "seconds": round(took, 1), "cpu_percent": round(percent, 2), "bare_waking_cpu_percent": round(bare_percent, 2),
        "polls_per_s": polls,
        "memory_mb": memory, "bare_interpreter_mb": bare_memory, "threads": threads,
    }  # fmt: skip
    return figures, [
        Aim("idle CPU, four devices polled at 200 ms", 3.0, percent, "% of a core",
            f"an interpreter that only wakes as often: {bare_percent:.2f} %"),
        Aim("resident memory with the screen open", 80.0, memory["rss"], "MB",
            f"a bare interpreter: {bare_memory['rss']:.1f} MB"),
    ]  # fmt: skip


def open_screen(demo: Demonstration) -> OpenScreen:
    """Start the kiosk again and open its screen: the first start of all also makes the journal, and no other does."""
    demo.cut_power()
    demo.restore_power()
    wait_in_service(demo)
    return OpenScreen(demo.core.address())


def _cpu_s(pid: int) -> float:
    """Return user and system time of a process, all its threads together, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> dict[str, float]:
    """Return resident and proportional memory of a process, MB of a million bytes."""
    told = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
        name, size = line.split(":")
        told[name] = round(int(size.split()[0]) * 1024 / 1e6, 1)
    return {"rss": told["Rss"], "pss": told["Pss"], "private_dirty": told["Private_Dirty"]}


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


class CountedDevice:
    """A simulated device that counts how often the kiosk spoke to it."""

    def __init__(self, role: Any) -> None:
        self._role = role
        self.heard = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._role, name)

    def received(self, data: bytes, now: int) -> None:
        """Take bytes from the host."""
        self.heard += 1
        self._role.received(data, now)


class OpenScreen:
    """Holds the screen open as a page does: one event stream, a heartbeat every five seconds."""

    def __init__(self, address: str) -> None:
        self._parts = urlsplit(address)
        self._ended = threading.Event()
        answer = self._ask(http.client.HTTPConnection(self._host, timeout=10), "GET", f"/?{self._parts.query}")
        self._cookie = str(answer.headers["set-cookie"]).partition(";")[0]
        self._stream = http.client.HTTPConnection(self._host, timeout=60)
        self._events = self._ask(self._stream, "GET", "/events")
        if self._events.status != 200:
            raise RuntimeError(f"the event stream was refused: {self._events.status}")
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._follow, self._beat)]

    @property
    def _host(self) -> str:
        return self._parts.netloc

    def _ask(self, link: http.client.HTTPConnection, method: str, path: str) -> http.client.HTTPResponse:
        cookie = getattr(self, "_cookie", "")
        link.request(method, path, headers={"origin": f"http://{self._host}"} | ({"cookie": cookie} if cookie else {}))
        return link.getresponse()

    def _follow(self) -> None:
        try:
            while not self._ended.is_set() and self._events.readline():
                pass
        except (OSError, ValueError, AttributeError):
            pass  # the stream was closed under the reading thread: that is its end

    def _beat(self) -> None:
        link = http.client.HTTPConnection(self._host, timeout=10)
        while not self._ended.wait(_ALIVE_S):
            self._ask(link, "POST", "/alive").read()

    def __enter__(self) -> OpenScreen:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._stream.close()
