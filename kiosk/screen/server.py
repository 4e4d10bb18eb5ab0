"""Runs the screen's web server in a thread with an event loop of its own.

The only place of the kiosk's process where asyncio turns.  No signal handler, no log of requests (they would name
sessions), the loopback address only unless told otherwise.
"""

from __future__ import annotations

import socket
import threading

import uvicorn
from starlette.applications import Starlette

from kiosk.errors import TransportError

#: Seconds that open streams get to end when the server stops.
GRACE_S = 1


class ScreenServer:
    """Owns the listening socket and the thread.  `start` returns when the port is open, `stop` when it is shut."""

    def __init__(self, app: Starlette, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> tuple[str, int]:
        """Open the port (0: any free one) and serve; return the address.

        Raises:
            TransportError: the address cannot be listened on.
        """
        try:
            listening = socket.create_server((self._host, self._port), backlog=64)
        except OSError as error:
            raise TransportError(
                f"the screen cannot listen on {self._host}:{self._port}: {error.strerror}",
                hint="another kiosk may be running; choose another port",
            ) from error
        address = listening.getsockname()[:2]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=GRACE_S,
                limit_concurrency=64,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listening]}, name="screen", daemon=True
        )
        self._thread.start()
        return str(address[0]), int(address[1])

    @property
    def alive(self) -> bool:
        """Whether the thread still serves."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self, *, wait_s: int = 5) -> bool:
        """End all streams and close the port; False if the thread has not ended in time."""
        if self._server is None or self._thread is None:
            return True
        self._server.should_exit = True
        self._thread.join(wait_s)
        return not self._thread.is_alive()
