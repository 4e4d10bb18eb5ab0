"""The unit's end of eSSP: the key exchange, the count, sealed commands and replies (SSP sheet §13).

Rules: a block whose count is not ours is passed over without an answer; the reply to count c carries c+1, and c+1 is
expected next; a block under another key puts the unit out of service until Reset (or is passed over, by habit).
"""

from __future__ import annotations

from kiosk.protocols.ssp.codes import Command, Response
from kiosk.protocols.ssp.crypto import (
    COUNT_MASK,
    STEX,
    BlockFault,
    Randomness,
    aes_key,
    intermediate,
    is_prime,
    open_block,
    seal,
)
from kiosk.protocols.ssp.units import SspUnit

_SECRET_BITS = 31


class Session:
    """Owns the key and the count of one unit."""

    def __init__(self, unit: SspUnit, randomness: Randomness) -> None:
        self._unit, self._randomness = unit, randomness
        #: Fixed half of the key; kept over power cuts.
        self.fixed = unit.fixed_key
        self.end()

    def end(self) -> None:
        """Forget the session (power-off, Reset)."""
        self.key: bytes | None = None
        #: Count of the last block of either side; 0 behind an exchange.
        self.count = 0
        #: A block of another key came: nothing is answered until Reset.
        self.dead = False
        self._generator = self._modulus = 0

    def exchange(self, command: Command, data: bytes) -> bytes:
        """Answer one step of a key exchange."""
        number = int.from_bytes(data, "little")
        if command is Command.REQUEST_KEY_EXCHANGE:
            if not self._generator or not self._modulus:
                return bytes((Response.FAIL,))
            secret = self._randomness.number(_SECRET_BITS)
            self.key = aes_key(self.fixed, pow(number, secret, self._modulus))
            self.count = 0
            told = intermediate(self._generator, secret, self._modulus)
            return bytes((Response.OK,)) + told.to_bytes(8, "little")
        if not is_prime(number):
            return bytes((Response.PARAMETER_OUT_OF_RANGE,))
        if command is Command.SET_GENERATOR:
            self._generator = number
        else:
            self._modulus = number
        return bytes((Response.OK,))

    def unseal(self, data: bytes) -> bytes | None:
        """Return the command in a sealed frame, or None where it must not be answered."""
        if self.key is None or data[:1] != bytes((STEX,)):
            return None
        opened = open_block(self.key, data)
        if isinstance(opened, BlockFault):
            self.dead = self._unit.wrong_key == "dead"
            return None
        return opened.data if opened.count == self.count else None

    def seal(self, reply: bytes) -> bytes:
        """Return the data of a sealed reply, one count further on."""
        if self.key is None:
            return reply
        self.count = (self.count + 1) & COUNT_MASK
        return seal(self.key, self.count, reply, self._randomness.take)
