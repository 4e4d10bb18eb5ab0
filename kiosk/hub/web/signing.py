"""Signing in and out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kiosk.errors import HubError
from kiosk.hub.web import sessions
from kiosk.hub.web.desk import Desk, Look, own_address, read_form
from kiosk.hub.web.people import LONGEST, judge
from kiosk.model.instant import NS

#: One sentence for everything that can be wrong: it never tells whether an id exists or is locked.
WRONG = "Id and password do not fit, or the person is locked. After five wrong passwords an id waits for 15 minutes."

#: Refusals that repeat are written down once in this time; that many are remembered.
SPARE_NS, MOST_REMEMBERED = 10 * NS, 512


class Signing:
    """The sign-in page.  Remembers which refusals were written down lately, nothing else."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._written: dict[tuple[str, str], int] = {}

    async def page(self, request: Request) -> Response:
        """Ask who is there, and judge the answer."""
        if request.method == "POST":
            return await run_in_threadpool(self._judge, request, read_form(await request.body()))
        return self._draw(request, own_address(request.query_params.get("back", "/")))

    def out(self, look: Look) -> Response:
        """Sign out."""
        look.record("signed out", "")
        sessions.end(self.desk.writer.office, look.session)
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(self.desk.cookie, path="/", secure=self.desk.setup.config.web.tls, httponly=True)
        return answer

    def _judge(self, request: Request, form: dict[str, str]) -> Response:
        desk = self.desk
        person, password = form.get("person", "")[:40].strip().lower(), form.get("password", "")
        back = own_address(form.get("back", "/"))
        if len(password) > LONGEST:
            password = ""
        try:
            found, why = judge(desk.writer.office, person, password, desk.now_ns())
        except HubError as error:
            return self._draw(request, back, error.message, 503)
        if found is None:
            self._refused(person, why, request)
            return self._draw(request, back, WRONG, 403)
        # A sign-in ends the session that the browser had: its cookie is never taken over.
        if (before := desk.session(request)) is not None:
            sessions.end(desk.writer.office, before)
        cookie = sessions.begin(desk.writer.office, found, desk.now_ns(), desk.idle_ns)
        desk.record(found.id, "signed in", "", request)
        answer = RedirectResponse(back if back != "/" else "/fleet", 303)
        secure = desk.setup.config.web.tls
        answer.set_cookie(desk.cookie, cookie, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    def _refused(self, person: str, why: str, request: Request) -> None:
        """Write a refusal down; of a flood that no lock ends, what one address does is one row in `SPARE_NS`."""
        known = why != "nobody"
        if not known or why == "locked":
            key = (person if known else "", request.client.host if request.client is not None else "")
            now = self.desk.now_ns()
            if now - self._written.get(key, -SPARE_NS) < SPARE_NS:
                return
            if len(self._written) >= MOST_REMEMBERED:
                self._written.clear()
            self._written[key] = now
        self.desk.record(person if known else "", "sign-in refused", why, request)

    def _draw(self, request: Request, back: str, problem: str = "", status: int = 200) -> Response:
        return self.desk.draw("sign-in.html", request, None, status, back=back, problem=problem)
