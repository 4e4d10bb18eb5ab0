"""The hub's side of enrolment: who asks, may they, and what they are told.

`judge` looks at one ENROL with what is in memory alone, so ten thousand wrong ones cost no database; only whoever knows
the code of a kiosk comes to `take_in`, which runs in one transaction.  Every refusal reads the same: an answer never
tells whether a kiosk has a code, or which letter was wrong.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from kiosk.errors import JournalError
from kiosk.hub.front.registry import Entry, Registry
from kiosk.hub.front.server_keys import announced_endpoint, transport_keys
from kiosk.hub.revisions import bump
from kiosk.hub.settings import HubConfig
from kiosk.hub.store.tables import code, kiosk, kiosk_key
from kiosk.journal.keys import SigningKey, verify
from kiosk.sync.enrolment import CODE_BYTES, enrol_message, proves
from kiosk.sync.messages import Enrol, Enrolment
from kiosk.sync.words import words_of

REFUSED = Enrolment("refused", "", detail="the code is not one for this kiosk, or it was used, or its day is over")
LATER = Enrolment("later", "")
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}")
_NOBODY = bytes(CODE_BYTES)


def judge(registry: Registry, hub_key: str, request: Enrol, key: str, now_ns: int) -> str:
    """Return ``known`` (enrolled or pending with this key), ``proven`` (knows an open code), or why it is refused."""
    if request.transport_key != key:
        return "the key in the message is not the connection's"
    found: Entry | None = registry.keys.get(key)
    if found is not None and (found.kiosk != request.kiosk or found.standing == "revoked"):
        return "the key is another kiosk's, or it was revoked"
    open_code = registry.codes.get(request.kiosk)
    secret = open_code.secret if open_code is not None else _NOBODY
    # Worked out in every case, so that the time tells nothing.
    proven = proves(secret, enrol_message(hub_key, request), request.proof)
    if proven and open_code is not None and now_ns < open_code.expires_ns:
        return "proven"
    if found is not None:
        return "known"
    if proven and open_code is not None:
        return "the code's day is over"
    return "no open code of this kiosk proves it"


def take_in(
    connection: sa.Connection, config: HubConfig, signing: SigningKey, request: Enrol, hub_key: str, now_ns: int
) -> tuple[Enrolment, str]:
    """Answer a request that `judge` let pass, within a transaction of `office`; also why, where it is refused."""
    owner = connection.execute(sa.select(kiosk).where(kiosk.c.id == request.kiosk)).first()
    if owner is None or owner.state == "revoked" or owner.realm != request.realm:
        return REFUSED, f"kiosk {request.kiosk} is not awaited in realm {request.realm}"
    message = enrol_message(hub_key, request)
    if not _HEXADECIMAL.fullmatch(request.journal_key):
        return REFUSED, "the journal's key is not written as one"  # one key has one text, or it could come in twice
    try:
        signed = verify(request.journal_key, message, request.signature)
    except JournalError:
        signed = False
    if not signed:
        return REFUSED, "the signature is not the journal key's"
    keys = {
        (row.purpose, row.key): row
        for row in connection.execute(
            sa.select(kiosk_key).where(kiosk_key.c.key.in_((request.transport_key, request.journal_key)))
        )
    }
    transport, journal = keys.get(("transport", request.transport_key)), keys.get(("journal", request.journal_key))
    for found in (transport, journal):
        if found is not None and (found.kiosk != request.kiosk or found.state in ("retired", "revoked")):
            return REFUSED, "a key is another kiosk's, or its time is over"
    if transport is None or journal is None:
        if not _use_code(connection, request, message, now_ns):
            return REFUSED, "the code was used in the meantime"
        words = words_of(request.kiosk, request.transport_key, request.journal_key)
        for purpose, key, found in (
            ("transport", request.transport_key, transport), ("journal", request.journal_key, journal),
        ):  # fmt: skip
            if found is None:
                connection.execute(
                    kiosk_key.insert().values(
                        purpose=purpose, key=key, kiosk=request.kiosk, epoch=request.epoch, state="pending",
                        since_ns=now_ns, words=words,
                    )
                )  # fmt: skip
        bump(connection, "registry")
        return Enrolment("pending", words), ""
    if owner.state != "approved" or "pending" in (transport.state, journal.state):
        return Enrolment("pending", (journal if journal.state == "pending" else transport).words), ""
    return _approval(connection, config, signing, transport.words), ""


def _use_code(connection: sa.Connection, request: Enrol, message: bytes, now_ns: int) -> bool:
    """Use up the code that proves a request; False where it was used or withdrawn since it was judged."""
    open_codes = connection.execute(
        sa.select(code).where(code.c.kiosk == request.kiosk, code.c.used_ns == 0, code.c.expires_ns > now_ns)
    ).all()
    for each in open_codes:
        if proves(bytes.fromhex(each.secret), message, request.proof):
            used = code.update().where(code.c.id == each.id, code.c.used_ns == 0).values(used_ns=now_ns, secret="")
            return connection.execute(used).rowcount == 1
    return False


def _approval(connection: sa.Connection, config: HubConfig, signing: SigningKey, words: str) -> Enrolment:
    ours = transport_keys(connection)
    return Enrolment(
        "approved", words, hub=config.hub.id, server_key=ours[0].key,
        next_key=ours[1].key if len(ours) > 1 else "", signing_key=signing.public_hex,
        endpoints=tuple(announced_endpoint(config.listen, key) for key in ours),
    )  # fmt: skip
