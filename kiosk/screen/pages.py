"""Two pages beside the checkout: how the kiosk is, and whether a receipt is genuine."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from kiosk.core.snapshot import Snapshot, SnapshotBoard
from kiosk.model.texts import Parameter
from kiosk.texts import Catalogue


class Verdict(msgspec.Struct, frozen=True):
    """What a check of a receipt found."""

    genuine: bool
    #: Why not: the name of a text ``verify.reason.NAME``, else plain words; "" for a genuine one.
    reason: str = ""
    #: (name, value): ``number``, ``total``, ``at``, ``kiosk``, ``realm``, ``key``; anything else is shown by its name.
    facts: tuple[tuple[str, str], ...] = ()
    #: Genuine, but of training or a demonstration: never shown as good.
    specimen: bool = False


class HealthPage:
    """Shows what the board says of devices, plugins and the journal.  Never a cash sum."""

    def __init__(
        self,
        board: SnapshotBoard,
        catalogue: Catalogue,
        templates: jinja2.Environment,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._board = board
        self._catalogue = catalogue
        self._templates = templates
        self._snapshot = snapshot

    async def page(self, request: Request) -> Response:
        """Draw the page."""
        shot = self._snapshot()
        words = _Words(self._catalogue, request, shot)
        health = self._board.health()
        page = self._templates.get_template("health.html")
        return HTMLResponse(
            page.render(
                t=words.t,
                known=words.known,
                language=words.language,
                tag=words.page_tag,
                direction=words.direction,
                s=shot,
                health=health,
            )
        )

    async def data(self, _: Request) -> Response:
        """The same as JSON; 503 while nothing is known or something is at fault."""
        health = self._board.health()
        if health is None:
            return JSONResponse({"schema": 1, "severity": "unknown", "reasons": ["nothing known yet"]}, 503)
        told = {"schema": 1, **msgspec.to_builtins(health)}
        return JSONResponse(told, 503 if health.severity == "fault" else 200)


class VerifyPage:
    """Checks the text of a receipt's QR code with the function it was given."""

    def __init__(
        self,
        verify: Callable[[str], Verdict] | None,
        catalogue: Catalogue,
        templates: jinja2.Environment,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._verify = verify
        self._catalogue = catalogue
        self._templates = templates
        self._snapshot = snapshot

    async def page(self, request: Request) -> Response:
        """Draw the form, and the verdict on what was posted."""
        shot = self._snapshot()
        words = _Words(self._catalogue, request, shot)
        asked, verdict = "", None
        if request.method == "POST":
            fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=4)
            asked = fields.get("receipt", [""])[0].strip()
            verdict = self._verify(asked) if self._verify and asked else None
        page = self._templates.get_template("verify.html")
        return HTMLResponse(
            page.render(
                t=words.t,
                known=words.known,
                language=words.language,
                tag=words.page_tag,
                direction=words.direction,
                s=shot,
                asked=asked,
                verdict=verdict,
                installed=self._verify is not None,
            )
        )


class _Words:
    """Texts in the language asked for by ``?lang=``, or the screen's."""

    def __init__(self, catalogue: Catalogue, request: Request, shot: Snapshot) -> None:
        wanted = request.query_params.get("lang", shot.language)
        self._catalogue = catalogue
        self.language = wanted if wanted in catalogue.languages else "en"
        self.page_tag = catalogue.page_tag(self.language)
        self.direction = catalogue.direction(self.language)

    def t(self, message: str, /, **params: Parameter) -> str:
        """A text by its id."""
        return self._catalogue.word(message, self.language, **params)

    def known(self, message: str) -> bool:
        """Whether there is such a text."""
        return self._catalogue.has(message)
