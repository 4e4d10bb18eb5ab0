"""The bench: a page with the simulated hardware, on a loopback port of its own behind a door of its own."""

from __future__ import annotations

import secrets
from pathlib import Path

import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from kiosk import screen as screen_room
from kiosk.errors import KioskError
from kiosk.screen.guard import Door, Guard
from kiosk.screen.server import ScreenServer
from kiosk.screen.settings import ScreenSettings
from kiosk.workbench import picture
from kiosk.workbench.demonstration import Demonstration
from kiosk.workbench.directory import OPERATOR
from kiosk.workbench.hands import Hands

HERE = Path(__file__).parent
SCREEN_STATIC = Path(screen_room.__file__).parent / "static"


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One press of a button."""

    act: str
    key: str
    argument: str = ""


class BenchGuard(Guard):
    """The screen's guard, which lets this one page show the citizen screen in a frame."""

    def __init__(self, app: ASGIApp, *, door: Door, settings: ScreenSettings, framed: str) -> None:
        super().__init__(app, door=door, settings=settings)
        policy = "content-security-policy"
        self.headers = {**self.headers, policy: f"{self.headers[policy]}; frame-src 'self' {framed}"}


class Bench:
    """Answers the page.  Owns its door; everything it shows and does belongs to the demonstration."""

    def __init__(self, demo: Demonstration, door: Door) -> None:
        self.demo = demo
        self.door = door
        self.hands = Hands(demo)
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip

    async def home(self, request: Request) -> Response:
        """Draw the page; with the start address's token, set the cookie first."""
        token = request.query_params.get("token")
        if token is not None:
            if not self.door.opens(token):
                return PlainTextResponse("This address is not of this demonstration.", 403)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.door.cookie, self.door.pass_, httponly=True, samesite="strict", path="/")
            return answer
        samples = list(enumerate(self.demo.samples))
        page = self._pages.get_template("bench.html")
        return HTMLResponse(
            page.render(
                key=self.door.key, notes=picture.notes(self.demo), coins=picture.coins(self.demo),
                presenter=self.demo.hardware.printer.role.model.presenter, folder=str(self.demo.directory.root),
                hub=self.demo.hub, operator=OPERATOR,
                payable=[pair for pair in samples if pair[1].kind == "payable"],
                refused=[pair for pair in samples if pair[1].kind == "refused"],
                hostile=[pair for pair in samples if pair[1].kind == "hostile"],
            )
        )  # fmt: skip

    async def screen(self, _: Request) -> Response:
        """Go to the citizen screen of the kiosk that runs now."""
        address = self.demo.core.address()
        return RedirectResponse(address, 303) if address else HTMLResponse(DARK)

    async def state(self, request: Request) -> Response:
        """What the hardware is like, and what happened since."""
        after = request.query_params.get("after", "0")
        seen = int(after) if after.isdecimal() and len(after) < 12 else 0
        return JSONResponse(await run_in_threadpool(picture.state, self.demo, seen))

    async def act(self, request: Request) -> Response:
        """Do what a button says."""
        try:
            asked = msgspec.json.decode(await request.body(), type=Act)
        except msgspec.DecodeError as error:
            return JSONResponse({"problem": f"this is no act: {error}"}, 400)
        if not self.door.knows(asked.key):
            return JSONResponse({"problem": "the post does not carry this page's key"}, 403)
        try:
            told = await run_in_threadpool(self.hands.act, asked.act, asked.argument)
        except KioskError as error:
            return JSONResponse({"problem": str(error)}, 409)
        return JSONResponse({"told": told})

    async def paper(self, request: Request) -> Response:
        """Draw one piece of paper."""
        try:
            piece = picture.receipt(self.demo, request.path_params["which"])
            return Response(await run_in_threadpool(picture.png, piece), media_type="image/png")
        except KioskError as error:
            return PlainTextResponse(str(error), 404)


#: Instead of the screen while nobody is there to draw one.
DARK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>No screen</title>
<link rel="stylesheet" href="/static/dark.css"><p>The kiosk is not running.</p></html>"""


def build(demo: Demonstration, token: str) -> Starlette:
    """Make the application."""
    door = Door(token)
    bench = Bench(demo, door)
    return Starlette(
        routes=[
            Route("/", bench.home),
            Route("/screen", bench.screen),
            Route("/state", bench.state),
            Route("/act", bench.act, methods=["POST"]),
            Route("/paper/{which}.png", bench.paper),
            Mount("/static/screen", StaticFiles(directory=SCREEN_STATIC)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[
            Middleware(BenchGuard, door=door, settings=ScreenSettings(), framed=f"http://127.0.0.1:{demo.screen_port}")
        ],
    )


class BenchServer:
    """Runs the bench in a thread of its own."""

    def __init__(self, demo: Demonstration) -> None:
        self._token = secrets.token_urlsafe(18)
        self._server = ScreenServer(build(demo, self._token), port=demo.bench_port)

    def start(self) -> str:
        """Open the port; return the start address.

        Raises:
            TransportError: the port is taken.
        """
        host, port = self._server.start()
        return f"http://{host}:{port}/?token={self._token}"

    def stop(self) -> None:
        """Close the port."""
        self._server.stop()
