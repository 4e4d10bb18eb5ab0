"""What kiosk-sync can ask of a running kiosk: the hub's commands, a signature, how the kiosk is, new documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

import kiosk
from kiosk.core.hub_orders import HubCommand
from kiosk.core.inbox import ControlPosted
from kiosk.core.kernel import Kernel
from kiosk.core.snapshot import DeviceView
from kiosk.errors import ControlError, JournalError
from kiosk.sync.corelink import Answered, CoreState
from kiosk.sync.messages import Clock, DeviceState
from kiosk.sync.receipts import kiosk_key_message

if TYPE_CHECKING:
    from kiosk.core.verbs import Core

#: What an enrolment begins with (`sync.enrolment`).
ENROL_DOMAIN = b"kiosk-enrol-v1\0"
#: Longest message that is signed, bytes.
LONGEST_SIGNED = 2048
#: Commands of which the state tells how they stand.
TOLD_COMMANDS = 32
#: The level of the box is told in steps, thousandths: a finer one would tell the notes in it, and counts are blind.
LEVEL_STEP = 50
_SEVERITY = {"ok": "ok", "warn": "warning", "fault": "error"}
_PAPER = {"ok": "plenty", "near_end": "low", "paper_out": "out"}


def _command(core: Core, request: ControlPosted) -> dict[str, Any]:
    try:
        asked = msgspec.convert(request.arguments, HubCommand)
    except msgspec.ValidationError as error:
        raise ControlError(f"this is no command of a hub: {error}"[:300]) from error
    try:
        page = core.running_kernel.hub.take(asked)
    except JournalError as error:  # nothing was done: the same command is welcome again
        raise ControlError(error.message, hint=error.hint, transient=True) from error
    core.publish()
    return {"outcome": page.outcome, "detail": page.detail}


def _sign(core: Core, request: ControlPosted) -> dict[str, Any]:
    """Sign an enrolment or the next transport key: never what could be taken for a journal's head or a receipt."""
    parts = core.running_kernel.parts
    try:
        message = bytes.fromhex(request.arguments["message"])
    except (KeyError, TypeError, ValueError):
        raise ControlError("nothing to sign was given", hint="`message` in hexadecimal") from None
    domains = (ENROL_DOMAIN, kiosk_key_message(parts.journal.kiosk, "")[:-1])
    if not message.startswith(domains) or len(message) > LONGEST_SIGNED:
        raise ControlError("the journal's key does not sign this", hint="an enrolment, or this kiosk's transport key")
    return {"signature": parts.key.sign(message).hex()}


def _key(core: Core, request: ControlPosted) -> dict[str, Any]:
    kernel = core.running_kernel
    journal = kernel.parts.journal
    return {
        "key": kernel.parts.key.public_hex, "kiosk": journal.kiosk, "realm": journal.realm,
        "epoch": kernel.books.epoch,
    }  # fmt: skip


def _state(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.publish_health()
    kernel, health = core.running_kernel, core.board.health()
    assert health is not None  # published above
    parts, books, model = kernel.parts, kernel.books, kernel.model
    at = parts.clock.instant()
    told = list(books.hub_commands.items())[-TOLD_COMMANDS:]
    state = CoreState(
        state="closed" if model.out_of_service else "open",
        reasons=tuple(reason.id[:64] for reason in model.out_of_service),
        devices=tuple(_device(each) for each in health.devices),
        paper=_paper(kernel),
        stacker_permille=_level(kernel),
        clock=Clock(at.wall_ns, at.mono_ns, at.boot_id, not parts.clock.unsure),
        software=f"{kiosk.__version__} {parts.digests.software}"[:64],
        alarms=tuple(alarm[:64] for alarm in books.alarms),
        kiosk=parts.journal.kiosk,
        realm=parts.journal.realm,
        epoch=books.epoch,
        seq=books.seq,
        commands=tuple(Answered(name, page.outcome, page.detail) for name, page in told),
    )
    told_state: dict[str, Any] = msgspec.to_builtins(state)
    return told_state


def _device(view: DeviceView) -> DeviceState:
    severity = _SEVERITY.get(view.severity, "unknown")
    told = (view.name[:64], view.device_class[:64], view.state[:64], severity, view.detail[:400])
    # What a device says of itself may be filled up with NULs, which no message carries.
    return DeviceState(*(text.replace("\0", " ") for text in told))


def _paper(kernel: Kernel) -> str:
    """Return how much paper there is; a printer that has said nothing, or speaks of something else, is unknown."""
    found = [_PAPER.get(page.state, "unknown") for page in kernel.parts.board.of_class("POSPrinter")]
    return next((level for level in ("plenty", "low", "unknown", "out") if level in found), "unknown")


def _level(kernel: Kernel) -> int | None:
    """Return how full the cash box is, in steps; None where nobody said how many notes it holds."""
    if any(page.state == "stacker_full" for page in kernel.parts.board.of_class("BillAcceptor")):
        return 1000
    room = kernel.parts.stacker_notes
    if not room:
        return None
    books = kernel.books
    notes = books.box_unknown - books.box_coins + sum(sum(of_value.values()) for of_value in books.box.values())
    return min(1000, 1000 * notes // room) // LEVEL_STEP * LEVEL_STEP


def _adopt(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.running_kernel.parts.hub_data.adopt(core.running_kernel, str(request.arguments.get("name", ""))[:64])
    return {}


VERBS = {"hub.command": _command, "hub.sign": _sign, "hub.key": _key, "hub.state": _state, "hub.adopt": _adopt}
