"""The door of the screen: whose browser may ask, from which page, and how much it may send.

The server listens on the loopback address only, but every page of every browser on the machine can reach that, and
a name that an attacker's server resolves to 127.0.0.1 as well.  So a request must call the server by one of its names
(`Host`), a post must come from the screen's own page (`Origin`), and both must carry the cookie that only the start
address of this boot sets.  A body has 4 kB at most and is read whole before anything looks at it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiosk.screen.settings import ScreenSettings

#: Largest body, bytes.
LARGEST = 4096
#: Seconds within which a body must have arrived.
BODY_WAIT_S = 5

#: Pages that need no cookie: they show nothing of a session and change nothing.
OPEN = ("/static/", "/look.css", "/logo.png", "/health", "/health.json", "/verify")


class Door:
    """What the start address's token stands for: the cookie, and the key that every form carries."""

    def __init__(self, token: str) -> None:
        self.token = token
        #: Cookies are shared by all ports of a host; the name keeps two kiosks on one machine apart.
        self.cookie = "kiosk_" + _digest("name", token)[:8]
        self.pass_ = _digest("pass", token)
        self.key = _digest("key", token)

    def opens(self, token: str) -> bool:
        """Whether this is the token of the start address."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def admits(self, cookies: str) -> bool:
        """Whether the request's cookies hold ours."""
        try:
            found = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return False
        return found is not None and hmac.compare_digest(found.value.encode(), self.pass_.encode())

    def knows(self, key: str) -> bool:
        """Whether a form carried our key."""
        return hmac.compare_digest(key.encode(), self.key.encode())


class Guard:
    """Stands before the application; refuses, limits, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, door: Door, settings: ScreenSettings) -> None:
        self.app = app
        self.door = door
        self.hosts = settings.hosts
        framed = " ".join(settings.framed_by) or "'none'"
        self.headers = {
            "content-security-policy": (
                "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
                f"frame-ancestors {framed}"
            ),
            "x-content-type-options": "nosniff",
            # Not no-referrer: with that, browsers send `Origin: null` with our own forms.
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
        }

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
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None and scope["method"] == "POST":
            try:
                body = await asyncio.wait_for(_body(receive), BODY_WAIT_S)
            except TimeoutError:
                body, refusal = None, PlainTextResponse("The request did not arrive in time.", 408)
            if body is None:
                refusal = refusal or PlainTextResponse(f"At most {LARGEST} bytes are taken.", 413)
            else:
                receive = _replay(body, receive)
        await (refusal or self.app)(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
        if name not in self.hosts or (port and not port.isdigit()) or len(headers.getlist("host")) != 1:
            return PlainTextResponse("This is not the address of this kiosk.", 421)
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return PlainTextResponse("Not here.", 405)
        if scope["method"] == "POST":
            if headers.get("origin", "") != f"{scope['scheme']}://{host}":
                return PlainTextResponse("Only the kiosk's own page may post here.", 403)
            length = headers.get("content-length", "0")
            if not length.isdigit() or int(length) > LARGEST:
                return PlainTextResponse(f"At most {LARGEST} bytes are taken.", 413)
        path = scope["path"]
        if any(path == open_ or (open_.endswith("/") and path.startswith(open_)) for open_ in OPEN):
            return None
        if self.door.admits("; ".join(headers.getlist("cookie"))):
            return None
        if path == "/" and scope["method"] == "GET" and b"token=" in scope["query_string"]:
            return None
        return PlainTextResponse("This page opens with the kiosk's start address only.", 403)


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


def _digest(purpose: str, token: str) -> str:
    return hashlib.sha256(f"kiosk-screen {purpose} {token}".encode()).hexdigest()[:32]
