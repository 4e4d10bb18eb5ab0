"""All services, policies and cash rules of a city, loaded whole or not at all.

The texts are read by the composition root; here they become values.  The digest covers every byte of every
file, so that each fact can name the data it was made under.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from kiosk.errors import PolicyError, TariffError
from kiosk.model.invoice import Invoice, Quote
from kiosk.tariff.cash import CashRules, check_cash
from kiosk.tariff.decoding import decode
from kiosk.tariff.labels import LabelProblem, LabelRead, read_label, read_typed
from kiosk.tariff.policies import Policy, check_policy, check_versions
from kiosk.tariff.pricing import price, run_vectors
from kiosk.tariff.services import Service, load_service


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one file of `config/policies/` may hold."""

    policy: tuple[Policy, ...] = ()
    cash: tuple[CashRules, ...] = ()


class TariffLibrary(msgspec.Struct, frozen=True):
    """Everything needed to read a label and to price an invoice."""

    services: dict[str, Service]
    policies: tuple[Policy, ...]
    cash_rules: tuple[CashRules, ...]
    #: SHA-256 over names and texts, hexadecimal.
    digest: str

    def service(self, service: str) -> Service:
        """Return a service by id.

        Raises:
            PolicyError: no such service is loaded.
        """
        try:
            return self.services[service]
        except KeyError:
            raise PolicyError(f"service {service!r} is not loaded", hint="add config/services/ID.toml") from None

    def price(
        self, invoice: Invoice, on: dt.date, *, own_paid_minor: int = 0, settled_on: dt.date | None = None
    ) -> Quote:
        """Tell what an invoice costs on a local day; see `pricing.price`.

        Raises:
            TariffError: no price can be told.
        """
        if invoice.service not in self.services:
            raise TariffError(f"service {invoice.service!r} is not loaded", hint="add its file, or mend the data set")
        service = self.services[invoice.service]
        return price(invoice, self.policies, service, on, own_paid_minor=own_paid_minor, settled_on=settled_on)

    def cash_rules_on(self, currency: str, on: dt.date) -> CashRules:
        """Return the cash rules of a currency on a local day.

        Raises:
            PolicyError: none, or more than one, is in force.
        """
        found = [
            rules
            for rules in self.cash_rules
            if rules.currency == currency
            and rules.effective_from <= on
            and (not rules.effective_to or on <= rules.effective_to)
        ]
        if len(found) != 1:
            raise PolicyError(
                f"{len(found)} sets of cash rules for {currency} are in force on {on}",
                hint="exactly one [[cash]] must be",
            )
        return found[0]

    def read_label(self, label: str, symbology: str = "") -> LabelRead | LabelProblem:
        """Read a scanned label with the layouts of all services."""
        return read_label(label, symbology, self.services)

    def read_typed(self, typed: str, *, service: str = "") -> LabelRead | LabelProblem:
        """Read a number from the keypad."""
        return read_typed(typed, self.services, service=service)

    def message_ids(self) -> tuple[str, ...]:
        """Return every message id that services and prices of this library may use, sorted."""
        return tuple(sorted(set(_message_ids(self))))


def load(texts: Mapping[str, str]) -> TariffLibrary:
    """Build the library from file texts, by name below `config/`: ``services/ID.toml``, ``policies/NAME.toml``.

    Raises:
        PolicyError: a file, a rule or a worked example is wrong; nothing is used then.
    """
    services: dict[str, Service] = {}
    policies: list[Policy] = []
    cash: list[CashRules] = []
    digest = hashlib.sha256()
    for file in sorted(texts):
        source = texts[file]
        for part in (file.encode(), source.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
        room = file.rpartition("/")[0].rpartition("/")[2]
        if room == "services":
            service = load_service(source, file)
            if service.id in services:
                raise PolicyError(
                    f"{file}: service {service.id!r} is described twice", hint="remove one of the two files"
                )
            services[service.id] = service
        elif room == "policies":
            held = decode(source, file, PolicyFile)
            for policy in held.policy:
                check_policy(policy, file)
                run_vectors(policy, file)
            for rules in held.cash:
                check_cash(rules, file)
            policies += held.policy
            cash += held.cash
        else:
            raise PolicyError(f"{file} is neither in services/ nor in policies/", hint="name the file by its folder")
    check_versions(tuple(policies))
    _check_references(services, tuple(policies))
    return TariffLibrary(services, tuple(policies), tuple(cash), digest.hexdigest())


def _check_references(services: dict[str, Service], policies: tuple[Policy, ...]) -> None:
    """Refuse a service that names an unknown policy, or lacks an account for a component of one."""
    for service in services.values():
        for name in service.policies:
            versions = [policy for policy in policies if policy.id == name]
            if not versions:
                raise PolicyError(
                    f"services/{service.id}.toml: policy {name!r} is not loaded", hint="check its spelling"
                )
            for policy in versions:
                parts = {policy.base.component, *(each.component for each in (*policy.late, *policy.surcharge))}
                for component in sorted(parts - set(service.accounts)):
                    raise PolicyError(
                        f"services/{service.id}.toml: no account for component {component!r} of {policy.version}",
                        hint="add it to [accounts] and to order",
                    )


def _message_ids(library: TariffLibrary) -> Iterator[str]:
    shapes = {"ladder": "fee.base.offence", "table": "fee.base.code", "face": "fee.base.face", "flat": "fee.base.flat",
              "prorated": "fee.base.prorated", "added_steps": "fee.late.step", "total_steps": "fee.late.total",
              "percent_once": "fee.late.percent", "percent_monthly": "fee.late.monthly",
              "percent_by_date": "fee.late.by_date"}  # fmt: skip
    for service in library.services.values():
        yield service.name
        yield from (condition.id for condition in service.conditions)
        yield from (f"component.{component}" for component in service.order)
        yield from (f"word.counter.{name}" for name in {service.counter_for(), *service.counters.values()})
    for policy in library.policies:
        for part in (policy.base, *policy.late):
            yield part.reason or shapes[str(part.__struct_config__.tag)]
        yield from getattr(policy.base, "reasons", {}).values()
        yield from (each.reason or "fee.surcharge" for each in policy.surcharge)
