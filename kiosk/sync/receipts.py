"""What a hub signs, byte for byte: marks that it acknowledged, commands, its next key.

Each begins with a domain of its own, so that no signature can be taken for another; numbers are eight bytes,
big-endian, texts are followed by a zero byte.
"""

from __future__ import annotations

from kiosk.sync.messages import Command, Mark


def _texts(*parts: str) -> bytes:
    return b"".join(part.encode() + b"\0" for part in parts)


def receipt_message(hub: str, kiosk: str, mark: Mark) -> bytes:
    """Return the bytes by which a hub vouches that a journal up to a mark is durable with it."""
    place = mark.epoch.to_bytes(8, "big") + mark.seq.to_bytes(8, "big") + mark.hash
    return b"kiosk-hub-receipt-v1\0" + _texts(hub, kiosk) + place


def command_message(hub: str, kiosk: str, command: Command) -> bytes:
    """Return the bytes by which a hub vouches for a command to one kiosk."""
    return b"kiosk-hub-command-v1\0" + _texts(
        hub, kiosk, command.id, command.command, command.argument, command.reason, command.by
    )


def next_key_message(hub: str, key: str, endpoint: str) -> bytes:
    """Return the bytes by which a hub announces the key that it will answer with."""
    return b"kiosk-hub-next-key-v1\0" + _texts(hub, key, endpoint)


def kiosk_key_message(kiosk: str, key: str) -> bytes:
    """Return the bytes by which a kiosk's journal key vouches for its next transport key."""
    return b"kiosk-transport-key-v1\0" + _texts(kiosk, key)
