"""The web application of the operators' pages: which address is which page, and who may open it.

Everything a page shows is read from the hub's tables at that moment, through connections that can only read; what a
person decides is a short transaction of `office`.  Without scripts every page reads and every form works; the one
script keeps the fleet fresh.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kiosk.hub.setup import HubSetup
from kiosk.hub.web import days, enrolment, findings_pages, fleet, invoices, looks, orders, receipts
from kiosk.hub.web.desk import HERE, NAVIGATION, Desk
from kiosk.hub.web.guard import Guard
from kiosk.hub.web.signing import Signing

#: Roles by the address in the navigation.
MAY = {address: roles for address, _, roles in NAVIGATION}


def build(setup: HubSetup, now_ns: Callable[[], int] = time.time_ns) -> tuple[Starlette, Desk]:
    """Make the application and the desk that it stands on; the desk is closed by whoever runs it."""
    desk = Desk(setup, now_ns)
    signing = Signing(desk)
    page, act = desk.page, desk.act
    app = Starlette(
        routes=[
            Route("/", home),
            Route("/sign-in", signing.page, methods=["GET", "POST"]),
            Route("/sign-out", act(signing.out, *MAY["/fleet"]), methods=["POST"]),
            Route("/fleet", page(fleet.page, *MAY["/fleet"], logged=False)),
            Route("/fleet/rows", page(fleet.rows, *MAY["/fleet"], logged=False, alive=False)),
            Route("/kiosks/{kiosk}", page(orders.page, *MAY["/fleet"], logged=False)),
            Route("/kiosks/{kiosk}/command", act(orders.order, "admin"), methods=["POST"]),
            Route("/enrolment", page(enrolment.page, *MAY["/enrolment"], logged=False)),
            Route("/enrolment/approve", act(enrolment.approve_one, "admin"), methods=["POST"]),
            Route("/enrolment/revoke", act(enrolment.revoke_one, "admin"), methods=["POST"]),
            Route("/findings", page(findings_pages.page, *MAY["/findings"])),
            Route("/findings/{finding}", page(findings_pages.one, *MAY["/findings"]), methods=["GET"]),
            Route("/findings/{finding}", act(findings_pages.acknowledge, "audit", "admin"), methods=["POST"]),
            Route("/receipts", page(receipts.page, *MAY["/receipts"])),
            Route("/receipts/{receipt}", page(receipts.one, *MAY["/receipts"])),
            Route("/facts/{kiosk}/{epoch:int}/{seq:int}", page(receipts.place, *MAY["/receipts"])),
            Route("/days", page(days.page, *MAY["/days"])),
            Route("/invoices", page(invoices.page, *MAY["/invoices"])),
            Route("/invoices/{service}/{number}", page(invoices.one, *MAY["/invoices"]), name="invoice"),
            Route("/cases", page(invoices.cases_page, *MAY["/cases"])),
            Route("/looks", page(looks.page, *MAY["/looks"])),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, names=setup.config.web.names, tls=setup.config.web.tls)],
        exception_handlers={sa.exc.SQLAlchemyError: no_database},
    )
    return app, desk


async def home(_: Request) -> Response:
    """Go to the first page."""
    return RedirectResponse("/fleet", 303)


async def no_database(_: Request, error: Exception) -> Response:
    """Say that the database does not answer; what it said is for the hub's log, not for a browser."""
    return PlainTextResponse("The hub's database does not answer. Try again in a moment.", 503)
