"""Facts of what came from a hub: its commands, and what it says who the people and which the rules are."""

from __future__ import annotations

from kiosk.model.body import Body

__all__ = ["HubCommanded", "PackAdopted", "PeopleAdopted"]


class HubCommanded(Body, frozen=True, tag="hub_commanded"):
    """A hub commanded something.  A command that had to wait leaves a second fact when it came to its end."""

    #: The hub's own id of the command; the same id again does nothing and is answered from this fact.
    id: str
    #: ``resend``, ``rotate``, ``close`` or ``shutter``.
    command: str
    #: ``resend``: from EPOCH/SEQ; ``shutter``: ``closed`` or ``open``; ``close``: the business date.
    argument: str
    #: For the citizen: why, and where else to pay; "" for none.
    reason: str
    #: Who asked at the hub: an id of the city's own making, never a name.
    by: str
    hub: str
    #: ``done``, ``waiting`` (for the end of the session in progress) or ``refused``.
    outcome: str
    #: Why it was refused, or what came of it.
    detail: str = ""
    #: The hub's Ed25519 signature over the command, hexadecimal; "" where it gave none.
    signature: str = ""


class PeopleAdopted(Body, frozen=True, tag="people_adopted"):
    """From here on these people work at this kiosk, as a hub says; or a hub's list could not be taken."""

    #: The hub's version of its list; 0: it has none any more, and the kiosk's own list stands.
    version: int
    #: SHA-256 of the list as it came, the first 16 hexadecimal digits.
    digest: str
    people: tuple[str, ...]
    #: Ids under which the kiosk's own configuration said something else, or knew somebody the hub does not.
    conflicts: tuple[str, ...] = ()
    #: Why the list was not taken, "" where it was.
    refused: str = ""


class PackAdopted(Body, frozen=True, tag="pack_adopted"):
    """A hub sent a pack of the city's rules: it stands from the next start on, or it was refused."""

    #: The hub's version of the document.
    version: int
    #: Id and version of the pack, as facts name it; "" where it could not be read.
    pack: str
    #: Digest over all of its files; "" where it could not be read.
    digest: str
    #: Why it was not taken, "" where it was.
    refused: str = ""
