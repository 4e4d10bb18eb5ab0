"""Packs that came from a hub: where they lie, and which one a start reads.

    hub-packs/7/      the pack of version 7, every file as the hub sent it
    hub-packs/next    the version that stands from the next start on
    hub-packs/now     the version of the last start

A pack is laid down whole beside the others and checked against kiosk.toml before `next` names it.  A payment that is
open goes on with the pack it began with, so a start within one reads the pack of the last start.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec

from kiosk import config
from kiosk.app.logo import LARGEST as LARGEST_LOGO
from kiosk.app.pack import Pack, load_pack
from kiosk.app.private_files import write_whole
from kiosk.errors import ConfigError, JournalError
from kiosk.journal.reader import Reader
from kiosk.model import facts

#: Largest pack, bytes of all files, and how many files.
LARGEST_PACK = 4 * 1024 * 1024
MOST_FILES = 500
#: Packs that are kept beside the newest one.
KEPT = 2
#: Facts of the journal's end among which an open payment is looked for; a payment has a few for each note.
LOOKED_AT = 2_000


def lay_pack(
    room: Path, version: int, body: bytes, *, configured: Path, fits: Callable[[Pack], object]
) -> tuple[str, str]:
    """Lay a pack down, check it, and have the next start use it; return its name and digest.

    A document holds texts: a logo is taken over from the configured pack.

    Raises:
        KioskError: it is no pack, does not fit this kiosk, or cannot be written; everything stays as it was.
    """
    files = files_of(body)
    fresh, place = room / f"{version}.new", room / str(version)
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        for name, text in files.items():
            path = fresh / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _take_logo(fresh, configured)
        pack = load_pack(fresh)
        fits(pack)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
        write_whole(room / "next", str(version).encode())
        _tidy(room)
    except OSError as error:
        raise ConfigError(f"the hub's pack cannot be written: {error.strerror}", hint="check the disk") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return pack.name, pack.digest


def files_of(body: bytes) -> dict[str, str]:
    """Read the document `pack`: names of files below its directory, and their texts.

    Raises:
        ConfigError: it is none, too large, or a name leads elsewhere.
    """
    if len(body) > LARGEST_PACK:
        raise ConfigError(f"the hub's pack has {len(body)} bytes", hint=f"at most {LARGEST_PACK}")
    try:
        files = msgspec.msgpack.decode(body, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the hub's pack cannot be read: {error}"[:200]) from error
    if len(files) > MOST_FILES:
        raise ConfigError(f"the hub's pack has {len(files)} files", hint=f"at most {MOST_FILES}")
    for name in files:
        parts = name.split("/")
        good = name.isascii() and name.isprintable() and len(name) <= 120 and "\\" not in name
        if not good or PurePosixPath(name).is_absolute() or {"", ".", ".."} & set(parts) or len(parts) > 4:
            raise ConfigError(f"the hub's pack holds a file {name[:60]!r}", hint="names below the pack's directory")
    return files


def _take_logo(fresh: Path, configured: Path) -> None:
    told = config.table((fresh / "city.toml").read_text("utf-8"), "city.toml") if (fresh / "city.toml").exists() else {}
    name = told.get("logo", "")
    source = configured / name if isinstance(name, str) and name and Path(name).name == name else None
    if source is not None and source.is_file() and source.stat().st_size <= LARGEST_LOGO:
        shutil.copyfile(source, fresh / source.name)


def _tidy(room: Path) -> None:
    """Remove packs that nobody will read again; the one of the last start stays."""
    keep = {_named(room / "now"), _named(room / "next")}
    old = sorted((path for path in room.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
    for path in old[: max(0, len(old) - KEPT)]:
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def pack_of_start(state: Path, journal: Path) -> Path | None:
    """Return the directory of the hub's pack that this start reads; None for the configured one."""
    room = state / "hub-packs"
    now, following = _named(room / "now"), _named(room / "next")
    wanted = now if now != following and payment_open(journal) else following
    return room / wanted if wanted else None


def started_with(state: Path, directory: Path) -> None:
    """Keep which pack the core came up with.

    Raises:
        OSError: the disk takes nothing; the next start within a payment reads the pack that `next` names.
    """
    room = state / "hub-packs"
    if room.is_dir():
        write_whole(room / "now", directory.name.encode() if directory.parent == room else b"")


def payment_open(journal: Path) -> bool:
    """Tell whether the journal ends within a payment."""
    if not journal.exists():
        return False
    paying: str | None = None
    try:
        with Reader(journal) as reader:
            last = reader.last()
            if last is None:
                return False
            for committed in reader.read(max(0, last.seq - LOOKED_AT), last.epoch, checked=False):
                body, session = committed.fact.body, committed.fact.stamp.session
                if isinstance(body, facts.TenderFrozen):
                    paying = session
                elif isinstance(body, facts.Settled | facts.SessionClosed) and session == paying:
                    paying = None
    except JournalError:
        return False  # the start itself says what is wrong with it
    return paying is not None


def _named(path: Path) -> str:
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if text.isdecimal() else ""
