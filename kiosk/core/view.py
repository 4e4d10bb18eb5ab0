"""From the kernel's state to what a screen and a health page may see."""

from __future__ import annotations

from typing import Any

from kiosk.checkout.events import CartItem
from kiosk.checkout.model import Job
from kiosk.checkout.states import State
from kiosk.checkout.steps import taking, wanted_notes
from kiosk.checkout.table import allowed
from kiosk.core.deviceboard import DevicePage
from kiosk.core.kernel import Kernel
from kiosk.core.operator_view import operator_view
from kiosk.core.snapshot import DeviceView, Health, InvoiceView, LineView, SlipView, Snapshot
from kiosk.core.supervisor import DeviceStatus
from kiosk.core.world import hoppers_of
from kiosk.errors import ReceiptError
from kiosk.journal.receipt_seal import receipt_id, seal
from kiosk.ledger.allocation import in_order
from kiosk.model.facts import ReceiptIssued
from kiosk.model.money import Money
from kiosk.model.texts import Text, text
from kiosk.tariff.discretion import is_discreet, masked

_RANK = {"ok": 0, "warn": 1, "unknown": 2, "fault": 3}


def snapshot(kernel: Kernel, *, version: int, boot: str) -> Snapshot:
    """Build what the screen may see now.  Every amount in it is committed."""
    parts, model = kernel.parts, kernel.model
    currency = model.currency
    city = parts.slips.city
    now_ns = parts.clock.now_ns()
    due, inserted = Money(model.due_minor, currency), Money(model.credited_minor, currency)
    flight = model.flight if model.flight is not None and model.flight.ours and model.frozen else None
    over = max(0, flight.value.minor - model.remaining_minor) if flight else 0
    no_paper = not parts.board.printer_ready
    return Snapshot(
        version=version,
        boot=boot,
        screen=str(model.state),
        session=model.session,
        step=model.step,
        language=model.language,
        languages=parts.languages,
        kiosk=parts.journal.kiosk,
        realm=parts.journal.realm,
        city=city.name,
        support_phone=city.support_phone,
        currency=currency,
        services=tuple(text(service.name) for service in parts.counter.library.services.values()),
        cart=tuple(_invoice(kernel, item) for item in model.cart),
        due=due,
        inserted=inserted,
        remaining=Money(model.remaining_minor, currency),
        excess=Money(model.excess_minor, currency),
        notes_accepted=_notes(kernel),
        coins_accepted=_coins(kernel),
        change=Money(model.dispensing.planned_minor, currency) if model.dispensing is not None else None,
        change_paid=Money(model.dispensing.paid_minor, currency) if model.dispensing is not None else None,
        note=flight.value if flight else None,
        note_excess=Money(over, currency) if flight and over else None,
        messages=model.messages,
        conditions=_conditions(kernel, no_paper) if model.state is State.CONSENTING else (),
        no_paper=no_paper,
        slips=tuple(view for number in model.slips if (view := _slip(kernel, number)) is not None),
        ends_in_ms=None if model.deadline_ns is None else max(0, (model.deadline_ns - now_ns) // 1_000_000),
        published_ns=now_ns,
        allowed=allowed(model),
        data_as_of=_as_of(kernel),
        time_unsure=parts.clock.unsure,
        operator=operator_view(kernel),
        opening_hours=city.hours,
        held=Money(model.held_minor, currency) if model.held_minor else None,
        choose_service=tuple(
            (each, text(parts.counter.library.services[each].name))
            for each in model.choosing
            if each in parts.counter.library.services
        ),
    )


def _notes(kernel: Kernel) -> tuple[Money, ...]:
    """The notes that would be taken now; on the way there, the ones that this cart will allow at first."""
    model, parts = kernel.model, kernel.parts
    if model.frozen:
        return wanted_notes(model, kernel.context())
    if model.cart and parts.board.acceptor_ready:
        return parts.counter.notes_allowed(model.cart, parts.board.known_notes, 0, model.asked_minor)
    return parts.counter.notes_ever(parts.board.known_notes, parts.clock.today())


def _coins(kernel: Kernel) -> tuple[Money, ...]:
    """The coins that would be taken now; on the way there, the ones that this cart will allow at first."""
    model, parts = kernel.model, kernel.parts
    if not parts.board.known_coins:
        return ()
    if model.frozen:
        return taking(model, kernel.context()).coins
    return parts.counter.coins_allowed(model.cart, parts.board.known_coins, 0, model.asked_minor)


def _conditions(kernel: Kernel, no_paper: bool) -> tuple[Text, ...]:
    hoppers = hoppers_of(kernel.parts)
    texts = kernel.parts.counter.conditions(
        kernel.model.cart,
        _notes(kernel),
        coins=_coins(kernel),
        change=any(each.ready and each.coins for each in hoppers),
    )
    return (text("condition.no_paper"), *texts) if no_paper else texts


def _as_of(kernel: Kernel) -> str:
    source = kernel.parts.source
    if source is None:
        return ""
    told = [source.as_of(service) for service in kernel.parts.counter.library.services]
    return min((each for each in told if each), default="")


def _invoice(kernel: Kernel, item: CartItem) -> InvoiceView:
    service = kernel.parts.counter.library.services.get(item.quote.service)
    currency = item.quote.currency
    invoice = item.invoice
    name = text(service.name if service is not None else "service.gone")
    partial = service is not None and service.partial == "allowed"
    if item.by_plate or is_discreet(item.quote):  # a stranger may have typed the plate, also before a restart
        due = Money(item.quote.due_minor, currency)
        return InvoiceView(name, masked(item.quote.number), (), Money(0, currency), due, partial_allowed=partial)
    return InvoiceView(
        service=name,
        number=item.quote.number,
        lines=tuple(
            LineView(text(f"component.{line.component}"), Money(line.minor, currency), line.reason, line.citation)
            for line in (in_order(item.quote.lines, service) if service is not None else item.quote.lines)
        ),
        already_paid=Money(min(item.quote.paid_minor, item.quote.total_minor), currency),
        due=Money(item.quote.due_minor, currency),
        issued_date=invoice.issued.isoformat(),
        due_date=invoice.due.isoformat() if invoice.due else "",
        partial_allowed=partial,
    )


def _slip(kernel: Kernel, number: int) -> SlipView | None:
    try:
        committed = kernel.slip(number)
    except ReceiptError:
        return None
    body = committed.fact.body
    assert isinstance(body, ReceiptIssued)
    job = _job(kernel, number)
    return SlipView(
        number=str(receipt_id(committed)),
        kind=body.slip,
        state=job.state if job else "queued",
        qr=seal(committed, kernel.parts.key),
        totals=tuple((t.name, Money(t.minor, body.currency)) for t in body.totals if ":" not in t.name),
        progress=100 if job and job.state == "printed" else (100 * job.sent // job.total if job and job.total else 0),
    )


def _job(kernel: Kernel, number: int) -> Job | None:
    found = [job for job in kernel.model.jobs if job.number == number]
    return found[-1] if found else None


def _float(kernel: Kernel, page: DevicePage) -> dict[str, Any]:
    """Tell of a hopper what its sensors and the journal say is in it; a float is no secret, no count of it is blind."""
    if page.device_class != "CoinDispenser":
        return {}
    held = kernel.books.hoppers.get(page.name)
    coin = held.value if held is not None and held.coins else page.coin
    return {"level": page.level, "coin": coin, "coins": held.coins if held is not None else 0}


def health(
    kernel: Kernel, *, lines: list[DeviceStatus], plugins: tuple[tuple[str, str, str], ...], started: str
) -> Health:
    """Build what the health page shows: devices at two levels, plugins, journal, reasons.  No sums of money."""
    by_name = {line.device: line for line in lines}
    devices = []
    for page in kernel.parts.board.pages.values():
        line = by_name.get(page.name)
        gone = line is not None and line.state != "in_service"
        devices.append(
            DeviceView(
                name=page.name,
                device_class=page.device_class,
                driver=page.driver,
                state=line.state if line is not None and gone else page.state,
                severity="fault" if gone else page.severity,
                detail="; ".join(filter(None, (page.detail, page.told_raw, line.last_error if line else ""))),
                restarts=line.restarts if line is not None else 0,
                **_float(kernel, page),
            )
        )
    reasons = [reason.id for reason in kernel.model.out_of_service]
    if kernel.trouble is not None:
        reasons.append(str(kernel.trouble))
    if kernel.parts.clock.unsure:
        reasons.append("clock.unsure")
    reasons += [f"alarm.{alarm}" for alarm in kernel.books.alarms]
    if any(kernel.books.slips[number].shown >= 0 for number in kernel.books.slips_open()):
        reasons.append("slip.untaken")
    reasons += [f"plugin.{name}" for name, status, _ in plugins if status == "quarantined"]
    severity = max((device.severity for device in devices), key=lambda each: _RANK.get(each, 2), default="ok")
    if reasons and severity in ("ok", "warn"):
        severity = "fault" if kernel.model.out_of_service else "warn"
    return Health(
        severity=severity,
        reasons=tuple(reasons),
        devices=tuple(devices),
        plugins=plugins,
        journal_seq=kernel.books.seq,
        journal_epoch=kernel.books.epoch,
        realm=kernel.parts.journal.realm,
        data_as_of=_as_of(kernel),
        started=started,
        safe_mode=kernel.parts.safe_mode,
    )
