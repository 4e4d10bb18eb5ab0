"""From a posted form or JSON object to an intent, and nothing else gets through."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import msgspec

from kiosk.checkout.intents import AnyIntent, ChooseLanguage, EnterNumber, RemoveInvoice
from kiosk.core.snapshot import Snapshot
from kiosk.errors import CheckoutError
from kiosk.screen.operator import staff_fits

#: Characters of a typed number (checkout intents: at most 64).
LONGEST_NUMBER = 64


class Post(msgspec.Struct, frozen=True):
    """One posted intent with the place it was made in."""

    intent: AnyIntent
    name: str
    session: str
    step: int
    key: str


def read_post(body: bytes, content_type: str) -> Post:
    """Read a post, as a form or as JSON.

    Raises:
        CheckoutError: it is not an intent with a session and a step.
    """
    try:
        fields = _fields(body, content_type)
        session, step, key = str(fields.pop("session")), int(fields.pop("step")), str(fields.pop("key", ""))
        intent: AnyIntent = msgspec.convert(fields, AnyIntent, strict=False)
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise CheckoutError("the post is not an intent", hint="send intent, session and step") from error
    if isinstance(intent, EnterNumber) and not (0 < len(intent.text) <= LONGEST_NUMBER or _chooses(intent)):
        raise CheckoutError("the typed number is empty or too long", hint=f"at most {LONGEST_NUMBER} characters")
    return Post(intent, str(fields["intent"]), session, step, key)


def _chooses(intent: EnterNumber) -> bool:
    """Tell whether a kind of bill is chosen for the number that was typed before."""
    return not intent.text and 0 < len(intent.service) <= LONGEST_NUMBER


def fits(post: Post, snapshot: Snapshot) -> bool:
    """Tell whether the post was made in this very session and step, and is allowed there."""
    if (post.session, post.step) != (snapshot.session, snapshot.step) or post.name not in snapshot.allowed:
        return False
    if isinstance(post.intent, ChooseLanguage):
        return post.intent.language in snapshot.languages
    if isinstance(post.intent, EnterNumber) and not post.intent.text:
        return post.intent.service in dict(snapshot.choose_service)
    if isinstance(post.intent, RemoveInvoice):
        return 0 <= post.intent.index < len(snapshot.cart)
    return staff_fits(post.intent, snapshot)


def _fields(body: bytes, content_type: str) -> dict[str, Any]:
    if content_type.partition(";")[0].strip().lower() == "application/json":
        decoded = msgspec.json.decode(body, type=dict[str, str | int])
        return dict(decoded)
    pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=12, strict_parsing=bool(body))
    return dict(pairs)
