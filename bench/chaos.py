"""``make chaos``: kiosks and a hub under kills, bad lines, old backups and copied cards; every fact is accounted for.

Each run is drawn from a seed (`chaos_plan`): real processes of hub and kiosk-sync, real journals, a line of its own for
each kiosk (`chaos_line`).  Things happen for some seconds; then everything is mended and must come to rest by itself.
What the hub holds is read from its files without its code (`chaos_check`) and held against every card of every kiosk:
the same facts, each once, or a finding that names the place; the same money in its ledger; and `hub verify` finds no
fault of its own.  The last line is one JSON object: ``runs``, ``differences`` (unexplained ones), seeds of those.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from bench.chaos_check import Finding, Verdict, accepted_of, compare, findings_of
from bench.chaos_plan import ACTION_S, Event, Plan, draw
from bench.chaos_world import ChaosKiosk, enrol
from bench.hub_at_hand import HubAtHand

#: Kiosks of the template, which a run takes as many from as it needs.
KIOSKS = ("K01", "K02", "K03")
#: Seconds after which a world that has not come to rest is a difference.
REST_S = 90.0
#: Seconds that a copied card lives longer: it has to come up first.
CLONE_S = 5.0
#: Account of the notes in the boxes in the chart that ships with the software.
CASH_IN_BOX = "A200"


class Outcome(msgspec.Struct, frozen=True):
    """What one run came to."""

    seed: int
    facts: int
    at_hub: int
    minor: int
    kills: int
    #: Differences that a finding names, and everything that nothing explains.
    explained: list[str]
    unexplained: list[str]
    findings: dict[str, int]
    rest_s: float


class World:
    """One run: its hub, its kiosks, and what it did to them."""

    def __init__(self, plan: Plan, template: Path, room: Path) -> None:
        self.plan = plan
        shutil.copytree(template / "hub", room / "hub", ignore=shutil.ignore_patterns("run", "log"))
        self.hub = HubAtHand(room / "hub")
        fingerprint = json.loads((template / "hub-keys.json").read_text())["fingerprint"]
        self.kiosks = []
        for at in range(plan.kiosks):
            shutil.copytree(template / KIOSKS[at], room / KIOSKS[at], ignore=shutil.ignore_patterns("run", "*.log"))
            self.kiosks.append(
                ChaosKiosk(room / KIOSKS[at], KIOSKS[at], self.hub, fingerprint, seed=plan.seed,
                           pause_ms=plan.pauses_ms[at])
            )  # fmt: skip
        self.clones: list[ChaosKiosk] = []
        self.kills = 0
        self._fingerprint, self._room = fingerprint, room
        self._restored = False

    def live(self) -> None:
        """Let everything happen that the plan says."""
        for kiosk, backlog in zip(self.kiosks, self.plan.backlogs, strict=True):
            kiosk.start_counter()
            end = time.monotonic() + 20
            while backlog and len(kiosk.rows()) < backlog and time.monotonic() < end:
                time.sleep(0.05)
        self.hub.start()
        for kiosk in self.kiosks:
            kiosk.start_sync()
        begun = time.monotonic()
        due: list[tuple[float, Any]] = []
        events = list(self.plan.events)
        while events or due or time.monotonic() < begun + ACTION_S + (CLONE_S if self.clones else 0):
            now = time.monotonic() - begun
            for when, what in [each for each in due if each[0] <= now]:
                due.remove((when, what))
                what()
            while events and events[0].at_s <= now:
                event = events.pop(0)
                after = self._happen(event)
                if after is not None:
                    due.append((now + event.lasts_s, after))
            for kiosk in (*self.kiosks, *self.clones):
                kiosk.keep_running()
            time.sleep(0.02)

    def _happen(self, event: Event) -> Any:
        """Do one thing; return how it ends where it lasts."""
        kiosk = self.kiosks[event.kiosk] if event.kiosk >= 0 else None
        match event.kind:
            case "cut" | "stall" if kiosk:
                getattr(kiosk.line, event.kind)()
                return kiosk.line.mend
            case "hold" if kiosk:
                kiosk.line.hold()
                return kiosk.line.release
            case "delay" if kiosk:
                kiosk.line.delay(120)
                return kiosk.line.mend
            case "kill_sync" if kiosk:
                kiosk.kill_sync()
                kiosk.start_sync()
            case "kill_counter" if kiosk:
                kiosk.kill_counter()
                kiosk.start_counter()
            case "kill_part":
                self.hub.kill(event.part)
            case "kill_hub":
                self.hub.kill()
                self.hub.start()
            case "hub_backup":
                self.hub.ask("backup", str(self._room / "hub-backup"))
            case "hub_restore":
                self._restore_hub()
            case "kiosk_backup" if kiosk:
                kiosk.back_up()
            case "kiosk_restore" if kiosk:
                kiosk.restore()
            case "card_copied" if kiosk:
                kiosk.copy_card()
            case "card_put_back" if kiosk:
                kiosk.put_card_back()
            case "clone_wakes" if kiosk:
                self._wake_clone(kiosk)
        self.kills += event.kind.startswith("kill")
        return None

    def _restore_hub(self) -> None:
        self.hub.kill()
        for name in ("segments", "office", "books"):
            for each in self.hub.state.glob(f"{name}.db*"):
                each.unlink()
        self.hub.ask("restore", str(self._room / "hub-backup"))
        self._restored = True
        self.hub.start()

    def _wake_clone(self, kiosk: ChaosKiosk) -> None:
        directory = self._room / f"{kiosk.id}-clone"
        shutil.copytree(kiosk.directory / "copied-card", directory / "state")
        clone = ChaosKiosk(directory, kiosk.id, self.hub, self._fingerprint, seed=self.plan.seed + 1, pause_ms=20)
        self.clones.append(clone)
        clone.start_counter()
        clone.start_sync()

    def rest(self) -> float:
        """Mend everything, let the counters end, and wait until nothing moves; return the seconds that took."""
        for kiosk in (*self.kiosks, *self.clones):
            kiosk.line.mend()
            kiosk.end_counter()
        for (
            clone
        ) in self.clones:  # the copied card is found and destroyed; the kiosk that it fenced off is started anew
            clone.kill_sync()
            for kiosk in self.kiosks:
                if kiosk.id == clone.id:
                    kiosk.kill_sync()
                    kiosk.start_sync()
        for kiosk in self.kiosks:
            kiosk.keep_running()
        begun = time.monotonic()
        last, since = "", begun
        while time.monotonic() < begun + REST_S:
            for kiosk in self.kiosks:
                kiosk.keep_running()
            told = self._standing()
            if told != last:
                last, since = told, time.monotonic()
            if all(self._level(kiosk) for kiosk in self.kiosks) and self._posted():
                return time.monotonic() - begun
            if self.plan.kinds & {"card_put_back", "clone_wakes"} and time.monotonic() - since > 12:
                return time.monotonic() - begun  # a fork stays one: at rest is when nothing moves any more
            time.sleep(0.1)
        return time.monotonic() - begun

    def _ask(self, database: str, question: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self.hub.state / database}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()

    def _standing(self) -> str:
        return repr((self._ask("segments.db", "SELECT kiosk, epoch, seq FROM mark ORDER BY 1, 2"),
                     self._ask("books.db", "SELECT worker, number FROM cursor ORDER BY 1")))  # fmt: skip

    def _level(self, kiosk: ChaosKiosk) -> bool:
        """Whether the hub's marks are the ends of the kiosk's epochs."""
        ends: dict[int, int] = {}
        for epoch, seq in kiosk.rows():
            ends[epoch] = max(seq, ends.get(epoch, 0))
        found = dict(self._ask("segments.db", f"SELECT epoch, seq FROM mark WHERE kiosk = '{kiosk.id}'"))
        newest = max(ends)
        return bool(found.get(newest) == ends[newest])

    def _posted(self) -> bool:
        ends = dict(self._ask("segments.db", "SELECT worker, max(number) FROM segment GROUP BY worker"))
        return dict(self._ask("books.db", "SELECT worker, number FROM cursor")) == ends

    def outcome(self, rest_s: float) -> Outcome:
        """Hold the hub against the cards."""
        verified = self.hub.ask("verify", check=False)
        for kiosk in (*self.kiosks, *self.clones):
            kiosk.stop()
        self.hub.stop()
        state = self.hub.state
        accepted, unexplained = accepted_of(state / "segments.db")
        findings = findings_of(
            (state / "segments.db", "ingest_finding"), (state / "office.db", "peer_finding"),
            (state / "books.db", "finding"),
        )  # fmt: skip
        verdicts: list[Verdict] = []
        for kiosk in self.kiosks:
            others = [*kiosk.other_cards, *(clone.rows() for clone in self.clones if clone.id == kiosk.id)]
            verdicts.append(compare(kiosk.id, kiosk.rows(), others, accepted.get(kiosk.id, {}), findings))
            unexplained += self._money(kiosk.id, verdicts[-1])
        if rest_s >= REST_S:
            unexplained.append(f"it did not come to rest: {self._standing()[:300]} {self.kiosks[0].log()[-200:]}")
        unexplained += [each for verdict in verdicts for each in verdict.unexplained]
        unexplained += self._faults_of_verify(verified, findings)
        codes: dict[str, int] = {}
        for finding in findings:
            codes[finding.code] = codes.get(finding.code, 0) + 1
        return Outcome(
            self.plan.seed, sum(each.journalled for each in verdicts), sum(each.accepted for each in verdicts),
            sum(each.hub_minor for each in verdicts), self.kills,
            [each for verdict in verdicts for each in verdict.explained],
            unexplained, codes, round(rest_s, 1),
        )  # fmt: skip

    def _money(self, kiosk: str, verdict: Verdict) -> list[str]:
        """Hold the ledger's cash in the box against the notes in the accepted facts, and both against the disk."""
        wanted = f"SELECT sum(minor) FROM balance WHERE kiosk = '{kiosk}' AND account = '{CASH_IN_BOX}'"
        posted = self._ask("books.db", wanted)[0][0] or 0
        faults = []
        if posted != verdict.hub_minor:
            faults.append(f"{kiosk}: the ledger has {posted} in the box, the facts say {verdict.hub_minor}")
        if not verdict.explained and verdict.kiosk_minor != verdict.hub_minor:
            faults.append(f"{kiosk}: {verdict.kiosk_minor} on its disk, {verdict.hub_minor} at the hub")
        return faults

    def _faults_of_verify(self, verified: dict[str, Any], findings: list[Finding]) -> list[str]:
        """Whatever `hub verify` finds that was not known before is a fault of the hub's own."""
        known = {finding.code for finding in findings}
        errors = [each for each in verified.get("findings", []) if each.get("severity") == "error"]
        return [f"hub verify: {each}" for each in errors if each.get("code") not in known][:10]


