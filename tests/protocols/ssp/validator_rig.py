"""A simulated SSP validator under a host of a few lines and a clock that moves only when told."""

from __future__ import annotations

from kiosk.protocols.ssp.crypto import KeyExchange, Opened, open_block, seal
from kiosk.protocols.ssp.device import SspDevice
from kiosk.protocols.ssp.frames import Decoder, Frame, encode
from kiosk.protocols.ssp.payloads import read_events
from kiosk.protocols.ssp.units import EUR_UNIT, SspUnit

MS = 1_000_000
OK = b"\xf0"
#: Commands by the names of the sheet.
RESET, INHIBITS, SETUP, VERSION, POLL, REJECT, DISABLE, ENABLE = 0x01, 0x02, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A
SYNC, LAST_REJECT, HOLD, POLL_WITH_ACK, EVENT_ACK, COUNTERS = 0x11, 0x17, 0x18, 0x56, 0x57, 0x58
GENERATOR, MODULUS, EXCHANGE = 0x4A, 0x4B, 0x4C


class Rig:
    """A host that asks; time passes only when told.  With a key it seals what it says."""

    def __init__(self, unit: SspUnit = EUR_UNIT) -> None:
        self.device = SspDevice(unit)
        self.now = 0
        self.flag = 1
        self.version = unit.default_version
        self.key: bytes | None = None
        self.count = 0
        self.poll_code = POLL
        #: The last answer as it was on the wire.
        self.raw = b""
        self._decoder = Decoder()

    def send(self, raw: bytes) -> bytes:
        """Put bytes on the line and return the data of the one answer, b"" for silence."""
        self.device.received(raw, self.now)
        out = self.device.take_outbound()
        assert len(out) <= 1, "a unit answers once"
        self.raw = out[0] if out else b""
        found = self._decoder.feed(self.raw)
        return found[0].data if found and isinstance(found[0], Frame) else b""

    def ask(self, code: int, data: bytes = b"") -> bytes:
        """Ask in clear, with the flag of a new command."""
        if code == SYNC:
            self.flag = 1
        else:
            self.flag ^= 1
        return self.send(encode(self.device.unit.address, self.flag, bytes((code,)) + data))

    def again(self, code: int, data: bytes = b"") -> bytes:
        """Ask in clear, with the flag of the last command."""
        return self.send(encode(self.device.unit.address, self.flag, bytes((code,)) + data))

    def say(self, code: int, data: bytes = b"") -> bytes:
        """Ask sealed where there is a key, else in clear."""
        if self.key is None:
            return self.ask(code, data)
        self.flag ^= 1
        answer = self.send(encode(0, self.flag, seal(self.key, self.count, bytes((code,)) + data, bytes)))
        return self.opened(answer)

    def opened(self, answer: bytes) -> bytes:
        assert self.key is not None
        opened = open_block(self.key, answer)
        assert isinstance(opened, Opened), answer.hex()
        assert opened.count == self.count + 1
        self.count = opened.count
        return opened.data

    def exchange(self, *, generator: int = 982451653, modulus: int = 1287821, secret: int = 4711) -> None:
        """Agree on a key; nothing tells which of the two primes is the greater."""
        keys = KeyExchange(generator, modulus, secret)
        assert self.ask(GENERATOR, generator.to_bytes(8, "little")) == OK
        assert self.ask(MODULUS, modulus.to_bytes(8, "little")) == OK
        answer = self.ask(EXCHANGE, keys.host_intermediate.to_bytes(8, "little"))
        assert answer[:1] == OK
        self.key = keys.key(int.from_bytes(answer[1:], "little"), self.device.unit.fixed_key)
        self.count = 0

    def events(self, answer: bytes | None = None) -> list[str]:
        """Poll and return the events, each in hexadecimal."""
        data = self.say(self.poll_code) if answer is None else answer
        assert data[:1] == OK, data.hex()
        reading = read_events(data[1:], self.version)
        assert not reading.problem, data.hex()
        return [event.raw for event in reading.events]

    def wait(self, ms: int) -> None:
        self.now += ms * MS
        self.device.tick(self.now)

    def until(self, event: str, limit_ms: int = 20_000) -> list[str]:
        """Poll every 200 ms until an event stands in the answer; return all that came on the way."""
        seen: list[str] = []
        for _ in range(limit_ms // 200):
            fresh = self.events()
            seen += fresh
            if event in fresh:
                return seen
            self.wait(200)
        raise AssertionError(f"{event} never came, but {seen}")

    def ready(self, version: int | None = None) -> Rig:
        """Bring the unit to where it takes every note."""
        assert self.ask(SYNC) == OK
        if version is not None:
            assert self.ask(VERSION, bytes((version,))) == OK
            self.version = version
        self.wait(3_000)
        self.events(self.ask(POLL))
        assert self.ask(INHIBITS, b"\x7f\x00") == OK
        assert self.ask(ENABLE) == OK
        assert self.events(self.ask(POLL)) == []
        return self

    def escrow(self, minor: int = 2000) -> None:
        """Bring a note into escrow, shown once."""
        assert self.device.insert(minor)
        self.until(f"ef{self.device.unit.channel_of(minor):02x}")

    def restart(self) -> None:
        """Cut the power and give it back; the unit has booted."""
        self.device.cut_power()
        self.wait(2_000)
        self.device.restore_power()
        self.wait(600)
        self.version = self.device.unit.default_version
        self.key = None
        assert self.ask(SYNC) == OK
