"""In the guest: what only a real kernel can show of our transports and drivers; one JSON line for each scene.

    python3 scenes.py [NAME ...]

Each scene makes its device on the kernel's own USB stack (`gadgets`) or input layer, has the product's supervisor,
transport and driver work on it, and takes it away again.
"""

from __future__ import annotations

import errno
import grp
import json
import os
import shutil
import stat
import subprocess
import sys
import time
import traceback
import tty
from pathlib import Path
from typing import Any

import evdev
from counter import BACK_S, Counter, SceneError, check, wait, working
from gadgets import Gadget

from kiosk.errors import TransportError
from kiosk.model.commands import Confirm, EnableNotes, Print, StackNote
from kiosk.model.device_events import (
    NoteEscrowed,
    NotesKnown,
    NoteStacked,
    Printed,
    PrintReady,
    PrintUnknown,
    Scanned,
)
from kiosk.model.money import Money
from kiosk.model.slip import Cut, Slip, Words
from kiosk.protocols.hid_pos_device import HONEYWELL, HidPosDevice
from kiosk.protocols.id003.device import Id003Device
from kiosk.simulators.role_port import RolePort
from kiosk.transports import identity
from kiosk.transports.plugged import Plugged, plugged
from kiosk.transports.serial_line import SerialPath, SerialSettings

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
WORK = Path("/tmp")
ACM = (0x0525, 0xA4A7)
KEYS = {letter: getattr(evdev.ecodes, f"KEY_{letter}") for letter in "0123456789ABCDEF"}


# --- a scanner that types -----------------------------------------------------------------------------------------


def keyboard() -> evdev.UInput:
    """A virtual keyboard wedge."""
    keys = [*KEYS.values(), evdev.ecodes.KEY_ENTER, evdev.ecodes.KEY_LEFTSHIFT]
    scanner = evdev.UInput({evdev.ecodes.EV_KEY: keys}, name="Example Wedge", vendor=0x0C2E, product=0x0B61)
    wait(lambda: Path(scanner.device.path).exists(), "the wedge's node")
    return scanner


def type_in(scanner: evdev.UInput, text: str) -> None:
    """Type as a scanner does."""
    for key in [*(KEYS[letter] for letter in text), evdev.ecodes.KEY_ENTER]:
        for value in (1, 0):
            scanner.write(evdev.ecodes.EV_KEY, key, value)
            scanner.syn()


def wedge() -> dict[str, Any]:
    """A keyboard wedge is grabbed for real: nobody else hears it, nobody else can take it; unplugged, it comes back."""
    scanner = keyboard()
    path = scanner.device.path
    with working("wedge_scanner", "evdev", path) as counter:
        eavesdropper = evdev.InputDevice(path)
        try:
            eavesdropper.grab()
        except OSError as error:
            check(error.errno == errno.EBUSY, f"a second grab ended in {error}")
        else:
            raise SceneError("a second grab was granted")
        type_in(scanner, "4711")
        check(counter.wait_event(Scanned).label == "4711", f"heard {counter.events(Scanned)}")
        check(eavesdropper.read_one() is None, "somebody else heard the label")
        replaced: list[evdev.UInput] = []
        back = counter.replugged(scanner.close, lambda: replaced.append(keyboard()))
        try:
            eavesdropper.read_one()
            raise SceneError("a descriptor of an unplugged scanner was read")
        except OSError as error:
            check(error.errno == errno.ENODEV, f"reading after the unplug ended in {error}")
        finally:
            eavesdropper.close()
        type_in(replaced[0], "0815")
        check(counter.wait_event(Scanned, 2).label == "0815", "the second label")
    replaced[0].close()
    return {"back_s": back}


# --- a printer ----------------------------------------------------------------------------------------------------


class PrinterSide:
    """The printer's own process."""

    def __init__(self) -> None:
        self.news, self.stall = WORK / "printer-news", WORK / "printer-stall"
        for file in (self.news, self.stall):
            file.unlink(missing_ok=True)
        program = [sys.executable, str(HERE / "printer_side.py"), "/dev/g_printer0", str(self.news), str(self.stall)]
        self.process = subprocess.Popen(program)
        wait(self.news.exists, "the printer's own process")

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.news.read_text())
        return found

    def stall_after(self, count: int) -> None:
        """Have it read no more after so many bytes from now on."""
        self.stall.write_text(str(self.told()["bytes"] + count))

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def slip(lines: int) -> Slip:
    """A receipt with as many lines."""
    return Slip((*(Words(f"line {number} of the receipt") for number in range(lines)), Cut()), "en")