def make_template(room: Path) -> None:
    """Make a hub with three enrolled kiosks, once for all runs."""
    hub = HubAtHand(room / "hub")
    hub.ask("init")
    fingerprint = hub.ask("keys")["transport"][0]["fingerprint"]
    (room / "hub-keys.json").write_text(json.dumps({"fingerprint": fingerprint}))
    hub.start()
    try:
        for name in KIOSKS:
            kiosk = ChaosKiosk(room / name, name, hub, fingerprint, seed=0, pause_ms=1)
            try:
                kiosk.start_counter()  # makes the journal and its key
                end = time.monotonic() + 20
                while not kiosk.rows() and time.monotonic() < end:
                    time.sleep(0.05)
                kiosk.kill_counter()
                enrol(kiosk, hub)
            finally:
                kiosk.stop()
    finally:
        hub.stop()


def run_one(seed: int, template: Path, keep: bool = False) -> Outcome:
    """Play one seed from beginning to end; a world that breaks is a difference too."""
    room = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-"))
    plan = draw(seed)
    world: World | None = None
    try:
        world = World(plan, template, room)
        world.live()
        outcome = world.outcome(world.rest())
    except Exception:  # noqa: BLE001 - whatever breaks is told with the run, and the campaign goes on
        outcome = Outcome(seed, 0, 0, 0, 0, [], [traceback.format_exc(limit=4)[-900:]], {}, 0.0)
    finally:
        if world is not None:
            for kiosk in (*world.kiosks, *world.clones):
                kiosk.stop()
            world.hub.stop()
        if not (keep and outcome.unexplained):
            shutil.rmtree(room, ignore_errors=True)
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Play the campaign; return 1 where something is unexplained."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run; the others follow")
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--keep", action="store_true", help="keep the directories of runs with differences")
    asked = parser.parse_args(arguments)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-template-") as template:
        print("making a hub with three kiosks", flush=True)
        make_template(Path(template))
        seeds = range(asked.seed, asked.seed + asked.runs)
        outcomes: list[Outcome] = []
        with ThreadPoolExecutor(asked.jobs) as pool:
            for outcome in pool.map(lambda seed: run_one(seed, Path(template), asked.keep), seeds):
                outcomes.append(outcome)
                told = f"{outcome.facts} facts, {outcome.rest_s} s to rest, findings {outcome.findings}"
                print(f"seed {outcome.seed}: {told}", flush=True)
                for each in outcome.unexplained:
                    print(f"  UNEXPLAINED {each}", flush=True)
    bad = [outcome for outcome in outcomes if outcome.unexplained]
    codes: dict[str, int] = {}
    for outcome in outcomes:
        for code, times in outcome.findings.items():
            codes[code] = codes.get(code, 0) + times
    rests = sorted(outcome.rest_s for outcome in outcomes)
    print(json.dumps({
        "campaign": "chaos", "runs": len(outcomes), "seeds": [seeds.start, seeds.stop - 1],
        "differences": sum(len(outcome.unexplained) for outcome in outcomes),
        "seeds_with_differences": [outcome.seed for outcome in bad],
        "explained": sum(len(outcome.explained) for outcome in outcomes),
        "facts_journalled": sum(outcome.facts for outcome in outcomes),
        "facts_at_hub": sum(outcome.at_hub for outcome in outcomes),
        "minor_at_hub": sum(outcome.minor for outcome in outcomes),
        "kills": sum(outcome.kills for outcome in outcomes), "findings": codes,
        "rest_s": {"median": rests[len(rests) // 2], "longest": rests[-1]},
        "seconds": round(time.monotonic() - begun),
    }))  # fmt: skip
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
