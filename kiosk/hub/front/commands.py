"""Commands on their way to kiosks, and what came of them.

A command waits in the table until its kiosk is connected, goes out signed by the hub, and goes out again until the
kiosk has said ``done`` or ``refused``: its id makes it idempotent, the kiosk journals it once.  ROTATE brings the
kiosk's next transport key, which counts only with the signature of its journal key; the first use of it ends the old.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from kiosk.errors import KioskError
from kiosk.hub.revisions import bump
from kiosk.hub.store.tables import command, kiosk_key
from kiosk.journal.keys import SigningKey, verify
from kiosk.sync.keys import raw_key
from kiosk.sync.messages import Command, Done
from kiosk.sync.receipts import command_message, kiosk_key_message

#: Nanoseconds after which a command without an answer is sent again.
AGAIN_NS = 30_000_000_000


def signed(hub: str, kiosk: str, told: Command, signing: SigningKey) -> Command:
    """Return a command with the hub's signature."""
    return msgspec.structs.replace(told, signature=signing.sign(command_message(hub, kiosk, told)))


def mark_sent(connection: sa.Connection, ids: list[str]) -> None:
    """Note that commands went out, within a transaction of `office`."""
    connection.execute(command.update().where(command.c.id.in_(ids), command.c.state == "waiting").values(state="sent"))


def take_done(connection: sa.Connection, kiosk: str, done: Done, now_ns: int) -> tuple[str, str]:
    """Write what became of a command, within a transaction of `office`; return code and words of a finding, or none."""
    found = connection.execute(sa.select(command).where(command.c.id == done.id, command.c.kiosk == kiosk)).first()
    if found is None:
        return "unknown_command", f"DONE for {done.id!r}, which nobody asked of this kiosk"
    if found.state in ("done", "refused"):
        return "", ""  # told again; a command that was withdrawn while it was under way is done all the same
    state, answer, finding = {"done": "done", "refused": "refused"}.get(done.outcome, "sent"), done.detail, ("", "")
    if found.command == "rotate" and state == "done":
        trouble = _register_next(connection, kiosk, done, now_ns)
        if trouble:
            state, answer, finding = "refused", trouble, ("transport_key_refused", trouble)
    connection.execute(
        command.update().where(command.c.id == done.id).values(state=state, answer=answer, answered_ns=now_ns)
    )
    if state != "sent":
        bump(connection, "commands")
    return finding


def _register_next(connection: sa.Connection, kiosk: str, done: Done, now_ns: int) -> str:
    """Register the key of a ROTATE as the next one; return why not, or ""."""
    of_kiosk = kiosk_key.c.kiosk == kiosk
    current = connection.execute(
        sa.select(kiosk_key)
        .where(of_kiosk, kiosk_key.c.purpose == "journal", kiosk_key.c.state == "current")
        .order_by(kiosk_key.c.epoch.desc())
    ).first()
    if current is None:
        return "the kiosk has no journal key in force"
    try:
        raw_key(done.key)
        good = verify(current.key, kiosk_key_message(kiosk, done.key), done.signature)
    except KioskError as error:
        return error.message
    if not good:
        return "the new key is not signed by the journal's key"
    same = sa.and_(kiosk_key.c.purpose == "transport", kiosk_key.c.key == done.key)
    known = connection.execute(sa.select(kiosk_key).where(same)).first()
    if known is not None:
        return "" if known.kiosk == kiosk and known.state in ("current", "next") else "the new key was used before"
    connection.execute(
        kiosk_key.update()
        .where(of_kiosk, kiosk_key.c.purpose == "transport", kiosk_key.c.state == "next")
        .values(state="retired")
    )
    connection.execute(
        kiosk_key.insert().values(
            purpose="transport", key=done.key, kiosk=kiosk, epoch=current.epoch, state="next", since_ns=now_ns, words=""
        )
    )
    bump(connection, "registry")
    return ""


def promote(connection: sa.Connection, kiosk: str, key: str, now_ns: int) -> None:
    """Make a next key the current one at its first use, and end the old one, within a transaction of `office`."""
    mine = sa.and_(kiosk_key.c.purpose == "transport", kiosk_key.c.kiosk == kiosk)
    moved = connection.execute(
        kiosk_key.update().where(mine, kiosk_key.c.key == key, kiosk_key.c.state == "next").values(state="current")
    )
    if moved.rowcount != 1:
        return  # revoked or promoted in the meantime
    connection.execute(
        kiosk_key.update()
        .where(mine, kiosk_key.c.key != key, kiosk_key.c.state == "current")
        .values(state="retired", since_ns=now_ns)
    )
    bump(connection, "registry")
