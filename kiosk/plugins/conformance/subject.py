"""Who is examined: a driver's declaration together with its rehearsal."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kiosk.errors import PluginError
from kiosk.plugins.conformance.bench import Bench
from kiosk.plugins.conformance.conversation import Conversation, Faults
from kiosk.plugins.devices import DriverSpec, DriverTools
from kiosk.protocols.rehearsal import Rehearsal


class NotApplicable(PluginError):
    """A rule does not concern this driver, or it brings no material for it."""


class Subject:
    """Owns what is known of the driver; every rule gets fresh drivers from it."""

    def __init__(
        self, spec: DriverSpec, rehearsal: Rehearsal | None = None, tools: DriverTools | None = None, *, rounds: int = 1
    ) -> None:
        self.spec = spec
        #: How many bad lines are tried, and how densely the moments of cuts lie: 1 for everyday.
        self.rounds = rounds
        self.rehearsal = rehearsal or rehearsal_of(spec) or Rehearsal()
        self.tools = tools or DriverTools(currency=self.rehearsal.currency, draw_line=_draw_line, draw_qr=_draw_qr)

    def bench(self, situation: str, *, opened: bool = True) -> Bench:
        """Return a fresh driver, its port open."""
        bench = Bench(self.spec, self.rehearsal, self.tools, situation)
        bench.remember()
        if opened:
            bench.open()
        return bench

    def vectors(self) -> tuple[bytes, ...]:
        """Return the device's messages.

        Raises:
            NotApplicable: there are none.
        """
        if not self.rehearsal.vectors:
            raise NotApplicable("the driver's rehearsal has no vectors")
        return self.rehearsal.vectors

    def conversation(
        self, situation: str, faults: Faults | None = None, *, seed: int = 0, shared: bool = False
    ) -> Conversation:
        """Return a fresh driver that talks to a fresh device, its port open; `shared`: others are on the line.

        Raises:
            NotApplicable: there is no device role.
        """
        if self.rehearsal.device is None:
            raise NotApplicable("the driver's rehearsal has no device to talk to")
        talk = Conversation(self.spec, self.rehearsal, self.tools, situation, faults or Faults(), seed)
        talk.shared = shared
        talk.remember()
        talk.open()
        return talk

    def must_be(self, *classes: str) -> None:
        """Go on only for drivers of these classes.

        Raises:
            NotApplicable: it is of another one.
        """
        if self.spec.device_class not in classes:
            raise NotApplicable(f"a {self.spec.device_class} has no such duty")


def rehearsal_of(spec: DriverSpec) -> Rehearsal | None:
    """Return a driver's own rehearsal, or that of its wire protocol for its device class; None where there is none."""
    if spec.rehearsal is not None:
        return spec.rehearsal()
    name = f"kiosk.protocols.{spec.protocol}"
    if not spec.protocol.isidentifier() or find_spec(name) is None or find_spec(f"{name}.rehearsal") is None:
        return None
    module: Any = import_module(f"{name}.rehearsal")
    found: Rehearsal | None = module.rehearsal(spec.device_class)
    return found


def _draw_line(text: str, width: int, bold: bool, size: int) -> tuple[int, bytes]:
    return 24 * size, bytes(24 * size * ((width + 7) // 8))


def _draw_qr(data: str, module: int) -> tuple[int, int, bytes]:
    return 4 * module, 32 * module, bytes(4 * module * 32 * module)
