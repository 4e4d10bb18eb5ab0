"""`make fuzz`: millions of mutated frames into every decoder, every explainer and both roles of every protocol.

    python -m bench.fuzz [--inputs N] [--seed N] [--jobs N] [--protocol NAME]

A *difference* is an exception, a buffer beyond its bound, an answer without end, or a decoder that does not find a good
frame after rubbish and silence.  The last line is one JSON object with inputs by target, seeds and differences.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bench.fuzz_bytes import Mutator, vectors
from bench.note_rigs import RIGS, Rig
from kiosk.api import DriverTools, Opened, PortRequest, Reply, Sent, Write
from kiosk.protocols.explained import Keys, explain

#: Cash protocols, in the order of their rows.
PROTOCOLS = tuple(dict.fromkeys(rig.protocol for rig in RIGS))
#: Bytes that a decoder or a role may hold of what it does not understand.
MOST_HELD = 4096
#: Bytes that one piece of input may make a role write.
MOST_WRITTEN = 64 * 1024
#: A role lives this many inputs; then a fresh one is made.
LIFE = 1000
#: Share of each target in a campaign.
SHARES = {"decoder": 0.66, "explain": 0.14, "driver": 0.1, "device": 0.1}
MS = 1_000_000


def _decoders(protocol: str) -> list[Callable[[], Any]]:
    frames = import_module(f"kiosk.protocols.{protocol}.frames")
    if protocol != "cctalk":
        return [frames.Decoder]
    framings = (frames.Framing(), frames.Framing("crc"), frames.Framing(key="123456"))
    return [lambda framing=framing: frames.Decoder(framing) for framing in framings]


def _held(thing: Any) -> int:
    """Return how many bytes a decoder holds."""
    return max((len(value) for value in vars(thing).values() if hasattr(value, "__len__")), default=0)


class Campaign:
    """One protocol, one seed: owns its counts and what went wrong."""

    def __init__(self, protocol: str, seed: int) -> None:
        self.protocol, self.seed = protocol, seed
        self.counts: Counter[str] = Counter()
        self.differences: list[str] = []
        self.largest = 0
        self.mutator = Mutator(protocol, seed)

    def wrong(self, what: str, data: bytes) -> None:
        """Keep a difference with the input that made it."""
        if len(self.differences) < 20:
            self.differences.append(f"{self.protocol}, seed {self.seed}: {what}: {data[:80].hex()}")

    def decoder(self, inputs: int) -> None:
        """Feed decoders; after silence a good frame must be found."""
        makers = _decoders(self.protocol)
        good = [raw for raw in vectors(self.protocol)["host"] if self._finds(makers[0](), raw)]
        for number in range(inputs):
            if number % LIFE == 0:
                decoder = makers[number // LIFE % len(makers)]()
                plain = number // LIFE % len(makers) == 0
            data = self.mutator.next("host" if number & 1 else "device")
            try:
                decoder.feed(data)
                self.largest = max(self.largest, _held(decoder))
                if number % 50 == 0 and plain:
                    decoder.abandon()
                    raw = good[number // 50 % len(good)]
                    if not self._finds(decoder, raw):
                        self.wrong("a good frame after silence is not found", raw)
            except Exception as error:  # noqa: BLE001  whatever it raises is the finding
                self.wrong(f"decoder: {type(error).__name__}: {error}", data)
                decoder = makers[0]()
            self.counts["decoder"] += 1

    @staticmethod
    def _finds(decoder: Any, raw: bytes) -> bool:
        return any(getattr(item, "raw", b"") == raw for item in decoder.feed(raw) if not hasattr(item, "count"))

    def explain(self, inputs: int) -> None:
        """Explain mutants of both ends."""
        keys = (Keys(), Keys(checksum="crc", cctalk="123456", essp=bytes(range(16))), Keys(checksum="crc"))
        for number in range(inputs):
            sender = "host" if number & 1 else "device"
            data = self.mutator.next(sender)
            try:
                told = explain(self.protocol, data, sender, keys[number % 3])  # type: ignore[arg-type]
                if told.valid == bool(told.error):
                    self.wrong("valid and error contradict each other", data)
            except Exception as error:  # noqa: BLE001
                self.wrong(f"explain: {type(error).__name__}: {error}", data)
            self.counts["explain"] += 1

    def driver(self, inputs: int) -> None:
        """Let every driver of the protocol hear mutants of what a unit says."""
        rigs = [rig for rig in RIGS if rig.protocol == self.protocol]
        for at in range(0, inputs, LIFE):
            self._driver(rigs[at // LIFE % len(rigs)], min(LIFE, inputs - at))

    def _driver(self, rig: Rig, inputs: int) -> None:
        driver = rig.spec.build(rig.settled(), DriverTools(currency="USD"))
        driver.remember({}, None, bytes(range(32)))
        now = 10**12
        data = b""
        try:
            driver.port(Opened({}), now)
            for _ in range(inputs):
                now += 17 * MS
                data = self.mutator.next("device")
                driver.received(data, now)
                due = driver.deadline()
                if due is not None and due <= now:
                    driver.tick(now)
                written = 0
                for _turn in range(200):
                    outbound = driver.take_outbound()
                    if not outbound:
                        break
                    for item in outbound:
                        if isinstance(item, Write):
                            written += len(item.data)
                            driver.port(Sent(len(item.data)), now)
                        elif isinstance(item, PortRequest):
                            driver.port(Reply(item.id, False), now)
                else:
                    self.wrong(f"driver {rig.name} writes without end", data)
                if written > MOST_WRITTEN:
                    self.wrong(f"driver {rig.name} writes {written} bytes", data)
                driver.take_events()
                self.counts["driver"] += 1
        except Exception as error:  # noqa: BLE001
            self.wrong(f"driver {rig.name}: {type(error).__name__}: {error}", data)

    def device(self, inputs: int) -> None:
        """Let every simulated unit of the protocol hear mutants of what a host says."""
        rigs = [rig for rig in RIGS if rig.protocol == self.protocol]
        for at in range(0, inputs, LIFE):
            self._device(rigs[at // LIFE % len(rigs)], min(LIFE, inputs - at))

    def _device(self, rig: Rig, inputs: int) -> None:
        unit, now, data = rig.make(), 10**12, b""
        try:
            for number in range(inputs):
                now += 17 * MS
                unit.tick(now)
                if number % 40 == 0:
                    unit.insert(unit.values[number // 40 % len(unit.values)], force=True)
                data = self.mutator.next("host")
                unit.received(data, now)
                if sum(len(piece) for piece in unit.take_outbound()) > MOST_WRITTEN:
                    self.wrong(f"unit {rig.name} answers without end", data)
                self.counts["device"] += 1
        except Exception as error:  # noqa: BLE001
            self.wrong(f"unit {rig.name}: {type(error).__name__}: {error}", data)


def play(task: tuple[str, int, int]) -> dict[str, Any]:
    """Play one protocol with one seed."""
    protocol, seed, inputs = task
    campaign = Campaign(protocol, seed)
    for target, share in SHARES.items():
        getattr(campaign, target)(int(inputs * share))
    if campaign.largest > MOST_HELD:
        campaign.differences.append(f"{protocol}: a decoder held {campaign.largest} bytes")
    return {
        "protocol": protocol, "seed": seed, "counts": dict(campaign.counts), "largest": campaign.largest,
        "differences": campaign.differences,
    }  # fmt: skip


def main() -> None:
    """Play the campaign and print its JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--protocol", choices=PROTOCOLS)
    asked = parser.parse_args()
    protocols = [asked.protocol] if asked.protocol else list(PROTOCOLS)
    rounds = max(1, -(-asked.inputs // (200_000 * len(protocols))))
    share = -(-asked.inputs // (rounds * len(protocols)))
    tasks = [(name, asked.seed + turn, share) for turn in range(rounds) for name in protocols]
    begin = time.monotonic()
    counts: dict[str, Counter[str]] = {name: Counter() for name in protocols}
    differences: list[str] = []
    largest = 0
    with multiprocessing.Pool(asked.jobs) as pool:
        for done, told in enumerate(pool.imap_unordered(play, tasks), 1):
            counts[told["protocol"]].update(told["counts"])
            differences += told["differences"]
            largest = max(largest, told["largest"])
            print(
                f"{done}/{len(tasks)} {told['protocol']} seed {told['seed']}: {len(differences)} differences",
                flush=True,
            )
    total = sum(sum(each.values()) for each in counts.values())
    print(json.dumps({
        "campaign": "fuzz", "runs": len(tasks), "inputs": total, "differences": len(differences),
        "differing": differences[:20], "by_protocol": {name: dict(each) for name, each in counts.items()},
        "seeds": [asked.seed, asked.seed + rounds - 1], "largest_held": largest,
        "seconds": round(time.monotonic() - begin, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
