"""What a person at the screen can ask for.  An intent names the session and the step it was made in.

A stale intent (another session, another step) is dropped by the kernel, so that a reload, a double tap or a
second tab can never act twice.
"""

from __future__ import annotations

import msgspec


class Intent(msgspec.Struct, frozen=True, tag_field="intent", tag=True):
    """Root of all intents."""


class Begin(Intent, frozen=True, tag="begin"):
    """Leave the attract screen: type a number."""


class ChooseLanguage(Intent, frozen=True, tag="language"):
    """Change the language; keeps the cart."""

    language: str


class EnterNumber(Intent, frozen=True, tag="enter_number"):
    """A number was typed on the keypad (at most 64 characters; validated by the service's rules)."""

    text: str


class AddAnother(Intent, frozen=True, tag="add_another"):
    """Add a further invoice to the cart."""


class RemoveInvoice(Intent, frozen=True, tag="remove_invoice"):
    """Take the invoice at this place (from 0) out of the cart."""

    index: int


class Pay(Intent, frozen=True, tag="pay"):
    """Go on from the review to the conditions."""


class AcceptConditions(Intent, frozen=True, tag="accept_conditions"):
    """The conditions were read: freeze the price and accept notes."""


class AgreeExcess(Intent, frozen=True, tag="agree_excess"):
    """Keep the note in escrow although it is more than what remains due."""


class DeclineExcess(Intent, frozen=True, tag="decline_excess"):
    """Give that note back."""


class Finish(Intent, frozen=True, tag="finish"):
    """Stop feeding notes; with credit: settle what is there, with a slip."""


class Cancel(Intent, frozen=True, tag="cancel"):
    """Stop.  Without credit everything is undone; with credit the screen asks first."""


class KeepPaying(Intent, frozen=True, tag="keep_paying"):
    """Go on after the question whether to stop, or after an interruption."""


class MoreTime(Intent, frozen=True, tag="more_time"):
    """Answer to "Need more time?"."""


class Back(Intent, frozen=True, tag="back"):
    """One screen back where nothing has been paid."""


class Dismiss(Intent, frozen=True, tag="dismiss"):
    """A message or a finished receipt was seen."""


AnyIntent = (
    Begin | ChooseLanguage | EnterNumber | AddAnother | RemoveInvoice | Pay | AcceptConditions | AgreeExcess
    | DeclineExcess | Finish | Cancel | KeepPaying | MoreTime | Back | Dismiss
)  # fmt: skip
