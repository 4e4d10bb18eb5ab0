"""What every page stands on: who asks, what they may see, the database, the templates, and the record of the look.

A page is a plain function of a `Look`; it runs in a thread, because the database waits.  A look at money or at what
people did is written into `access` before its answer leaves: a look that cannot be recorded is not answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from kiosk.errors import KioskError
from kiosk.hub.setup import HubSetup
from kiosk.hub.store.tables import access, day_sum
from kiosk.hub.web import sessions
from kiosk.hub.web.fence import SEALED, Fence, fence_for
from kiosk.hub.web.people import ROLES, Person
from kiosk.hub.web.wording import Wording, age, kind_words, share, signed, turnover

HERE = Path(__file__).parent
#: Fields of a form and characters of each that are read.
MOST_FIELDS, LONGEST_FIELD = 20, 1000
#: Who may open a page: address of its entry in the navigation, its words, the roles.
NAVIGATION = (
    ("/fleet", "Fleet", tuple(ROLES)),
    ("/findings", "Findings", ("view", "count", "audit", "admin")),
    ("/days", "Days and boxes", ("view", "count", "audit", "export")),
    ("/receipts", "Receipts", ("view", "count", "audit")),
    ("/invoices", "Invoices", ("view", "count", "audit")),
    ("/cases", "Cases", ("view", "count", "audit")),
    ("/enrolment", "Enrolment", ("admin",)),
    ("/looks", "Who looked", ("audit",)),
)


class Refused(KioskError):
    """A request is answered with a status and a sentence."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Look:
    """One request by one person."""

    def __init__(self, desk: Desk, request: Request, session: sessions.Session, form: Mapping[str, str]) -> None:
        self.desk = desk
        self.request = request
        self.session = session
        self.form = form
        self.now_ns = desk.now_ns()

    @property
    def person(self) -> Person:
        """Who asks."""
        return self.session.person

    @property
    def words(self) -> Wording:
        """How amounts and times are written."""
        return self.desk.words

    def asked(self, name: str, longest: int = 60) -> str:
        """Return a value of the query, cut to a length, without what cannot be printed."""
        told = self.request.query_params.get(name, "")[:longest].strip()
        return "".join(letter for letter in told if letter.isprintable())

    def given(self, name: str, longest: int = 200) -> str:
        """Return a value of the form, cut to a length, without what cannot be printed."""
        return "".join(letter for letter in self.form.get(name, "")[:longest].strip() if letter.isprintable())

    def fence(self, connection: sa.Connection) -> Fence:
        """Return what this person may be told now."""
        return fence_for(self.person, connection)

    def services(self) -> list[str]:
        """Return all services that an invoice may be of: those of the city's pack and those that ever took money."""
        with self.desk.reader.books.connect() as connection:
            paid = set(connection.execute(sa.select(day_sum.c.service).distinct()).scalars())
        return sorted((paid | set(self.desk.setup.library.services)) - {""})

    def draw(self, template: str, status: int = 200, **values: Any) -> Response:
        """Draw a page."""
        return self.desk.draw(template, self.request, self.session, status, now_ns=self.now_ns, **values)

    def record(self, act: str, subject: str) -> None:
        """Write what was done, at once."""
        self.desk.record(self.person.id, act, subject, self.request)


Handler = Callable[[Look], Response]


