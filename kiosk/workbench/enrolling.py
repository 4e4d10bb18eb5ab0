"""How a demonstration's kiosk is taken in by its hub: as everywhere, by a code, six words and an operator's yes."""

from __future__ import annotations

import subprocess
import time

import sqlalchemy as sa

from kiosk.errors import HubError
from kiosk.hub.front.approval import approve, make_code, pending_words
from kiosk.sync.enrolment import write_code
from kiosk.workbench.child_process import ChildProcess
from kiosk.workbench.directory import KIOSK, REALM

#: Exit code of `kiosk sync enrol --once` while the operator has not approved it.
PENDING = 3
#: Seconds that the technician's command may take.
PATIENCE_S = 60
#: How often it is tried.
TRIES = 6
#: Who does it in the hub's own records.
BY = "system:demo"


def enrol(office: sa.Engine, hub_key: str, kiosk: ChildProcess) -> str:
    """Be operator and technician in turn; return the six words that both saw.

    `kiosk` is any process of the kiosk's: its commands are run with the same configuration.

    Raises:
        HubError: the hub refused, or did not answer.
    """
    with office.begin() as connection:
        code = make_code(connection, KIOSK, REALM, "Demonstration", "Main Street 1", BY, time.time_ns())
    shown = _technician(kiosk, "--hub-key", hub_key, "--code", write_code(code))
    with office.begin() as connection:
        words = pending_words(connection, KIOSK)
        if words not in shown:
            raise HubError("kiosk and hub tell other words", hint="this must not happen: tell the developers")
        approve(connection, KIOSK, BY, 1, time.time_ns(), words)
    _technician(kiosk, "--hub-key", hub_key)
    return words


def _technician(kiosk: ChildProcess, *told: str) -> str:
    """Do as the technician does at the kiosk: ask the hub once; return what was shown.

    Raises:
        HubError: the hub refused, or did not answer.
    """
    command = kiosk.command(("sync", "enrol", "--once", *told))
    for _ in range(TRIES):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=kiosk.environment
        )
        if done.returncode in (0, PENDING):
            return done.stdout + done.stderr
        time.sleep(1)  # the hub answers one kiosk only so often
    raise HubError("the kiosk could not be enrolled", hint=done.stderr.strip()[-400:])
