"""The web application of the citizen screen: pages, the event stream, and the door for intents.

Everything a page shows comes from the latest `Snapshot`; everything a person does is posted as an intent that names
the session and the step it was made in.  A stale one is refused here already and dropped again by the kernel, so a
reload, a double tap or a second tab can never act twice.  Without scripts the same forms work with plain redirects.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import jinja2
import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kiosk.core.snapshot import Desk, Snapshot
from kiosk.errors import CheckoutError
from kiosk.model.money import Money
from kiosk.model.texts import text
from kiosk.screen.count import Ask, CountPage
from kiosk.screen.events import Streams
from kiosk.screen.guard import Door, Guard
from kiosk.screen.intents import fits, read_post
from kiosk.screen.modes import Modes, read_mode
from kiosk.screen.operator import StaffView, whole
from kiosk.screen.pages import HealthPage, Verdict, VerifyPage
from kiosk.screen.pictures import qr_code
from kiosk.screen.settings import ScreenSettings
from kiosk.screen.view import SUMS, View, slip_state
from kiosk.texts import Catalogue

HERE = Path(__file__).parent


class Screen:
    """Draws snapshots and passes intents on.  Holds the door's key, the templates and no state of a session."""

    def __init__(
        self, desk: Desk, catalogue: Catalogue, door: Door, settings: ScreenSettings, now_ns: Callable[[], int]
    ) -> None:
        self.desk = desk
        self.now_ns = now_ns
        self.catalogue = catalogue
        self.door = door
        self.settings = settings
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.globals.update(
            qr_code=qr_code, slip_state=slip_state, SUMS=SUMS, staff_of=StaffView, whole=whole, logo=bool(settings.logo)
        )
        self.modes = Modes()
        self.streams = Streams(desk.board, self.drawn)

    def snapshot(self) -> Snapshot:
        """The latest snapshot, or a picture of a kiosk that is starting."""
        return self.desk.board.snapshot() or starting(self.settings)

    def view(self) -> View:
        """The latest snapshot in words, in the modes of the person in front."""
        shot, now_ns = self.snapshot(), self.now_ns()
        modes = self.modes.of(shot.session, now_ns)
        return View(shot, self.catalogue, key=self.door.key, now_ns=now_ns, modes=modes)

    def drawn(self) -> tuple[str, dict[str, object]]:
        """The present screen as an event: its id, and what the page swaps in."""
        view = self.view()
        html = self.templates.get_template("fragment.html").render(view=view, s=view.snapshot, t=view.t)
        return view.event_id, {
            "id": view.event_id,
            "html": html,
            "language": view.catalogue.page_tag(view.language),
            "direction": view.direction,
            "title": view.title,
            "announcement": view.announcement,
        }

    async def home(self, request: Request) -> Response:
        """Draw the whole page; with the start address's token, set the cookie first."""
        token = request.query_params.get("token")
        if token is not None:
            if not self.door.opens(token):
                return PlainTextResponse("This start address is not of this boot.", 403)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.door.cookie, self.door.pass_, httponly=True, samesite="strict", path="/")
            return answer
        view = self.view()
        page = self.templates.get_template("page.html")
        return HTMLResponse(page.render(view=view, s=view.snapshot, t=view.t))

    async def session(self, _: Request) -> Response:
        """The latest snapshot as JSON."""
        view = self.view()
        told = msgspec.to_builtins(msgspec.structs.replace(view.snapshot, ends_in_ms=view.ends_in_ms))
        return JSONResponse(told)

    async def fragment(self, _: Request) -> Response:
        """The present screen, as the stream would send it: for a page that lost the stream."""
        return JSONResponse(self.drawn()[1])

    async def events(self, request: Request) -> Response:
        """Follow the screen."""
        if self.streams.full:
            return PlainTextResponse("Too many pages follow this kiosk.", 503)
        seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")
        return StreamingResponse(self.streams.follow(seen), media_type="text/event-stream")

    async def intent(self, request: Request) -> Response:
        """Take what a person asks for, if it was asked on the screen that is shown now."""
        plain = "application/json" not in request.headers.get("accept", "")
        try:
            post = read_post(await request.body(), request.headers.get("content-type", ""))
        except CheckoutError as error:
            return _answer(plain, 400, error.message)
        if not self.door.knows(post.key):
            return _answer(False, 403, "the post does not carry this page's key")
        if not fits(post, self.snapshot()):
            return _answer(plain, 409, "the screen has changed since")
        if not self.desk.post_intent(post.intent, session=post.session, step=post.step):
            return _answer(plain, 503, "the kiosk is busy")
        return _answer(plain, 202, "")

    async def mode(self, request: Request) -> Response:
        """Switch large text or high contrast, for this session."""
        plain = "application/json" not in request.headers.get("accept", "")
        try:
            post = read_mode(await request.body())
        except CheckoutError as error:
            return _answer(plain, 400, error.message)
        if not self.door.knows(post.key):
            return _answer(False, 403, "the post does not carry this page's key")
        if not self.modes.choose(post, self.snapshot().session, self.now_ns()):
            return _answer(plain, 409, "the screen has changed since")
        return _answer(plain, 202, "")

    async def alive(self, _: Request) -> Response:
        """The page's heartbeat."""
        self.desk.screen_seen()
        return Response(status_code=204)

    async def look(self, _: Request) -> Response:
        """Letters as large as the measured screen needs them."""
        return Response(self.settings.look, media_type="text/css")

    async def logo(self, _: Request) -> Response:
        """The city's logo: a PNG picture and nothing else, under this one address."""
        if not self.settings.logo:
            return Response(status_code=404)
        # Each new screen draws it again: from the browser's memory.
        kept = {"cache-control": "private, max-age=3600"}
        return Response(self.settings.logo, media_type="image/png", headers=kept)


