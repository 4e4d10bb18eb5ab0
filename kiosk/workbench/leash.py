"""``python -m kiosk.workbench.leash PARENT COMMAND...``: become the command, and end when the parent ends.

A demonstration that is killed outright cannot end its kiosk, and a kiosk that outlives its simulated devices would
sooner or later open the pseudo-terminal of somebody else that got the same number.  PR_SET_PDEATHSIG is kept across
exec; it fires when the *thread* that started this process ends, so that thread must live as long as the parent.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

#: linux/prctl.h
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become the command."""
    parent, command = int(arguments[0]), arguments[1:]
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before we were tied
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
