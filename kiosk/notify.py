"""Tell the service manager how this process is: ready, alive, what it is busy with.

The protocol is one datagram of `NAME=value` lines to the socket that systemd names in `NOTIFY_SOCKET`
(sd_notify(3)). A path that begins with `@` means a socket in Linux's abstract namespace. Outside a service
the variable is unset and every call is a no-op that returns False, so that nobody has to ask first.

Rules that must stay true: nothing here blocks (a full socket is an answer, not a wait), and nothing here
decides: *when* a process is ready or alive is the kernel's and the supervisor's business.
"""

from __future__ import annotations

import os
import socket


def sd_notify(text: str) -> bool:
    """Send `text` (lines of `NAME=value`) to the service manager; True when it was handed over.

    False: not under a service manager, or the manager's socket is gone or full. The watchdog of the service
    manager is the judge of missed messages, so the caller need not act on it.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return False
    address = "\0" + path[1:] if path.startswith("@") else path
    flags = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    try:
        with socket.socket(socket.AF_UNIX, flags) as sender:
            sender.sendto(text.encode("utf-8"), address)
    except OSError:
        return False
    return True


def ready(status: str = "") -> bool:
    """Say that start-up is over: the journal is replayed and its recovery is decided."""
    return sd_notify("READY=1" + _status_line(status))


def watchdog(status: str = "") -> bool:
    """Feed the watchdog; call only when the kernel thread and every worker in service have ticked."""
    return sd_notify("WATCHDOG=1" + _status_line(status))


def status(text: str) -> bool:
    """Show `text` in `systemctl status`: one line for the person who looks."""
    return sd_notify(_status_line(text).lstrip("\n"))


def stopping(text: str = "") -> bool:
    """Say that an orderly stop has begun."""
    return sd_notify("STOPPING=1" + _status_line(text))


def more_time(seconds: int) -> bool:
    """Ask for `seconds` more before start or stop counts as hung: a long replay is not a hang."""
    return sd_notify(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000}")


def watchdog_interval_ns() -> int | None:
    """How often the service manager expects `watchdog()`, in nanoseconds; None when this process has no watchdog.

    `WATCHDOG_PID` guards against a child that inherited its parent's environment (sd_watchdog_enabled(3)).
    """
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    pid = os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(microseconds) * 1_000


def _status_line(text: str) -> str:
    """Make one STATUS line of `text`; a newline inside would begin another assignment."""
    return "\nSTATUS=" + " ".join(text.split()) if text else ""
