"""Which realm's journal a kiosk works on: the configured one, until a person changes over to another.

The choice lies in the state directory as a file of one word, beside one journal and one key for each realm.  Without
the file the realm is the configured one, so changing back removes it.  A live kiosk may be used for training and go
back; what is configured for training or for a demonstration can never become live, whatever the file says.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from kiosk.errors import ConfigError, JournalError
from kiosk.journal.keys import sync_directory

#: Name of the file in the state directory.
CHOICE = "realm"
#: Configured realm -> the realms that such a kiosk may work in.
_OPEN = {"live": ("live", "training"), "training": ("training",), "demo": ("demo",)}
_NAME = re.compile(r"journal-(live|training|demo)\.db")


def realms_open(configured: str) -> tuple[str, ...]:
    """Return the realms that a kiosk may work in, the configured one first.

    >>> realms_open("live"), realms_open("demo")
    (('live', 'training'), ('demo',))
    """
    return _OPEN.get(configured, (configured,))


def chosen_realm(state: Path, configured: str) -> str:
    """Return the realm to work in: what was chosen last, else the configured one.

    Raises:
        ConfigError: the file holds something else than a realm that this kiosk may work in.
    """
    path = state / CHOICE
    try:
        told = path.read_bytes()[:100].decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return configured  # who may not read this cannot read the journal either
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", hint="check the disk") from error
    if told not in realms_open(configured):
        # Not silently the configured one: training with real notes must not go on in the live journal.
        raise ConfigError(
            f"{path} says {told[:20]!r}, and a kiosk configured as {configured} cannot work in that realm",
            hint=f"remove the file to work as {configured}",
        )
    return told


def choose_realm(state: Path, realm: str, configured: str) -> None:
    """Work in this realm from the next start on; survives a power cut whole or not at all.

    Raises:
        ConfigError: this kiosk may not work in that realm, or the disk does not take it.
    """
    if realm not in realms_open(configured):
        raise ConfigError(
            f"a kiosk configured as {configured} cannot work in the realm {realm[:20]!r}",
            hint=f"kiosk.realm in its configuration allows {', '.join(realms_open(configured))}",
        )
    path = state / CHOICE
    part = path.with_name(f"{CHOICE}.new")
    try:
        if realm == configured:
            path.unlink(missing_ok=True)
        else:
            part.unlink(missing_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(realm.encode("ascii") + b"\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        sync_directory(state)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}", hint="check the disk") from error


def realm_of_name(path: Path) -> str:
    """Return the realm that a journal's file is named after, "" for any other name."""
    named = _NAME.fullmatch(path.name)
    return named[1] if named is not None else ""


def check_name(path: Path, realm: str) -> None:
    """Hold the name of a journal's file against the realm of its facts.

    Raises:
        JournalError: the file is named after another realm.
    """
    if realm_of_name(path) not in ("", realm):
        raise JournalError(
            f"{path} holds a journal of the realm {realm!r}: it was renamed or copied",
            hint=f"give it its name journal-{realm}.db back; one realm never becomes another",
        )
