"""What the bench shows of the simulated hardware: the simulators' own truth, which no kiosk can see."""

from __future__ import annotations

import io
from collections import Counter
from typing import Any

import msgspec

from kiosk.errors import SimulatorError
from kiosk.model.money import Money
from kiosk.protocols.escpos.device_print import Receipt
from kiosk.simulators.receipt_image import image_of
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.hands import shown


def state(demo: Demonstration, after: int) -> dict[str, Any]:
    """Return everything that the bench draws, and what happened after the event of that number."""
    return {
        "screen": str(demo.core.pid) if demo.core.address() else "",
        "running": demo.core.running,
        "powered": demo.hardware.powered,
        "trouble": demo.hardware.trouble(),
        "acceptor": _acceptor(demo),
        "printer": _printer(demo),
        "hub": msgspec.to_builtins(demo.hub.look()) if demo.hub is not None else None,
        "scanner": {"plugged": demo.hardware.plugged("scanner")},
        "events": [msgspec.to_builtins(event) for event in demo.events(after)],
    }


def _acceptor(demo: Demonstration) -> dict[str, Any]:
    with demo.hardware.acceptor.hands() as unit:
        currency = unit.currency
        stage = unit.stage
        box = sorted(Counter(unit.cashbox).items(), reverse=True)
        return {
            "plugged": demo.hardware.plugged("notes"),
            "status": unit.shown if stage != "off" else "",
            "words": shown(unit),
            "look": {"off": "dark", "fault": "fault", "idle": "ok"}.get(stage, "calm"),
            "ready": unit.can_insert,
            "inside": str(Money(unit.inside, currency)) if unit.inside is not None else "",
            "box": [{"value": str(Money(value, currency)), "count": count} for value, count in box],
            "total": str(Money(sum(unit.cashbox), currency)),
            "collected": str(Money(sum(unit.collected), currency)) if unit.collected else "",
            "returned": str(Money(sum(unit.returned), currency)) if unit.returned else "",
        }


def _printer(demo: Demonstration) -> dict[str, Any]:
    with demo.hardware.printer.hands() as printer:
        bits = [printer.status(kind) for kind in (1, 2, 3, 4)]
        cover, out, near = bool(bits[1] & 0x04), bool(bits[3] & 0x60), bool(bits[3] & 0x0C)
        cutter = bool(bits[2] & 0x08)
        words = (
            "no power" if not printer.powered else "cover open" if cover else "out of paper" if out
            else "cutter blocked" if cutter else "paper nearly used up" if near else "ready"
        )  # fmt: skip
        return {
            "plugged": demo.hardware.plugged("receipt"),
            "words": words,
            "look": {"ready": "ok", "no power": "dark", "paper nearly used up": "warn"}.get(words, "fault"),
            "bytes": " ".join(f"{byte:02X}" for byte in bits) if printer.powered else "",
            "receipts": len(printer.receipts),
            "hanging": len(printer.hanging.lines),
        }


def notes(demo: Demonstration) -> list[Money]:
    """Return the notes that the unit knows, smallest first."""
    unit = demo.hardware.acceptor.role
    return [Money(minor, unit.currency) for minor in unit.values]


def receipt(demo: Demonstration, which: str) -> Receipt:
    """Return a piece of paper by its number from 0, or the one that hangs out.

    Raises:
        SimulatorError: there is none.
    """
    with demo.hardware.printer.hands() as printer:
        if which == "hanging" and printer.hanging.lines:
            return printer.hanging
        pieces = printer.receipts
        if which.isdecimal() and len(which) < 7 and int(which) < len(pieces):
            return pieces[int(which)]
    raise SimulatorError("there is no such piece of paper")


def png(piece: Receipt) -> bytes:
    """Draw a piece of paper."""
    out = io.BytesIO()
    image_of(piece).convert("1").save(out, "PNG", optimize=True)
    return out.getvalue()
