"""The hub's web process: the pages, and the alerts in a thread of their own.

A webhook or a mail server that does not answer holds up the alerts' thread and nothing else.  Where the alerts' thread
dies, the process ends, so that the supervisor starts both anew: pages without alerts would be a silence.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import uvicorn

from kiosk.errors import HubError
from kiosk.hub.alerts import service as alerts_service
from kiosk.hub.setup import HubSetup
from kiosk.hub.web.app import build

#: Seconds that open requests get to end, and requests that are answered at the same time.
GRACE_S, MOST_AT_ONCE = 2, 128
POLL_S = 0.2


def run(setup: HubSetup, stop: Callable[[], bool]) -> None:
    """Serve the pages and watch for alerts until `stop` says so.

    Raises:
        HubError: the address cannot be listened on, or one of the two ended by itself.
    """
    web = setup.config.web
    try:
        listening = socket.create_server((web.host, web.port), backlog=128)
    except OSError as error:
        raise HubError(
            f"the pages cannot listen on {web.host}:{web.port}: {error.strerror}",
            hint="another hub may be running; choose another web.port",
        ) from error
    app, desk = build(setup)
    server = uvicorn.Server(
        uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_keep_alive=30, timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=MOST_AT_ONCE,
            # The proxy with TLS stands on this machine; nobody else may say where a request came from.
            proxy_headers=True, forwarded_allow_ips="127.0.0.1",
        )
    )  # fmt: skip
    ending = threading.Event()
    serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="pages", daemon=True)
    watching = threading.Thread(
        target=alerts_service.run, args=(setup, lambda: ending.is_set() or stop()), name="alerts", daemon=True
    )
    serving.start()
    watching.start()
    try:
        while not stop():
            if not (serving.is_alive() and watching.is_alive()):
                what = "pages" if watching.is_alive() else "alerts"
                raise HubError(f"the thread of the {what} ended by itself", hint="the hub starts it anew")
            time.sleep(POLL_S)
    finally:
        ending.set()
        server.should_exit = True
        serving.join(GRACE_S + 3)
        watching.join(5)
        listening.close()
        desk.close()
