"""The command line: one file a group, loaded only when it is used.

Exit codes: 0 ok, 1 a problem was found, 2 wrong use, 3 the kiosk was not reached, 4 permissions are missing.
Whatever changes a running kiosk goes through its control socket; reading commands take ``--json``.
"""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; the entry point."""
    from kiosk.cli.root import kiosk

    try:
        kiosk(prog_name="kiosk")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; the interpreter must not try to flush once more.
        sys.stdout = None
        return 0
    return 0
