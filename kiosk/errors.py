"""The whole error tree of the project, on one page.

Every error says what happened to which thing (`message`) and what to do about it (`hint`).  `transient`
is True where trying again later, unchanged, can succeed.  Errors are values for people: they are shown on
the health page and in the terminal, so they carry no secrets and no unbounded strings from outside.
"""

from __future__ import annotations


class KioskError(Exception):
    """The root: what happened, what to do, and whether waiting may cure it."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(KioskError):
    """A configuration file, key or value cannot be used; names file and key."""


class MoneyError(KioskError):
    """An amount is not a whole number of minor units, or two currencies were mixed."""


class FrameError(KioskError):
    """Bytes from a line are not a frame of the protocol (length, checksum, stuffing, unknown shape)."""


class DriverError(KioskError):
    """A driver was asked something it cannot do in its present state, or broke its contract."""


class TransportError(KioskError):
    """An open byte path failed: port missing, busy, lost, or refused by permissions."""


class PluginError(KioskError):
    """A plugin could not be loaded, validated or called; it is quarantined."""


class PolicyError(KioskError):
    """A policy, service or label layout does not load, or gives no answer for this case."""


class TariffError(PolicyError):
    """No price can be told for this invoice at this instant; never guessed."""


class LedgerError(KioskError):
    """An entry does not balance, or names an account that the chart does not know."""


class CheckoutError(KioskError):
    """The checkout table was asked for something that it does not define."""


class JournalError(KioskError):
    """The journal cannot do what was asked."""


class JournalFull(JournalError):
    """No space is left to commit a fact."""


class JournalReadOnly(JournalError):
    """The journal's disk does not take writes."""


class JournalDamaged(JournalError):
    """A page, a row or the chain of the journal is not what was written."""


class JournalLocked(JournalError):
    """Another process owns this journal."""


class ReplicaError(KioskError):
    """The local copy of the reference data is missing, damaged or too new."""


class ImportRowError(KioskError):
    """One row of an import cannot be taken; it goes to the reject file with this reason."""


class ControlError(KioskError):
    """The control socket of a running kiosk refused or did not answer."""


class TextError(KioskError):
    """A translation catalogue is broken or a text is missing its parameters."""


class ReceiptError(KioskError):
    """A receipt cannot be built, read or verified."""


class SimulatorError(KioskError):
    """A scenario line or a simulated device cannot do what was written."""


class DeskError(KioskError):
    """Something that people who work here asked for is refused; `say` is the message id under which a page tells it."""

    def __init__(self, message: str, *, say: str = "", hint: str = "", transient: bool = False) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.say = say


class OperatorError(DeskError):
    """Somebody is not who they say, or may not do this."""


class CountError(DeskError):
    """The count of a cash box cannot go on like this."""


class SyncError(KioskError):
    """Kiosk and hub cannot talk: an address, a key, an enrolment or a connection."""


class WireError(SyncError):
    """Bytes from the network are not a message that may arrive here; `code` is what a NACK answers."""

    def __init__(self, message: str, *, code: str, hint: str = "", transient: bool = False) -> None:
        super().__init__(message, hint=hint, transient=transient)
        self.code = code


class HubError(KioskError):
    """The hub cannot do what was asked."""


class StoreError(HubError):
    """The hub's database is missing, of another version, or does not take what it must."""
