"""How an alert is told: by webhook and by mail.  Each call tells one message or raises why not.

The webhook gets a JSON object by POST; with a secret it is signed: ``Kiosk-Signature: t=SECONDS,v1=HEX`` is
HMAC-SHA-256 over ``SECONDS.BODY``, and ``Idempotency-Key`` is the same for every try of one message.  No redirect is
followed: an address that moved is configured anew, not trusted.
"""

from __future__ import annotations

import datetime as dt
import hmac
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

import msgspec

from kiosk.errors import HubError
from kiosk.hub.alerts.shelf import Message
from kiosk.hub.alerts.watching import WORDS
from kiosk.hub.setup import HubSetup
from kiosk.model.instant import NS

#: Seconds that one step of telling may take.
PATIENCE_S = 10
SHORTEST_SECRET = 32


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """Follow nothing: the answer is then an error that names its status."""


_opener = urllib.request.build_opener(_NoRedirect)


def words_of(setup: HubSetup, message: Message) -> dict[str, Any]:
    """Return what is told, as data: kiosk, what, since when, what to do."""
    what, todo = WORDS.get(message.kind, (message.kind.replace("_", " "), "Open the hub's pages."))
    zone = ZoneInfo(setup.zone)

    def written(ns: int) -> str:
        return dt.datetime.fromtimestamp(ns // NS, zone).isoformat()

    return {
        "schema": "kiosk-alert-1",
        "id": f"{message.alert}:{message.event}",
        "event": message.event,
        "kind": message.kind,
        "kiosk": message.kiosk,
        "place": message.place,
        "what": f"{what} ({message.detail})" if message.detail else what,
        "since": written(message.raised_ns),
        "over": written(message.cleared_ns) if message.cleared_ns else None,
        "do": todo if message.event == "raised" else "Nothing: it is over.",
        "city": setup.city,
        "hub": setup.config.hub.id,
        "page": f"/kiosks/{message.kiosk}" if message.kiosk else "/findings",
    }


def read_secret(setup: HubSetup) -> bytes:
    """Return the webhook's secret; b"" where none is configured.

    Raises:
        HubError: the file cannot be read, is open to others, or too short.
    """
    name = setup.config.alerts.webhook_secret
    if not name:
        return b""
    path = Path(name)
    try:
        if path.stat().st_mode & 0o077:
            raise HubError(f"others may read {path}", hint=f"chmod 600 {path}")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise HubError(f"{path} cannot be read: {error.strerror}", hint="see alerts.webhook_secret") from error
    if len(secret) < SHORTEST_SECRET:
        raise HubError(f"{path} holds no secret", hint=f"{SHORTEST_SECRET} bytes or more: openssl rand -hex 32")
    return secret


def by_webhook(setup: HubSetup, message: Message) -> str:
    """Post one message; return "".

    Raises:
        HubError: it was not taken; says why.
    """
    body = msgspec.json.encode(words_of(setup, message))
    once = f"{message.alert}:{message.event}"
    headers = {"Content-Type": "application/json", "User-Agent": "kiosk-hub", "Idempotency-Key": once}
    secret = read_secret(setup)
    if secret:
        seconds = str(int(time.time()))
        signed = hmac.digest(secret, seconds.encode() + b"." + body, "sha256").hex()
        headers["Kiosk-Signature"] = f"t={seconds},v1={signed}"
    request = urllib.request.Request(setup.config.alerts.webhook, data=body, headers=headers, method="POST")
    try:
        # The answer's body tells nothing that is needed, and reading it would let a slow server hold us.
        _opener.open(request, timeout=PATIENCE_S).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise HubError(f"the webhook answered {error.code}", transient=True) from error
    except (OSError, HTTPException, ValueError) as error:
        raise HubError(f"the webhook does not answer: {_plain(error)}", transient=True) from error
    return ""


def by_mail(setup: HubSetup, message: Message) -> str:
    """Mail one message; return what is worth knowing though it was taken.

    Receivers that the server refuses beside others are not mailed again: the others would get it twice.

    Raises:
        HubError: the server did not take it; says why.
    """
    told, settings = words_of(setup, message), setup.config.alerts
    host, _, port = settings.smtp.rpartition(":")
    mail = EmailMessage()
    mail["From"], mail["To"] = settings.sender, ", ".join(settings.receivers)
    what = WORDS.get(message.kind, (message.kind, ""))[0]
    over = "Over: " if message.event == "cleared" else ""
    mail["Subject"] = _line(f"[{setup.city}] {over}{message.kiosk or 'hub'}: {what}")
    mail["Date"] = format_datetime(dt.datetime.now(dt.UTC))
    mail["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    lines = [
        f"Kiosk: {told['kiosk'] or 'none'} {told['place']}".rstrip(), f"What: {told['what']}",
        f"Since: {told['since']}", *([f"Over: {told['over']}"] if message.event == "cleared" else []),
        f"To do: {told['do']}", "", f"Hub {told['hub']}, page {told['page']}. Alert {told['id']}.",
    ]  # fmt: skip
    mail.set_content("\n".join(lines) + "\n")
    try:
        with smtplib.SMTP(host, int(port), timeout=PATIENCE_S) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            refused = server.send_message(mail)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise HubError(f"the mail server does not take it: {_plain(error)}", transient=True) from error
    return f"the mail server refused {len(refused)} of the receivers" if refused else ""


def _plain(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return _line(str(getattr(reason, "strerror", None) or reason))[:120]


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