class Desk:
    """Owns the stores of the pages (all for reading, `office` for writing as well) and the templates."""

    def __init__(self, setup: HubSetup, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.setup = setup
        self.now_ns = now_ns
        self.words = Wording(setup)
        self.reader = setup.stores(readonly=("segments", "office", "books"))
        self.writer = setup.stores()
        #: How often the fleet's page asks for news.
        self.refresh_ms = 5000
        self.idle_ns = setup.config.web.idle_minutes * 60 * 1_000_000_000
        prefix = "__Host-" if setup.config.web.tls else ""
        #: Cookies are shared by all ports of a host; the name keeps two hubs on one machine apart.
        self.cookie = f"{prefix}hub-{setup.config.hub.id}"
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.templates.globals.update(
            city=setup.city, hub=setup.config.hub.id, zone=setup.zone, words=self.words, age=age, SEALED=SEALED,
            kind_words=kind_words, share=share, signed=signed, turnover=turnover, navigation=NAVIGATION,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the database."""
        self.reader.close()
        self.writer.close()

    # --- answering ------------------------------------------------------------------------------------------------

    def page(self, handler: Handler, *roles: str, logged: bool = True, alive: bool = True) -> Any:
        """Return the endpoint of a page for these roles; `alive` false: a page asks for it by itself."""

        def answer(request: Request) -> Response:
            session = self.session(request, alive=alive)
            if session is None:
                return self._sign_in(request)
            look = Look(self, request, session, {})
            try:
                if not session.person.may(*roles):
                    look.record("refused", _address(request))
                    raise Refused(403, "Your roles do not open this page.", hint="ask who administers the hub")
                told = handler(look)
                if logged and told.status_code == 200:
                    look.record("looked", _address(request))
            except KioskError as error:
                return self._refuse(look, error)
            return told

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(answer, request)

        return endpoint

    def act(self, handler: Handler, *roles: str) -> Any:
        """Return the endpoint of a form for these roles; the form carries the session's token."""

        def answer(request: Request, form: Mapping[str, str]) -> Response:
            session = self.session(request)
            if session is None:
                return self._sign_in(request)
            look = Look(self, request, session, form)
            try:
                if not session.knows(form.get("token", "")):
                    raise Refused(403, "This form is not of your session.", hint="open the page again")
                if not session.person.may(*roles):
                    look.record("refused", _address(request))
                    raise Refused(403, "Your roles do not allow this.", hint="ask who administers the hub")
                return handler(look)
            except KioskError as error:
                return self._refuse(look, error)

        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(answer, request, read_form(await request.body()))

        return endpoint

    def session(self, request: Request, *, alive: bool = True) -> sessions.Session | None:
        """Return whose request this is."""
        cookie = request.cookies.get(self.cookie, "")
        if not cookie:
            return None
        return sessions.resume(self.reader.office, self.writer.office, cookie, self.now_ns(), self.idle_ns, alive=alive)

    def draw(
        self, template: str, request: Request, session: sessions.Session | None, status: int = 200, **values: Any
    ) -> Response:
        """Draw a page for whoever is signed in."""
        person = session.person if session is not None else None
        told = self.templates.get_template(template).render(
            person=person, token=session.csrf if session is not None else "", path=request.url.path, **values
        )
        return HTMLResponse(told, status)

    def record(self, person: str, act: str, subject: str, request: Request) -> None:
        """Write into the access log."""
        address = request.client.host if request.client is not None else ""
        with self.writer.office.begin() as connection:
            connection.execute(
                access.insert().values(
                    at_ns=self.now_ns(), operator=person[:40], act=act, subject=subject[:300], address=address[:60]
                )
            )

    def _sign_in(self, request: Request) -> Response:
        if request.headers.get("accept", "") == "text/x-fragment":
            return Response(status_code=401)
        back = _address(request) if request.method == "GET" else "/"
        answer = RedirectResponse("/sign-in", 303)
        if request.method == "GET" and back not in ("/", "/fleet"):
            answer = RedirectResponse(f"/sign-in?{_query(back)}", 303)
        return answer

    def _refuse(self, look: Look, error: KioskError) -> Response:
        status = error.status if isinstance(error, Refused) else 503 if error.transient else 409
        return look.draw("refused.html", status, message=error.message, hint=error.hint)


def read_form(body: bytes) -> dict[str, str]:
    """Read a posted form; of fields that come twice the first one counts."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}
    form: dict[str, str] = {}
    for name, value in pairs:
        form.setdefault(name[:40], value[:LONGEST_FIELD])
    return form


def own_address(text: str) -> str:
    """Return an address of the hub's own pages to go back to; "/" for anything else.

    >>> own_address("/receipts/K07-1-000412-9f3c"), own_address("//evil.example/"), own_address("https://evil.example")
    ('/receipts/K07-1-000412-9f3c', '/', '/')
    """
    parts = urlsplit(text[:500])
    plain = text.isascii() and text.isprintable() and "\\" not in text
    good = plain and text.startswith("/") and not text.startswith("//") and not parts.netloc and not parts.scheme
    return text[:500] if good else "/"


def _address(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def _query(back: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"back": back})
