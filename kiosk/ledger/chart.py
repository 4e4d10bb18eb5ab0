"""The chart of accounts, as a city writes it in `config/chart.toml`.

Accounts play roles for the counter: the rules of posting name roles, never codes.  An account may belong to a
fund; an entry over two funds is completed with due-from and due-to postings, so that every fund balances
(domain sheet §9, invariant 1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from kiosk.errors import LedgerError, PolicyError
from kiosk.tariff.decoding import decode
from kiosk.tariff.services import Service


class Account(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One account."""

    code: str
    #: Message id of its name.
    name: str
    kind: Literal["asset", "liability", "revenue", "expense"]
    #: Fund it belongs to; "" where the city keeps one.
    fund: str = ""


class Roles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which account plays which part at the counter.  The last two are needed where change is given, "" elsewhere."""

    #: Notes in the cash box (asset).
    cash_in_box: str
    #: Credited notes of a running session, not yet applied (liability).
    unapplied_tender: str
    #: Owed to citizens who paid more than was due (liability).
    overpayment: str
    #: Notes stacked outside a session; nobody knows yet whose they are (liability).
    suspense: str
    #: Notes of which the wire cannot tell whether they are in the box (asset) …
    disputed_notes: str
    #: … and the claims that stand against them (liability).
    disputed_claims: str
    #: Tender that waits for the rest of an invoice which takes no part payment (liability).
    held_tender: str
    #: Cash of boxes that were received and counted, until the bank has it (asset).
    cash_counted: str
    #: What a blind count found over or short, never plugged into anything else (revenue or expense).
    over_short: str
    #: Coins in the hoppers, from which change is paid (asset).
    hopper_float: str = ""
    #: Cash from which the hoppers are filled, and to which they are emptied (asset).
    change_fund: str = ""


class FundLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a fund is owed money by the fund that took it."""

    #: Asset account of this fund: due from the other fund.
    due_from: str
    #: Liability account of the fund that holds the cash: due to this fund.
    due_to: str


class Chart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All accounts, their roles and the links between funds."""

    roles: Roles
    account: tuple[Account, ...]
    #: By fund; the fund of the cash box needs none.
    funds: dict[str, FundLink] = {}

    def find(self, code: str) -> Account:
        """Return an account by code.

        Raises:
            LedgerError: the chart does not know it.
        """
        for account in self.account:
            if account.code == code:
                return account
        raise LedgerError(f"account {code!r} is not in the chart", hint="add it to chart.toml or mend the service")

    def knows(self, code: str) -> bool:
        """Tell whether the chart has this account."""
        return any(account.code == code for account in self.account)

    @property
    def gives_change(self) -> bool:
        """Tell whether the accounts for change are named."""
        return bool(self.roles.hopper_float and self.roles.change_fund)

    @property
    def digest(self) -> str:
        """SHA-256 over the chart's content, hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


#: What kind an account must be to play a role.
_KINDS = {
    "cash_in_box": ("asset",), "unapplied_tender": ("liability",), "overpayment": ("liability",),
    "suspense": ("liability",), "disputed_notes": ("asset",), "disputed_claims": ("liability",),
    "held_tender": ("liability",), "cash_counted": ("asset",), "over_short": ("revenue", "expense"),
    "hopper_float": ("asset",), "change_fund": ("asset",),
}  # fmt: skip


#: Roles that only a kiosk with hoppers needs.
_OPTIONAL = ("hopper_float", "change_fund")


def load_chart(source: str, file: str = "chart.toml") -> Chart:
    """Read and check a chart.

    Raises:
        PolicyError: not TOML, an unknown key, an account named twice or a role played by the wrong kind.
    """
    chart = decode(source, file, Chart)
    codes = [account.code for account in chart.account]
    for code in sorted({code for code in codes if codes.count(code) > 1}):
        raise PolicyError(f"{file}: account {code!r} is listed twice", hint="remove one of them")
    parts = {role: code for role, code in msgspec.structs.asdict(chart.roles).items() if code or role not in _OPTIONAL}
    for role, code in parts.items():
        _expect(chart, file, f"roles.{role}", code, *_KINDS[role])
    for role in parts:
        same = [other for other in parts if parts[other] == parts[role] and other != role]
        if same:
            raise PolicyError(f"{file}: roles {role} and {same[0]} share an account", hint="each role needs its own")
    home = chart.find(chart.roles.cash_in_box).fund
    for role, code in parts.items():
        if chart.find(code).fund != home:
            raise PolicyError(
                f"{file}: roles.{role} is not in fund {home!r} of the cash box", hint="keep roles in one fund"
            )
    for fund in {account.fund for account in chart.account} - {home}:
        if fund not in chart.funds:
            raise PolicyError(f"{file}: fund {fund!r} has no link", hint=f"add [funds.{fund}] with due_from and due_to")
    for fund, link in chart.funds.items():
        _expect(chart, file, f"funds.{fund}.due_from", link.due_from, "asset")
        _expect(chart, file, f"funds.{fund}.due_to", link.due_to, "liability")
        if chart.find(link.due_from).fund != fund or chart.find(link.due_to).fund != home:
            raise PolicyError(f"{file}: funds.{fund} links accounts of the wrong funds",
                              hint="due_from lies in the fund itself, due_to in the fund of the cash box")  # fmt: skip
    return chart


def check_services(chart: Chart, services: Iterable[Service]) -> None:
    """Refuse services that post to accounts the chart does not know, or to assets.

    Raises:
        PolicyError: names service, component and account.
    """
    for service in services:
        for component, code in service.accounts.items():
            where = f"services/{service.id}.toml: accounts.{component}"
            if not chart.knows(code):
                raise PolicyError(f"{where}: account {code!r} is not in the chart", hint="add it to chart.toml")
            if chart.find(code).kind not in ("revenue", "liability"):
                raise PolicyError(f"{where}: account {code!r} takes no payments", hint="name a revenue or a liability")


def check_change(chart: Chart, hoppers: Iterable[str]) -> None:
    """Refuse hoppers (by the names of their devices) where the chart names no accounts for change.

    Raises:
        PolicyError: names hoppers and roles.
    """
    fitted = list(hoppers)
    missing = [f"roles.{role}" for role in _OPTIONAL if not getattr(chart.roles, role)]
    if fitted and missing:
        raise PolicyError(
            f"chart.toml: {' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} missing, and coins are paid by "
            f"{', '.join(fitted)}",
            hint="name an asset account for the coins in the hoppers and one for what they are filled from",
        )


def _expect(chart: Chart, file: str, key: str, code: str, *kinds: str) -> None:
    if not chart.knows(code):
        raise PolicyError(f"{file}: {key}: account {code!r} is not in the chart", hint="add an [[account]] for it")
    if chart.find(code).kind not in kinds:
        raise PolicyError(
            f"{file}: {key}: account {code!r} is not of kind {' or '.join(kinds)}", hint="name another account"
        )
