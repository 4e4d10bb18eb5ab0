"""eSSP: the key exchange, and blocks under AES-128 in ECB (SSP sheet §13).

Theory of operation.  Host and unit agree on K by an exchange after Diffie and Hellman with small primes; the AES key is
eight fixed bytes that the unit was given beforehand, followed by K.  A block carries its own length, a counter, the
command or reply, padding and a CRC.  The counter is 0 on both sides after an exchange; a command carries the count that
both know and its reply that count plus one.  Who keeps the count is the role's affair: here is arithmetic only.

The exchange needs random numbers and this room has none, so they are drawn from a seed by `Randomness`: a SHA-256
counter generator, good as long as the seed is fresh for each start and secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from kiosk.errors import FrameError
from kiosk.protocols.framing import crc16_cms

#: First data byte of an encrypted frame.
STEX = 0x7E
#: The fixed half that units leave the factory with.
FACTORY_FIXED_KEY = 0x0123456701234567
BLOCK = 16
#: eLENGTH, eCOUNT and eCRC.
OVERHEAD = 7
#: A frame holds 255 bytes, so 15 cipher blocks at most.
MAX_INNER = 15 * BLOCK - OVERHEAD
COUNT_MASK = 0xFFFF_FFFF

#: Witnesses that decide every number below 2^64 (Miller and Rabin).
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


class Opened(msgspec.Struct, frozen=True):
    """What a block held."""

    count: int
    data: bytes


class BlockFault(msgspec.Struct, frozen=True):
    """Why a block stayed closed: ``length`` (not whole cipher blocks), ``checksum`` (another key), ``inner_length``."""

    kind: str


class Randomness:
    """Draws bytes from a seed: SHA-256 over the seed and a counter."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def take(self, count: int) -> bytes:
        """Return `count` bytes that were never returned before."""
        out = b""
        while len(out) < count:
            out += hashlib.sha256(b"essp" + self._counter.to_bytes(8, "big") + self._seed).digest()
            self._counter += 1
        return out[:count]

    def number(self, bits: int) -> int:
        """Return a number of exactly `bits` bits: its highest bit is set."""
        drawn = int.from_bytes(self.take((bits + 7) // 8), "big") & ((1 << bits) - 1)
        return drawn | 1 << (bits - 1)

    def prime(self, bits: int) -> int:
        """Return a prime of exactly `bits` bits."""
        while True:
            candidate = self.number(bits) | 1
            if is_prime(candidate):
                return candidate


def is_prime(number: int) -> bool:
    """Tell whether a number below 2^64 is prime.

    >>> is_prime(1287821), is_prime(982451653), is_prime(1287823)
    (True, True, False)
    """
    if number < 2:
        return False
    for small in _WITNESSES:
        if number % small == 0:
            return number == small
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for witness in _WITNESSES:
        power = pow(witness, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def intermediate(generator: int, secret: int, modulus: int) -> int:
    """Return what one side tells the other: G ^ secret mod M."""
    return pow(generator, secret, modulus)


class KeyExchange(msgspec.Struct, frozen=True):
    """The host's half of one exchange.  Its secret is used once."""

    generator: int
    modulus: int
    secret: int

    @property
    def host_intermediate(self) -> int:
        """What command 4C carries."""
        return intermediate(self.generator, self.secret, self.modulus)

    def key(self, slave_intermediate: int, fixed: int = FACTORY_FIXED_KEY) -> bytes:
        """Return the AES key once the unit answered 4C."""
        return aes_key(fixed, pow(slave_intermediate, self.secret, self.modulus))


def draw_exchange(randomness: Randomness) -> KeyExchange:
    """Draw primes of 32 and 31 bits, so that the generator is above the modulus, and a secret below 2^31 (§13)."""
    return KeyExchange(randomness.prime(32), randomness.prime(31), randomness.number(31))


def aes_key(fixed: int, negotiated: int) -> bytes:
    """Return the 16 bytes of the AES key: the fixed half, then K, both low byte first.

    >>> aes_key(FACTORY_FIXED_KEY, 1019053744).hex(" ")
    '67 45 23 01 67 45 23 01 b0 86 bd 3c 00 00 00 00'
    """
    return fixed.to_bytes(8, "little") + negotiated.to_bytes(8, "little")


def seal(key: bytes, count: int, data: bytes, padding: Callable[[int], bytes]) -> bytes:
    """Return the data of an encrypted frame, 7E first; `padding` is asked for as many random bytes as are missing.

    Raises:
        FrameError: the data does not fit a frame.
    """
    if not 1 <= len(data) <= MAX_INNER:
        raise FrameError(
            f"an encrypted block cannot hold {len(data)} bytes", hint=f"between 1 and {MAX_INNER} bytes fit"
        )
    missing = -(OVERHEAD + len(data)) % BLOCK
    plain = bytes((len(data),)) + (count & COUNT_MASK).to_bytes(4, "little") + data
    plain += padding(missing) if missing else b""
    plain += crc16_cms(plain).to_bytes(2, "little")
    encryptor = Cipher(AES(key), ECB()).encryptor()  # the wire prescribes ECB; the counter makes blocks differ
    return bytes((STEX,)) + encryptor.update(plain) + encryptor.finalize()


def decrypt(key: bytes, data: bytes) -> bytes | None:
    """Return the plain block behind the 7E, or None where it is not whole cipher blocks."""
    body = data[1:]
    if data[:1] != bytes((STEX,)) or not body or len(body) % BLOCK:
        return None
    decryptor = Cipher(AES(key), ECB()).decryptor()
    return decryptor.update(body) + decryptor.finalize()


def open_block(key: bytes, data: bytes) -> Opened | BlockFault:
    """Open the data of an encrypted frame; the caller compares the count."""
    plain = decrypt(key, data)
    if plain is None:
        return BlockFault("length")
    if crc16_cms(plain[:-2]) != int.from_bytes(plain[-2:], "little"):
        return BlockFault("checksum")
    length = plain[0]
    if not 1 <= length <= len(plain) - OVERHEAD:
        return BlockFault("inner_length")
    return Opened(int.from_bytes(plain[1:5], "little"), plain[5 : 5 + length])
