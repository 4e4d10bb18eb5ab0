"""What the control socket can ask of a running kiosk; each verb runs on the kernel's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from kiosk.checkout.events import ReprintAsked
from kiosk.core.inbox import ControlPosted
from kiosk.core.kernel import Kernel
from kiosk.core.snapshot import SnapshotBoard
from kiosk.core.supervisor import Supervisor
from kiosk.core.verbs_count import VERBS as COUNTING
from kiosk.core.verbs_devices import VERBS as DEVICES
from kiosk.core.verbs_hub import VERBS as HUB
from kiosk.core.verbs_wire import VERBS as WIRE
from kiosk.core.world import hoppers_of, next_copy
from kiosk.errors import DeskError, DriverError, KioskError, ReceiptError
from kiosk.model.facts import OperatorActed, PrintStarted


class Core(Protocol):
    """What a verb needs of the running core."""

    board: SnapshotBoard

    @property
    def running_kernel(self) -> Kernel: ...

    @property
    def running_supervisor(self) -> Supervisor: ...

    @property
    def screen_age_ms(self) -> int | None: ...

    def publish(self, force: bool = False) -> None: ...

    def publish_health(self) -> None: ...

    def status_words(self) -> str: ...

    def stop_soon(self, reason: str) -> None: ...


def answer(core: Core, request: ControlPosted) -> dict[str, Any]:
    """Carry out a request; a refusal is an answer too."""
    verb = VERBS.get(request.verb)
    if verb is None:
        return {"ok": False, "error": f"there is no {request.verb[:40]!r}", "hint": f"one of {', '.join(VERBS)}"}
    try:
        return {"ok": True, **verb(core, request)}
    except KioskError as error:
        say = error.say if isinstance(error, DeskError) else ""
        told = {"ok": False, "error": error.message, "hint": error.hint} | ({"say": say} if say else {})
        return told | ({"transient": True} if error.transient else {})


def _status(core: Core, request: ControlPosted) -> dict[str, Any]:
    kernel = core.running_kernel
    return {
        "kiosk": kernel.parts.journal.kiosk,
        "realm": kernel.parts.journal.realm,
        "state": str(kernel.model.state),
        "epoch": kernel.books.epoch,
        "seq": kernel.books.seq,
        "head": kernel.books.head,
        "out_of_service": [reason.id for reason in kernel.model.out_of_service],
        "trouble": str(kernel.trouble) if kernel.trouble else "",
        "last_fault": kernel.last_fault,
        "last_slip": kernel.books.last_receipt,
        "status": core.status_words(),
        "screen_age_ms": core.screen_age_ms,
        "counts": _told_counts(kernel),
    }


def _told_counts(kernel: Kernel) -> dict[str, int]:
    """Return the counters without those from which the notes in the box could be told: counts are blind."""
    blind = {
        f"{page.name}.was_{word}" for page in kernel.parts.board.of_class("BillAcceptor") for word in ("ok", "warn")
    }
    return {name: count for name, count in kernel.counts.items() if name not in blind}


def _health(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.publish_health()
    return {"health": msgspec.to_builtins(core.board.health())}


def _devices(core: Core, request: ControlPosted) -> dict[str, Any]:
    board = core.running_kernel.parts.board
    pages = {name: msgspec.to_builtins(page) | {"raw": page.told_raw} for name, page in board.pages.items()}
    for hopper in hoppers_of(core.running_kernel.parts):
        pages[hopper.device]["float"] = hopper.coins
    lines = core.running_supervisor.status()
    return {"devices": [msgspec.to_builtins(line) | {"page": pages.get(line.device)} for line in lines]}


def _reprint(core: Core, request: ControlPosted) -> dict[str, Any]:
    number = request.arguments.get("number")
    if type(number) is not int:
        raise ReceiptError("a reprint needs the number of a slip", hint="the six digits in its middle")
    core.running_kernel.slip(number)
    copy = _next_copy(core, number)
    _acted(core, request, "reprint", f"{number} copy {copy}")
    core.running_kernel.handle_event(ReprintAsked(number, copy))
    return {"number": number, "copy": copy}


def _acted(core: Core, request: ControlPosted, act: str, detail: str) -> None:
    """Commit who asked for an act that leaves no other fact of its own."""
    core.running_kernel.commit((OperatorActed("", act, detail[:80]),), f"admin:{request.uid}")


def _next_copy(core: Core, number: int) -> int:
    """Count the copies that were started so far; the original is copy 0."""
    kernel = core.running_kernel
    copy = next_copy(kernel.books, number)
    if copy is not None:
        return copy
    started = [
        committed.fact.body.copy
        for committed in kernel.parts.journal.read(0, kernel.books.epoch)
        if isinstance(committed.fact.body, PrintStarted) and committed.fact.body.number == number
    ]
    return max(1, max(started, default=0) + 1)


def _release(core: Core, request: ControlPosted) -> dict[str, Any]:
    device = request.arguments.get("device")
    if type(device) is not str:
        raise DriverError("a release needs the name of a device", hint="see `kiosk devices`")
    core.running_supervisor.release(device)
    _acted(core, request, "release", device)
    return {"device": device}


def _close(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.running_kernel.close_counter(f"admin:{request.uid}")
    return {}


def _open(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.running_kernel.close_counter(f"admin:{request.uid}", closed=False)
    return {}


def _trust(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.running_kernel.believe_clock(f"admin:{request.uid}")
    core.publish(force=True)
    return {}


def _reload(core: Core, request: ControlPosted) -> dict[str, Any]:
    """Look for new reference data now instead of within seconds; tell their age."""
    core.running_kernel.look_for_data()
    core.publish(force=True)
    shot = core.board.snapshot()
    return {"data_as_of": shot.data_as_of if shot is not None else ""}


def _stop(core: Core, request: ControlPosted) -> dict[str, Any]:
    core.stop_soon(f"asked by user {request.uid}")
    return {}


VERBS: dict[str, Callable[[Core, ControlPosted], dict[str, Any]]] = {
    "status": _status,
    "health": _health,
    "devices": _devices,
    "reprint": _reprint,
    "release": _release,
    "close": _close,
    "open": _open,
    "trust-clock": _trust,
    "reload-data": _reload,
    "stop": _stop,
    **COUNTING,
    **DEVICES,
    **HUB,
    **WIRE,
}
