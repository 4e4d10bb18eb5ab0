"""The TCP connections under a ROUTER: which ones are silent, which ones swell, and how one is cut.

libzmq tells neither which connection is which nor lets one be ended, and it keeps the frames of an unfinished message
without any limit: two gigabytes in four seconds from one peer were *measured*.  But the monitor names the descriptor
of each connection and messages name the one that they came by, so the kernel can be asked how much a connection has
brought, and a connection can be shut down under libzmq, which then sees its end.  Where a descriptor was closed and
given to another connection in between, that one is cut, and comes back by itself.
"""

from __future__ import annotations

import os
import socket
import struct

import msgspec

from kiosk.sync import wire

#: Bytes of this process in memory from which connections are looked at one by one.
SWOLLEN = 384 << 20
#: Bytes since its last whole message after which a connection is cut: no message is half as long.
ENDLESS = 2 * wire.LARGEST
#: Seconds that a connection may be silent after it was opened.
SILENT_S = 60.0
#: Offset of `tcpi_bytes_received` in Linux's `struct tcp_info`, since 4.2.
_RECEIVED_AT = 128


class Connection(msgspec.Struct):
    """One accepted connection."""

    fd: int
    opened: float
    messages: int = 0
    #: Messages at the last look, and bytes that had come when their number last changed.
    looked: int = -1
    mark: int = 0


class Connections:
    """All open connections of one ROUTER."""

    def __init__(self) -> None:
        self._open: dict[int, Connection] = {}

    def accepted(self, fd: int, now: float) -> None:
        """Note a new connection."""
        self._open[fd] = Connection(fd, now)

    def spoke(self, fd: int) -> None:
        """Note a whole message."""
        found = self._open.get(fd)
        if found is not None:
            found.messages += 1

    def ended(self, fd: int) -> bool:
        """Forget a connection; return whether it never sent a whole message."""
        found = self._open.pop(fd, None)
        return found is not None and not found.messages

    def silent(self, now: float) -> list[int]:
        """Return the connections that said nothing since they were opened a while ago."""
        return [each.fd for each in self._open.values() if not each.messages and now - each.opened > SILENT_S]

    def endless(self) -> list[int]:
        """Return the connections whose present message has no end; to be asked several times a second."""
        found = []
        for each in self._open.values():
            brought = received(each.fd)
            if each.messages != each.looked:
                each.looked, each.mark = each.messages, brought
            elif brought - each.mark > ENDLESS:
                found.append(each.fd)
        return found


def received(fd: int) -> int:
    """Return how many bytes a connection has brought; 0 where it is none any more."""
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED_AT + 8)
    except OSError:
        return 0  # closed since, or not TCP: nothing to hold against it
    return int(struct.unpack_from("Q", told, _RECEIVED_AT)[0]) if len(told) >= _RECEIVED_AT + 8 else 0


def cut(fd: int) -> bool:
    """End a connection; False where it had ended already."""
    try:
        with socket.socket(fileno=os.dup(fd)) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return False
    return True


def resident() -> int:
    """Return how many bytes of this process are in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
