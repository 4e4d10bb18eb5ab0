"""The virtual machine, from outside: starts QEMU, asks the guest's agent, saves and restores, cuts the power.

The processor is emulated (TCG) unless this machine has virtualisation of its own: a `/dev/kvm` that a guest of
another system offers may open and still not run a Debian kernel, so the processor's own flags decide.  A booted
machine is saved once; every run starts from a copy of that, with this project mounted read-only at its own path.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Seconds; an emulated processor is about twelve times slower than ours, and ours may be busy.
BOOT_S, ANSWER_S = 180.0, 300.0
#: Names inside the guest: the agent's port, the saved state, the disk that outlives a power cut.
AGENT, SAVED, DISK = "kiosk.agent", "booted", "kiosk-data"
COMMAND_LINE = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off audit=0 random.trust_cpu=on tsc=reliable"


class MachineError(Exception):
    """The machine did not do what it was asked; one line for people."""


def accelerated() -> bool:
    """Tell whether this processor can run a guest by itself."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return os.access("/dev/kvm", os.R_OK | os.W_OK) and ("vmx" in flags or "svm" in flags)


class Machine:
    """Owns one QEMU process and its sockets."""

    def __init__(self, image: Path, work: Path, state: Path, shared: Path, *, restore: bool) -> None:
        self.work = work
        fast = accelerated()
        arguments = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-machine", "q35,smm=off,hpet=off", "-accel", "kvm" if fast else "tcg,thread=multi,tb-size=256",
            "-cpu", "host" if fast else "max", "-smp", "2", "-m", "768",
            "-kernel", str(image / "vmlinux"), "-initrd", str(image / "initrd.cpio"), "-append", COMMAND_LINE,
            "-serial", f"file:{work / 'console'}", "-qmp", f"unix:{work / 'qmp'},server=on,wait=off",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={work / 'agent'},server=on,wait=off",
            "-device", f"virtserialport,chardev=agent,name={AGENT}",
            "-drive", f"if=none,id=state,format=qcow2,file={state}",
            "-device", "pcie-root-port,id=socket,chassis=1,slot=1",
            "-fsdev", f"local,id=project,path={shared},security_model=none,readonly=on,multidevs=remap",
            "-device", "virtio-9p-pci,fsdev=project,mount_tag=project",
            *(("-loadvm", SAVED) if restore else ()),
        ]  # fmt: skip
        self._errors = (work / "errors").open("wb")
        self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=self._errors)
        self._agent, self._heard = self._connected("agent"), b""
        self._monitor, self._told = self._connected("qmp"), b""
        self.order("qmp_capabilities")

    def boot(self) -> None:
        """Wait for the agent's first word."""
        answer = self._answer(BOOT_S)
        if not answer.get("ready"):
            raise MachineError(f"the guest began with {answer}")

    def run(
        self, *command: str, env: dict[str, str] | None = None, seen: Callable[[str], bool] | None = None
    ) -> tuple[int, list[str]]:
        """Run a program in the guest; return its exit code and lines.  `seen` may end the wait (it returns False)."""
        request = {"run": list(command), "env": env or {}}
        self._agent.sendall(json.dumps(request).encode() + b"\n")
        lines: list[str] = []
        while True:
            answer = self._answer(ANSWER_S)
            if "ended" in answer:
                return int(answer["ended"]), lines
            lines.append(str(answer.get("line", "")))
            if seen is not None and not seen(lines[-1]):
                return -1, lines

    def order(self, command: str, **arguments: Any) -> Any:
        """Give QEMU an order and return its answer."""
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            while b"\n" not in self._told:
                self._told += self._more(self._monitor, ANSWER_S)
            line, self._told = self._told.split(b"\n", 1)
            answer = json.loads(line)
            if "error" in answer:
                raise MachineError(f"QEMU refused {command}: {answer['error'].get('desc', '')}")
            if "return" in answer:
                return answer["return"]

    def plug_disk(self, file: Path) -> None:
        """Plug a disk in; the guest finds it as virtio-`DISK`."""
        node = {"driver": "raw", "node-name": "data", "file": {"driver": "file", "filename": str(file)}}
        self.order("blockdev-add", **node)
        self.order("device_add", driver="virtio-blk-pci", drive="data", bus="socket", serial=DISK)

    def save(self) -> None:
        """Keep the running machine inside its state file."""
        told = self.order("human-monitor-command", **{"command-line": f"savevm {SAVED}"})
        if told:
            raise MachineError(f"the machine could not be saved: {told.strip()[:200]}")

    def cut_power(self) -> None:
        """End the machine between two of its instructions; harmless when it has ended."""
        self._process.kill()
        self._process.wait()
        for end in (self._agent, self._monitor, self._errors):
            end.close()

    def _connected(self, name: str) -> socket.socket:
        end = time.monotonic() + 30
        while True:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(self.work / name))
                return line
            except OSError:
                line.close()
            if self._process.poll() is not None or time.monotonic() > end:
                why = (self.work / "errors").read_text(errors="replace").strip().splitlines()
                raise MachineError(f"QEMU did not start: {why[-1][:200] if why else 'no words'}")
            time.sleep(0.02)

    def _answer(self, patience: float) -> dict[str, Any]:
        while b"\n" not in self._heard:
            self._heard += self._more(self._agent, patience)
        line, self._heard = self._heard.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _more(self, line: socket.socket, patience: float) -> bytes:
        if not select.select([line], [], [], patience)[0]:
            console = (self.work / "console").read_text(errors="replace").strip().splitlines()[-3:]
            raise MachineError(f"no answer within {patience:.0f} s; its console ends with {console}")
        try:
            data = line.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            why = (self.work / "errors").read_text(errors="replace").strip().splitlines()
            raise MachineError(f"the machine ended: {why[-1][:200] if why else 'no words'}")
        return data


def saved_state(image: Path, shared: Path) -> Path:
    """Return the file of a machine that has booted, booting it once where there is none."""
    place = image / f"booted-{'kvm' if accelerated() else 'tcg'}.qcow2"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(prefix="boot-", dir=image) as name:
        state = Path(name) / "state.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(state), "16M"], check=True)
        machine = Machine(image, Path(name), state, shared, restore=False)
        try:
            machine.boot()
            machine.save()
        finally:
            machine.cut_power()
        state.rename(place)
    return place


@contextmanager
def booted(image: Path, shared: Path, disk: Path | None = None) -> Iterator[Machine]:
    """A machine from the saved state, the project mounted; ended whatever happens."""
    state = saved_state(image, shared)
    with tempfile.TemporaryDirectory(prefix="run-", dir=image) as name:
        work = Path(name)
        shutil.copyfile(state, work / "state.qcow2")
        machine = Machine(image, work, work / "state.qcow2", shared, restore=True)
        try:
            options = "trans=virtio,version=9p2000.L,msize=1048576,cache=loose,ro"
            script = (
                f"mkdir -p '{shared}' && mount -t 9p -o {options} project '{shared}' && date -s @{int(time.time())}"
            )
            code, lines = machine.run("/bin/busybox", "sh", "-c", script)
            if code:
                raise MachineError(f"the project could not be mounted: {lines[-1:]}")
            if disk is not None:
                machine.plug_disk(disk)
            yield machine
        finally:
            machine.cut_power()
