"""In the guest: carries out what the host asks, one JSON line for each request and each answer.

A request names a command line; while it runs, each line that it prints goes to the host at once, so that the host
may cut the power between two of them.  The last answer of a request carries its exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

PORT = "/dev/virtio-ports/kiosk.agent"


def main() -> None:
    """Serve for ever: the machine ends when the host ends it."""
    port = os.open(PORT, os.O_RDWR)

    def say(answer: dict[str, object]) -> None:
        data = json.dumps(answer).encode() + b"\n"
        while data:
            data = data[os.write(port, data) :]

    say({"ready": True})
    waiting = b""
    while True:
        more = os.read(port, 65536)
        if not more:  # nobody holds the host's end: after a snapshot was restored it comes back
            os.sched_yield()
            continue
        waiting += more
        while b"\n" in waiting:
            line, waiting = waiting.split(b"\n", 1)
            request = json.loads(line)
            program = subprocess.Popen(
                request["run"], env={**os.environ, **request.get("env", {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            )  # fmt: skip
            assert program.stdout is not None
            for text in program.stdout:
                say({"line": text.rstrip("\n")})
            say({"ended": program.wait()})


if __name__ == "__main__":
    sys.exit(main())