def printer() -> dict[str, Any]:
    """A receipt on USB is printed once; one whose printer is unplugged in the middle is unknown and not sent again."""
    gadget = Gadget("printer", 0, 0x04B8, 0x0202, "P0001")
    gadget.function("printer.0", pnp_string="MFG:EXAMPLE;MDL:TM;CMD:ESC/POS;CLS:PRINTER;")
    gadget.plug_and_settle()
    side = PrinterSide()
    try:
        with working("escpos_printer", "usb_printer", "usb:04b8:0202:P0001") as counter:
            counter.post(Print("J1", slip(3)))
            counter.post(Confirm(counter.wait_event(PrintReady).token))
            counter.wait_event(Printed)
            wait(lambda: len(side.told()["receipts"]) == 1, "one receipt on paper")
            check("line 2 of the receipt" in side.told()["receipts"][0], "the receipt's text")
            rules = udev_rules_of(gadget)
            side.stall_after(2_000)
            before = side.told()["bytes"]
            counter.post(Print("J2", slip(500)))
            counter.post(Confirm(counter.wait_event(PrintReady, 2).token))
            wait(lambda: side.told()["bytes"] >= before + 2_000, "the middle of the second receipt")

            time.sleep(0.5)  # until the stalled printer has let go of its node
            back = counter.replugged(gadget.unplug, gadget.plug)
            side.stall.unlink()
            end = counter.wait_event(PrintUnknown)
            check(end.job == "J2" and 0 < end.sent < end.total, f"the second job ended as {end}")
            counter.post(Print("J3", slip(3)))
            counter.post(Confirm(counter.wait_event(PrintReady, 3).token))
            counter.wait_event(Printed, 2)
            wait(lambda: len(side.told()["receipts"]) >= 2, "the third job on paper")
            late = side.told()["bytes"] - before - 2_000
            check(late < end.total - end.sent, f"{late} bytes after the replug: something was sent again")
            check(side.told()["receipts"][-1].count("line 2 of the receipt") == 2, "the third job is not on paper once")
    finally:
        side.end()
        gadget.unplug()
    return {"back_s": back, "sent": end.sent, "total": end.total, **rules}


def udev_rules_of(gadget: Gadget) -> dict[str, str]:
    """Return who may open the printer, by the rules that come with the product."""
    (device,) = [each for each in Path("/sys/bus/usb/devices").glob("*") if _text(each / "serial") == "P0001"]
    bus, number = int(_text(device / "busnum")), int(_text(device / "devnum"))
    seen = os.stat(f"/dev/bus/usb/{bus:03}/{number:03}")
    group, mode = grp.getgrgid(seen.st_gid).gr_name, oct(stat.S_IMODE(seen.st_mode))
    check((group, mode) == ("kiosk", "0o660"), f"the printer's node belongs to {group}, {mode}")
    return {"group": group}


# --- an acceptor --------------------------------------------------------------------------------------------------


