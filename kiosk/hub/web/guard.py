"""The door of the pages: under which name they may be asked, from where a form may come, and how much it may send.

A name that an attacker's server resolves to the hub's address is refused (`Host`), a post must come from the hub's own
page (`Origin`; every form carries the session's token as well), and a body has 8 kB at most and is read whole before
anything looks at it.  Every answer carries the security headers and none may be kept by a browser, but for the look.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Largest body, bytes, and the seconds within which it must have arrived.
LARGEST, BODY_WAIT_S = 8192, 5
#: Longest address, bytes.
LONGEST_QUERY = 2048


class Guard:
    """Stands before the application; refuses, limits, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, names: tuple[str, ...], tls: bool) -> None:
        self.app = app
        self.names = frozenset(name.lower() for name in names)
        self.scheme = "https" if tls else "http"
        self.headers = {
            "content-security-policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; "
                "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            ),
            "x-content-type-options": "nosniff",
            # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
        }
        if tls:
            self.headers["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request and hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers[name] = value
                kept = scope["path"].startswith("/static/") and message["status"] == 200
                headers["cache-control"] = "private, max-age=600" if kept else "no-store"
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST":
            try:
                body = await asyncio.wait_for(_body(receive), BODY_WAIT_S)
            except TimeoutError:
                body, refusal = None, PlainTextResponse("The request did not arrive in time.", 408)
            if body is None:
                refusal = refusal or _too_large()
            else:
                receive = _replay(body, receive)
        await (refusal or self.app)(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
        if name not in self.names or (port and not port.isdigit()) or len(headers.getlist("host")) != 1:
            return PlainTextResponse("This is not the address of this hub.", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Not here.", 405)
        if len(scope["query_string"]) > LONGEST_QUERY:
            return PlainTextResponse("This address is too long.", 414)
        if scope["method"] == "POST":
            if headers.get("origin", "").lower() != f"{self.scheme}://{host}":
                return PlainTextResponse("Only the hub's own pages may post here.", 403)
            length = headers.get("content-length", "0")
            if not (length.isascii() and length.isdigit()) or int(length) > LARGEST:
                return _too_large()
        return None


def _too_large() -> Response:
    return PlainTextResponse(f"At most {LARGEST} bytes are taken.", 413)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is too large or the client left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if not told:
            told = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
