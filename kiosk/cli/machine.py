"""What `kiosk doctor` looks at on a machine, below a root directory that tests can replace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec


class Mount(msgspec.Struct, frozen=True):
    """One line of /proc/mounts."""

    place: str
    kind: str
    options: tuple[str, ...]


class Machine:
    """Reads files; changes nothing and runs nothing."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: str) -> str:
        """Return a small file's text, "" where it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text("utf-8", "replace")
        except OSError:
            return ""

    def exists(self, path: str) -> bool:
        """Tell whether a path is there."""
        return (self.root / path.lstrip("/")).exists()

    def modules(self) -> set[str]:
        """Return the loaded kernel modules."""
        return {line.split()[0] for line in self.text("/proc/modules").splitlines() if line.split()}

    def processes(self) -> set[str]:
        """Return the names of the running processes."""
        found = set()
        for comm in (self.root / "proc").glob("[0-9]*/comm"):
            try:
                found.add(comm.read_text("utf-8", "replace").strip())
            except OSError:
                continue  # it ended while we looked
        return found

    def groups_of(self, user: str) -> set[str] | None:
        """Return the groups of a user; None where there is no such user."""
        accounts = [line.split(":") for line in self.text("/etc/passwd").splitlines()]
        mine = next((each for each in accounts if each[0] == user and len(each) > 3), None)
        if mine is None:
            return None
        groups = [line.split(":") for line in self.text("/etc/group").splitlines()]
        return {each[0] for each in groups if len(each) > 3 and (user in each[3].split(",") or each[2] == mine[3])}

    def mount_of(self, path: Path) -> Mount | None:
        """Return the mount that a path lies on."""
        wanted, best = os.path.realpath(path), None
        for line in self.text("/proc/mounts").splitlines():
            parts = line.split()
            if len(parts) > 3:
                place = parts[1].replace("\\040", " ")
                inside = wanted == place or wanted.startswith(place.rstrip("/") + "/")
                if inside and (best is None or len(place) >= len(best.place)):
                    best = Mount(place, parts[2], tuple(parts[3].split(",")))
        return best

    def free_bytes(self, path: Path) -> int:
        """Return the free space on a path's disk."""
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free