def build(
    desk: Desk,
    catalogue: Catalogue,
    *,
    token: str,
    settings: ScreenSettings | None = None,
    verify: Callable[[str], Verdict] | None = None,
    ask: Ask | None = None,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Starlette:
    """Make the application.

    `token` opens the start address ``/?token=…``; `verify` checks a receipt's QR text; `ask` puts the
    count page's questions to the core (else the desk's own ``ask``, where it has one); `now_ns` is the monotonic clock
    that `Snapshot.published_ns` was read from.
    """
    settings = settings or ScreenSettings()
    door = Door(token)
    screen = Screen(desk, catalogue, door, settings, now_ns)
    health = HealthPage(desk.board, catalogue, screen.templates, screen.snapshot)
    counting = CountPage(ask or getattr(desk, "ask", None), door, screen.templates, screen.view)
    checking = VerifyPage(verify, catalogue, screen.templates, screen.snapshot)
    return Starlette(
        routes=[
            Route("/", screen.home),
            Route("/session", screen.session),
            Route("/fragment", screen.fragment),
            Route("/events", screen.events),
            Route("/intent", screen.intent, methods=["POST"]),
            Route("/mode", screen.mode, methods=["POST"]),
            Route("/alive", screen.alive, methods=["POST"]),
            Route("/count", counting.page, methods=["GET", "POST"]),
            Route("/look.css", screen.look),
            Route("/logo.png", screen.logo),
            Route("/health", health.page),
            Route("/health.json", health.data),
            Route("/verify", checking.page, methods=["GET", "POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, door=door, settings=settings)],
    )


def starting(settings: ScreenSettings) -> Snapshot:
    """What is shown before the kernel has published anything."""
    nothing = Money(0, settings.currency)
    return Snapshot(
        version=0,
        boot="",
        screen="out_of_service",
        session="",
        step=0,
        language=settings.language,
        languages=(),
        kiosk=settings.kiosk,
        realm=settings.realm,
        city=settings.city,
        support_phone=settings.support_phone,
        opening_hours=settings.hours,
        currency=settings.currency,
        due=nothing,
        inserted=nothing,
        remaining=nothing,
        excess=nothing,
        messages=(text("out.starting"),),
    )


def _answer(plain: bool, status: int, problem: str) -> Response:
    """A form goes back to the screen as it is now, whatever became of it; a script is told."""
    if plain:
        return RedirectResponse("/", 303)
    return JSONResponse({"problem": problem}, status)
