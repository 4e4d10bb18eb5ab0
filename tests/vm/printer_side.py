"""In the guest: the far side of the USB printer, a simulated printer behind the gadget's node.

    python3 printer_side.py NODE NEWS STALL

A process of its own: a printer gadget holds the kernel's lock while somebody reads it.  After each piece that came,
the number of bytes so far and the texts of all receipts go to the file NEWS.  While there is a file STALL it reads no
further than the byte that is named there, as a printer that is stuck in mid-job; it lets go of the node then, for a
kernel whose printer gadget is unplugged under an open node has been seen to fall over it (6.1, `cd_forget`).
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from pathlib import Path

from kiosk.protocols.escpos.device import EscposPrinter


def main(node: str, news: str, stall: str) -> None:
    """Serve until killed."""
    printer, bytes_in, descriptor = EscposPrinter(), 0, -1
    while True:
        now = time.monotonic_ns()
        try:
            limit = Path(stall)
            if limit.exists() and bytes_in >= int(limit.read_text() or "0"):
                if descriptor >= 0:
                    os.close(descriptor)
                descriptor = -1
                time.sleep(0.02)
                continue
            if descriptor < 0:
                descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
            if select.select([descriptor], [], [], 0.02)[0]:
                data = os.read(descriptor, 4096)
                bytes_in += len(data)
                printer.received(data, now)
            printer.tick(now)
            for answer in printer.take_outbound():
                os.write(descriptor, answer)
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:  # the cable was pulled: the node is opened again when it works again
            if descriptor >= 0:
                os.close(descriptor)
            descriptor = -1
            time.sleep(0.05)
        told = Path(news + ".new")
        told.write_text(json.dumps({"bytes": bytes_in, "receipts": [each.text for each in printer.receipts]}))
        told.rename(news)


if __name__ == "__main__":
    main(*sys.argv[1:])