class NodePort(RolePort[Id003Device]):
    """A simulated device behind the gadget's own serial node, which stays when the cable is pulled."""

    def __init__(self, role: Id003Device, node: str) -> None:
        super().__init__(role, name="acceptor")
        self._node = node
        self._fd: int | None = None

    def replug(self) -> None:
        """Open the node."""
        self._fd = os.open(self._node, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    def unplug(self) -> None:
        """Close the node."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _descriptor(self) -> int | None:
        return self._fd

    def _broken(self) -> None:
        """The cable was pulled: the node hung up and has to be opened again."""
        self._ended += 1
        self.unplug()
        time.sleep(0.05)
        self.replug()


def acm(name: str, socket: int, serial: str = "") -> Gadget:
    """A serial adapter."""
    gadget = Gadget(name, socket, *ACM, serial)
    gadget.function("acm.0")
    return gadget


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def acceptor() -> dict[str, Any]:
    """A note behind a CDC adapter goes the whole way to the box; the adapter may be pulled and put back."""
    gadget = acm("acm-a", 1, "S0001")
    gadget.plug_and_settle()
    name = "serial:S0001"
    side = NodePort(Id003Device(), "/dev/ttyGS0")
    side.start()
    try:
        with working("id003_acceptor", "serial", name) as counter:
            try:
                SerialPath(SerialSettings(port=name)).open()
                raise SceneError("a second program got the port")
            except TransportError as error:
                check("another program" in str(error), f"a second open ended in {error}")
            stack(counter, side, 500, 1)

            back = counter.replugged(gadget.unplug, gadget.plug)
            stack(counter, side, 1000, 2)
            with side.hands() as unit:
                check(sorted(unit.collected + unit.cashbox) == [500, 1000], f"the box holds {unit.cashbox}")
            check(side.died is None, f"the simulated unit died of {side.died!r}")
    finally:
        gadget.unplug()
        side.stop()
    return {"back_s": back}


def stack(counter: Counter, side: NodePort, minor: int, count: int) -> None:
    """Put a note in and have it taken."""
    counter.wait_event(NotesKnown)
    counter.post(EnableNotes((Money(500, "USD"), Money(1000, "USD"))))

    def inserted() -> bool:
        with side.hands() as unit:
            return unit.insert(minor)

    wait(inserted, "a note drawn in")
    escrowed = counter.wait_event(NoteEscrowed, count)
    check(escrowed.value == Money(minor, "USD"), f"escrowed {escrowed.value}")
    counter.post(StackNote(escrowed.note))
    counter.post(Confirm(counter.wait_event(NoteStacked, count).token))


# --- a scanner of the point-of-sale class -----------------------------------------------------------------------------


def hid_pos() -> dict[str, Any]:
    """Labels come through hidraw in reports, by the offsets of the descriptor, and again after a replug."""
    device = HidPosDevice(HONEYWELL)
    gadget = Gadget("scanner", 2, 0x0C2E, 0x0B61, "B0001")
    gadget.function("hid.0", protocol=0, subclass=0, report_length=64, report_desc=device.descriptor)
    gadget.plug_and_settle()
    name = "usb:0c2e:0b61:B0001"
    check(any(each.transport == "hidraw" for each in plugged()), "the scan of what is plugged in missed the scanner")

    def scan(label: str) -> None:
        device.scan(label, symbology="]d1")
        node = os.open("/dev/hidg0", os.O_RDWR)
        try:
            for report in device.take_outbound():
                os.write(node, report)
        finally:
            os.close(node)

    try:
        with working("hid_pos_scanner", "hidraw", name) as counter:
            scan("5901234123457")
            check(counter.wait_event(Scanned) == Scanned("5901234123457", "]d1"), f"heard {counter.events(Scanned)}")
            long = "0123456789ABCDEF" * 6
            scan(long)
            check(counter.wait_event(Scanned, 2).label == long, "a label over several reports")
            back = counter.replugged(gadget.unplug, gadget.plug)
            scan("0815")
            check(counter.wait_event(Scanned, 3).label == "0815", "the label after the replug")
            (node,) = _hidraw()
            check(grp.getgrgid(os.stat(node).st_gid).gr_name == "kiosk", f"{node} is not the kiosk's")
    finally:
        gadget.unplug()
    return {"back_s": back}


def _hidraw() -> list[str]:
    return [f"/dev/{each.name}" for each in Path("/sys/class/hidraw").glob("*") if Path(f"/dev/{each.name}").exists()]


# --- names ------------------------------------------------------------------------------------------------------------


def adapters() -> list[Plugged]:
    """The serial adapters that are plugged in."""
    return [each for each in plugged() if each.transport == "serial" and each.usb]


def twins() -> dict[str, Any]:
    """Two equal adapters without serial numbers: no name that fits both is opened, a socket's name finds its own."""
    pair = [acm("acm-b", 1), acm("acm-c", 3)]
    for gadget in pair:
        gadget.plug_and_settle()
    try:
        wait(lambda: len(adapters()) == 2, "both adapters")
        found = adapters()
        links = [str(each) for each in Path("/dev/serial/by-id").glob("*")]
        check(len(links) == 1, f"udev calls them {links}")
        for name in (f"usb:{ACM[0]:04x}:{ACM[1]:04x}", links[0]):
            try:
                identity.serial_port(name)
                raise SceneError(f"{name} was opened though it fits both")
            except TransportError as error:
                check("fits 2 devices" in str(error), f"{name} was refused with {error}")
        check({each.steady for each in found} == {"socket"}, f"they are named {[each.name for each in found]}")
        before = {each.name: each.port for each in found}
        check({identity.serial_port(name).path for name in before} == set(before), "a link is not the socket's own")
        sockets = {f"usbport:{each.socket}": each.port for each in found}
        check({name: identity.serial_port(name).path for name in sockets} == sockets, "a socket leads elsewhere")
        for gadget in pair:
            gadget.unplug()
        wait(lambda: not adapters(), "both gone")
        for gadget in reversed(pair):  # the other one first: the numbers of their nodes change places
            gadget.plug_and_settle()
        wait(lambda: len(adapters()) == 2, "both again")
        after = {f"usbport:{each.socket}": each.port for each in adapters()}
        check({name: identity.serial_port(name).path for name in sockets} == after, "a socket leads elsewhere now")
    finally:
        for gadget in pair:
            gadget.unplug()
    return {"swapped": after != sockets, "names": sorted(before)}


SCENES = (wedge, printer, acceptor, hid_pos, twins)


def main(*names: str) -> int:
    """Play the scenes; return how many failed."""
    rules = Path("/run/udev/rules.d")
    rules.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT / "systemd/udev/70-kiosk.rules", rules)
    subprocess.run(["udevadm", "control", "--reload"], check=True)
    failed = 0
    for scene in SCENES:
        if names and scene.__name__ not in names:
            continue
        begin, told, wrong = time.monotonic(), {}, ""
        try:
            told = scene()
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"[:400]
            traceback.print_exc()
        failed += bool(wrong)
        took = round(time.monotonic() - begin, 1)
        print("scene " + json.dumps({"scene": scene.__name__, "seconds": took, "wrong": wrong, **told}), flush=True)
    return failed


if __name__ == "__main__":
    print(f"scene limit: back within {BACK_S} s", flush=True)
    sys.exit(main(*sys.argv[1:]))
