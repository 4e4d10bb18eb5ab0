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
    #: The kind of bill that the citizen chose, "" for any.  With it an empty text stands for the one typed before.
    service: str = ""


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


class EnterPlate(Intent, frozen=True, tag="enter_plate"):
    """A licence plate was typed (at most 16 letters and digits); only its keyed hash is ever looked up or kept."""

    text: str


# --- people who work here -------------------------------------------------------------------------------------


class CallOperator(Intent, frozen=True, tag="call_operator"):
    """The hidden gesture or the key switch: ask who is there."""


class EnterPin(Intent, frozen=True, tag="enter_pin"):
    """A person's id and PIN.  Goes to the check and nowhere else: no fact, log or picture holds the PIN."""

    person: str
    pin: str


class SignOut(Intent, frozen=True, tag="sign_out"):
    """Leave the operator's menu."""


class ReportX(Intent, frozen=True, tag="report_x"):
    """Print an X report; it changes no sum."""


class CloseDay(Intent, frozen=True, tag="close_day"):
    """Close the business date now, with a Z closing."""


class BeginExchange(Intent, frozen=True, tag="begin_exchange"):
    """Begin an exchange of the cash box, or go on with one that was interrupted."""


class ExchangeNumbers(Intent, frozen=True, tag="exchange_numbers"):
    """The numbers of the box that leaves, of the one that comes, and of its seal (1 to 24 letters, digits and -)."""

    old_box: str
    new_box: str
    seal: str


class ConfirmExchange(Intent, frozen=True, tag="confirm_exchange"):
    """The new box is in its place."""


class AbandonExchange(Intent, frozen=True, tag="abandon_exchange"):
    """The exchange does not take place: the old box is (again) in its place."""


class TestPrint(Intent, frozen=True, tag="test_print"):
    """Print a test slip."""


class TestScan(Intent, frozen=True, tag="test_scan"):
    """Show whether the next scan could be read."""


class TestNote(Intent, frozen=True, tag="test_note"):
    """Take one note into escrow and give it back."""


class Release(Intent, frozen=True, tag="release"):
    """Give a device that was taken out of service another chance."""

    device: str


class Shutter(Intent, frozen=True, tag="shutter"):
    """Close the counter to the public, or open it."""

    closed: bool


class ChangeRealm(Intent, frozen=True, tag="change_realm"):
    """Restart on the journal of another realm: ``live`` or ``training``."""

    realm: str


class FillHopper(Intent, frozen=True, tag="fill_hopper"):
    """Coins of the change fund were put into a hopper: so many."""

    device: str
    coins: int


class CountHopper(Intent, frozen=True, tag="count_hopper"):
    """All coins were taken out of a hopper and counted: so many."""

    device: str
    coins: int


class AcknowledgeAlarms(Intent, frozen=True, tag="acknowledge_alarms"):
    """The alarms that stand were seen."""


class AcknowledgeSlip(Intent, frozen=True, tag="acknowledge_slip"):
    """A slip that did not print was seen by its owner, or handed over by staff."""

    number: int


class ReprintSlip(Intent, frozen=True, tag="reprint_slip"):
    """Print a copy of a slip."""

    number: int


AnyIntent = (
    Begin | ChooseLanguage | EnterNumber | AddAnother | RemoveInvoice | Pay | AcceptConditions | AgreeExcess
    | DeclineExcess | Finish | Cancel | KeepPaying | MoreTime | Back | Dismiss | EnterPlate | CallOperator | EnterPin
    | SignOut | ReportX | CloseDay | BeginExchange | ExchangeNumbers | ConfirmExchange | AbandonExchange | TestPrint
    | TestScan | TestNote | Release | Shutter | ChangeRealm | AcknowledgeAlarms | AcknowledgeSlip | ReprintSlip
    | FillHopper | CountHopper
)  # fmt: skip
