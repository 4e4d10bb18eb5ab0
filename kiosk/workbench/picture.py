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
from kiosk.workbench.hardware import Coins


def state(demo: Demonstration, after: int) -> dict[str, Any]:
    """Return everything that the bench draws, and what happened after the event of that number."""
    return {
        "screen": str(demo.core.pid) if demo.core.address() else "",
        "running": demo.core.running,
        "powered": demo.hardware.powered,
        "trouble": demo.hardware.trouble(),
        "acceptor": _acceptor(demo),
        "printer": _printer(demo),
        "coins": _coins(demo.hardware.coins, demo.hardware.plugged("coins")) if demo.hardware.coins else None,
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


def _coins(coins: Coins, plugged: bool) -> dict[str, Any]:
    with coins.slot.hands() as slot:
        look = {"idle": "ok", "inhibited": "calm", "starting": "calm", "no power": "dark"}
        in_slot = {
            "words": {"idle": "ready for a coin", "inhibited": "takes no coins now"}.get(slot.shown, slot.shown),
            "look": look.get(slot.shown, "fault"),
            "total": str(Money(sum(slot.accepted), slot.currency)),
            "returned": str(Money(sum(slot.returned), slot.currency)) if slot.returned else "",
        }
    with coins.hopper.hands() as hopper:
        currency = hopper.unit.currency
        stands = "jammed" if hopper.jammed and hopper.powered else hopper.shown
        return {
            "plugged": plugged,
            "slot": in_slot,
            "words": {"idle": "ready"}.get(stands, stands),
            "look": {"idle": "ok", "paying": "warn", "no power": "dark"}.get(stands, "fault"),
            "inside": f"{hopper.coins} × {Money(hopper.unit.coin, currency)}",
            "cup": str(Money(sum(hopper.paid_out), currency)),
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
        presenter = printer.presenter
        return {
            "plugged": demo.hardware.plugged("receipt"),
            "mouth": (
                ""
                if not printer.model.presenter
                else "the presenter is jammed"
                if presenter.jammed
                else "a slip is held out"
                if presenter.in_mouth
                else f"{len(presenter.retracted)} slips drawn back"
                if presenter.retracted
                else "no slip in the mouth"
            ),
            "words": words,
            "look": {"ready": "ok", "no power": "dark", "paper nearly used up": "warn"}.get(words, "fault"),
            "bytes": " ".join(f"{byte:02X}" for byte in bits) if printer.powered else "",
            "receipts": len(printer.receipts),
            "hanging": len(printer.hanging.lines),
        }


def coins(demo: Demonstration) -> list[Money]:
    """Return the coins that the unit knows, smallest first; none without one."""
    if demo.hardware.coins is None:
        return []
    unit = demo.hardware.coins.slot.role
    return [Money(minor, unit.currency) for minor in unit.values]


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
