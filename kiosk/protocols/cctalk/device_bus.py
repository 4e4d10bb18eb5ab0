"""Several simulated ccTalk units on one line (ccTalk sheet §1, §3).

Every byte on the line is heard by every unit, the replies of others too; the interface may repeat the host's bytes to
the host.  The line is an open collector: units that answer at the same moment are heard as the AND of their bytes, so a
broadcast, or one address given twice, collides as on a real bus.
"""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.errors import SimulatorError
from kiosk.protocols.cctalk.device_node import CctalkNode


class CctalkBus:
    """Owns the order of things on the line; the units own themselves."""

    def __init__(self, nodes: Sequence[CctalkNode], *, echo: bool = False) -> None:
        """Put units on one line.

        Raises:
            SimulatorError: a unit has an interface of its own that repeats the host's bytes.
        """
        if any(node.habits.echo for node in nodes):
            raise SimulatorError("a unit on a bus has no echo of its own", hint="give echo to the bus instead")
        self.nodes = tuple(nodes)
        self.echo = echo
        self._outbound: list[bytes] = []

    def received(self, data: bytes, now: int) -> None:
        """Take bytes of the host; every unit hears them."""
        if self.echo and data:
            self._outbound.append(data)
        for node in self.nodes:
            node.received(data, now)
        self._collect(now)

    def tick(self, now: int) -> None:
        """The time is `now`, for every unit."""
        for node in self.nodes:
            node.tick(now)
        self._collect(now)

    def deadline(self) -> int | None:
        """Return when `tick` is wanted next; None for never."""
        dues = (node.deadline() for node in self.nodes)
        return min((due for due in dues if due is not None), default=None)

    def take_outbound(self) -> list[bytes]:
        """Hand over what is to be written, once."""
        outbound, self._outbound = self._outbound, []
        return outbound

    def _collect(self, now: int) -> None:
        """Put what the units say on the line, where the others hear it as well."""
        said = [(node, b"".join(node.take_outbound())) for node in self.nodes]
        speakers = [(node, data) for node, data in said if data]
        if not speakers:
            return
        line = bytearray(b"\xff" * max(len(data) for _, data in speakers))
        for _, data in speakers:
            for at, byte in enumerate(data):
                line[at] &= byte
        self._outbound.append(bytes(line))
        talking = {id(node) for node, _ in speakers}
        for node in self.nodes:
            if id(node) not in talking:
                node.received(bytes(line), now)
