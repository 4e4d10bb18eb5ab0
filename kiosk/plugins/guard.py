"""Calls a stranger's function in a thread of its own, with a time limit.

A call that does not return in time is left behind in its daemon thread; whatever it raises, `SystemExit`
included, becomes a reason.  Nothing a plugin does in a call can stop the caller (short of ending the process).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kiosk.errors import PluginError

T = TypeVar("T")


def guarded(doing: str, call: Callable[[], T], time_limit_ms: int) -> T:
    """Return what `call` returns.

    Raises:
        PluginError: it raised, or did not return in time.
    """
    outcome: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            outcome.append((True, call()))
        except BaseException as error:  # noqa: BLE001  a stranger's code: also SystemExit must not pass
            outcome.append((False, error))

    thread = threading.Thread(target=run, name=f"plugin {doing}"[:60], daemon=True)
    thread.start()
    thread.join(time_limit_ms / 1000)
    if not outcome:
        raise PluginError(f"{doing} did not return within {time_limit_ms} ms", hint="ask its author; it is left aside")
    good, value = outcome[0]
    if not good:
        raise PluginError(
            f"{doing} raised {type(value).__name__}: {str(value)[:200]}", hint="ask its author; it is left aside"
        ) from value
    result: T = value
    return result
