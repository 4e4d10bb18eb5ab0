"""A bar on a terminal for long work, nothing elsewhere."""

from __future__ import annotations

import sys
from typing import Any

import click


class Progress:
    """Shows how far something is; made for one piece of work."""

    def __init__(self, label: str, *, quiet: bool) -> None:
        self._label = label
        self._bar: Any = None
        self._done = 0
        self._quiet = quiet or not sys.stderr.isatty()

    def __call__(self, done: int, whole: int) -> None:
        """Show how far it is."""
        if self._quiet:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=max(whole, 1), label=self._label, file=sys.stderr)
        self._bar.update(done - self._done)
        self._done = done

    def end(self) -> None:
        """Leave the line."""
        if self._bar is not None:
            self._bar.render_finish()
