"""Invoices and cases: what was paid on an invoice and where, and money that a person has to decide about."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.responses import RedirectResponse, Response

from kiosk.hub.store.tables import case, invoice, invoice_balance, payment, receipt
from kiosk.hub.web.desk import Look, Refused

#: Rows that one page lists.
MOST = 100


def page(look: Look) -> Response:
    """Draw the search; unasked, the latest payments."""
    number = look.asked("number")
    found: list[tuple[str, str]] = []
    payments: list[tuple[Any, bool]] = []
    if number:
        services = look.services()
        with look.desk.reader.office.connect() as connection:
            mine = invoice.c.service.in_(services) & (invoice.c.number == number)
            known = sa.select(invoice.c.service, invoice.c.number).where(mine).limit(MOST)
            here = {(row.service, row.number) for row in connection.execute(known)}
        with look.desk.reader.books.connect() as connection:
            mine = payment.c.service.in_(services) & (payment.c.number == number)
            paid = sa.select(payment.c.service, payment.c.number).where(mine).distinct()
            here |= {(row.service, row.number) for row in connection.execute(paid.limit(MOST))}
        found = sorted(here)
        if len(found) == 1:
            return RedirectResponse(look.request.url_for("invoice", service=found[0][0], number=number).path, 303)
    else:
        with look.desk.reader.books.connect() as connection:
            fence = look.fence(connection)
            latest = sa.select(payment).order_by(payment.c.position.desc()).limit(50)
            payments = [(row, fence.seals(row.kiosk, row.position)) for row in connection.execute(latest)]
    return look.draw("invoices.html", number=number, found=found, payments=payments)


def one(look: Look) -> Response:
    """Draw one invoice with its payments and cases."""
    service, number = str(look.request.path_params["service"]), str(look.request.path_params["number"])
    with look.desk.reader.office.connect() as connection:
        mine = (invoice.c.service == service) & (invoice.c.number == number)
        owed = connection.execute(sa.select(invoice).where(mine)).first()
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        here = (payment.c.service == service) & (payment.c.number == number)
        rows = list(connection.execute(sa.select(payment).where(here).order_by(payment.c.position)))
        booked = (invoice_balance.c.service == service) & (invoice_balance.c.number == number)
        balance = connection.execute(sa.select(invoice_balance).where(booked)).first()
        about = (case.c.service == service) & (case.c.number == number)
        cases = list(connection.execute(sa.select(case).where(about).order_by(case.c.position)))
        slips = {
            (row.kiosk, row.session): row.id
            for row in connection.execute(
                sa.select(receipt.c.kiosk, receipt.c.session, receipt.c.id).where(
                    receipt.c.slip == "receipt",
                    receipt.c.session.in_({row.session for row in rows if row.session}),
                    receipt.c.kiosk.in_({row.kiosk for row in rows}),
                )
            )
        }
    if owed is None and not rows and balance is None:
        raise Refused(404, f"No invoice {number[:40]} of {service[:40]} is here.")
    payments = [(row, fence.seals(row.kiosk, row.position)) for row in rows]
    # With one payment sealed, what is owed and what remains would tell it.
    sealed = any(closed for _, closed in payments) or any(fence.seals(row.kiosk, row.position) for row in cases)
    # Held tender is told by no payment: a counter gets the balance only where a posted payment explains all of it.
    if not fence.open and balance is not None and (balance.held_minor or not rows):
        sealed = True
    return look.draw(
        "invoice.html", service=service, number=number, owed=owed, balance=balance, payments=payments, sealed=sealed,
        slips=slips, cases=[(row, fence.seals(row.kiosk, row.position), fence.words(row.detail)) for row in cases],
    )  # fmt: skip


def cases_page(look: Look) -> Response:
    """Draw the cases, those that stand open first."""
    asked = {"kind": look.asked("kind"), "state": look.asked("state")}
    chosen = sa.select(case).order_by(case.c.state != "open", case.c.position.desc()).limit(MOST)
    for name, value in asked.items():
        if value:
            chosen = chosen.where(case.c[name] == value)
    with look.desk.reader.books.connect() as connection:
        fence = look.fence(connection)
        rows = list(connection.execute(chosen))
        kinds = sorted(connection.execute(sa.select(case.c.kind).distinct()).scalars())
    told = [(row, fence.seals(row.kiosk, row.position), fence.words(row.detail)) for row in rows]
    return look.draw("cases.html", cases=told, asked=asked, kinds=kinds, most=MOST)
