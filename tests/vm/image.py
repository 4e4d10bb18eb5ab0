"""The virtual machine's kernel and its world: Debian's own kernel, and a small system that lives in memory.

Theory of operation: the kernel package is unpacked, never installed.  Its ELF image is cut out of the packed one,
for QEMU starts that directly and an emulated processor is spared the unpacking.  The system is a minimal Debian
(udev, kmod, Python, libusb) with the few modules that the scenes need, packed as one initramfs: no disk, no boot
loader, no init but `guest_init.sh`, so that a boot takes seconds.  Everything is built from the packages of the
machine it runs on and kept under the hash of what it was built from.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: Commands and the Debian packages that bring them.
NEEDS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "modprobe": "kmod",
    "cpio": "cpio",
    "mkfs.ext4": "e2fsprogs",
}
#: What the guest's system holds; Python runs the scenes, libusb and udev are what the product itself needs.
PACKAGES = ("udev", "kmod", "python3", "libusb-1.0-0", "libudev1", "busybox-static", "mount", "e2fsprogs")
#: Modules that are carried over with all that they need.
MODULES = (
    "virtio_pci", "virtio_blk", "virtio_console", "virtio_rng", "9p", "9pnet_virtio", "ext4", "crc32c_generic",
    "uinput", "evdev", "hid-generic", "usbhid", "cdc-acm", "dummy_hcd", "libcomposite", "usb_f_printer", "usb_f_acm",
    "usb_f_hid",
)  # fmt: skip
#: Files that are never unpacked: nobody reads in there.
UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info")
#: What only the making of the system needs.
LEFT_OUT = (
    *UNREAD, "usr/share/perl*", "var/lib/apt", "var/lib/dpkg", "var/cache", "boot", "usr/lib/python3.*/test",
    "usr/lib/python3.*/idlelib", "usr/lib/python3.*/lib2to3", "usr/lib/python3.*/ensurepip",
)  # fmt: skip


class ImageError(Exception):
    """Why there is no image here; one line for people."""


def missing() -> str:
    """Return why this machine cannot build or run the image, or "" where it can."""
    if os.geteuid() != 0:
        return "needs root to build the image"
    if os.uname().machine != "x86_64":
        return f"the image is built for x86_64, this is {os.uname().machine}"
    for command, package in NEEDS.items():
        if shutil.which(command) is None:
            return f"needs {command} (Debian package: {package})"
    if not _codename():
        return "needs a Debian system: the guest is made from its packages"
    return ""


def ready(cache: Path) -> Path:
    """Return the folder with ``vmlinux`` and ``initrd.cpio``, built if it is not there yet."""
    kernel = _kernel_package()
    folder = cache / f"image-{_fingerprint(kernel)}"
    if (folder / "initrd.cpio").exists():
        return folder
    for old in cache.glob("image-*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as name:
        work = Path(name)
        work.chmod(0o755)  # apt fetches as a user of its own
        _kernel(work, kernel)
        _system(work)
        _modules(work, kernel.removeprefix("linux-image-"))
        _pack(work)
        done = work / "done"
        done.mkdir()
        for part in ("vmlinux", "initrd.cpio"):
            (work / part).rename(done / part)
        done.rename(folder)
    return folder


def _codename() -> str:
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return release.get("VERSION_CODENAME", "").strip('"') if release.get("ID", "").strip('"') == "debian" else ""


def _kernel_package() -> str:
    text = _run("apt-cache", "depends", "linux-image-amd64")
    found = [line.split()[-1] for line in text.splitlines() if "Depends: linux-image-" in line]
    if not found:
        raise ImageError("apt knows no package linux-image-amd64: `apt-get update` first")
    return found[0]


def _fingerprint(kernel: str) -> str:
    inputs = (HERE / "image.py", HERE / "guest_init.sh", HERE / "guest_agent.py")
    parts = [kernel.encode(), _codename().encode(), *(each.read_bytes() for each in inputs)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _kernel(work: Path, package: str) -> None:
    _run("apt-get", "download", "-q", package, cwd=work)
    (archive,) = work.glob("linux-image-*.deb")
    _run("dpkg-deb", "-x", archive, work / "kernel")
    archive.unlink()
    (packed,) = (work / "kernel/boot").glob("vmlinuz-*")
    data = packed.read_bytes()
    start = data.find(b"\xfd7zXZ\x00")
    if start < 0:
        raise ImageError(f"{package}: its kernel is not packed with xz; QEMU would need the packed one")
    (work / "vmlinux").write_bytes(lzma.LZMADecompressor().decompress(data[start:]))


def _system(work: Path) -> None:
    sources = [each for each in (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
               if each.exists() and "main" in each.read_text()]  # fmt: skip
    if not sources:
        raise ImageError("no Debian package source is configured on this machine")
    unread = [f"--dpkgopt=path-exclude=/{folder}/*" for folder in UNREAD]
    _run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", *unread,
         _codename(), work / "system.tar", sources[0], env={**os.environ, "TMPDIR": str(work)})  # fmt: skip
    root = work / "root"
    root.mkdir()
    _run("tar", "-xf", work / "system.tar", "-C", root, "--exclude=./dev/*")
    (work / "system.tar").unlink()
    for pattern in LEFT_OUT:
        for path in root.glob(pattern):
            shutil.rmtree(path)


def _modules(work: Path, version: str) -> None:
    kernel, root = work / "kernel", work / "root"
    _run("depmod", "-b", kernel, "-a", version)
    wanted: dict[str, None] = {}
    for module in MODULES:
        shown = _run("modprobe", "-S", version, "-d", kernel, "--show-depends", module)
        wanted.update((line.split()[1], None) for line in shown.splitlines() if line.startswith("insmod "))
    base = root / "usr/lib/modules" / version
    for path in wanted:
        target = base / path.split(f"/modules/{version}/", 1)[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for name in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
        shutil.copyfile(kernel / "lib/modules" / version / name, base / name)
    _run("depmod", "-b", root, "-a", version)


def _pack(work: Path) -> None:
    root = work / "root"
    shutil.copyfile(HERE / "guest_init.sh", root / "init")
    shutil.copyfile(HERE / "guest_agent.py", root / "agent.py")
    (root / "init").chmod(0o755)
    with (work / "initrd.cpio").open("wb") as packed:
        names = subprocess.run(["find", ".", "-print0"], cwd=root, check=True, capture_output=True).stdout
        subprocess.run(["cpio", "-o", "-0", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=packed, check=True)


def _run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no words").splitlines()[-1]
        raise ImageError(f"{command[0]} failed ({done.returncode}): {last[:200]}")
    return done.stdout
